//! The bus: all registries, systems and grants of a configuration, and the way of an exchange through them.

mod catalogue;
mod deliver;
mod events;
mod submit;
mod swap;
mod trail;
mod updates;

pub use submit::refused;
pub use swap::SwapError;
pub use trail::{Timing, Trail};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use rabita_config::Country;
use rabita_journal::Journal;
use rabita_model::catalogue::Catalogue;
use rabita_model::{Ask, Code, Entry, ExchangeId, Refusal, RegistryId, Target, Wait};
use rabita_sdk::{BinaryStream, Connector, OpenError, Secrets};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Clock;
use crate::access::Access;
use crate::caller::{Caller, Evidence};
use crate::consent::Need;
use crate::delivery::{self, Post, Recorder};
use crate::health::{self, Health};
use crate::registry::{Entities, Registry};
use crate::seal::Seal;
use crate::stage::{Authenticated, Permitted, Validated, user};

/// A configuration at work.
pub struct Bus {
    /// Swapped whole, so that an exchange sees one configuration from beginning to end.
    access: Arc<ArcSwap<Access>>,
    entities: Entities,
    registries: Vec<Arc<Registry>>,
    /// What the registries were opened with.
    opened: swap::Fingerprint,
    seal: Seal,
    clock: Arc<dyn Clock>,
    new_id: fn() -> ExchangeId,
    stores: Stores,
    waits: Waits,
}

/// Where the bus keeps what must outlast it.
#[derive(Clone, Default)]
pub struct Stores {
    /// Updates, outcomes and events; a configuration without any needs none.
    pub journal: Option<Arc<dyn Journal>>,
    /// Where it is recorded how updates ended; without it, nobody can tell.
    pub ledger: Option<Arc<dyn Recorder>>,
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
    /// What is known of whoever sent it.
    pub evidence: Evidence,
    /// The `traceparent` to hand on to the registry.
    pub traceparent: Option<String>,
    pub ask: Ask,
}

/// How an exchange ended.
pub struct Exchange {
    pub result: Result<Answer, Refusal>,
    pub trail: Trail,
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
        stores: Stores,
    ) -> Result<Self, BusError> {
        let opened = join_all(country.registries.iter().map(|configured| async move {
            if configured.manifest.connector.at.is_some() {
                let elsewhere = "its connector runs in a host of its agency, which only a running node is connected to";
                let source = OpenError(elsewhere.to_owned());
                return Err(BusError::Open { registry: configured.manifest.registry.clone(), source });
            }
            let connector = configured.kind.open(configured.plan.spec.clone(), secrets).await;
            connector.map_err(|source| BusError::Open { registry: configured.manifest.registry.clone(), source })
        }));
        let connectors = opened.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Self::with_connectors(country, connectors, secrets, clock, new_id, stores)
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
        stores: Stores,
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
            access: Arc::new(ArcSwap::from_pointee(Access::of(country))),
            entities,
            registries,
            opened: swap::Fingerprint::of(country),
            seal,
            clock,
            new_id,
            stores,
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
        let Some(journal) = &self.stores.journal else { return work };
        for registry in self.registries.iter().filter(|registry| registry.has_changes()) {
            let (registry, journal) = (Arc::clone(registry), Arc::clone(journal));
            let post = Post {
                registry,
                journal,
                ledger: self.stores.ledger.clone(),
                access: Arc::clone(&self.access),
                clock: Arc::clone(&self.clock),
                new_id: self.new_id,
            };
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

    /// Who is known and what each may do, at this moment.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// The system that evidence is of.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`.
    pub fn identify(&self, evidence: &Evidence) -> Result<Arc<Caller>, Refusal> {
        Ok(Arc::clone(self.authenticated(evidence)?.caller()))
    }

    /// Takes one from the limit of the system that the evidence is of, for a request that comes to nothing.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`, `rate_limited`.
    pub fn charge(&self, evidence: &Evidence) -> Result<(), Refusal> {
        self.authenticated(evidence)?.caller().limiter.take()?;
        Ok(())
    }

    /// What the system that the evidence is of may see and call.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`, `rate_limited`.
    pub fn catalogue(&self, evidence: &Evidence) -> Result<Catalogue, Refusal> {
        let access = self.access.load();
        let caller = Authenticated::by(&access.callers, evidence)?;
        caller.caller().limiter.take()?;
        Ok(catalogue::of(&caller.caller().id, &access.grants, &self.entities, self.clock.today()))
    }

    /// One exchange, through all stages.
    pub async fn exchange(&self, received: Received) -> Exchange {
        let mut trail = Trail::of(&received.ask, self.stores.ledger.is_some());
        let result = self.stages(received, &mut trail).await;
        Exchange { result, trail }
    }

    async fn stages(&self, received: Received, trail: &mut Trail) -> Result<Answer, Refusal> {
        let Received { exchange: id, evidence, traceparent, ask } = received;
        let now = self.clock.now();
        let permitted = self.permitted(&evidence, ask, now, trail)?;
        let mut validated = Validated::of(permitted, &self.seal)?;
        self.consent(&mut validated.permitted, now, id, traceparent.as_ref()).await?;
        if validated.is_change() {
            return submit::submit(self, validated, id, traceparent, trail).await;
        }
        deliver::deliver(validated, &self.seal, id, traceparent, trail).await
    }

    /// The stages that need nobody else: who is calling, within its limit, and what the grants permit.
    fn permitted(
        &self,
        evidence: &Evidence,
        mut ask: Ask,
        now: jiff::Timestamp,
        trail: &mut Trail,
    ) -> Result<Permitted, Refusal> {
        let access = self.access.load();
        trail.about(&access, &ask);
        let caller = Authenticated::by(&access.callers, evidence)?;
        trail.system = Some(caller.caller().id.clone());
        trail.agency = Some(caller.caller().agency.clone());
        let on_behalf = user(evidence, ask.user.take());
        if let Ok((user, user_by)) = &on_behalf {
            (trail.user, trail.user_by) = (user.clone(), *user_by);
        }
        match caller.caller().limiter.take() {
            Ok(state) => trail.limit = Some(state),
            Err(exceeded) => {
                trail.limit = Some(exceeded.0);
                return Err(exceeded.into());
            }
        }
        on_behalf?;
        Permitted::by(&access, &caller, evidence, ask, &self.entities, now)
    }

    /// Finds out whose consent is named, where what is released depends on one.
    async fn consent(
        &self,
        permitted: &mut Permitted,
        now: jiff::Timestamp,
        exchange: ExchangeId,
        traceparent: Option<&String>,
    ) -> Result<(), Refusal> {
        let Some(guard) = permitted.guard.as_mut().filter(|guard| guard.needs_consent()) else { return Ok(()) };
        let access = self.access.load_full();
        let consents = access.consents.as_ref();
        let (Some(consents), Some(reference)) = (consents, &permitted.ask.consent) else {
            return Err(Refusal::new(Code::ConsentInvalid).detail("the configuration names no consent registry"));
        };
        let registry = &permitted.ask.target.registry;
        let need = Need { caller: &permitted.caller, purpose: permitted.ask.purpose.as_ref(), registry, now };
        match consents.subject(&self.entities, reference, &need, exchange, traceparent.cloned()).await {
            Ok(subject) => guard.consented(subject),
            // Other grants may hold without it.
            Err(refusal) if refusal.code == Code::ConsentInvalid && !guard.rests_on_consent() => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(())
    }

    fn authenticated(&self, evidence: &Evidence) -> Result<Authenticated, Refusal> {
        Authenticated::by(&self.access.load().callers, evidence)
    }
}

const CURSOR_SECRET_MIN: usize = 32;
