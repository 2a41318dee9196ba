//! The kind `sql`: schemas, and the opening of connectors.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_relational::kind::{self as relational, Known, Options, parsed};
use rabita_sdk::survey::{Foreseen, Recognised};
use rabita_sdk::{
    Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets, Survey, SurveyError, SurveyLimits, SurveySource,
};
use serde_json::Value;

use crate::check;
use crate::database::{Pooling, connect};
use crate::settings::{Scheme, Settings};
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
        relational::entity_schema()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(relational::action_schema())
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(relational::changes_schema())
    }

    fn fixture_schema(&self) -> Value {
        relational::fixture_schema()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(relational::asked_schema())
    }

    fn empty_fixture(&self) -> Option<Value> {
        Some(relational::empty_fixture())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        let Ok(settings) = serde_json::from_value::<Settings>(spec.settings.clone()) else {
            return vec![Finding::new("/connector", "the settings are not of the form of this kind")];
        };
        let mut findings = Vec::new();
        let dialect = check::settings(&settings, spec, &mut findings).map(Scheme::dialect);
        findings.extend(relational::findings(spec, &Known { dialect, read_only: settings.read_only }));
        findings
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
        relational::open(spec, options(settings), pool)
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let settings: Settings = parsed(&spec.settings, "connector")?;
        relational::double(spec, options(settings), fixture).await
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        survey::survey(source, secrets, limits).await
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        relational::fixture(foreseen)
    }
}

fn options(settings: Settings) -> Options {
    Options { read_only: settings.read_only, once: settings.once }
}
