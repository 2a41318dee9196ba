//! What the kinds have in common: their schemas, their checks, and the making of connectors.

use std::sync::{Arc, PoisonError};

use rabita_sdk::survey::Foreseen;
use rabita_sdk::{Connector, Double, Finding, OpenError, RegistrySpec};
use serde_json::{Value, json};

use crate::backend::Pool;
use crate::connector::Relational;
use crate::described::Entity;
use crate::once::Once;
use crate::origin::{ActionFrom, Feed, Origin};
use crate::plan::{Plan, Relation};
use crate::sqlite::{Notes, StandIn};
use crate::statement::Asked;
use crate::{check, double, settings, survey};

pub use check::Known;

/// The JSON Schema of an entity's `from:`.
#[must_use]
pub fn entity_schema() -> Value {
    schemars::schema_for!(Origin).to_value()
}

/// The JSON Schema of an action's `from:`.
#[must_use]
pub fn action_schema() -> Value {
    schemars::schema_for!(ActionFrom).to_value()
}

/// The JSON Schema of the `from:` of `changes:`.
#[must_use]
pub fn changes_schema() -> Value {
    schemars::schema_for!(Feed).to_value()
}

/// The JSON Schema of a test's `legacy:`.
#[must_use]
pub fn fixture_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tables",
        "description": "The rows of each table: TABLE: [ { COLUMN: value } ]. Bytes are { base64: ... } or { hex: ... }.",
        "type": "object",
        "additionalProperties": { "type": "array", "items": { "type": "object" } },
    })
}

/// The JSON Schema of one statement that a stand-in was asked.
#[must_use]
pub fn asked_schema() -> Value {
    schemars::schema_for!(Asked).to_value()
}

/// A test's `legacy:` without a row.
#[must_use]
pub fn empty_fixture() -> Value {
    json!({})
}

/// A test's `legacy:` that holds made-up rows.
#[must_use]
pub fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    survey::fixture(foreseen)
}

/// Everything wrong with the entities and code tables of a registry.
#[must_use]
pub fn findings(spec: &RegistrySpec, known: &Known) -> Vec<Finding> {
    check::findings(spec, known)
}

/// What the settings of each kind say that matters to statements.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Every change is refused.
    pub read_only: bool,
    /// The table of ids.
    pub once: Option<settings::Once>,
}

/// A connector on the connections of a pool.
///
/// # Errors
/// When a `from` has none of the known forms.
pub fn open(spec: RegistrySpec, options: Options, pool: Box<dyn Pool>) -> Result<Arc<dyn Connector>, OpenError> {
    Ok(Arc::new(connector(spec, options, pool, false)?))
}

/// A connector on a stand-in that holds a test's tables: an SQLite database in memory, whatever the registry's is.
///
/// # Errors
/// When the fixture can't be put into tables.
pub async fn double(spec: RegistrySpec, mut options: Options, fixture: &Value) -> Result<Double, OpenError> {
    if let Some(once) = &mut options.once {
        once.create = true;
    }
    let pool = double::pool(&spec, options.once.as_ref(), fixture).await.map_err(OpenError)?;
    let notes = Notes::default();
    let pool = Box::new(StandIn { pool, notes: Arc::clone(&notes) });
    let connector = Arc::new(connector(spec, options, pool, true)?);
    let asked = move || notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Double::new(connector, Vec::new).telling(asked))
}

fn connector(spec: RegistrySpec, options: Options, pool: Box<dyn Pool>, stand_in: bool) -> Result<Relational, OpenError> {
    let mut entities = Vec::with_capacity(spec.entities.len());
    for entity in spec.entities {
        let origin: Origin = parsed(&entity.from, &entity.name)?;
        entities.push(Entity::new(Plan::new(entity, &origin)));
    }
    let mut tables = Vec::with_capacity(spec.tables.len());
    for table in spec.tables {
        let origin: Origin = parsed(&table.from, &table.name)?;
        tables.push((table, Relation::of(&origin)));
    }
    let once = options.once.map(Once::new);
    Ok(Relational { pool, entities, tables, read_only: options.read_only, once, stand_in })
}

/// A part of a manifest in the form that its schema describes.
///
/// # Errors
/// When it has another form; the schema was not held against it.
pub fn parsed<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, OpenError> {
    serde_json::from_value(value.clone()).map_err(|error| OpenError(format!("{what}: {error}")))
}
