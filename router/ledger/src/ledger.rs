//! The ledger as the node has it: facts in, receipts out.
//!
//! [`Ledger::record`] is on the way of every answer, so it does as little as it can: the entry is made by the task that
//! asks, the log is written by a thread of its own, and the index follows behind.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rabita_keys::SigningKey;
use rabita_model::AgencyId;
use tokio::task::JoinHandle;

use crate::entry::{Entry, Fact};
use crate::error::LedgerError;
use crate::hold::Hold;
use crate::index::Index;
use crate::log::proof::Hash;
use crate::log::{ENTRY_MAX, Log, LogOptions};
use crate::period::{Keeper, KeyName, Period};
use crate::seal::Keys;
use crate::vault::{KeyState, Tombstone, Vault};

mod compose;
mod retention;

use retention::Retention;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a ledger is opened.
#[derive(Clone)]
pub struct Options {
    /// Made where it is not there. One process has it at a time.
    pub directory: PathBuf,
    /// The log's name, of its own for each node.
    pub origin: String,
    /// Signs checkpoints. An Ed25519 key, the same as long as the log lives.
    pub key: Arc<SigningKey>,
    /// For how long one pseudonym key serves.
    pub period: Period,
    /// After how many months the pseudonym keys of an agency are destroyed. Those of an agency that is not named, and the
    /// bus's own, are destroyed by order only.
    pub keep_months: BTreeMap<AgencyId, u32>,
    /// For how long another rule of [`Ledger::retain`] has to stand before it counts: what it destroys cannot be brought
    /// back, and a file can be read half written.
    pub rule_stands: Duration,
    /// Tells when keys are outlived.
    pub clock: Clock,
}

/// Where the entry of an exchange is. As text it is what the header `Rabita-Receipt` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The name of the log.
    pub origin: Arc<str>,
    /// The first entry has 0.
    pub index: u64,
    pub leaf: Hash,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\";index={};leaf=:{}:", self.origin, self.index, STANDARD.encode(self.leaf))
    }
}

/// A ledger that is open.
pub struct Ledger {
    origin: Arc<str>,
    pub(crate) log: Arc<Log>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) index: Arc<Index>,
    retention: Retention,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    // Dropped last: nothing of it is used after the directory was given back.
    hold: Hold,
}

impl Ledger {
    /// Opens a ledger, or begins one. Blocks, and must be called within a runtime, which does what goes on behind it.
    ///
    /// # Errors
    /// [`LedgerError::Held`] where another process has it; [`LedgerError::Log`] where the log is damaged;
    /// [`LedgerError::Vault`] where the keys cannot be read.
    pub fn open(options: Options) -> Result<Self, LedgerError> {
        let hold = Hold::take(&options.directory)?;
        let origin: Arc<str> = options.origin.as_str().into();
        let log = LogOptions { directory: options.directory.join("log"), origin: options.origin, key: options.key };
        let log = Arc::new(Log::open(log)?);
        let vault = Arc::new(Vault::open(options.directory.join("keys"), options.period)?);
        let index = Arc::new(Index::open(options.directory.join("index.sqlite"), Arc::clone(&log), Arc::clone(&vault))?);
        let retention = Retention::new(options.clock, options.keep_months, options.rule_stands);
        let tasks = vec![
            tokio::spawn(Arc::clone(&index).follow()),
            tokio::spawn(retention.clone().keep(Arc::clone(&vault), Arc::clone(&index))),
        ];
        Ok(Self { origin, log, vault, index, retention, tasks: Mutex::new(tasks), hold })
    }

    /// Records what happened. It is durable when this returns.
    ///
    /// # Errors
    /// Where it cannot be recorded: then what it is about must not be answered. It may stand in the log all the same.
    pub async fn record(&self, fact: Fact) -> Result<Receipt, LedgerError> {
        let (before, last) = match fact {
            Fact::Exchange(fact) => {
                let (name, keys) = self.keys_for(compose::keeper(fact.about.as_ref()), fact.at).await?;
                let (more, entry) = compose::exchange(*fact, name, &keys)?;
                (more, Entry::Exchange(Box::new(entry)))
            }
            Fact::Events(fact) => {
                let (name, keys) = self.keys_for(compose::keeper(fact.about.as_ref()), fact.at).await?;
                let (more, entry) = compose::exchange(*fact, name, &keys)?;
                (more, Entry::Events(Box::new(entry)))
            }
            Fact::Conclusion(fact) => {
                let (name, keys) = self.keys_for(compose::keeper(Some(&fact.about)), fact.at).await?;
                let (more, entry) = compose::conclusion(*fact, name, &keys)?;
                (more, Entry::Conclusion(Box::new(entry)))
            }
            Fact::Configuration(fact) => compose::configuration(fact),
            Fact::Act(fact) => (Vec::new(), Entry::Act(compose::act(fact))),
        };
        for entry in before {
            self.append(&entry).await?;
        }
        self.append(&last).await
    }

    /// The log below: checkpoints, tiles, proofs.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// # Errors
    /// Why nothing can be recorded at this time.
    pub fn health(&self) -> Result<(), String> {
        self.log.health()
    }

    /// How many entries cannot be found yet by what they are about.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.index.behind()
    }

    /// Sets after how many months the keys of agencies are destroyed, in place of what [`Options::keep_months`] said, once it
    /// has stood for [`Options::rule_stands`].
    pub fn retain(&self, keep_months: BTreeMap<AgencyId, u32>) {
        self.retention.set(keep_months);
    }

    /// The pseudonym keys that there are, and those that were.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyState> {
        self.vault.states()
    }

    /// Destroys a pseudonym key: what it was used for can no longer be found or opened. That cannot be undone. Whoever
    /// orders it records it as an act of theirs. `false` where it was destroyed before.
    ///
    /// # Errors
    /// [`LedgerError::Vault`] where the disk does not do what it is told; a tombstone that stands is honoured at the next
    /// start.
    pub async fn destroy(&self, key: KeyName, why: &str) -> Result<bool, LedgerError> {
        let tombstone = Tombstone { at: self.retention.now(), why: why.to_owned() };
        let (vault, index) = (Arc::clone(&self.vault), Arc::clone(&self.index));
        blocking(move || {
            let is_destroyed = vault.destroy(&key, tombstone)?;
            index.forget(&key)?;
            Ok(is_destroyed)
        })
        .await
    }

    /// Writes what waits and gives the directory back.
    pub async fn close(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.index.close();
        self.log.close().await;
        self.hold.release();
    }

    async fn keys_for(&self, keeper: Keeper, at: Timestamp) -> Result<(KeyName, Arc<Keys>), LedgerError> {
        if let Some(found) = self.vault.at_hand(&keeper, at) {
            return Ok(found);
        }
        let vault = Arc::clone(&self.vault);
        blocking(move || vault.for_writing(keeper, at)).await
    }

    async fn append(&self, entry: &Entry) -> Result<Receipt, LedgerError> {
        let bytes = entry.to_bytes();
        if bytes.len() > ENTRY_MAX {
            return Err(LedgerError::TooLong(bytes.len()));
        }
        let appended = self.log.append(bytes).await?;
        Ok(Receipt { origin: Arc::clone(&self.origin), index: appended.index, leaf: appended.leaf })
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.index.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("log", &self.log).finish_non_exhaustive()
    }
}

/// Does what blocks on a thread where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LedgerError::Closed)?
}
