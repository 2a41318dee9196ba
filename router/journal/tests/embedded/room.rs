//! When there is no room for more.

use std::sync::Arc;

use rabita_journal::battery::sample::{accepted, applied, event, next, update};
use rabita_journal::embedded::Options;
use rabita_journal::{Accepted, Embedded, Journal, JournalError, Kept};
use rabita_model::Update;

use super::Scratch;

fn is_full<T>(answer: &Result<T, JournalError>) -> bool {
    matches!(answer, Err(JournalError::Full(_)))
}

#[tokio::test]
async fn refuses_new_updates_on_a_full_disk_and_ends_those_that_it_has() {
    let scratch = Scratch::new();
    let journal = scratch.embedded();
    let updates = accepted(&journal, &[1, 2]).await;
    journal.close().await;

    let journal = Embedded::open(Options { reserve_bytes: u64::MAX, ..scratch.options() }).expect("opens");
    assert!(is_full(&journal.accept(update(3)).await));
    assert!(is_full(&journal.publish(vec![event(1)], Vec::new()).await), "nor other events");
    assert!(journal.health().expect_err("is full").contains("in reserve"));
    assert_eq!(journal.accept(updates[0].clone()).await, Ok(Accepted::New), "what was accepted is answered");
    for _ in &updates {
        let lease = next(&journal).await;
        assert_eq!(journal.conclude(&lease, applied(), vec![event(1)]).await, Ok(()));
    }
    let kept = Kept { key: "place".to_owned(), value: Some(serde_json::json!(1)) };
    assert_eq!(journal.publish(Vec::new(), vec![kept]).await, Ok(()), "delivery goes on");
    journal.close().await;
    assert_eq!(scratch.embedded().accept(update(3)).await, Ok(Accepted::New), "room was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_on_as_many_as_may_wait_and_no_more() {
    let scratch = Scratch::new();
    let options = || Options { pending_max: 10, ..scratch.options() };
    let journal = Arc::new(Embedded::open(options()).expect("opens"));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                let update = update(number);
                (update.clone(), journal.accept(update).await)
            })
        })
        .collect();
    let mut taken: Vec<Update> = Vec::new();
    for task in tasks {
        let (update, answer) = task.await.expect("no panic");
        if answer == Ok(Accepted::New) {
            taken.push(update);
        } else {
            assert!(is_full(&answer), "{answer:?}");
        }
    }
    assert_eq!(taken.len(), 10);
    assert_eq!(journal.accept(taken[0].clone()).await, Ok(Accepted::New), "what was accepted is answered");
    journal.close().await;
    drop(journal);

    let journal = Embedded::open(options()).expect("opens");
    assert!(is_full(&journal.accept(update(1)).await), "also after a restart");
    let lease = next(&journal).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    assert_eq!(journal.accept(update(1)).await, Ok(Accepted::New), "one has ended");
    assert!(is_full(&journal.accept(update(1)).await));
}
