//! Who waits for which update to be parked or concluded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rabita_model::UpdateId;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Those who wait, by what they wait for. As many as callers wait, and no more.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    waiting: Mutex<HashMap<UpdateId, Arc<Notify>>>,
}

impl Settling {
    /// Waits for news of an update, until the result is dropped.
    pub(crate) fn wait(&self, id: UpdateId) -> Waiting<'_> {
        let notify = Arc::clone(self.waiting().entry(id).or_default());
        Waiting { settling: self, id, notify }
    }

    /// Tells those who wait for it.
    pub(crate) fn tell(&self, id: UpdateId) {
        if let Some(notify) = self.waiting().get(&id) {
            notify.notify_waiters();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<UpdateId, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    settling: &'a Settling,
    id: UpdateId,
    notify: Arc<Notify>,
}

impl Waiting<'_> {
    /// Ends with the first news after this call.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.settling.waiting();
        // The map's and this one's: nobody else waits for it. None can come while the map is held.
        if Arc::strong_count(&self.notify) == 2 {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_nothing_of_those_who_left() {
        let settling = Settling::default();
        let id = UpdateId::new(uuid::Uuid::now_v7());
        let (first, second) = (settling.wait(id), settling.wait(id));
        let news = second.news();
        drop(first);
        settling.tell(id);
        news.await;
        drop(second);
        assert!(settling.waiting().is_empty());
    }
}
