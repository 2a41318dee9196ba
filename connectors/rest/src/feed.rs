//! An update feed: a list of what was changed, in the order of numbers that only grow.
//!
//! The registry is asked for what comes after a number. Where the feed ends now, it can't be asked: that is found by
//! asking after numbers that are tried, as one finds the last page of a book.

use std::sync::{Mutex, PoisonError};

use rabita_http::Outgoing;
use rabita_sdk::finding::token;
use rabita_sdk::reply::{Dotted, records};
use rabita_sdk::{Call, ChangePage, Changes, Detected, Failure, FeedSpec, Finding, Legacy, Row, Source};

use crate::answer::json;
use crate::connector::Rest;
use crate::from::FeedFrom;
use crate::path::Query;
use crate::plan::{Faults, Plan};
use crate::settings::Meaning;

/// A feed, ready to be asked.
pub struct FeedPlan {
    from: FeedFrom,
    records: Dotted,
    fixed: Query,
    /// The members of a change that are the record's key, in its order.
    key: Vec<Source>,
    place: Source,
    /// Between which numbers the end was found to lie, should the time not have sufficed to find it.
    bounds: Mutex<Bounds>,
}

/// The greatest number is at least `low`; it is at most `high`, where that is known.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: u64,
    high: Option<u64>,
}

impl FeedPlan {
    /// Takes what the manifest says of a feed apart, or tells everything that can't be used.
    pub fn new(spec: &FeedSpec, key: &[Source]) -> Result<Self, Vec<Finding>> {
        let from: FeedFrom = match serde_json::from_value(spec.from.clone()) {
            Ok(from) => from,
            Err(wrong) => return Err(vec![Finding::new(&spec.pointer, wrong.to_string())]),
        };
        let mut faults = Faults { at: &spec.pointer, found: Vec::new() };
        faults.path("/path", &from.path, &[]);
        for source in from.key.keys().filter(|source| !key.contains(source)) {
            let pointer = format!("{}/key/{}", spec.pointer, token(source.as_str()));
            let known = key.iter().map(Source::as_str);
            faults.found.push(Finding::unknown(pointer, "source in the key named", source.as_str(), known));
        }
        if from.gone.is_empty() == from.kind.is_some() {
            let message = "`kind` and `gone` go together: the member that says what was done, and its words for an end";
            faults.found.push(Finding::new(&spec.pointer, message));
        }
        if !faults.found.is_empty() {
            return Err(faults.found);
        }
        Ok(Self {
            records: Dotted::new(&from.records),
            fixed: crate::plan::fixed(&from.fixed),
            key: key.iter().map(|source| from.key.get(source).unwrap_or(source).clone()).collect(),
            place: from.place.clone(),
            bounds: Mutex::default(),
            from,
        })
    }

    fn path(&self, after: u64, size: usize) -> String {
        let mut query = self.fixed.clone();
        let since = if self.from.inclusive { after.saturating_add(1) } else { after };
        query.push(&self.from.since_param, &since.to_string());
        if let Some(param) = &self.from.size_param {
            query.push(param, &size.to_string());
        }
        let mut path = self.from.path.clone();
        query.append_to(&mut path);
        path
    }

    fn detected(&self, change: &Row) -> Result<Detected, Failure> {
        let value = |source: &Source| change.find(source).filter(|value| !value.is_null()).cloned();
        let key: Option<Vec<Legacy>> = self.key.iter().map(value).collect();
        let key = key.ok_or_else(|| Failure::malformed("a change comes without the record's key"))?;
        let kind = self.from.kind.as_ref().and_then(|kind| change.find(kind)).and_then(Legacy::to_text);
        let is_gone = kind.is_some_and(|kind| self.from.gone.iter().any(|gone| *gone == kind));
        Ok(Detected::Key { key, is_gone })
    }
}

impl Rest {
    /// Some changes since a place, or the place that is now.
    pub(crate) async fn feed_page(&self, plan: &Plan, ask: &Changes, call: &Call) -> Result<ChangePage, Failure> {
        let feed = plan.feed.as_ref().ok_or_else(|| Failure::unsupported("this entity has no feed of changes"))?;
        let Some(since) = &ask.since else {
            let since = self.end_of_feed(plan, feed, call).await?.to_string();
            return Ok(ChangePage { changes: Vec::new(), since, has_more: false });
        };
        let after: u64 = since.parse().map_err(|_| Failure::refused("the place is none in this entity's feed"))?;
        let size = ask.limit.clamp(1, feed.from.size_max);
        let (mut found, is_full) = self.after(plan, feed, after, size, call).await?;
        let has_more = found.len() > size || is_full;
        found.truncate(size);
        let since = found.last().map_or(after, |(place, _)| *place).to_string();
        let changes = found.iter().map(|(_, change)| feed.detected(change)).collect::<Result<_, _>>()?;
        Ok(ChangePage { changes, since, has_more })
    }

    /// The changes with greater numbers, in their order, and whether the registry gave as many as it was asked for.
    async fn after(
        &self,
        plan: &Plan,
        feed: &FeedPlan,
        after: u64,
        size: usize,
        call: &Call,
    ) -> Result<(Vec<(u64, Row)>, bool), Failure> {
        let outgoing = Outgoing { path: feed.path(after, size), headers: plan.headers.clone(), ..Outgoing::default() };
        let answer = self.client.send(outgoing, call).await?;
        match self.statuses.of_read(answer.status) {
            Meaning::Ok => {}
            // What lists nothing is not there: the path is wrong.
            Meaning::Absent => return Err(self.statuses.failure(Meaning::Malformed, &answer)),
            meaning => return Err(self.statuses.failure(meaning, &answer)),
        }
        let rows = records(&mut json(&answer)?, &feed.records, feed.from.absent_records)?;
        let is_full = feed.from.size_param.is_some() && rows.len() >= size;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let place = row.find(&feed.place).and_then(Legacy::to_text).and_then(|place| place.parse().ok());
            let place: u64 = place.ok_or_else(|| Failure::malformed("a change comes without its number"))?;
            if place > after {
                found.push((place, row));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        Ok((found, is_full))
    }

    /// The greatest number in the feed.
    async fn end_of_feed(&self, plan: &Plan, feed: &FeedPlan, call: &Call) -> Result<u64, Failure> {
        let known = || *feed.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let learnt = |bounds| *feed.bounds.lock().unwrap_or_else(PoisonError::into_inner) = bounds;
        loop {
            let bounds = known();
            let tried = match bounds.high {
                Some(high) if bounds.low >= high => break,
                Some(high) => bounds.low + (high - bounds.low) / 2,
                None => bounds.low.saturating_mul(STRIDE).max(1),
            };
            let (found, _) = self.after(plan, feed, tried, 1, call).await?;
            learnt(match found.last() {
                Some((place, _)) => Bounds { low: *place, ..bounds },
                None => Bounds { high: Some(tried), ..bounds },
            });
        }
        let end = known().low;
        // Asked again later, the feed goes on from here.
        learnt(Bounds { low: end, high: None });
        Ok(end)
    }
}

/// As long as there is something after a number, one so many times as great is tried.
const STRIDE: u64 = 8;
