//! The codec `date`: dates in a registry's format, also such of which only the year or the month is known.

use jiff::civil::Date as CivilDate;

use super::calendar::{Allowed, Format, Part, Parts, as_legacy, check_form};
use super::spec::{DateSpec, LegacyForm};
use super::text::text_of;
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

pub(super) struct Date {
    format: Format,
    partial: bool,
    legacy: LegacyForm,
}

/// A date as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Year(u16),
    Month(u16, u16),
    Day(CivilDate),
}

impl Date {
    pub(super) fn new(spec: &DateSpec) -> Result<Self, Finding> {
        let format = Format::new(&spec.format, Allowed { date: true, time: false }, spec.pivot, spec.months.as_deref())?;
        check_form(&format, spec.legacy)?;
        check_date(&format, spec.partial)?;
        Ok(Self { format, partial: spec.partial, legacy: spec.legacy })
    }

    fn known(&self, parts: &Parts) -> Option<Known> {
        if self.partial && parts_are_unknown(parts) {
            return Some(Known::Nothing);
        }
        let year = parts.get(Part::Year).filter(|year| *year > 0)?;
        if let Some(ordinal) = parts.get(Part::Ordinal) {
            return match ordinal {
                0 => self.partial.then_some(Known::Year(year)),
                ordinal => day_of_year(year, ordinal).map(Known::Day),
            };
        }
        match (parts.get(Part::Month).unwrap_or(0), parts.get(Part::Day).unwrap_or(0)) {
            (0, 0) => self.partial.then_some(Known::Year(year)),
            (0, _) => None,
            (month @ 1..=12, 0) => self.partial.then_some(Known::Month(year, month)),
            (month, day) => civil(year, month, day).map(Known::Day),
        }
    }
}

/// What a date's format must have.
pub(super) fn check_date(format: &Format, partial: bool) -> Result<(), Finding> {
    let has_year = format.has(Part::Year) || format.has(Part::ShortYear);
    let has_day = format.has(Part::Month) && format.has(Part::Day);
    if !has_year {
        return Err(Finding::new("/format", "a date has a year: `%Y` or `%y`"));
    }
    if format.has(Part::Ordinal) && (format.has(Part::Month) || format.has(Part::Day)) {
        return Err(Finding::new("/format", "the day of the year `%j` stands in place of month and day"));
    }
    if format.has(Part::Day) && !format.has(Part::Month) {
        return Err(Finding::new("/format", "a day is of a month: `%m` or `%b`"));
    }
    if !(partial || has_day || format.has(Part::Ordinal)) {
        return Err(Finding::new("/format", "a date has a month and a day; where it has not, say `partial: true`"));
    }
    Ok(())
}

impl Step for Date {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = self.format.text("date", legacy)?;
        let parts = self.format.read(&text).ok_or_else(|| CodecFault::new("bad_date", "the date is not in its format"))?;
        match self.known(&parts).ok_or_else(|| CodecFault::new("bad_date", "there is no such date"))? {
            Known::Nothing => Ok(Legacy::Null),
            Known::Year(year) => Ok(Legacy::Text(format!("{year:04}"))),
            Known::Month(year, month) => Ok(Legacy::Text(format!("{year:04}-{month:02}"))),
            Known::Day(date) => Ok(Legacy::Text(date.to_string())),
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let text = text_of("date", contract)?;
        let known = read_contract(&text)
            .ok_or_else(|| CodecFault::unrepresentable("the text is no date as 1978-03-21, nor 1978-03, nor 1978"))?;
        if !self.partial && !matches!(known, Known::Day(_)) {
            return Err(CodecFault::unrepresentable("the registry holds whole dates only"));
        }
        let unwritten = || CodecFault::unrepresentable("the registry's format has no place for this date");
        as_legacy(self.format.write(&parts_of(known)).ok_or_else(unwritten)?, self.legacy)
    }

    fn keeps_order(&self) -> bool {
        self.format.keeps_order()
    }
}

/// Whether the date is given as all zeros. A year in two digits is zero where its digits are.
fn parts_are_unknown(parts: &Parts) -> bool {
    let mut digits = *parts;
    if let Some(short) = parts.get(Part::ShortYear) {
        digits.set(Part::Year, short);
    }
    digits.are_zero()
}

fn parts_of(known: Known) -> Parts {
    let mut parts = Parts::default();
    let (year, month, day, ordinal) = match known {
        Known::Nothing => return parts,
        Known::Year(year) => (year, 0, 0, Some(0)),
        Known::Month(year, month) => (year, month, 0, None),
        Known::Day(date) => (
            unsigned(date.year()),
            unsigned(date.month().into()),
            unsigned(date.day().into()),
            Some(unsigned(date.day_of_year())),
        ),
    };
    parts.set(Part::Year, year);
    parts.set(Part::Month, month);
    parts.set(Part::Day, day);
    if let Some(ordinal) = ordinal {
        parts.set(Part::Ordinal, ordinal);
    }
    parts
}

fn read_contract(text: &str) -> Option<Known> {
    let number = |digits: &str, width| -> Option<u16> {
        (digits.len() == width && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
    };
    let mut numbers = text.splitn(3, '-');
    let year = number(numbers.next()?, 4).filter(|year| *year > 0)?;
    let Some(month) = numbers.next() else { return Some(Known::Year(year)) };
    let month = number(month, 2).filter(|month| (1..=12).contains(month))?;
    let Some(day) = numbers.next() else { return Some(Known::Month(year, month)) };
    civil(year, month, number(day, 2)?).map(Known::Day)
}

/// The date of these numbers, when there is one.
pub(super) fn civil(year: u16, month: u16, day: u16) -> Option<CivilDate> {
    CivilDate::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The date of a day of a year, when there is one.
pub(super) fn day_of_year(year: u16, ordinal: u16) -> Option<CivilDate> {
    let date = civil(year, 1, 1)?.with().day_of_year(i16::try_from(ordinal).ok()?).build().ok()?;
    (unsigned(date.year()) == year).then_some(date)
}

/// A number that is never negative in a date after the year 0.
pub(super) fn unsigned(number: i16) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

/// The days in a code list.
pub(crate) struct DateFormat(Date);

impl DateFormat {
    /// A format of days that may be known in part.
    pub(crate) fn of_days(format: &str) -> Result<Self, String> {
        let spec = DateSpec { format: format.to_owned(), partial: true, ..DateSpec::default() };
        Date::new(&spec).map(Self).map_err(|finding| finding.message)
    }

    /// The first day that a value can mean; `None` for null, blank and unknown.
    pub(crate) fn first_day(&self, legacy: Legacy) -> Result<Option<CivilDate>, CodecFault> {
        let text = match legacy {
            Legacy::Null => return Ok(None),
            Legacy::Text(text) if text.trim().is_empty() => return Ok(None),
            Legacy::Text(text) => Legacy::Text(text.trim().to_owned()),
            other => other,
        };
        let Legacy::Text(day) = self.0.decode(text)? else { return Ok(None) };
        Ok(match read_contract(&day) {
            None | Some(Known::Nothing) => None,
            Some(Known::Year(year)) => civil(year, 1, 1),
            Some(Known::Month(year, month)) => civil(year, month, 1),
            Some(Known::Day(day)) => Some(day),
        })
    }
}
