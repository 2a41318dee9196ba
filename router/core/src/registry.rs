//! A registry at work: its connector, and what stands between it and callers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use rabita_config::Registry as Configured;
use rabita_model::{AgencyId, Code, ExchangeId, Fault, FieldName, Operation, Refusal, RegistryId, Target};
use rabita_schemas::{RecordSchema, SelectedFields};
use rabita_sdk::codes::CodeBook;
use rabita_sdk::manifest::{Entity as Manifest, Limits, Replies};
use rabita_sdk::mapping::{Mapping, Selection};
use rabita_sdk::{Call, Connector, Failure, Legacy, Row, Wanted};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Clock;
use crate::breaker::Breaker;
use crate::changing::Changing;
use crate::detect::Recent;
use crate::flight::Flights;
use crate::health::{Pulse, Tables};
use crate::limit::Limiter;
use crate::memory::Memory;

/// One registry.
pub(crate) struct Registry {
    pub id: RegistryId,
    pub agency: AgencyId,
    pub title: Option<String>,
    pub connector: Arc<dyn Connector>,
    pub codes: CodeBook,
    pub timeout: Duration,
    pub entities: Vec<Arc<Entity>>,
    pub pulse: Pulse,
    pub tables: Tables,
    breaker: Breaker,
    limiter: Option<Limiter>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    meters: Meters,
    /// Places for callers who wait for the outcome of a change.
    pub waiters: Arc<Semaphore>,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
}

/// The metrics of one registry. The handles are kept: to find one by its labels costs more than to count.
struct Meters {
    in_flight: Gauge,
    seconds: Histogram,
    breaker_open: Gauge,
    joined: Counter,
}

/// One entity of a registry.
pub(crate) struct Entity {
    pub target: Target,
    /// Its place in the connector's specification.
    pub index: usize,
    pub manifest: Manifest,
    pub mapping: Arc<Mapping>,
    pub schema: Arc<RecordSchema>,
    pub schema_name: String,
    pub all: Selection,
    pub key_fields: Vec<FieldName>,
    pub key_selected: SelectedFields,
    pub code_versions: Vec<(String, String)>,
    /// What changes need to know.
    pub changing: Changing,
    /// The bus's own changes of late, so that they are not detected as another's.
    pub recent: Recent,
    pub memory: Option<Memory>,
    pub flights: Flights<Arc<Question>, Flown>,
    projections: RwLock<HashMap<Selection, Arc<Projection>>>,
}

/// What follows from a selection: made once for all exchanges with the same grant that name the same fields.
pub(crate) struct Projection {
    /// The legacy values that the fields are made of.
    pub wanted: Wanted,
    /// The fields, in the form that schemas take.
    pub selected: SelectedFields,
    /// The fields' names, in the order of the manifest.
    pub names: Arc<[FieldName]>,
}

/// What is asked of an entity: the same question has the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// The legacy arguments, as JSON.
    pub asked: String,
    pub selection: Selection,
}

/// An answer, shared by all who asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub body: Arc<crate::Body>,
    /// The connector's beginning of the next page.
    pub next: Option<String>,
    /// The legacy version of the one record, where changes can depend on it.
    pub version: Option<Legacy>,
    /// Faults that `observe` let through.
    pub observed: usize,
    /// The names of the fields that were fetched.
    pub names: Arc<[FieldName]>,
}

/// What a flight came to, and how long the registry took.
#[derive(Debug, Clone)]
pub(crate) struct Flown {
    pub result: Result<Fetched, Refusal>,
    pub registry_time: Duration,
}

/// Why a call brought nothing.
pub(crate) enum Undelivered {
    /// It was not made: the registry is given a pause, or has enough to do.
    Held(Refusal),
    /// It was made, and failed.
    Failed(Failure),
}

