//! The one thread that writes to a store, many changes at a time.
//!
//! Callers hand over work and wait. The thread takes all that is there, does it in one transaction, commits, and only then
//! tells the callers: what a commit costs is shared by all that wait for it. Work that fails does not harm its
//! neighbours: the transaction is undone and each is done again by itself.
//!
//! Between the transactions the thread does upkeep: what [`Writer::open`] was given for it.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::JournalError;

/// At most so much work in one transaction,
const BATCH: usize = 1_000;
/// and no more once it has so many bytes.
pub const BATCH_BYTES: usize = 8 << 20;

/// What is done between transactions, when it is time. Answers whether there is more to do at once.
pub type Upkeep = Box<dyn FnMut(&mut Connection) -> Result<bool, JournalError> + Send>;

/// How a writer works.
pub struct Options {
    /// So much work waits at most; who comes then waits for a place.
    pub queue: usize,
    /// What is done between transactions,
    pub upkeep: Upkeep,
    /// and how often.
    pub every: Duration,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("queue", &self.queue).field("every", &self.every).finish_non_exhaustive()
    }
}

/// The way to the thread. Cheap to share.
#[derive(Debug)]
pub struct Writer {
    places: Arc<Semaphore>,
    sender: Mutex<Option<Sender<Queued>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<Option<JournalError>>>,
}

/// Work and its place in the queue.
struct Queued {
    job: Box<dyn Job>,
    weight: usize,
    _place: OwnedSemaphorePermit,
}

/// Work that the thread does.
trait Job: Send {
    /// Does it, within a transaction. It may be done again after the transaction was undone.
    fn run(&mut self, connection: &Connection) -> Result<(), JournalError>;
    /// Tells what came of it: after the commit, or after it was undone.
    fn told(self: Box<Self>, outcome: Result<(), JournalError>);
}

impl Writer {
    /// Starts the thread on a connection. `guard` is dropped when the connection is closed: a lock, for instance.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(connection: Connection, options: Options, guard: impl Send + 'static) -> Result<Self, JournalError> {
        let (sender, receiver) = channel();
        let trouble = Arc::new(Mutex::new(None));
        let mut worker =
            Worker { connection, receiver, trouble: Arc::clone(&trouble), upkeep: options.upkeep, every: options.every };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            worker.work();
            drop(worker);
            drop(guard);
        });
        let thread = thread.map_err(|error| JournalError::Unavailable(error.to_string()))?;
        Ok(Self {
            places: Arc::new(Semaphore::new(options.queue)),
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            trouble,
        })
    }

    /// Does the work in a transaction and, once that is committed, `after`, then answers. Both are done even when nobody
    /// waits for the answer any more. `weight` says about how many bytes are written.
    ///
    /// The work MUST leave the store as it was where it answers a refusal as its value; where it answers an error, the
    /// writer sees to that.
    ///
    /// # Errors
    /// The work's own; [`JournalError::Unavailable`] when the commit fails, or after [`Writer::close`].
    pub async fn write<T, W, A>(&self, weight: usize, work: W, after: A) -> Result<T, JournalError>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Result<T, JournalError> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work, after, result: None, reply });
        self.sender().as_ref().and_then(|sender| sender.send(Queued { job, weight, _place: place }).ok()).ok_or_else(closed)?;
        answer.await.map_err(|_| closed())?
    }

    /// The failure of the last transaction, until one succeeds.
    #[must_use]
    pub fn trouble(&self) -> Option<JournalError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does what waits, closes the connection and ends the thread.
    pub async fn close(&self) {
        self.places.close();
        if let Some(thread) = self.hang_up() {
            // A thread that panicked has told on its own.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn hang_up(&self) -> Option<JoinHandle<()>> {
        self.sender().take();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn sender(&self) -> std::sync::MutexGuard<'_, Option<Sender<Queued>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that whoever opens the store next finds it free.
    fn drop(&mut self) {
        if let Some(thread) = self.hang_up() {
            let _ = thread.join();
        }
    }
}

/// What every call answers after the end.
pub(crate) fn closed() -> JournalError {
    JournalError::Unavailable("it is closed".to_owned())
}

struct Task<T, W, A> {
    work: W,
    after: A,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, JournalError>>,
}

impl<T, W, A> Job for Task<T, W, A>
where
    T: Send,
    W: FnMut(&Connection) -> Result<T, JournalError> + Send,
    A: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), JournalError> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn told(self: Box<Self>, outcome: Result<(), JournalError>) {
        let Self { after, result, reply, .. } = *self;
        let answer = outcome.map(|()| result.expect("work that was committed was done"));
        if let Ok(result) = &answer {
            after(result);
        }
        // Who does not wait any more needs no answer.
        let _ = reply.send(answer);
    }
}

/// The thread's own.
struct Worker {
    connection: Connection,
    receiver: Receiver<Queued>,
    trouble: Arc<Mutex<Option<JournalError>>>,
    upkeep: Upkeep,
    every: Duration,
}

impl Worker {
    fn work(&mut self) {
        let mut due = Instant::now();
        loop {
            let pause = due.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(pause) {
                Ok(first) => self.batch(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= due {
                due = self.keep_up();
            }
        }
    }

    /// Does upkeep once and says when the next is due.
    fn keep_up(&mut self) -> Instant {
        match (self.upkeep)(&mut self.connection) {
            Ok(true) => Instant::now(),
            Ok(false) => Instant::now() + self.every,
            Err(error) => {
                tracing::warn!(%error, "the journal's upkeep failed");
                Instant::now() + self.every
            }
        }
    }

    fn batch(&mut self, first: Queued) {
        let mut weight = first.weight;
        let mut batch = vec![first];
        while batch.len() < BATCH && weight < BATCH_BYTES {
            let Ok(next) = self.receiver.try_recv() else { break };
            weight += next.weight;
            batch.push(next);
        }
        let outcome = self.transact(&mut batch);
        match outcome {
            Err(_) if batch.len() > 1 => {
                for queued in batch {
                    let mut one = [queued];
                    let outcome = self.transact(&mut one);
                    self.tell(one, outcome);
                }
            }
            outcome => self.tell(batch, outcome),
        }
    }

    /// One transaction: all or nothing.
    fn transact(&mut self, batch: &mut [Queued]) -> Result<(), JournalError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for queued in &mut *batch {
            queued.job.run(&transaction)?;
        }
        Ok(transaction.commit()?)
    }

    fn tell(&self, batch: impl IntoIterator<Item = Queued>, outcome: Result<(), JournalError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = outcome.clone().err();
        for queued in batch {
            queued.job.told(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests;
