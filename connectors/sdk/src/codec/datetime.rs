//! The codecs `datetime`, `epoch` and `time`.

use jiff::Timestamp;
use jiff::civil::{DateTime as CivilDateTime, Time as CivilTime};
use jiff::tz::{Offset, TimeZone};

use super::calendar::{Allowed, Format, Part, Parts, as_legacy, check_form};
use super::date::{check_date, civil, day_of_year, unsigned};
use super::spec::{DateTimeSpec, EpochSpec, EpochUnit, LegacyForm, TimeSpec};
use super::text::text_of;
use super::{CodecFault, Step};
use crate::{Finding, Legacy};

pub(super) struct DateTime {
    format: Format,
    zone: TimeZone,
    legacy: LegacyForm,
}

impl DateTime {
    pub(super) fn new(spec: &DateTimeSpec) -> Result<Self, Finding> {
        let format = Format::new(&spec.format, Allowed { date: true, time: true }, spec.pivot, spec.months.as_deref())?;
        check_form(&format, spec.legacy)?;
        check_date(&format, false)?;
        check_time(&format)?;
        Ok(Self { format, zone: zone(&spec.zone)?, legacy: spec.legacy })
    }

    fn local(&self, text: &str) -> Option<CivilDateTime> {
        let parts = self.format.read(text)?;
        let year = parts.get(Part::Year).filter(|year| *year > 0)?;
        let date = match parts.get(Part::Ordinal) {
            Some(ordinal) => day_of_year(year, ordinal)?,
            None => civil(year, parts.get(Part::Month)?, parts.get(Part::Day)?)?,
        };
        Some(CivilDateTime::from_parts(date, clock(&parts)?))
    }
}

impl Step for DateTime {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = self.format.text("datetime", legacy)?;
        let local = self
            .local(&text)
            .ok_or_else(|| CodecFault::new("bad_date", "the date and time are not in their format, or there is no such"))?;
        let instant = self.zone.to_timestamp(local).map_err(|_| out_of_range())?;
        // Where clocks are put forward, an hour is left out.
        if self.zone.to_datetime(instant) != local {
            return Err(CodecFault::new("bad_date", "the clocks of the registry's time zone never showed this time"));
        }
        Ok(Legacy::Text(rfc3339(instant, &self.zone)))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let local = self.zone.to_datetime(instant_of(&text_of("datetime", contract)?)?);
        if local.year() < 1 {
            return Err(out_of_range());
        }
        let mut parts = Parts::default();
        parts.set(Part::Year, unsigned(local.year()));
        parts.set(Part::Month, unsigned(local.month().into()));
        parts.set(Part::Day, unsigned(local.day().into()));
        parts.set(Part::Ordinal, unsigned(local.date().day_of_year()));
        set_clock(&mut parts, local.time());
        write(&self.format, &parts, self.legacy)
    }

    fn equivalent(&self, one: &Legacy, other: &Legacy) -> bool {
        is_one_instant(one, other)
    }

    fn keeps_order(&self) -> bool {
        self.format.keeps_order()
    }
}

pub(super) struct Epoch(EpochUnit);

impl Epoch {
    pub(super) const fn new(spec: &EpochSpec) -> Self {
        Self(spec.unit)
    }
}

impl Step for Epoch {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let count = match &legacy {
            Legacy::Int(count) => *count,
            Legacy::Float(float) => super::number::whole(*float).ok_or_else(super::number::not_a_number)?,
            Legacy::Text(text) => text.trim().parse().map_err(|_| super::number::not_a_number())?,
            other => return Err(CodecFault::kind("epoch", "an integer", other)),
        };
        let instant = match self.0 {
            EpochUnit::Seconds => Timestamp::from_second(count),
            EpochUnit::Milliseconds => Timestamp::from_millisecond(count),
        };
        let instant = instant.map_err(|_| out_of_range())?;
        if TimeZone::UTC.to_datetime(instant).year() < 1 {
            Err(out_of_range())
        } else {
            Ok(Legacy::Text(rfc3339(instant, &TimeZone::UTC)))
        }
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let instant = instant_of(&text_of("epoch", contract)?)?;
        Ok(Legacy::Int(match self.0 {
            EpochUnit::Seconds => instant.as_second(),
            EpochUnit::Milliseconds => instant.as_millisecond(),
        }))
    }

    fn equivalent(&self, one: &Legacy, other: &Legacy) -> bool {
        is_one_instant(one, other)
    }

    fn keeps_order(&self) -> bool {
        true
    }
}

pub(super) struct Time {
    format: Format,
    legacy: LegacyForm,
}

impl Time {
    pub(super) fn new(spec: &TimeSpec) -> Result<Self, Finding> {
        let format = Format::new(&spec.format, Allowed { date: false, time: true }, None, None)?;
        check_form(&format, spec.legacy)?;
        check_time(&format)?;
        Ok(Self { format, legacy: spec.legacy })
    }
}

