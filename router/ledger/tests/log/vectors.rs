//! The vectors of eight leaves that the implementations of RFC 6962 are tested with, from `certificate-transparency`
//! (`merkle_tree_test.cc`) on.

use std::sync::Arc;

use rabita_ledger::log::Hash;
use rabita_ledger::log::proof::{empty_root, leaf_hash, verify_consistency, verify_inclusion};

use crate::sample::Scratch;

const LEAVES: [&str; 8] = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Index, size, proof.
const INCLUSION: [(u64, u64, &[&str]); 6] = [
    (0, 1, &[]),
    (1, 2, &["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Old size, new size, proof.
const CONSISTENCY: [(u64, u64, &[&str]); 6] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        2,
        8,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        3,
        8,
        &[
            "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
            "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits")).collect()
}

fn hash(hex: &str) -> Hash {
    bytes(hex).try_into().expect("32 bytes")
}

fn hashes(hex: &[&str]) -> Vec<Hash> {
    hex.iter().map(|hex| hash(hex)).collect()
}

#[tokio::test]
async fn has_the_roots_and_the_proofs_of_the_published_vectors() {
    let scratch = Scratch::new();
    let log = Arc::new(scratch.open());
    assert_eq!(log.checkpoint().root, hash(EMPTY));
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        log.append(bytes(leaf)).await.expect("is appended");
        assert_eq!(log.checkpoint().root, hash(root));
    }
    for (size, root) in (1..).zip(ROOTS) {
        assert_eq!(log.root(size).expect("is read"), Some(hash(root)));
    }
    for (index, size, proof) in INCLUSION {
        assert_eq!(log.inclusion(index, size).expect("is read"), Some(hashes(proof)), "{index} of {size}");
    }
    for (old, new, proof) in CONSISTENCY {
        assert_eq!(log.consistency(old, new).expect("is read"), Some(hashes(proof)), "{old} to {new}");
    }
}

#[test]
fn verifies_the_published_proofs_and_none_that_differ() {
    let root = |size: u64| hash(ROOTS[usize::try_from(size - 1).expect("is small")]);
    let other = hash(EMPTY);
    for (index, size, proof) in INCLUSION {
        let leaf = leaf_hash(&bytes(LEAVES[usize::try_from(index).expect("is small")]));
        let proof = hashes(proof);
        assert!(verify_inclusion(&leaf, index, size, &root(size), &proof), "{index} of {size}");
        assert!(!verify_inclusion(&other, index, size, &root(size), &proof));
        assert!(!verify_inclusion(&leaf, index, size, &other, &proof));
        assert!(!verify_inclusion(&leaf, index + 1, size, &root(size), &proof));
        for wrong in mutants(&proof) {
            assert!(!verify_inclusion(&leaf, index, size, &root(size), &wrong));
        }
    }
    for (old, new, proof) in CONSISTENCY {
        let proof = hashes(proof);
        assert!(verify_consistency(old, new, &root(old), &root(new), &proof), "{old} to {new}");
        assert!(!verify_consistency(old, new, &other, &root(new), &proof));
        assert!(!verify_consistency(old, new, &root(old), &other, &proof));
        for wrong in mutants(&proof) {
            assert!(!verify_consistency(old, new, &root(old), &root(new), &wrong));
        }
    }
    assert!(verify_consistency(0, 8, &empty_root(), &root(8), &[]));
    assert!(!verify_consistency(0, 8, &root(1), &root(8), &[]));
    assert!(!verify_consistency(8, 1, &root(8), &root(1), &[]));
}

/// A proof with a hash less, one more, and one changed.
fn mutants(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut mutants = vec![[proof, &[hash(EMPTY)]].concat()];
    for at in 0..proof.len() {
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        let mut changed = proof.to_vec();
        changed[at][0] ^= 1;
        mutants.extend([shorter, changed]);
    }
    mutants
}
