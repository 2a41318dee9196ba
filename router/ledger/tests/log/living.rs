//! What a log gives while it lives and after it was closed.

use std::sync::Arc;

use rabita_ledger::log::proof::leaf_hash;
use rabita_ledger::log::verify::{self, Finding};
use rabita_ledger::log::{ENTRY_MAX, LogError, Tile};

use crate::sample::{Scratch, entry, fill};

#[tokio::test]
async fn gives_every_entry_back_before_and_after_it_is_in_tiles() {
    let scratch = Scratch::in_memory();
    for round in 0..3 {
        let log = Arc::new(scratch.open());
        fill(&log, round * 300, (round + 1) * 300).await;
        let size = log.checkpoint().size;
        assert_eq!(size, (round + 1) * 300);
        for index in 0..size {
            assert_eq!(log.entry(index).expect("is read").expect("is there"), entry(index), "{index}");
        }
        assert_eq!(log.entry(size).expect("is read"), None);
        let from_the_middle = log.entries(10).expect("are read");
        assert_eq!((from_the_middle.len(), &from_the_middle[0][..]), (246, &entry(10)[..]));
        assert!(log.entries(size).expect("are read").is_empty());
        log.close().await;
        assert_eq!(log.entry(5).expect("is read").expect("is there"), entry(5), "what is closed can be read");
    }
}

#[tokio::test]
async fn names_entries_and_says_how_far_it_has_grown() {
    let scratch = Scratch::in_memory();
    let log = scratch.open();
    let mut grown = log.grown();
    let first = log.append(b"one".to_vec()).await.expect("is appended");
    let second = log.append(b"two".to_vec()).await.expect("is appended");
    assert_eq!((first.index, second.index), (0, 1));
    assert_eq!(first.leaf, leaf_hash(b"one"));
    assert_eq!(*grown.borrow_and_update(), 2);
    assert_eq!(log.checkpoint().size, 2);
}

#[tokio::test]
async fn serves_partial_tiles_of_every_width() {
    let scratch = Scratch::in_memory();
    scratch.closed(600).await;
    let log = scratch.open();
    let full = log.tile(0, 1, 256).expect("is read").expect("is there");
    for width in 1..=256 {
        let tile = log.tile(0, 1, width).expect("is read").expect("is there");
        assert_eq!(tile, full[..usize::from(width) * 32]);
        let bundle = log.bundle(1, width).expect("is read").expect("is there");
        let expected: Vec<u8> = (256..256 + u64::from(width))
            .flat_map(|number| {
                let entry = entry(number);
                let length = u16::try_from(entry.len()).expect("is short").to_be_bytes();
                [length.to_vec(), entry].concat()
            })
            .collect();
        assert_eq!(bundle, expected);
    }
    assert_eq!(log.tile(1, 0, 2).expect("is read").expect("is there").len(), 64);
    for (level, n, width) in [(0, 2, 89), (0, 3, 1), (1, 0, 3), (2, 0, 1), (9, 0, 1), (255, 0, 1), (0, u64::MAX, 256), (0, 0, 0)]
    {
        assert_eq!(log.tile(level, n, width).expect("is read"), None, "{level} {n} {width}");
    }
    assert_eq!(log.tile(0, 0, 257).expect("is read"), None);
    assert_eq!(log.bundle(2, 89).expect("is read"), None);
}

#[tokio::test]
async fn refuses_proofs_that_it_cannot_give() {
    let scratch = Scratch::in_memory();
    scratch.closed(5).await;
    let log = scratch.open();
    assert_eq!(log.inclusion(5, 5).expect("is read"), None);
    assert_eq!(log.inclusion(0, 6).expect("is read"), None);
    assert_eq!(log.consistency(4, 6).expect("is read"), None);
    assert_eq!(log.consistency(4, 3).expect("is read"), None);
    assert_eq!(log.root(6).expect("is read"), None);
    assert_eq!(log.consistency(0, 5).expect("is read"), Some(Vec::new()));
}

