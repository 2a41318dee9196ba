//! The health of registries: asked after from time to time, told to operators.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;
use rabita_model::ExchangeId;
use rabita_sdk::Failure;
use rabita_sdk::codes::CodeList;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::Clock;
use crate::registry::Registry;

/// How one registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not asked yet.
    Unknown,
    /// It answers, and its code lists are there.
    Ready,
    /// It does not, and why. For operators.
    Unready(String),
}

impl Health {
    /// For `/readyz`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Unknown => json!({ "ready": false, "why": "not asked yet" }),
            Self::Ready => json!({ "ready": true }),
            Self::Unready(why) => json!({ "ready": false, "why": why }),
        }
    }
}

/// The last known health of a registry.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Health>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Health::Unknown))
    }
}

impl Pulse {
    pub fn get(&self) -> Health {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes down the health and tells whether it changed.
    fn set(&self, health: Health) -> bool {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *own != health;
        *own = health;
        changed
    }
}

/// When the code lists that are tables of the registry were read.
#[derive(Debug, Default)]
pub(crate) struct Tables(Mutex<HashMap<String, Instant>>);

impl Tables {
    /// Whether a list was never read, or longer ago than its manifest wants.
    fn is_due(&self, list: &CodeList) -> bool {
        let every = list.in_registry().and_then(|table| table.refresh_ms).map(Duration::from_millis);
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(list.name()).copied();
        match (read, every) {
            (None, _) => true,
            (Some(_), None) => !list.is_loaded(),
            (Some(at), Some(every)) => at.elapsed() >= every,
        }
    }

    fn was_read(&self, list: &CodeList) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(list.name().to_owned(), Instant::now());
    }
}

const EVERY: Duration = Duration::from_secs(5);

/// Asks after a registry until dropped.
pub(crate) async fn watch(registry: Arc<Registry>, clock: Arc<dyn Clock>, new_id: fn() -> ExchangeId) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        registry.codes.set_today(clock.today());
        let health = match ask(&registry, &*clock, new_id).await {
            Ok(()) => Health::Ready,
            Err(failure) => Health::Unready(failure.to_string()),
        };
        let ready = health == Health::Ready;
        gauge!("rabita_registry_ready", "registry" => registry.id.to_string()).set(if ready { 1.0 } else { 0.0 });
        if registry.pulse.set(health.clone()) {
            match health {
                Health::Unready(why) => tracing::warn!(registry = %registry.id, why, "registry unready"),
                _ => tracing::info!(registry = %registry.id, "registry ready"),
            }
        }
    }
}

/// Probes a registry, and reads the code tables that are due. They are asked for whatever the probe says: a registry whose
/// source is away may answer from what it has.
pub(crate) async fn ask(registry: &Registry, clock: &dyn Clock, new_id: fn() -> ExchangeId) -> Result<(), Failure> {
    let call = registry.call(new_id(), None, registry.timeout);
    let probe = tokio::time::timeout_at(call.deadline.into(), registry.connector.probe(&call)).await;
    let probe = probe.unwrap_or_else(|_| Err(Failure::timed_out("the deadline passed")));
    // Where both fail the probe knows better why.
    let tables = read_tables(registry, clock, new_id).await;
    probe.and(tables)
}

/// Reads the code tables that are due, until one can't be read.
async fn read_tables(registry: &Registry, clock: &dyn Clock, new_id: fn() -> ExchangeId) -> Result<(), Failure> {
    let lists = registry.codes.iter().filter(|list| list.in_registry().is_some());
    for (at, list) in lists.enumerate().filter(|(_, list)| registry.tables.is_due(list)) {
        let call = registry.call(new_id(), None, registry.timeout);
        let read = tokio::time::timeout_at(call.deadline.into(), registry.connector.table(at, &call)).await;
        let rows = read.unwrap_or_else(|_| Err(Failure::timed_out("the deadline passed")))?;
        list.load(rows, clock.today()).map_err(|fault| Failure::malformed(format!("code list `{}`: {fault}", list.name())))?;
        registry.tables.was_read(list);
    }
    Ok(())
}
