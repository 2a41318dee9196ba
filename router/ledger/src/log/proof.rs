//! The Merkle tree of RFC 9162, section 2.1, as pure functions: hashes, and the checking of proofs.
//!
//! Whoever verifies needs nothing else. Proofs are made in [`super::reading`].

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of an entry: `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(entry);
    array(context.finish().as_ref())
}

/// The hash of two subtrees: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    array(digest(&SHA256, &node).as_ref())
}

/// The root of a tree without entries: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    array(digest(&SHA256, &[]).as_ref())
}

/// Whether the proof shows that the entry with this hash is the one at `index` of the tree with this size and root
/// (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut index, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            hash = node_hash(sibling, &hash);
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the tree of size `new` begins with all of the tree of size `old` (RFC 9162, section
/// 2.1.4.2). Trees of one size are consistent when they have one root; the empty tree is consistent with every tree.
/// Both without a proof.
#[must_use]
pub fn verify_consistency(old: u64, new: u64, old_root: &Hash, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == 0 || old == new {
        let is_alike = if old == new { old_root == new_root } else { *old_root == empty_root() };
        return proof.is_empty() && is_alike;
    }
    // A tree that is a whole subtree of the new one is not in the proof, since the verifier has it.
    let (first, rest) = match (old.is_power_of_two(), proof.split_first()) {
        (true, _) => (*old_root, proof),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return false,
    };
    let (mut index, mut last) = (old - 1, new - 1);
    while index & 1 == 1 {
        (index, last) = (index >> 1, last >> 1);
    }
    let (mut before, mut after) = (first, first);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            before = node_hash(hash, &before);
            after = node_hash(hash, &after);
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            after = node_hash(&after, hash);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && before == *old_root && after == *new_root
}

fn array(digest: &[u8]) -> Hash {
    digest.try_into().expect("a SHA-256 has 32 bytes")
}
