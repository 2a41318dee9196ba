//! Connections for the calls of a registry: as many at once as it bears, and those that are sound are used again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rabita_sdk::{Call, Failure};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::double::Directory;
use crate::link::{Bounds, Dial, Idle, Link};

/// A connection that was idle for longer may have been forgotten by whatever stands between.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Where connections lead.
pub(crate) enum Target {
    Server(Box<Dial>),
    /// A stand-in in this process.
    Double(Directory, Bounds),
}

pub(crate) struct Pool {
    target: Target,
    connect_timeout: Duration,
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
    turns: Semaphore,
    is_closed: AtomicBool,
}

/// A call's turn: it holds one of the connections that the registry bears.
pub(crate) struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(target: Target, connect_timeout: Duration, concurrency: usize, idle_max: usize) -> Self {
        let turns = Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { target, connect_timeout, idle: Mutex::default(), idle_max, turns, is_closed: AtomicBool::new(false) }
    }

    /// Waits for the call's turn.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, Failure> {
        let permit = self.turns.acquire().await.map_err(|_| closed())?;
        Ok(Turn { _permit: permit })
    }

    /// A connection: one that is idle, unless a new one is wanted.
    pub(crate) async fn link(&self, call: &Call, is_new: bool) -> Result<Link, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        while let Some(idle) = if is_new { None } else { self.pop() } {
            let is_young = idle.since.elapsed() < IDLE_MAX;
            if let Some(link) = idle.link.again().filter(|_| is_young) {
                return Ok(link);
            }
        }
        match &self.target {
            Target::Double(directory, bounds) => Ok(directory.link(*bounds)),
            Target::Server(dial) => match tokio::time::timeout(self.connect_timeout, dial.link()).await {
                Ok(link) => link,
                Err(_) if call.remaining().is_zero() => Err(Failure::timed_out("the deadline passed while connecting")),
                Err(_) => Err(Failure::unavailable("no connection to the directory in `connect_timeout_ms`")),
            },
        }
    }

    /// Takes a connection back. One on which something is under way is ended, and with it what the directory does.
    pub(crate) fn give(&self, link: Link) {
        if !link.is_sound() || self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.idle_max {
            idle.push(Idle { link, since: Instant::now() });
        }
    }

    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.turns.close();
        while let Some(idle) = self.pop() {
            idle.link.unbind().await;
        }
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

fn closed() -> Failure {
    Failure::unavailable("the connector is closed")
}
