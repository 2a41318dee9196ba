//! The bus's own changes of late, so that detection does not publish them a second time.
//!
//! Held in memory and bounded: after a restart, and for a change that another node delivered, a change can be
//! published twice. It is never left out for want of memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rabita_model::{Event, Happened};
use serde_json::{Map, Value};
use tokio::sync::watch;

/// The most changes that are held for one entity.
const HELD_MAX: usize = 10_000;

/// Own changes of one entity: those under way, and those that a poll has yet to show.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    held: Mutex<Held>,
    under_way: watch::Sender<UnderWay>,
}

/// The changes that are being sent, by numbers that only grow.
#[derive(Debug, Default)]
struct UnderWay {
    numbers: BTreeSet<u64>,
    next: u64,
}

/// A change under way.
pub(crate) struct Going<'a> {
    under_way: &'a watch::Sender<UnderWay>,
    number: u64,
}

#[derive(Debug, Default)]
struct Held {
    /// By the record's key, oldest first.
    by_key: HashMap<String, VecDeque<Note>>,
    /// Every note's key, in the order of their making. A note may have been used up since.
    order: VecDeque<(Instant, String)>,
}

/// What the bus wrote.
#[derive(Debug)]
struct Note {
    at: Instant,
    /// The values that were written; `None` for a deletion.
    written: Option<Map<String, Value>>,
}

impl Recent {
    /// Begins a change: until this is dropped, nobody knows whether it was written, and what it wrote is not noted.
    pub fn begin(&self) -> Going<'_> {
        let mut number = 0;
        self.under_way.send_modify(|under_way| {
            number = under_way.next;
            under_way.next += 1;
            under_way.numbers.insert(number);
        });
        Going { under_way: &self.under_way, number }
    }

    /// Waits until what was written up to now is noted: until all changes have ended that are under way.
    pub async fn settled(&self) {
        let mut under_way = self.under_way.subscribe();
        let next = under_way.borrow().next;
        // The sender is this value's own, so it does not end before.
        let _ = under_way.wait_for(|now| now.numbers.first().is_none_or(|first| *first >= next)).await;
    }

    /// Takes down what was just written.
    pub fn note(&self, event: &Event) {
        let written = match event.happened {
            Happened::Deleted => None,
            // Of an action nobody knows what it writes, so what is detected after it is news.
            _ if event.record.is_empty() => return,
            _ => Some(event.record.clone()),
        };
        let (at, key) = (Instant::now(), name(&event.key));
        let mut held = self.lock();
        held.by_key.entry(key.clone()).or_default().push_back(Note { at, written });
        held.order.push_back((at, key));
        while held.order.len() > HELD_MAX {
            held.forget_oldest();
        }
    }

    /// Whether a detected state of a record is what the bus wrote itself. A note answers once, and those before it are
    /// used up with it: the next detection of the record is another's change.
    pub fn take(&self, key: &Map<String, Value>, record: Option<&Map<String, Value>>) -> bool {
        let mut held = self.lock();
        let key = name(key);
        let Some(notes) = held.by_key.get_mut(&key) else { return false };
        let is_it = |note: &Note| match (&note.written, record) {
            (None, None) => true,
            (Some(written), Some(record)) => holds(record, written),
            _ => false,
        };
        let Some(at) = notes.iter().rposition(is_it) else { return false };
        notes.drain(..=at);
        if notes.is_empty() {
            held.by_key.remove(&key);
        }
        true
    }

    /// Forgets what was noted before: a poll that came later has shown it.
    pub fn forget_before(&self, time: Instant) {
        let mut held = self.lock();
        while held.order.front().is_some_and(|(at, _)| *at < time) {
            held.forget_oldest();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.under_way.send_modify(|under_way| {
            under_way.numbers.remove(&self.number);
        });
    }
}

impl Held {
    fn forget_oldest(&mut self) {
        let Some((at, key)) = self.order.pop_front() else { return };
        let Some(notes) = self.by_key.get_mut(&key) else { return };
        while notes.front().is_some_and(|note| note.at <= at) {
            notes.pop_front();
        }
        if notes.is_empty() {
            self.by_key.remove(&key);
        }
    }
}

