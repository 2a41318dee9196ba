//! A log: entries in the order in which they came, under a Merkle tree as RFC 9162 has it, in files as C2SP tlog-tiles has
//! them, with checkpoints as signed notes.
//!
//! An entry is durable when [`Log::append`] returns: one thread ([`writer`]) writes what is there as a batch, with a
//! signed checkpoint at its end and one `fdatasync` for all of it. Another ([`sealer`]) turns batches into tiles and bundles
//! in the background; [`recovery`] puts a log together again after any end. [`verify`] finds what was changed.
//!
//! It knows bytes alone: what an entry says is [`crate::entry`]'s. `router/ledger/SPEC.md` says what holds. Start with
//! [`Log`].

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod tile;
pub mod verify;

mod batch;
mod cosignatures;
mod directory;
mod frontier;
mod reading;
mod recovery;
mod sealer;
mod unsealed;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use rabita_keys::SigningKey;
use tokio::sync::watch;

use cosignatures::Cosignatures;
use directory::Directory;
use note::SignatureKind;
use unsealed::Unsealed;
use writer::Writer;

pub use checkpoint::Checkpoint;
pub use cosignatures::Cosigned;
pub use note::{NoteError, VerifierKey};
pub use proof::Hash;
pub use tile::Tile;

/// An entry has at most so many bytes.
pub const ENTRY_MAX: usize = 65_535;

/// How a log is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// Made where it is not there. One process has it at a time.
    pub directory: PathBuf,
    /// The name of the log: not empty, without spaces and plus signs.
    pub origin: String,
    /// Signs the checkpoints. An Ed25519 key, the same as long as the log lives.
    pub key: Arc<SigningKey>,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The first entry has 0.
    pub index: u64,
    pub leaf: Hash,
}

/// Why a log does not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// It cannot be written or read now. An entry that was to be appended may be in the log all the same.
    #[error("the log cannot be used: {0}")]
    Unavailable(String),
    /// What is there is not what was written.
    #[error("the log is damaged: {0}")]
    Corrupt(String),
    /// An entry has too many bytes.
    #[error("an entry has at most {ENTRY_MAX} bytes, not {0}")]
    TooLong(usize),
    /// A note or a key is not accepted.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A log that is open. To be shared as it is, behind an `Arc`.
///
/// What reads may ask the disk, for some 100 microseconds.
pub struct Log {
    shared: Arc<Shared>,
    writer: Writer,
}

/// What the threads of a log and its callers share.
struct Shared {
    directory: Directory,
    signer: Signer,
    /// What is not in files yet.
    unsealed: RwLock<Unsealed>,
    newest: RwLock<Arc<Checkpoint>>,
    cosignatures: Mutex<Cosignatures>,
    grown: watch::Sender<u64>,
    /// Why nothing can be written, until it can.
    trouble: Mutex<Option<String>>,
}

/// Who signs the checkpoints.
struct Signer {
    verifier: VerifierKey,
    key: Arc<SigningKey>,
}

impl Log {
    /// Opens a log, puts it together again where it was not closed, or begins one. Blocks.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when another process has it, or when the disk does not do what it is told;
    /// [`LogError::Corrupt`] when what is there is not what was written: nothing is changed then.
    pub fn open(options: LogOptions) -> Result<Self, LogError> {
        let verifier = VerifierKey::new(&options.origin, SignatureKind::Ed25519, options.key.verifying())?;
        let signer = Signer { verifier, key: options.key };
        let directory = Directory::take(&options.directory)?;
        let recovered = recovery::recover(&directory, &signer)?;
        let shared = Arc::new(Shared {
            grown: watch::Sender::new(recovered.checkpoint.size),
            newest: RwLock::new(Arc::new(recovered.checkpoint)),
            unsealed: RwLock::new(recovered.unsealed),
            cosignatures: Mutex::new(recovered.cosignatures),
            trouble: Mutex::new(None),
            directory,
            signer,
        });
        let writer = Writer::start(&shared, recovered.frontier, recovered.next_file)?;
        Ok(Self { shared, writer })
    }

    /// Appends an entry. It is durable, and so is a checkpoint that has it, when this returns.
    ///
    /// # Errors
    /// [`LogError::TooLong`]; [`LogError::Unavailable`] when it cannot be written now. It may be written all the same, later:
    /// what the log signed once it does not take back.
    pub async fn append(&self, entry: Vec<u8>) -> Result<Appended, LogError> {
        if entry.len() > ENTRY_MAX {
            return Err(LogError::TooLong(entry.len()));
        }
        // Here, and not in the thread that writes, since there are many callers and one writer.
        let leaf = proof::leaf_hash(&entry);
        self.health().map_err(LogError::Unavailable)?;
        self.writer.append(Bytes::from(entry), leaf).await
    }

