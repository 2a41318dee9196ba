//! What the tests of the connector share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Call, Change, ChangeKind, Condition, Connector, Double, EntitySpec, FilterSpec, Legacy, Read, RegistrySpec, Row, Search,
    SecretRef, SecretText, Secrets, Source, Wanted,
};
use serde_json::{Value, json};

/// The settings and one entity `units`, whose key is `nr` and which offers what its `from` has.
pub fn spec(settings: Value, from: Value) -> RegistrySpec {
    let offered = Operation::ALL.into_iter().filter(|operation| from.get(operation.as_str()).is_some());
    let entity = EntitySpec {
        name: "v1/units".to_owned(),
        pointer: "/contract/v1/units/from".to_owned(),
        operations: offered.collect(),
        from,
        key: vec![Source::new("nr")],
        wanted: wanted(),
        places: Vec::new(),
        binary: Vec::new(),
        filters: vec![FilterSpec {
            source: Source::new("name"),
            comparisons: BTreeSet::from([Comparison::Equals]),
            ignore: Vec::new(),
            pointer: "/contract/v1/units/filters/name".to_owned(),
        }],
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: None,
    };
    RegistrySpec {
        registry: RegistryId::new("units").expect("an id"),
        settings,
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_secs(5),
        concurrency: 8,
        directory: PathBuf::new(),
    }
}

pub fn wanted() -> Wanted {
    Wanted { sources: vec![Source::new("nr"), Source::new("address.city")], groups: Vec::new() }
}

pub async fn double(settings: Value, from: Value, fixture: Value) -> Double {
    rabita_rest::kind().double(spec(settings, from), &fixture).await.expect("a stand-in")
}

/// A connector on a stand-in, for an address that leads nowhere.
pub async fn on(from: Value, fixture: Value) -> Double {
    double(json!({ "url": "https://registry.invalid" }), from, fixture).await
}

pub async fn open(url: &str, from: Value) -> Arc<dyn Connector> {
    rabita_rest::kind().open(spec(json!({ "url": url }), from), &Nothing).await.expect("a connector")
}

struct Nothing;

impl Secrets for Nothing {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("there are none".to_owned())
    }
}

pub fn call() -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::nil()), deadline: Instant::now() + Duration::from_secs(10), traceparent: None }
}

pub fn read(key: impl Into<Legacy>) -> Read {
    Read { entity: 0, key: vec![key.into()], wanted: wanted() }
}

pub fn search(limit: usize, cursor: Option<String>) -> Search {
    Search { entity: 0, conditions: Vec::new(), wanted: wanted(), limit, cursor }
}

pub fn named(name: &str) -> Search {
    let condition =
        Condition { source: Source::new("name"), comparison: Comparison::Equals, value: name.into(), ignore: Vec::new() };
    Search { conditions: vec![condition], ..search(10, None) }
}

pub fn change(kind: ChangeKind, values: Value) -> Change {
    Change {
        entity: 0,
        id: uuid::Uuid::from_u128(42),
        kind,
        key: vec!["7".into()],
        values: serde_json::from_value(values).expect("values"),
        expected_version: None,
    }
}

/// The numbers of rows.
pub fn numbers(rows: &[Row]) -> Vec<i64> {
    rows.iter().filter_map(|row| if let Some(Legacy::Int(number)) = row.get("nr") { Some(*number) } else { None }).collect()
}
