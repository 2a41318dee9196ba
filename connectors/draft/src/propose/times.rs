//! Columns of days, times and instants, in whatever form.

use rabita_sdk::Legacy;
use rabita_sdk::survey::SurveyedColumn;
use serde_json::{Value, json};

use super::{Proposal, Tried, of};
use crate::lookalike::Disguise;
use crate::names;
use crate::profile::Profile;

/// Of the values, so many in a hundred have to be days for the column to be one of days: registers have some that
/// never were.
const MOSTLY: usize = 95;

/// Days of people and papers lie between these years.
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2100;

/// Days that stand for no day, whatever the format.
const NO_DAYS: [&str; 16] = [
    "0",
    "00000000",
    "99999999",
    "99991231",
    "31129999",
    "9999-12-31",
    "31.12.9999",
    "31-12-9999",
    "31/12/9999",
    "0000-00-00",
    "00.00.0000",
    "0001-01-01",
    "00010101",
    "01.01.0001",
    "9999-12-31T00:00:00",
    "9999-12-31 00:00:00",
];

const DATE_FORMATS: [&str; 10] =
    ["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d%m%Y", "%Y%j"];

const DATETIME_FORMATS: [&str; 11] = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y%m%d%H%M%S",
    // As directories write times (RFC 4517, 3.3.13).
    "%Y%m%d%H%M%SZ",
    "%Y%m%d%H%M%S.%fZ",
    "%Y%m%d%H%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%dT%H:%M",
];

/// A column of a type for days.
pub(super) fn date(profile: &Profile<'_>) -> Proposal {
    let sentinels = sentinels(profile);
    let proposal = Proposal::new(Vec::new(), json!({ "type": "string", "format": "date" }));
    with_sentinels(proposal, profile, &sentinels).disguised(Disguise::Day("%Y-%m-%d".into()))
}

/// A day of XML, which may have a zone behind it (`2026-11-23+01:00`): no codec takes both forms.
pub(super) fn day_with_zone(source: &str) -> Proposal {
    let own = format!("legacy[{}]", Value::from(source));
    let mut proposal = Proposal::new(Vec::new(), json!({ "type": "string", "format": "date" }))
        .unsure("a day may come with a zone behind it, which is cut off")
        .disguised(Disguise::Day("%Y-%m-%d".into()));
    proposal.read = Some(format!("{own} != null && {own} != '' ? {own}.substring(0, 10) : null"));
    proposal
}

/// A column of a type for times of day.
pub(super) fn time(profile: &Profile<'_>) -> Proposal {
    for codec in [json!({ "time": "%H:%M:%S" }), json!({ "time": "%H:%M:%S.%f" })] {
        if Tried::on(std::slice::from_ref(&codec), &profile.values).is_some_and(|tried| tried.refused() == 0) {
            return Proposal::new(vec![codec], json!({ "type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}" }))
                .disguised(Disguise::Keep);
        }
    }
    Proposal::new(Vec::new(), json!({ "type": "string" })).disguised(Disguise::Keep)
}

/// A column of a type for a day with a time.
pub(super) fn timestamp(zoned: bool, profile: &Profile<'_>) -> Proposal {
    let sentinels = sentinels(profile);
    let as_instant = json!({ "type": "string", "format": "date-time" });
    let is_instant = |value: &&Legacy| value.to_text().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
    let proposal = if zoned && profile.values.iter().all(is_instant) {
        Proposal::new(Vec::new(), as_instant).disguised(Disguise::Day("%Y-%m-%d".into()))
    } else if let Some(format) = local_time(profile) {
        of_format(format)
    } else {
        Proposal::new(Vec::new(), json!({ "type": "string" }))
            .unsure("times in more than one form: answered as they are")
            .disguised(Disguise::Day("%Y-%m-%d".into()))
    };
    with_sentinels(proposal, profile, &sentinels)
}

