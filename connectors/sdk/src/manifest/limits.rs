//! What a registry can bear, and when: rates, bounds, maintenance, and how changes are sent again.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a registry can bear. Nothing above these reaches it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls per second that reach the registry, over all systems together. Without it, only `concurrency` bounds them.
    #[schemars(range(min = 1))]
    pub requests_per_second: Option<u32>,
    /// How many calls may come at once after a pause. Without it, one second's worth.
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// Calls under way at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: usize,
    /// Calls that may wait for a place; one more is refused at once.
    #[schemars(range(max = 100_000))]
    pub queue: usize,
    /// The longest that a call may take, waiting included.
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
    /// When a failing registry is given a pause.
    pub breaker: Breaker,
    /// When the registry is being worked on: no call is made then, and changes wait.
    pub maintenance: Vec<Window>,
    /// How changes are sent.
    pub updates: UpdateLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: None,
            burst: None,
            concurrency: 16,
            queue: 64,
            timeout_ms: 5_000,
            breaker: Breaker::default(),
            maintenance: Vec::new(),
            updates: UpdateLimits::default(),
        }
    }
}

/// When a failing registry is given a pause.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After so many failures in a row no call is made.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// For so long; then one call tries whether the registry is well.
    #[schemars(range(min = 1))]
    pub open_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, open_ms: 5_000 }
    }
}

impl Limits {
    /// The end of the maintenance that is under way, or `None` when there is none. Windows that touch are one.
    #[must_use]
    pub fn in_maintenance(&self, now: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        // Windows may follow each other for ever; nobody waits for an end that is further away than this.
        for _ in 0..WINDOWS_JOINED_MAX {
            let at = end.unwrap_or(now);
            match self.maintenance.iter().filter_map(|window| window.end_at(at)).max() {
                Some(later) => end = Some(later),
                None => break,
            }
        }
        end
    }

    /// How many changes are under way at once: never more than calls.
    #[must_use]
    pub fn updates_in_flight(&self) -> usize {
        self.updates.in_flight.min(self.concurrency)
    }
}

const WINDOWS_JOINED_MAX: usize = 32;

/// How changes are sent to a registry, and sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateLimits {
    /// Changes under way at once, within `concurrency`.
    #[schemars(range(min = 1, max = 10_000))]
    pub in_flight: usize,
    /// Changes that are held in memory for the registry; the rest waits in the journal.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub waiting: usize,
    /// The wait before a change is sent a second time. It doubles with each attempt.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub first_ms: u64,
    /// The longest wait between two attempts.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub max_ms: u64,
    /// After so many answers in a row that were none, a change is parked.
    #[schemars(range(min = 1, max = 10_000))]
    pub attempts: u32,
    /// A change is parked that was accepted so long ago and meets a registry that is away or does not answer.
    #[schemars(range(min = 1))]
    pub unavailable_for_ms: u64,
}

impl Default for UpdateLimits {
    fn default() -> Self {
        Self { in_flight: 4, waiting: 1_000, first_ms: 500, max_ms: 60_000, attempts: 10, unavailable_for_ms: 86_400_000 }
    }
}

/// A time at which a registry is being worked on, every day or on some days of the week.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins; left out, every day.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub days: Option<Vec<Weekday>>,
    /// When it begins.
    pub from: ClockTime,
    /// When it ends. Not after `from`, it is of the next day.
    pub until: ClockTime,
    /// The time zone of both, by its name in the IANA database.
    pub zone: Zone,
}

impl Window {
    /// When the window that a time lies in ends.
    #[must_use]
    pub fn end_at(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned_datetime(self.zone.0.clone()).date();
        // One that began yesterday may reach into today.
        [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|day| {
            let (begin, end) = self.on(day)?;
            (begin <= now && now < end).then_some(end)
        })
    }

    /// When the first window after a time begins.
    #[must_use]
    pub fn begin_after(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned_datetime(self.zone.0.clone()).date();
        // Each day of the week comes within a week, today's again after it.
        let days = (0..=7).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        days.filter_map(|day| Some(self.on(day)?.0)).find(|begin| *begin > now)
    }

