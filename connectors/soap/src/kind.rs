//! The kind `soap`: checks manifests and opens connectors.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_http::settings::{parse_with, schema_with};
use rabita_http::{Client, Settings as HttpSettings};
use rabita_sdk::finding::token;
use rabita_sdk::request::Scope as Places;
use rabita_sdk::survey::{Foreseen, Recognised};
use rabita_sdk::{
    Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets, Survey, SurveyError, SurveyLimits, SurveySource,
};
use serde_json::Value;

use crate::connector::SoapConnector;
use crate::double::{self, Asked};
use crate::envelope::{self, RESERVED_PREFIXES};
use crate::origin::{ActionCall, Origin};
use crate::plan::{Ask, Plan, check_action, scope};
use crate::security::Guard;
use crate::service::Service;
use crate::settings::{Probe, Security, Settings};
use crate::template::{Template, compile};
use crate::xml::{is_carried, is_ncname};

/// The connector kind `soap`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Soap;

#[async_trait]
impl Kind for Soap {
    fn name(&self) -> &'static str {
        "soap"
    }

    fn settings_schema(&self) -> Value {
        schema_with::<Settings>()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(Origin).to_value()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(ActionCall).to_value())
    }

    fn fixture_schema(&self) -> Value {
        double::schema()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Asked).to_value())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        let mut findings = Vec::new();
        match parse_with::<Settings>(&spec.settings) {
            Ok((http, settings)) => {
                findings.extend(http.check(CONNECTOR));
                compile_all(spec, &settings, &mut findings);
            }
            Err(message) => findings.push(Finding::new(CONNECTOR, message)),
        }
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let (http, settings) = parse_with::<Settings>(&spec.settings).map_err(OpenError)?;
        Ok(Arc::new(open(spec, &http, &settings, secrets).await?))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let (http, mut settings) = parse_with::<Settings>(&spec.settings).map_err(OpenError)?;
        let stand_in = Arc::new(double::start(fixture, &settings).await?);
        settings.security = None;
        let http = http.for_double(stand_in.base_url());
        let connector = Arc::new(open(spec, &http, &settings, &double::NoSecrets).await?);
        let asking = Arc::clone(&stand_in);
        let asked = move || asking.asked().iter().filter_map(Asked::value_of).collect();
        Ok(Double::new(connector, move || stand_in.complaints()).telling(asked))
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        crate::survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, _: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        crate::survey::survey(source, limits).await
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        crate::survey::fixture(foreseen)
    }
}

/// Where the settings stand in a manifest.
const CONNECTOR: &str = "/connector";

async fn open(
    spec: RegistrySpec,
    http: &HttpSettings,
    settings: &Settings,
    secrets: &dyn Secrets,
) -> Result<SoapConnector, OpenError> {
    let mut findings = Vec::new();
    let compiled = compile_all(&spec, settings, &mut findings);
    if let Some(finding) = findings.into_iter().find(|finding| !finding.is_warning) {
        return Err(OpenError(format!("{}: {}", finding.pointer, finding.message)));
    }
    let guard = settings.security.as_ref().map(|security| Guard::open(security, secrets)).transpose()?;
    let client = Client::open(http, secrets, &spec.directory, spec.concurrency).await?;
    let service = Service {
        client,
        version: settings.version,
        namespaces: settings.namespaces.clone(),
        header: compiled.header,
        guard,
        faults: settings.faults.clone(),
    };
    Ok(SoapConnector {
        service,
        entities: spec.entities.into_iter().zip(compiled.entities).collect(),
        tables: spec.tables.into_iter().zip(compiled.tables).collect(),
        probe: compiled.probe,
    })
}

struct Compiled {
    header: Template,
    probe: Option<Ask>,
    entities: Vec<Plan>,
    tables: Vec<Plan>,
}

fn compile_all(spec: &RegistrySpec, settings: &Settings, findings: &mut Vec<Finding>) -> Compiled {
    check_namespaces(settings, findings);
    if let Some(security) = &settings.security {
        check_security(security, findings);
    }
    let scope = scope(settings, Places::of([]));
    let header = settings.header.as_ref().map(|header| compile(header, &scope, &format!("{CONNECTOR}/header"), findings));
    let probe = match &settings.probe {
        Probe::Wsdl => None,
        Probe::Call(call) => {
            let pointer = format!("{CONNECTOR}/probe/call");
            findings.extend(check_action(&call.action, &format!("{pointer}/action")));
            let template = compile(&call.request, &scope, &format!("{pointer}/request"), findings);
            Some(Ask { action: call.action.clone(), template, names: envelope::names() })
        }
    };
    Compiled {
        header: header.unwrap_or_default(),
        probe,
        entities: spec.entities.iter().map(|entity| Plan::of_entity(entity, settings, findings)).collect(),
        tables: spec.tables.iter().map(|table| Plan::of_table(table, settings, findings)).collect(),
    }
}

fn check_namespaces(settings: &Settings, findings: &mut Vec<Finding>) {
    for (prefix, uri) in &settings.namespaces {
        let pointer = format!("{CONNECTOR}/namespaces/{}", token(prefix));
        if RESERVED_PREFIXES.contains(&prefix.as_str()) {
            findings.push(Finding::at_name(&pointer, "this prefix is the envelope's own: choose another"));
        } else if !is_ncname(prefix) {
            findings.push(Finding::at_name(&pointer, format!("`{prefix}` is no prefix")));
        }
        if uri.is_empty() || !uri.chars().all(is_carried) {
            findings.push(Finding::new(pointer, "a namespace has a name; elements in no namespace are written without a prefix"));
        }
    }
}

fn check_security(security: &Security, findings: &mut Vec<Finding>) {
    if security.username_token.is_none() && security.timestamp_seconds.is_none() {
        let message = "there is nothing to write: give `username_token` or `timestamp_seconds`";
        findings.push(Finding::new(format!("{CONNECTOR}/security"), message));
    }
}
