//! The kind `wire`: a connector in another program, in any language, at an address that the bus calls. With `at: host`
//! the program dials out, and nothing of this but the schemas is used.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_http::Client;
use rabita_http::settings::{parse_with, schema_with};
use rabita_sdk::{Connector, Double, Finding, Kind, OpenError, Promise, RegistrySpec, Secrets};
use serde_json::{Value, json};

use crate::direct::Direct;
use crate::names::{Names, WIRE};
use crate::remote::Remote;
use crate::served::Served;
use crate::stand_in::{Loopback, StandIn};

/// The kind `wire`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(Wire)
}

struct Wire;

#[async_trait]
impl Kind for Wire {
    fn name(&self) -> &'static str {
        WIRE
    }

    fn settings_schema(&self) -> Value {
        schema_with::<Promise>()
    }

    fn entity_schema(&self) -> Value {
        name("What the connector calls the entity.")
    }

    fn action_schema(&self) -> Option<Value> {
        Some(name("What the connector calls the action."))
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(name("What the connector calls the entity whose changes it finds: the entity's own `from`."))
    }

    fn fixture_schema(&self) -> Value {
        json!({
            "description": "Rows by the name of their entity, with each value by its source.",
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "object" } }
        })
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        let mut findings = match parse_with::<Promise>(&spec.settings) {
            Ok((settings, _)) => settings.check("/connector"),
            Err(wrong) => vec![Finding::new("/connector", wrong)],
        };
        for entity in &spec.entities {
            if let Some(changes) = entity.changes.as_ref().filter(|changes| changes.from != entity.from) {
                findings
                    .push(Finding::new(&changes.pointer, "the changes of an entity are asked for by the entity's own `from`"));
            }
        }
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let (settings, promise) = parse_with::<Promise>(&spec.settings).map_err(OpenError)?;
        let client = Client::open(&settings, secrets, &spec.directory, spec.concurrency).await?;
        let direct = Direct::new(client, spec.clone(), promise);
        Ok(Arc::new(Remote::new(Arc::new(direct), spec, WIRE, promise)))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let (_, promise) = parse_with::<Promise>(&spec.settings).map_err(OpenError)?;
        let stand_in = StandIn::new(&spec, &Names::of(&spec, WIRE), fixture).map_err(OpenError)?;
        let served = Served::new("stand-in", "stand-in").with(spec.clone(), WIRE, Arc::new(stand_in));
        let connector = Remote::new(Arc::new(Loopback::new(served)), spec, WIRE, promise);
        Ok(Double { connector: Arc::new(connector), complaints: Box::new(Vec::new), asked: None })
    }
}

fn name(description: &str) -> Value {
    json!({ "description": description, "type": "string", "minLength": 1 })
}
