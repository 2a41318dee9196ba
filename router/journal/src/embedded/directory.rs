//! The directory: for one user, and for one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::JournalError;

const LOCK: &str = "lock";
const STORE: &str = "journal.db";

/// The directory, as long as it is this process's. The system gives the lock back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Directory {
    /// Makes the directory where it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, JournalError> {
        prepare(path).map_err(|error| unavailable(path, &error))?;
        let lock = private(&path.join(LOCK)).map_err(|error| unavailable(path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Unavailable(format!("another process has the journal in {}", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(path, &error)),
        }
        // SQLite gives its other files the mode of this one.
        private(&path.join(STORE)).and_then(|_| File::open(path)?.sync_all()).map_err(|error| unavailable(path, &error))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The store's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// The store's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(format!("{STORE}-wal"))
    }
}

impl Drop for Directory {
    /// To close the file is not enough: a process that is being started has it open too for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the journal's directory is not given back before the process ends");
        }
    }
}

fn prepare(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
    }
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

fn unavailable(path: &Path, error: &io::Error) -> JournalError {
    JournalError::Unavailable(format!("{}: {error}", path.display()))
}
