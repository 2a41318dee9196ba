//! The ledgers of a trial, as their files lay there when the nodes had stopped.
//!
//! Reads C2SP bundles and hashes as RFC 9162 has it, by itself: the bus's own code has no part in it.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The entries of one node's ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The name of the log.
    pub origin: String,
    pub entries: Vec<Vec<u8>>,
}

impl Ledger {
    /// The JSON of an entry.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(entry: &[u8]) -> Value {
        serde_json::from_slice(entry).expect("an entry is JSON")
    }

    /// The roots of the trees of these sizes, which ascend; none for what is larger than the ledger.
    #[must_use]
    pub fn roots(&self, sizes: &[u64]) -> Vec<Hash> {
        let (mut tree, mut roots) = (Tree::default(), Vec::new());
        let mut sizes = sizes.iter().peekable();
        for count in 0..=self.entries.len() {
            while sizes.next_if(|size| **size == count as u64).is_some() {
                roots.push(tree.root());
            }
            if let Some(entry) = self.entries.get(count) {
                tree.push(leaf(entry));
            }
        }
        roots
    }
}

/// The hash of an entry.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// The whole subtrees at the right edge, the largest first, each with its height.
#[derive(Default)]
struct Tree(Vec<(u32, Hash)>);

impl Tree {
    fn push(&mut self, leaf: Hash) {
        let mut new = (0, leaf);
        while let Some((height, left)) = self.0.pop_if(|(height, _)| *height == new.0) {
            new = (height + 1, hash(&[&[1], &left, &new.1]));
        }
        self.0.push(new);
    }

    fn root(&self) -> Hash {
        let subtrees = self.0.iter().rev().map(|(_, hash)| *hash);
        subtrees.reduce(|right, left| hash(&[&[1], &left, &right])).unwrap_or_else(|| hash(&[]))
    }
}

/// Reads the log in a directory: what its bundles hold, in their order.
///
/// # Panics
/// When a file is not what it should be.
#[must_use]
pub fn read(log: &Path) -> Ledger {
    let note = std::fs::read_to_string(log.join("checkpoint")).expect("a ledger has a checkpoint");
    let origin = note.lines().next().unwrap_or_default().to_owned();
    let (mut entries, mut bundle) = (Vec::new(), 0);
    while let Some(file) = bundle_file(log, bundle) {
        entries.extend(split(&std::fs::read(&file).expect("a bundle can be read")));
        bundle += 1;
    }
    Ledger { origin, entries }
}

/// The file of a bundle: the whole one, or the largest part of it.
fn bundle_file(log: &Path, number: usize) -> Option<PathBuf> {
    let mut name = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        name = format!("x{:03}/{name}", rest % 1000);
        rest /= 1000;
    }
    let whole = log.join("tile/entries").join(name);
    if whole.is_file() {
        return Some(whole);
    }
    let parts = std::fs::read_dir(whole.with_extension("p")).ok()?.flatten().map(|part| part.path());
    parts.max_by_key(|part| part.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u16>().ok()))
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        bytes = rest;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_the_rfc() {
        let entries = vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        let [a, b, c] = [0, 1, 2].map(|at| leaf(&entries[at]));
        let both = hash(&[&[1], &a, &b]);
        let ledger = Ledger { origin: "node-0".to_owned(), entries };
        let empty = hash(&[]);
        assert_eq!(ledger.roots(&[0, 1, 2, 2, 3, 4]), [empty, a, both, both, hash(&[&[1], &both, &c])]);
    }
}
