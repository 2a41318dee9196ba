//! A log against implementations that are not ours: `tlog_tiles` and `signed_note`, from which a Certificate Transparency
//! log is built. They read our directory, and check our notes, tiles and proofs.

use std::path::{Path, PathBuf};

use rabita_ledger::log::{Checkpoint, Hash, Log};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Error, Hash as ForeignHash, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree,
    record_hash, tree_hash,
};

use crate::sample::{Scratch, entry};

/// Reads tiles as any file server would give them.
struct Served(PathBuf);

impl TileReader for Served {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| std::fs::read(self.0.join(c2sp(tile))).map_err(|_| Error::InvalidTile);
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The foreign paths have the height of the tiles, as Go's checksum database has.
fn c2sp(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// Checks a checkpoint's note with the verifier's key in its text form.
pub fn checked_note(note: &str, verifier: &str) -> tlog_tiles::Checkpoint {
    let parsed = Note::from_bytes(note.as_bytes()).expect("is a note");
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(verifier).expect("is a key"))]);
    let (verified, _) = parsed.verify(&known).expect("is signed");
    assert_eq!(verified.len(), 1);
    tlog_tiles::Checkpoint::from_bytes(parsed.text()).expect("is a checkpoint")
}

/// Whether the newer tree begins with the older.
pub fn is_consistent(log: &Log, old: &Checkpoint, new: &Checkpoint) -> bool {
    if old.size == 0 {
        return true;
    }
    let proof = log.consistency(old.size, new.size).expect("is read").expect("has both");
    check_tree(&foreign(&proof), new.size, ForeignHash(new.root), old.size, ForeignHash(old.root)).is_ok()
}

/// Whether the entry with this hash is in the tree.
pub fn is_included(log: &Log, leaf: Hash, index: u64, checkpoint: &Checkpoint) -> bool {
    let proof = log.inclusion(index, checkpoint.size).expect("is read").expect("has it");
    check_record(&foreign(&proof), checkpoint.size, ForeignHash(checkpoint.root), index, ForeignHash(leaf)).is_ok()
}

fn foreign(proof: &[Hash]) -> Vec<ForeignHash> {
    proof.iter().map(|hash| ForeignHash(*hash)).collect()
}

/// The entries of a bundle, by the letter of C2SP tlog-tiles.
fn bundle(directory: &Path, n: u64, width: u64) -> Vec<Vec<u8>> {
    assert!(n < 1_000, "the path is that of a small log");
    let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
    let bytes = std::fs::read(directory.join(format!("tile/entries/{n:03}{partial}"))).expect("is there");
    let (mut rest, mut entries) = (&bytes[..], Vec::new());
    while let [high, low, after @ ..] = rest {
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        entries.push(entry.to_vec());
        rest = after;
    }
    assert!(rest.is_empty());
    entries
}

/// Reads all of a closed log's directory.
async fn reads_all_of(entries: u64) {
    let scratch = Scratch::in_memory();
    scratch.closed(entries).await;
    let note = std::fs::read_to_string(scratch.log().join("checkpoint")).expect("is there");
    let checkpoint = checked_note(&note, &scratch.verifier().to_string());
    assert_eq!(checkpoint.size(), entries);
    let served = Served(scratch.log());
    // Every hash that this reader gives is proven to be in the tree of the checkpoint.
    let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &served);
    assert_eq!(tree_hash(entries, &reader).expect("is read"), *checkpoint.hash());
    for n in 0..entries.div_ceil(256) {
        for (index, entry) in (n * 256..).zip(bundle(&scratch.log(), n, (entries - n * 256).min(256))) {
            let leaf = reader.read_hashes(&[tlog_tiles::stored_hash_index(0, index)]).expect("is in the tree");
            assert_eq!(leaf, [record_hash(&entry)]);
        }
    }
}

#[tokio::test]
async fn is_read_as_a_directory_by_another_implementation() {
    for entries in [1, 2, 255, 256, 257, 700] {
        reads_all_of(entries).await;
    }
}

#[tokio::test]
async fn is_read_with_three_levels_of_tiles() {
    let scratch = Scratch::in_memory();
    let entries = 256 * 256 + 300;
    scratch.closed(entries).await;
    let note = std::fs::read_to_string(scratch.log().join("checkpoint")).expect("is there");
    let checkpoint = checked_note(&note, &scratch.verifier().to_string());
    let served = Served(scratch.log());
    let reader = TileHashReader::new(entries, *checkpoint.hash(), &served);
    let log = scratch.open();
    for index in (0..entries).step_by(997).chain([0, 65_535, 65_536, entries - 1]) {
        let theirs = prove_record(entries, index, &reader).expect("is proven");
        assert_eq!(foreign(&log.inclusion(index, entries).expect("is read").expect("is there")), theirs, "{index}");
        let theirs = prove_tree(entries, index + 1, &reader).expect("is proven");
        assert_eq!(foreign(&log.consistency(index + 1, entries).expect("is read").expect("is there")), theirs, "{index}");
    }
    let tiles = Tile::new_tiles(8, 0, entries);
    for tile in tiles.iter().filter(|tile| tile.width() == 256) {
        let ours = log.tile(tile.level(), tile.level_index(), 256).expect("is read").expect("is there");
        assert_eq!(ours, tile.read_data(&reader).expect("is read"), "{}", c2sp(tile));
    }
}

#[tokio::test]
async fn gives_proofs_of_every_entry_and_size_that_another_implementation_accepts() {
    let scratch = Scratch::in_memory();
    let log = std::sync::Arc::new(scratch.open());
    let mut checkpoints = vec![log.checkpoint()];
    for number in 0..600 {
        log.append(entry(number)).await.expect("is appended");
        checkpoints.push(log.checkpoint());
    }
    let newest = log.checkpoint();
    for checkpoint in &checkpoints {
        assert!(is_consistent(&log, checkpoint, &newest), "{}", checkpoint.size);
    }
    for (size, checkpoint) in (0_u64..).zip(&checkpoints).skip(1).step_by(7) {
        assert_eq!(checkpoint.size, size);
        checked_note(&checkpoint.note, &scratch.verifier().to_string());
        for index in (0..size).step_by(5) {
            let leaf = record_hash(&entry(index)).0;
            assert!(is_included(&log, leaf, index, checkpoint), "{index} of {size}");
        }
    }
}
