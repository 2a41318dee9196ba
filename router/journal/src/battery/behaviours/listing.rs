//! Updates in lists, and counted.

use rabita_model::{Code, RegistryId, State, SystemId, Update, UpdateId};

use crate::battery::Subject;
use crate::battery::sample::{
    accept_all, accepted, applied, at, record, refused, registry, take, take_and_park, troubled, update, update_of,
};
use crate::{Depth, Filter, Journal, JournalError};

/// The ids that a filter finds, through all pages.
async fn listed(journal: &dyn Journal, filter: Filter) -> Vec<UpdateId> {
    let mut filter = filter;
    let mut found = Vec::new();
    loop {
        let page = journal.entries(&filter).await.expect("a page");
        assert!(filter.limit == 0 || page.updates.len() <= filter.limit, "longer than asked");
        assert!(page.updates.iter().all(|entry| entry.update.payload.is_none()), "a payload in a list");
        found.extend(page.updates.iter().map(|entry| entry.update.id));
        let Some(next) = page.next else { return found };
        filter.cursor = Some(next);
    }
}

pub async fn lists_updates_page_by_page_in_the_order_of_acceptance<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let records: Vec<u64> = (0..25).collect();
    let updates = accepted(&*journal, &records).await;
    let ids: Vec<UpdateId> = updates.iter().map(|update| update.id).collect();
    for limit in [0, 1, 5, 7, 25, 1_000] {
        assert_eq!(listed(&*journal, Filter { limit, ..Filter::default() }).await, ids, "limit {limit}");
    }
    let journal = subject.crash(journal).await;
    assert_eq!(listed(&*journal, Filter { limit: 7, ..Filter::default() }).await, ids);
}

pub async fn refuses_a_cursor_that_it_did_not_give<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let filter = Filter { cursor: Some("'; DROP".to_owned()), ..Filter::default() };
    assert_eq!(journal.entries(&filter).await, Err(JournalError::PositionInvalid));
}

pub async fn lists_the_updates_that_a_filter_names<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let other = RegistryId::new("vehicles").expect("a registry");
    let centre = SystemId::new("service-centre").expect("a system");
    let updates = [
        Update { accepted_at: at(0), ..update(1) },
        Update { accepted_at: at(1), ..update(1) },
        Update { accepted_at: at(2), system: centre.clone(), ..update_of(&other, 2) },
    ];
    accept_all(&*journal, &updates).await;
    let [first, second, third] = updates.map(|update| update.id);
    let filters = [
        (Filter { registry: Some(registry()), ..Filter::default() }, vec![first, second]),
        (Filter { registry: Some(other), ..Filter::default() }, vec![third]),
        (Filter { system: Some(centre), ..Filter::default() }, vec![third]),
        (Filter { record: Some(record(1)), ..Filter::default() }, vec![first, second]),
        (Filter { before: Some(at(1)), ..Filter::default() }, vec![first]),
        (Filter { since: Some(at(1)), ..Filter::default() }, vec![second, third]),
        (Filter { since: Some(at(1)), before: Some(at(2)), ..Filter::default() }, vec![second]),
        (Filter { state: Some(State::Accepted), limit: 1, ..Filter::default() }, vec![first, second, third]),
        (Filter { state: Some(State::Parked), ..Filter::default() }, vec![]),
        (Filter { registry: Some(registry()), since: Some(at(2)), ..Filter::default() }, vec![]),
    ];
    for (filter, expected) in filters {
        assert_eq!(listed(&*journal, filter.clone()).await, expected, "{filter:?}");
    }
}

pub async fn lists_updates_by_their_state_and_by_what_came_in_their_way<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let ids: Vec<UpdateId> = accepted(&*journal, &[1, 1, 1, 1, 1]).await.iter().map(|update| update.id).collect();
    let lease = take(&*journal, ids[0]).await;
    assert_eq!(journal.progress(&lease, troubled(1, Code::RegistryBusy)).await, Ok(()));
    assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    let lease = take(&*journal, ids[1]).await;
    assert_eq!(journal.conclude(&lease, refused(), Vec::new()).await, Ok(()));
    let lease = take(&*journal, ids[2]).await;
    assert_eq!(journal.progress(&lease, troubled(1, Code::RegistryBusy)).await, Ok(()));
    take_and_park(&*journal, ids[3]).await;
    let by_state = [
        (State::Applied, ids[0]),
        (State::Refused, ids[1]),
        (State::Retrying, ids[2]),
        (State::Parked, ids[3]),
        (State::Accepted, ids[4]),
    ];
    for (state, id) in by_state {
        let filter = Filter { state: Some(state), ..Filter::default() };
        assert_eq!(listed(&*journal, filter).await, [id], "{state:?}");
    }
    let by_code = [(Code::RegistryRefused, ids[1]), (Code::RegistryBusy, ids[2]), (Code::RegistryUnavailable, ids[3])];
    for (code, id) in by_code {
        let filter = Filter { code: Some(code), ..Filter::default() };
        assert_eq!(listed(&*journal, filter).await, [id], "{code}");
    }
}

pub async fn counts_what_waits<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let other = RegistryId::new("vehicles").expect("a registry");
    let updates = [
        Update { accepted_at: at(0), ..update(1) },
        Update { accepted_at: at(1), ..update(1) },
        Update { accepted_at: at(2), ..update(1) },
        Update { accepted_at: at(3), ..update_of(&other, 1) },
    ];
    accept_all(&*journal, &updates).await;
    let depth = |registry: &RegistryId, waiting, parked, oldest| Depth { registry: registry.clone(), waiting, parked, oldest };
    let theirs = depth(&other, 1, 0, Some(at(3)));
    assert_eq!(journal.depths().await, Ok(vec![depth(&registry(), 3, 0, Some(at(0))), theirs.clone()]));
    take_and_park(&*journal, updates[0].id).await;
    assert_eq!(journal.depths().await, Ok(vec![depth(&registry(), 2, 1, Some(at(1))), theirs.clone()]));
    for update in &updates[1..3] {
        let lease = take(&*journal, update.id).await;
        assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
    }
    let journal = subject.crash(journal).await;
    assert_eq!(journal.depths().await, Ok(vec![depth(&registry(), 0, 1, None), theirs]));
}
