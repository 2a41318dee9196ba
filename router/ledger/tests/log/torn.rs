//! What a crash leaves of the last batch is dropped; what was acknowledged never is.

use rabita_ledger::log::verify::{self, Finding};
use rabita_ledger::log::{Checkpoint, LogError};

use crate::sample::{Scratch, copy, entry, files};

/// A log as a crash leaves it: three batches in `wal/`, none in tiles but for those of the life before.
struct Crashed {
    scratch: Scratch,
    image: std::path::PathBuf,
    /// The bytes of the batches, and after how many of them the log has which checkpoint.
    wal: Vec<u8>,
    checkpoints: Vec<(usize, Checkpoint)>,
}

const BEFORE: u64 = 3;

async fn crashed() -> Crashed {
    let scratch = Scratch::in_memory();
    scratch.closed(BEFORE).await;
    let image = scratch.path("image");
    // Now and then the batches are in tiles before they are copied.
    for _ in 0..20 {
        let log = scratch.open();
        let first = log.checkpoint().size;
        let mut checkpoints = vec![(0, (*log.checkpoint()).clone())];
        for number in first..first + 3 {
            log.append(entry(number)).await.expect("is appended");
            checkpoints.push((wal(&scratch.log()).len(), (*log.checkpoint()).clone()));
        }
        copy(&scratch.log(), &image);
        log.close().await;
        let wal = wal(&image);
        if wal.len() == checkpoints[3].0 && checkpoints.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Crashed { scratch, image, wal, checkpoints };
        }
        std::fs::remove_dir_all(&image).expect("is removed");
    }
    panic!("the batches were always gone at once");
}

/// The first file of batches.
fn wal_file(log: &std::path::Path) -> std::path::PathBuf {
    files(&log.join("wal")).into_iter().next().expect("there is a file")
}

fn wal(log: &std::path::Path) -> Vec<u8> {
    std::fs::read(wal_file(log)).expect("is read")
}

impl Crashed {
    /// The image, with other bytes in its file of batches.
    fn with(&self, wal: &[u8]) -> std::path::PathBuf {
        let directory = self.scratch.path("tried");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).expect("is removed");
        }
        copy(&self.image, &directory);
        std::fs::write(wal_file(&directory), wal).expect("is written");
        directory
    }

    /// The checkpoint of the whole batches within so many bytes.
    fn checkpoint(&self, bytes: usize) -> &Checkpoint {
        &self.checkpoints.iter().rev().find(|(end, _)| *end <= bytes).expect("the first is at 0").1
    }

    /// That the log has what it had at the checkpoint, and that it goes on from there.
    async fn assert_recovers(&self, directory: &std::path::Path, checkpoint: &Checkpoint) {
        let log = self.scratch.try_open(directory).expect("opens");
        assert_eq!(*log.checkpoint(), *checkpoint);
        for index in 0..checkpoint.size {
            assert_eq!(log.entry(index).expect("is read").expect("is there"), entry(index));
        }
        log.append(b"after".to_vec()).await.expect("is appended");
        log.close().await;
        let verified = verify::directory(directory, &self.scratch.verifier(), Some(checkpoint)).expect("is whole");
        assert_eq!(verified.checkpoint.size, checkpoint.size + 1);
        assert_eq!(verified.unfinished_bytes, 0);
    }
}

#[tokio::test]
async fn keeps_every_whole_batch_wherever_the_file_ends() {
    let crashed = crashed().await;
    for length in 0..=crashed.wal.len() {
        let directory = crashed.with(&crashed.wal[..length]);
        let expected = crashed.checkpoint(length);
        let torn = length - crashed.checkpoints.iter().rev().find(|(end, _)| *end <= length).expect("the first is at 0").0;
        let verified = verify::directory(&directory, &crashed.scratch.verifier(), None).expect("is whole up to the tear");
        assert_eq!((&verified.checkpoint, verified.unfinished_bytes), (expected, torn as u64), "at {length}");
        if let Some((_, newest)) = crashed.checkpoints.last().filter(|(end, _)| length < *end) {
            let found = verify::directory(&directory, &crashed.scratch.verifier(), Some(newest)).expect_err("is older");
            assert_eq!(found.what, Finding::Older { size: expected.size, remembered: newest.size });
        }
        crashed.assert_recovers(&directory, expected).await;
    }
}

#[tokio::test]
async fn drops_a_last_batch_that_is_garbled_and_refuses_to_lose_an_earlier_one() {
    let crashed = crashed().await;
    let last = crashed.checkpoints[2].0;
    for at in 0..crashed.wal.len() {
        let mut wal = crashed.wal.clone();
        wal[at] ^= 0x20;
        let directory = crashed.with(&wal);
        let verified = verify::directory(&directory, &crashed.scratch.verifier(), None);
        if at >= last {
            // It cannot be told from one that was never finished; who remembers its checkpoint tells it.
            let verified = verified.expect("is whole up to the tear");
            assert_eq!(verified.unfinished_bytes, (crashed.wal.len() - last) as u64, "at {at}");
            let newest = &crashed.checkpoints[3].1;
            verify::directory(&directory, &crashed.scratch.verifier(), Some(newest)).expect_err("is older");
            crashed.assert_recovers(&directory, &crashed.checkpoints[2].1).await;
        } else {
            assert!(verified.is_err(), "at {at}");
            assert!(matches!(crashed.scratch.try_open(&directory), Err(LogError::Corrupt(_))), "at {at}");
        }
    }
}

