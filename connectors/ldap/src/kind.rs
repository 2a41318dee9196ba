//! The kind `ldap`: schemas, and the opening of connectors.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::survey::{Foreseen, Recognised, Survey, SurveyError, SurveyLimits, SurveySource};
use rabita_sdk::{Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets};
use serde_json::Value;

use crate::check;
use crate::connector::Ldap;
use crate::double::Directory;
use crate::link::{Bounds, Dial};
use crate::origin::{Feed, Origin};
use crate::plan::{Plan, as_entity};
use crate::pool::{Pool, Target};
use crate::protocol::Credentials;
use crate::read::Limits;
use crate::settings::{Address, Bind, Settings};
use crate::survey;
use crate::tls::security;

/// The kind `ldap`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(LdapKind)
}

struct LdapKind;

#[async_trait]
impl Kind for LdapKind {
    fn name(&self) -> &'static str {
        "ldap"
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(Origin).to_value()
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Feed).to_value())
    }

    fn fixture_schema(&self) -> Value {
        crate::double::fixture_schema()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(crate::double::asked_schema())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        check::findings(spec)
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings = parsed(&spec)?;
        let dial = dial(&settings, &spec.directory, secrets).await?;
        Ok(Arc::new(connector(&spec, &settings, Target::Server(Box::new(dial)))?))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let settings = parsed(&spec)?;
        let directory = Directory::of_fixture(fixture).map_err(OpenError)?;
        let connector = connector(&spec, &settings, Target::Double(directory.clone(), bounds(&settings)))?;
        Ok(Double::new(Arc::new(connector), Vec::new).telling(move || directory.asked()))
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

fn parsed(spec: &RegistrySpec) -> Result<Settings, OpenError> {
    serde_json::from_value(spec.settings.clone()).map_err(|wrong| OpenError(format!("connector: {wrong}")))
}

/// How connections are made: everything that can be missing is found here.
pub(crate) async fn dial(settings: &Settings, directory: &Path, secrets: &dyn Secrets) -> Result<Dial, OpenError> {
    let url = secrets.text(&settings.url).map_err(OpenError)?;
    let address = Address::parse(url.expose()).map_err(|wrong| OpenError(format!("url: {wrong}")))?;
    let is_secured = address.secured || settings.tls.start;
    if !is_secured && !settings.tls.dangerously_speak_in_clear && !address.is_loopback() {
        return Err(OpenError(check::IN_CLEAR.to_owned()));
    }
    let bind = match &settings.bind {
        None => None,
        Some(Bind::Simple(simple)) => {
            let password = secrets.resolve(&simple.password).map_err(|missing| OpenError(format!("bind.password: {missing}")))?;
            // A bind without a password passes for one of nobody, and succeeds (RFC 4513, section 5.1.2).
            if password.expose().is_empty() {
                return Err(OpenError("bind.password is empty: the directory would take the bus for nobody".to_owned()));
            }
            let dn = secrets.text(&simple.dn).map_err(|missing| OpenError(format!("bind.dn: {missing}")))?;
            Some((dn.expose().to_owned(), Credentials::Password(password.expose().as_bytes().to_vec())))
        }
        Some(Bind::External(_)) => Some((String::new(), Credentials::External)),
    };
    let security = match is_secured {
        true => Some(security(&settings.tls, &address, secrets, directory).await?),
        false => None,
    };
    Ok(Dial { address, security, bind, bounds: bounds(settings) })
}

fn bounds(settings: &Settings) -> Bounds {
    Bounds { answer_max: settings.answer_max_bytes, request_max: settings.request_max(), references: settings.references }
}

fn connector(spec: &RegistrySpec, settings: &Settings, target: Target) -> Result<Ldap, OpenError> {
    let idle = settings.idle_connections.unwrap_or(spec.concurrency);
    let tables = spec.tables.iter().map(|table| Ok((Plan::open(&as_entity(table))?, table.columns.clone())));
    Ok(Ldap {
        pool: Pool::new(target, settings.connect_timeout(), spec.concurrency, idle),
        entities: spec.entities.iter().map(Plan::open).collect::<Result<_, _>>()?,
        tables: tables.collect::<Result<_, OpenError>>()?,
        limits: Limits {
            answer_max: settings.answer_max_bytes,
            page_entries: settings.page_entries,
            search_max_entries: settings.search_max_entries,
            assertions: settings.assertions,
        },
        schema: tokio::sync::OnceCell::new(),
    })
}
