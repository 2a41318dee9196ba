//! A small country: persons, licences and consents, systems with grants as a test wishes, and what these may ask.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use rabita_config::{Country, Registry as Configured};
use rabita_core::{Answer, Body, Bus, Certificate, Clock, Evidence, Exchange, Received, Stores};
use rabita_model::ask::Key;
use rabita_model::{
    Ask, Change, Code, Comparison, ExchangeId, FieldName, Filter, Purpose, RegistryId, Submission, SystemId, Target, Wait, Want,
};
use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::manifest::Manifest;
use rabita_sdk::plan::Plan;
use rabita_sdk::{Connector, SecretRef, SecretText, Secrets};
use serde_json::{Map, Value, json};

use crate::registry::{InMemory, Registry};

/// A Tuesday at eleven, UTC.
pub(crate) const NOW: &str = "2026-11-24T11:00:00Z";

/// The fields of persons that stand in JSON.
pub(crate) const FIELDS: [&str; 5] = ["pin", "name.family", "name.given", "birth_date", "district"];

/// The bus on its registries.
pub(crate) struct Stage {
    pub bus: Bus,
    pub clock: Arc<SetClock>,
    pub population: Arc<Registry>,
    pub consents: Arc<Registry>,
}

/// A clock that is set by hand.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub fn set(&self, time: &str) {
        let time: Timestamp = time.parse().expect("a time");
        self.0.store(time.as_second(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time")
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there are none".to_owned())
    }
}

/// A person as the registry has it.
pub(crate) fn person(pin: &str, family: &str, birth: &str, district: Option<&str>) -> Value {
    json!({ "PIN": pin, "FAMILY": family, "GIVEN": "Leyla", "BIRTH": birth, "DISTRICT": district })
}

impl Stage {
    /// The bus with these grants of the registry of persons, on these persons.
    pub fn new(grants: &Value, persons: Vec<Value>) -> Self {
        Self::with(&country(grants), persons, Stores::default())
    }

    pub fn with(country: &Country, persons: Vec<Value>, stores: Stores) -> Self {
        let spec = |at: usize| country.registries[at].plan.spec.clone();
        let licences = vec![
            json!({ "NUMBER": "L1", "HOLDER": "5ZJBKH7", "KIND": "B" }),
            json!({ "NUMBER": "L2", "HOLDER": "1ABCDE2", "KIND": "C" }),
        ];
        let consents = vec![
            json!({ "ID": "C1", "PERSON": "5ZJBKH7", "STATUS": "given" }),
            json!({ "ID": "C2", "PERSON": "5ZJBKH7", "STATUS": "withdrawn" }),
        ];
        let population = Registry::new(spec(0), vec![persons, licences]);
        let consents = Registry::new(spec(1), vec![consents]);
        let connectors: Vec<Arc<dyn Connector>> = vec![Arc::clone(&population) as _, Arc::clone(&consents) as _];
        let clock = Arc::new(SetClock(AtomicI64::new(0)));
        clock.set(NOW);
        let bus = Bus::with_connectors(country, connectors, &NoSecrets, Arc::clone(&clock) as _, new_exchange, stores);
        Self { bus: bus.expect("a bus"), clock, population, consents }
    }

    /// One exchange of the portal.
    pub async fn ask(&self, ask: Ask) -> Exchange {
        self.ask_as(evidence("portal"), ask).await
    }

    pub async fn ask_as(&self, evidence: Evidence, ask: Ask) -> Exchange {
        self.bus.exchange(Received { exchange: new_exchange(), evidence, traceparent: None, ask }).await
    }

    /// What the portal is answered: the body as JSON, or the code.
    pub async fn answer(&self, ask: Ask) -> Result<Value, Code> {
        told(self.ask(ask).await)
    }
}

/// What an exchange came to: the body as JSON, or the code.
pub(crate) fn told(exchange: Exchange) -> Result<Value, Code> {
    exchange.result.map_err(|refusal| refusal.code).map(|answer| match answer {
        Answer::Data { body, .. } => match &*body {
            Body::Record(record) => record.clone(),
            Body::Many(records) => json!(records),
            Body::Page(records) => json!(records),
        },
        Answer::Binary { .. } => json!("binary"),
        Answer::Change { entry, .. } => json!(entry.state().as_str()),
    })
}

pub(crate) fn new_exchange() -> ExchangeId {
    ExchangeId::new(uuid::Uuid::now_v7())
}

/// The evidence of a system: a certificate of its name.
pub(crate) fn evidence(system: &str) -> Evidence {
    Evidence::of_certificate(Certificate { common_name: Some(system.to_owned()), ..Certificate::default() })
}

pub(crate) fn system(name: &str) -> SystemId {
    SystemId::new(name).expect("an id")
}

pub(crate) fn field(name: &str) -> FieldName {
    FieldName::new(name).expect("a field")
}

fn target(entity: &str) -> Target {
    serde_json::from_value(json!({ "registry": "population", "version": "v1", "entity": entity })).expect("a target")
}

