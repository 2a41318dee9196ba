//! Makes connectors to registries behind a queue, and checks what manifests say of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_sdk::request::Scope;
use rabita_sdk::{Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets};
use serde_json::Value;

use crate::amqp::{Address, Amqp, Opener};
use crate::broker::{Broker, Destination};
use crate::connector::Queue;
use crate::double::{Asked, Exchange, StandIn};
use crate::from::{ActionCall, From};
use crate::plan::{self, Ask, Plan};
use crate::settings::{self, Settings};

/// The kind `queue`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(QueueKind)
}

struct QueueKind;

#[async_trait]
impl Kind for QueueKind {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn entity_schema(&self) -> Value {
        schemars::schema_for!(From).to_value()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(ActionCall).to_value())
    }

    fn fixture_schema(&self) -> Value {
        schemars::schema_for!(Vec<Exchange>).to_value()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(Asked).to_value())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        let mut findings = Vec::new();
        match serde_json::from_value::<Settings>(spec.settings.clone()) {
            Ok(settings) => {
                check_amqp(&settings.amqp, &mut findings);
                Compiled::of(spec, &settings, &mut findings);
            }
            Err(error) => findings.push(Finding::new(CONNECTOR, error.to_string())),
        }
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings = parse(&spec)?;
        let compiled = compile(&spec, &settings)?;
        let opener = opener(&settings, compiled.destinations(), secrets, &spec).await?;
        Ok(Arc::new(compiled.connector(spec, &settings, Arc::new(Amqp::new(opener)))))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let exchanges: Vec<Exchange> = serde_json::from_value(fixture.clone())
            .map_err(|wrong| OpenError(format!("`legacy` is a list of exchanges: {wrong}")))?;
        let settings = parse(&spec)?;
        let compiled = compile(&spec, &settings)?;
        let stand_in = Arc::new(StandIn::new(exchanges));
        let broker: Arc<dyn Broker> = Arc::clone(&stand_in) as _;
        let connector = Arc::new(compiled.connector(spec, &settings, broker));
        let asking = Arc::clone(&stand_in);
        Ok(Double::new(connector, move || stand_in.complaints()).telling(move || asking.asked()))
    }
}

/// Where the settings stand in a manifest.
const CONNECTOR: &str = "/connector";

fn parse(spec: &RegistrySpec) -> Result<Settings, OpenError> {
    serde_json::from_value(spec.settings.clone()).map_err(|error| OpenError(format!("{CONNECTOR}: {error}")))
}

fn compile(spec: &RegistrySpec, settings: &Settings) -> Result<Compiled, OpenError> {
    let mut findings = Vec::new();
    check_amqp(&settings.amqp, &mut findings);
    let compiled = Compiled::of(spec, settings, &mut findings);
    match findings.into_iter().find(|finding| !finding.is_warning) {
        Some(finding) => Err(OpenError(format!("{}: {}", finding.pointer, finding.message))),
        None => Ok(compiled),
    }
}

struct Compiled {
    probe: Option<Ask>,
    entities: Vec<Plan>,
    tables: Vec<Plan>,
}

impl Compiled {
    fn of(spec: &RegistrySpec, settings: &Settings, findings: &mut Vec<Finding>) -> Self {
        let probe = settings.probe.as_ref().map(|probe| {
            let parts = (&probe.to, &probe.request, None);
            plan::ask(parts, &Scope::of([]), settings, &format!("{CONNECTOR}/probe"), findings)
        });
        Self {
            probe,
            entities: spec.entities.iter().map(|entity| Plan::of_entity(entity, settings, findings)).collect(),
            tables: spec.tables.iter().map(|table| Plan::of_table(table, settings, findings)).collect(),
        }
    }

    fn destinations(&self) -> BTreeSet<Destination> {
        let plans = self.entities.iter().chain(&self.tables).flat_map(Plan::destinations);
        plans.chain(self.probe.iter().map(|ask| &ask.to)).cloned().collect()
    }

    fn connector(self, spec: RegistrySpec, settings: &Settings, broker: Arc<dyn Broker>) -> Queue {
        Queue {
            broker,
            entities: spec.entities.into_iter().zip(self.entities).collect(),
            tables: spec.tables.into_iter().zip(self.tables).collect(),
            probe: self.probe,
            deduplicates: settings.deduplicates_by_message_id,
            reply_max_bytes: settings.reply_max_bytes,
        }
    }
}

fn check_amqp(amqp: &settings::Amqp, findings: &mut Vec<Finding>) {
    let at = |key: &str| format!("{CONNECTOR}/amqp/{key}");
    for (place, address) in amqp.addresses.iter().enumerate() {
        if Address::parse(address, amqp.tls.is_some()).is_none() {
            let message = "this is no address: write `host:port`, or the host alone; TLS is asked for by `tls: {}`";
            findings.push(Finding::new(at(&format!("addresses/{place}")), message));
        }
    }
    if let Some(tls) = &amqp.tls {
        findings.extend(tls.check(&at("tls")));
    }
    let has_certificate = amqp.tls.as_ref().is_some_and(|tls| tls.cert_file.is_some());
    match (&amqp.user, &amqp.password) {
        (Some(_), None) => findings.push(Finding::new(at("user"), "a user needs a password: add `password`")),
        (None, Some(_)) => findings.push(Finding::new(at("password"), "a password needs a user: add `user`")),
        (None, None) if !has_certificate => {
            let message = "nothing says who the bus is: add `user` and `password`, or a certificate to `tls`";
            findings.push(Finding::new(format!("{CONNECTOR}/amqp"), message));
        }
        _ => {}
    }
}

async fn opener(
    settings: &Settings,
    destinations: BTreeSet<Destination>,
    secrets: &dyn Secrets,
    spec: &RegistrySpec,
) -> Result<Opener, OpenError> {
    let amqp = &settings.amqp;
    let missing = |key: &str, missing: String| OpenError(format!("amqp.{key}: {missing}"));
    let user = match (&amqp.user, &amqp.password) {
        (Some(user), Some(password)) => {
            let user = secrets.text(user).map_err(|why| missing("user", why))?;
            Some((user, secrets.resolve(password).map_err(|why| missing("password", why))?))
        }
        _ => None,
    };
    let tls = match &amqp.tls {
        Some(tls) => Some(Arc::new(rabita_http::tls::client_config(tls, secrets, &spec.directory).await?)),
        None => None,
    };
    Ok(Opener {
        addresses: amqp.addresses.iter().filter_map(|address| Address::parse(address, tls.is_some())).collect(),
        vhost: amqp.vhost.clone(),
        user,
        tls,
        heartbeat_seconds: amqp.heartbeat_seconds,
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        destinations,
    })
}
