//! Any byte of a closed log that is changed, removed, added or moved is found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_keys::SigningKey;
use rabita_ledger::log::note::{self, SignatureKind};
use rabita_ledger::log::verify::{self, Finding};
use rabita_ledger::log::{Checkpoint, Log, VerifierKey};

use crate::sample::{Scratch, copy, entry, files, fill, key};

/// A closed log with a full level of tiles, partial ones, and what two witnesses signed.
async fn closed_and_witnessed(scratch: &Scratch, entries: u64) {
    let log = Arc::new(scratch.open());
    fill(&log, 0, entries).await;
    for name in ["witness.example/one", "witness.example/two"] {
        cosign(&log, name, &key(name));
    }
    log.close().await;
}

fn cosign(log: &Log, name: &str, key: &SigningKey) {
    let witness = VerifierKey::new(name, SignatureKind::Cosignature, key.verifying()).expect("a verifier");
    let checkpoint = log.checkpoint();
    let line = note::cosign(&checkpoint.text(), name, key, 1_700_000_000).expect("is signed");
    log.add_cosignature(&witness, &format!("{}{line}", checkpoint.note)).expect("is kept");
}

fn is_found(scratch: &Scratch) -> bool {
    verify::directory(&scratch.log(), &scratch.verifier(), None).is_err()
}

/// Writes other bytes into a file, looks whether that is found, and puts it back.
fn finds_with(scratch: &Scratch, file: &Path, bytes: &[u8]) -> bool {
    let before = std::fs::read(file).expect("is read");
    std::fs::write(file, bytes).expect("is written");
    let is_found = is_found(scratch);
    std::fs::write(file, before).expect("is written");
    is_found
}

fn assert_whole(scratch: &Scratch) {
    verify::directory(&scratch.log(), &scratch.verifier(), None).expect("is whole");
}

/// Every byte of every file changed, and every file cut at every length.
async fn finds_every_byte(entries: u64, mask: u8) {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, entries).await;
    assert_whole(&scratch);
    for file in files(&scratch.log()) {
        let whole = std::fs::read(&file).expect("is read");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= mask;
            assert!(finds_with(&scratch, &file, &changed), "byte {at} of {} was changed", file.display());
            assert!(finds_with(&scratch, &file, &whole[..at]), "{} was cut at {at}", file.display());
        }
    }
    assert_whole(&scratch);
}

#[tokio::test]
async fn finds_every_byte_that_is_changed_and_every_cut_in_a_small_log() {
    // Bit 5 turns letters into letters of the other case, which is what a careless parser would let pass.
    for mask in [0x01, 0x20, 0x80] {
        finds_every_byte(3, mask).await;
    }
}

#[tokio::test]
async fn finds_every_byte_that_is_changed_and_every_cut_in_a_log_without_entries() {
    finds_every_byte(0, 0x01).await;
}

#[tokio::test]
async fn finds_every_byte_that_is_changed_and_every_cut_with_full_and_partial_tiles() {
    finds_every_byte(258, 0x01).await;
}

#[tokio::test]
async fn finds_every_file_that_is_removed_or_takes_the_place_of_another() {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, 700).await;
    let files = files(&scratch.log());
    let aside = scratch.path("aside");
    for file in &files {
        std::fs::rename(file, &aside).expect("is moved");
        assert!(is_found(&scratch), "{} was removed", file.display());
        std::fs::create_dir(file).expect("is made");
        assert!(is_found(&scratch), "{} is a directory", file.display());
        std::fs::remove_dir(file).expect("is removed");
        std::os::unix::fs::symlink(&aside, file).expect("is linked");
        assert!(is_found(&scratch), "{} is a link", file.display());
        std::fs::remove_file(file).expect("is removed");
        std::fs::rename(&aside, file).expect("is moved");
    }
    for (at, one) in files.iter().enumerate() {
        for other in &files[at + 1..] {
            swap(one, other, &aside);
            assert!(is_found(&scratch), "{} and {} were swapped", one.display(), other.display());
            swap(one, other, &aside);
        }
    }
    assert_whole(&scratch);
}

fn swap(one: &Path, other: &Path, aside: &PathBuf) {
    std::fs::rename(one, aside).expect("is moved");
    std::fs::rename(other, one).expect("is moved");
    std::fs::rename(aside, other).expect("is moved");
}

