//! The engine on Apache Kafka: many nodes, one journal.
//!
//! The topics ([`topics`]) are the truth. Every node reads all of them into a view on its own disk ([`view`],
//! [`follower`]), in the tables of the store, and answers from it; what it does not find it looks for once more when the
//! view is as new as the brokers ([`rounds`]). Updates are divided among the nodes by the partitions of their topics
//! ([`member`], [`held`]) and given out from the view ([`line`]). What a node writes about an update that is its own goes
//! into a transaction which the brokers refuse when the update is another's by now ([`transactions`]). The calls themselves
//! are in [`mod@journal`], the steps that they are made of in [`shared`].
//!
//! The engine opens without the brokers. Until they answer and the topics are as they must be, and whenever the brokers
//! are lost, what needs them is refused as unavailable; it recovers by itself.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::JournalError;
use crate::embedded::directory::Directory;
use crate::embedded::settling::Settling;
use crate::embedded::upkeep;
use crate::readers::Readers;
use crate::store::events;
use crate::writer::Writer;

mod accepting;
mod client;
mod file;
mod follower;
mod health;
mod held;
mod journal;
mod line;
mod member;
mod message;
mod operating;
mod options;
mod positions;
mod rounds;
mod setup;
mod shared;
mod topics;
mod transactions;
mod trimming;
mod view;

pub use options::{Mechanism, Options, Protocol, Security};

use health::Health;
use held::Held;
use line::Lines;
use positions::Positions;
use shared::{Ground, Shared};
use transactions::Order;

/// So many connections read the view.
const READERS: u32 = 4;
/// So much work waits for the one thread that writes the view.
const QUEUE: usize = 1_024;
/// So long a caller waits for the view to come up with the brokers.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long one waits before what failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// A journal in the topics of a cluster.
#[derive(Debug)]
pub struct Kafka {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let connection = file::open_view(&file)?;
        let node = file::node(&connection)?;
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
    let work = move |connection: &Connection| file::belong(connection, &cluster);
    shared.runtime.block_on(shared.writer.write(0, work, |()| {})).map_err(|error| error.to_string())?;
    // Set once: it is begun with success once.
    let _ = shared.ground.set(Ground { topics, name, producer });
    Ok(())
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
