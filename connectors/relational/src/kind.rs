//! What the kinds have in common: all but how their databases are reached.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rabita_sdk::survey::{Foreseen, Recognised};
use rabita_sdk::{
    Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets, Survey, SurveyError, SurveyLimits, SurveySource,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::backend::Pool;
use crate::check::{self, Known};
use crate::connector::Relational;
use crate::described::Entity;
use crate::dialect::Dialect;
use crate::once::Once;
use crate::origin::{ActionFrom, Feed, Origin};
use crate::plan::{Plan, Relation};
use crate::sqlite::{Notes, StandIn};
use crate::statement::Asked;
use crate::survey::{Catalogue, Surveyor};
use crate::{double, settings, survey};

/// How a kind reaches its databases. All the rest of a kind is the same for each of them.
#[async_trait]
pub trait Reaching: Send + Sync + 'static {
    /// The manifest's `connector:`.
    type Settings: DeserializeOwned + JsonSchema + Send + Sync;

    /// The word in `connector: { kind: ... }`.
    const NAME: &'static str;

    /// What the settings say that matters to statements.
    fn options(settings: &Self::Settings) -> Options;

    /// Finds everything wrong with the settings that their schema can't say. Answers how the database writes SQL, where the
    /// settings tell.
    fn check(settings: &Self::Settings, spec: &RegistrySpec, findings: &mut Vec<Finding>) -> Option<Dialect>;

    /// The connections to a database, of which none is open yet.
    ///
    /// # Errors
    /// When a secret or a file is missing or unusable, in words for the agency.
    fn pool(settings: &Self::Settings, secrets: &dyn Secrets, bounds: &Bounds<'_>) -> Result<Box<dyn Pool>, String>;

    /// Whether an address that is to be surveyed is one of a database.
    fn recognises(source: &SurveySource) -> Recognised;

    /// The settings that an address stands for.
    ///
    /// # Errors
    /// When it is none that a manifest can have, or holds a password.
    fn written(source: &SurveySource) -> Result<Map<String, Value>, SurveyError>;

    /// What a driver tells of the tables, where the database's own catalogue is not known. The default tells nothing.
    ///
    /// # Errors
    /// When the database can't be reached.
    async fn catalogue(
        settings: &Self::Settings,
        secrets: &dyn Secrets,
        limits: &SurveyLimits,
    ) -> Result<Option<Catalogue>, SurveyError> {
        let _ = (settings, secrets, limits);
        Ok(None)
    }
}

/// What the connections of a pool keep to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// The most that are open.
    pub connections: usize,
    /// The longest that a statement may take.
    pub timeout: Duration,
    /// The configuration directory.
    pub directory: &'a Path,
}

/// What the settings of each kind say that matters to statements.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Every change is refused.
    pub read_only: bool,
    /// The table of ids.
    pub once: Option<settings::Once>,
}

/// The kind that reaches its databases in this way.
#[must_use]
pub fn kind<R: Reaching>() -> Arc<dyn Kind> {
    Arc::new(RelationalKind(PhantomData::<fn() -> R>))
}

struct RelationalKind<R>(PhantomData<fn() -> R>);

#[async_trait]
impl<R: Reaching> Kind for RelationalKind<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(R::Settings).to_value()
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
        let Ok(settings) = serde_json::from_value::<R::Settings>(spec.settings.clone()) else {
            return vec![Finding::new("/connector", "the settings are not of the form of this kind")];
        };
        let mut findings = Vec::new();
        let dialect = R::check(&settings, spec, &mut findings);
        findings.extend(check::findings(spec, &Known { dialect, read_only: R::options(&settings).read_only }));
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings: R::Settings = parsed(&spec.settings, "connector")?;
        let bounds = Bounds { connections: spec.concurrency, timeout: spec.timeout, directory: &spec.directory };
        let pool = R::pool(&settings, secrets, &bounds).map_err(OpenError)?;
        open(spec, R::options(&settings), pool)
    }

    /// A stand-in that holds a test's tables: an SQLite database in memory, whatever the registry's is.
    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let settings: R::Settings = parsed(&spec.settings, "connector")?;
        let mut options = R::options(&settings);
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

    fn recognises(&self, source: &SurveySource) -> Recognised {
        R::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        let mut written = R::written(source)?;
        written.extend(source.settings.clone());
        // Nothing but reading is asked of the registry now, nor later until somebody wants more.
        let mut asked = written.clone();
        asked.insert("read_only".to_owned(), json!(true));
        written.entry("read_only").or_insert(json!(true));
        let settings: R::Settings = serde_json::from_value(Value::Object(asked))
            .map_err(|error| SurveyError::Unsuitable(format!("the settings of the connector: {error}")))?;
        let catalogue = R::catalogue(&settings, secrets, limits).await?;
        let bounds = Bounds { connections: 2, timeout: limits.question, directory: &source.directory };
        let pool = R::pool(&settings, secrets, &bounds).map_err(SurveyError::Unsuitable)?;
        let mut survey = Surveyor { pool, source, limits }.survey(catalogue).await?;
        survey.settings = written;
        Ok(survey)
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        survey::fixture(foreseen)
    }
}

/// A connector on the connections of a pool.
///
/// # Errors
/// When a `from` has none of the known forms.
pub fn open(spec: RegistrySpec, options: Options, pool: Box<dyn Pool>) -> Result<Arc<dyn Connector>, OpenError> {
    Ok(Arc::new(connector(spec, options, pool, false)?))
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
fn parsed<T: DeserializeOwned>(value: &Value, what: &str) -> Result<T, OpenError> {
    serde_json::from_value(value.clone()).map_err(|error| OpenError(format!("{what}: {error}")))
}
