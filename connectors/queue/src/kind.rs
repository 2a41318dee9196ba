//! Makes connectors to registries behind a queue, and checks what manifests say of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::request::Scope;
use rabita_sdk::{Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets};
use serde_json::Value;

use crate::amqp::{self, Amqp};
use crate::broker::{Broker, Destination};
use crate::connector::Queue;
use crate::double::{Asked, Exchange, StandIn};
use crate::from::{ActionCall, From};
use crate::kafka::{self, Kafka};
use crate::plan::{self, Ask, Plan};
use crate::settings::Settings;

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
                check(&settings, &mut findings);
                Compiled::of(spec, &settings, &mut findings);
            }
            Err(error) => findings.push(Finding::new(CONNECTOR, error.to_string())),
        }
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings = parse(&spec)?;
        let compiled = compile(&spec, &settings)?;
        let broker: Arc<dyn Broker> = match (&settings.amqp, &settings.kafka) {
            (_, Some(kafka)) => {
                let opener = kafka::opener(kafka, &settings, compiled.destinations(), secrets, &spec).await?;
                Arc::new(Kafka::new(opener))
            }
            (Some(amqp), None) => {
                let opener = amqp::opener(amqp, &settings, compiled.destinations(), secrets, &spec).await?;
                Arc::new(Amqp::new(opener))
            }
            (None, None) => return Err(OpenError(format!("{CONNECTOR}: {NO_BROKER}"))),
        };
        Ok(Arc::new(compiled.connector(spec, &settings, broker)))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let exchanges: Vec<Exchange> = serde_json::from_value(fixture.clone())
            .map_err(|wrong| OpenError(format!("`legacy` is a list of exchanges: {wrong}")))?;
        let settings = parse(&spec)?;
        let compiled = compile(&spec, &settings)?;
        let stand_in = Arc::new(StandIn::new(settings.kafka.is_some(), exchanges));
        let broker: Arc<dyn Broker> = Arc::clone(&stand_in) as _;
        let connector = Arc::new(compiled.connector(spec, &settings, broker));
        let asking = Arc::clone(&stand_in);
        Ok(Double::new(connector, move || stand_in.complaints()).telling(move || asking.asked()))
    }
}

/// Where the settings stand in a manifest.
pub(crate) const CONNECTOR: &str = "/connector";

const NO_BROKER: &str = "nothing says which broker: add `amqp` or `kafka`";

fn parse(spec: &RegistrySpec) -> Result<Settings, OpenError> {
    serde_json::from_value(spec.settings.clone()).map_err(|error| OpenError(format!("{CONNECTOR}: {error}")))
}

fn compile(spec: &RegistrySpec, settings: &Settings) -> Result<Compiled, OpenError> {
    let mut findings = Vec::new();
    check(settings, &mut findings);
    let compiled = Compiled::of(spec, settings, &mut findings);
    match findings.into_iter().find(|finding| !finding.is_warning) {
        Some(finding) => Err(OpenError(format!("{}: {}", finding.pointer, finding.message))),
        None => Ok(compiled),
    }
}

fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    match (&settings.amqp, &settings.kafka) {
        (Some(amqp), None) => amqp::check(amqp, findings),
        (None, Some(kafka)) => kafka::check(kafka, findings),
        (None, None) => findings.push(Finding::new(CONNECTOR, NO_BROKER)),
        (Some(_), Some(_)) => {
            let message = "a registry is behind one broker: leave out `amqp` or `kafka`";
            findings.push(Finding::new(format!("{CONNECTOR}/kafka"), message));
        }
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
