//! What the threads and the callers of the engine share, and the steps of which the calls are made.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use rabita_model::{Entry, RegistryId, Update, UpdateId};
use rdkafka::producer::FutureProducer;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::embedded::settling::Settling;
use crate::kafka::client::Context;
use crate::kafka::health::Health;
use crate::kafka::held::{Held, Part};
use crate::kafka::line::Lines;
use crate::kafka::member::Member;
use crate::kafka::message::Record;
use crate::kafka::options::Options;
use crate::kafka::positions::Positions;
use crate::kafka::topics::Topics;
use crate::kafka::transactions::{Fence, Order};
use crate::kafka::{PATIENCE, rounds};
use crate::readers::Readers;
use crate::store::updates;
use crate::writer::{Writer, closed};
use crate::{JournalError, Lease};

/// So long one waits for what was committed to come back.
const RETURN: Duration = Duration::from_secs(30);

/// What the threads and the callers share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) runtime: Handle,
    /// This node's own name, for as long as its directory lasts.
    pub(super) node: String,
    pub(super) ground: OnceLock<Ground>,
    pub(super) health: Health,
    pub(super) held: Held,
    pub(super) lines: Lines,
    pub(super) positions: Positions,
    pub(super) settling: Settling,
    pub(super) news: watch::Sender<u64>,
    /// Not concluded, as counted last and accepted since.
    pub(super) pending: AtomicU64,
    /// Of these it is open whether they were concluded.
    pub(super) doubted: Mutex<HashSet<UpdateId>>,
    pub(super) member: Mutex<Option<Arc<Member>>>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) asked: mpsc::Sender<rounds::Asked>,
    pub(super) ended: CancellationToken,
    // The readers are closed before the writer: the last connection that closes works the log into the file.
    pub(super) readers: Readers,
    pub(super) writer: Writer,
}

/// What is known once the brokers have answered.
pub(super) struct Ground {
    pub(super) topics: Topics,
    /// What positions of events bear.
    pub(super) name: String,
    pub(super) producer: FutureProducer<Context>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn ground(&self) -> Result<&Ground, JournalError> {
        let absent = || self.health.check().err().unwrap_or_else(closed);
        self.ground.get().ok_or_else(absent)
    }

    pub(super) fn topics(&self) -> Result<&Topics, JournalError> {
        self.ground().map(|ground| &ground.topics)
    }

    pub(super) fn producer(&self) -> Result<&FutureProducer<Context>, JournalError> {
        self.health.check()?;
        self.ground().map(|ground| &ground.producer)
    }

    pub(super) fn member(&self) -> Option<Arc<Member>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_member(&self, member: Option<Arc<Member>>) {
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = member;
    }

    /// Waits on a thread that has nothing else to do, unless the engine ends.
    pub(super) fn pause(&self, pause: Duration) {
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ended.cancelled() => {}
            }
        });
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until the view is as new as the brokers are now, in the partitions that count.
    pub(super) async fn current(&self, counts: impl Fn(&Part) -> bool) -> Result<(), JournalError> {
        self.health.check()?;
        let (reply, answer) = oneshot::channel();
        self.asked.send(reply).map_err(|_| closed())?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let late = |_| JournalError::Unavailable("the brokers do not answer in time".to_owned());
        let ends = answer.map_err(late)?.map_err(|_| closed())??;
        let wanted: Vec<(Part, i64)> = ends.iter().filter(|(part, _)| counts(part)).cloned().collect();
        self.positions.reach(&wanted, PATIENCE).await
    }

    /// Writes records in a transaction and waits until they are in the view.
    pub(super) async fn order(&self, records: impl Into<Vec<Record>>, fence: Option<Fence>) -> Result<(), JournalError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order { records: records.into(), fence, reply }).map_err(|_| closed())?;
        let ends = answer.await.map_err(|_| closed())??;
        self.positions.reach(&ends, RETURN).await
    }

    /// The partition that an update is in.
    pub(super) fn part_of(&self, update: &Update) -> Result<Part, JournalError> {
        let topic = self.topic_of(self.topics()?, &update.target.registry)?;
        Ok((topic.name.clone(), topic.partition(&update.record)))
    }

    pub(super) fn refuse_overflow(&self) -> Result<(), JournalError> {
        let pending = self.pending.load(Ordering::Relaxed);
        if pending >= self.options.pending_max {
            return Err(JournalError::Full(format!("{pending} updates wait")));
        }
        Ok(())
    }

    /// What a partition held is another's now.
    pub(super) fn lose(&self, part: &Part) {
        self.held.lose(part);
        if let Some(registry) = self.registry_of(part) {
            self.lines.of(&registry).lost(part.1);
        }
    }

    /// Partitions are this node's now: their registries' lines begin anew.
    pub(super) fn go_back<'a>(&self, parts: impl Iterator<Item = &'a Part>) {
        let registries: HashSet<RegistryId> = parts.filter_map(|part| self.registry_of(part)).collect();
        for registry in registries {
            self.lines.of(&registry).again(1);
        }
    }

    /// The registry that a partition's updates are of.
    fn registry_of(&self, part: &Part) -> Option<RegistryId> {
        let topics = self.topics().ok()?;
        topics.updates.iter().find(|(_, topic)| topic.name == part.0).map(|(registry, _)| registry.clone())
    }

    /// What the holder of a lease writes; refused where the lease is lost.
    pub(super) async fn write_as_holder(&self, lease: &Lease, records: Vec<Record>) -> Result<(), JournalError> {
        if lease.lost.is_cancelled() {
            return Err(JournalError::Lost);
        }
        let fence = Fence { part: self.part_of(&lease.entry.update)?, lost: lease.lost.clone() };
        let written = self.order(records, Some(fence)).await;
        if matches!(written, Err(JournalError::Unavailable(_))) {
            self.doubted().insert(lease.entry.update.id);
        }
        written
    }

    /// How the update of a lease stands. After a failure it is open what was done, so the brokers are asked.
    pub(super) async fn standing(&self, lease: &Lease) -> Result<Entry, JournalError> {
        let id = lease.entry.update.id;
        if self.doubted().contains(&id) {
            self.current(|_| true).await?;
            self.doubted().remove(&id);
        }
        let found = self.readers.read(move |connection| updates::entry(connection, id)).await?;
        found.filter(|entry| entry.generation == lease.entry.generation).ok_or(JournalError::Lost)
    }

    fn doubted(&self) -> MutexGuard<'_, HashSet<UpdateId>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        let question = move |connection: &Connection| updates::entry(connection, id);
        if let Some(entry) = self.readers.read(question).await? {
            return Ok(Some(entry));
        }
        self.current(|_| true).await?;
        self.readers.read(question).await
    }

    /// Makes the view as new as the brokers, if they answer: lists are of use also when they are a little old.
    pub(super) async fn refresh(&self) {
        if let Err(error) = self.current(|_| true).await {
            tracing::debug!(%error, "a list may be old");
        }
    }

    pub(super) async fn current_events(&self) -> Result<(), JournalError> {
        let topics = self.topics()?;
        self.current(|(topic, _)| *topic == topics.events.name).await
    }
}
