//! The configuration of the country: nothing is wrong with it, and what it leads to satisfies the contract.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use rabita_config::{Country as Configuration, Registry, load};
use rabita_demo::people::People;
use rabita_demo::{Country, Options, Servers, build};
use rabita_model::ExchangeId;
use rabita_sdk::manifest::Test;
use rabita_sdk::mapping::Selection;
use rabita_sdk::{Call, Connector, Kinds, Read, SecretRef, SecretText, Secrets};
use serde_json::{Value, json};

const TODAY: Date = date(2026, 11, 23);

struct Files(PathBuf);

impl Secrets for Files {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        let SecretRef::File(file) = secret else { return Err("the demo keeps its secrets in files".into()) };
        let text = std::fs::read_to_string(self.0.join(&file.file)).map_err(|error| error.to_string())?;
        Ok(SecretText::new(text.trim_end_matches('\n').to_owned()))
    }
}

fn call() -> Call {
    let deadline = Instant::now() + Duration::from_secs(10);
    Call { exchange: ExchangeId::new(uuid::Uuid::nil()), deadline, traceparent: None }
}

async fn country(directory: &Path, citizens: usize) -> (Country, Servers) {
    let mut country = build(directory, &Options { citizens, ..Options::new(TODAY) }).await.expect("a country");
    let servers = country.serve_registries();
    (country, servers)
}

fn loaded(country: &Country) -> Configuration {
    let kinds = Kinds::new(vec![rabita_sql::kind(), rabita_rest::kind(), Arc::new(rabita_soap::Soap)]);
    let loaded = load(&country.config, &kinds, TODAY);
    let findings: Vec<String> = loaded.report.findings.iter().map(ToString::to_string).collect();
    let only_the_ended_grant =
        findings.iter().all(|finding| finding.contains("grants/vehicles.yaml") && finding.contains("warning"));
    assert!(only_the_ended_grant, "{}", findings.join("\n"));
    loaded.country.expect("a configuration without findings")
}

async fn fill_codes(registry: &Registry, connector: &dyn Connector) {
    let lists = registry.plan.codes.iter().filter(|list| list.in_registry().is_some());
    for (at, list) in lists.enumerate() {
        let rows = connector.table(at, &call()).await.expect("a code table");
        list.load(rows, TODAY).expect("codes");
    }
}

/// The record that a manifest's test reads: decoded and held against its schema.
async fn answer(registry: &Registry, connector: &dyn Connector, test: &Test) -> Result<Option<Value>, String> {
    let entities = &registry.plan.entities;
    let wanted = |name: &String| entities.iter().position(|e| *name == format!("{}/{}", e.target.version, e.target.entity));
    let entity = test.entity.as_ref().map_or(Some(0), wanted).expect("an entity of the contract");
    let mapping = &entities[entity].mapping;
    let selection = match &test.fields {
        Some(fields) => mapping.select(fields).expect("fields of the contract"),
        None => mapping.all(),
    };
    let key = test.read.clone().expect("a key");
    let key = mapping.key(&[key]).expect("a legacy key");
    let ask = Read { entity, key, wanted: mapping.wanted(&selection) };
    // As long as the bus would wait: a test may be about an answer that comes too late.
    let call = Call { deadline: Instant::now() + registry.plan.spec.timeout, ..call() };
    let row = connector.read(ask, &call).await.map_err(|failure| failure.to_string())?;
    row.map(|row| decoded(registry, entity, &row, &selection)).transpose()
}

fn decoded(registry: &Registry, entity: usize, row: &rabita_sdk::Row, selection: &Selection) -> Result<Value, String> {
    let (record, faults) = registry.plan.entities[entity].mapping.decode(row, selection);
    if faults.is_empty() { Ok(Value::Object(record)) } else { Err(format!("{faults:?}")) }
}

async fn hold(registry: &Registry, connector: &dyn Connector, test: &Test) {
    let name = format!("{}: {}", registry.manifest.registry, test.name);
    let answer = answer(registry, connector, test).await;
    match (&test.expect, &test.expect_error) {
        (Some(expected), None) => assert_eq!(answer.as_ref().ok(), Some(&Some(expected.clone())), "{name}: {answer:?}"),
        (None, Some(_)) => assert!(answer.is_err(), "{name}: {answer:?}"),
        _ => assert_eq!(answer, Ok(None), "{name}"),
    }
}

#[tokio::test]
async fn what_the_manifests_tests_say_holds_of_stand_ins_and_of_the_registries_themselves() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 500).await;
    let configuration = loaded(&country);
    let (mut offline, mut live) = (0, 0);
    for registry in &configuration.registries {
        let secrets = Files(country.config.clone());
        let connector = registry.kind.open(registry.plan.spec.clone(), &secrets).await.expect("a connector");
        connector.probe(&call()).await.expect("the registry answers");
        fill_codes(registry, &*connector).await;
        for test in registry.manifest.tests.iter().filter(|test| test.live && test.read.is_some()) {
            hold(registry, &*connector, test).await;
            live += 1;
        }
        // Changes are the bus's to make: `rabita connector test` runs those tests too.
        for test in registry.manifest.tests.iter().filter(|test| test.read.is_some() && test.change.is_none()) {
            let Some(legacy) = &test.legacy else { continue };
            let double = registry.kind.double(registry.plan.spec.clone(), legacy).await.expect("a stand-in");
            hold(registry, &*double.connector, test).await;
            offline += 1;
        }
        connector.close().await;
    }
    assert!(offline >= 25 && live >= 8, "{offline} offline, {live} live");
}

#[tokio::test]
async fn every_citizen_but_those_with_unknown_codes_satisfies_the_contract() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 4_000).await;
    let configuration = loaded(&country);
    let registry = configuration.registries.iter().find(|registry| registry.manifest.registry.as_str() == "population");
    let registry = registry.expect("the population register");
    let connector = registry.kind.open(registry.plan.spec.clone(), &Files(country.config.clone())).await.expect("a connector");
    fill_codes(registry, &*connector).await;
    let people = People::generate(4_000, Options::new(TODAY).seed);
    let mapping = &registry.plan.entities[0].mapping;
    let selection = mapping.all();
    let mut wrong = Vec::new();
    for some in people.all.chunks(50) {
        let ask =
            |pin: &str| Read { entity: 0, key: mapping.key(&[json!(pin)]).expect("a key"), wanted: mapping.wanted(&selection) };
        let asks = some.iter().map(|person| ask(&person.pin)).collect();
        let rows = connector.read_many(asks, &call()).await.expect("rows");
        for (person, row) in some.iter().zip(rows) {
            let row = row.expect("a citizen");
            match decoded(registry, 0, &row, &selection) {
                Ok(record) => {
                    let faults = registry.schemas[0].1.faults(&record);
                    assert!(faults.is_empty(), "{}: {faults:?}", person.pin);
                }
                Err(faults) => wrong.push((person.pin.clone(), faults)),
            }
        }
    }
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert_eq!(country.unreadable.as_ref(), Some(&wrong[0].0));
}