impl Step for Time {
    fn decode(&self, legacy: Legacy) -> Result<Legacy, CodecFault> {
        let text = self.format.text("time", legacy)?;
        let time = self.format.read(&text).and_then(|parts| clock(&parts));
        let time = time.ok_or_else(|| CodecFault::new("bad_time", "the time is not in its format, or there is no such"))?;
        Ok(Legacy::Text(clock_text(time)))
    }

    fn encode(&self, contract: Legacy) -> Result<Legacy, CodecFault> {
        let time: CivilTime =
            text_of("time", contract)?.parse().map_err(|_| CodecFault::unrepresentable("the text is no time as 13:45:00"))?;
        let mut parts = Parts::default();
        set_clock(&mut parts, time);
        write(&self.format, &parts, self.legacy)
    }

    fn keeps_order(&self) -> bool {
        self.format.keeps_order()
    }
}

/// A time has an hour; each smaller part goes with the one above it, so that none is lost in between.
fn check_time(format: &Format) -> Result<(), Finding> {
    let has = [format.has(Part::Hour), format.has(Part::Minute), format.has(Part::Second), format.has_fraction()];
    if !has[0] {
        return Err(Finding::new("/format", "a time has an hour: `%H`"));
    }
    if has.windows(2).any(|pair| !pair[0] && pair[1]) {
        return Err(Finding::new("/format", "a part of the time is left out between others"));
    }
    Ok(())
}

fn zone(name: &str) -> Result<TimeZone, Finding> {
    let unknown = || Finding::new("/zone", format!("there is no time zone `{name}`; zones are as Asia/Baku, UTC, +04:00"));
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let Some(sign) = name.chars().next().filter(|char| matches!(char, '+' | '-')) else {
        return TimeZone::get(name).map_err(|_| unknown());
    };
    let two = |digits: Option<&str>| -> Option<i32> {
        digits.filter(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    };
    let (hours, minutes) = name[1..].split_once(':').ok_or_else(unknown)?;
    let seconds = match (two(Some(hours)), two(Some(minutes))) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => hours * 3600 + minutes * 60,
        _ => return Err(unknown()),
    };
    Offset::from_seconds(if sign == '-' { -seconds } else { seconds }).map(TimeZone::fixed).map_err(|_| unknown())
}

fn clock(parts: &Parts) -> Option<CivilTime> {
    let number = |part| i8::try_from(parts.get(part).unwrap_or(0)).ok();
    let nanoseconds = i32::try_from(parts.nanoseconds.unwrap_or(0)).ok()?;
    CivilTime::new(number(Part::Hour)?, number(Part::Minute)?, number(Part::Second)?, nanoseconds).ok()
}

fn set_clock(parts: &mut Parts, time: CivilTime) {
    parts.set(Part::Hour, unsigned(time.hour().into()));
    parts.set(Part::Minute, unsigned(time.minute().into()));
    parts.set(Part::Second, unsigned(time.second().into()));
    parts.nanoseconds = u32::try_from(time.subsec_nanosecond()).ok();
}

fn write(format: &Format, parts: &Parts, form: LegacyForm) -> Result<Legacy, CodecFault> {
    as_legacy(format.write(parts).ok_or_else(out_of_range)?, form)
}

fn clock_text(time: CivilTime) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    match time.subsec_nanosecond() {
        0 => text,
        nanoseconds => format!("{text}.{}", format!("{nanoseconds:09}").trim_end_matches('0')),
    }
}

/// RFC 3339 knows offsets of whole minutes; the local mean times of before railways are given in UTC.
fn rfc3339(instant: Timestamp, zone: &TimeZone) -> String {
    let seconds = zone.to_offset(instant).seconds();
    if seconds == 0 || seconds % 60 != 0 {
        let utc = TimeZone::UTC.to_datetime(instant);
        return format!("{}T{}Z", utc.date(), clock_text(utc.time()));
    }
    let local = zone.to_datetime(instant);
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{}T{}{sign}{:02}:{:02}", local.date(), clock_text(local.time()), minutes / 60, minutes % 60)
}

fn instant_of(text: &str) -> Result<Timestamp, CodecFault> {
    text.parse().map_err(|_| CodecFault::unrepresentable("the text is no date and time as 2024-01-05T13:45:00+04:00"))
}

fn is_one_instant(one: &Legacy, other: &Legacy) -> bool {
    match (one, other) {
        (Legacy::Text(one), Legacy::Text(other)) => instant_of(one).is_ok_and(|one| instant_of(other) == Ok(one)),
        _ => false,
    }
}

fn out_of_range() -> CodecFault {
    CodecFault::new("bad_date", "the date is outside of the years 1 to 9999")
}
