//! Changes that others made, found by the number that the directory gives each change (`entryCSN`): a time, a count
//! within it, and the directory that made the change.
//!
//! A change gets its number before it comes to light, so a younger one may be seen first. A place therefore remembers what
//! was told of the last moments; whatever else of them comes to light later is told still. No clock is asked.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use rabita_sdk::{ChangePage, Changes, Detected, Failure, Wanted};
use serde::{Deserialize, Serialize};

use crate::origin::Feed;
use crate::protocol::{Entry, Filter};
use crate::read::{Key, Selection, Session};

const NUMBER: &str = "entryCSN";

/// The most changes of the last moments that a place remembers. Of more, those that come to light late are passed over.
const REMEMBERED_MAX: usize = 500;

/// A change: its number, and the key of its record.
type Told = (String, Vec<String>);

/// Where a search for changes goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Everything up to this number is done with.
    floor: Option<String>,
    /// What was told of the changes above it.
    told: BTreeSet<Told>,
}

impl Place {
    /// Notes changes that are told now, and forgets those that nothing earlier can follow any more.
    fn tell(&mut self, changes: impl IntoIterator<Item = Told>, feed: &Feed) {
        self.told.extend(changes);
        let Some((newest, _)) = self.told.last() else { return };
        let floor = earlier(newest, feed.late_ms);
        self.floor = self.floor.take().max(floor);
        while self.told.first().is_some_and(|(number, _)| Some(number) <= self.floor.as_ref()) {
            self.told.pop_first();
        }
        while self.told.len() > REMEMBERED_MAX {
            self.floor = self.told.pop_first().map(|(number, _)| number);
        }
    }

    fn is_done_with(&self, change: &Told) -> bool {
        self.floor.as_ref().is_some_and(|floor| change.0 <= *floor) || self.told.contains(change)
    }
}

impl Session<'_> {
    /// Some changes since a place, or the place that is now.
    pub(crate) async fn changes(&mut self, feed: &Feed, ask: &Changes) -> Result<ChangePage, Failure> {
        if self.schema.rules("objectClass").is_some() && self.schema.attribute(NUMBER).is_none() {
            return Err(Failure::unsupported(format!("the directory does not number its changes: it has no {NUMBER}")));
        }
        let Some(since) = &ask.since else { return self.now(feed).await };
        let mut place: Place = serde_json::from_str(since).map_err(|_| Failure::refused(BAD_PLACE))?;
        let limit = ask.limit.max(1);
        let mut next: BTreeSet<Told> = BTreeSet::new();
        let floor = place.floor.clone();
        self.numbers(floor.as_deref(), |change| {
            if !place.is_done_with(&change) {
                next.insert(change);
                if next.len() > limit.saturating_add(1) {
                    next.pop_last();
                }
            }
        })
        .await?;
        let has_more = next.len() > limit;
        let next: Vec<Told> = next.into_iter().take(limit).collect();
        let keys: Vec<Key> = next.iter().map(|(_, key)| key.iter().map(|part| part.clone().into_bytes()).collect()).collect();
        let mut wanted = ask.wanted.clone();
        for source in self.plan.spec.key.iter().filter(|source| !ask.wanted.sources.contains(source)) {
            wanted.sources.push(source.clone());
        }
        let mut found = self.fetch(&keys, &wanted, &[]).await?;
        // A record that is gone meanwhile has no change left to tell.
        let changes = keys.iter().filter_map(|key| found.remove(key)).map(Detected::Row).collect();
        place.tell(next, feed);
        Ok(ChangePage { changes, since: written(&place)?, has_more })
    }

    async fn now(&mut self, feed: &Feed) -> Result<ChangePage, Failure> {
        let mut place = Place::default();
        self.numbers(None, |change| {
            place.told.insert(change);
            if place.told.len() > REMEMBERED_MAX {
                place.floor = place.told.pop_first().map(|(number, _)| number);
            }
        })
        .await?;
        place.tell([], feed);
        Ok(ChangePage { changes: Vec::new(), since: written(&place)?, has_more: false })
    }

    /// The number of each record's last change, from one on.
    async fn numbers(&mut self, from: Option<&str>, mut each: impl FnMut(Told)) -> Result<(), Failure> {
        let mut selection = Selection::new(self, &Wanted::default(), &[])?;
        selection.attributes.push(NUMBER.to_owned());
        let filters = from.map(|from| Filter::AtLeast(NUMBER.to_owned(), from.as_bytes().to_vec())).into_iter().collect();
        self.go_through(filters, &selection, |entry| {
            let number = number(&entry)?;
            let key = selection.key(&entry)?.into_iter().map(String::from_utf8).collect::<Result<_, _>>();
            each((number, key.map_err(|_| Failure::malformed("a key is no text in UTF-8"))?));
            Ok(())
        })
        .await
    }
}