#[tokio::test]
async fn takes_the_longest_entry_and_none_that_is_longer() {
    let scratch = Scratch::in_memory();
    let log = scratch.open();
    assert!(matches!(log.append(vec![0; ENTRY_MAX + 1]).await, Err(LogError::TooLong(_))));
    log.append(vec![7; ENTRY_MAX]).await.expect("is appended");
    log.close().await;
    verify::directory(&scratch.log(), &scratch.verifier(), None).expect("is whole");
    assert_eq!(scratch.open().entry(0).expect("is read").expect("is there").len(), ENTRY_MAX);
}

#[tokio::test]
async fn refuses_entries_after_it_is_closed() {
    let scratch = Scratch::in_memory();
    let log = scratch.open();
    log.close().await;
    assert!(matches!(log.append(b"late".to_vec()).await, Err(LogError::Unavailable(_))));
    assert!(log.health().is_err());
}

#[tokio::test]
async fn is_open_once_at_a_time() {
    let scratch = Scratch::in_memory();
    let log = scratch.open();
    assert!(matches!(scratch.try_open(&scratch.log()), Err(LogError::Unavailable(_))));
    drop(log);
    scratch.open();
}

#[tokio::test]
async fn does_not_begin_anew_where_a_log_has_lost_its_checkpoint() {
    let scratch = Scratch::in_memory();
    scratch.closed(3).await;
    std::fs::remove_file(scratch.log().join("checkpoint")).expect("is removed");
    assert!(matches!(scratch.try_open(&scratch.log()), Err(LogError::Corrupt(_))));
}

#[tokio::test]
async fn refuses_a_log_that_another_key_signed() {
    let (scratch, other) = (Scratch::in_memory(), Scratch::in_memory());
    scratch.closed(3).await;
    assert!(matches!(other.try_open(&scratch.log()), Err(LogError::Corrupt(_))));
    let found = verify::directory(&scratch.log(), &other.verifier(), None).expect_err("is refused");
    assert!(matches!(found.what, Finding::Checkpoint(_)), "{found}");
}

#[tokio::test]
async fn leaves_nothing_but_tiles_bundles_and_its_checkpoint_when_it_is_closed() {
    let scratch = Scratch::in_memory();
    for entries in [1, 256, 257, 513] {
        let log = Arc::new(scratch.open());
        fill(&log, log.checkpoint().size, entries).await;
        log.close().await;
        let verified = verify::directory(&scratch.log(), &scratch.verifier(), None).expect("is whole");
        assert_eq!((verified.sealed, verified.checkpoint.size, verified.unfinished_bytes), (entries, entries, 0));
    }
    let root = scratch.log();
    let found: Vec<String> = crate::sample::files(&root)
        .iter()
        .map(|file| file.strip_prefix(&root).expect("is below").display().to_string())
        .collect();
    let expected = [
        "checkpoint",
        "cosignatures",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/1",
    ];
    assert_eq!(found, expected);
}

#[test]
fn knows_a_tile_by_the_one_name_that_it_has() {
    for path in ["tile/0/000", "tile/entries/x001/234", "tile/7/x001/x234/067.p/255", "tile/1/999.p/1"] {
        assert_eq!(Tile::parse(path).expect("is a tile").path(), path);
    }
    let others = [
        "tile/8/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/0/+01",
        "tile/data/000",
        "tile/0/../000",
        "/tile/0/000",
        "tile/0/000/",
    ];
    for path in others {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn can_be_verified_while_it_is_written_to() {
    let scratch = Scratch::new();
    let log = Arc::new(scratch.open());
    fill(&log, 0, 2_000).await;
    let (before, writing) = (log.checkpoint(), Arc::clone(&log));
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopped = Arc::clone(&stop);
    let writer = tokio::spawn(async move {
        let mut number = 2_000;
        let mut end = std::pin::pin!(stopped.notified());
        loop {
            tokio::select! {
                () = &mut end => return,
                done = writing.append(entry(number)) => { done.expect("is appended"); }
            }
            number += 1;
        }
    });
    for _ in 0..5 {
        let (directory, key, since) = (scratch.log(), scratch.verifier(), Arc::clone(&before));
        let verified = tokio::task::spawn_blocking(move || verify::directory(&directory, &key, Some(&since)));
        let verified = verified.await.expect("no panic").expect("is whole");
        assert!(verified.checkpoint.size >= before.size);
    }
    stop.notify_one();
    writer.await.expect("no panic");
}
