//! Verifying a log that one does not trust, with its key alone: every byte of every file.
//!
//! All is computed anew from the entries, one bundle after the other, so that memory stays small. What is found is one
//! [`Finding`], the first. A log that was cut back to an earlier state of its own is whole; who remembers a later checkpoint
//! finds it: that is what `since` is for.

mod files;
mod tail;
mod tree;

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::cosignatures::Cosigned;
use super::directory::{CHECKPOINT, WAL};
use super::note::{NoteError, VerifierKey};
use super::proof::Hash;
use super::tile::{Tile, WIDTH};
use files::Files;
use tree::Tree;

/// A log that a process writes to changes while it is read. A finding at its end counts when it is there so many times.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(300);

/// What was verified.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The newest checkpoint there: with what is in batches.
    pub checkpoint: Checkpoint,
    /// So many entries are in tiles and bundles.
    pub sealed: u64,
    /// So many bytes belong to what was never finished: all zero where the log was closed.
    pub unfinished_bytes: u64,
    pub cosigned: Vec<Cosigned>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    pub what: Finding,
    /// A file, relative to the directory of the log.
    pub place: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("it is not there")]
    Missing,
    #[error("it is not what was written")]
    Changed,
    #[error("it does not belong there")]
    Unknown,
    #[error("its checkpoint is not accepted: {0}")]
    Checkpoint(NoteError),
    #[error("the tree does not have the root that is signed for {0} entries")]
    Root(u64),
    #[error("the log has {size} entries, and had {remembered}")]
    Older { size: u64, remembered: u64 },
    #[error("the log is not the one that had {0} entries with the root remembered")]
    Forked(u64),
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl std::error::Error for VerifyError {}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Finding {
    fn at(self, place: impl Into<String>) -> VerifyError {
        VerifyError { what: self, place: place.into() }
    }
}

/// Verifies a log's directory, also while a process writes to it. With `since`, a checkpoint that was seen before, that it
/// goes on from there.
///
/// # Errors
/// The first finding.
pub fn directory(directory: &Path, key: &VerifierKey, since: Option<&Checkpoint>) -> Result<Verified, VerifyError> {
    directory_since_each(directory, key, since.as_slice())
}

/// As [`directory`], with any number of checkpoints that were seen before.
///
/// # Errors
/// The first finding.
pub fn directory_since_each(directory: &Path, key: &VerifierKey, since: &[&Checkpoint]) -> Result<Verified, VerifyError> {
    let files = Files::new(directory);
    let mut tree = Tree::new(remembered(key, since)?);
    let mut tries = 0;
    loop {
        let sealed = files.checkpoint(key)?;
        // Files of full tiles never change, so what is found up to here stays.
        let settled = files.oldest_batch()?.unwrap_or(u64::MAX).min(sealed.size);
        tree.advance(settled - settled % u64::from(WIDTH), &mut |tile: &Tile| files.tile(tile))?;
        let verified = tail::verify(&files, tree.clone(), sealed, key);
        tries += 1;
        match verified {
            Err(_) if tries < TRIES && is_in_use(directory) => std::thread::sleep(PAUSE),
            verified => return verified,
        }
    }
}

/// Verifies a log whose tiles and bundles are fetched from elsewhere, up to a checkpoint that is verified already.
///
/// # Errors
/// The first finding, those of `fetch` among them.
pub fn tiles(
    checkpoint: &Checkpoint,
    since: Option<&Checkpoint>,
    mut fetch: impl FnMut(&Tile) -> Result<Vec<u8>, Finding>,
) -> Result<(), VerifyError> {
    let mut tree = Tree::new(since.into_iter().map(|since| (since.size, since.root)).collect());
    let mut fetch = |tile: &Tile| fetch(tile).map_err(|finding| finding.at(tile.path()));
    tree.advance(checkpoint.size, &mut fetch)?;
    tree.finish(checkpoint, &mut fetch)?;
    tree.is_not_older()
}

fn remembered(key: &VerifierKey, since: &[&Checkpoint]) -> Result<Vec<(u64, Hash)>, VerifyError> {
    match since.iter().find(|since| since.origin != key.name()) {
        Some(other) => Err(Finding::Checkpoint(NoteError::Origin(other.origin.clone())).at("the checkpoint remembered")),
        None => Ok(since.iter().map(|since| (since.size, since.root)).collect()),
    }
}

/// Whether a process has the log open.
fn is_in_use(directory: &Path) -> bool {
    File::open(directory).is_ok_and(|directory| matches!(directory.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