impl Registry {
    pub fn new(configured: &Configured, connector: Arc<dyn Connector>, clock: Arc<dyn Clock>) -> Self {
        let manifest = &configured.manifest;
        let limits = &manifest.limits;
        let Limits { concurrency, queue, timeout_ms, .. } = *limits;
        let code_versions: Vec<(String, String)> =
            configured.plan.codes.iter().filter_map(|list| Some((list.name().to_owned(), list.version()?.to_owned()))).collect();
        let entities = configured.plan.entities.iter().zip(&configured.schemas).zip(&configured.actions);
        Self {
            id: manifest.registry.clone(),
            agency: manifest.agency.clone(),
            title: manifest.title.clone(),
            codes: configured.plan.codes.clone(),
            timeout: Duration::from_millis(timeout_ms),
            entities: entities
                .map(|((planned, (schema_name, schema)), action_schemas)| {
                    let key_fields: Vec<FieldName> = planned.mapping.key_fields().cloned().collect();
                    Arc::new(Entity {
                        changing: Changing::new(planned, schema, action_schemas, &*connector),
                        recent: Recent::default(),
                        target: planned.target.clone(),
                        index: planned.index,
                        manifest: planned.manifest.clone(),
                        mapping: Arc::clone(&planned.mapping),
                        schema: Arc::clone(schema),
                        schema_name: schema_name.clone(),
                        all: planned.mapping.all(),
                        key_selected: SelectedFields::new(&key_fields),
                        key_fields,
                        code_versions: code_versions.clone(),
                        memory: planned.manifest.cache.as_ref().map(Memory::new),
                        flights: Flights::new(),
                        projections: RwLock::default(),
                    })
                })
                .collect(),
            pulse: Pulse::default(),
            tables: Tables::default(),
            breaker: Breaker::new(limits.breaker.failures, Duration::from_millis(limits.breaker.open_ms)),
            limiter: limits.requests_per_second.map(|rate| Limiter::new("registry", rate, limits.burst)),
            places: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            queue,
            meters: Meters::of(&manifest.registry),
            waiters: Arc::new(Semaphore::new(queue.max(concurrency))),
            limits: limits.clone(),
            clock,
            connector,
        }
    }

    /// A call that must be over when the registry's time is.
    pub fn call(&self, exchange: ExchangeId, traceparent: Option<String>, time: Duration) -> Call {
        Call { exchange, deadline: Instant::now() + time, traceparent }
    }

    /// Makes a call within what the registry can bear, and says what callers are told when it fails.
    pub async fn deliver<T>(
        &self,
        call: &Call,
        ask: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(T, OwnedSemaphorePermit), Refusal> {
        self.try_deliver(call, ask).await.map_err(told)
    }

    /// Makes a call within what the registry can bear: its hours, its rate, its breaker, its bulkhead and the deadline.
    pub async fn try_deliver<T>(
        &self,
        call: &Call,
        ask: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(T, OwnedSemaphorePermit), Undelivered> {
        if let Some(pause) = self.maintenance() {
            let refusal = Refusal::new(Code::RegistryUnavailable).detail("in its maintenance window").retry_after(pause);
            return Err(Undelivered::Held(refusal));
        }
        if let Some(limiter) = &self.limiter {
            limiter.take().map_err(|exceeded| Undelivered::Held(exceeded.into()))?;
        }
        let leave = self.breaker.enter(Instant::now()).map_err(|pause| {
            self.meters.breaker_open.set(1.0);
            Undelivered::Held(Refusal::new(Code::RegistryCircuitOpen).retry_after(pause))
        })?;
        let place = self.place(call).await.map_err(Undelivered::Held)?;
        let started = Instant::now();
        let counted = Counted::begin(&self.meters.in_flight);
        let answer = tokio::time::timeout_at(call.deadline.into(), ask).await;
        drop(counted);
        let result = answer.unwrap_or_else(|_| Err(Failure::timed_out("the deadline passed")));
        let now = Instant::now();
        self.meters.seconds.record(now.duration_since(started).as_secs_f64());
        leave.end(result.as_ref().err(), now);
        self.meters.breaker_open.set(if self.breaker.is_open(now) { 1.0 } else { 0.0 });
        result.map(|value| (value, place)).map_err(Undelivered::Failed)
    }

    /// Whether any of its entities offers changes.
    pub fn has_changes(&self) -> bool {
        let offers = |entity: &Entity| Operation::ALL.into_iter().any(|one| one.is_change() && entity.manifest.offers(one));
        self.entities.iter().any(|entity| offers(entity))
    }

    /// How long the registry's maintenance still goes on, where it is under way.
    pub fn maintenance(&self) -> Option<Duration> {
        if self.limits.maintenance.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let end = self.limits.in_maintenance(now)?;
        Some(end.duration_since(now).unsigned_abs())
    }

    /// Counts a question that was answered by a call under way for another.
    pub fn count_joined(&self) {
        self.meters.joined.increment(1);
    }

    async fn place(&self, call: &Call) -> Result<OwnedSemaphorePermit, Refusal> {
        let busy = || Refusal::new(Code::RegistryBusy).retry_after(Duration::from_secs(1));
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let waits = Waits::begin(&self.waiting, self.queue).ok_or_else(busy)?;
        let place = tokio::time::timeout_at(call.deadline.into(), Arc::clone(&self.places).acquire_owned()).await;
        drop(waits);
        match place {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Refusal::new(Code::BusStopping)),
            Err(_) => Err(busy().detail("no place became free in time")),
        }
    }
}

impl Entity {
    /// The contract record of a legacy row: mapped, validated against the schema, and no more than was selected.
    pub fn record(&self, row: &Row, selection: &Selection, selected: &SelectedFields) -> Result<(Value, usize), Refusal> {
        let (record, mut faults) = self.mapping.decode(row, selection);
        let record = Value::Object(record);
        let is_valid = faults.is_empty() && self.schema.partial_is_valid(&record, selected);
        if is_valid {
            return Ok((record, 0));
        }
        if let Some(fault) = faults.iter().find(|fault| fault.code == "codes_not_loaded") {
            return Err(Refusal::new(Code::RegistryUnavailable).detail(fault.message.clone()));
        }
        // A field that could not be mapped is missing; that it is then required too would say the same twice.
        let missing: Vec<String> = faults.iter().map(|fault| fault.pointer.clone()).collect();
        let more = self.schema.partial_faults(&record, selected);
        faults.extend(more.into_iter().filter(|fault| fault.code != "required" || !missing.contains(&fault.pointer)));
        self.count(&faults);
        match self.manifest.replies {
            Replies::Observe => Ok((record, faults.len())),
            Replies::Enforce => Err(Refusal::with_faults(Code::RegistryBrokeContract, faults)),
        }
    }

