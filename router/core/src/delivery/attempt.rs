//! One try to apply an update, and what becomes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use metrics::{counter, histogram};
use rabita_journal::{Journal, JournalError, Lease};
use rabita_model::update::Told;
use rabita_model::{
    Code, Conclusion, EventId, ExchangeId, Fault, Operation, Outcome, Payload, Progress, Refusal, Trouble, UpdateId,
};
use rabita_sdk::manifest::UpdateLimits;
use rabita_sdk::{Applied, Call, Duplicates, Failure, Row};
use serde_json::Value;

use super::confirm::{Confirmed, confirmed};
use super::prepare::{Prepared, Unprepared, prepare};
use crate::Clock;
use crate::registry::{Entity, Registry, Undelivered, refusal};
use crate::update;

/// What every try needs.
pub(crate) struct Post {
    pub registry: Arc<Registry>,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub new_id: fn() -> ExchangeId,
}

/// An update in memory.
pub(super) struct Held {
    pub lease: Lease,
    not_before: Option<Instant>,
    backoff: Option<ExponentialBackoff>,
    /// Answers in a row that were none.
    malformed: u32,
}

/// What the registry was asked when it failed.
#[derive(Clone, Copy)]
enum Sent {
    /// To show a record.
    Read,
    /// To change it.
    Change { was_in_doubt: bool },
}

/// What becomes of an update after a try.
pub(super) enum Step {
    /// It is concluded, or another node's.
    Gone,
    /// It waits for a person.
    Parked,
    /// It is tried again after so long.
    Later(Duration),
    /// The registry is left alone for so long.
    Pause(Duration),
}

/// How an update ends, before it is written down.
pub(super) struct End {
    outcome: Outcome,
    code: Option<Code>,
    reason: Option<String>,
    faults: Vec<Fault>,
    reply: Option<Value>,
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

impl Held {
    /// What was written down before this process had it still holds, but no longer than the longest wait: the clock may
    /// have been set back since.
    pub fn new(lease: Lease, now: Timestamp, limits: &UpdateLimits) -> Self {
        let left = lease.entry.progress.next_at.map(|at| at.duration_since(now));
        let left = left.and_then(|left| Duration::try_from(left).ok()).map(|left| left.min(Duration::from_millis(limits.max_ms)));
        Self { lease, not_before: left.map(|left| Instant::now() + left), backoff: None, malformed: 0 }
    }

    /// How long it still has to wait.
    pub fn wait(&self) -> Duration {
        self.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.lease.entry.progress
    }

    /// The time before the next try: doubled each time, with up to half of it left to chance.
    fn next_wait(&mut self, limits: &UpdateLimits) -> Duration {
        let made = || {
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(limits.first_ms))
                .with_max_delay(Duration::from_millis(limits.max_ms))
                .with_jitter()
                .without_max_times()
                .build()
        };
        let longest = Duration::from_millis(limits.max_ms);
        self.backoff.get_or_insert_with(made).next().unwrap_or(longest)
    }
}

impl Post {
    /// Tries to apply an update.
    pub(super) async fn attempt(&self, mut held: Held) -> (Held, Step) {
        let step = match self.step(&mut held).await {
            Ok(step) => step,
            Err(JournalError::Lost) => Step::Gone,
            Err(error) => {
                // Nothing is lost: what was done is found again by the next try.
                tracing::warn!(update = %held.lease.entry.update.id, %error, "the journal does not take what became of an update");
                Step::Later(JOURNAL_PAUSE)
            }
        };
        (held, step)
    }

