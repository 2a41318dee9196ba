//! Detection: finds what others changed in a registry, and publishes it.
//!
//! For each entity whose manifest has `changes:`, one node at a time asks the connector every so often what changed
//! since the place that the journal keeps, within all that the registry can bear. The events of a page and the place
//! after it are published together, so a change that the connector told is published at least once.
//!
//! What an update of the bus just wrote is not published again, as far as this node's memory reaches: see `recent`. A
//! registry tells a record as it is, and not who changed what of it: where another changes a record after the bus did and
//! before it is told, and leaves the bus's values as they are, the two are one change.

mod recent;

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, counter, gauge};
use rabita_journal::{Journal, JournalError, Kept};
use rabita_model::{Code, Event, EventId, ExchangeId, FieldName, Happened, Refusal};
use rabita_sdk::mapping::Selection;
use rabita_sdk::{ChangePage, Changes, Detected, Legacy, Read, Row};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub(crate) use recent::Recent;

use crate::registry::{Entity, Registry};

/// How late a registry may tell a change. An own one that is told later still is taken for another's.
const NOTED_FOR: Duration = Duration::from_secs(600);

/// Begins the detection of every entity that declares it. It ends with the set.
pub(crate) fn begin(registries: &[Arc<Registry>], journal: &Arc<dyn Journal>, new_id: fn() -> ExchangeId) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for registry in registries {
        for entity in &registry.entities {
            if let Some(detector) = Detector::of(registry, entity, journal, new_id) {
                tasks.spawn(detector.run());
            }
        }
    }
    tasks
}

/// The detection of one entity.
struct Detector {
    registry: Arc<Registry>,
    entity: Arc<Entity>,
    journal: Arc<dyn Journal>,
    new_id: fn() -> ExchangeId,
    /// The duty, and where the journal keeps the place.
    duty: String,
    every: Duration,
    limit: usize,
    key: Selection,
    changed: Vec<FieldName>,
    meters: Meters,
}

struct Meters {
    lag: Gauge,
    detected: Counter,
    own: Counter,
    invalid: Counter,
}

/// Why a poll came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Registry(#[from] Refusal),
    #[error("{0}")]
    Journal(#[from] JournalError),
}

impl Failed {
    const fn code(&self) -> Code {
        match self {
            Self::Registry(refusal) => refusal.code,
            Self::Journal(_) => Code::JournalUnavailable,
        }
    }
}

impl Detector {
    fn of(
        registry: &Arc<Registry>,
        entity: &Arc<Entity>,
        journal: &Arc<dyn Journal>,
        new_id: fn() -> ExchangeId,
    ) -> Option<Self> {
        let changes = entity.manifest.changes.as_ref()?;
        Some(Self {
            duty: format!("detect/{}", entity.target),
            every: Duration::from_millis(changes.every_ms),
            limit: changes.limit as usize,
            // The key's fields are of the mapping.
            key: entity.mapping.select(&entity.key_fields).ok()?,
            changed: entity.mapping.selected(&entity.all).cloned().collect(),
            meters: Meters::of(entity),
            registry: Arc::clone(registry),
            entity: Arc::clone(entity),
            journal: Arc::clone(journal),
            new_id,
        })
    }