/// A key as text that is the same however its members are ordered.
fn name(key: &Map<String, Value>) -> String {
    let mut key = Value::Object(key.clone());
    key.sort_all_objects();
    key.to_string()
}

/// Whether a record has all of these values; one that was written as null is left out of it, or null.
fn holds(record: &Map<String, Value>, written: &Map<String, Value>) -> bool {
    written.iter().all(|(member, value)| match (record.get(member), value) {
        (None, Value::Null) => true,
        (None, Value::Object(inner)) => holds(&Map::new(), inner),
        (None, _) => false,
        (Some(Value::Object(record)), Value::Object(written)) => holds(record, written),
        (Some(own), value) => own == value,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rabita_model::{EntityName, EventId, RegistryId, Target, UpdateId, Version};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn event(happened: Happened, key: &str, record: Value) -> Event {
        Event {
            id: EventId::new(Uuid::nil()),
            target: Target {
                registry: RegistryId::new("population").expect("an id"),
                version: Version::new("v1").expect("a version"),
                entity: EntityName::new("persons").expect("a name"),
            },
            happened,
            at: Timestamp::UNIX_EPOCH,
            key: map(json!({ "pin": key })),
            changed: Vec::new(),
            record: map(record),
            update: Some(UpdateId::new(Uuid::nil())),
            traceparent: None,
        }
    }

    fn take(recent: &Recent, key: &str, record: Option<Value>) -> bool {
        recent.take(&map(json!({ "pin": key })), record.map(map).as_ref())
    }

    #[test]
    fn an_own_change_is_known_once_and_only_by_its_values() {
        let recent = Recent::default();
        recent.note(&event(Happened::Updated, "A", json!({ "name": { "family": "Aliyeva" }, "notes": null })));
        let row = |family: &str| Some(json!({ "pin": "A", "name": { "family": family, "given": "Aygun" } }));
        assert!(!take(&recent, "B", row("Aliyeva")), "another record");
        assert!(!take(&recent, "A", row("Mammadova")), "another's value");
        assert!(!take(&recent, "A", None), "another's deletion");
        assert!(take(&recent, "A", row("Aliyeva")));
        assert!(!take(&recent, "A", row("Aliyeva")), "the next one is another's");
    }

    #[test]
    fn a_poll_between_two_own_changes_knows_both() {
        let recent = Recent::default();
        recent.note(&event(Happened::Updated, "A", json!({ "n": 1 })));
        recent.note(&event(Happened::Updated, "A", json!({ "n": 2 })));
        assert!(take(&recent, "A", Some(json!({ "n": 1 }))));
        assert!(take(&recent, "A", Some(json!({ "n": 2 }))));
        recent.note(&event(Happened::Updated, "A", json!({ "n": 3 })));
        recent.note(&event(Happened::Deleted, "A", json!({})));
        assert!(take(&recent, "A", None));
        assert!(!take(&recent, "A", Some(json!({ "n": 3 }))), "what came before it is used up");
    }

    #[test]
    fn what_an_action_does_is_news() {
        let recent = Recent::default();
        recent.note(&event(Happened::Updated, "A", json!({})));
        assert!(!take(&recent, "A", Some(json!({ "n": 1 }))));
    }

    #[tokio::test]
    async fn waits_for_the_changes_under_way_and_not_for_those_that_begin_later() {
        let recent = Recent::default();
        recent.settled().await;
        let first = recent.begin();
        let waiting = recent.settled();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let _later = recent.begin();
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        waiting.await;
    }

    #[test]
    fn forgets_with_time_and_beyond_its_bound() {
        let recent = Recent::default();
        recent.note(&event(Happened::Updated, "A", json!({ "n": 1 })));
        recent.forget_before(Instant::now() + std::time::Duration::from_secs(1));
        assert!(!take(&recent, "A", Some(json!({ "n": 1 }))));
        for at in 0..=HELD_MAX {
            recent.note(&event(Happened::Updated, &at.to_string(), json!({ "n": 1 })));
        }
        assert_eq!(recent.lock().by_key.len(), HELD_MAX);
        assert!(!take(&recent, "0", Some(json!({ "n": 1 }))));
        assert!(take(&recent, "1", Some(json!({ "n": 1 }))));
    }
}