    async fn step(&self, held: &mut Held) -> Result<Step, JournalError> {
        if held.lease.lost.is_cancelled() {
            return Ok(Step::Gone);
        }
        if let Some(first) = held.lease.behind {
            return self.park(held, rabita_journal::journal::behind(first)).await;
        }
        let target = &held.lease.entry.update.target;
        let Some(entity) = self.registry.entities.iter().find(|entity| entity.target == *target).map(Arc::clone) else {
            return self.park(held, trouble(Code::Internal, "the configuration no longer has this entity")).await;
        };
        let Some(payload) = held.lease.entry.update.payload.clone() else {
            return self.park(held, trouble(Code::Internal, "the journal has lost what is to be done")).await;
        };
        // Detection waits for what may have been written and is not noted yet.
        let _going = entity.recent.begin();
        if let Some(pause) = self.registry.maintenance() {
            return Ok(Step::Pause(pause.min(PAUSE_MAX)));
        }
        let is_late = held.lease.entry.update.apply_until.is_some_and(|until| self.clock.now() > until);
        if is_late && !held.lease.entry.progress.is_in_doubt {
            return self.end(held, &entity, &payload, End::of(Outcome::Expired, Code::UpdateExpired)).await;
        }
        let exchange = (self.new_id)();
        let traceparent = held.lease.entry.update.traceparent.clone();
        let prepared = prepare(&self.registry, &entity, &payload, held.lease.entry.update.id, exchange, traceparent.clone()).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(Unprepared::End(end)) => return self.end(held, &entity, &payload, end).await,
            Err(Unprepared::Undelivered(undelivered)) => return self.undelivered(held, undelivered, Sent::Read).await,
            Err(Unprepared::Broken(detail)) => return self.park(held, trouble(Code::Internal, detail)).await,
        };
        if let Some(step) = self.resolve(held, &entity, &payload, &prepared, is_late, exchange).await? {
            return Ok(step);
        }
        self.send(held, &entity, &payload, prepared, exchange, traceparent).await
    }

    /// Where an earlier try may have been applied, and it is too late for another or the registry would not tell the two
    /// apart: finds out.
    async fn resolve(
        &self,
        held: &mut Held,
        entity: &Entity,
        payload: &Payload,
        prepared: &Prepared,
        is_late: bool,
        exchange: ExchangeId,
    ) -> Result<Option<Step>, JournalError> {
        if !held.lease.entry.progress.is_in_doubt {
            return Ok(None);
        }
        let found = match entity.changing.duplicates {
            Duplicates::Detected if is_late => self.forgo(entity, held.lease.entry.update.id, exchange).await,
            Duplicates::HandedOn if is_late => confirmed(&self.registry, entity, payload, prepared, exchange).await,
            Duplicates::Applied => confirmed(&self.registry, entity, payload, prepared, exchange).await,
            Duplicates::Detected | Duplicates::HandedOn => return Ok(None),
        };
        let end = match found {
            Err(undelivered) => return self.undelivered(held, undelivered, Sent::Read).await.map(Some),
            Ok(Confirmed::Applied) => End::applied(None),
            Ok(Confirmed::NotApplied) if is_late => End::of(Outcome::Expired, Code::UpdateExpired),
            Ok(Confirmed::NotApplied | Confirmed::Resend) if !is_late => return Ok(None),
            Ok(_) => {
                let trouble = trouble(Code::OutcomeUnknown, "nobody can say whether it was applied");
                return self.park(held, trouble).await.map(Some);
            }
        };
        self.end(held, entity, payload, end).await.map(Some)
    }

    /// Has a registry that keeps ids say whether an update was applied, and never apply it after this.
    async fn forgo(&self, entity: &Entity, id: UpdateId, exchange: ExchangeId) -> Result<Confirmed, Undelivered> {
        let call = self.registry.call(exchange, None, self.registry.timeout);
        let asked = self.registry.connector.forgo(entity.index, id.uuid(), &call);
        let (was_applied, _) = self.registry.try_deliver(&call, asked).await?;
        Ok(if was_applied { Confirmed::Applied } else { Confirmed::NotApplied })
    }

    async fn send(
        &self,
        held: &mut Held,
        entity: &Entity,
        payload: &Payload,
        prepared: Prepared,
        exchange: ExchangeId,
        traceparent: Option<String>,
    ) -> Result<Step, JournalError> {
        let was_in_doubt = held.lease.entry.progress.is_in_doubt;
        held.progress().attempts += 1;
        let matters = entity.changing.duplicates != Duplicates::Detected || held.lease.entry.update.apply_until.is_some();
        if matters && !was_in_doubt {
            // After a crash in the middle of it, nobody else remembers that it was sent.
            held.progress().is_in_doubt = true;
            let progress = held.lease.entry.progress.clone();
            self.journal.progress(&held.lease, progress).await?;
        }
        let call = self.registry.call(exchange, traceparent, self.registry.timeout);
        let sent = tokio::select! {
            () = held.lease.lost.cancelled() => return Ok(Step::Gone),
            sent = self.registry.try_deliver(&call, self.apply(prepared, &call)) => sent,
        };
        match sent {
            Ok(((applied, row), _)) => {
                self.count_attempt("answered");
                let end = self.answered(entity, payload, applied, row, was_in_doubt, exchange).await;
                self.end(held, entity, payload, end).await
            }
            Err(undelivered) => self.undelivered(held, undelivered, Sent::Change { was_in_doubt }).await,
        }
    }

    async fn apply(&self, prepared: Prepared, call: &Call) -> Result<(Applied, Option<(usize, Row)>), Failure> {
        match prepared {
            Prepared::Change(change) => Ok((self.registry.connector.apply(change, call).await?, None)),
            Prepared::Act(act) => {
                let action = act.action;
                let acted = self.registry.connector.act(act, call).await?;
                Ok((acted.applied, acted.reply.map(|row| (action, row))))
            }
        }
    }

    /// How an update ends that the registry answered.
    async fn answered(
        &self,
        entity: &Entity,
        payload: &Payload,
        applied: Applied,
        row: Option<(usize, Row)>,
        was_in_doubt: bool,
        exchange: ExchangeId,
    ) -> End {
        let is_told_apart = entity.changing.duplicates == Duplicates::Detected;
        match applied {
            Applied::Done | Applied::Before => match row.map(|(action, row)| reply(entity, action, &row)) {
                None => End::applied(None),
                Some(Ok(reply)) => End::applied(reply),
                // It is applied all the same; what it answered is left out, as a registry's bad data always is.
                Some(Err(faults)) => End { faults, code: Some(Code::RegistryBrokeContract), ..End::applied(None) },
            },
            Applied::Absent if was_in_doubt && !is_told_apart && payload.change.operation() == Operation::Delete => {
                End::applied(None)
            }
            Applied::Absent => End::of(Outcome::Refused, Code::RecordAbsent),
            Applied::Conflict => {
                // What an earlier try of the same update did looks like a conflict to this one.
                let is_own = was_in_doubt
                    && !is_told_apart
                    && super::confirm::is_there(&self.registry, entity, payload, exchange).await == Ok(true);
                match payload.change.operation() {
                    _ if is_own => End::applied(None),
                    Operation::Create => End::of(Outcome::Conflicted, Code::RecordExists),
                    _ => End::of(Outcome::Conflicted, Code::PreconditionFailed),
                }
            }
        }
    }

    /// What becomes of an update that was not answered, or not well.
    async fn undelivered(&self, held: &mut Held, undelivered: Undelivered, sent: Sent) -> Result<Step, JournalError> {
        let failure = match undelivered {
            Undelivered::Held(refusal) => {
                if let Sent::Change { was_in_doubt } = sent {
                    // It was not sent after all.
                    held.progress().attempts -= 1;
                    held.progress().is_in_doubt = was_in_doubt;
                }
                return Ok(pause(&refusal));
            }
            Undelivered::Failed(failure) => failure,
        };
        self.count_attempt(word(&failure));
        let limits = &self.registry.limits.updates;
        let now = self.clock.now();
        let mut wait = held.next_wait(limits);
        held.malformed = if matches!(failure, Failure::Malformed { .. }) { held.malformed + 1 } else { 0 };
        if let Sent::Change { was_in_doubt } = sent {
            held.progress().is_in_doubt = match failure {
                Failure::Unavailable { .. } | Failure::Refused { .. } | Failure::Unsupported { .. } => was_in_doubt,
                Failure::TimedOut { .. } | Failure::Unknown { .. } | Failure::Malformed { .. } => true,
            };
        }
        let must_park = match &failure {
            Failure::Refused { reason, .. } if matches!(sent, Sent::Change { .. }) => {
                let end = End { reason: reason.clone(), ..End::of(Outcome::Refused, Code::RegistryRefused) };
                return self.conclude(held, end, Vec::new()).await;
            }
            Failure::Refused { .. } | Failure::Unsupported { .. } => true,
            Failure::Malformed { .. } => held.malformed >= limits.attempts,
            Failure::Unavailable { retry_after, .. } => {
                wait = retry_after.map_or(wait, |asked| asked.max(wait));
                self.is_overdue(held, now)
            }
            Failure::TimedOut { .. } | Failure::Unknown { .. } => self.is_overdue(held, now),
        };
        let told = refusal(failure);
        let trouble = Trouble { code: told.code, detail: told.detail };
        if must_park {
            return self.park(held, trouble).await;
        }
        let wait = wait.min(PAUSE_MAX);
        held.progress().trouble = Some(trouble);
        held.progress().next_at = Some(now + wait);
        self.journal.progress(&held.lease, held.lease.entry.progress.clone()).await?;
        Ok(Step::Later(wait))
    }

    /// Whether the registry has been away for as long as it may.
    fn is_overdue(&self, held: &Held, now: Timestamp) -> bool {
        let waited = now.duration_since(held.lease.entry.update.accepted_at);
        let limit = self.registry.limits.updates.unavailable_for_ms;
        u128::try_from(waited.as_millis()).is_ok_and(|waited| waited > u128::from(limit))
    }

    /// Ends an update, with its event where it was applied.
    async fn end(&self, held: &mut Held, entity: &Entity, payload: &Payload, end: End) -> Result<Step, JournalError> {
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

    async fn conclude(&self, held: &Held, end: End, events: Vec<rabita_model::Event>) -> Result<Step, JournalError> {
        let End { outcome, code, reason, faults, reply } = end;
        let at = self.clock.now();
        let faults = faults.into_iter().map(|fault| Told {
            pointer: fault.pointer,
            code: fault.code.to_owned(),
            message: fault.message,
        });
        let attempts = held.lease.entry.progress.attempts;
        let conclusion = Conclusion { outcome, at, attempts, code, reason, faults: faults.collect(), reply };
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

    async fn park(&self, held: &mut Held, trouble: Trouble) -> Result<Step, JournalError> {
        let update = &held.lease.entry.update;
        let code = trouble.code.as_str();
        tracing::warn!(update = %update.id, target_entity = %update.target, code, detail = trouble.detail, "an update is parked");
        held.progress().trouble = Some(trouble);
        held.progress().next_at = None;
        self.journal.park(&held.lease, held.lease.entry.progress.clone()).await?;
        counter!("rabita_updates_parked_total", "registry" => self.registry.id.to_string()).increment(1);
        Ok(Step::Parked)
    }

    fn count_attempt(&self, result: &'static str) {
        counter!("rabita_update_attempts_total", "registry" => self.registry.id.to_string(), "result" => result).increment(1);
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

/// A clock can be set and a registry can say anything: no wait is longer than this before the next look.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
const JOURNAL_PAUSE: Duration = Duration::from_millis(500);
/// How long to wait where a registry has too much to do and does not say until when.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// A registry that is given a pause has one from updates too.
fn pause(refusal: &Refusal) -> Step {
    match refusal.code {
        Code::RegistryBusy => Step::Later(BUSY_PAUSE),
        _ => Step::Pause(refusal.retry_after.unwrap_or(BUSY_PAUSE).min(PAUSE_MAX)),
    }
}

fn trouble(code: Code, detail: impl Into<String>) -> Trouble {
    Trouble { code, detail: Some(detail.into()) }
}

const fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused { .. } => "refused",
        Failure::Unavailable { .. } => "unavailable",
        Failure::TimedOut { .. } => "timed_out",
        Failure::Unknown { .. } => "unknown",
        Failure::Malformed { .. } => "malformed",
        Failure::Unsupported { .. } => "unsupported",
    }
}

/// What an action answered, in the contract's terms.
fn reply(entity: &Entity, action: usize, row: &Row) -> Result<Option<Value>, Vec<Fault>> {
    let action = &entity.changing.actions[action];
    let (Some(mapping), Some(schema)) = (&action.planned.reply, &action.schemas.reply) else { return Ok(None) };
    let (record, mut faults) = mapping.decode(row, &mapping.all());
    let record = Value::Object(record);
    if faults.is_empty() {
        faults = schema.faults(&record);
    }
    if faults.is_empty() { Ok(Some(record)) } else { Err(faults) }
}
