//! The newest events, read from the journal once for all who follow them.
//!
//! Whoever is up to date asks for the same events at the same moment as everybody else. Who is behind reads the journal
//! for itself until it has caught up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rabita_journal::{EventPage, Journal, JournalError, Position};
use rabita_model::{Event, SystemId};
use tokio::sync::watch;

/// Events that are taken out of the journal at once.
const PAGE: usize = 100;
/// Events that are held.
const HELD_MAX: usize = 1_000;
/// What nobody asked for so long is held for nobody.
const STALE: Duration = Duration::from_secs(5);

/// The events of the journal.
pub(in crate::node) struct Tail {
    pub journal: Arc<dyn Journal>,
    held: Mutex<Held>,
    /// Held by the one that reads what is new for all.
    reading: tokio::sync::Mutex<()>,
}

/// An event in its place.
#[derive(Debug)]
pub(in crate::node) struct Passed {
    pub position: Position,
    pub event: Event,
    /// The system whose update it is of; none where there is no update, or it is forgotten.
    pub system: Option<SystemId>,
}

/// Some events, oldest first.
#[derive(Debug, Default)]
pub(in crate::node) struct Page {
    pub events: Vec<Arc<Passed>>,
    /// Some events before these are no longer kept.
    pub has_gap: bool,
}

#[derive(Debug, Default)]
struct Held {
    events: VecDeque<Arc<Passed>>,
    /// The number of the first of these.
    first: usize,
    numbers: HashMap<Position, usize>,
    /// When they were last of use.
    used: Option<Instant>,
}

impl Tail {
    pub fn new(journal: &Arc<dyn Journal>) -> Self {
        Self { journal: Arc::clone(journal), held: Mutex::default(), reading: tokio::sync::Mutex::new(()) }
    }

    /// Changes whenever there are new events.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.journal.news()
    }

    /// The events after a position; none where there are none yet.
    ///
    /// # Errors
    /// [`JournalError::PositionInvalid`], [`JournalError::Unavailable`].
    pub async fn after(&self, position: &Position) -> Result<Page, JournalError> {
        if let Some(events) = self.lock().after(position) {
            return Ok(Page { events, has_gap: false });
        }
        if !self.lock().continues(position) {
            return self.read(position).await;
        }
        let _reading = self.reading.lock().await;
        // Another may have read it while this one waited.
        if let Some(events) = self.lock().after(position) {
            return Ok(Page { events, has_gap: false });
        }
        let page = self.read(position).await?;
        if !page.has_gap {
            self.lock().append(position, &page.events);
        }
        Ok(page)
    }

    async fn read(&self, position: &Position) -> Result<Page, JournalError> {
        let EventPage { events, has_gap } = self.journal.events(Some(position), PAGE).await?;
        let mut passed = Vec::with_capacity(events.len());
        for (position, event) in events {
            let system = self.system(&event).await;
            passed.push(Arc::new(Passed { position, event, system }));
        }
        Ok(Page { events: passed, has_gap })
    }

    /// The system whose update an event is of. Where the journal fails, nobody is told that it is theirs.
    pub async fn system(&self, event: &Event) -> Option<SystemId> {
        let entry = self.journal.entry(event.update?).await.ok()??;
        Some(entry.update.system)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The events after a position, where this is known to hold them.
    fn after(&mut self, position: &Position) -> Option<Vec<Arc<Passed>>> {
        let next = self.numbers.get(position)? + 1 - self.first;
        let events: Vec<_> = self.events.iter().skip(next).take(PAGE).cloned().collect();
        self.used = Some(Instant::now());
        (!events.is_empty()).then_some(events)
    }

    /// Whether what comes after a position comes after all that is held. What is of use to nobody any more makes room.
    fn continues(&mut self, position: &Position) -> bool {
        let is_end = self.events.back().is_none_or(|last| last.position == *position);
        if !is_end && self.used.is_some_and(|used| used.elapsed() > STALE) {
            *self = Self::default();
            return true;
        }
        is_end
    }

    fn append(&mut self, position: &Position, events: &[Arc<Passed>]) {
        if !self.continues(position) {
            return;
        }
        self.used = Some(Instant::now());
        for passed in events {
            self.numbers.insert(passed.position.clone(), self.first + self.events.len());
            self.events.push_back(Arc::clone(passed));
            if self.events.len() > HELD_MAX
                && let Some(oldest) = self.events.pop_front()
            {
                self.numbers.remove(&oldest.position);
                self.first += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rabita_model::{EntityName, EventId, Happened, RegistryId, Target, Version};
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;

    fn at(number: usize) -> Position {
        Position(number.to_string())
    }

    fn passed(number: usize) -> Arc<Passed> {
        let target = Target {
            registry: RegistryId::new("people").expect("an id"),
            version: Version::new("v1").expect("a version"),
            entity: EntityName::new("persons").expect("a name"),
        };
        let event = Event {
            id: EventId::new(Uuid::nil()),
            target,
            happened: Happened::Changed,
            at: Timestamp::UNIX_EPOCH,
            key: Map::new(),
            changed: Vec::new(),
            record: Map::new(),
            update: None,
            traceparent: None,
        };
        Arc::new(Passed { position: at(number), event, system: None })
    }

    fn positions(held: &mut Held, after: usize) -> Option<Vec<String>> {
        Some(held.after(&at(after))?.iter().map(|passed| passed.position.0.clone()).collect())
    }

    #[test]
    fn what_is_held_is_told_after_each_of_its_positions_and_no_other() {
        let mut held = Held::default();
        held.append(&at(0), &[passed(1), passed(2)]);
        held.append(&at(2), &[passed(3)]);
        assert_eq!(positions(&mut held, 1), Some(vec!["2".to_owned(), "3".to_owned()]));
        assert_eq!(positions(&mut held, 3), None, "nothing is known to come after the last");
        assert_eq!(positions(&mut held, 0), None, "what comes before the first is not held");
        held.append(&at(2), &[passed(9)]);
        assert_eq!(positions(&mut held, 2), Some(vec!["3".to_owned()]), "what does not follow the last is not taken");
    }

    #[test]
    fn what_nobody_asks_for_any_more_makes_room() {
        let mut held = Held::default();
        held.append(&at(0), &[passed(1)]);
        assert!(!held.continues(&at(7)));
        held.used = Instant::now().checked_sub(STALE * 2);
        assert!(held.continues(&at(7)));
        held.append(&at(7), &[passed(8)]);
        assert_eq!((positions(&mut held, 1), held.events.len()), (None, 1));
    }

    #[test]
    fn no_more_is_held_than_its_bound() {
        let mut held = Held::default();
        for number in 1..=HELD_MAX + 5 {
            held.append(&at(number - 1), &[passed(number)]);
        }
        assert_eq!((held.events.len(), held.numbers.len()), (HELD_MAX, HELD_MAX));
        assert_eq!(positions(&mut held, 5), None);
        assert_eq!(positions(&mut held, 6).map(|events| events.len()), Some(PAGE));
        assert_eq!(positions(&mut held, HELD_MAX + 4), Some(vec![(HELD_MAX + 5).to_string()]));
    }
}