    /// Begin and end of the window of one day.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let weekday = Weekday::of(day);
        if self.days.as_ref().is_some_and(|days| !days.contains(&weekday)) {
            return None;
        }
        let last = if self.until.0 > self.from.0 { day } else { day.checked_add(1.day()).ok()? };
        // A time that a change of the clock leaves out is taken as the one that comes as much later.
        let at =
            |day: Date, time: ClockTime| Some(day.to_datetime(time.0).to_zoned_datetime(self.zone.0.clone()).ok()?.timestamp());
        Some((at(day, self.from)?, at(last, self.until)?))
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    fn of(day: Date) -> Self {
        use jiff::civil::Weekday as Day;
        match day.weekday() {
            Day::Monday => Self::Monday,
            Day::Tuesday => Self::Tuesday,
            Day::Wednesday => Self::Wednesday,
            Day::Thursday => Self::Thursday,
            Day::Friday => Self::Friday,
            Day::Saturday => Self::Saturday,
            Day::Sunday => Self::Sunday,
        }
    }
}

/// A time of day, as `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(#[schemars(with = "String", regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))] Time);

impl TryFrom<String> for ClockTime {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Time::strptime("%H:%M", &text).map(Self).map_err(|_| "expected a time of day, such as 22:30".to_owned())
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        time.0.strftime("%H:%M").to_string()
    }
}

/// A time zone by its name in the IANA database, such as `Asia/Baku`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(#[schemars(with = "String", length(min = 1))] TimeZone);

impl Zone {
    /// The zone itself.
    #[must_use]
    pub const fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        TimeZone::get(&name).map(Self).map_err(|_| format!("there is no time zone `{name}`; a name is such as `Asia/Baku`"))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.iana_name().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(windows: serde_json::Value) -> Limits {
        serde_json::from_value(serde_json::json!({ "maintenance": windows })).expect("limits")
    }

    fn end(limits: &Limits, now: &str) -> Option<String> {
        limits.in_maintenance(now.parse().expect("a time")).map(|end| end.to_string())
    }

    #[test]
    fn a_window_begins_on_its_days_and_may_end_on_the_next() {
        let limits =
            limits(serde_json::json!([{ "days": ["saturday"], "from": "22:00", "until": "04:00", "zone": "Asia/Baku" }]));
        // Baku is four hours ahead; 2026-11-21 is a Saturday.
        assert_eq!(end(&limits, "2026-11-21T17:59:59Z"), None);
        assert_eq!(end(&limits, "2026-11-21T18:00:00Z").as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(end(&limits, "2026-11-21T23:59:59Z").as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(end(&limits, "2026-11-22T00:00:00Z"), None);
        assert_eq!(end(&limits, "2026-11-22T18:30:00Z"), None);
    }

    #[test]
    fn a_window_keeps_the_clock_of_its_zone_when_that_is_put_forward() {
        let limits = limits(serde_json::json!([{ "from": "01:00", "until": "05:00", "zone": "Europe/Oslo" }]));
        assert_eq!(end(&limits, "2026-03-28T01:00:00Z").as_deref(), Some("2026-03-28T04:00:00Z"));
        // On the 29th the clock goes from 02:00 to 03:00, so the window is three hours long.
        assert_eq!(end(&limits, "2026-03-29T00:30:00Z").as_deref(), Some("2026-03-29T03:00:00Z"));
    }

    #[test]
    fn the_next_window_begins_on_the_next_of_its_days() {
        let limits = limits(serde_json::json!([{ "days": ["monday"], "from": "09:00", "until": "18:00", "zone": "Asia/Baku" }]));
        let begin = |now: &str| limits.maintenance[0].begin_after(now.parse().expect("a time")).map(|at| at.to_string());
        // 2026-11-23 is a Monday.
        assert_eq!(begin("2026-11-23T04:59:59Z").as_deref(), Some("2026-11-23T05:00:00Z"));
        assert_eq!(begin("2026-11-23T05:00:00Z").as_deref(), Some("2026-11-30T05:00:00Z"));
    }

    #[test]
    fn windows_that_touch_end_together() {
        let limits = limits(serde_json::json!([
            { "from": "22:00", "until": "00:00", "zone": "UTC" },
            { "from": "00:00", "until": "02:00", "zone": "UTC" },
        ]));
        assert_eq!(end(&limits, "2026-11-21T23:00:00Z").as_deref(), Some("2026-11-22T02:00:00Z"));
    }

    #[test]
    fn a_maintenance_without_end_has_one_all_the_same() {
        let limits = limits(serde_json::json!([{ "from": "00:00", "until": "00:00", "zone": "UTC" }]));
        assert!(limits.in_maintenance(Timestamp::UNIX_EPOCH).is_some());
    }

    #[test]
    fn refuses_a_zone_and_a_time_that_do_not_exist() {
        assert!(Zone::try_from("Asia/Bakuu".to_owned()).is_err());
        assert!(ClockTime::try_from("24:00".to_owned()).is_err());
        let time = ClockTime::try_from("09:05".to_owned()).expect("a time");
        assert_eq!(String::from(time), "09:05");
    }
}