    async fn run(self) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut current_at = Instant::now();
        let mut is_failing = false;
        loop {
            ticks.tick().await;
            if !self.journal.holds(&self.duty) {
                // Another node polls; what is noted here meanwhile is shown to it.
                self.entity.recent.forget_before(Instant::now());
                current_at = Instant::now();
                self.meters.lag.set(0.0);
                continue;
            }
            match self.catch_up().await {
                Ok(began) => {
                    current_at = began;
                    is_failing = false;
                }
                Err(failed) => {
                    self.count_error(failed.code());
                    if !is_failing {
                        tracing::warn!(target_entity = %self.entity.target, error = %failed, "changes cannot be detected");
                    }
                    is_failing = true;
                }
            }
            self.meters.lag.set(current_at.elapsed().as_secs_f64());
        }
    }

    /// Asks page after page until there is no more; answers when it asked for the last one.
    async fn catch_up(&self) -> Result<Instant, Failed> {
        loop {
            let began = Instant::now();
            let since = self.place().await?;
            let ChangePage { changes, since: next, has_more } = self.ask(since.clone()).await?;
            if !changes.is_empty() {
                // What an own change wrote can be seen before it is noted. One that takes very long is told twice.
                let _ = tokio::time::timeout(self.registry.timeout, self.entity.recent.settled()).await;
            }
            let events = self.events(changes).await?;
            if !events.is_empty() || since.as_deref() != Some(&next) {
                self.publish(events, &next).await?;
            }
            if !has_more {
                if let Some(time) = began.checked_sub(NOTED_FOR) {
                    self.entity.recent.forget_before(time);
                }
                return Ok(began);
            }
        }
    }

    /// The place up to which changes are published.
    async fn place(&self) -> Result<Option<String>, JournalError> {
        let kept = self.journal.kept(&self.duty).await?;
        let own = kept.into_iter().find(|(key, _)| *key == self.duty);
        Ok(own.and_then(|(_, value)| value["since"].as_str().map(str::to_owned)))
    }

    async fn ask(&self, since: Option<String>) -> Result<ChangePage, Refusal> {
        let wanted = self.entity.projection(&self.entity.all).wanted.clone();
        let ask = Changes { entity: self.entity.index, since, wanted, limit: self.limit };
        let call = self.registry.call((self.new_id)(), None, self.registry.timeout);
        let (page, _) = self.registry.deliver(&call, self.registry.connector.changes(ask, &call)).await?;
        Ok(page)
    }

    async fn publish(&self, events: Vec<Event>, since: &str) -> Result<(), JournalError> {
        let count = events.len() as u64;
        let place = Kept { key: self.duty.clone(), value: Some(json!({ "since": since })) };
        self.journal.publish(events, vec![place]).await?;
        self.meters.detected.increment(count);
        if let Some(memory) = self.entity.memory.as_ref().filter(|_| count > 0) {
            memory.forget();
        }
        Ok(())
    }

    /// The events of what was detected, without what the bus did itself.
    async fn events(&self, changes: Vec<Detected>) -> Result<Vec<Event>, Refusal> {
        let mut events = Vec::new();
        for (key, row) in self.rows(changes).await? {
            let record = match &row {
                None => None,
                Some(row) => Some(self.record(row)?),
            };
            if self.entity.recent.take(&key, record.as_ref()) {
                self.meters.own.increment(1);
                continue;
            }
            events.push(Event {
                id: EventId::new((self.new_id)().uuid()),
                target: self.entity.target.clone(),
                happened: if record.is_some() { Happened::Changed } else { Happened::Deleted },
                at: self.registry.clock.now(),
                key,
                changed: if record.is_some() { self.changed.clone() } else { Vec::new() },
                record: record.unwrap_or_default(),
                update: None,
                traceparent: None,
            });
        }
        Ok(events)
    }

    /// What was detected, each record once, as it was told last: its key, and its row unless it is gone.
    async fn rows(&self, changes: Vec<Detected>) -> Result<Vec<(Map<String, Value>, Option<Row>)>, Refusal> {
        let mut rows: Vec<(Map<String, Value>, Option<Row>)> = Vec::with_capacity(changes.len());
        let mut unread: Vec<(usize, Vec<Legacy>)> = Vec::new();
        for change in changes {
            let (key, row, legacy) = match change {
                Detected::Row(row) => (self.key(&row), Some(row), None),
                Detected::Key { key, is_gone } => {
                    let known = self.key(&self.key_row(&key));
                    (known, None, (!is_gone).then_some(key))
                }
            };
            let Some(key) = key else { continue };
            let at = match rows.iter().position(|(known, _)| *known == key) {
                Some(at) => at,
                None => {
                    rows.push((key, None));
                    rows.len() - 1
                }
            };
            rows[at].1 = row;
            unread.retain(|(known, _)| *known != at);
            unread.extend(legacy.map(|legacy| (at, legacy)));
        }
        self.read(unread, &mut rows).await?;
        Ok(rows)
    }

    /// Reads the records of which only the keys were told. One that is not there any more is gone.
    async fn read(
        &self,
        unread: Vec<(usize, Vec<Legacy>)>,
        rows: &mut [(Map<String, Value>, Option<Row>)],
    ) -> Result<(), Refusal> {
        let wanted = &self.entity.projection(&self.entity.all).wanted;
        let at_once = self.entity.manifest.operations.read.as_ref().map_or(1, |read| read.max_keys.max(1)) as usize;
        for some in unread.chunks(at_once) {
            let read =
                |(_, key): &(usize, Vec<Legacy>)| Read { entity: self.entity.index, key: key.clone(), wanted: wanted.clone() };
            let call = self.registry.call((self.new_id)(), None, self.registry.timeout);
            let asks = some.iter().map(read).collect();
            let (found, _) = self.registry.deliver(&call, self.registry.connector.read_many(asks, &call)).await?;
            if found.len() != some.len() {
                return Err(Refusal::new(Code::Internal).detail("the connector answered another number of keys"));
            }
            for ((at, _), row) in some.iter().zip(found) {
                rows[*at].1 = row;
            }
        }
        Ok(())
    }

    /// The contract key of a row. A row without one names no record, so all that can be done is to count it.
    fn key(&self, row: &Row) -> Option<Map<String, Value>> {
        let (key, faults) = self.entity.mapping.decode(row, &self.key);
        if faults.is_empty() && !key.is_empty() {
            return Some(key);
        }
        self.meters.invalid.increment(1);
        tracing::warn!(target_entity = %self.entity.target, "a change was detected whose key breaks the contract");
        None
    }

    /// A legacy key as a row of its sources.
    fn key_row(&self, key: &[Legacy]) -> Row {
        let mut row = Row::new();
        for (field, value) in self.entity.key_fields.iter().zip(key) {
            let selection = self.entity.mapping.select(std::slice::from_ref(field));
            // A key's field is made of one source.
            if let Some(source) = selection.ok().and_then(|own| self.entity.mapping.wanted(&own).sources.into_iter().next()) {
                row.put(&source, value.clone());
            }
        }
        row
    }

    /// The contract record of a row; empty where the row breaks the contract, so that the change is known all the same.
    fn record(&self, row: &Row) -> Result<Map<String, Value>, Refusal> {
        let projection = self.entity.projection(&self.entity.all);
        match self.entity.record(row, &self.entity.all, &projection.selected) {
            Ok((Value::Object(record), _)) => Ok(record),
            Ok(_) => Ok(Map::new()),
            Err(refusal) if refusal.code == Code::RegistryBrokeContract => {
                self.meters.invalid.increment(1);
                Ok(Map::new())
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn count_error(&self, code: Code) {
        let target = &self.entity.target;
        let labels =
            [("registry", target.registry.to_string()), ("entity", target.entity.to_string()), ("code", code.to_string())];
        counter!("rabita_detection_errors_total", &labels).increment(1);
    }
}

impl Meters {
    fn of(entity: &Entity) -> Self {
        let labels = [("registry", entity.target.registry.to_string()), ("entity", entity.target.entity.to_string())];
        Self {
            lag: gauge!("rabita_detection_lag_seconds", &labels),
            detected: counter!("rabita_detected_total", &labels),
            own: counter!("rabita_detected_own_total", &labels),
            invalid: counter!("rabita_detected_invalid_total", &labels),
        }
    }
}
