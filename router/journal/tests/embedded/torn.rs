//! What is left of a log whose end was torn, cut or garbled.

use std::path::Path;

use jiff::Timestamp;
use rabita_journal::battery::sample::{accept_all, applied, event, next, update};
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Filter, Journal, JournalError};
use rabita_model::{Entry, State, Update, UpdateId};

use super::{Scratch, copy_as_it_is};

/// How long the log was when a change was acknowledged.
struct Acknowledged {
    id: UpdateId,
    is_concluded: bool,
    log: u64,
}

/// What becomes of the log from a place on.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Cut,
    Flipped,
    Garbled,
    Zeroed,
}

fn damage(log: &mut Vec<u8>, at: usize, how: Damage) {
    match how {
        Damage::Cut => log.truncate(at),
        Damage::Flipped => log[at] ^= 0x10,
        Damage::Garbled => {
            log[at..].iter_mut().enumerate().for_each(|(at, byte)| *byte = byte.wrapping_add((at % 251) as u8 + 1))
        }
        Damage::Zeroed => log[at..].fill(0),
    }
}

/// A journal that was killed after these were acknowledged one by one.
async fn written(scratch: &Scratch, left: &Path) -> (Vec<Update>, Vec<Acknowledged>) {
    let journal = scratch.embedded();
    let log = scratch.directory().join("journal.db-wal");
    let length = || log.metadata().expect("is there").len();
    let updates: Vec<Update> = (0..40).map(|number| update(number % 5)).collect();
    let mut acknowledged = Vec::new();
    for (at, update) in updates.iter().enumerate() {
        accept_all(&journal, std::slice::from_ref(update)).await;
        acknowledged.push(Acknowledged { id: update.id, is_concluded: false, log: length() });
        if at % 2 == 1 {
            let lease = next(&journal).await;
            assert_eq!(journal.conclude(&lease, applied(), vec![event(1)]).await, Ok(()));
            acknowledged.push(Acknowledged { id: lease.entry.update.id, is_concluded: true, log: length() });
        }
    }
    copy_as_it_is(&scratch.directory(), left);
    (updates, acknowledged)
}

/// All that is there: each as it was accepted, once, and with as many events as conclusions.
async fn check(directory: &Path, updates: &[Update], acknowledged: &[Acknowledged], intact: u64) -> Result<(), JournalError> {
    let clock = std::sync::Arc::new(Timestamp::now);
    let journal = Embedded::open(Options::new(directory.to_owned(), clock))?;
    let found: Vec<Entry> = journal.entries(&Filter { limit: 1_000, ..Filter::default() }).await?.updates;
    // What is there is the beginning of what was accepted, in its order.
    let ids: Vec<UpdateId> = found.iter().map(|entry| entry.update.id).collect();
    let expected: Vec<UpdateId> = updates.iter().take(ids.len()).map(|update| update.id).collect();
    assert_eq!(ids, expected);
    for (id, update) in ids.iter().zip(updates) {
        let entry = journal.entry(*id).await?.expect("it is listed");
        let payload = update.payload.clone().filter(|_| entry.conclusion.is_none());
        assert_eq!(entry.update, Update { payload, ..update.clone() });
        assert!(matches!(entry.state(), State::Accepted | State::Applied));
    }
    let concluded = found.iter().filter(|entry| entry.conclusion.is_some()).count();
    assert_eq!(journal.events(None, 1_000).await?.events.len(), concluded);
    for one in acknowledged.iter().filter(|one| one.log <= intact) {
        let entry = found.iter().find(|entry| entry.update.id == one.id).expect("what was acknowledged is there");
        assert!(!one.is_concluded || entry.conclusion.is_some(), "a conclusion that was acknowledged is gone");
    }
    Ok(())
}

#[tokio::test]
async fn keeps_what_was_acknowledged_before_the_torn_end_of_its_log() {
    let scratch = Scratch::new();
    let left = scratch.scratch.path().join("left");
    let (updates, acknowledged) = written(&scratch, &left).await;
    let log = std::fs::read(left.join("journal.db-wal")).expect("a log");
    assert!(acknowledged.last().is_some_and(|last| last.log == log.len() as u64), "the log was not begun anew");
    check(&left, &updates, &acknowledged, u64::MAX).await.expect("an intact log is read whole");

    let (mut opened, directory) = (0, scratch.scratch.path().join("torn"));
    for how in [Damage::Cut, Damage::Flipped, Damage::Garbled, Damage::Zeroed] {
        // An odd step, so that the places fall on all parts of pages and frames.
        for at in (0..log.len()).step_by((log.len() / 40) | 1) {
            let _ = std::fs::remove_dir_all(&directory);
            // The journal that was checked above worked its log in, so the copy is made from the first one.
            copy_as_it_is(&scratch.directory(), &directory);
            let mut torn = log.clone();
            damage(&mut torn, at, how);
            std::fs::write(directory.join("journal.db-wal"), torn).expect("is written");
            match check(&directory, &updates, &acknowledged, at as u64).await {
                Ok(()) => opened += 1,
                Err(JournalError::Corrupt(_)) => {}
                Err(other) => panic!("{how:?} at {at}: {other}"),
            }
        }
    }
    assert!(opened > 100, "a torn end is no reason to refuse the rest: {opened}");
}
