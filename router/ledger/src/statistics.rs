//! Counts without persons, open to all: how often which registry was asked for what, why, and at what hour.
//!
//! What is published must not tell of a single exchange, not even to who compares what is published. So
//! - the unit is a whole day in UTC, published when it has been over for an hour. A day looks the same in every answer,
//!   so nothing is learned from asking for other times, or again;
//! - within a day the counts are a tree: agencies, their services, the agencies that asked, their purposes, the hours. Each
//!   count stands in one place only, so a total is the sum of what is below it, and there is no other sum;
//! - [`suppression`] hides the small counts, and others so that these cannot be found by subtraction.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;

use crate::error::LedgerError;
use crate::index::question::{self, Counted};
use crate::ledger::Ledger;
use crate::period::midnight;

mod suppression;

pub use suppression::Count;
use suppression::{Node, Shown};

/// How long after its end a day is published: what was under way then has been recorded.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
const HOURS: i64 = 24;

/// The published days of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Counts below this are hidden.
    pub smallest: u64,
    pub days: Vec<Day>,
}

/// One day, in UTC. The exchanges that gave what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    pub date: Date,
    pub count: Count,
    pub agencies: Vec<OwnerCount>,
}

/// The registries of one agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerCount {
    pub agency: String,
    pub count: Count,
    pub services: Vec<ServiceCount>,
}

/// One operation of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceCount {
    pub registry: String,
    pub version: String,
    pub entity: String,
    pub operation: String,
    pub count: Count,
    pub callers: Vec<CallerCount>,
}

/// One agency whose systems asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallerCount {
    pub agency: String,
    pub count: Count,
    pub purposes: Vec<PurposeCount>,
}

/// One purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurposeCount {
    /// Absent where none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    pub count: Count,
    pub hours: Vec<HourCount>,
}

/// One hour of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HourCount {
    /// 0 to 23.
    pub hour: u8,
    pub count: Count,
}

impl Ledger {
    /// The counts of the days that begin within the range and are published by `now`. Counts below `smallest` are hidden.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn statistics(&self, from: Date, to: Date, smallest: u64, now: Timestamp) -> Result<Statistics, LedgerError> {
        let published = now.checked_sub(SETTLED).map_or(Date::MIN, |now| TimeZone::UTC.to_datetime(now).date());
        let (from, to) = (hour(from), hour(to.min(published)));
        let counted = self.index.ask(move |connection| question::counts(connection, from, to)).await?;
        Ok(Statistics { smallest, days: days(counted, smallest) })
    }
}

/// The first hour of a date, in hours since 1970.
fn hour(date: Date) -> i64 {
    midnight(date).as_second().div_euclid(3_600)
}

fn date(day: i64) -> Date {
    let first = Date::constant(1970, 1, 1);
    Span::new().try_days(day).and_then(|days| first.checked_add(days)).unwrap_or(first)
}

fn days(counted: Vec<Counted>, smallest: u64) -> Vec<Day> {
    let mut days: BTreeMap<i64, Node> = BTreeMap::new();
    for cell in counted {
        let (day, hour) = (cell.hour.div_euclid(HOURS), cell.hour.rem_euclid(HOURS));
        let [registry, version, entity, operation] = cell.service;
        let name = |text: String| Name::Text(text);
        let path = [
            name(cell.owner),
            Name::Service([registry, version, entity, operation]),
            name(cell.caller),
            name(cell.purpose),
            Name::Hour(u8::try_from(hour).expect("an hour of the day")),
        ];
        days.entry(day).or_default().add(&path, cell.count);
    }
    days.into_iter().map(|(day, node)| shown(date(day), node.suppress(smallest.max(1)))).collect()
}

/// What a count below another is named by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Text(String),
    Service([String; 4]),
    Hour(u8),
}

impl Name {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Service(parts) => parts.join("/"),
            Self::Hour(hour) => hour.to_string(),
        }
    }
}

fn shown(date: Date, shown: Shown) -> Day {
    let agencies = shown.below.into_iter().map(|(name, shown)| OwnerCount {
        agency: name.text(),
        count: shown.count,
        services: shown.below.into_iter().filter_map(service).collect(),
    });
    Day { date, count: shown.count, agencies: agencies.collect() }
}

fn service((name, shown): (Name, Shown)) -> Option<ServiceCount> {
    let Name::Service([registry, version, entity, operation]) = name else { return None };
    let callers = shown.below.into_iter().map(|(name, shown)| CallerCount {
        agency: name.text(),
        count: shown.count,
        purposes: shown.below.into_iter().map(purpose).collect(),
    });
    Some(ServiceCount { registry, version, entity, operation, count: shown.count, callers: callers.collect() })
}

fn purpose((name, shown): (Name, Shown)) -> PurposeCount {
    let hours = shown.below.into_iter().filter_map(|(name, shown)| match name {
        Name::Hour(hour) => Some(HourCount { hour, count: shown.count }),
        Name::Text(_) | Name::Service(_) => None,
    });
    let purpose = Some(name.text()).filter(|name| !name.is_empty());
    PurposeCount { purpose, count: shown.count, hours: hours.collect() }
}
