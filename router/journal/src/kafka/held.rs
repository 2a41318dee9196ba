//! Which partitions are this node's at the moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// A partition of a topic.
pub(super) type Part = (String, i32);

/// The partitions that the group gave to this node.
#[derive(Debug, Default)]
pub(super) struct Held {
    parts: Mutex<HashMap<Part, Holding>>,
}

#[derive(Debug)]
struct Holding {
    /// Cancelled when the partition is another's.
    lost: CancellationToken,
    /// Whether the view has all that the holder before wrote.
    is_ready: bool,
}

impl Held {
    /// The partition is this node's from now on. Answers what is cancelled when it is no longer.
    pub(super) fn gain(&self, part: Part) -> CancellationToken {
        let lost = CancellationToken::new();
        let before = self.parts().insert(part, Holding { lost: lost.clone(), is_ready: false });
        if let Some(before) = before {
            before.lost.cancel();
        }
        lost
    }

    /// The partition may be given out from, if it was not lost since it was gained.
    pub(super) fn ready(&self, part: &Part, gained: &CancellationToken) {
        if let Some(holding) = self.parts().get_mut(part).filter(|_| !gained.is_cancelled()) {
            holding.is_ready = true;
        }
    }

    /// The partition is another's.
    pub(super) fn lose(&self, part: &Part) {
        if let Some(holding) = self.parts().remove(part) {
            holding.lost.cancel();
        }
    }

    /// All of them are others'.
    pub(super) fn lose_all(&self) {
        for (_, holding) in self.parts().drain() {
            holding.lost.cancel();
        }
    }

    /// Whether it is this node's.
    pub(super) fn has(&self, part: &Part) -> bool {
        self.parts().contains_key(part)
    }

    /// What is cancelled when the partition is lost; `None` where nothing may be given out from it.
    pub(super) fn lost(&self, part: &Part) -> Option<CancellationToken> {
        self.parts().get(part).filter(|holding| holding.is_ready).map(|holding| holding.lost.clone())
    }

    /// Those that may be given out from.
    pub(super) fn all_ready(&self) -> Vec<Part> {
        self.parts().iter().filter(|(_, holding)| holding.is_ready).map(|(part, _)| part.clone()).collect()
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<Part, Holding>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_was_lost_meanwhile_does_not_become_ready() {
        let held = Held::default();
        let part = ("t".to_owned(), 0);
        let first = held.gain(part.clone());
        held.lose(&part);
        held.gain(part.clone());
        held.ready(&part, &first);
        assert!(first.is_cancelled());
        assert!(held.has(&part) && held.lost(&part).is_none());
    }
}
