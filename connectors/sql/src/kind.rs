//! The kind `sql`: schemas, and the opening of connectors.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use rabita_sdk::survey::{Foreseen, Recognised};
use rabita_sdk::{
    Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets, Survey, SurveyError, SurveyLimits, SurveySource,
};
use serde_json::{Value, json};

use crate::check;
use crate::connector::{Entity, Sql};
use crate::database::{Notes, Pool, Pooling, connect};
use crate::double;
use crate::once::Once;
use crate::origin::{ActionFrom, Feed, Origin};
use crate::plan::{Plan, Relation};
use crate::settings::Settings;
use crate::statement::Asked;
use crate::survey;

/// The kind `sql`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(SqlKind)
}

struct SqlKind;

#[async_trait]
impl Kind for SqlKind {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(Origin).to_value()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(ActionFrom).to_value())
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Feed).to_value())
    }

    fn fixture_schema(&self) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Tables",
            "description": "The rows of each table: TABLE: [ { COLUMN: value } ]. Bytes are { base64: ... } or { hex: ... }.",
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "object" } },
        })
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Asked).to_value())
    }

    fn empty_fixture(&self) -> Option<Value> {
        Some(json!({}))
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        check::findings(spec)
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings: Settings = parsed(&spec.settings, "connector")?;
        let url = secrets.text(&settings.url).map_err(OpenError)?;
        let password = settings.password.as_ref().map(|password| secrets.resolve(password)).transpose().map_err(OpenError)?;
        let pooling = Pooling {
            url: url.expose(),
            password: password.as_ref().map(rabita_sdk::SecretText::expose),
            connections: spec.concurrency,
            timeout: spec.timeout,
            directory: &spec.directory,
        };
        let pool = connect(&settings, &pooling).map_err(OpenError)?;
        Ok(Arc::new(connector(spec, settings, pool, false)?))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let mut settings: Settings = parsed(&spec.settings, "connector")?;
        if let Some(once) = &mut settings.once {
            once.create = true;
        }
        let pool = double::pool(&spec, &settings, fixture).await.map_err(OpenError)?;
        let notes = Notes::default();
        let connector = Arc::new(connector(spec, settings, Pool::Sqlite(pool, Some(Arc::clone(&notes))), true)?);
        let asked = move || notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Double::new(connector, Vec::new).telling(asked))
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        survey::survey(source, secrets, limits).await
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        survey::fixture(foreseen)
    }
}

fn connector(spec: RegistrySpec, settings: Settings, pool: Pool, stand_in: bool) -> Result<Sql, OpenError> {
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
    let once = settings.once.map(Once::new);
    Ok(Sql { pool, entities, tables, read_only: settings.read_only, once, stand_in })
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, OpenError> {
    serde_json::from_value(value.clone()).map_err(|error| OpenError(format!("{what}: {error}")))
}
