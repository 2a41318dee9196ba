//! Whether the engine can do its work; if not, why.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::JournalError;

/// A part of the engine that can be in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The topics, until they are as they must be.
    Topics,
    /// Whether the brokers answer.
    Brokers,
    /// Reading the topics into the view.
    Follower,
    /// The seat in the group.
    Member,
    /// Writing transactions.
    Transactions,
}

/// What is in the way.
#[derive(Debug)]
pub(super) struct Health(Mutex<BTreeMap<Part, String>>);

impl Default for Health {
    fn default() -> Self {
        // Each says by itself that it is well, once it is.
        let parts = [Part::Topics, Part::Brokers, Part::Follower];
        Self(Mutex::new(parts.map(|part| (part, "the brokers were not asked yet".to_owned())).into()))
    }
}

impl Health {
    /// A part is in trouble. Told once for each reason.
    pub(super) fn trouble(&self, part: Part, why: String) {
        let mut troubles = self.troubles();
        if troubles.get(&part) != Some(&why) {
            tracing::error!(?part, why, "the journal is in trouble");
        }
        troubles.insert(part, why);
    }

    /// A part is well.
    pub(super) fn well(&self, part: Part) {
        if self.troubles().remove(&part).is_some() {
            tracing::info!(?part, "the journal is well again");
        }
    }

    /// # Errors
    /// What is in the way.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        self.troubles().values().next().map_or(Ok(()), |why| Err(JournalError::Unavailable(why.clone())))
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<Part, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
