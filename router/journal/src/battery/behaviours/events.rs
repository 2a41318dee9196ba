//! Events.

use rabita_model::{Event, EventId};

use crate::battery::sample::{accepted, applied, event, refused, take};
use crate::battery::{Subject, soon};
use crate::{Journal, JournalError, Position};

/// The ids of the events after a position.
async fn after(journal: &dyn Journal, position: Option<&Position>) -> Vec<EventId> {
    let page = journal.events(position, 1_000).await.expect("events");
    assert!(!page.has_gap, "nothing was forgotten");
    page.events.into_iter().map(|(_, event)| event.id).collect()
}

fn ids(events: &[Event]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

pub async fn publishes_the_events_of_an_update_with_its_conclusion<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    assert_eq!(after(&*journal, None).await, [], "none before");
    let events = [Event { update: Some(update.id), ..event(1) }, event(2)];
    assert_eq!(journal.conclude(&lease, applied(), events.to_vec()).await, Ok(()));
    let journal = subject.crash(journal).await;
    let page = journal.events(None, 10).await.expect("events");
    assert_eq!(page.events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), events);
    assert!(journal.entry(update.id).await.expect("answers").is_some_and(|entry| entry.conclusion.is_some()));
}

pub async fn publishes_no_event_where_it_does_not_conclude<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let update = accepted(&*journal, &[1]).await.remove(0);
    let lease = take(&*journal, update.id).await;
    let first = applied();
    let events = [event(1)];
    assert_eq!(journal.conclude(&lease, first.clone(), events.to_vec()).await, Ok(()));
    assert_eq!(journal.conclude(&lease, refused(), vec![event(2)]).await, Err(JournalError::Lost));
    assert_eq!(journal.conclude(&lease, first, events.to_vec()).await, Ok(()), "as after an answer that was lost");
    assert_eq!(after(&*journal, None).await, ids(&events));
}

pub async fn publishes_an_event_once_however_often_it_is_handed_over<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let events = [event(1), event(2)];
    assert_eq!(journal.publish(events.to_vec(), Vec::new()).await, Ok(()));
    assert_eq!(journal.publish(events.to_vec(), Vec::new()).await, Ok(()), "as after an answer that was lost");
    assert_eq!(after(&*journal, None).await, ids(&events));
}

pub async fn goes_on_with_events_after_a_position<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let events: Vec<Event> = (0..20).map(event).collect();
    for event in &events {
        assert_eq!(journal.publish(vec![event.clone()], Vec::new()).await, Ok(()));
    }
    let mut found = Vec::new();
    let mut position = None;
    loop {
        let page = journal.events(position.as_ref(), 3).await.expect("events");
        let Some((last, _)) = page.events.last() else { break };
        assert!(page.events.len() <= 3, "more than asked");
        assert!(last.0.bytes().all(|byte| byte.is_ascii_graphic()), "a position is printable");
        position = Some(last.clone());
        found.extend(page.events.into_iter().map(|(_, event)| event.id));
    }
    assert_eq!(found, ids(&events));
}

pub async fn knows_its_positions_after_a_crash<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let events: Vec<Event> = (0..4).map(event).collect();
    assert_eq!(journal.publish(events[..2].to_vec(), Vec::new()).await, Ok(()));
    let newest = journal.newest().await.expect("a position");
    let first = journal.events(None, 1).await.expect("events").events.remove(0).0;
    let journal = subject.crash(journal).await;
    assert_eq!(after(&*journal, Some(&newest)).await, []);
    assert_eq!(after(&*journal, Some(&first)).await, ids(&events[1..2]));
    assert_eq!(journal.publish(events[2..].to_vec(), Vec::new()).await, Ok(()));
    assert_eq!(after(&*journal, Some(&newest)).await, ids(&events[2..]));
}

pub async fn begins_with_the_first_event_where_there_was_none<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let newest = journal.newest().await.expect("a position of an empty journal");
    let published = event(1);
    assert_eq!(journal.publish(vec![published.clone()], Vec::new()).await, Ok(()));
    assert_eq!(after(&*journal, Some(&newest)).await, [published.id]);
}

pub async fn refuses_a_position_that_it_did_not_give<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    assert_eq!(journal.publish(vec![event(1)], Vec::new()).await, Ok(()));
    for hostile in ["", "-", "1", "x-1", "9999999999999999999999", "'; DROP TABLE events", "\u{0}"] {
        let refused = journal.events(Some(&Position(hostile.to_owned())), 10).await;
        assert_eq!(refused, Err(JournalError::PositionInvalid), "{hostile:?}");
    }
}

pub async fn tells_of_new_events<S: Subject>() {
    let subject = S::set_up().await;
    let journal = subject.open().await;
    let mut news = journal.news();
    for number in 0..3 {
        let published = event(number);
        let newest = journal.newest().await.expect("a position");
        news.mark_unchanged();
        assert_eq!(journal.publish(vec![published.clone()], Vec::new()).await, Ok(()));
        soon("news", news.changed()).await.expect("the journal is open");
        assert_eq!(after(&*journal, Some(&newest)).await, [published.id], "what is told of is there");
    }
}
