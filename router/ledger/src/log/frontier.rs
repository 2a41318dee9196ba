//! The right edge of the tree: the roots of its whole subtrees, from which the root follows and to which entries are added.

use super::proof::{Hash, empty_root, node_hash};

/// A tree of some size, without what lies left of its edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    size: u64,
    /// One for each bit that is set in the size, the largest subtree first.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree of this size. `subtree` is asked for the root of each whole subtree at the edge, by its height and by its
    /// index among those of its height.
    pub(super) fn of<E>(size: u64, mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Self, E> {
        let heights = (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1);
        // Left of it lie the larger ones alone, which is what the higher bits of the size say.
        let roots = heights.map(|height| subtree(height, (size >> height) - 1)).collect::<Result<_, E>>()?;
        Ok(Self { size, roots })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry by its hash. `whole` hears of each subtree of a height above 0 that is whole now, with its height, in
    /// rising order.
    pub(super) fn push(&mut self, leaf: Hash, mut whole: impl FnMut(u32, &Hash)) {
        let mut hash = leaf;
        for height in 1..=self.size.trailing_ones() {
            let left = self.roots.pop().expect("there is one for each bit of the size");
            hash = node_hash(&left, &hash);
            whole(height, &hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub(super) fn root(&self) -> Hash {
        let smaller_first = self.roots.iter().rev().copied();
        smaller_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}
