//! A change on its way into the journal, and its caller's wait for the outcome.

use std::time::Duration;

use rabita_journal::{Accepted, Claim, Journal, JournalError};
use rabita_model::update::merge_patch;
use rabita_model::{Ask, Change, Code, Entry, ExchangeId, Payload, Refusal, Submission, Update, UpdateId, Wait, Want};
use rabita_sdk::Row;
use serde_json::Value;

use super::{Answer, Bus, Trail};
use crate::access::Shape;
use crate::caller::Caller;
use crate::registry::{Entity, Registry, told};
use crate::release::{Guard, subject_in};
use crate::stage::{Draft, Permitted, Validated};
use crate::whole;

/// What goes with a change through all steps.
struct Submitting<'a> {
    bus: &'a Bus,
    journal: &'a dyn Journal,
    registry: &'a Registry,
    entity: &'a Entity,
    shape: &'a Shape,
    caller: &'a Caller,
    guard: Option<&'a Guard>,
    ask: &'a Ask,
    submission: &'a Submission,
    exchange: ExchangeId,
    traceparent: Option<String>,
}

pub(super) async fn submit(
    bus: &Bus,
    validated: Validated,
    exchange: ExchangeId,
    traceparent: Option<String>,
    trail: &mut Trail,
) -> Result<Answer, Refusal> {
    let (Permitted { registry, entity, shape, caller, guard, ask, .. }, draft) = validated.into_draft()?;
    let Want::Change(submission) = &ask.want else {
        return Err(Refusal::new(Code::Internal).detail("a draft of what is no change"));
    };
    let journal = bus.journal()?;
    let submitting = Submitting {
        bus,
        journal,
        registry: &registry,
        entity: &entity,
        shape: &shape,
        caller: &caller,
        guard: guard.as_ref(),
        ask: &ask,
        submission,
        exchange,
        traceparent,
    };
    submitting.run(draft, trail).await
}

