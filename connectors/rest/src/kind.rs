//! Makes connectors to registries behind REST.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderName;
use rabita_http::double::{Asked, Double, Foreseen};
use rabita_http::{Client, Settings};
use rabita_sdk::survey::{self, Recognised, SurveyLimits, SurveySource};
use rabita_sdk::{
    Connector, EntitySpec, Finding, Kind, OpenError, RegistrySpec, SecretRef, SecretText, Secrets, Survey, SurveyError,
};
use serde_json::Value;

use crate::answer::Statuses;
use crate::check::{as_entity, check};
use crate::connector::Rest;
use crate::from::{ActionFrom, FeedFrom, From};
use crate::plan::Plan;
use crate::settings::Own;

/// The kind `rest`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(RestKind)
}

struct RestKind;

#[async_trait]
impl Kind for RestKind {
    fn name(&self) -> &'static str {
        "rest"
    }

    fn settings_schema(&self) -> Value {
        rabita_http::settings::schema_with::<Own>()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(From).to_value()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(ActionFrom).to_value())
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(FeedFrom).to_value())
    }

    fn fixture_schema(&self) -> Value {
        schemars::schema_for!(Vec<Foreseen>).to_value()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Asked).to_value())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        check(spec)
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let (settings, own) = rabita_http::settings::parse_with(&spec.settings).map_err(OpenError)?;
        Ok(Arc::new(connector(&spec, &settings, &own, secrets, None).await?))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<rabita_sdk::Double, OpenError> {
        let exchanges: Vec<Foreseen> = serde_json::from_value(fixture.clone())
            .map_err(|wrong| OpenError(format!("`legacy` is a list of exchanges: {wrong}")))?;
        let double = Arc::new(Double::start(exchanges).await.map_err(OpenError)?);
        let (settings, own) = rabita_http::settings::parse_with::<Own>(&spec.settings).map_err(OpenError)?;
        let settings = settings.for_double(double.base_url());
        let connector = connector(&spec, &settings, &own, &NoSecrets, Some(Arc::clone(&double))).await?;
        let asking = Arc::clone(&double);
        let asked = move || asking.asked().iter().filter_map(|asked| serde_json::to_value(asked).ok()).collect();
        Ok(rabita_sdk::Double::new(Arc::new(connector), move || double.complaints()).telling(asked))
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        crate::survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, _: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        crate::survey::survey(source, limits).await
    }

    fn fixture(&self, foreseen: &survey::Foreseen<'_>) -> Option<Value> {
        crate::survey::fixture(foreseen)
    }
}

async fn connector(
    spec: &RegistrySpec,
    settings: &Settings,
    own: &Own,
    secrets: &dyn Secrets,
    double: Option<Arc<Double>>,
) -> Result<Rest, OpenError> {
    let idempotency_header = own.idempotency_header.as_deref().map(|name| HeaderName::from_bytes(name.as_bytes()));
    let tables = spec.tables.iter().map(|table| Ok((plan(&as_entity(table))?, table.columns.clone())));
    Ok(Rest {
        client: Client::open(settings, secrets, &spec.directory, spec.concurrency).await?,
        statuses: Statuses::new(&own.errors),
        idempotency_header: idempotency_header
            .transpose()
            .map_err(|_| OpenError("idempotency_header: this is no name of a header".to_owned()))?,
        probe: own.probe.as_ref().map(|probe| probe.path.clone()),
        plans: spec.entities.iter().map(plan).collect::<Result<_, _>>()?,
        tables: tables.collect::<Result<_, OpenError>>()?,
        _double: double,
    })
}

fn plan(spec: &EntitySpec) -> Result<Plan, OpenError> {
    let from = serde_json::from_value(spec.from.clone()).map_err(|wrong| OpenError(format!("{}: {wrong}", spec.name)))?;
    Plan::new(spec, &from).map_err(|findings| {
        let faults: Vec<_> = findings.iter().map(|finding| format!("{}: {}", finding.pointer, finding.message)).collect();
        OpenError(faults.join("; "))
    })
}

/// A stand-in asks for no credentials.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("a stand-in is given no secrets".to_owned())
    }
}
