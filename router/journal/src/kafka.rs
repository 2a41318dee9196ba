//! The engine on Apache Kafka: many nodes, one journal.
//!
//! The topics ([`topics`]) are the truth. Every node reads all of them into a view on its own disk ([`view`],
//! [`follower`]), in the tables of the store, and answers from it; what it does not find it looks for once more when the
//! view is as new as the brokers ([`rounds`]). Updates are divided among the nodes by the partitions of their topics
//! ([`member`], [`held`]) and given out from the view ([`line`]). What a node writes about an update that is its own goes
//! into a transaction which the brokers refuse when the update is another's by now ([`transactions`]).
//!
//! The engine opens without the brokers. Until they answer and the topics are as they must be, and whenever the brokers
//! are lost, what needs them is refused as unavailable; it recovers by itself.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use rabita_model::{Conclusion, Entry, Event, Progress, RegistryId, SystemId, Update, UpdateId};
use rdkafka::producer::FutureProducer;
use rusqlite::Connection;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::embedded::directory::Directory;
use crate::embedded::settling::Settling;
use crate::embedded::{position, upkeep};
use crate::readers::Readers;
use crate::store::schema::{self, Durability};
use crate::store::{acts, claims, events, kept, listing, updates};
use crate::writer::{Writer, closed};
use crate::{
    Accepted, Acted, Claim, Depth, EventPage, Filter, Journal, JournalError, Kept, Lease, OperatorAct, Page, Position,
};

mod accepting;
mod client;
mod follower;
mod health;
mod held;
mod line;
mod member;
mod message;
mod operating;
mod options;
mod positions;
mod rounds;
mod setup;
mod topics;
mod transactions;
mod trimming;
mod view;

pub use options::{Mechanism, Options, Protocol, Security};

use client::Context;
use health::Health;
use held::{Held, Part};
use line::Lines;
use member::Member;
use message::{Outcome, Record};
use positions::Positions;
use topics::Topics;
use transactions::{Fence, Order};

/// So many connections read the view.
const READERS: u32 = 4;
/// So much work waits for the one thread that writes the view.
const QUEUE: usize = 1_024;
/// So long a caller waits for the view to come up with the brokers.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long one waits for what was committed to come back.
const RETURN: Duration = Duration::from_secs(30);
/// So long one waits before what failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// The name of the node, in the view.
const NODE: &str = "node";
/// The cluster that the view is of.
const CLUSTER: &str = "cluster";

