//! The tree, made anew from bundles and held against tiles.

use crate::log::batch::grow;
use crate::log::checkpoint::Checkpoint;
use crate::log::directory::CHECKPOINT;
use crate::log::frontier::Frontier;
use crate::log::proof::{Hash, leaf_hash};
use crate::log::tile::{self, Kind, Tile, WIDTH};

use super::{Finding, VerifyError};

/// Gives the bytes of a tile or bundle.
pub(super) type Fetch<'a> = dyn FnMut(&Tile) -> Result<Vec<u8>, VerifyError> + 'a;

/// What was verified so far.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    frontier: Frontier,
    /// The hashes of the last tile of each level, as long as it is not full.
    rows: Vec<Vec<Hash>>,
    /// Sizes and roots that the log had once, the largest first. What was passed is taken out.
    since: Vec<(u64, Hash)>,
}

impl Tree {
    pub(super) fn new(mut since: Vec<(u64, Hash)>) -> Self {
        since.sort_by(|one, other| other.cmp(one));
        Self { frontier: Frontier::default(), rows: Vec::new(), since }
    }

    pub(super) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The hashes of the last tile of each level.
    pub(super) fn rows(&self) -> &[Vec<Hash>] {
        &self.rows
    }

    /// Goes on to this size, with the bundles and the tiles that are full on the way. It stands at the end of a bundle.
    pub(super) fn advance(&mut self, size: u64, fetch: &mut Fetch<'_>) -> Result<(), VerifyError> {
        while self.frontier.size() < size {
            let bundle = self.bundle(size);
            for entry in entries(&fetch(&bundle)?, &bundle)? {
                self.push(leaf_hash(entry))?.into_iter().try_for_each(|full| full.check(fetch))?;
            }
        }
        Ok(())
    }

    /// The bundle that comes next in a tree of this size.
    pub(super) fn bundle(&self, size: u64) -> Tile {
        let (from, width) = (self.frontier.size(), u64::from(WIDTH));
        let width = u16::try_from((size - from).min(width)).unwrap_or(WIDTH);
        Tile { kind: Kind::Entries, n: from / u64::from(WIDTH), width }
    }

    /// Adds an entry's hash. Answers the tiles that are full by it.
    pub(super) fn push(&mut self, leaf: Hash) -> Result<Vec<Full>, VerifyError> {
        let (mut hashes, mut full) = (Vec::new(), Vec::new());
        grow(&mut self.frontier, leaf, &mut hashes);
        for (level, hash) in hashes {
            let row = usize::from(level);
            if self.rows.len() <= row {
                self.rows.resize_with(row + 1, Vec::new);
            }
            self.rows[row].push(hash);
            if self.rows[row].len() == usize::from(WIDTH) {
                let kind = Kind::Hashes(level);
                let n = tile::held(kind, self.frontier.size()) / u64::from(WIDTH) - 1;
                let hashes = std::mem::take(&mut self.rows[row]);
                full.push(Full { tile: Tile { kind, n, width: WIDTH }, hashes });
            }
        }
        self.remembered()?;
        Ok(full)
    }

    /// Holds it against a checkpoint of its size, and its edge against the partial tiles.
    pub(super) fn finish(&self, checkpoint: &Checkpoint, fetch: &mut Fetch<'_>) -> Result<(), VerifyError> {
        if self.frontier.root() != checkpoint.root {
            return Err(Finding::Root(checkpoint.size).at(CHECKPOINT));
        }
        for tile in tile::partials(checkpoint.size) {
            if let Kind::Hashes(level) = tile.kind {
                let hashes = self.rows.get(usize::from(level)).cloned().unwrap_or_default();
                Full { tile, hashes }.check(fetch)?;
            }
        }
        Ok(())
    }

    /// That it has come as far as the log had.
    pub(super) fn is_not_older(&self) -> Result<(), VerifyError> {
        match self.since.first() {
            Some(&(remembered, _)) if remembered > self.frontier.size() => {
                Err(Finding::Older { size: self.frontier.size(), remembered }.at(CHECKPOINT))
            }
            _ => Ok(()),
        }
    }

    fn remembered(&mut self) -> Result<(), VerifyError> {
        while let Some((size, root)) = self.since.pop_if(|(size, _)| *size <= self.frontier.size()) {
            if size == self.frontier.size() && root != self.frontier.root() {
                return Err(Finding::Forked(size).at(CHECKPOINT));
            }
        }
        Ok(())
    }
}

/// A tile and what is to be in it.
#[derive(Debug)]
pub(super) struct Full {
    tile: Tile,
    hashes: Vec<Hash>,
}

impl Full {
    pub(super) fn check(&self, fetch: &mut Fetch<'_>) -> Result<(), VerifyError> {
        let is_right = fetch(&self.tile)? == self.hashes.as_flattened();
        if is_right { Ok(()) } else { Err(Finding::Changed.at(self.tile.path())) }
    }
}

/// The entries of a bundle.
pub(super) fn entries<'a>(bytes: &'a [u8], bundle: &Tile) -> Result<Vec<&'a [u8]>, VerifyError> {
    tile::decode_entries(bytes, usize::from(bundle.width)).ok_or_else(|| Finding::Changed.at(bundle.path()))
}
