//! The index: finds entries by exchange, by person, by agency, and counts them. It can always be built anew from the log.
//!
//! It follows the log in batches, some behind it; whoever asks waits for it for a moment. It is never believed: what it
//! finds is read from the log and held against the question. Where it turns out to be wrong, it is built anew.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Notify, watch};

use crate::error::LedgerError;
use crate::ledger::blocking;
use crate::log::Log;
use crate::period::KeyName;
use crate::vault::Vault;

pub(crate) mod batch;
pub(crate) mod question;
mod store;

use batch::Batch;
use store::Store;

/// What the log takes within this time is indexed together, so that a page of the file is written once for many entries.
/// Whoever asks does not wait for it.
const PAUSE: Duration = Duration::from_millis(500);
/// After this time the index is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// So long a question waits for the index to have what was recorded before it.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many entries are indexed in one transaction.
const BATCH_MAX: u64 = 8_192;

/// The index of one log.
pub(crate) struct Index {
    path: PathBuf,
    log: Arc<Log>,
    vault: Arc<Vault>,
    /// `None` after it was closed, and while it cannot be built anew.
    store: Mutex<Option<Store>>,
    readers: RwLock<()>,
    indexed: watch::Sender<u64>,
    hurry: Notify,
    is_closing: AtomicBool,
    is_doubted: AtomicBool,
}

impl Index {
    /// Opens the index of a log, or begins one where there is none that fits the log. Blocks.
    pub(crate) fn open(path: PathBuf, log: Arc<Log>, vault: Arc<Vault>) -> Result<Self, LedgerError> {
        let (store, indexed) = match Store::open(&path, &log) {
            Ok(found) => found,
            Err(reason) => {
                tracing::info!(%reason, "the index of the ledger is built anew");
                (Store::begin(&path, &log)?, 0)
            }
        };
        // A key may have been destroyed while the index could not be written.
        let destroyed: Vec<KeyName> =
            vault.states().into_iter().filter(|state| state.destroyed.is_some()).map(|state| state.key).collect();
        store.forget(&destroyed).map_err(|error| LedgerError::Index(error.to_string()))?;
        Ok(Self {
            path,
            log,
            vault,
            store: Mutex::new(Some(store)),
            readers: RwLock::default(),
            indexed: watch::Sender::new(indexed),
            hurry: Notify::new(),
            is_closing: AtomicBool::new(false),
            is_doubted: AtomicBool::new(false),
        })
    }

    /// How many entries of the log it does not have yet.
    pub(crate) fn behind(&self) -> u64 {
        self.log.checkpoint().size.saturating_sub(*self.indexed.borrow())
    }

    /// Follows the log until the log ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut grown = self.log.grown();
        loop {
            let size = *grown.borrow_and_update();
            if *self.indexed.borrow() < size || self.is_doubted.load(Ordering::Acquire) {
                let this = Arc::clone(&self);
                if let Err(error) = blocking(move || this.catch_up()).await {
                    tracing::warn!(%error, "the index of the ledger could not be written");
                    tokio::time::sleep(RETRY).await;
                }
            } else {
                tokio::select! {
                    () = self.hurry.notified() => continue,
                    changed = grown.changed() => if changed.is_err() { return },
                }
            }
            tokio::select! {
                () = self.hurry.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Asks, once the index has all that the log had before; after a moment, of what it has.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Clone + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.wait().await;
        match self.ask_once(question.clone()).await? {
            Err(error) if is_wrong(&error) => {
                self.doubt(&error);
                self.wait().await;
                self.ask_once(question).await?.map_err(|error| LedgerError::Index(error.to_string()))
            }
            answer => answer.map_err(|error| LedgerError::Index(error.to_string())),
        }
    }

    /// Waits a moment for the index to have all that the log has now. Whoever asks is told how far behind it is.
    async fn wait(&self) {
        let size = self.log.checkpoint().size;
        if *self.indexed.borrow() < size {
            self.hurry.notify_one();
            let mut indexed = self.indexed.subscribe();
            let _ = tokio::time::timeout(PATIENCE, indexed.wait_for(|indexed| *indexed >= size)).await;
        }
    }

    async fn ask_once<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<rusqlite::Result<T>, LedgerError> {
        let this = Arc::clone(self);
        let ask = move || {
            let _among_others = this.readers.read().unwrap_or_else(PoisonError::into_inner);
            store::open_to_read(&this.path).and_then(|connection| question(&connection))
        };
        blocking(move || Ok(ask())).await
    }

    /// Forgets whom the entries of a destroyed key are about. Blocks.
    pub(crate) fn forget(&self, key: &KeyName) -> Result<(), LedgerError> {
        match self.store().as_ref() {
            Some(store) => store.forget(std::slice::from_ref(key)).map_err(|error| LedgerError::Index(error.to_string())),
            None => Ok(()),
        }
    }

    /// Says that the index is wrong: it is built anew.
    pub(crate) fn doubt(&self, reason: &dyn fmt::Display) {
        tracing::error!(%reason, "the index of the ledger is wrong: it is built anew");
        self.is_doubted.store(true, Ordering::Release);
        self.indexed.send_replace(0);
        self.hurry.notify_one();
    }

    /// Ends following, and closes the file.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.store().take();
    }

    fn store(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Indexes all that the log has. Blocks.
    fn catch_up(&self) -> Result<(), LedgerError> {
        if self.is_doubted.load(Ordering::Acquire) {
            self.begin_anew()?;
        }
        while !self.is_closing.load(Ordering::Acquire) {
            let from = *self.indexed.borrow();
            // Held from here, so that nothing is put that a key which is destroyed meanwhile opened.
            let mut store = self.store();
            let batch = self.batch(from)?;
            if batch.is_empty() {
                break;
            }
            let Some(store) = store.as_mut() else { break };
            if let Err(error) = store.put(&batch) {
                if is_wrong(&error) {
                    self.doubt(&error);
                }
                return Err(LedgerError::Index(error.to_string()));
            }
            self.indexed.send_replace(batch.size());
        }
        Ok(())
    }

    fn begin_anew(&self) -> Result<(), LedgerError> {
        let mut store = self.store();
        if self.is_closing.load(Ordering::Acquire) {
            return Ok(());
        }
        // Who reads while the file is replaced could hold what is gone, or keep what is new from being made.
        let _alone = self.readers.write().unwrap_or_else(PoisonError::into_inner);
        *store = None;
        *store = Some(Store::begin(&self.path, &self.log)?);
        self.indexed.send_replace(0);
        self.is_doubted.store(false, Ordering::Release);
        Ok(())
    }

    fn batch(&self, from: u64) -> Result<Batch, LedgerError> {
        let mut batch = Batch::after(from);
        while batch.size() - from < BATCH_MAX {
            let entries = self.log.entries(batch.size())?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                batch.add(&entry, &self.vault)?;
            }
        }
        batch.sort();
        Ok(batch)
    }
}

/// Whether an index that answers so has to be built anew; a disk that is full or fails is no reason.
fn is_wrong(error: &rusqlite::Error) -> bool {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OperationInterrupted, OutOfMemory, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(CannotOpen) | None => true,
        Some(code) => !matches!(
            code,
            DatabaseBusy | DatabaseLocked | DiskFull | OperationInterrupted | OutOfMemory | ReadOnly | SystemIoFailure
        ),
    }
}