/// A journal in the topics of a cluster.
#[derive(Debug)]
pub struct Kafka {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads and the callers share.
struct Shared {
    options: Options,
    runtime: Handle,
    /// This node's own name, for as long as its directory lasts.
    node: String,
    ground: OnceLock<Ground>,
    health: Health,
    held: Held,
    lines: Lines,
    positions: Positions,
    settling: Settling,
    news: watch::Sender<u64>,
    /// Not concluded, as counted last and accepted since.
    pending: AtomicU64,
    /// Of these it is open whether they were concluded.
    doubted: Mutex<HashSet<UpdateId>>,
    member: Mutex<Option<Arc<Member>>>,
    orders: mpsc::Sender<Order>,
    asked: mpsc::Sender<rounds::Asked>,
    ended: CancellationToken,
    // The readers are closed before the writer: the last connection that closes works the log into the file.
    readers: Readers,
    writer: Writer,
}

/// What is known once the brokers have answered.
struct Ground {
    topics: Topics,
    /// What positions of events bear.
    name: String,
    producer: FutureProducer<Context>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What the threads receive.
struct Inboxes {
    orders: mpsc::Receiver<Order>,
    asked: mpsc::Receiver<rounds::Asked>,
}

impl Kafka {
    /// Opens the journal, whether the brokers answer or not. Call it on a runtime; it goes on working there.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] where another process has the directory, or the disk fails.
    pub fn open(options: Options) -> Result<Self, JournalError> {
        let directory = Directory::take(&options.directory)?;
        let file = directory.file();
        let connection = open_view(&file)?;
        let node = node(&connection)?;
        let news = events::newest(&connection)?;
        let readers = Readers::open(&file, READERS)?;
        let mut kept = crate::embedded::Options::new(options.directory.clone(), options.clock.clone());
        kept.retention = options.retention.clone();
        let every = kept.upkeep_every;
        let writing = crate::writer::Options { queue: QUEUE, upkeep: upkeep::upkeep(&directory, &kept), every };
        let writer = Writer::open(connection, writing, directory)?;
        let (orders, orders_inbox) = mpsc::channel();
        let (asked, asked_inbox) = mpsc::channel();
        let shared = Arc::new(Shared {
            options,
            runtime: Handle::current(),
            node,
            ground: OnceLock::new(),
            health: Health::default(),
            held: Held::default(),
            lines: Lines::default(),
            positions: Positions::default(),
            settling: Settling::default(),
            news: watch::Sender::new(u64::try_from(news).unwrap_or(0)),
            pending: AtomicU64::new(0),
            doubted: Mutex::default(),
            member: Mutex::default(),
            orders,
            asked,
            ended: CancellationToken::new(),
            readers,
            writer,
        });
        let inboxes = Inboxes { orders: orders_inbox, asked: asked_inbox };
        let working = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("kafka".to_owned()).spawn(move || work(&working, inboxes));
        let thread = thread.map_err(|error| JournalError::Unavailable(error.to_string()))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.shared.ended.cancel();
    }
}

/// The view's file; a new one where what is there cannot be read, since all of it is in the topics.
fn open_view(file: &Path) -> Result<Connection, JournalError> {
    let open = || {
        let connection = schema::open(file, Durability::View)?;
        view::open(&connection)?;
        Ok(connection)
    };
    match open() {
        Err(JournalError::Corrupt(why)) => {
            tracing::warn!(why, "the view of the journal is built anew");
            for end in ["", "-wal", "-shm"] {
                let mut path = file.as_os_str().to_owned();
                path.push(end);
                // It may not be there; where it cannot be removed, opening it tells.
                let _ = std::fs::remove_file(path);
            }
            open()
        }
        opened => opened,
    }
}

fn node(connection: &Connection) -> Result<String, JournalError> {
    if let Some(node) = kept::mark(connection, NODE)? {
        return Ok(node);
    }
    let node = uuid::Uuid::new_v4().simple().to_string();
    kept::set_mark(connection, NODE, &node)?;
    Ok(node)
}

/// Waits for the brokers, then keeps everything going until the engine ends.
fn work(shared: &Arc<Shared>, Inboxes { orders, asked }: Inboxes) {
    let _on_runtime = shared.runtime.enter();
    while !shared.ended.is_cancelled() {
        match begin(shared) {
            Ok(()) => {
                shared.health.well(health::Part::Topics);
                break;
            }
            Err(why) => {
                shared.health.trouble(health::Part::Topics, why);
                shared.pause(AGAIN);
            }
        }
    }
    let Some(Ground { topics, .. }) = shared.ground.get() else { return };
    shared.runtime.spawn(trimming::run(Arc::clone(shared)));
    std::thread::scope(|scope| {
        scope.spawn(|| keep_going(shared, health::Part::Follower, || follower::run(shared, topics)));
        scope.spawn(|| keep_going(shared, health::Part::Member, || member::run(shared, topics)));
        scope.spawn(move || keep_going(shared, health::Part::Transactions, || transactions::run(shared, &orders)));
        keep_going(shared, health::Part::Brokers, || rounds::run(shared, topics, &asked));
    });
}

fn begin(shared: &Shared) -> Result<(), String> {
    let setup::Ground { topics, cluster } = setup::prepare(&shared.options)?;
    let mut name = cluster.clone();
    // A position is of letters and digits; an id is of more, and long.
    name.retain(|letter| letter.is_ascii_alphanumeric());
    name.truncate(8);
    let producer = client::writer(&shared.options).map_err(|error| error.to_string())?;
    let work = move |connection: &Connection| belong(connection, &cluster);
    shared.runtime.block_on(shared.writer.write(0, work, |()| {})).map_err(|error| error.to_string())?;
    // Set once: it is begun with success once.
    let _ = shared.ground.set(Ground { topics, name, producer });
    Ok(())
}

/// Makes the view one of this cluster.
fn belong(connection: &Connection, cluster: &str) -> Result<(), JournalError> {
    let known = kept::mark(connection, CLUSTER)?;
    if known.as_deref() == Some(cluster) {
        return Ok(());
    }
    if known.is_some() {
        tracing::warn!("the brokers are another cluster than before: the view of the journal is built anew");
        view::forget(connection)?;
    }
    kept::set_mark(connection, CLUSTER, cluster)
}

/// Begins a part of the engine again when it fails.
fn keep_going(shared: &Shared, part: health::Part, run: impl Fn() -> Result<(), JournalError>) {
    let _on_runtime = shared.runtime.enter();
    while !shared.ended.is_cancelled() {
        if let Err(error) = run() {
            shared.health.trouble(part, reason(&error));
            shared.pause(AGAIN);
        }
    }
}

/// What is in the way, without saying again that the journal is unavailable.
fn reason(error: &JournalError) -> String {
    match error {
        JournalError::Unavailable(why) | JournalError::Full(why) => why.clone(),
        error => error.to_string(),
    }
}

impl Shared {
    fn ground(&self) -> Result<&Ground, JournalError> {
        let absent = || self.health.check().err().unwrap_or_else(closed);
        self.ground.get().ok_or_else(absent)
    }

