//! Keeps one connection: makes it when it is wanted first, and anew when it breaks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use rabita_sdk::Failure;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Makes connections to a broker.
#[async_trait]
pub(crate) trait Open: Send + Sync + 'static {
    type Link: Link;

    /// # Errors
    /// Why there is none.
    async fn open(&self) -> Result<Arc<Self::Link>, String>;
}

/// A connection to a broker.
#[async_trait]
pub(crate) trait Link: Send + Sync + 'static {
    /// Cancelled when it is of no use any more; to cancel it ends the connection.
    fn ended(&self) -> &CancellationToken;

    /// Whether requests can be sent on it.
    fn is_sound(&self) -> bool {
        !self.ended().is_cancelled()
    }

    /// Says farewell to the broker.
    async fn close(&self);
}

/// The one who keeps the connection.
pub(crate) struct Supervisor<L: Link> {
    state: watch::Receiver<State<L>>,
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
}

enum State<L> {
    /// There is none, for this reason, after so many attempts.
    Down(Arc<str>, u64),
    Opening,
    Open(Arc<L>),
}

impl<L> Clone for State<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Down(why, attempts) => Self::Down(Arc::clone(why), *attempts),
            Self::Opening => Self::Opening,
            Self::Open(link) => Self::Open(Arc::clone(link)),
        }
    }
}

/// Attempts begin no closer to each other, however many calls want one.
const PACE: Duration = Duration::from_millis(50);
/// Without a call that wants it, the next attempt waits so long, and twice as long each time, up to the most.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

impl<L: Link> Supervisor<L> {
    pub(crate) fn start(opener: impl Open<Link = L>) -> Self {
        let (sender, state) = watch::channel(State::Down("not connected yet".into(), 0));
        let wanted = Arc::new(Notify::new());
        let task = tokio::spawn(keep(opener, sender, Arc::clone(&wanted)));
        Self { state, wanted, task }
    }

    /// The connection. Where there is none, an attempt is made, and its end waited for.
    pub(crate) async fn link(&self) -> Result<Arc<L>, Failure> {
        let mut state = self.state.clone();
        let mut seen = None;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Open(link) if link.is_sound() => return Ok(link),
                // It is let go of now: what no call can be sent on is no connection.
                State::Open(link) => link.ended().cancel(),
                State::Down(why, attempts) if seen.is_some_and(|seen| attempts > seen) => {
                    return Err(Failure::unavailable(why.to_string()));
                }
                State::Down(_, attempts) => {
                    seen = Some(attempts);
                    self.wanted.notify_one();
                }
                // An attempt that is under way when the call comes is as good as one of its own.
                State::Opening => seen = seen.or(Some(0)),
            }
            if state.changed().await.is_err() {
                return Err(Failure::unavailable("the connector is closed"));
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.task.abort();
        while !self.task.is_finished() {
            tokio::task::yield_now().await;
        }
        let now = self.state.borrow().clone();
        if let State::Open(link) = now {
            link.close().await;
        }
    }
}

impl<L: Link> Drop for Supervisor<L> {
    fn drop(&mut self) {
        self.task.abort();
        if let State::Open(link) = &*self.state.borrow() {
            link.ended().cancel();
        }
    }
}

async fn keep<O: Open>(opener: O, state: watch::Sender<State<O::Link>>, wanted: Arc<Notify>) {
    let mut attempts = 0;
    let mut backoff = BACKOFF_FIRST;
    wanted.notified().await;
    loop {
        let began = Instant::now();
        state.send_replace(State::Opening);
        attempts += 1;
        match opener.open().await {
            Ok(link) => {
                let ended = link.ended().clone();
                state.send_replace(State::Open(link));
                // Whoever wanted one has it.
                let _ = wanted.notified().now_or_never();
                ended.cancelled().await;
                tracing::debug!("the connection to the broker broke");
                state.send_replace(State::Down("the connection broke".into(), attempts));
                backoff = BACKOFF_FIRST;
            }
            Err(why) => {
                tracing::debug!(why, attempts, "no connection to the broker");
                state.send_replace(State::Down(why.into(), attempts));
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
        tokio::select! {
            () = wanted.notified() => {}
            () = tokio::time::sleep(backoff) => {}
        }
        tokio::time::sleep_until(began + PACE).await;
    }
}
