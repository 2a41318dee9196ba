//! The bus: all registries, systems and grants of a configuration, and the way of an exchange through them.

mod catalogue;
mod deliver;
mod events;
mod submit;
mod updates;

pub use submit::refused;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rabita_config::Country;
use rabita_journal::Journal;
use rabita_model::catalogue::Catalogue;
use rabita_model::{Ask, Entry, ExchangeId, Operation, Refusal, RegistryId, SystemId, Target, UpdateId, Wait};
use rabita_sdk::{BinaryStream, Connector, OpenError, Secrets};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Clock;
use crate::caller::{Callers, Evidence};
use crate::delivery::{self, Post};
use crate::health::{self, Health};
use crate::limit::LimitState;
use crate::registry::{Entities, Registry};
use crate::seal::Seal;
use crate::stage::{Authenticated, Grants, Validated};

/// A configuration at work.
pub struct Bus {
    callers: Callers,
    grants: Grants,
    entities: Entities,
    registries: Vec<Arc<Registry>>,
    seal: Seal,
    clock: Arc<dyn Clock>,
    new_id: fn() -> ExchangeId,
    journal: Option<Arc<dyn Journal>>,
    waits: Waits,
}

/// How long callers wait for the outcome of a change.
struct Waits {
    /// Who says nothing.
    unsaid: Duration,
    /// Whoever waits longest.
    max: Duration,
}

/// A request that was parsed, with what its transport knows of the caller.
pub struct Received {
    pub exchange: ExchangeId,
    /// What the client certificate says, if one was shown.
    pub evidence: Option<Arc<Evidence>>,
    /// The `traceparent` to hand on to the registry.
    pub traceparent: Option<String>,
    pub ask: Ask,
}

/// How an exchange ended.
pub struct Exchange {
    pub result: Result<Answer, Refusal>,
    pub trail: Trail,
}

/// What is told of an exchange: by its log line, its trace and its answer's headers.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The caller, once known.
    pub system: Option<SystemId>,
    pub target: Target,
    /// Whether the target is of this configuration: names that callers make up without end must not become labels.
    pub is_known: bool,
    pub operation: Operation,
    /// The update that a change made or repeats.
    pub update: Option<UpdateId>,
    /// The change was accepted under the same idempotency key before.
    pub is_replayed: bool,
    /// How the system's limit stands.
    pub limit: Option<LimitState>,
    pub timing: Timing,
}

/// What took how long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// In the registry, and on the way to it.
    pub registry: Duration,
}

/// An answer.
pub enum Answer {
    /// What stands in JSON.
    Data {
        body: Arc<Body>,
        /// The sealed beginning of the next page.
        next: Option<String>,
        /// The sealed version of the one record, where changes can depend on it.
        version: Option<String>,
        /// How long ago the registry gave it, when it comes from memory.
        age: Option<Duration>,
        /// Whether it is past its time, and given because the registry failed.
        stale: bool,
        /// Faults against the schema that `observe` let through.
        observed: usize,
    },
    /// Bytes on their way.
    Binary { stream: BinaryStream, media_type: String },
    /// A change that was accepted, and how it stands.
    Change {
        entry: Box<Entry>,
        /// The key of the record that it made, where it may stand in a URL.
        location: Option<Vec<Value>>,
        /// How long its caller was ready to wait, cut down to what the node allows.
        wait: Wait,
    },
}

/// An answer in the contract's terms.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Record(Value),
    /// In the order of the keys; `None` where there is no record.
    Many(Vec<Option<Value>>),
    Page(Vec<Value>),
}

/// Why a bus cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("registry `{registry}` cannot be opened: {source}")]
    Open { registry: RegistryId, source: OpenError },
    #[error("the cursor secret cannot be used: {0}")]
    CursorSecret(String),
}

impl Bus {
    /// Opens every registry of a configuration. A registry that is down is no error: it is unready.
    ///
    /// # Errors
    /// When a secret or a file that the configuration names is missing or unusable.
    pub async fn open(
        country: &Country,
        secrets: &dyn Secrets,
        clock: Arc<dyn Clock>,
        new_id: fn() -> ExchangeId,
        journal: Option<Arc<dyn Journal>>,
    ) -> Result<Self, BusError> {
        let opened = join_all(country.registries.iter().map(|configured| async move {
            let connector = configured.kind.open(configured.plan.spec.clone(), secrets).await;
            connector.map_err(|source| BusError::Open { registry: configured.manifest.registry.clone(), source })
        }));
        let connectors = opened.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Self::with_connectors(country, connectors, secrets, clock, new_id, journal)
    }

