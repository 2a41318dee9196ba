//! What is durable in batches and not in tiles and bundles yet, in memory: the right edge of every level from the last
//! place that is full in files. Together with the files of full tiles and bundles it is the whole log.

use std::collections::VecDeque;

use bytes::Bytes;

use super::proof::Hash;
use super::tile::{self, Kind, Tile, WIDTH};

/// A row of hashes or of entries from an index on, which is a multiple of 256.
#[derive(Debug, Clone)]
struct Row<T> {
    base: u64,
    items: VecDeque<T>,
}

/// What is not in files, or in files of partial tiles and bundles alone.
#[derive(Debug, Default)]
pub(super) struct Unsealed {
    /// So many entries are in files.
    sealed: u64,
    entries: Row<Bytes>,
    levels: Vec<Row<Hash>>,
}

/// What may be asked for.
pub(super) enum Found<T> {
    /// It is here.
    Here(Vec<T>),
    /// It is in the file of a full tile or bundle.
    InFile,
    /// The log has not so much.
    Absent,
}

impl Unsealed {
    /// What a log that is `sealed` so far holds here: the content of its partial tiles and bundles, as they are in files.
    pub(super) fn of(sealed: u64, entries: Vec<Bytes>, hashes: Vec<(u8, Vec<Hash>)>) -> Self {
        let base = |kind| full(tile::held(kind, sealed));
        let entries = Row { base: base(Kind::Entries), items: entries.into() };
        let mut unsealed = Self { sealed, entries, levels: Vec::new() };
        for (level, hashes) in hashes {
            *unsealed.level(level) = Row { base: base(Kind::Hashes(level)), items: hashes.into() };
        }
        unsealed
    }

    pub(super) fn sealed(&self) -> u64 {
        self.sealed
    }

    pub(super) fn size(&self) -> u64 {
        self.entries.end()
    }

    pub(super) fn add_entry(&mut self, entry: Bytes) {
        self.entries.items.push_back(entry);
    }

    pub(super) fn add_hash(&mut self, level: u8, hash: Hash) {
        self.level(level).items.push_back(hash);
    }

    /// All up to this size is in files: what is full there is not kept here any more. Answers it, to be dropped.
    pub(super) fn seal(&mut self, size: u64) -> (VecDeque<Bytes>, Vec<VecDeque<Hash>>) {
        self.sealed = size;
        let entries = self.entries.take_before(full(size));
        let levels = (0_u8..).zip(&mut self.levels);
        (entries, levels.map(|(level, row)| row.take_before(full(tile::held(Kind::Hashes(level), size)))).collect())
    }

    pub(super) fn entries(&self, n: u64, width: u16) -> Found<Bytes> {
        self.entries.find(n, width)
    }

    pub(super) fn hashes(&self, level: u8, n: u64, width: u16) -> Found<Hash> {
        self.levels.get(usize::from(level)).map_or(Found::Absent, |row| row.find(n, width))
    }

    /// The bytes of a tile or a bundle that is here.
    pub(super) fn bytes(&self, tile: &Tile) -> Option<Vec<u8>> {
        match tile.kind {
            Kind::Entries => self.entries(tile.n, tile.width).here().map(|entries| tile::encode_entries(&entries)),
            Kind::Hashes(level) => self.hashes(level, tile.n, tile.width).here().map(|hashes| tile::encode_hashes(&hashes)),
        }
    }

    /// The row of a level. Where there was none, the level has nothing in files.
    fn level(&mut self, level: u8) -> &mut Row<Hash> {
        let level = usize::from(level);
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Row::default);
        }
        &mut self.levels[level]
    }
}

impl<T> Found<T> {
    pub(super) fn here(self) -> Option<Vec<T>> {
        match self {
            Self::Here(items) => Some(items),
            Self::InFile | Self::Absent => None,
        }
    }
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self { base: 0, items: VecDeque::new() }
    }
}

impl<T: Clone> Row<T> {
    fn end(&self) -> u64 {
        self.base + self.items.len() as u64
    }

    fn find(&self, n: u64, width: u16) -> Found<T> {
        let from = n.checked_mul(u64::from(WIDTH));
        let Some(to) = from.and_then(|from| from.checked_add(u64::from(width))) else { return Found::Absent };
        if width == 0 || width > WIDTH || to > self.end() {
            return Found::Absent;
        }
        match from.and_then(|from| from.checked_sub(self.base)).and_then(|from| usize::try_from(from).ok()) {
            Some(from) => Found::Here(self.items.range(from..from + usize::from(width)).cloned().collect()),
            None => Found::InFile,
        }
    }

    fn take_before(&mut self, base: u64) -> VecDeque<T> {
        let gone = usize::try_from(base.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.items.len());
        let kept = self.items.split_off(gone);
        self.base += gone as u64;
        std::mem::replace(&mut self.items, kept)
    }
}

/// How many of these are in full tiles or bundles.
fn full(held: u64) -> u64 {
    held - held % u64::from(WIDTH)
}
