//! How an update leaves the delivery: concluded, or parked for a person.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, histogram};
use rabita_journal::{JournalError, Lease};
use rabita_model::update::Told;
use rabita_model::{Code, Conclusion, Event, EventId, Fault, Operation, Outcome, Payload, Trouble};
use serde_json::Value;

use super::attempt::Post;
use super::held::{Held, Step};
use crate::registry::Entity;
use crate::update;

/// How long to wait where the journal takes nothing.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_millis(500);

/// How an update ends, before it is written down.
pub(super) struct End {
    pub outcome: Outcome,
    pub code: Option<Code>,
    pub reason: Option<String>,
    pub faults: Vec<Fault>,
    pub reply: Option<Value>,
}

impl End {
    pub const fn applied(reply: Option<Value>) -> Self {
        Self { outcome: Outcome::Applied, code: None, reason: None, faults: Vec::new(), reply }
    }

    pub const fn of(outcome: Outcome, code: Code) -> Self {
        Self { outcome, code: Some(code), reason: None, faults: Vec::new(), reply: None }
    }

    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::of(Outcome::Refused, Code::InvalidRequest) }
    }
}

impl Post {
    /// Ends an update, with its event where it was applied.
    pub(super) async fn end(&self, held: &mut Held, entity: &Entity, payload: &Payload, end: End) -> Result<Step, JournalError> {
        let mut events = Vec::new();
        if end.outcome == Outcome::Applied {
            if let Some(memory) = &entity.memory {
                memory.forget();
            }
            if entity.manifest.offers(Operation::Subscribe) {
                let id = EventId::new((self.new_id)().uuid());
                let event = update::event(entity, &held.lease.entry.update, &payload.change, id, self.clock.now());
                if entity.manifest.changes.is_some() {
                    entity.recent.note(&event);
                }
                events.push(event);
            }
        }
        self.conclude(held, end, events).await
    }

    /// Writes down how an update ended, and its events with it.
    pub(super) async fn conclude(&self, held: &Held, end: End, events: Vec<Event>) -> Result<Step, JournalError> {
        let End { outcome, code, reason, faults, reply } = end;
        let at = self.clock.now();
        let faults =
            faults.into_iter().map(|fault| Told { pointer: fault.pointer, code: fault.code.to_owned(), message: fault.message });
        let attempts = held.lease.entry.progress.attempts;
        let conclusion = Conclusion { outcome, at, attempts, code, reason, faults: faults.collect(), reply };
        if !self.record(&held.lease, &conclusion).await {
            return Ok(Step::Gone);
        }
        // The registry has done what it has done: this has to be written down, however long the disk takes.
        while let Err(error) = self.journal.conclude(&held.lease, conclusion.clone(), events.clone()).await {
            if error == JournalError::Lost || held.lease.lost.is_cancelled() {
                return Ok(Step::Gone);
            }
            tracing::warn!(update = %held.lease.entry.update.id, %error, "the journal does not take an outcome");
            tokio::time::sleep(JOURNAL_PAUSE).await;
        }
        self.count_outcome(&held.lease, outcome, at);
        Ok(Step::Gone)
    }

    /// Lays an update aside for a person.
    pub(super) async fn park(&self, held: &mut Held, trouble: Trouble) -> Result<Step, JournalError> {
        let update = &held.lease.entry.update;
        let code = trouble.code.as_str();
        tracing::warn!(update = %update.id, target_entity = %update.target, code, detail = trouble.detail, "an update is parked");
        held.progress().trouble = Some(trouble);
        held.progress().next_at = None;
        self.journal.park(&held.lease, held.lease.entry.progress.clone()).await?;
        counter!("rabita_updates_parked_total", "registry" => self.registry.id.to_string()).increment(1);
        Ok(Step::Parked)
    }

    fn count_outcome(&self, lease: &Lease, outcome: Outcome, at: Timestamp) {
        let update = &lease.entry.update;
        let word = match outcome {
            Outcome::Applied => "applied",
            Outcome::Refused => "refused",
            Outcome::Conflicted => "conflicted",
            Outcome::Expired => "expired",
        };
        let registry = self.registry.id.to_string();
        let taken = at.duration_since(update.accepted_at).as_secs_f64().max(0.0);
        tracing::info!(update = %update.id, exchange = %update.exchange, target_entity = %update.target, outcome = word, s = taken, "update");
        histogram!("rabita_update_seconds", "registry" => registry.clone()).record(taken);
        counter!("rabita_updates_total", "registry" => registry, "outcome" => word).increment(1);
    }
}
