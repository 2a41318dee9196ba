//! The directory of a ledger: for one user, and for one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::LedgerError;

const LOCK: &str = "lock";

/// The directory, as long as it is this process's. The system gives the lock back when the process ends, however it ends.
pub(crate) struct Hold(File);

impl Hold {
    /// Makes the directory where it is not there, and takes it.
    pub(crate) fn take(directory: &Path) -> Result<Self, LedgerError> {
        let file = || -> io::Result<File> {
            private_directory(directory)?;
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(directory.join(LOCK))
        };
        let fault = |error: io::Error| LedgerError::Directory(format!("{}: {error}", directory.display()));
        let file = file().map_err(fault)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LedgerError::Held),
            Err(TryLockError::Error(error)) => Err(fault(error)),
        }
    }

    /// Gives the directory back.
    pub(crate) fn release(&self) {
        // To close the file is not enough: a process that is being started has it open too for a moment.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the ledger's directory is not given back before the process ends");
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

/// Makes a directory and those that it lies in, where they are not there, so that they survive the loss of power.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_directory(parent)?;
    DirBuilder::new().mode(0o700).create(path)?;
    sync(parent)
}

/// Makes durable which files a directory has.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
