//! The JSON Schemas of the configuration's documents: what `check` holds them against, and what editors complete by.

use rabita_sdk::{Kind, Kinds, Promise, manifest::Manifest};
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::grant::Grants;
use crate::hosts::HostSpec;
use crate::node::{Agencies, Node};
use crate::system::System;
use crate::transparency::Transparency;

/// The documents of a configuration directory, by the name of their schema, with the schema.
#[must_use]
pub fn all(kinds: &Kinds) -> Vec<(&'static str, Value)> {
    vec![
        ("rabita", node()),
        ("agencies", agencies()),
        ("registry", registry(kinds)),
        ("system", system()),
        ("grants", grants()),
        ("transparency", transparency()),
        ("host", host()),
    ]
}

/// `rabita.yaml`.
#[must_use]
pub fn node() -> Value {
    of::<Node>()
}

/// `agencies.yaml`.
#[must_use]
pub fn agencies() -> Value {
    of::<Agencies>()
}

/// `systems/*.yaml`.
#[must_use]
pub fn system() -> Value {
    of::<System>()
}

/// `grants/*.yaml`.
#[must_use]
pub fn grants() -> Value {
    of::<Grants>()
}

/// `transparency.yaml`.
#[must_use]
pub fn transparency() -> Value {
    of::<Transparency>()
}

/// `host.yaml`.
#[must_use]
pub fn host() -> Value {
    of::<HostSpec>()
}

/// `registries/*.yaml`, whatever the connector's kind.
#[must_use]
pub fn manifest() -> Value {
    of::<Manifest>()
}

/// The manifest's `connector:` for one kind.
#[must_use]
pub fn connector(kind: &dyn Kind) -> Value {
    let mut schema = kind.settings_schema();
    let properties = schema.as_object_mut().map(|object| object.entry("properties").or_insert_with(|| json!({})));
    if let Some(Value::Object(properties)) = properties {
        properties.insert("kind".to_owned(), json!({ "const": kind.name() }));
    }
    schema
}

/// The manifest's `connector:` where the connector runs in a host: what the bus relies on, and no setting of the kind.
#[must_use]
pub fn connector_at_host(kind: &dyn Kind) -> Value {
    let mut schema = of::<Promise>();
    let properties = schema.as_object_mut().map(|object| object.entry("properties").or_insert_with(|| json!({})));
    if let Some(Value::Object(properties)) = properties {
        properties.insert("kind".to_owned(), json!({ "const": kind.name() }));
        properties.insert("at".to_owned(), json!({ "const": "host" }));
    }
    schema
}

/// `registries/*.yaml` with what each kind adds.
fn registry(kinds: &Kinds) -> Value {
    let mut schema = manifest();
    let branches: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            let own = |part: &str, mut schema: Value| {
                // An identifier of its own makes local references within it resolve there.
                schema["$id"] = format!("rabita:kind/{}/{part}", kind.name()).into();
                schema
            };
            let mut entity = json!({ "from": own("from", kind.entity_schema()) });
            if let Some(schema) = kind.action_schema() {
                let action = own("action", schema);
                entity["actions"] = json!({ "additionalProperties": { "properties": { "from": action } } });
            }
            if let Some(schema) = kind.changes_schema() {
                entity["changes"] = json!({ "properties": { "from": own("changes", schema) } });
            }
            let mut tests = json!({ "legacy": own("legacy", kind.fixture_schema()) });
            if let Some(schema) = kind.asked_schema() {
                tests["expect_legacy"] = json!({ "items": own("asked", schema.clone()) });
                tests["expect_legacy_includes"] = json!({ "items": own("asked_among_others", schema) });
            }
            let connector = json!({
                "if": { "properties": { "at": { "const": "host" } }, "required": ["at"] },
                "then": own("connector-at-host", connector_at_host(&**kind)),
                "else": own("connector", connector(&**kind)),
            });
            json!({
                "if": { "properties": { "connector": { "properties": { "kind": { "const": kind.name() } } } } },
                "then": { "properties": {
                    "connector": connector,
                    "contract": { "additionalProperties": { "additionalProperties": { "properties": entity } } },
                    "tests": { "items": { "properties": tests } }
                } }
            })
        })
        .collect();
    schema["allOf"] = Value::Array(branches);
    schema
}

fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}
