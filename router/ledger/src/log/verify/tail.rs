//! The end of a log: what changes while it is written to. Its last tiles, its batches, and which files are there.

use bytes::Bytes;

use crate::log::batch::{self, Batch, Batches, Place};
use crate::log::checkpoint::Checkpoint;
use crate::log::note::VerifierKey;
use crate::log::proof::leaf_hash;
use crate::log::tile::{self, Kind, Tile, WIDTH};
use crate::log::unsealed::Unsealed;

use super::files::Files;
use super::tree::{self, Tree};
use super::{Finding, Verified, VerifyError, WAL};

/// Verifies all from where the tree stands, which is at or before the first batch, up to the last batch.
pub(super) fn verify(files: &Files<'_>, tree: Tree, sealed: Checkpoint, key: &VerifierKey) -> Result<Verified, VerifyError> {
    let cosigned = files.cosigned(key)?;
    let mut tail = Tail::new(files, tree, key)?;
    tail.through_tiles(&sealed)?;
    let mut unsealed = tail.edge(&sealed)?;
    let newest = tail.through_batches(sealed.clone(), &mut unsealed)?;
    tail.tree.is_not_older()?;
    let unfinished = tail.unfinished + tail.other_files(&sealed, &unsealed)?;
    Ok(Verified { checkpoint: newest, sealed: sealed.size, unfinished_bytes: unfinished, cosigned })
}

struct Tail<'a> {
    files: &'a Files<'a>,
    key: &'a VerifierKey,
    tree: Tree,
    batches: Batches,
    next: Option<(Place, Option<Batch>)>,
    /// The entries of the last bundle in files.
    last_bundle: Vec<Bytes>,
    unfinished: u64,
}

impl<'a> Tail<'a> {
    fn new(files: &'a Files<'a>, tree: Tree, key: &'a VerifierKey) -> Result<Self, VerifyError> {
        let batches = Batches::new(files.batches()?);
        let mut tail = Self { files, key, tree, batches, next: None, last_bundle: Vec::new(), unfinished: 0 };
        tail.step()?;
        Ok(tail)
    }

    fn step(&mut self) -> Result<(), VerifyError> {
        self.next = self.batches.next().map_err(|error| Finding::Unreadable(error.to_string()).at(WAL))?;
        Ok(())
    }

    /// Bundles and tiles up to the checkpoint; on the way the batches that are in them already.
    fn through_tiles(&mut self, sealed: &Checkpoint) -> Result<(), VerifyError> {
        let files = self.files;
        while self.tree.frontier().size() < sealed.size {
            let bundle = self.tree.bundle(sealed.size);
            let bytes = Bytes::from(files.tile(&bundle)?);
            let entries = tree::entries(&bytes, &bundle)?;
            for entry in &entries {
                self.sealed_batches(sealed.size)?;
                for full in self.tree.push(leaf_hash(entry))? {
                    full.check(&mut |tile: &Tile| files.tile(tile))?;
                }
            }
            if bundle.width < WIDTH {
                self.last_bundle = entries.iter().map(|entry| bytes.slice_ref(entry)).collect();
            }
        }
        self.tree.finish(sealed, &mut |tile: &Tile| files.tile(tile))
    }

    /// A crash between the sealing of a batch and its removal leaves it: it says what the tiles say.
    fn sealed_batches(&mut self, size: u64) -> Result<(), VerifyError> {
        while let Some((place, Some(batch))) = &self.next {
            if batch.first != self.tree.frontier().size() || batch.end() > size {
                return Ok(());
            }
            if batch.verified(self.tree.frontier(), self.key).is_none() {
                return Err(Finding::Changed.at(self.files.place(&place.path)));
            }
            self.step()?;
        }
        Ok(())
    }

    /// What the log holds in memory at this size.
    fn edge(&self, sealed: &Checkpoint) -> Result<Unsealed, VerifyError> {
        let levels = tile::kinds(sealed.size).filter_map(|kind| match kind {
            Kind::Hashes(level) => Some((level, self.tree.rows().get(usize::from(level)).cloned().unwrap_or_default())),
            Kind::Entries => None,
        });
        Ok(Unsealed::of(sealed.size, self.last_bundle.clone(), levels.collect()))
    }

    /// The batches behind the checkpoint. Answers the newest.
    fn through_batches(&mut self, sealed: Checkpoint, unsealed: &mut Unsealed) -> Result<Checkpoint, VerifyError> {
        let mut newest = sealed;
        while let Some((place, batch)) = self.next.take() {
            let Some(added) = batch.and_then(|batch| batch.verified(self.tree.frontier(), self.key)) else {
                self.unfinished += self.torn(&place)?;
                break;
            };
            for entry in added.entries {
                self.tree.push(leaf_hash(&entry))?;
                unsealed.add_entry(entry);
            }
            added.hashes.into_iter().for_each(|(level, hash)| unsealed.add_hash(level, hash));
            newest = added.checkpoint;
            self.step()?;
        }
        Ok(newest)
    }

    /// The bytes of a batch that was never finished, which is the last.
    fn torn(&self, place: &Place) -> Result<u64, VerifyError> {
        let at = || self.files.place(&place.path);
        let torn = batch::is_torn(place, self.tree.frontier().size(), &self.files.batches()?, self.key);
        let torn = torn.map_err(|error| Finding::Unreadable(error.to_string()).at(at()))?;
        torn.ok_or_else(|| Finding::Changed.at(at()))
    }

    /// That no other files are there than the log's own. One that was not closed may have what a seal had done so far, and
    /// what it would have removed: of that each file is right in itself. Answers the bytes of files on their way.
    fn other_files(&self, sealed: &Checkpoint, unsealed: &Unsealed) -> Result<u64, VerifyError> {
        let listing = self.files.list()?;
        if let Some(unknown) = listing.unknown {
            return Err(Finding::Unknown.at(unknown));
        }
        let is_closed = self.files.batches()?.is_empty();
        if is_closed && listing.has_tmp {
            return Err(Finding::Unknown.at(super::super::directory::TMP));
        }
        for tile in &listing.tiles {
            let is_own = if tile.width == WIDTH { tile.is_within(sealed.size) } else { is_partial_of(tile, sealed.size) };
            if !is_own && (is_closed || !self.is_right(tile, unsealed)?) {
                return Err(Finding::Unknown.at(tile.path()));
            }
        }
        Ok(listing.tmp_bytes)
    }

    /// Whether a tile or bundle that the checkpoint does not ask for says what the log says.
    fn is_right(&self, tile: &Tile, unsealed: &Unsealed) -> Result<bool, VerifyError> {
        let bytes = self.files.tile(tile)?;
        if let Some(right) = unsealed.bytes(tile) {
            return Ok(right == bytes);
        }
        let full = Tile { width: WIDTH, ..*tile };
        let is_whole = match tile.kind {
            Kind::Entries => tile::decode_entries(&bytes, usize::from(tile.width)).is_some(),
            Kind::Hashes(_) => tile::decode_hashes(&bytes, tile.width).is_some(),
        };
        Ok(is_whole && full.is_within(unsealed.sealed()) && self.files.tile(&full)?.starts_with(&bytes))
    }
}

fn is_partial_of(tile: &Tile, size: u64) -> bool {
    tile::partials(size).any(|partial| partial == *tile)
}
