//! Makes connectors to registries that come as files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use rabita_sdk::survey::{Foreseen, Recognised, Survey, SurveyError, SurveyLimits, SurveySource};
use rabita_sdk::{Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, watch};

use crate::check::{as_entity, check};
use crate::connector::Files;
use crate::double;
use crate::from::{FeedFrom, From};
use crate::outbox::{self, Destination, Outbox};
use crate::plan::Plan;
use crate::reading::Readers;
use crate::settings::{Origin, Place, Settings};
use crate::shared::{Phase, Shared};
use crate::source;
use crate::state::State;
use crate::survey;
use crate::watch::{blocking, watch};

/// The kind `files`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(FilesKind)
}

struct FilesKind;

#[async_trait]
impl Kind for FilesKind {
    fn name(&self) -> &'static str {
        "files"
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(From).to_value()
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(FeedFrom).to_value())
    }

    fn fixture_schema(&self) -> Value {
        schemars::schema_for!(double::Fixture).to_value()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(double::WrittenFile).to_value())
    }

    fn empty_fixture(&self) -> Option<Value> {
        Some(Value::Object(serde_json::Map::new()))
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        check(spec)
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        Ok(Arc::new(connector(&spec, secrets, None).await?))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let (spec, directory) = double::prepared(spec, fixture)?;
        let outgoing = directory.path().join(double::OUTGOING);
        let connector = Arc::new(connector(&spec, &double::NoSecrets, Some(directory)).await?);
        Ok(Double::new(connector, Vec::new).telling(move || double::written_files(&outgoing)))
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, _secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        let (source, limits) = (source.clone(), *limits);
        let looked = blocking(move || survey::survey(&source, &limits)).await;
        looked.unwrap_or_else(|stopped| Err(SurveyError::Unreachable(stopped.into())))
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        survey::fixture(foreseen)
    }
}

/// The plans of a registry: its entities, then its tables of codes.
///
/// # Errors
/// What can't be used of the manifest.
pub fn plans(spec: &RegistrySpec) -> Result<Vec<Plan>, OpenError> {
    let tables = spec.tables.iter().map(as_entity);
    let all = spec.entities.iter().cloned().chain(tables);
    let plan = |entity| {
        Plan::new(&entity, spec).map_err(|findings| {
            let faults: Vec<_> = findings.iter().map(|finding| format!("{}: {}", finding.pointer, finding.message)).collect();
            OpenError(faults.join("; "))
        })
    };
    all.map(plan).collect()
}

async fn connector(spec: &RegistrySpec, secrets: &dyn Secrets, double: Option<tempfile::TempDir>) -> Result<Files, OpenError> {
    let shared = Arc::new(shared(spec, secrets, plans(spec)?).await?);
    let watching = tokio::spawn(watch(Arc::clone(&shared)));
    let (entities, turns) = (spec.entities.len(), Semaphore::new(spec.concurrency.max(1)));
    Ok(Files { shared, entities, turns, watch: watching.abort_handle(), double })
}

/// What an open connector with these plans consists of.
pub async fn shared(spec: &RegistrySpec, secrets: &dyn Secrets, plans: Vec<Plan>) -> Result<Shared, OpenError> {
    let settings: Settings =
        serde_json::from_value(spec.settings.clone()).map_err(|wrong| OpenError(format!("connector: {wrong}")))?;
    let directory = spec.directory.join(&settings.index);
    let state = State::open(&directory, spec.registry.as_str(), &plans)?;
    let outbox = settings
        .outgoing
        .as_ref()
        .map(|outgoing| Ok::<_, OpenError>(Outbox::new(outgoing, destination(&outgoing.to, &spec.directory, secrets)?)));
    let (phases, _) = watch::channel(vec![Phase::Starting; plans.len()]);
    let reports =
        settings.arrival.reports.as_ref().map_or_else(|| directory.join("reports"), |reports| spec.directory.join(reports));
    Ok(Shared {
        registry: spec.registry.to_string(),
        arrival: settings.arrival.clone(),
        reports,
        readers: Readers::new(&directory, state, &plans),
        directory,
        origin: origin(&settings.source, &spec.directory, secrets).await?,
        outbox: outbox.transpose()?,
        phases,
        writing: std::sync::Mutex::default(),
        poke: Notify::new(),
        is_over: Arc::new(AtomicBool::new(false)),
        plans,
    })
}

async fn origin(settings: &Origin, directory: &Path, secrets: &dyn Secrets) -> Result<Box<dyn source::Origin>, OpenError> {
    // A look at a time, and a fetch beside it.
    const CONNECTIONS: usize = 2;
    Ok(match settings {
        Origin::Directory(path) => Box::new(source::Directory(directory.join(path))),
        Origin::Sftp(sftp) => Box::new(source::Sftp::new(sftp, secrets)?),
        Origin::Http(http) => {
            let client = rabita_http::Client::open(&http.at, secrets, directory, CONNECTIONS).await?;
            Box::new(source::Http { client, files: http.files.clone() })
        }
    })
}

fn destination(settings: &Place, directory: &Path, secrets: &dyn Secrets) -> Result<Box<dyn Destination>, OpenError> {
    Ok(match settings {
        Place::Directory(path) => Box::new(outbox::Directory(directory.join(path))),
        Place::Sftp(sftp) => Box::new(source::Sftp::new(sftp, secrets)?),
    })
}