    /// What follows from a selection.
    pub fn projection(&self, selection: &Selection) -> Arc<Projection> {
        let kept = self.projections.read().unwrap_or_else(PoisonError::into_inner).get(selection).cloned();
        kept.unwrap_or_else(|| {
            let mut wanted = self.mapping.wanted(selection);
            if let Some(version) = self.changing.version.as_ref().filter(|version| !wanted.sources.contains(version)) {
                wanted.sources.push(version.clone());
            }
            let names = self.mapping.selected(selection).cloned().collect();
            let made = Arc::new(Projection { wanted, selected: self.selected(selection), names });
            let mut projections = self.projections.write().unwrap_or_else(PoisonError::into_inner);
            // Callers name fields as they like, so there is no end to the selections.
            if projections.len() >= PROJECTIONS_MAX {
                projections.clear();
            }
            projections.insert(selection.clone(), Arc::clone(&made));
            made
        })
    }

    fn selected(&self, selection: &Selection) -> SelectedFields {
        if *selection == self.all {
            return SelectedFields::all();
        }
        let names: Vec<FieldName> = self.mapping.selected(selection).cloned().collect();
        SelectedFields::new(&names)
    }

    fn count(&self, faults: &[Fault]) {
        let mode = match self.manifest.replies {
            Replies::Enforce => "refused",
            Replies::Observe => "observed",
        };
        for fault in faults {
            let labels = [
                ("registry", self.target.registry.to_string()),
                ("entity", self.target.entity.to_string()),
                ("code", fault.code.to_owned()),
                ("mode", mode.to_owned()),
            ];
            counter!("rabita_reply_faults_total", &labels).increment(1);
        }
    }
}

/// Selections whose projections are kept, for one entity.
const PROJECTIONS_MAX: usize = 256;

/// What callers are told of a call that brought nothing.
pub(crate) fn told(undelivered: Undelivered) -> Refusal {
    match undelivered {
        Undelivered::Held(refusal) => refusal,
        Undelivered::Failed(failure) => refusal(failure),
    }
}

/// What callers are told of a connector's failure.
pub(crate) fn refusal(failure: Failure) -> Refusal {
    let detail = failure.to_string();
    match failure {
        Failure::Refused { reason, .. } => Refusal { reason, ..Refusal::new(Code::RegistryRefused).detail(detail) },
        Failure::Unavailable { retry_after, .. } => {
            let wait = retry_after.unwrap_or(Duration::from_secs(5));
            Refusal::new(Code::RegistryUnavailable).detail(detail).retry_after(wait)
        }
        Failure::TimedOut { .. } | Failure::Unknown { .. } => Refusal::new(Code::RegistryTimeout).detail(detail),
        // The registry lacks what its agency's manifest names, such as a column: they do not go together.
        Failure::Malformed { .. } | Failure::Unsupported { .. } => Refusal::new(Code::RegistryBrokeContract).detail(detail),
    }
}

impl Meters {
    fn of(registry: &RegistryId) -> Self {
        Self {
            in_flight: gauge!("rabita_registry_in_flight", "registry" => registry.to_string()),
            seconds: histogram!("rabita_registry_seconds", "registry" => registry.to_string()),
            breaker_open: gauge!("rabita_breaker_open", "registry" => registry.to_string()),
            joined: counter!("rabita_flights_joined_total", "registry" => registry.to_string()),
        }
    }
}

struct Counted<'a>(&'a Gauge);

impl<'a> Counted<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A place in the queue.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize, queue: usize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let waits = Self(waiting);
        (before < queue).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// All entities, by what callers name them.
pub(crate) type Entities = HashMap<Target, (Arc<Registry>, Arc<Entity>)>;