#[tokio::test]
async fn finds_whatever_is_added() {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, 300).await;
    for file in files(&scratch.log()) {
        let whole = std::fs::read(&file).expect("is read");
        for added in [&b"\0"[..], b"\n", b"x", b"\xe2\x80\x94 a b\n", &whole] {
            assert!(finds_with(&scratch, &file, &[&whole, added].concat()), "{} has more", file.display());
        }
    }
    let right = std::fs::read(scratch.log().join("tile/0/000")).expect("is read");
    let more = [
        ("more", &b"x"[..]),
        ("lock", b""),
        ("tmp/0", b""),
        ("wal/x", b""),
        ("tile/more", b""),
        ("tile/0/000.p/1", &right[..32]),
        ("tile/0/001.p/43", &right[..43 * 32]),
        ("tile/0/002", &right),
        ("tile/entries/000.p/1", b"\0\0"),
        ("tile/2/000.p/1", &right[..32]),
        ("tile/0/x000/000", &right),
    ];
    for (name, bytes) in more {
        let path = scratch.log().join(name);
        let parent = path.parent().expect("is below").to_owned();
        std::fs::create_dir_all(&parent).expect("is made");
        std::fs::write(&path, bytes).expect("is written");
        assert!(is_found(&scratch), "{name} was added");
        std::fs::remove_file(&path).expect("is removed");
    }
    assert_whole(&scratch);
}

#[tokio::test]
async fn finds_entries_that_change_places() {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, 260).await;
    let bundle = scratch.log().join("tile/entries/000");
    let bytes = std::fs::read(&bundle).expect("is read");
    let mut entries: Vec<Vec<u8>> = (0..256).map(entry).collect();
    let encode = |entries: &[Vec<u8>]| -> Vec<u8> {
        let one = |entry: &Vec<u8>| [&u16::try_from(entry.len()).expect("is short").to_be_bytes()[..], entry].concat();
        entries.iter().flat_map(one).collect()
    };
    assert_eq!(encode(&entries), bytes);
    for (one, other) in [(0, 1), (7, 14), (0, 255), (254, 255), (100, 200)] {
        entries.swap(one, other);
        assert!(finds_with(&scratch, &bundle, &encode(&entries)), "{one} and {other} changed places");
        entries.swap(one, other);
    }
    let tile = scratch.log().join("tile/0/000");
    let mut hashes = std::fs::read(&tile).expect("is read");
    hashes.rotate_left(32);
    assert!(finds_with(&scratch, &tile, &hashes));
}

#[tokio::test]
async fn finds_what_is_changed_anywhere_in_a_large_log() {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, 100_000).await;
    let files = files(&scratch.log());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        // xorshift64: the same places at every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).expect("is below")
    };
    for _ in 0..30 {
        let file = &files[below(files.len())];
        let mut bytes = std::fs::read(file).expect("is read");
        let at = below(bytes.len());
        bytes[at] ^= 1 << below(8);
        assert!(finds_with(&scratch, file, &bytes), "byte {at} of {} was changed", file.display());
    }
    assert_whole(&scratch);
}

#[tokio::test]
async fn finds_that_a_log_was_cut_back_when_a_later_checkpoint_is_remembered() {
    let scratch = Scratch::in_memory();
    scratch.closed(300).await;
    let earlier = scratch.path("earlier");
    copy(&scratch.log(), &earlier);
    let (log, first) = (Arc::new(scratch.open()), remembered(&earlier, &scratch));
    fill(&log, 300, 310).await;
    let later = log.checkpoint();
    log.close().await;
    let verifier = scratch.verifier();
    verify::directory(&scratch.log(), &verifier, Some(&first)).expect("has grown");
    verify::directory(&scratch.log(), &verifier, Some(&later)).expect("is the same");
    verify::directory(&earlier, &verifier, None).expect("an earlier state is whole in itself");
    let found = verify::directory(&earlier, &verifier, Some(&later)).expect_err("is cut back");
    assert_eq!(found.what, Finding::Older { size: 300, remembered: 310 });
    // Another history of the same log, signed with its key.
    let forked = scratch.try_open(&earlier).expect("opens");
    for _ in 300..320 {
        forked.append(b"other".to_vec()).await.expect("is appended");
    }
    forked.close().await;
    verify::directory(&earlier, &verifier, Some(&first)).expect("is whole in itself");
    let found = verify::directory(&earlier, &verifier, Some(&later)).expect_err("is another");
    assert_eq!(found.what, Finding::Forked(310));
}

fn remembered(directory: &Path, scratch: &Scratch) -> Checkpoint {
    let note = std::fs::read_to_string(directory.join("checkpoint")).expect("is read");
    Checkpoint::verify(&note, &scratch.verifier()).expect("is the log's")
}

#[tokio::test]
async fn verifies_tiles_that_come_from_elsewhere() {
    let scratch = Scratch::in_memory();
    closed_and_witnessed(&scratch, 700).await;
    let checkpoint = remembered(&scratch.log(), &scratch);
    let fetch = |tile: &rabita_ledger::log::Tile| std::fs::read(scratch.log().join(tile.path())).map_err(|_| Finding::Missing);
    verify::tiles(&checkpoint, None, fetch).expect("is whole");
    let lying = |tile: &rabita_ledger::log::Tile| {
        let mut bytes = fetch(tile)?;
        if tile.path() == "tile/entries/001" {
            bytes[100] ^= 1;
        }
        Ok(bytes)
    };
    assert!(verify::tiles(&checkpoint, None, lying).is_err());
    let older = Checkpoint { size: 800, ..checkpoint.clone() };
    assert!(verify::tiles(&checkpoint, Some(&older), fetch).is_err());
}
