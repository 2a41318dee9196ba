//! One try to apply an update, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use metrics::counter;
use rabita_journal::{Journal, JournalError};
use rabita_model::{Code, ExchangeId, Fault, Operation, Outcome, Payload, Refusal, Trouble, UpdateId};
use rabita_sdk::{Applied, Call, Duplicates, Failure, Row};
use serde_json::Value;

use super::confirm::{Confirmed, confirmed};
use super::ending::{End, JOURNAL_PAUSE};
use super::held::{Held, Step};
use super::prepare::{Prepared, Unprepared, prepare};
use super::recorded::Recorder;
use crate::Clock;
use crate::access::Access;
use crate::registry::{Entity, Registry, Undelivered, refusal};

/// What every try needs.
pub(crate) struct Post {
    pub registry: Arc<Registry>,
    pub journal: Arc<dyn Journal>,
    pub ledger: Option<Arc<dyn Recorder>>,
    pub access: Arc<ArcSwap<Access>>,
    pub clock: Arc<dyn Clock>,
    pub new_id: fn() -> ExchangeId,
}

/// What the registry was asked when it failed.
#[derive(Clone, Copy)]
enum Sent {
    /// To show a record.
    Read,
    /// To change it.
    Change { was_in_doubt: bool },
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
        if is_late && !held.may_be_applied() {
            return self.end(held, &entity, &payload, End::of(Outcome::Expired, Code::UpdateExpired)).await;
        }
        let exchange = (self.new_id)();
        let traceparent = held.lease.entry.update.traceparent.clone();
        let prepared =
            prepare(&self.registry, &entity, &payload, held.lease.entry.update.id, exchange, traceparent.clone()).await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(Unprepared::End(end)) => return self.end(held, &entity, &payload, *end).await,
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
        let asks = held.lease.entry.progress.is_in_doubt || (is_late && held.may_be_applied());
        if !asks {
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
            // The person who was asked has sent it on its way again.
            Ok(Confirmed::Ask) if !is_late && held.is_sent_by_a_person() => return Ok(None),
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
        if matters && (!was_in_doubt || held.lease.entry.progress.attempts == 1) {
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

    /// Whether the registry has been away for as long as it may. What a person sent on its way again begins anew.
    fn is_overdue(&self, held: &Held, now: Timestamp) -> bool {
        let waited = match held.lease.entry.generation {
            0 => Duration::try_from(now.duration_since(held.lease.entry.update.accepted_at)).unwrap_or_default(),
            _ => held.since.elapsed(),
        };
        waited > Duration::from_millis(self.registry.limits.updates.unavailable_for_ms)
    }

    fn count_attempt(&self, result: &'static str) {
        counter!("rabita_update_attempts_total", "registry" => self.registry.id.to_string(), "result" => result).increment(1);
    }
}

/// A clock can be set and a registry can say anything: no wait is longer than this before the next look.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
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