fn number(entry: &Entry) -> Result<String, Failure> {
    let value = entry.values(NUMBER).first().cloned();
    let number = value.and_then(|value| String::from_utf8(value).ok());
    number.ok_or_else(|| {
        Failure::unsupported(format!("an entry comes without {NUMBER}: the directory does not number its changes"))
    })
}

/// The number of a moment before another's: `20261201090000.123456Z#000000#000#000000`.
fn earlier(number: &str, millis: u64) -> Option<String> {
    let (seconds, rest) = number.split_at_checked(14)?;
    let micros: i64 = rest.strip_prefix('.')?.get(..6)?.parse().ok()?;
    let time = DateTime::strptime("%Y%m%d%H%M%S", seconds).ok()?;
    let back = SignedDuration::from_millis(i64::try_from(millis).ok()?);
    let time = time.checked_add(SignedDuration::from_micros(micros)).ok()?.checked_sub(back).ok()?;
    let micros = time.subsec_nanosecond() / 1000;
    Some(format!("{}.{micros:06}Z#000000#000#000000", time.strftime("%Y%m%d%H%M%S")))
}

fn written(place: &Place) -> Result<String, Failure> {
    serde_json::to_string(place).map_err(|_| Failure::malformed("the place has no JSON"))
}

const BAD_PLACE: &str = "the place is none among this entity's changes";

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: &str, key: &str) -> Told {
        (format!("{number}Z#000000#000#000000"), vec![key.to_owned()])
    }

    #[test]
    fn a_moment_before_a_number_goes_over_midnight_and_the_year() {
        let earlier = |number| earlier(number, 1500);
        assert_eq!(
            earlier("20270101000001.250000Z#000003#001#000000").as_deref(),
            Some("20261231235959.750000Z#000000#000#000000")
        );
        assert_eq!(earlier("20261201090000.000000Z#x").as_deref(), Some("20261201085958.500000Z#000000#000#000000"));
        assert_eq!(earlier("no number"), None);
        assert_eq!(earlier(""), None);
    }

    #[test]
    fn a_change_that_comes_to_light_late_is_not_done_with_while_the_moment_lasts() {
        let feed = Feed { late_ms: 2000 };
        let mut place = Place::default();
        place.tell([change("20261201090000.000000", "a")], &feed);
        assert!(place.is_done_with(&change("20261201090000.000000", "a")));
        assert!(!place.is_done_with(&change("20261201085959.000000", "b")), "late by a second");
        assert!(place.is_done_with(&change("20261201085957.000000", "c")), "late by three");
        place.tell([change("20261201090003.000000", "d")], &feed);
        assert!(place.is_done_with(&change("20261201090000.500000", "b")), "the moment is over");
        assert_eq!(place.told.len(), 1);
    }

    #[test]
    fn a_place_stays_short_whatever_happens_at_once() {
        let feed = Feed { late_ms: 2000 };
        let mut place = Place::default();
        let all: Vec<Told> = (0..2000).map(|at| change(&format!("20261201090000.{at:06}"), "a")).collect();
        place.tell(all.clone(), &feed);
        assert_eq!(place.told.len(), REMEMBERED_MAX);
        assert!(all.iter().all(|change| place.is_done_with(change)));
    }
}
