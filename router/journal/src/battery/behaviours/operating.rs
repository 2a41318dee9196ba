//! What operators do with parked updates.

use rabita_model::{Code, Outcome, Progress, State, UpdateId};

use crate::battery::sample::{accepted, act, take, take_and_park, update};
use crate::battery::{Subject, soon};
use crate::journal::behind;
use crate::{Acted, Journal, Verb};

/// Parks the first and lays the others behind it.
async fn park_all(journal: &dyn Journal, ids: &[UpdateId]) {
    take_and_park(journal, ids[0]).await;
    for id in &ids[1..] {
        let lease = take(journal, *id).await;
        let progress = Progress { trouble: Some(behind(ids[0])), ..Progress::default() };
        assert_eq!(journal.park(&lease, progress).await, Ok(()));
    }
}

pub async fn discards_a_parked_update<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1]).await;
    take_and_park(&*journal, updates[0].id).await;
    let discarding = act(Verb::Discard, &[updates[0].id]);
    assert_eq!(journal.act(discarding.clone()).await, Ok(vec![(updates[0].id, Acted::Done)]));
    let entry = soon("its end", journal.settled(updates[0].id)).await.expect("an entry");
    let conclusion = entry.conclusion.expect("a conclusion");
    assert_eq!((conclusion.outcome, conclusion.code), (Outcome::Refused, Some(Code::UpdateDiscarded)));
    assert_eq!((conclusion.at, entry.update.payload), (discarding.at, None));
    let journal = subject.crash(journal).await;
    let lease = take(&*journal, updates[1].id).await;
    assert_eq!(lease.behind, None, "it holds nothing up any more");
}

pub async fn says_what_an_act_cannot_do<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    let ids: Vec<UpdateId> = updates.iter().map(|update| update.id).collect();
    park_all(&*journal, &ids[..2]).await;
    let absent = update(1).id;
    for verb in [Verb::Retry, Verb::Discard] {
        let answers = journal.act(act(verb, &[absent, ids[2], ids[1]])).await.expect("answers");
        let expected = [
            (absent, Acted::Absent),
            (ids[2], Acted::NotParked { state: State::Accepted }),
            (ids[1], Acted::Behind { id: ids[0] }),
        ];
        assert_eq!(answers, expected);
    }
    let state = journal.entry(ids[1]).await.expect("answers").expect("is there").state();
    assert_eq!(state, State::Parked, "and does none of it");
}

pub async fn acts_on_several_of_a_record_at_once<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let updates = accepted(&*journal, &[1, 1, 1]).await;
    let ids: Vec<UpdateId> = updates.iter().map(|update| update.id).collect();
    park_all(&*journal, &ids).await;
    let answers = journal.act(act(Verb::Discard, &[ids[1], ids[0]])).await;
    assert_eq!(answers, Ok(vec![(ids[1], Acted::Done), (ids[0], Acted::Done)]), "in the order of the question");
    let answers = journal.act(act(Verb::Retry, &[ids[2], ids[2]])).await;
    assert_eq!(answers.map(|answers| answers[0].clone()), Ok((ids[2], Acted::Done)));
    take(&*journal, ids[2]).await;
    let later = accepted(&*journal, &[1]).await.remove(0);
    take(&*journal, later.id).await;
}

pub async fn records_what_operators_did<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    take_and_park(&*journal, update.id).await;
    let first = act(Verb::Retry, &[update.id]);
    assert_eq!(journal.act(first.clone()).await, Ok(vec![(update.id, Acted::Done)]));
    take_and_park(&*journal, update.id).await;
    let second = act(Verb::Discard, &[update.id]);
    assert_eq!(journal.act(second.clone()).await, Ok(vec![(update.id, Acted::Done)]));
    let journal = subject.crash(journal).await;
    assert_eq!(journal.acts(10).await, Ok(vec![second.clone(), first]), "the newest first");
    assert_eq!(journal.acts(1).await, Ok(vec![second]));
}