    fn topics(&self) -> Result<&Topics, JournalError> {
        self.ground().map(|ground| &ground.topics)
    }

    fn producer(&self) -> Result<&FutureProducer<Context>, JournalError> {
        self.health.check()?;
        self.ground().map(|ground| &ground.producer)
    }

    fn member(&self) -> Option<Arc<Member>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_member(&self, member: Option<Arc<Member>>) {
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = member;
    }

    /// Waits on a thread that has nothing else to do, unless the engine ends.
    fn pause(&self, pause: Duration) {
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ended.cancelled() => {}
            }
        });
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until the view is as new as the brokers are now, in the partitions that count.
    async fn current(&self, counts: impl Fn(&Part) -> bool) -> Result<(), JournalError> {
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
    async fn order(&self, records: impl Into<Vec<Record>>, fence: Option<Fence>) -> Result<(), JournalError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order { records: records.into(), fence, reply }).map_err(|_| closed())?;
        let ends = answer.await.map_err(|_| closed())??;
        self.positions.reach(&ends, RETURN).await
    }

    /// The partition that an update is in.
    fn part_of(&self, update: &Update) -> Result<Part, JournalError> {
        let topic = self.topic_of(self.topics()?, &update.target.registry)?;
        Ok((topic.name.clone(), topic.partition(&update.record)))
    }

    fn refuse_overflow(&self) -> Result<(), JournalError> {
        let pending = self.pending.load(Ordering::Relaxed);
        if pending >= self.options.pending_max {
            return Err(JournalError::Full(format!("{pending} updates wait")));
        }
        Ok(())
    }

    /// What a partition held is another's now.
    fn lose(&self, part: &Part) {
        self.held.lose(part);
        if let Some(registry) = self.registry_of(part) {
            self.lines.of(&registry).lost(part.1);
        }
    }

    /// Partitions are this node's now: their registries' lines begin anew.
    fn go_back<'a>(&self, parts: impl Iterator<Item = &'a Part>) {
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
    async fn write_as_holder(&self, lease: &Lease, records: Vec<Record>) -> Result<(), JournalError> {
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
    async fn standing(&self, lease: &Lease) -> Result<Entry, JournalError> {
        let id = lease.entry.update.id;
        if self.doubted().contains(&id) {
            self.current(|_| true).await?;
            self.doubted().remove(&id);
        }
        let found = self.readers.read(move |connection| updates::entry(connection, id)).await?;
        found.filter(|entry| entry.generation == lease.entry.generation).ok_or(JournalError::Lost)
    }

    fn doubted(&self) -> std::sync::MutexGuard<'_, HashSet<UpdateId>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        let question = move |connection: &Connection| updates::entry(connection, id);
        if let Some(entry) = self.readers.read(question).await? {
            return Ok(Some(entry));
        }
        self.current(|_| true).await?;
        self.readers.read(question).await
    }
}

