//! Brings the events of one subscription, one after the other, in their order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use bytes::Bytes;
use jiff::Timestamp;
use metrics::counter;
use rabita_contract::event::EventView;
use rabita_core::Bus;
use rabita_core::feed::Feed;
use rabita_journal::{JournalError, Kept, Position};
use rabita_ledger::LedgerError;
use rabita_model::{Event, SystemId};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use super::attempt::{Outcome, Sender};
use super::stored::{self, Dead, Disabled, DisabledBy, Progress, Subscription};
use crate::node::events::{Release, Releases, Tail};

/// How often the progress is written down while nothing is sent.
const KEEP: Duration = Duration::from_secs(60);

/// What all deliveries of a node share.
pub(super) struct Shared {
    pub bus: Arc<Bus>,
    pub tail: Arc<Tail>,
    pub releases: Releases,
    pub sender: Sender,
    pub retries: Vec<Duration>,
    pub disable_after: u32,
    pub dead_max: usize,
    /// Attempts under way.
    pub places: Semaphore,
}

/// The delivery of one subscription.
pub(super) struct Delivery {
    pub shared: Arc<Shared>,
    pub subscription: Subscription,
    /// Told when a replay may have been asked for.
    pub nudge: Arc<Notify>,
}

/// A delivery under way.
struct Running {
    shared: Arc<Shared>,
    subscription: Subscription,
    nudge: Arc<Notify>,
    feed: Feed,
    progress: Progress,
    /// When the progress was last written down.
    kept_at: Instant,
}

/// Why a delivery breaks off. It is taken up again where it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is sent could not be recorded, so it was not sent.
    #[error("nothing leaves the bus that its ledger does not have: {0}")]
    Ledger(#[from] LedgerError),
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    On,
    /// The subscription was disabled, or its last grant has ended.
    End,
}

impl Delivery {
    /// Delivers until the subscription is disabled, or the journal or the ledger fails. While no grant holds nothing is sent, and
    /// nothing is passed over: what counts is the grant at the time of sending.
    pub async fn run(self) -> Result<(), Broken> {
        let Self { shared, subscription, nudge } = self;
        let purpose = subscription.purpose.as_ref();
        let Ok(feed) = shared.bus.feed(&subscription.system, &subscription.interest(), purpose, None) else {
            // Another configuration may grant it.
            tokio::time::sleep(super::LOOK).await;
            return Ok(());
        };
        // Without a progress the subscription was deleted a moment ago.
        let Some(progress) = stored::progress(&*shared.tail.journal, subscription.id).await? else { return Ok(()) };
        Running { shared, subscription, nudge, feed, progress, kept_at: Instant::now() }.run().await
    }
}

impl Running {
    async fn run(mut self) -> Result<(), Broken> {
        let mut news = self.shared.tail.news();
        loop {
            if !self.feed.is_open() || self.replay_if_asked().await? == Step::End {
                return Ok(());
            }
            news.borrow_and_update();
            let page = match self.shared.tail.after(&self.progress.position).await {
                Err(JournalError::PositionInvalid) => {
                    self.progress.position = self.shared.tail.journal.newest().await?;
                    self.missed();
                    continue;
                }
                page => page?,
            };
            let is_end = page.events.is_empty();
            if page.has_gap {
                self.missed();
                if is_end {
                    self.progress.position = self.shared.tail.journal.newest().await?;
                }
            }
            for passed in page.events {
                if self.bring(&passed.position, &passed.event, passed.system.as_ref()).await? == Step::End {
                    return Ok(());
                }
            }
            // What was passed over costs little to pass over again.
            if self.kept_at.elapsed() > KEEP {
                self.keep().await?;
            }
            if is_end {
                tokio::select! {
                    changed = news.changed() => if changed.is_err() { return Ok(()) },
                    () = self.nudge.notified() => {}
                }
            }
        }
    }

    /// Brings one event, with as many attempts as it takes or the schedule has.
    async fn bring(&mut self, position: &Position, event: &Event, by: Option<&SystemId>) -> Result<Step, Broken> {
        if self.progress.event != Some(event.id) {
            (self.progress.event, self.progress.attempts, self.progress.next_at) = (Some(event.id), 0, None);
        }
        loop {
            // Grants may end between two attempts.
            if self.wait().await? == Step::End || !self.feed.is_open() {
                return Ok(Step::End);
            }
            let Some(shown) = self.shown(event, by) else {
                self.progress.pass(position.clone());
                return Ok(Step::On);
            };
            match self.send(event, &shown).await? {
                Outcome::Done => {
                    self.progress.pass(position.clone());
                    self.progress.dead_in_row = 0;
                    self.keep().await?;
                    return Ok(Step::On);
                }
                Outcome::Gone => return self.disable(DisabledBy::Gone, Vec::new()).await,
                Outcome::Failed { why, retry_after } => {
                    let pause = self.shared.retries.get(self.progress.attempts as usize).copied();
                    self.progress.attempts += 1;
                    let Some(pause) = pause else { return self.bury(position, event, why).await };
                    let pause = varied(pause).max(retry_after.unwrap_or_default());
                    self.progress.next_at = Some(Timestamp::now() + pause);
                    tracing::info!(
                        subscription = %self.subscription.id, system = %self.subscription.system, event = %event.id,
                        attempts = self.progress.attempts, why, "an event was not taken"
                    );
                    self.keep().await?;
                }
            }
        }
    }

