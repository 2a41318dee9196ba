//! How far this node's view has come in each partition.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::JournalError;
use crate::kafka::held::Part;

/// For each partition the offset after the last message that is in the view.
#[derive(Debug)]
pub(super) struct Positions {
    reached: Mutex<HashMap<Part, i64>>,
    moved: watch::Sender<u64>,
}

impl Default for Positions {
    fn default() -> Self {
        Self { reached: Mutex::default(), moved: watch::Sender::new(0) }
    }
}

impl Positions {
    /// The view has come so far. It never goes back.
    pub(super) fn advance(&self, parts: impl IntoIterator<Item = (Part, i64)>) {
        let mut has_moved = false;
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        for (part, offset) in parts {
            let known = reached.entry(part).or_insert(0);
            if *known < offset {
                *known = offset;
                has_moved = true;
            }
        }
        drop(reached);
        if has_moved {
            self.moved.send_modify(|count| *count += 1);
        }
    }

    /// Whether somebody waits for the view.
    pub(super) fn is_awaited(&self) -> bool {
        self.moved.receiver_count() > 0
    }

    pub(super) fn of(&self, part: &Part) -> i64 {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).get(part).copied().unwrap_or(0)
    }

    /// Waits until the view has come so far everywhere.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] when it does not in time.
    pub(super) async fn reach(&self, parts: &[(Part, i64)], within: Duration) -> Result<(), JournalError> {
        let mut moved = self.moved.subscribe();
        let wait = async {
            loop {
                moved.borrow_and_update();
                if self.has_reached(parts) {
                    return;
                }
                if moved.changed().await.is_err() {
                    // The sender is in this value, so it is there as long as it is borrowed.
                    return;
                }
            }
        };
        let late = |_| JournalError::Unavailable("the node's view is behind the brokers".to_owned());
        tokio::time::timeout(within, wait).await.map_err(late)
    }

    fn has_reached(&self, parts: &[(Part, i64)]) -> bool {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().all(|(part, offset)| *offset <= 0 || reached.get(part).is_some_and(|known| known >= offset))
    }
}