#[async_trait]
impl Journal for Kafka {
    async fn claim(&self, system: &SystemId, idempotency_key: &str) -> Result<Option<Claim>, JournalError> {
        let (of, key) = (system.clone(), idempotency_key.to_owned());
        let question = move |connection: &Connection| claims::claim(connection, &of, &key);
        if let Some(claim) = self.shared.readers.read(question.clone()).await? {
            return Ok(Some(claim));
        }
        let topics = self.shared.topics()?;
        self.shared.current(|(topic, _)| *topic == topics.claims.name).await?;
        self.shared.readers.read(question).await
    }

    async fn accept(&self, update: Update) -> Result<Accepted, JournalError> {
        let accepted = self.shared.accept(update).await?;
        if accepted == Accepted::New {
            self.shared.pending.fetch_add(1, Ordering::Relaxed);
        }
        Ok(accepted)
    }

    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError> {
        self.shared.entry(id).await
    }

    async fn is_waiting(&self, registry: &RegistryId, record: &str) -> Result<bool, JournalError> {
        let topic = self.shared.topic_of(self.shared.topics()?, registry)?;
        let part: Part = (topic.name.clone(), topic.partition(record));
        self.shared.current(|end| *end == part).await?;
        let (registry, record) = (registry.clone(), record.to_owned());
        self.shared.readers.read(move |connection| updates::is_waiting(connection, &registry, &record)).await
    }

    async fn entries(&self, filter: &Filter) -> Result<Page, JournalError> {
        self.shared.refresh().await;
        let filter = filter.clone();
        self.shared.readers.read(move |connection| listing::entries(connection, &filter)).await
    }

    async fn settled(&self, id: UpdateId) -> Result<Entry, JournalError> {
        let waiting = self.shared.settling.wait(id);
        loop {
            // From here on nothing is missed, so what is read now need not be newer.
            let news = waiting.news();
            if let Some(entry) = self.entry(id).await?.filter(|entry| entry.is_parked || entry.conclusion.is_some()) {
                return Ok(entry);
            }
            tokio::select! {
                () = news => {}
                () = self.shared.ended.cancelled() => return Err(closed()),
            }
        }
    }

