//! The connections to one database: as many as the registry's `concurrency`, and threads for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_relational::backend::{Pool, Session};
use rabita_relational::doubt::Doubt;
use rabita_sdk::{Call, Failure};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::link::OdbcLink;
use crate::value;
use crate::worker::{Target, Worker};

/// A connection is not used for longer than this: drivers and what lies between forget some.
const LIFETIME: Duration = Duration::from_secs(1800);

/// The connections.
pub(crate) struct OdbcPool {
    shared: Arc<Shared>,
}

/// What the connections in use share with the pool.
pub(crate) struct Shared {
    target: Arc<Target>,
    idle: Mutex<Vec<Worker>>,
    /// One for each connection that may be in use.
    turns: Arc<Semaphore>,
    /// One for each thread: also for those that nobody waits for any more, while their driver still does.
    threads: Arc<Semaphore>,
    doubt: Doubt,
}

impl OdbcPool {
    pub(crate) fn new(target: Target, concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let shared = Shared {
            target: Arc::new(target),
            idle: Mutex::new(Vec::new()),
            turns: Arc::new(Semaphore::new(concurrency)),
            threads: Arc::new(Semaphore::new(concurrency * 4 + 16)),
            doubt: Doubt::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Pool for OdbcPool {
    async fn session(&self, call: &Call) -> Result<Session, Failure> {
        if call.remaining().is_zero() {
            return Err(Failure::timed_out("the deadline had passed before the database was asked"));
        }
        let shared = &self.shared;
        let patience = shared.target.connect_timeout.min(call.remaining());
        let taking = shared.take();
        match tokio::time::timeout(patience, taking).await {
            Ok(Ok((worker, turn))) => {
                let dialect = worker.dialect;
                Ok(Session::new(Box::new(OdbcLink::new(worker, turn, Arc::clone(shared))), dialect))
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) if call.remaining().is_zero() => {
                Err(Failure::timed_out("the deadline passed while a connection was waited for; nothing was sent"))
            }
            Err(_) if shared.threads.available_permits() == 0 => Err(Failure::unavailable(
                "too many connections hang in the ODBC driver: the database answers it nothing, and it can't be stopped",
            )),
            Err(_) => Err(Failure::unavailable("no connection to the database in time")),
        }
    }

    async fn close(&self) {
        self.shared.turns.close();
        self.shared.threads.close();
        self.shared.idle().clear();
    }
}

impl Shared {
    async fn take(&self) -> Result<(Worker, OwnedSemaphorePermit), Failure> {
        let closed = |_| Failure::unavailable("the connector is closed");
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        loop {
            let Some(worker) = self.idle().pop() else { break };
            if worker.opened.elapsed() < LIFETIME && self.lives(&worker).await {
                return Ok((worker, turn));
            }
        }
        let slot = Arc::clone(&self.threads).acquire_owned().await.map_err(closed)?;
        Ok((Worker::open(Arc::clone(&self.target), slot).await?, turn))
    }

    /// Whether an idle connection still works, asked only where there is doubt.
    async fn lives(&self, worker: &Worker) -> bool {
        if !self.doubt.asks(worker.used.elapsed()) {
            return true;
        }
        let probe = worker.dialect.probe();
        worker.run(move |attached| value::run(attached, probe)).await.is_ok()
    }

    /// Takes a connection back that works.
    pub(crate) fn give_back(&self, mut worker: Worker) {
        worker.used = Instant::now();
        if !self.turns.is_closed() {
            self.idle().push(worker);
        }
    }

    /// A connection broke, so the others may have too.
    pub(crate) fn raise_doubt(&self) {
        self.doubt.raise();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
