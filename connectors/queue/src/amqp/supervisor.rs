//! Keeps one connection: makes it when it is wanted first, and anew when it breaks.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rabita_sdk::Failure;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::link::Link;
use super::open::Opener;

/// The one who keeps the connection.
pub(super) struct Supervisor {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
enum State {
    /// There is none, for this reason, after so many attempts.
    Down(Arc<str>, u64),
    Opening,
    Open(Arc<Link>),
}

/// Attempts begin no closer to each other, however many calls want one.
const PACE: Duration = Duration::from_millis(50);
/// Without a call that wants it, the next attempt waits so long, and twice as long each time, up to the most.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

impl Supervisor {
    pub(super) fn start(opener: Opener) -> Self {
        let (sender, state) = watch::channel(State::Down("not connected yet".into(), 0));
        let wanted = Arc::new(Notify::new());
        let task = tokio::spawn(keep(opener, sender, Arc::clone(&wanted)));
        Self { state, wanted, task }
    }

    /// The connection. Where there is none, an attempt is made, and its end waited for.
    pub(super) async fn link(&self) -> Result<Arc<Link>, Failure> {
        let mut state = self.state.clone();
        let mut seen = None;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Open(link) if link.is_sound() => return Ok(link),
                // It is let go of now: what no call can be sent on is no connection.
                State::Open(link) => link.life.ended.cancel(),
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

    pub(super) async fn close(&self) {
        self.task.abort();
        let now = self.state.borrow().clone();
        if let State::Open(link) = now {
            link.close().await;
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
        if let State::Open(link) = &*self.state.borrow() {
            link.life.ended.cancel();
        }
    }
}

async fn keep(opener: Opener, state: watch::Sender<State>, wanted: Arc<Notify>) {
    let mut attempts = 0;
    let mut backoff = BACKOFF_FIRST;
    wanted.notified().await;
    loop {
        let began = Instant::now();
        state.send_replace(State::Opening);
        attempts += 1;
        match opener.open().await {
            Ok(link) => {
                let ended = link.life.ended.clone();
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
