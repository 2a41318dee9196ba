//! Periods, each with one pseudonym key for each agency, and the names of those keys.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rabita_model::AgencyId;
use serde::{Deserialize, Serialize};

/// For how long one key serves. In UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Period {
    Day,
    #[default]
    Month,
    Year,
}

impl Period {
    /// The stretch of this length that a moment is in.
    #[must_use]
    pub fn stretch(self, at: Timestamp) -> Stretch {
        let date = date(at);
        match self {
            Self::Day => Stretch { period: self, first: date },
            Self::Month => Stretch { period: self, first: date.first_of_month() },
            Self::Year => Stretch { period: self, first: date.first_of_year() },
        }
    }
}

/// One day, month or year: `2026-11-24`, `2026-11`, `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stretch {
    first: Date,
    period: Period,
}

impl Stretch {
    /// When it begins.
    #[must_use]
    pub fn from(self) -> Timestamp {
        midnight(self.first)
    }

    /// When it has ended: the first moment after it.
    #[must_use]
    pub fn to(self) -> Timestamp {
        let span = match self.period {
            Period::Day => Span::new().days(1),
            Period::Month => Span::new().months(1),
            Period::Year => Span::new().years(1),
        };
        self.first.checked_add(span).map_or(Timestamp::MAX, midnight)
    }

    /// When it has ended for so many months.
    #[must_use]
    pub fn ended_for(self, months: u32) -> Timestamp {
        let end = date(self.to());
        Span::new().try_months(months).and_then(|span| end.checked_add(span)).map_or(Timestamp::MAX, midnight)
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |part: &str, digits: usize| {
            (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i16>().ok()).flatten()
        };
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let (period, month, day) = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => (Period::Year, 1, 1),
            (Some(month), None, None) => (Period::Month, number(month, 2)?, 1),
            (Some(month), Some(day), None) => (Period::Day, number(month, 2)?, number(day, 2)?),
            _ => return None,
        };
        let first = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        Some(Self { first, period })
    }
}

fn date(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// When a date begins, in UTC.
pub(crate) fn midnight(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).unwrap_or(Timestamp::MAX)
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.first.year(), self.first.month(), self.first.day());
        match self.period {
            Period::Day => write!(f, "{year:04}-{month:02}-{day:02}"),
            Period::Month => write!(f, "{year:04}-{month:02}"),
            Period::Year => write!(f, "{year:04}"),
        }
    }
}

/// Whose key it is: the agency's that owns the registry which was asked, or the bus's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Keeper {
    Agency(AgencyId),
    /// Where the bus itself was asked.
    Bus,
}

/// The word for the bus, which can be no agency's.
const BUS: &str = "_bus";

impl Keeper {
    /// Takes an agency's id, or `_bus`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == BUS { Some(Self::Bus) } else { AgencyId::new(text).ok().map(Self::Agency) }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agency(agency) => f.write_str(agency.as_str()),
            Self::Bus => f.write_str(BUS),
        }
    }
}

/// The name of a pseudonym key: `interior/2026-11`, `_bus/2026-11`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName {
    pub keeper: Keeper,
    pub stretch: Stretch,
}

impl KeyName {
    /// Takes the two parts as they stand in the names of files.
    #[must_use]
    pub fn from_parts(keeper: &str, stretch: &str) -> Option<Self> {
        Some(Self { keeper: Keeper::parse(keeper)?, stretch: Stretch::parse(stretch)? })
    }
}

impl TryFrom<String> for KeyName {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once('/').and_then(|(keeper, stretch)| Self::from_parts(keeper, stretch));
        parts.ok_or("the name of a key is AGENCY/PERIOD, such as `interior/2026-11`")
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.keeper, self.stretch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_moment_is_in_one_stretch_of_each_length_whose_name_reads_back() {
        let moment = at("2024-02-29T23:59:59.999Z");
        for (period, name, from, to) in [
            (Period::Day, "2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Period::Month, "2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Period::Year, "2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ] {
            let stretch = period.stretch(moment);
            assert_eq!((stretch.to_string().as_str(), stretch.from(), stretch.to()), (name, at(from), at(to)));
            assert_eq!(Stretch::parse(name), Some(stretch));
        }
    }

    #[test]
    fn months_are_counted_from_the_end_of_the_stretch() {
        let stretch = Period::Month.stretch(at("2024-01-10T00:00:00Z"));
        assert_eq!(stretch.ended_for(1), at("2024-03-01T00:00:00Z"));
        assert_eq!(stretch.ended_for(24), at("2026-02-01T00:00:00Z"));
        assert_eq!(stretch.ended_for(u32::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_name_that_could_lead_out_of_the_directory_is_none() {
        for bad in [
            "",
            "interior",
            "/2026",
            "../2026",
            "interior/..",
            "interior/2026-13",
            "interior/2026-1",
            "interior/2026-02-30",
            "interior/+026",
            "Interior/2026",
            "interior/2026/11",
            "_bus/2026-11-1",
        ] {
            assert!(KeyName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(KeyName::try_from("_bus/2026-11".to_owned()).map(|name| name.to_string()), Ok("_bus/2026-11".to_owned()));
    }
}
