//! Webhooks: brings events to the callers that subscribed to them, signed as Standard Webhooks prescribes.
//!
//! Subscriptions and how far each has come stand in the journal, so any node can take a subscription's deliveries over;
//! at any moment one node has them. An event is brought at least once, and a subscription's events in their order: one
//! that is not taken is tried again on a schedule, then laid aside as a dead letter, and the next one's turn comes.
//!
//! `desk` answers callers; `delivery` brings events; what is kept where stands in `stored`.

mod address;
mod attempt;
mod delivery;
mod desk;
mod secret;
mod stored;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use rabita_config::webhooks::Webhooks as Spec;
use rabita_core::Bus;
use rabita_journal::JournalError;
use rabita_model::SubscriptionId;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

use attempt::Sender;
pub use attempt::SenderError;
use delivery::{Broken, Delivery, Shared};
pub(super) use desk::Desk;
use stored::Subscription;

use super::events::{Releases, Tail};

/// How often subscriptions that other nodes made, and duties that other nodes gave up, are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// The longest that a write of a delivery may still be under way after the delivery was ended.
const LINGER: Duration = Duration::from_secs(10);

/// The webhooks of a node.
pub(super) struct Webhooks {
    shared: Arc<Shared>,
    /// Told when a caller changed something about its subscriptions.
    changed: Arc<Notify>,
    running: HashMap<SubscriptionId, Running>,
    /// Deleted while their deliveries ran: what these wrote last has still to be forgotten.
    deleted: Vec<(SubscriptionId, Instant)>,
    tasks: JoinSet<(SubscriptionId, Result<(), Broken>)>,
}

struct Running {
    nudge: Arc<Notify>,
    task: AbortHandle,
}

impl Webhooks {
    /// The webhooks, and the desk where callers ask for them.
    ///
    /// # Errors
    /// When the authorities of receivers cannot be read.
    pub fn open(
        bus: &Arc<Bus>,
        tail: &Arc<Tail>,
        releases: Releases,
        spec: &Spec,
        directory: &Path,
    ) -> Result<(Self, Desk), SenderError> {
        let shared = Arc::new(Shared {
            bus: Arc::clone(bus),
            tail: Arc::clone(tail),
            releases,
            sender: Sender::new(spec, directory)?,
            retries: spec.retry_ms.iter().copied().map(Duration::from_millis).collect(),
            disable_after: spec.disable_after,
            dead_max: spec.dead_max,
            places: Semaphore::new(spec.concurrency),
        });
        let changed = Arc::new(Notify::new());
        let desk = Desk::new(Arc::clone(bus), Arc::clone(&tail.journal), spec.clone(), Arc::clone(&changed));
        Ok((Self { shared, changed, running: HashMap::new(), deleted: Vec::new(), tasks: JoinSet::new() }, desk))
    }

    /// Delivers until dropped. What is under way then is sent again.
    pub async fn run(mut self) {
        let mut is_failing = false;
        loop {
            match self.look().await {
                Ok(()) => is_failing = false,
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "the journal does not tell the subscriptions");
                    is_failing = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.changed.notified() => {}
                Some(ended) = self.tasks.join_next() => self.ended(ended.ok()),
            }
        }
    }

    /// Begins and ends deliveries as the subscriptions and this node's duties are now.
    async fn look(&mut self) -> Result<(), JournalError> {
        let journal = &self.shared.tail.journal;
        let subscriptions = stored::subscriptions(&**journal).await?;
        let asked: HashSet<String> = journal.kept(stored::REPLAYS).await?.into_iter().map(|(key, _)| key).collect();
        let is_due = |subscription: &&Subscription| {
            subscription.disabled.is_none() && journal.holds(&stored::progress_key(subscription.id))
        };
        let due: HashMap<SubscriptionId, &Subscription> =
            subscriptions.iter().filter(is_due).map(|subscription| (subscription.id, subscription)).collect();
        let known: HashSet<SubscriptionId> = subscriptions.iter().map(|subscription| subscription.id).collect();
        let deleted = &mut self.deleted;
        self.running.retain(|id, running| {
            let stays = due.contains_key(id);
            if !stays {
                running.task.abort();
                deleted.extend((!known.contains(id)).then(|| (*id, Instant::now())));
            }
            stays
        });
        for (id, subscription) in due {
            match self.running.get(&id) {
                Some(running) if asked.contains(&stored::replay_key(id)) => running.nudge.notify_one(),
                Some(_) => {}
                None => {
                    let nudge = Arc::new(Notify::new());
                    let shared = Arc::clone(&self.shared);
                    let delivery = Delivery { shared, subscription: subscription.clone(), nudge: Arc::clone(&nudge) };
                    let task = self.tasks.spawn(deliver(id, delivery));
                    self.running.insert(id, Running { nudge, task });
                }
            }
        }
        gauge!("rabita_webhooks_running").set(u32::try_from(self.running.len()).unwrap_or(u32::MAX));
        self.forget_deleted().await
    }

    async fn forget_deleted(&mut self) -> Result<(), JournalError> {
        while let Some((id, _)) = self.deleted.first().filter(|(_, at)| at.elapsed() > LINGER) {
            stored::forget(&*self.shared.tail.journal, *id).await?;
            self.deleted.remove(0);
        }
        Ok(())
    }

    /// A delivery came to its end; if there is still need of it, it begins anew at the next look.
    fn ended(&mut self, ended: Option<(SubscriptionId, Result<(), Broken>)>) {
        let Some((id, result)) = ended else { return };
        if self.running.get(&id).is_some_and(|running| running.task.is_finished()) {
            self.running.remove(&id);
        }
        if let Err(error) = result {
            tracing::warn!(subscription = %id, %error, "a delivery of events broke off");
        }
    }
}

async fn deliver(id: SubscriptionId, delivery: Delivery) -> (SubscriptionId, Result<(), Broken>) {
    let result = delivery.run().await;
    if result.is_err() {
        // It begins anew as soon as it has ended, and the journal or the ledger may be away for a while.
        tokio::time::sleep(LOOK).await;
    }
    (id, result)
}
