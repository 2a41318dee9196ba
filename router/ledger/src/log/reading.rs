//! What a log is asked for: entries, hashes, and proofs (RFC 9162, sections 2.1.3.1 and 2.1.4.1).
//!
//! What is not in memory is in the file of a full tile or bundle, which never changes.

use std::collections::HashMap;

use bytes::Bytes;

use super::proof::{Hash, empty_root, node_hash};
use super::tile::{self, Kind, Tile, WIDTH};
use super::unsealed::Found;
use super::{LogError, Shared};

impl Shared {
    /// The first entries of a bundle.
    pub(super) fn entries(&self, n: u64, width: u16) -> Result<Option<Vec<Bytes>>, LogError> {
        let found = self.unsealed().entries(n, width);
        self.found(found, Tile { kind: Kind::Entries, n, width: WIDTH }, |bytes| {
            let bytes = Bytes::from(bytes);
            let entries = tile::decode_entries(&bytes, usize::from(WIDTH))?;
            Some(entries.into_iter().take(usize::from(width)).map(|entry| bytes.slice_ref(entry)).collect())
        })
    }

    /// The first hashes of a tile.
    pub(super) fn hashes(&self, level: u8, n: u64, width: u16) -> Result<Option<Vec<Hash>>, LogError> {
        let found = self.unsealed().hashes(level, n, width);
        self.found(found, Tile { kind: Kind::Hashes(level), n, width: WIDTH }, |bytes| {
            let mut hashes = tile::decode_hashes(&bytes, WIDTH)?;
            hashes.truncate(usize::from(width));
            Some(hashes)
        })
    }

    fn found<T>(
        &self,
        found: Found<T>,
        full: Tile,
        decode: impl FnOnce(Vec<u8>) -> Option<Vec<T>>,
    ) -> Result<Option<Vec<T>>, LogError> {
        match found {
            Found::Here(items) => Ok(Some(items)),
            Found::Absent => Ok(None),
            Found::InFile => {
                let path = full.path();
                let damaged = || LogError::Corrupt(format!("{path} is not what was written"));
                let bytes = self.directory.read(&path)?.ok_or_else(damaged)?;
                decode(bytes).map(Some).ok_or_else(damaged)
            }
        }
    }

    pub(super) fn root(&self, size: u64) -> Result<Option<Hash>, LogError> {
        if size > self.unsealed().size() {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(empty_root()));
        }
        Subtrees::of(self).root(0, size).map(Some)
    }

    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, LogError> {
        if index >= size || size > self.unsealed().size() {
            return Ok(None);
        }
        let mut subtrees = Subtrees::of(self);
        let (mut from, mut to, mut proof) = (0, size, Vec::new());
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                proof.push(subtrees.root(middle, to)?);
                to = middle;
            } else {
                proof.push(subtrees.root(from, middle)?);
                from = middle;
            }
        }
        proof.reverse();
        Ok(Some(proof))
    }

    pub(super) fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, LogError> {
        if old > new || new > self.unsealed().size() {
            return Ok(None);
        }
        if old == 0 || old == new {
            return Ok(Some(Vec::new()));
        }
        let mut subtrees = Subtrees::of(self);
        let (mut from, mut to, mut proof) = (0, new, Vec::new());
        // The part of the old tree that lies in `from..to` ends at `old`.
        while old != to {
            let middle = from + split(to - from);
            if old <= middle {
                proof.push(subtrees.root(middle, to)?);
                to = middle;
            } else {
                proof.push(subtrees.root(from, middle)?);
                from = middle;
            }
        }
        // The verifier has the old tree's root itself.
        if from > 0 {
            proof.push(subtrees.root(from, to)?);
        }
        proof.reverse();
        Ok(Some(proof))
    }
}

/// The roots of parts of the tree, from tiles that are read once.
struct Subtrees<'a> {
    log: &'a Shared,
    rows: HashMap<(u8, u64, u16), Vec<Hash>>,
}

impl<'a> Subtrees<'a> {
    fn of(log: &'a Shared) -> Self {
        Self { log, rows: HashMap::new() }
    }

    /// The root over the entries `from..to`, where `from` is a multiple of the largest power of two that is smaller than
    /// their number, as it is wherever RFC 9162 asks for one.
    fn root(&mut self, from: u64, to: u64) -> Result<Hash, LogError> {
        let count = to - from;
        if count.is_power_of_two() {
            return self.whole(from, count.trailing_zeros());
        }
        let middle = from + split(count);
        let (left, right) = (self.root(from, middle)?, self.root(middle, to)?);
        Ok(node_hash(&left, &right))
    }

    /// The root of a whole subtree: a fold of some hashes of one tile.
    fn whole(&mut self, from: u64, height: u32) -> Result<Hash, LogError> {
        let level = height / tile::HEIGHT;
        let count = 1_usize << (height % tile::HEIGHT);
        // Within a level whole subtrees lie within a tile, since their size divides the tile's.
        let index = from >> (level * tile::HEIGHT);
        let (n, start) = (index / u64::from(WIDTH), index % u64::from(WIDTH));
        let start = usize::try_from(start).expect("is below 256");
        let width = u16::try_from(start + count).expect("is at most 256");
        let level = u8::try_from(level).expect("a tree has at most 64 levels");
        let row = match self.rows.entry((level, n, width)) {
            std::collections::hash_map::Entry::Occupied(row) => row.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let absent = || LogError::Corrupt(format!("the tile {n} of level {level} is not there"));
                place.insert(self.log.hashes(level, n, width)?.ok_or_else(absent)?)
            }
        };
        Ok(tile::fold(&row[start..]))
    }
}

/// The largest power of two below a number, which is above 1.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}
