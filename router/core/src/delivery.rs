//! Delivery: brings a registry's updates out of the journal to the registry, and their outcomes back.
//!
//! One task for each registry. It takes updates from the journal into a bounded memory, sorts them by record, and tries
//! the first of each record, so that the updates of one record are applied in the order of acceptance and those of
//! different records side by side. What becomes of one try is the business of [`attempt`](mod@attempt).

mod attempt;
mod confirm;
mod ending;
mod held;
mod prepare;
mod recorded;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use rabita_journal::JournalError;
use rabita_model::UpdateId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use attempt::Post;
use held::{Held, Step};
pub use recorded::Recorder;

/// Delivers until told to stop, and then until what is under way has ended: what a registry was asked should be written
/// down. Dropped, it is as after a crash.
pub(crate) async fn run(post: Post, stops: CancellationToken) {
    let post = Arc::new(post);
    let (registry, journal) = (&post.registry, &post.journal);
    let id = registry.id.clone();
    let in_flight = registry.limits.updates_in_flight();
    let room = registry.limits.updates.waiting.max(in_flight);
    let mut desk = Desk::default();
    let mut tries: JoinSet<Tried> = JoinSet::new();
    let mut taking = journal.take(&id);
    loop {
        let now = Instant::now();
        desk.wake(now);
        while tries.len() < in_flight && !stops.is_cancelled() && desk.pause(now).is_none() {
            let Some(held) = desk.next() else { break };
            tries.spawn(tried(Arc::clone(&post), held));
        }
        tokio::select! {
            taken = &mut taking, if desk.held < room && !stops.is_cancelled() => {
                match taken {
                    Ok(lease) => desk.admit(Held::new(lease, post.clock.now(), &post.registry.limits.updates)),
                    Err(error) => refuse(&id, &error).await,
                }
                taking = journal.take(&id);
            }
            Some(tried) = tries.join_next(), if !tries.is_empty() => match tried {
                Ok(tried) => desk.settle(tried, Instant::now()),
                Err(error) => tracing::error!(registry = %id, %error, "a delivery was cancelled"),
            },
            () = desk.until_next(now), if !stops.is_cancelled() => {}
            () = stops.cancelled(), if tries.is_empty() || !stops.is_cancelled() => {
                if tries.is_empty() {
                    return;
                }
            }
        }
    }
}

/// A journal that gives nothing is asked again in a while.
async fn refuse(registry: &rabita_model::RegistryId, error: &JournalError) {
    tracing::warn!(%registry, %error, "the journal gives no updates");
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Tries an update. One that makes this code panic must not take those behind it along.
async fn tried(post: Arc<Post>, held: Held) -> Tried {
    let record = held.lease.entry.update.record.clone();
    let spare = Held::new(held.lease.clone(), post.clock.now(), &post.registry.limits.updates);
    match AssertUnwindSafe(post.attempt(held)).catch_unwind().await {
        Ok((held, step)) => Tried { record, held, step },
        Err(_) => {
            tracing::error!(update = %spare.lease.entry.update.id, "a delivery broke off: this is a defect of the bus");
            Tried { record, held: spare, step: Step::Later(BROKEN_PAUSE) }
        }
    }
}

const BROKEN_PAUSE: Duration = Duration::from_secs(60);

/// A try that ended.
struct Tried {
    record: String,
    held: Held,
    step: Step,
}

/// The updates in memory, by record. The first of each record is ready, in hand, or waits for its time.
#[derive(Default)]
struct Desk {
    records: HashMap<String, VecDeque<Held>>,
    ready: VecDeque<String>,
    later: BinaryHeap<Reverse<(Instant, String)>>,
    /// How many are here or in hand.
    held: usize,
    paused_until: Option<Instant>,
}

impl Desk {
    fn admit(&mut self, held: Held) {
        self.held += 1;
        let record = held.lease.entry.update.record.clone();
        let wait = held.wait();
        match self.records.entry(record.clone()) {
            std::collections::hash_map::Entry::Occupied(mut queue) => queue.get_mut().push_back(held),
            std::collections::hash_map::Entry::Vacant(queue) => {
                queue.insert(VecDeque::from([held]));
                self.line_up(record, wait);
            }
        }
    }

    fn line_up(&mut self, record: String, wait: Duration) {
        if wait.is_zero() {
            self.ready.push_back(record);
        } else {
            self.later.push(Reverse((Instant::now() + wait, record)));
        }
    }

    /// Takes the first of a record in hand. Its queue stays, so that no other of the record is taken.
    fn next(&mut self) -> Option<Held> {
        while let Some(record) = self.ready.pop_front() {
            if let Some(held) = self.records.get_mut(&record).and_then(VecDeque::pop_front) {
                return Some(held);
            }
        }
        None
    }

    fn settle(&mut self, tried: Tried, now: Instant) {
        let Tried { record, held, step } = tried;
        match step {
            Step::Gone => self.follow(record, None),
            Step::Parked => self.follow(record, Some(held.lease.entry.update.id)),
            Step::Later(wait) => self.put_back(record, held, wait),
            Step::Pause(wait) => {
                self.paused_until = Some(now + wait);
                self.put_back(record, held, Duration::ZERO);
            }
        }
    }

    fn put_back(&mut self, record: String, held: Held, wait: Duration) {
        self.records.entry(record.clone()).or_default().push_front(held);
        self.line_up(record, wait);
    }

    /// Lines up what comes after an update that has left, which must not overtake it where it was parked.
    fn follow(&mut self, record: String, parked: Option<UpdateId>) {
        self.held -= 1;
        let Some(queue) = self.records.get_mut(&record) else { return };
        let Some(next) = queue.front_mut() else {
            self.records.remove(&record);
            return;
        };
        if parked.is_some() {
            next.lease.behind = parked;
        }
        let wait = next.wait();
        self.line_up(record, wait);
    }

    /// Lines up what has waited long enough.
    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((at, _))) = self.later.peek() {
            if *at > now {
                break;
            }
            if let Some(Reverse((_, record))) = self.later.pop() {
                self.ready.push_back(record);
            }
        }
    }

    /// How long the registry is still left alone.
    fn pause(&self, now: Instant) -> Option<Duration> {
        self.paused_until.and_then(|until| until.checked_duration_since(now)).filter(|pause| !pause.is_zero())
    }

    /// Waits until there may be something to do without anything else happening.
    async fn until_next(&self, now: Instant) {
        let woken = self.later.peek().map(|Reverse((at, _))| *at);
        let resumed = self.pause(now).filter(|_| !self.ready.is_empty()).map(|pause| now + pause);
        match woken.into_iter().chain(resumed).min() {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}