#[tokio::test]
async fn drops_whatever_comes_behind_the_last_batch() {
    let crashed = crashed().await;
    let batch = &crashed.wal[crashed.checkpoints[1].0..crashed.checkpoints[2].0];
    let tails = [&b"\0"[..], b"RBATCH1\n", &[0; 4096], &[0xff; 300], batch];
    for tail in tails {
        let directory = crashed.with(&[&crashed.wal, tail].concat());
        crashed.assert_recovers(&directory, &crashed.checkpoints[3].1).await;
    }
}

#[tokio::test]
async fn refuses_batches_in_another_order() {
    let crashed = crashed().await;
    let ends: Vec<usize> = crashed.checkpoints.iter().map(|(end, _)| *end).collect();
    let batch = |n: usize| &crashed.wal[ends[n]..ends[n + 1]];
    for order in [[1, 0, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1]] {
        let wal = order.map(batch).concat();
        let directory = crashed.with(&wal);
        assert!(verify::directory(&directory, &crashed.scratch.verifier(), None).is_err(), "{order:?}");
        assert!(matches!(crashed.scratch.try_open(&directory), Err(LogError::Corrupt(_))), "{order:?}");
    }
}

#[tokio::test]
async fn clears_what_a_seal_had_done_when_the_process_ended() {
    let crashed = crashed().await;
    // What the seal of the newest checkpoint writes, and what one in between would have written.
    let tried = crashed.with(&crashed.wal);
    crashed.scratch.try_open(&tried).expect("opens").close().await;
    let sealed = crashed.scratch.path("sealed");
    copy(&tried, &sealed);
    let done = sealed.join("tile");
    for checkpoint in ["with the old checkpoint", "with the new checkpoint"] {
        let directory = crashed.with(&crashed.wal);
        copy(&done, &directory.join("tile"));
        std::fs::write(directory.join("tmp/17"), b"half").expect("is written");
        let full = std::fs::read(done.join("0/000.p/6")).expect("is read");
        std::fs::write(directory.join("tile/0/000.p/5"), &full[..5 * 32]).expect("is written");
        if checkpoint == "with the new checkpoint" {
            std::fs::copy(sealed.join("checkpoint"), directory.join("checkpoint")).expect("is copied");
        }
        let newest = &crashed.checkpoints[3].1;
        let verified = verify::directory(&directory, &crashed.scratch.verifier(), Some(newest)).expect(checkpoint);
        assert_eq!((&verified.checkpoint, verified.unfinished_bytes), (newest, 4));
        crashed.assert_recovers(&directory, newest).await;
        // What such a seal left is held against the log too.
        let directory = crashed.with(&crashed.wal);
        copy(&done, &directory.join("tile"));
        std::fs::write(directory.join("tile/0/000.p/5"), &full[32..]).expect("is written");
        verify::directory(&directory, &crashed.scratch.verifier(), None).expect_err("says something else");
    }
}

#[tokio::test]
async fn removes_what_a_seal_was_about_to_remove_when_the_process_ended() {
    // Now and then the batches are in tiles before they are copied.
    for _ in 0..20 {
        // From one bundle into the next, so that the partial one is not at the edge any more.
        let (scratch, before) = (Scratch::in_memory(), 200);
        scratch.closed(before).await;
        let (partials, batches) = (scratch.path("partials"), scratch.path("batches"));
        copy(&scratch.log().join("tile"), &partials);
        let log = std::sync::Arc::new(scratch.open());
        crate::sample::fill(&log, before, 300).await;
        copy(&scratch.log().join("wal"), &batches);
        let checkpoint = log.checkpoint();
        log.close().await;
        drop(log);
        if files(&batches).iter().all(|file| file.metadata().expect("is there").len() == 0) {
            continue;
        }
        for partial in ["0/000.p/200", "entries/000.p/200"] {
            let target = scratch.log().join("tile").join(partial);
            std::fs::create_dir_all(target.parent().expect("is below")).expect("is made");
            std::fs::copy(partials.join(partial), target).expect("is copied");
        }
        verify::directory(&scratch.log(), &scratch.verifier(), None).expect_err("is not as it was closed");
        copy(&batches, &scratch.log().join("wal"));
        verify::directory(&scratch.log(), &scratch.verifier(), Some(&checkpoint)).expect("is as a crash left it");
        scratch.open().close().await;
        verify::directory(&scratch.log(), &scratch.verifier(), Some(&checkpoint)).expect("is as it was closed");
        return;
    }
    panic!("the batches were always gone at once");
}
