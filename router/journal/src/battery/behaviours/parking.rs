//! Updates that are laid aside, and those behind them.

use rabita_model::{Code, State};

use crate::battery::Subject;
use crate::battery::sample::{accepted, act, applied, take, take_and_park, troubled};
use crate::journal::behind;
use crate::{Acted, JournalError, Verb};

pub async fn gives_a_parked_update_only_when_it_is_sent<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1]).await;
    take_and_park(&*journal, updates[0].id).await;
    take(&*journal, updates[1].id).await;
    let journal = subject.restart(journal).await;
    take(&*journal, updates[1].id).await;
    let answers = journal.act(act(Verb::Retry, &[updates[0].id])).await;
    assert_eq!(answers, Ok(vec![(updates[0].id, Acted::Done)]));
    let lease = take(&*journal, updates[0].id).await;
    assert_eq!((lease.entry.is_parked, lease.entry.generation), (false, 1));
}

pub async fn tells_later_updates_of_a_parked_one_before_them<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1]).await;
    take_and_park(&*journal, updates[0].id).await;
    assert_eq!(take(&*journal, updates[1].id).await.behind, Some(updates[0].id), "one that was there already");
    let later = accepted(&*journal, &[1]).await.remove(0);
    assert_eq!(take(&*journal, later.id).await.behind, Some(updates[0].id), "one that came later");
    let journal = subject.crash(journal).await;
    assert_eq!(take(&*journal, updates[1].id).await.behind, Some(updates[0].id), "after a crash");
}

pub async fn holds_nothing_up_for_a_parked_update_of_another_record<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let parked = accepted(&*journal, &[1]).await.remove(0);
    take_and_park(&*journal, parked.id).await;
    let other = accepted(&*journal, &[2]).await.remove(0);
    assert_eq!(take(&*journal, other.id).await.behind, None);
}

pub async fn takes_along_what_is_parked_behind<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    take_and_park(&*journal, updates[0].id).await;
    for update in &updates[1..] {
        let lease = take(&*journal, update.id).await;
        assert_eq!(journal.park(&lease, progress_behind(updates[0].id)).await, Ok(()));
    }
    let answers = journal.act(act(Verb::Retry, &[updates[0].id])).await;
    assert_eq!(answers, Ok(vec![(updates[0].id, Acted::Done)]), "it answers for what it was asked");
    for update in &updates {
        let lease = take(&*journal, update.id).await;
        assert_eq!((lease.behind, lease.entry.generation), (None, 1));
        assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    }
}

pub async fn gives_an_update_again_that_has_nobody_to_wait_behind<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1]).await;
    take_and_park(&*journal, updates[0].id).await;
    let late = take(&*journal, updates[1].id).await;
    // An operator is quicker than the one who parks the second behind the first.
    let answers = journal.act(act(Verb::Retry, &[updates[0].id])).await;
    assert_eq!(answers, Ok(vec![(updates[0].id, Acted::Done)]));
    assert_eq!(journal.park(&late, progress_behind(updates[0].id)).await, Ok(()));
    let first = take(&*journal, updates[0].id).await;
    assert_eq!(journal.conclude(&first, applied(), Vec::new()).await, Ok(()));
    let second = take(&*journal, updates[1].id).await;
    assert_eq!((second.behind, second.entry.is_parked), (None, false));
    assert_eq!(journal.conclude(&second, applied(), Vec::new()).await, Ok(()));
}

pub async fn counts_attempts_anew_and_keeps_the_doubt<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    let mut progress = troubled(10, Code::OutcomeUnknown);
    progress.is_in_doubt = true;
    assert_eq!(journal.park(&lease, progress).await, Ok(()));
    let answers = journal.act(act(Verb::Retry, &[update.id])).await;
    assert_eq!(answers, Ok(vec![(update.id, Acted::Done)]));
    let lease = take(&*journal, update.id).await;
    let progress = &lease.entry.progress;
    assert_eq!((progress.attempts, progress.is_in_doubt, progress.next_at), (0, true, None));
    assert_eq!(lease.entry.state(), State::Accepted);
}

pub async fn refuses_a_lease_from_before_it_was_parked<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let old = take_and_park(&*journal, update.id).await;
    assert_eq!(journal.conclude(&old, applied(), Vec::new()).await, Err(JournalError::Lost), "while it is parked");
    let answers = journal.act(act(Verb::Retry, &[update.id])).await;
    assert_eq!(answers, Ok(vec![(update.id, Acted::Done)]));
    assert_eq!(journal.conclude(&old, applied(), Vec::new()).await, Err(JournalError::Lost), "when it was sent");
    assert_eq!(journal.progress(&old, troubled(1, Code::RegistryBusy)).await, Err(JournalError::Lost));
    let lease = take(&*journal, update.id).await;
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
}

fn progress_behind(id: rabita_model::UpdateId) -> rabita_model::Progress {
    rabita_model::Progress { trouble: Some(behind(id)), ..rabita_model::Progress::default() }
}