/// A request without purpose or consent for all that is granted.
pub(crate) fn asked(entity: &str, want: Want) -> Ask {
    let target = target(entity);
    Ask { target, want, fields: None, purpose: None, user: None, case: None, consent: None, in_url: false }
}

pub(crate) fn read(entity: &str, key: &str) -> Ask {
    asked(entity, Want::Read { key: Key(vec![key.into()]) })
}

pub(crate) fn search(by: &str, value: &str, limit: u32) -> Ask {
    let filter = Filter { field: field(by), comparison: Comparison::Equals, value: value.into() };
    asked("persons", Want::Search { filters: vec![filter], limit: Some(limit), cursor: None })
}

pub(crate) fn change(change: Change) -> Ask {
    let submission = Submission {
        change,
        within: "",
        idempotency_key: uuid::Uuid::now_v7().to_string(),
        if_match: None,
        wait: Wait::Not,
        apply_until: None,
    };
    asked("persons", Want::Change(Box::new(submission)))
}

pub(crate) fn record(value: Value) -> Map<String, Value> {
    let Value::Object(record) = value else { panic!("an object") };
    record
}

pub(crate) fn purpose(name: &str) -> Purpose {
    Purpose::new(name).expect("a purpose")
}

/// The whole country, with these grants of the registry of persons.
pub(crate) fn country(grants: &Value) -> Country {
    let of = |registry: &str, grants: &Value| {
        let registry = RegistryId::new(registry).expect("an id");
        let grants: Vec<_> = grants.as_array().expect("a list").clone();
        grants.into_iter().map(move |grant| (registry.clone(), serde_json::from_value(grant).expect("a grant")))
    };
    Country {
        directory: Path::new(".").to_owned(),
        node: from(json!({
            "listeners": [],
            "consents": {
                "registry": "consents", "version": "v1", "entity": "consents", "subject": "person",
                "status": { "field": "status", "equals": "given" },
            },
        })),
        agencies: Default::default(),
        purposes: ["benefits", "audit"]
            .map(|name| (purpose(name), from(json!({ "id": name, "title": name, "basis": format!("{name}-act") }))))
            .into(),
        legal_bases: Default::default(),
        groups: [(from(json!("desks")), from(json!({ "id": "desks", "systems": ["portal", "kiosk"] })))].into(),
        transparency: Default::default(),
        registries: vec![configured(population()), configured(consents())],
        systems: ["portal", "kiosk"]
            .map(|name| {
                from(json!({
                    "system": name, "agency": "asan", "certificates": [{ "common_name": name }],
                    "tokens": [{ "issuer": "https://id.gov.az", "client_id": name }],
                    "attributes": { "district": "baku" }, "limits": { "requests_per_second": 100_000 },
                }))
            })
            .into(),
        grants: of("population", grants).collect(),
        files: Vec::new(),
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the form of the configuration")
}

fn configured(manifest: Value) -> Configured {
    let manifest: Manifest = from(manifest);
    let plan = Plan::compile(&manifest, Path::new("."), jiff::civil::date(2026, 11, 24)).expect("a plan");
    let schema = json!({ "type": "object", "properties": { "district": { "type": "string" } } });
    let schema = Arc::new(RecordSchema::compile(&schema, &Library::shipped()).expect("a schema"));
    let schemas = plan.entities.iter().map(|_| ("any/v1".to_owned(), Arc::clone(&schema))).collect();
    let actions = plan.entities.iter().map(|_| Vec::new()).collect();
    Configured { manifest, kind: Arc::new(InMemory), plan, schemas, actions }
}

fn population() -> Value {
    json!({
        "registry": "population", "agency": "interior", "connector": { "kind": "memory" },
        "contract": { "v1": {
            "persons": {
                "schema": "any/v1", "key": "pin", "subject": "pin", "version": "VERSION",
                "fields": {
                    "pin": "PIN", "name.family": "FAMILY", "name.given": "GIVEN", "birth_date": "BIRTH", "district": "DISTRICT",
                    "photo": { "from": "PHOTO", "binary": { "media_type": "image/jpeg" } },
                },
                "operations": {
                    "read": {}, "search": { "by": ["name.family", "district"], "max": 100 }, "subscribe": {}, "delete": {},
                    "create": { "fields": FIELDS }, "update": { "fields": ["name.family", "district"] },
                },
            },
            "licences": {
                "schema": "any/v1", "key": "number", "subject": "holder",
                "fields": { "number": "NUMBER", "holder": "HOLDER", "kind": "KIND" }, "operations": { "read": {} },
                "cache": { "ttl_ms": 600_000 },
            },
        } },
    })
}

fn consents() -> Value {
    json!({
        "registry": "consents", "agency": "interior", "connector": { "kind": "memory" },
        "contract": { "v1": { "consents": {
            "schema": "any/v1", "key": "id", "fields": { "id": "ID", "person": "PERSON", "status": "STATUS" },
            "operations": { "read": {} },
        } } },
    })
}