    async fn take(&self, registry: &RegistryId) -> Result<Lease, JournalError> {
        let shared = &self.shared;
        let line = shared.lines.of(registry);
        let next = async {
            let topic = loop {
                match shared.topics() {
                    Ok(topics) => break shared.topic_of(topics, registry)?,
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            };
            line.next(registry, topic, &shared.held, &shared.readers).await
        };
        tokio::select! {
            lease = next => lease,
            () = shared.ended.cancelled() => Err(closed()),
        }
    }

    async fn progress(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let entry = self.shared.standing(lease).await?;
        if entry.is_parked || entry.conclusion.is_some() {
            return Err(JournalError::Lost);
        }
        let (id, generation) = (lease.entry.update.id, lease.entry.generation);
        let outcome = Outcome::Progress { id, generation, progress };
        let records = vec![Record::outcome(self.shared.topics()?, id, &outcome)];
        self.shared.write_as_holder(lease, records).await
    }

    async fn conclude(&self, lease: &Lease, conclusion: Conclusion, events: Vec<Event>) -> Result<(), JournalError> {
        let entry = self.shared.standing(lease).await?;
        if let Some(before) = &entry.conclusion {
            return if *before == conclusion { Ok(()) } else { Err(JournalError::Lost) };
        }
        if entry.is_parked {
            return Err(JournalError::Lost);
        }
        let topics = self.shared.topics()?;
        let mut records = vec![Record::concluded(topics, entry, conclusion)];
        records.extend(events.iter().map(|event| Record::event(topics, event)));
        self.shared.write_as_holder(lease, records).await
    }

    async fn park(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError> {
        let mut entry = self.shared.standing(lease).await?;
        if entry.is_parked && entry.progress == progress {
            return Ok(());
        }
        if entry.is_parked || entry.conclusion.is_some() {
            return Err(JournalError::Lost);
        }
        entry.is_parked = true;
        entry.progress = progress;
        let records = vec![Record::parked(self.shared.topics()?, entry)];
        self.shared.write_as_holder(lease, records).await
    }

    async fn act(&self, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError> {
        self.shared.act(act).await
    }

    async fn acts(&self, limit: usize) -> Result<Vec<OperatorAct>, JournalError> {
        self.shared.refresh().await;
        self.shared.readers.read(move |connection| acts::acts(connection, limit)).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, JournalError> {
        self.shared.refresh().await;
        self.shared.readers.read(listing::depths).await
    }

    async fn events(&self, after: Option<&Position>, limit: usize) -> Result<EventPage, JournalError> {
        let name = &self.shared.ground()?.name;
        let after = after.map(|position| position::parse(name, position)).transpose()?;
        let found = match self.read_events(after, limit).await {
            // The position may be newer than the view, and there may be more than it has.
            Ok(found) if !found.events.is_empty() => found,
            Ok(_) | Err(JournalError::PositionInvalid) => {
                self.shared.current_events().await?;
                self.read_events(after, limit).await?
            }
            Err(error) => return Err(error),
        };
        let events = found.events.into_iter().map(|(seq, event)| (position::of(name, seq), event)).collect();
        Ok(EventPage { events, has_gap: found.has_gap })
    }

    async fn newest(&self) -> Result<Position, JournalError> {
        let name = &self.shared.ground()?.name;
        self.shared.current_events().await?;
        Ok(position::of(name, self.shared.readers.read(events::newest).await?))
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    async fn publish(&self, events: Vec<Event>, kept: Vec<Kept>) -> Result<(), JournalError> {
        self.shared.health.check()?;
        let topics = self.shared.topics()?;
        let records = events.iter().map(|event| Record::event(topics, event));
        let records: Vec<Record> = records.chain(kept.iter().map(|kept| Record::kept(topics, kept))).collect();
        self.shared.order(records, None).await
    }

    async fn kept(&self, prefix: &str) -> Result<Vec<(String, Value)>, JournalError> {
        let topics = self.shared.topics()?;
        self.shared.current(|(topic, _)| *topic == topics.kept.name).await?;
        let prefix = prefix.to_owned();
        self.shared.readers.read(move |connection| kept::kept(connection, &prefix)).await
    }

    fn holds(&self, duty: &str) -> bool {
        let Ok(topics) = self.shared.topics() else { return false };
        self.shared.held.has(&(topics.duties.name.clone(), topics.duties.partition(duty)))
    }

    fn health(&self) -> Result<(), String> {
        let ended = if self.shared.ended.is_cancelled() { Err(closed()) } else { Ok(()) };
        let trouble = || self.shared.writer.trouble().map_or(Ok(()), Err);
        ended.and_then(|()| self.shared.health.check()).and_then(|()| trouble()).map_err(|error| error.to_string())
    }

    async fn close(&self) {
        self.shared.ended.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has told on its own.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }
}

impl Kafka {
    async fn read_events(&self, after: Option<i64>, limit: usize) -> Result<position::Found, JournalError> {
        self.shared.readers.read(move |connection| position::events(connection, after, limit)).await
    }
}

impl Shared {
    /// Makes the view as new as the brokers, if they answer: lists are of use also when they are a little old.
    async fn refresh(&self) {
        if let Err(error) = self.current(|_| true).await {
            tracing::debug!(%error, "a list may be old");
        }
    }

    async fn current_events(&self) -> Result<(), JournalError> {
        let topics = self.topics()?;
        self.current(|(topic, _)| *topic == topics.events.name).await
    }
}
