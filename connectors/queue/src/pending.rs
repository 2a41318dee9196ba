//! The requests that wait for their replies, by correlation id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

/// The requests under way on one connection.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Uuid, oneshot::Sender<Bytes>>,
    late: u64,
}

/// A reply that is waited for, until this is dropped.
pub(crate) struct Expected {
    pub(crate) id: Uuid,
    pub(crate) reply: oneshot::Receiver<Bytes>,
    pending: Arc<Pending>,
}

impl Pending {
    /// Begins to wait for a reply.
    pub(crate) fn expect(self: &Arc<Self>) -> Expected {
        let id = Uuid::new_v4();
        let (sender, reply) = oneshot::channel();
        self.lock().waiting.insert(id, sender);
        Expected { id, reply, pending: Arc::clone(self) }
    }

    /// Hands a reply to whom it is for. One for which nobody waits any more is dropped and counted.
    pub(crate) fn deliver(&self, correlation: &str, body: Bytes) {
        let mut state = self.lock();
        let waiting = Uuid::try_parse(correlation).ok().and_then(|id| state.waiting.remove(&id));
        let is_late = waiting.is_none_or(|waiting| waiting.send(body).is_err());
        if is_late {
            state.late += 1;
            tracing::debug!(late = state.late, "a reply for which nobody waits here");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.pending.lock().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_reply_goes_to_its_own_request_and_a_late_one_to_nobody() {
        let pending = Arc::new(Pending::default());
        let (first, second, gone) = (pending.expect(), pending.expect(), pending.expect());
        let late = gone.id.to_string();
        drop(gone);
        pending.deliver(&late, Bytes::from_static(b"late"));
        pending.deliver("no id at all", Bytes::from_static(b"stray"));
        pending.deliver(&second.id.to_string(), Bytes::from_static(b"2"));
        pending.deliver(&first.id.to_string().to_uppercase(), Bytes::from_static(b"1"));
        assert_eq!(pending.lock().late, 2);
        let (mut first, mut second) = (first, second);
        assert_eq!((&mut first.reply).await.expect("a reply"), "1");
        assert_eq!((&mut second.reply).await.expect("a reply"), "2");
        drop((first, second));
        assert!(pending.lock().waiting.is_empty());
    }
}
