//! How a log is opened, whatever its end was: from the edge of its tiles and the batches behind them.

use bytes::Bytes;

use super::batch::{self, Batches};
use super::checkpoint::Checkpoint;
use super::cosignatures::Cosignatures;
use super::directory::{CHECKPOINT, COSIGNATURES, Directory, TILES, unavailable};
use super::frontier::Frontier;
use super::proof::{Hash, empty_root, leaf_hash};
use super::tile::{self, Kind, Tile, WIDTH};
use super::unsealed::Unsealed;
use super::{LogError, Signer, sealer};

/// A log, put together again. All of it is in tiles and bundles.
pub(super) struct Recovered {
    pub(super) checkpoint: Checkpoint,
    pub(super) unsealed: Unsealed,
    pub(super) frontier: Frontier,
    pub(super) cosignatures: Cosignatures,
    /// The number of the next file of batches.
    pub(super) next_file: u64,
}

pub(super) fn recover(directory: &Directory, signer: &Signer) -> Result<Recovered, LogError> {
    directory.clear_tmp()?;
    let checkpoint = match directory.read(CHECKPOINT)? {
        Some(note) => sealed_checkpoint(&note, signer)?,
        None => begin(directory, signer)?,
    };
    let cosignatures = directory.read(COSIGNATURES)?.and_then(|bytes| Cosignatures::decode(&bytes, &signer.verifier));
    let cosignatures = cosignatures.ok_or_else(|| damaged(COSIGNATURES))?;
    let (unsealed, frontier) = edge(directory, &checkpoint)?;
    let mut recovered = Recovered { checkpoint, unsealed, frontier, cosignatures, next_file: 1 };
    let oldest = recovered.add_batches(directory, signer)?;
    recovered.seal(directory, oldest)?;
    Ok(recovered)
}

fn sealed_checkpoint(note: &[u8], signer: &Signer) -> Result<Checkpoint, LogError> {
    let note = std::str::from_utf8(note).map_err(|_| damaged(CHECKPOINT))?;
    Checkpoint::verify(note, &signer.verifier).map_err(|error| LogError::Corrupt(format!("{CHECKPOINT}: {error}")))
}

/// A new log. What has tiles or batches is not new, and has lost its checkpoint.
fn begin(directory: &Directory, signer: &Signer) -> Result<Checkpoint, LogError> {
    for inner in [directory.path().join(TILES), directory.wal()] {
        let mut files = std::fs::read_dir(&inner).map_err(|error| unavailable(&inner, &error))?;
        if files.next().is_some() {
            return Err(LogError::Corrupt(format!("{CHECKPOINT} is not there, and {} is not empty", inner.display())));
        }
    }
    Cosignatures::default().write(directory)?;
    let checkpoint = signer.sign(0, empty_root())?;
    directory.put([(CHECKPOINT.to_owned(), checkpoint.note.clone().into_bytes())])?;
    Ok(checkpoint)
}

/// The right edge of the tree, from partial tiles and the partial bundle.
fn edge(directory: &Directory, checkpoint: &Checkpoint) -> Result<(Unsealed, Frontier), LogError> {
    let size = checkpoint.size;
    let (mut entries, mut levels) = (Vec::new(), Vec::new());
    for kind in tile::kinds(size) {
        let partial = tile::partials(size).find(|tile| tile.kind == kind);
        match kind {
            Kind::Entries => entries = partial.map_or(Ok(Vec::new()), |tile| partial_bundle(directory, &tile))?,
            Kind::Hashes(level) => {
                levels.push((level, partial.map_or(Ok(Vec::new()), |tile| partial_tile(directory, &tile))?));
            }
        }
    }
    let leaves = levels.first().map_or(&[][..], |(_, leaves)| leaves);
    if !entries.iter().map(|entry| leaf_hash(entry)).eq(leaves.iter().copied()) {
        return Err(LogError::Corrupt("the last bundle is not what the tree says".to_owned()));
    }
    let frontier = Frontier::of(size, |height, index| {
        let (level, within) = (height / tile::HEIGHT, height % tile::HEIGHT);
        let row = levels.get(usize::try_from(level).expect("is small")).map_or(&[][..], |(_, row)| row);
        let start = usize::try_from((index << within) % u64::from(WIDTH)).expect("is below 256");
        let hashes = row.get(start..start + (1 << within)).ok_or_else(|| damaged(TILES))?;
        Ok::<_, LogError>(tile::fold(hashes))
    })?;
    if frontier.root() != checkpoint.root {
        return Err(LogError::Corrupt(format!("the last tiles are not those of {CHECKPOINT}")));
    }
    Ok((Unsealed::of(size, entries, levels), frontier))
}

