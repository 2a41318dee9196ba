//! Logs to try things on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::note::SignatureKind;
use rabita_ledger::log::{Log, LogError, LogOptions, VerifierKey};
use tempfile::TempDir;

pub const ORIGIN: &str = "bus.example/ledger/one";

/// A key, and a directory that is gone in the end.
pub struct Scratch {
    directory: TempDir,
    pub key: Arc<SigningKey>,
}

impl Scratch {
    pub fn new() -> Self {
        Self { directory: TempDir::new().expect("a scratch directory"), key: Arc::new(key("log")) }
    }

    /// As [`Scratch::new`], in memory where there is such a file system: for what opens very many logs.
    pub fn in_memory() -> Self {
        let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a scratch directory");
        Self { directory, key: Arc::new(key("log")) }
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, SignatureKind::Ed25519, self.key.verifying()).expect("a verifier")
    }

    pub fn try_open(&self, directory: &Path) -> Result<Log, LogError> {
        Log::open(LogOptions { directory: directory.to_owned(), origin: ORIGIN.to_owned(), key: Arc::clone(&self.key) })
    }

    pub fn open(&self) -> Log {
        self.try_open(&self.log()).expect("opens")
    }

    /// A closed log with so many entries, of a few batches.
    pub async fn closed(&self, entries: u64) {
        let log = Arc::new(self.open());
        fill(&log, 0, entries).await;
        log.close().await;
    }
}

pub fn key(name: &str) -> SigningKey {
    SigningKey::generate(name, Algorithm::Ed25519).expect("a key").0
}

/// What is appended as the `number`th: of different lengths, the first empty.
pub fn entry(number: u64) -> Vec<u8> {
    let length = usize::try_from(number % 7).expect("is small");
    format!("{number}:{}", "x".repeat(length)).into_bytes()[usize::from(number == 0) * 2..].to_vec()
}

/// Appends the entries from one number up to another, in their order and many at a time.
pub async fn fill(log: &Arc<Log>, from: u64, to: u64) {
    let appending: Vec<_> = (from..to)
        .map(|number| {
            let log = Arc::clone(log);
            // Each task is polled once in order, which is when the entry takes its place.
            tokio::spawn(async move { log.append(entry(number)).await.expect("is appended").index })
        })
        .collect();
    for task in appending {
        task.await.expect("no panic");
    }
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for file in std::fs::read_dir(from).expect("a directory") {
        let file = file.expect("a file");
        let target = to.join(file.file_name());
        if file.file_type().expect("a kind").is_dir() {
            copy(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).expect("is copied");
        }
    }
}

/// All files below, in order.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(directory).expect("a directory") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
