//! What is forgotten, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rabita_journal::battery::sample::{accept_all, applied, event, next, take, update};
use rabita_journal::battery::soon;
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Filter, Journal, JournalError};
use rabita_model::{Conclusion, Event, Update};
use serde_json::json;

use super::Scratch;

/// Asks again and again until the answer is yes.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    soon(what, asking).await;
}

fn long_ago() -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * 30)
}

fn quick(scratch: &Scratch) -> Options {
    Options { upkeep_every: Duration::from_millis(5), ..scratch.options() }
}

#[tokio::test]
async fn forgets_what_ended_long_ago_and_nothing_else() {
    let scratch = Scratch::new();
    let journal = Embedded::open(quick(&scratch)).expect("opens");
    let old = Update { accepted_at: long_ago(), ..update(1) };
    let fresh = Update { accepted_at: long_ago(), ..update(1) };
    let waiting = Update { accepted_at: long_ago(), ..update(1) };
    accept_all(&journal, &[old.clone(), fresh.clone(), waiting.clone()]).await;
    let before = journal.newest().await.expect("a position");
    let kept = event(2);

    let lease = take(&journal, old.id).await;
    let ended = Conclusion { at: long_ago(), ..applied() };
    assert_eq!(journal.conclude(&lease, ended, vec![Event { at: long_ago(), ..event(1) }]).await, Ok(()));
    let lease = take(&journal, fresh.id).await;
    assert_eq!(journal.conclude(&lease, applied(), vec![kept.clone()]).await, Ok(()));

    eventually("the old update is forgotten", async || journal.entry(old.id).await == Ok(None)).await;
    assert_eq!(journal.claim(&old.system, &old.idempotency_key).await, Ok(None), "and its key");
    let page = journal.entries(&Filter::default()).await.expect("a page");
    assert_eq!(page.updates.iter().map(|entry| entry.update.id).collect::<Vec<_>>(), [fresh.id, waiting.id]);
    let gone = async || journal.events(None, 10).await.is_ok_and(|page| page.events.len() == 1);
    eventually("the old event is forgotten", gone).await;
    assert!(journal.events(Some(&before), 10).await.expect("events").has_gap, "who missed one is told");
    let page = journal.events(None, 10).await.expect("events");
    assert_eq!((page.has_gap, &page.events[0].1), (false, &kept), "who begins missed none");
    assert!(!journal.events(Some(&page.events[0].0), 10).await.expect("events").has_gap);
}

#[tokio::test]
async fn never_gives_a_number_twice_when_all_was_forgotten() {
    let scratch = Scratch::new();
    let journal = Embedded::open(quick(&scratch)).expect("opens");
    for _ in 0..3 {
        let update = update(1);
        accept_all(&journal, std::slice::from_ref(&update)).await;
        let lease = take(&journal, update.id).await;
        let place = journal.newest().await.expect("a position");
        let old = Event { at: long_ago(), ..event(1) };
        let ended = Conclusion { at: long_ago(), ..applied() };
        assert_eq!(journal.conclude(&lease, ended, vec![old]).await, Ok(()));
        eventually("it is forgotten", async || journal.entry(update.id).await == Ok(None)).await;
        let missed = async || journal.events(Some(&place), 1).await.is_ok_and(|page| page.has_gap);
        eventually("its event is forgotten", missed).await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_forgets_nothing() {
    let scratch = Scratch::new();
    let (asked, ahead) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let clock = {
        let (asked, ahead) = (Arc::clone(&asked), Arc::clone(&ahead));
        move || {
            asked.fetch_add(1, Ordering::SeqCst);
            Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst))
        }
    };
    let journal = Embedded::open(Options { clock: Arc::new(clock), ..quick(&scratch) }).expect("opens");
    let update = update(1);
    accept_all(&journal, std::slice::from_ref(&update)).await;
    let lease = take(&journal, update.id).await;
    assert_eq!(journal.conclude(&lease, applied(), vec![event(1)]).await, Ok(()));
    ahead.store(400 * 86_400, Ordering::SeqCst);
    let so_far = asked.load(Ordering::SeqCst);
    eventually("it looked several times", async || asked.load(Ordering::SeqCst) > so_far + 5).await;
    assert!(journal.entry(update.id).await.expect("answers").is_some());
    assert_eq!(journal.events(None, 10).await.expect("events").events.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_no_more_on_the_disk_than_what_it_keeps() {
    const ROUNDS: usize = 20;
    const EACH: u64 = 100;
    const BYTES: usize = 40_000;
    let scratch = Scratch::new();
    let journal = Arc::new(Embedded::open(quick(&scratch)).expect("opens"));
    for _ in 0..ROUNDS {
        let tasks = (0..EACH).map(|number| {
            let mut update = update(number);
            if let Some(payload) = &mut update.payload {
                payload.expected_version = Some(json!("x".repeat(BYTES)));
            }
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { journal.accept(update).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic").expect("is accepted");
        }
        for number in 0..EACH {
            let lease = next(&*journal).await;
            let ended = Conclusion { at: long_ago(), ..applied() };
            let told = Event { at: long_ago(), ..event(number) };
            assert_eq!(journal.conclude(&lease, ended, vec![told]).await, Ok::<(), JournalError>(()));
        }
    }
    let sizes = || {
        let size = |name: &str| scratch.directory().join(name).metadata().map_or(0, |found| found.len());
        (size("journal.db"), size("journal.db-wal"))
    };
    // What went through is more than 80 MB; some 8 MiB stay for what comes next, and the log is worked in at 16 MiB.
    eventually("the file is small again", async || sizes().0 < 10 << 20).await;
    assert!(sizes().1 < 40 << 20, "the log is bounded: {:?}", sizes());
}
