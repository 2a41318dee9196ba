//! How much room the disk has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::JournalError;

/// Refuses what is new while the disk has less room than the reserve, so that what was taken on can be ended.
#[derive(Debug, Clone)]
pub(super) struct Room {
    directory: Arc<PathBuf>,
    reserve_bytes: u64,
}

impl Room {
    pub(super) fn new(directory: &Path, reserve_bytes: u64) -> Self {
        Self { directory: Arc::new(directory.to_owned()), reserve_bytes }
    }

    /// Asks the system, which knows it without asking the disk.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let disk = rustix::fs::statvfs(self.directory.as_path())
            .map_err(|error| JournalError::Unavailable(format!("{}: {error}", self.directory.display())))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.reserve_bytes {
            return Err(JournalError::Full(format!("{free} bytes are free, {} are in reserve", self.reserve_bytes)));
        }
        Ok(())
    }
}