    /// Waits for the next attempt's time.
    async fn wait(&mut self) -> Result<Step, Broken> {
        while let Some(at) = self.progress.next_at {
            let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
            if left.is_zero() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = self.nudge.notified() => {
                    if self.replay_if_asked().await? == Step::End {
                        return Ok(Step::End);
                    }
                }
            }
        }
        Ok(Step::On)
    }

    /// Sends the dead letters again, where that was asked for: each once, in their order, up to the first that is not
    /// taken. Whoever asks says that the receiver is there again, so what waits for its next attempt waits no longer.
    async fn replay_if_asked(&mut self) -> Result<Step, Broken> {
        let id = self.subscription.id;
        if !stored::is_replay_asked(&*self.shared.tail.journal, id).await? {
            return Ok(Step::On);
        }
        self.progress.next_at = None;
        for dead in stored::dead(&*self.shared.tail.journal, id).await? {
            let by = self.shared.tail.system(&dead.event).await;
            let outcome = match self.shown(&dead.event, by.as_ref()) {
                Some(shown) => self.send(&dead.event, &shown).await?,
                // What may not be seen any more is not kept for it either.
                None => Outcome::Done,
            };
            match outcome {
                Outcome::Done => self.publish(vec![gone(stored::dead_key(id, dead.event.id))]).await?,
                Outcome::Gone => return self.disable(DisabledBy::Gone, vec![gone(stored::replay_key(id))]).await,
                Outcome::Failed { why, .. } => {
                    let dead = Dead { attempts: dead.attempts + 1, why, ..dead };
                    self.publish(vec![dead.kept(id)]).await?;
                    break;
                }
            }
        }
        self.publish(vec![gone(stored::replay_key(id))]).await?;
        Ok(Step::On)
    }

    /// Lays an event aside and goes on to the next; too many in a row, and nothing is sent any more.
    async fn bury(&mut self, position: &Position, event: &Event, why: String) -> Result<Step, Broken> {
        let (id, system) = (self.subscription.id, self.subscription.system.to_string());
        counter!("rabita_webhook_dead_total", "system" => system).increment(1);
        tracing::warn!(
            subscription = %id, system = %self.subscription.system, event = %event.id, attempts = self.progress.attempts, why,
            "an event is a dead letter"
        );
        let dead = Dead { event: event.clone(), attempts: self.progress.attempts, at: Timestamp::now(), why };
        let mut kept = vec![dead.kept(id)];
        let before = stored::dead(&*self.shared.tail.journal, id).await?;
        let beyond = (before.len() + 1).saturating_sub(self.shared.dead_max);
        kept.extend(before.iter().take(beyond).map(|oldest| gone(stored::dead_key(id, oldest.event.id))));
        self.progress.pass(position.clone());
        self.progress.dead_in_row += 1;
        if self.progress.dead_in_row >= self.shared.disable_after {
            self.progress.dead_in_row = 0;
            return self.disable(DisabledBy::Failing, kept).await;
        }
        kept.push(self.progress.kept(id));
        self.publish(kept).await?;
        Ok(Step::On)
    }

    async fn disable(&mut self, reason: DisabledBy, mut kept: Vec<Kept>) -> Result<Step, Broken> {
        tracing::warn!(subscription = %self.subscription.id, system = %self.subscription.system, ?reason, "a subscription is disabled");
        let disabled = Some(Disabled { at: Timestamp::now(), reason });
        kept.push(Subscription { disabled, ..self.subscription.clone() }.kept());
        kept.push(self.progress.kept(self.subscription.id));
        self.publish(kept).await?;
        Ok(Step::End)
    }

    /// What is sent of an event; `None` where the subscription's system may not see it.
    fn shown(&self, event: &Event, by: Option<&SystemId>) -> Option<Value> {
        let fields = self.feed.view(event)?;
        let view = EventView { fields: &fields, is_own: by == Some(&self.subscription.system) };
        rabita_contract::event::event(event, &view)
    }

    /// One attempt, which the ledger has before it is made: the receiver may have got what it does not answer to.
    async fn send(&self, event: &Event, shown: &Value) -> Result<Outcome, Broken> {
        let Ok(_place) = self.shared.places.acquire().await else {
            return Ok(Outcome::Failed { why: "the node is stopping".to_owned(), retry_after: None });
        };
        let Subscription { url, secret, system, .. } = &self.subscription;
        let body = Bytes::from(shown.to_string());
        let release = Release::of(&self.feed, event, shown);
        let exchange = release.exchange;
        self.shared.releases.record(release, &body).await?;
        let outcome = self.shared.sender.send(url, secret, event.id, exchange, body).await;
        let result = match outcome {
            Outcome::Done => "done",
            Outcome::Gone => "gone",
            Outcome::Failed { .. } => "failed",
        };
        counter!("rabita_webhook_attempts_total", "system" => system.to_string(), "result" => result).increment(1);
        Ok(outcome)
    }

    fn missed(&mut self) {
        self.progress.missed_at = Some(Timestamp::now());
        tracing::warn!(
            subscription = %self.subscription.id, system = %self.subscription.system,
            "events were no longer kept when their turn came"
        );
    }

    async fn keep(&mut self) -> Result<(), Broken> {
        self.kept_at = Instant::now();
        self.publish(vec![self.progress.kept(self.subscription.id)]).await
    }

    async fn publish(&self, kept: Vec<Kept>) -> Result<(), Broken> {
        Ok(self.shared.tail.journal.publish(Vec::new(), kept).await?)
    }
}

const fn gone(key: String) -> Kept {
    Kept { key, value: None }
}

/// A pause that differs by up to a fifth, so that those who failed together do not come again together.
fn varied(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness the pauses are merely alike.
    let _ = rand::fill(&mut byte);
    pause.mul_f64(0.8 + 0.4 * f64::from(byte[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_differs_by_a_fifth_at_most() {
        let pause = Duration::from_secs(100);
        for _ in 0..1000 {
            assert!((Duration::from_secs(80)..=Duration::from_secs(120)).contains(&varied(pause)));
        }
    }
}