impl Submitting<'_> {
    async fn run(self, draft: Draft, trail: &mut Trail) -> Result<Answer, Refusal> {
        let digest = draft.digest.clone();
        let claimed = self.journal.claim(&self.caller.id, &self.submission.idempotency_key).await.map_err(refused)?;
        let claim = match claimed {
            Some(claim) if claim.digest != digest || self.has(claim.id).await? => claim,
            // A claim without its update broke off in between: to take the update on once more finishes it.
            _ => {
                let started = std::time::Instant::now();
                let is_whole = self.hold(&draft, trail).await;
                trail.timing.registry = started.elapsed();
                let update = self.update(draft, is_whole?, trail);
                let id = update.id;
                match self.journal.accept(update).await.map_err(refused)? {
                    Accepted::New => {
                        trail.update = Some(id);
                        return self.outcome(id).await;
                    }
                    Accepted::Known(claim) => claim,
                }
            }
        };
        self.known(&claim, &digest, trail).await
    }

    async fn has(&self, id: UpdateId) -> Result<bool, Refusal> {
        Ok(self.journal.entry(id).await.map_err(refused)?.is_some())
    }

    /// The system used the key before: the same change has the same outcome.
    async fn known(&self, claim: &Claim, digest: &str, trail: &mut Trail) -> Result<Answer, Refusal> {
        trail.update = Some(claim.id);
        if claim.digest != digest {
            return Err(Code::IdempotencyKeyReused.into());
        }
        trail.is_replayed = true;
        self.outcome(claim.id).await
    }

    /// Holds the change against the record that it changes, as far as that can be known now: whether the grants admit it,
    /// and whether a patch makes a record that satisfies its schema. Tells whether the latter is known.
    async fn hold(&self, draft: &Draft, trail: &mut Trail) -> Result<bool, Refusal> {
        let reads = self.entity.manifest.operations.read.is_some() && !matches!(draft.change, Change::Create { .. });
        // What waits before it changes what it finds.
        let is_patch = matches!(draft.change, Change::Update { .. });
        let holds_whole =
            is_patch && reads && !self.journal.is_waiting(&self.registry.id, &draft.record).await.map_err(refused)?;
        let is_subject_unknown = trail.is_recorded && self.shape.subject.is_some() && trail.subjects.is_empty();
        let found = if reads && (holds_whole || self.guard.is_some() || is_subject_unknown) {
            let read = whole::read(self.registry, self.entity, draft.key.clone(), self.exchange, self.traceparent.clone());
            Some(read.await.map_err(told))
        } else {
            None
        };
        let row = found.as_ref().and_then(|found| found.as_ref().ok()).and_then(Option::as_ref);
        let stored = row.map(|row| Value::Object(whole::record(self.entity, row)));
        if let Some(subject) = stored.as_ref().filter(|_| trail.is_recorded).and_then(|stored| subject_in(self.shape, stored)) {
            trail.add(subject);
        }
        if let Some(guard) = self.guard {
            self.hold_guarded(guard, draft, &found, stored.as_ref(), trail)?;
        }
        match &draft.change {
            // Nothing will ever tell more than the patch itself.
            Change::Update { .. } if !reads => Ok(true),
            Change::Update { patch, .. } => match found {
                Some(Ok(found)) if holds_whole => self.hold_whole(draft, patch, &found.ok_or(Code::RecordAbsent)?),
                _ => Ok(false),
            },
            _ => Ok(true),
        }
    }

    /// The record must be one that the grants admit as it is, and as the change makes it.
    fn hold_guarded(
        &self,
        guard: &Guard,
        draft: &Draft,
        found: &Option<Result<Option<Row>, Refusal>>,
        stored: Option<&Value>,
        trail: &Trail,
    ) -> Result<(), Refusal> {
        let not_permitted = |why: &str| Refusal::new(Code::NotPermitted).explained(why);
        let made = match (&draft.change, stored) {
            (Change::Create { record } | Change::Replace { record, .. }, _) => Some(Value::Object(record.clone())),
            (Change::Update { patch, .. }, Some(Value::Object(stored))) => {
                let mut made = stored.clone();
                merge_patch(&mut made, patch);
                Some(Value::Object(made))
            }
            _ => None,
        };
        if !matches!(draft.change, Change::Create { .. }) {
            match found {
                Some(Err(refusal)) => return Err(refusal.clone()),
                None => return Err(Refusal::new(Code::NotPermitted).detail("nobody can tell whether a grant admits the record")),
                Some(Ok(_)) => {}
            }
            let admitted = stored.and_then(|stored| guard.admits(self.shape, stored));
            admitted.ok_or_else(|| guard.absent(&trail.subjects))?;
        }
        let records: Vec<&Value> = stored.into_iter().chain(&made).collect();
        let admitted = guard.admits_all(self.shape, &records);
        admitted
            .map(|_| ())
            .ok_or_else(|| not_permitted("The grant for this does not hold for the record that the change makes."))
    }

    /// Holds the record that a patch makes against its schema.
    fn hold_whole(&self, draft: &Draft, patch: &serde_json::Map<String, Value>, row: &Row) -> Result<bool, Refusal> {
        if let (Some(expected), Some(version)) = (&draft.expected, &self.entity.changing.version)
            && row.find(version).is_none_or(|version| version != expected)
        {
            return Err(Code::PreconditionFailed.into());
        }
        let merged = whole::merged(self.entity, &whole::record(self.entity, row), patch);
        merged.map(|_| true).map_err(|faults| {
            let faults = faults.into_iter().map(|fault| fault.under(self.submission.within)).collect();
            Refusal::with_faults(Code::InvalidRequest, faults)
        })
    }

    fn update(&self, draft: Draft, is_whole: bool, trail: &Trail) -> Update {
        let Ask { target, purpose, case, .. } = self.ask;
        let expected_version =
            draft.expected.as_ref().map(|version| serde_json::to_value(version).expect("legacy values are JSON"));
        Update {
            id: UpdateId::new((self.bus.new_id)().uuid()),
            target: target.clone(),
            operation: draft.change.operation(),
            action: draft.change.action().cloned(),
            record: draft.record,
            system: self.caller.id.clone(),
            idempotency_key: self.submission.idempotency_key.clone(),
            digest: draft.digest,
            exchange: self.exchange,
            purpose: purpose.clone(),
            user: trail.user.clone(),
            case: case.clone(),
            traceparent: self.traceparent.clone(),
            accepted_at: self.bus.clock.now(),
            apply_until: self.submission.apply_until,
            payload: Some(Payload { change: draft.change, expected_version, is_whole }),
        }
    }

    /// Waits for the outcome as long as the caller does.
    async fn outcome(&self, id: UpdateId) -> Result<Answer, Refusal> {
        let (wait, time) = match self.submission.wait {
            Wait::Unsaid => (Wait::Unsaid, self.bus.waits.unsaid),
            Wait::For(time) => (Wait::For(time.min(self.bus.waits.max)), time.min(self.bus.waits.max)),
            Wait::Not => (Wait::Not, Duration::ZERO),
        };
        // Who waits for a registry that is down must not keep others from theirs: beyond a bound, nobody waits.
        let place = self.registry.waiters.try_acquire().ok().filter(|_| !time.is_zero());
        let settled = match place {
            Some(_held_while_waiting) => tokio::time::timeout(time, self.journal.settled(id)).await.ok(),
            None => None,
        };
        let entry = match settled {
            Some(entry) => entry.map_err(refused)?,
            None => {
                let found = self.journal.entry(id).await.map_err(refused)?;
                found.ok_or_else(|| Refusal::new(Code::Internal).detail("an accepted update is not in the journal"))?
            }
        };
        Ok(Answer::Change { location: self.location(&entry), entry: Box::new(entry), wait })
    }

    /// The key of the record that a creation made, where it may stand in a URL.
    fn location(&self, entry: &Entry) -> Option<Vec<Value>> {
        let Change::Create { record } = &self.submission.change else { return None };
        let is_read = self.entity.manifest.operations.read.is_some() && self.entity.manifest.identifiers_in_url;
        let applied = entry.state() == rabita_model::State::Applied;
        if is_read && applied { self.entity.mapping.record_key(record) } else { None }
    }
}

/// What a caller is told when the journal fails.
#[must_use]
pub fn refused(error: JournalError) -> Refusal {
    let detail = error.to_string();
    match error {
        JournalError::Full(_) | JournalError::Unavailable(_) => {
            Refusal::new(Code::JournalUnavailable).detail(detail).retry_after(Duration::from_secs(5))
        }
        JournalError::PositionInvalid => Refusal::new(Code::CursorInvalid),
        JournalError::Lost | JournalError::Corrupt(_) => Refusal::new(Code::Internal).detail(detail),
    }
}
