//! Why the ledger does not do what it was asked.

use crate::entry::UnreadableEntry;
use crate::log::LogError;
use crate::period::KeyName;
use crate::seal::NoRandom;

/// Why the ledger does not do what it was asked. No text of these holds personal data.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The log cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another process has the directory.
    #[error("another process has the ledger")]
    Held,
    /// The directory cannot be made or taken.
    #[error("the directory of the ledger cannot be used: {0}")]
    Directory(String),
    /// A pseudonym key cannot be kept, or cannot be read.
    #[error("the pseudonym keys cannot be used: {0}")]
    Vault(String),
    /// No key could be made.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The index cannot be read. It is being built anew where that helps.
    #[error("the index of the ledger cannot be used: {0}")]
    Index(String),
    /// What was to be recorded is longer than an entry.
    #[error("an entry of {0} bytes is too long for the ledger")]
    TooLong(usize),
    /// An entry of the log does not read as one.
    #[error("entry {index}: {error}")]
    Unreadable { index: u64, error: UnreadableEntry },
    /// The ledger has no entry of it.
    #[error("the ledger has no such entry")]
    Absent,
    /// Its key was destroyed, so nobody can tell any more whom it was about.
    #[error("the key {0} was destroyed: what it opened is forgotten")]
    Forgotten(KeyName),
    /// The cursor is not one that this ledger gave.
    #[error("the cursor is not one that the ledger gave")]
    Cursor,
    /// What was written for others to keep could not be written.
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] std::io::Error),
    /// The work was given up because the node stops.
    #[error("the ledger is closed")]
    Closed,
}
