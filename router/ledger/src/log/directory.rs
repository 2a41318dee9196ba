//! The directory of a log: for one user and one process at a time, and how files come into it.
//!
//! `checkpoint` and `tile/` are as C2SP tlog-tiles has them. `wal/` has the batches that are not in tiles yet,
//! `cosignatures` what witnesses signed, and `tmp/` files on their way.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::LogError;

pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const COSIGNATURES: &str = "cosignatures";
pub(super) const TILES: &str = "tile";
pub(super) const WAL: &str = "wal";
pub(super) const TMP: &str = "tmp";

/// So many files are made durable at one time.
const SYNCING: usize = 8;

/// The directory, as long as it is this process's. The system gives the lock back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The directory itself is locked: a file for that would be one more to account for.
    lock: File,
    /// How many files were put in their places: each is on its way under a name of its own.
    put: AtomicU64,
}

impl Directory {
    /// Makes the directory where it is not there, and takes it.
    pub(super) fn take(path: &Path) -> Result<Self, LogError> {
        let failed = |error: io::Error| unavailable(path, &error);
        prepare(path).map_err(failed)?;
        let lock = File::open(path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LogError::Unavailable(format!("another process has {}", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for inner in [TILES, WAL, TMP] {
            private_directory(&path.join(inner)).map_err(failed)?;
        }
        lock.sync_all().map_err(failed)?;
        Ok(Self { path: path.to_owned(), lock, put: AtomicU64::new(0) })
    }

    /// Gives the directory back, so that another may take it while this one is still read from.
    ///
    /// To close it is not enough: a process that is being started has it open too for a moment.
    pub(super) fn give_back(&self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the ledger's directory is not given back before the process ends");
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn wal(&self) -> PathBuf {
        self.path.join(WAL)
    }

    /// The bytes of a file; `None` where it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LogError> {
        let path = self.path.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&path, &error)),
        }
    }

    /// Puts files in their places, or others in theirs. When this returns all are durable; until then each is there as a
    /// whole, or as it was before.
    pub(super) fn put(&self, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<(), LogError> {
        let mut written = Vec::new();
        for (name, bytes) in files {
            let number = self.put.fetch_add(1, Ordering::Relaxed);
            let (from, to) = (self.path.join(TMP).join(number.to_string()), self.path.join(name));
            let file = write(&from, &bytes).map_err(|error| unavailable(&to, &error))?;
            written.push(Written { file, from, to });
        }
        sync_all(&written)?;
        let mut directories = BTreeSet::new();
        for Written { from, to, .. } in &written {
            let directory = to.parent().unwrap_or(&self.path);
            let made = make(&self.path, directory, &mut directories);
            made.and_then(|()| std::fs::rename(from, to)).map_err(|error| unavailable(to, &error))?;
        }
        directories.iter().try_for_each(|directory| sync(directory))
    }

    /// A new file of batches, which is durable as such.
    pub(super) fn new_batches(&self, name: &str) -> Result<File, LogError> {
        let path = self.wal().join(name);
        let made = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&path);
        let file = made.and_then(|file| file.sync_all().map(|()| file)).map_err(|error| unavailable(&path, &error))?;
        sync(&self.wal()).map(|()| file)
    }

    /// Removes what is in the way of nothing: it may come back after a crash.
    pub(super) fn remove(&self, path: &Path) -> Result<(), LogError> {
        let path = self.path.join(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes all partial tiles or bundles of a place but the one of this width, for good.
    pub(super) fn remove_partials(&self, directory: &Path, but: Option<u16>) -> Result<(), LogError> {
        let directory = self.path.join(directory);
        let but = but.map(|width| width.to_string());
        let failed = |error: io::Error| unavailable(&directory, &error);
        let files = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files.map_err(failed)?,
        };
        let mut is_changed = false;
        for file in files {
            let file = file.map_err(failed)?;
            if but.as_deref().is_none_or(|but| file.file_name() != but) {
                std::fs::remove_file(file.path()).map_err(failed)?;
                is_changed = true;
            }
        }
        match directory.parent() {
            Some(parent) if but.is_none() => std::fs::remove_dir(&directory).map_err(failed).and_then(|()| sync(parent)),
            _ if is_changed => sync(&directory),
            _ => Ok(()),
        }
    }

    /// Removes what was on its way when the process before ended.
    pub(super) fn clear_tmp(&self) -> Result<(), LogError> {
        let tmp = self.path.join(TMP);
        let clear = || {
            for file in std::fs::read_dir(&tmp)? {
                std::fs::remove_file(file?.path())?;
            }
            Ok(())
        };
        clear().map_err(|error| unavailable(&tmp, &error))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.give_back();
    }
}

pub(super) fn unavailable(path: &Path, error: &io::Error) -> LogError {
    LogError::Unavailable(format!("{}: {error}", path.display()))
}

/// A file on its way.
struct Written {
    file: File,
    from: PathBuf,
    to: PathBuf,
}

/// Side by side, since file systems make durable together what they are asked for at one time.
fn sync_all(written: &[Written]) -> Result<(), LogError> {
    let sync = |written: &Written| written.file.sync_all().map_err(|error| unavailable(&written.to, &error));
    if let [alone] = written {
        return sync(alone);
    }
    std::thread::scope(|scope| {
        let some = written.chunks(written.len().div_ceil(SYNCING).max(1));
        let syncing: Vec<_> = some.map(|some| scope.spawn(move || some.iter().try_for_each(sync))).collect();
        syncing.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })
}

/// Makes a directory below the root and those above it, and notes those whose content changes.
fn make(root: &Path, directory: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !changed.insert(directory.to_owned()) {
        return Ok(());
    }
    if directory.is_dir() || directory == root {
        return Ok(());
    }
    make(root, directory.parent().unwrap_or(root), changed)?;
    private_directory(directory)
}

fn sync(directory: &Path) -> Result<(), LogError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| unavailable(directory, &error))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn prepare(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        private_directory(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
    }
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
