//! Tiles and bundles as C2SP tlog-tiles has them: their names, their bytes, and which a tree has.

use std::path::PathBuf;

use bytes::Bytes;

use super::proof::{Hash, node_hash};

/// So many hashes are in a full tile, and so many entries in a full bundle.
pub const WIDTH: u16 = 256;
/// The levels of the tree that one tile spans.
pub(super) const HEIGHT: u32 = 8;
/// Above this level no tree of 64-bit size has tiles.
const LEVEL_MAX: u8 = 7;
const HASH: usize = 32;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Hashes, of subtrees of 256^level entries.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// A tile or a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    pub kind: Kind,
    /// Its place among those of its kind.
    pub n: u64,
    /// 1 to 256: how many hashes or entries it holds.
    pub width: u16,
}

impl Tile {
    /// Relative to the log: `tile/0/x001/234.p/17`.
    #[must_use]
    pub fn path(&self) -> String {
        let partial = if self.width == WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("{}{partial}", stem(self.kind, self.n))
    }

    /// What [`Tile::path`] gives. Anything else, were it but a superfluous zero, is no tile.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes(level.parse().ok().filter(|level| *level <= LEVEL_MAX)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        let mut n = 0_u64;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            n = n.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { kind, n, width };
        (tile.path() == path).then_some(tile)
    }

    /// Whether the tree of this size has it, be it as a part of what is full by now.
    #[must_use]
    pub fn is_within(&self, size: u64) -> bool {
        let held = held(self.kind, size);
        self.width > 0 && self.width <= WIDTH && last(self.n, self.width).is_some_and(|last| last <= held)
    }
}

/// Where the partial ones of a place are kept: `tile/0/x001/234.p`.
pub(super) fn partial_directory(kind: Kind, n: u64) -> PathBuf {
    PathBuf::from(format!("{}.p", stem(kind, n)))
}

/// All that a tree of this size has at its right edge, at most one of each kind.
pub fn partials(size: u64) -> impl Iterator<Item = Tile> {
    kinds(size).filter_map(move |kind| {
        let held = held(kind, size);
        let width = u16::try_from(held % u64::from(WIDTH)).ok().filter(|width| *width > 0)?;
        Some(Tile { kind, n: held / u64::from(WIDTH), width })
    })
}

/// The full ones that a tree of size `to` has and one of size `from` has not.
pub fn fulls(from: u64, to: u64) -> impl Iterator<Item = Tile> {
    kinds(to).flat_map(move |kind| {
        let count = |size| held(kind, size) / u64::from(WIDTH);
        (count(from)..count(to)).map(move |n| Tile { kind, n, width: WIDTH })
    })
}

/// The kinds that a tree of this size has something of.
pub(super) fn kinds(size: u64) -> impl Iterator<Item = Kind> {
    let levels = (0..=LEVEL_MAX).map(Kind::Hashes).take_while(move |kind| held(*kind, size) > 0);
    std::iter::once(Kind::Entries).filter(move |_| size > 0).chain(levels)
}

/// So many hashes or entries of this kind belong to a tree of this size.
pub(super) fn held(kind: Kind, size: u64) -> u64 {
    match kind {
        Kind::Entries => size,
        Kind::Hashes(level) => size.checked_shr(u32::from(level) * HEIGHT).unwrap_or(0),
    }
}

/// The bytes of a tile.
pub(super) fn encode_hashes<'a>(hashes: impl IntoIterator<Item = &'a Hash>) -> Vec<u8> {
    hashes.into_iter().flatten().copied().collect()
}

/// The hashes of a tile; `None` where there are not so many, or more.
pub(super) fn decode_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.to_vec())
}

/// The bytes of a bundle: each entry with its length before it, in two bytes.
///
/// # Panics
/// When an entry is longer than 65,535 bytes.
pub(super) fn encode_entry(entry: &[u8], into: &mut Vec<u8>) {
    let length = u16::try_from(entry.len()).expect("what is appended is not longer");
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(entry);
}

/// The bytes of a bundle of these.
pub(super) fn encode_entries(entries: &[Bytes]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 2).sum());
    entries.iter().for_each(|entry| encode_entry(entry, &mut bytes));
    bytes
}

/// The entries of a bundle; `None` where there are not so many, or more.
pub(super) fn decode_entries(bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    let (mut rest, mut entries) = (bytes, Vec::with_capacity(count.min(usize::from(WIDTH))));
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = after;
    }
    (entries.len() == count).then_some(entries)
}

/// The root of a whole subtree, from the roots of the subtrees right below; their number is a power of two.
pub(super) fn fold(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row[0]
}

fn last(n: u64, width: u16) -> Option<u64> {
    n.checked_mul(u64::from(WIDTH))?.checked_add(u64::from(width))
}

fn stem(kind: Kind, n: u64) -> String {
    let mut groups = format!("{:03}", n % 1_000);
    let mut rest = n / 1_000;
    while rest > 0 {
        groups = format!("x{:03}/{groups}", rest % 1_000);
        rest /= 1_000;
    }
    match kind {
        Kind::Entries => format!("tile/entries/{groups}"),
        Kind::Hashes(level) => format!("tile/{level}/{groups}"),
    }
}