    /// The newest checkpoint: of all that is durable.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        Arc::clone(&self.shared.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.signer.verifier.name()
    }

    /// The key that its checkpoints verify with.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.shared.signer.verifier
    }

    /// An entry, as it was appended; `None` where there are not so many.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry(&self, index: u64) -> Result<Option<Bytes>, LogError> {
        Ok(self.entries(index)?.into_iter().next())
    }

    /// The entries from an index on: some, at most 256; none where there are not so many.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn entries(&self, from: u64) -> Result<Vec<Bytes>, LogError> {
        let (n, skipped) = (from / u64::from(tile::WIDTH), from % u64::from(tile::WIDTH));
        let width = self.checkpoint().size.saturating_sub(n * u64::from(tile::WIDTH)).min(u64::from(tile::WIDTH));
        let (Ok(width), Ok(skipped)) = (u16::try_from(width), usize::try_from(skipped)) else { return Ok(Vec::new()) };
        let entries = self.shared.entries(n, width)?.unwrap_or_default();
        Ok(entries.into_iter().skip(skipped).collect())
    }

    /// A tile: the first `width` (1 to 256) hashes of the `n`th of a level. `None` where the log has not so many.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tile(&self, level: u8, n: u64, width: u16) -> Result<Option<Bytes>, LogError> {
        Ok(self.shared.hashes(level, n, width)?.map(|hashes| tile::encode_hashes(&hashes).into()))
    }

    /// A bundle: the first `width` (1 to 256) entries of the `n`th. `None` where the log has not so many.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bundle(&self, n: u64, width: u16) -> Result<Option<Bytes>, LogError> {
        Ok(self.shared.entries(n, width)?.map(|entries| tile::encode_entries(&entries).into()))
    }

    /// The proof that the entry at `index` is in the tree of this size ([`proof::verify_inclusion`]). `None` where it is
    /// not, or the log has no such size.
    ///
    /// # Errors
    /// When what it is made of cannot be read.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, LogError> {
        self.shared.inclusion(index, size)
    }

    /// The proof that the tree of size `new` begins with that of size `old` ([`proof::verify_consistency`]). `None` where
    /// the log has no such sizes.
    ///
    /// # Errors
    /// When what it is made of cannot be read.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, LogError> {
        self.shared.consistency(old, new)
    }

    /// The root of the tree of this size; `None` where the log has not so many entries.
    ///
    /// # Errors
    /// When what it is made of cannot be read.
    pub fn root(&self, size: u64) -> Result<Option<Hash>, LogError> {
        self.shared.root(size)
    }

    /// The size of all that is durable, whenever it changes.
    #[must_use]
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.shared.grown.subscribe()
    }

    /// Keeps what a witness cosigned: a note with a checkpoint of this log, of any size, and the witness's line. Of each
    /// witness the largest checkpoint is kept. Blocks until it is durable.
    ///
    /// # Errors
    /// [`LogError::Note`] when it is not a checkpoint of this log, or not cosigned by the witness.
    pub fn add_cosignature(&self, witness: &VerifierKey, note: &str) -> Result<(), LogError> {
        self.shared.add_cosignature(witness, note)
    }

    /// What witnesses cosigned last, the largest first.
    #[must_use]
    pub fn cosigned(&self) -> Vec<Cosigned> {
        self.shared.cosignatures.lock().unwrap_or_else(PoisonError::into_inner).list()
    }

    /// # Errors
    /// Why nothing can be appended at this time.
    pub fn health(&self) -> Result<(), String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Writes what waits, puts all in tiles and bundles, and gives the directory back. What is appended later is refused.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("origin", &self.origin()).field("size", &self.checkpoint().size).finish_non_exhaustive()
    }
}

impl Signer {
    fn sign(&self, size: u64, root: Hash) -> Result<Checkpoint, NoteError> {
        Checkpoint::sign(self.verifier.name(), size, root, &self.key)
    }
}

impl Shared {
    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn unsealed(&self) -> RwLockReadGuard<'_, Unsealed> {
        self.unsealed.read().unwrap_or_else(PoisonError::into_inner)
    }
}