fn partial_bundle(directory: &Directory, tile: &Tile) -> Result<Vec<Bytes>, LogError> {
    let bytes = Bytes::from(directory.read(&tile.path())?.ok_or_else(|| damaged(&tile.path()))?);
    let entries = tile::decode_entries(&bytes, usize::from(tile.width)).ok_or_else(|| damaged(&tile.path()))?;
    Ok(entries.into_iter().map(|entry| bytes.slice_ref(entry)).collect())
}

fn partial_tile(directory: &Directory, tile: &Tile) -> Result<Vec<Hash>, LogError> {
    let bytes = directory.read(&tile.path())?.ok_or_else(|| damaged(&tile.path()))?;
    tile::decode_hashes(&bytes, tile.width).ok_or_else(|| damaged(&tile.path()))
}

impl Recovered {
    /// Adds what is in batches and not in tiles. Answers how large the log was before the oldest batch that is there.
    fn add_batches(&mut self, directory: &Directory, signer: &Signer) -> Result<u64, LogError> {
        let wal = directory.wal();
        let failed = |error: std::io::Error| unavailable(&wal, &error);
        let files = batch::files(&wal).map_err(failed)?;
        self.next_file = files.last().map_or(1, |(number, _)| number + 1);
        let mut batches = Batches::new(files.clone());
        let mut oldest = self.unsealed.sealed();
        while let Some((place, batch)) = batches.next().map_err(failed)? {
            // A crash may have come between the sealing of a batch and its removal.
            if let Some(batch) = batch.as_ref().filter(|batch| batch.end() <= self.unsealed.sealed()) {
                oldest = oldest.min(batch.first);
                continue;
            }
            let Some(added) = batch.and_then(|batch| batch.verified(&self.frontier, &signer.verifier)) else {
                let torn = batch::is_torn(&place, self.frontier.size(), &files, &signer.verifier).map_err(failed)?;
                let at = format!("{} from byte {} on", place.path.display(), place.offset);
                let bytes = torn.ok_or_else(|| damaged(&at))?;
                tracing::warn!(at, bytes, "the ledger drops a batch that was not finished");
                break;
            };
            added.entries.into_iter().for_each(|entry| self.unsealed.add_entry(entry));
            added.hashes.into_iter().for_each(|(level, hash)| self.unsealed.add_hash(level, hash));
            (self.frontier, self.checkpoint) = (added.frontier, added.checkpoint);
        }
        Ok(oldest)
    }

    /// Puts all into tiles and bundles, so that what comes begins with a clean directory.
    ///
    /// The last seal may have been ended before it removed anything. It removes batches last, so the oldest one tells since
    /// when there may be something to remove.
    fn seal(&mut self, directory: &Directory, oldest: u64) -> Result<(), LogError> {
        let (from, size) = (self.unsealed.sealed(), self.checkpoint.size);
        sealer::write(directory, from, &self.checkpoint, |tile| self.unsealed.bytes(tile))?;
        drop(self.unsealed.seal(size));
        sealer::clean(directory, oldest, size, u64::MAX)
    }
}

fn damaged(what: &str) -> LogError {
    LogError::Corrupt(format!("{what} is not what was written"))
}