    /// Puts the bus on connectors that are open already, one for each registry of the configuration, in its order.
    ///
    /// # Errors
    /// When the cursor secret is missing or unusable.
    pub fn with_connectors(
        country: &Country,
        connectors: Vec<Arc<dyn Connector>>,
        secrets: &dyn Secrets,
        clock: Arc<dyn Clock>,
        new_id: fn() -> ExchangeId,
        journal: Option<Arc<dyn Journal>>,
    ) -> Result<Self, BusError> {
        let configured = country.registries.iter().zip(connectors);
        let registries: Vec<_> = configured
            .map(|(configured, connector)| Arc::new(Registry::new(configured, connector, Arc::clone(&clock))))
            .collect();
        let mut entities = Entities::new();
        for registry in &registries {
            for entity in &registry.entities {
                entities.insert(entity.target.clone(), (Arc::clone(registry), Arc::clone(entity)));
            }
        }
        let seal = match &country.node.cursor_secret {
            None => Seal::random(),
            Some(secret) => {
                let secret = secrets.resolve(secret).map_err(BusError::CursorSecret)?;
                if secret.expose().len() < CURSOR_SECRET_MIN {
                    return Err(BusError::CursorSecret(format!("it has fewer than {CURSOR_SECRET_MIN} bytes")));
                }
                Seal::from_secret(secret.expose().as_bytes())
            }
        };
        Ok(Self {
            callers: Callers::new(&country.systems),
            grants: Grants::new(&country.grants, &entities),
            entities,
            registries,
            seal,
            clock,
            new_id,
            journal,
            waits: Waits {
                unsaid: Duration::from_millis(country.node.limits.wait_ms),
                max: Duration::from_millis(country.node.limits.wait_max_ms),
            },
        })
    }

    /// Asks after every registry once, side by side, and tells how each is.
    pub async fn probe(&self) -> BTreeMap<RegistryId, Health> {
        let asked = self.registries.iter().map(|registry| async move {
            let health = match health::ask(registry, &*self.clock, self.new_id).await {
                Ok(()) => Health::Ready,
                Err(failure) => Health::Unready(failure.to_string()),
            };
            (registry.id.clone(), health)
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Asks after the registries from time to time, until the set is dropped.
    pub fn watch(&self) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        for registry in &self.registries {
            watches.spawn(health::watch(Arc::clone(registry), Arc::clone(&self.clock), self.new_id));
        }
        watches
    }

    /// Brings the journal's updates to the registries until told to stop, and then until what is under way has ended.
    /// Dropped, it is as after a crash: the journal gives them again.
    pub fn work(&self, stops: &CancellationToken) -> JoinSet<()> {
        let mut work = JoinSet::new();
        let Some(journal) = &self.journal else { return work };
        for registry in self.registries.iter().filter(|registry| registry.has_changes()) {
            let (registry, journal) = (Arc::clone(registry), Arc::clone(journal));
            let post = Post { registry, journal, clock: Arc::clone(&self.clock), new_id: self.new_id };
            work.spawn(delivery::run(post, stops.clone()));
        }
        work
    }

    /// How each registry is, as last heard.
    #[must_use]
    pub fn health(&self) -> BTreeMap<RegistryId, Health> {
        self.registries.iter().map(|registry| (registry.id.clone(), registry.pulse.get())).collect()
    }

    /// Closes the connections to all registries.
    pub async fn close(&self) {
        join_all(self.registries.iter().map(|registry| registry.connector.close())).await;
    }

    /// Whether a target is of this configuration. Callers are not told.
    #[must_use]
    pub fn has(&self, target: &Target) -> bool {
        self.entities.contains_key(target)
    }

    /// The system that evidence is of.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn identify(&self, evidence: Option<&Evidence>) -> Result<SystemId, Refusal> {
        Ok(Authenticated::by(&self.callers, evidence)?.caller().id.clone())
    }

    /// Takes one from the limit of the system that the evidence is of, for a request that comes to nothing.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`.
    pub fn charge(&self, evidence: Option<&Evidence>) -> Result<(), Refusal> {
        Authenticated::by(&self.callers, evidence)?.caller().limiter.take()?;
        Ok(())
    }

    /// What the system that the evidence is of may see and call.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`.
    pub fn catalogue(&self, evidence: Option<&Evidence>) -> Result<Catalogue, Refusal> {
        let caller = Authenticated::by(&self.callers, evidence)?;
        caller.caller().limiter.take()?;
        Ok(catalogue::of(&caller.caller().id, &self.grants, &self.entities, self.clock.today()))
    }

    /// One exchange, through all stages.
    pub async fn exchange(&self, received: Received) -> Exchange {
        let mut trail = Trail {
            system: None,
            is_known: self.has(&received.ask.target),
            target: received.ask.target.clone(),
            operation: received.ask.want.operation(),
            update: None,
            is_replayed: false,
            limit: None,
            timing: Timing::default(),
        };
        let result = self.stages(received, &mut trail).await;
        Exchange { result, trail }
    }

    async fn stages(&self, received: Received, trail: &mut Trail) -> Result<Answer, Refusal> {
        let Received { exchange: id, evidence, traceparent, ask } = received;
        let caller = Authenticated::by(&self.callers, evidence.as_deref())?;
        trail.system = Some(caller.caller().id.clone());
        match caller.caller().limiter.take() {
            Ok(state) => trail.limit = Some(state),
            Err(exceeded) => {
                trail.limit = Some(exceeded.0);
                return Err(exceeded.into());
            }
        }
        let permitted = self.grants.permit(&caller, ask, &self.entities, self.clock.today())?;
        let validated = Validated::of(permitted, &self.seal)?;
        if validated.is_change() {
            let system = caller.caller().id.clone();
            return submit::submit(self, validated, system, id, traceparent, trail).await;
        }
        deliver::deliver(validated, &self.seal, id, traceparent, &mut trail.timing).await
    }
}

const CURSOR_SECRET_MIN: usize = 32;
