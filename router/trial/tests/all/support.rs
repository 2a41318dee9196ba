//! A small registry, from a manifest.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rabita_config::{ActionSchemas, Registry};
use rabita_core::Clock;
use rabita_model::ExchangeId;
use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::manifest::{Manifest, SchemaRef};
use rabita_sdk::plan::Plan;
use rabita_sdk::{Kind, SecretRef, SecretText, Secrets};
use rabita_trial::{Machine, Options, Results, Suite, Verdict};
use serde_json::{Value, json};

/// The registry of cars, in the terms of kind `sql`.
pub(crate) fn cars() -> Value {
    json!({
        "registry": "cars",
        "agency": "interior",
        "connector": { "kind": "sql", "url": "sqlite:cars.sqlite" },
        "contract": { "v1": { "cars": {
            "schema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["plate"],
                "properties": {
                    "plate": { "type": "string", "pattern": "^[A-Z0-9]{1,8}$" },
                    "colour": { "type": "string", "maxLength": 40 },
                    "fuel": { "enum": ["petrol", "diesel"] },
                    "built_on": { "type": "string", "format": "date" },
                    "doors": { "type": "integer", "minimum": 0, "maximum": 9 }
                }
            },
            "key": "plate",
            "from": "CARS",
            "fields": {
                "plate": "PLATE",
                "colour": { "from": "COLOUR", "codec": "trim" },
                "fuel": { "from": "FUEL", "codec": { "codes": "fuels" } },
                "built_on": { "from": "BUILT", "codec": { "date": { "format": "%Y%m%d", "legacy": "integer" } } },
                "doors": "DOORS"
            },
            "operations": {
                "read": {},
                "search": { "by": ["fuel"] },
                "create": { "fields": ["plate", "colour", "fuel", "built_on", "doors"] },
                "update": { "fields": ["colour", "fuel"] },
                "delete": {}
            }
        } } },
        "codes": { "fuels": { "B": "petrol", "D": "diesel" } },
        "tests": [{
            "name": "reads a car",
            "legacy": { "CARS": [{ "PLATE": "A1", "COLOUR": "red ", "FUEL": "B", "BUILT": 20240229, "DOORS": 4 }] },
            "read": "A1",
            "expect": { "plate": "A1", "colour": "red", "fuel": "petrol", "built_on": "2024-02-29", "doors": 4 }
        }]
    })
}

/// What is run of a manifest with its own tests or with these.
pub(crate) async fn run(manifest: Value, tests: Option<Value>, options: Options) -> Results {
    run_of(rabita_sql::kind(), manifest, tests, options).await
}

pub(crate) async fn run_of(kind: Arc<dyn Kind>, mut manifest: Value, tests: Option<Value>, options: Options) -> Results {
    if let Some(tests) = tests {
        manifest["tests"] = tests;
    }
    let directory = Path::new("/nowhere");
    let machine = Machine { clock: Arc::new(Still), new_exchange, secrets: &NoSecrets };
    rabita_trial::run(directory, vec![registry(kind, &manifest)], options, &machine, |_: &Suite| {}).await
}

/// Why each test of the only suite failed, or nothing.
pub(crate) fn failures(results: &Results) -> Vec<String> {
    let cases = results.suites.iter().flat_map(|suite| &suite.cases);
    cases
        .filter_map(|case| match &case.verdict {
            Verdict::Failed { why } => Some(format!("{}: {why}", case.name)),
            Verdict::Passed | Verdict::Skipped { .. } => None,
        })
        .collect()
}

fn registry(kind: Arc<dyn Kind>, manifest: &Value) -> Registry {
    let manifest: Manifest = serde_json::from_value(manifest.clone()).expect("a manifest");
    let today = Still.today();
    let plan = Plan::compile(&manifest, Path::new("/nowhere"), today).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let findings = kind.check(&plan.spec);
    assert!(findings.iter().all(|finding| finding.is_warning), "{findings:#?}");
    let compiled = |schema: &SchemaRef| match schema {
        SchemaRef::Inline(own) => RecordSchema::compile(&Value::Object(own.clone()), &Library::shipped()).expect("a schema"),
        SchemaRef::Name(name) => panic!("the tests here have their schemas in place, not {name}"),
    };
    let schemas =
        plan.entities.iter().map(|entity| (entity.target.to_string(), Arc::new(compiled(&entity.manifest.schema)))).collect();
    let actions = plan
        .entities
        .iter()
        .map(|entity| {
            let schemas = entity.actions.iter().map(|action| ActionSchemas {
                request: Arc::new(compiled(&action.manifest.request)),
                reply: action.manifest.reply.as_ref().map(|reply| Arc::new(compiled(&reply.schema))),
            });
            schemas.collect()
        })
        .collect();
    Registry { manifest, kind, plan, schemas, actions }
}

fn new_exchange() -> ExchangeId {
    ExchangeId::new(uuid::Uuid::now_v7())
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there are none".to_owned())
    }
}
