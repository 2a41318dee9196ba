//! How the embedded engine is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::Retention;

/// Tells the time, for what is kept for a time. It orders nothing.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How the embedded engine is opened.
#[derive(Clone)]
pub struct Options {
    /// Where it keeps what it knows. Made where it is not there; for the node's user alone.
    pub directory: PathBuf,
    /// So much of the disk is left free by updates, for their outcomes.
    pub reserve_bytes: u64,
    /// So many updates wait at most, parked ones among them.
    pub pending_max: u64,
    pub retention: Retention,
    pub clock: Clock,
    /// How often what was kept for long enough is forgotten.
    pub upkeep_every: Duration,
}

impl Options {
    /// What holds where the configuration says nothing.
    #[must_use]
    pub fn new(directory: PathBuf, clock: Clock) -> Self {
        Self {
            directory,
            reserve_bytes: 64 << 20,
            pending_max: 10_000_000,
            retention: Retention::default(),
            clock,
            upkeep_every: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("directory", &self.directory).finish_non_exhaustive()
    }
}