/// The proposal of a format that reads all times.
fn of_format(format: &str) -> Proposal {
    let day = format.split(['T', ' ', 'H']).next().unwrap_or_default().trim_end_matches('%');
    let codec = json!({ "datetime": { "format": format, "zone": "UTC" } });
    let proposal =
        Proposal::new(vec![codec], json!({ "type": "string", "format": "date-time" })).disguised(Disguise::Day(day.to_owned()));
    if format.ends_with('Z') {
        return proposal;
    }
    proposal.unsure("the registry keeps these times without a zone: they are taken for UTC until `zone:` says otherwise")
}

/// The format of times without a zone that reads them all, if one does. A fraction of zero is written by no one, so a format
/// with one may have to be without it for some.
fn local_time(profile: &Profile<'_>) -> Option<&'static str> {
    let no_days: Vec<&str> = NO_DAYS.to_vec();
    let values: Vec<&Legacy> = profile
        .values
        .iter()
        .copied()
        .filter(|value| value.to_text().is_none_or(|text| !no_days.contains(&text.trim())))
        .collect();
    DATETIME_FORMATS.into_iter().find(|format| {
        let codec = json!({ "datetime": { "format": format, "zone": "UTC" } });
        Tried::on(&[codec], &values).is_some_and(|tried| tried.refused() == 0)
    })
}

/// An integer that is a day in eight digits, with zeros for what is unknown, or in seven, the year and its day.
pub(super) fn day_of_integer(profile: &Profile<'_>) -> Option<Proposal> {
    if !profile.all_integers() {
        return None;
    }
    ["%Y%m%d", "%d%m%Y", "%Y%j"].into_iter().find_map(|format| day(profile, format, "integer"))
}

/// A text that is a day.
pub(super) fn day_of_text(profile: &Profile<'_>) -> Option<Proposal> {
    let found = DATE_FORMATS.into_iter().find_map(|format| day(profile, format, "text"))?;
    let is_either = found.codec.iter().any(|codec| *codec == json!({ "date": "%d/%m/%Y" }));
    if is_either && day(profile, "%m/%d/%Y", "text").is_some() {
        return Some(found.unsure("whether the day or the month stands first is not to be seen in the samples"));
    }
    Some(found)
}

/// The proposal of a format, where the values are days in it.
fn day(profile: &Profile<'_>, format: &str, legacy: &str) -> Option<Proposal> {
    let sentinels = sentinels(profile);
    let values: Vec<&Legacy> = profile.values.iter().copied().filter(|value| !is_among(&sentinels, value)).collect();
    if values.len() < 3 {
        return None;
    }
    let whole = json!({ "date": format });
    let partial = json!({ "date": { "format": format, "partial": true } });
    let may_be_partial = !format.contains("%j") && values.iter().any(|value| has_unknown_part(value));
    let mut codec = if may_be_partial { partial } else { whole };
    let tried = Tried::on(std::slice::from_ref(&codec), &values)?;
    let plausible = tried.texts().filter(|text| is_plausible(text)).count();
    if plausible * 100 < values.len() * MOSTLY {
        return None;
    }
    if legacy == "integer" {
        let partial = codec["date"].get("partial").is_some();
        codec = json!({ "date": { "format": format, "legacy": "integer" } });
        if partial {
            codec["date"]["partial"] = json!(true);
        }
    }
    let schema = if may_be_partial {
        json!({ "type": "string", "format": "partial-date", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$" })
    } else {
        json!({ "type": "string", "format": "date" })
    };
    let sentinels: Vec<String> =
        sentinels.into_iter().filter(|word| !(may_be_partial && word.bytes().all(|byte| byte == b'0'))).collect();
    let mut proposal = Proposal::new(vec![codec], schema);
    if may_be_partial {
        let unknown = values.iter().filter(|value| has_unknown_part(value)).count();
        proposal = proposal
            .unsure(format!("{} sampled days have zeros, taken for an unknown day or month", of(unknown, profile.filled())));
    }
    if tried.refused() > 0 {
        proposal = proposal.unsure(format!("{} sampled values are no day that ever was", of(tried.refused(), profile.filled())));
    }
    let disguise = if format.contains("%j") { Disguise::Characters } else { Disguise::Day(format.into()) };
    Some(with_sentinels(proposal, profile, &sentinels).disguised(disguise))
}

/// A day with a time, as text.
pub(super) fn datetime_of_text(profile: &Profile<'_>) -> Option<Proposal> {
    if profile.filled() < 3 {
        return None;
    }
    let disguise = |proposal: Proposal| proposal.disguised(Disguise::Day("%Y-%m-%d".into()));
    if profile
        .values
        .iter()
        .all(|value| value.to_text().is_some_and(|text| text.len() > 10 && text.parse::<jiff::Timestamp>().is_ok()))
    {
        return Some(disguise(Proposal::new(Vec::new(), json!({ "type": "string", "format": "date-time" }))));
    }
    let proposal = of_format(local_time(profile)?);
    let tried = Tried::on(&proposal.codec, &profile.values)?;
    let plausible = tried.texts().filter(|text| is_plausible(text)).count();
    if plausible * 100 < profile.filled() * MOSTLY {
        return None;
    }
    Some(with_sentinels(proposal, profile, &sentinels(profile)))
}

/// A count since 1970. A number alone does not show it: the name has to speak of time.
pub(super) fn epoch(column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    let name = names::snake(column.source.as_str());
    let speaks_of_time =
        name.split('_').any(|word| TIME_WORDS.contains(&word)) || TIME_ENDS.iter().any(|end| name.ends_with(end));
    if !profile.all_integers() || !speaks_of_time || profile.distinct().len() < 10 {
        return None;
    }
    [("seconds", 100_000_000..4_100_000_000_i64), ("milliseconds", 100_000_000_000..4_100_000_000_000)].into_iter().find_map(
        |(unit, range)| {
            let within = |value: &&Legacy| matches!(value, Legacy::Int(number) if range.contains(number));
            profile.values.iter().all(within).then(|| {
                Proposal::new(vec![json!({ "epoch": unit })], json!({ "type": "string", "format": "date-time" })).unsure(format!(
                    "taken for {unit} since 1970, since the name speaks of time and {} sampled values lie between 1973 and 2099",
                    of(profile.filled(), profile.filled())
                ))
            })
        },
    )
}

const TIME_WORDS: [&str; 9] = ["time", "timestamp", "ts", "epoch", "created", "updated", "changed", "modified", "at"];
const TIME_ENDS: [&str; 2] = ["time", "stamp"];

/// The values that stand for no day, of those that occur.
fn sentinels(profile: &Profile<'_>) -> Vec<String> {
    NO_DAYS.iter().filter(|word| profile.holds(|text| text.trim() == **word) > 0).map(|word| (*word).to_owned()).collect()
}

fn is_among(sentinels: &[String], value: &Legacy) -> bool {
    value.to_text().is_some_and(|text| sentinels.iter().any(|word| word == text.trim()))
}

/// Puts the sentinels before the codec, and says how many there were.
fn with_sentinels(proposal: Proposal, profile: &Profile<'_>, sentinels: &[String]) -> Proposal {
    if sentinels.is_empty() {
        return proposal;
    }
    let count = profile.holds(|text| sentinels.iter().any(|word| word == text.trim()));
    let values: Vec<Value> = sentinels
        .iter()
        .map(|word| match word.parse::<i64>() {
            Ok(number) if profile.all_integers() => json!(number),
            _ => json!(word),
        })
        .collect();
    proposal
        .unsure(format!(
            "{} sampled values are a day that stands for none, as which they are answered",
            of(count, profile.filled())
        ))
        .after(&[json!({ "null_if": values })], sentinels)
}

fn has_unknown_part(value: &Legacy) -> bool {
    value.to_text().is_some_and(|text| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.len() == 8 && (digits.ends_with("00") || digits.starts_with("00"))
    })
}

fn is_plausible(iso: &str) -> bool {
    iso.get(..4).and_then(|year| year.parse().ok()).is_some_and(|year: i32| YEARS.contains(&year))
}
