//! Updates on their way to the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rabita_model::{Code, RegistryId, State, UpdateId};

use crate::JournalError;
use crate::battery::sample::{
    accept_all, accepted, applied, next, refused, registry, take, take_and_park, troubled, update, update_of,
};
use crate::battery::{Subject, soon};

pub async fn gives_the_updates_of_a_record_in_the_order_of_acceptance<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let records: Vec<u64> = (0..200).map(|number| number % 7).collect();
    let updates = accepted(&*journal, &records).await;
    let mut given: BTreeMap<String, Vec<UpdateId>> = BTreeMap::new();
    for _ in &updates {
        let update = next(&*journal).await.entry.update;
        given.entry(update.record).or_default().push(update.id);
    }
    let mut expected: BTreeMap<String, Vec<UpdateId>> = BTreeMap::new();
    for update in updates {
        expected.entry(update.record).or_default().push(update.id);
    }
    assert_eq!(given, expected);
}

pub async fn gives_each_update_once<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for _ in 0..50 {
                    taken.push(next(&*journal).await.entry.update.id);
                }
                taken
            })
        })
        .collect();
    let records: Vec<u64> = (0..200).collect();
    let updates = accepted(&*journal, &records).await;
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.expect("no panic"));
    }
    let once: BTreeSet<UpdateId> = taken.iter().copied().collect();
    assert_eq!(taken.len(), once.len(), "one came twice");
    assert_eq!(once, updates.iter().map(|update| update.id).collect());
}

pub async fn gives_a_registry_its_own_updates<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let other = RegistryId::new("vehicles").expect("a registry");
    let theirs = update_of(&other, 1);
    let ours = update(1);
    accept_all(&*journal, &[theirs.clone(), ours.clone()]).await;
    take(&*journal, ours.id).await;
    let lease = soon("the other's", journal.take(&other)).await.expect("an update");
    assert_eq!((lease.entry.update.id, lease.behind), (theirs.id, None));
}

pub async fn hands_an_update_over_as_it_was_accepted<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    assert_eq!(lease.entry.update, update);
    assert_eq!((lease.entry.generation, lease.behind, lease.entry.state()), (0, None, State::Accepted));
    assert!(!lease.lost.is_cancelled());
}

pub async fn loses_nothing_when_a_taker_gives_up<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let records: Vec<u64> = vec![1; 60];
    let updates = accepted(&*journal, &records).await;
    let mut taken = Vec::new();
    let mut patience = Duration::ZERO;
    while taken.len() < updates.len() {
        // From not at all to long enough, so that it gives up at every step that there is.
        match tokio::time::timeout(patience, journal.take(&registry())).await {
            Ok(lease) => taken.push(lease.expect("an update").entry.update.id),
            Err(_) => patience += Duration::from_micros(100),
        }
    }
    assert_eq!(taken, updates.iter().map(|update| update.id).collect::<Vec<_>>());
}

pub async fn gives_what_is_not_concluded_again_after_a_restart<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    let lease = take(&*journal, updates[0].id).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    take(&*journal, updates[1].id).await;
    let journal = subject.restart(journal).await;
    take(&*journal, updates[1].id).await;
    take(&*journal, updates[2].id).await;
}

pub async fn gives_what_is_not_concluded_again_after_a_crash<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    let lease = take(&*journal, updates[0].id).await;
    assert_eq!(journal.conclude(&lease, refused(), Vec::new()).await, Ok(()));
    take(&*journal, updates[1].id).await;
    let journal = subject.crash(journal).await;
    take(&*journal, updates[1].id).await;
    take(&*journal, updates[2].id).await;
    let entry = journal.entry(updates[0].id).await.expect("answers").expect("is there");
    assert_eq!((entry.state(), entry.update.payload), (State::Refused, None));
}

pub async fn keeps_how_far_an_update_has_come<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    let mut progress = troubled(3, Code::RegistryTimeout);
    progress.is_in_doubt = true;
    assert_eq!(journal.progress(&lease, progress.clone()).await, Ok(()));
    let journal = subject.crash(journal).await;
    let lease = take(&*journal, update.id).await;
    assert_eq!((lease.entry.state(), lease.entry.progress), (State::Retrying, progress));
}

pub async fn concludes_an_update_once<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    let first = applied();
    assert_eq!(journal.conclude(&lease, first.clone(), Vec::new()).await, Ok(()));
    assert_eq!(journal.conclude(&lease, first.clone(), Vec::new()).await, Ok(()), "as after an answer that was lost");
    assert_eq!(journal.conclude(&lease, refused(), Vec::new()).await, Err(JournalError::Lost));
    let entry = journal.entry(update.id).await.expect("answers").expect("is there");
    assert_eq!(entry.conclusion, Some(first));
}

pub async fn forgets_the_payload_of_a_concluded_update<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    let entry = journal.entry(update.id).await.expect("answers").expect("is there");
    assert_eq!((entry.state(), entry.update.payload), (State::Applied, None));
}

pub async fn never_gives_a_concluded_update_again<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    for update in &updates[..2] {
        let lease = take(&*journal, update.id).await;
        assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    }
    let journal = subject.crash(journal).await;
    take(&*journal, updates[2].id).await;
    let last = accepted(&*journal, &[1]).await.remove(0);
    take(&*journal, last.id).await;
}

pub async fn refuses_a_lease_that_is_over<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    let progress = troubled(1, Code::RegistryBusy);
    assert_eq!(journal.progress(&lease, progress.clone()).await, Err(JournalError::Lost));
    assert_eq!(journal.park(&lease, progress).await, Err(JournalError::Lost));
    let entry = journal.entry(update.id).await.expect("answers").expect("is there");
    assert_eq!(entry.state(), State::Applied);
}

pub async fn tells_who_waits_how_an_update_settled<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1]).await;
    let waiting: Vec<_> = updates
        .iter()
        .chain(&updates)
        .map(|update| {
            let (journal, id) = (journal.clone(), update.id);
            tokio::spawn(async move { soon("the settlement", journal.settled(id)).await })
        })
        .collect();
    let lease = take(&*journal, updates[0].id).await;
    assert_eq!(journal.progress(&lease, troubled(1, Code::RegistryBusy)).await, Ok(()));
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    take_and_park(&*journal, updates[1].id).await;
    let mut states = Vec::new();
    for waiter in waiting {
        states.push(waiter.await.expect("no panic").expect("an entry").state());
    }
    assert_eq!(states, [State::Applied, State::Parked, State::Applied, State::Parked]);
    let entry = soon("what settled before", journal.settled(updates[0].id)).await.expect("an entry");
    assert_eq!(entry.state(), State::Applied);
}
