//! Updates and their idempotency keys.

use rabita_model::{State, SystemId, Update};

use crate::battery::Subject;
use crate::battery::sample::{accepted, applied, record, registry, system, take, take_and_park, update};
use crate::{Accepted, Claim, Filter, JournalError};

fn claim_of(update: &Update) -> Claim {
    Claim { id: update.id, digest: update.digest.clone() }
}

pub async fn finds_an_accepted_update_after_a_restart<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 2]).await;
    let journal = subject.restart(journal).await;
    for update in updates {
        let entry = journal.entry(update.id).await.expect("answers").expect("the update is there");
        assert_eq!((entry.state(), &entry.update), (State::Accepted, &update));
    }
}

pub async fn finds_an_accepted_update_after_a_crash<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 2]).await;
    let journal = subject.crash(journal).await;
    for update in updates {
        let entry = journal.entry(update.id).await.expect("answers").expect("the update is there");
        assert_eq!((entry.state(), &entry.update), (State::Accepted, &update));
        assert_eq!(journal.claim(&update.system, &update.idempotency_key).await, Ok(Some(claim_of(&update))));
    }
}

pub async fn answers_none_for_what_it_does_not_have<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    assert_eq!(journal.entry(update(1).id).await, Ok(None));
    assert_eq!(journal.claim(&system(), "never used").await, Ok(None));
    assert_eq!(journal.depths().await, Ok(Vec::new()));
    assert_eq!(journal.entries(&Filter::default()).await.map(|page| page.updates), Ok(Vec::new()));
}

pub async fn knows_a_key_again_with_what_it_was_used_for<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let first = accepted(&*journal, &[1]).await.remove(0);
    let again = Update { idempotency_key: first.idempotency_key.clone(), ..update(2) };
    assert_eq!(journal.accept(again.clone()).await, Ok(Accepted::Known(claim_of(&first))));
    assert_eq!(journal.entry(again.id).await, Ok(None), "the second is not taken on");

    let journal = subject.restart(journal).await;
    assert_eq!(journal.accept(again).await, Ok(Accepted::Known(claim_of(&first))));
    let lease = take(&*journal, first.id).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    assert_eq!(journal.claim(&first.system, &first.idempotency_key).await, Ok(Some(claim_of(&first))), "after its end too");
}

pub async fn keeps_the_keys_of_systems_apart<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let first = accepted(&*journal, &[1]).await.remove(0);
    let other = SystemId::new("service-centre").expect("a system");
    let second = Update { idempotency_key: first.idempotency_key.clone(), system: other.clone(), ..update(1) };
    assert_eq!(journal.accept(second.clone()).await, Ok(Accepted::New));
    assert_eq!(journal.claim(&other, &first.idempotency_key).await, Ok(Some(claim_of(&second))));
    assert_eq!(journal.claim(&first.system, &first.idempotency_key).await, Ok(Some(claim_of(&first))));
}

pub async fn takes_one_of_many_updates_under_one_key<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let journal = journal.clone();
            let update = Update { idempotency_key: "the same".to_owned(), ..update(number) };
            tokio::spawn(async move { (update.clone(), journal.accept(update).await) })
        })
        .collect();
    let (mut taken, mut known) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.expect("no panic") {
            (update, Ok(Accepted::New)) => taken.push(update),
            (_, Ok(Accepted::Known(claim))) => known.push(claim),
            (_, Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(taken.len(), 1, "one is taken on");
    assert!(known.iter().all(|claim| *claim == claim_of(&taken[0])), "the others learn of it");
    let page = journal.entries(&Filter::default()).await.expect("answers");
    assert_eq!(page.updates.iter().map(|entry| entry.update.id).collect::<Vec<_>>(), [taken[0].id]);
}

pub async fn takes_an_update_on_once_however_often_it_is_handed_over<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let first = accepted(&*journal, &[1]).await.remove(0);
    assert_eq!(journal.accept(first.clone()).await, Ok(Accepted::New), "as after an answer that was lost");
    let second = accepted(&*journal, &[1]).await.remove(0);
    take(&*journal, first.id).await;
    take(&*journal, second.id).await;
}

pub async fn takes_on_what_many_hand_over_at_once<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates: Vec<Update> = (0..300).map(update).collect();
    let tasks: Vec<_> = updates
        .iter()
        .cloned()
        .map(|update| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.accept(update).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(Accepted::New));
    }
    let journal = subject.crash(journal).await;
    for update in &updates {
        assert!(journal.entry(update.id).await.expect("answers").is_some(), "an accepted update is gone");
    }
}

pub async fn knows_whether_a_record_has_updates_to_come<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let waiting = async |number| journal.is_waiting(&registry(), &record(number)).await.expect("answers");
    let updates = accepted(&*journal, &[1, 2]).await;
    assert_eq!((waiting(1).await, waiting(2).await, waiting(3).await), (true, true, false));
    let first = crate::battery::sample::next(&*journal).await;
    let (concluded, other) = if first.entry.update.id == updates[0].id { (1, 2) } else { (2, 1) };
    assert_eq!(journal.conclude(&first, applied(), Vec::new()).await, Ok(()));
    assert_eq!((waiting(concluded).await, waiting(other).await), (false, true));
    let second = updates.iter().find(|update| update.id != first.entry.update.id).expect("the other");
    take_and_park(&*journal, second.id).await;
    assert!(waiting(other).await, "a parked one is to come");
}

pub async fn refuses_what_comes_after_its_end<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    assert_eq!(journal.health(), Ok(()));
    journal.close().await;
    assert!(journal.health().is_err());
    let refused = |error: &JournalError| matches!(error, JournalError::Unavailable(_));
    assert!(journal.accept(update(1)).await.is_err_and(|error| refused(&error)));
    assert!(journal.take(&registry()).await.is_err_and(|error| refused(&error)));
    let journal = subject.open().await;
    assert_eq!(journal.entries(&Filter::default()).await.map(|page| page.updates), Ok(Vec::new()), "and does nothing");
}
