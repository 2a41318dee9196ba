//! Columns of numbers.

use rabita_sdk::survey::SurveyedColumn;
use serde_json::{Value, json};

use super::{Context, Proposal, Tried, of, times};
use crate::lookalike::Disguise;
use crate::profile::Profile;

/// An integer column: a day, an instant, a flag, an identifier, or a number.
pub(super) fn integer(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Proposal {
    if let Some(proposal) = times::day_of_integer(profile) {
        return proposal;
    }
    if let Some(proposal) = times::epoch(column, profile) {
        return proposal;
    }
    if !context.is_key(column)
        && let Some(proposal) = flags(profile)
    {
        return proposal;
    }
    if let Some(proposal) = identifier(context, column, profile) {
        return proposal;
    }
    Proposal::new(Vec::new(), json!({ "type": "integer" }))
}

/// A column that is declared to be true or false and holds 1 and 0.
pub(super) fn flag() -> Proposal {
    Proposal::new(vec![json!({ "boolean": { "true": 1, "false": 0 } })], json!({ "type": "boolean" })).disguised(Disguise::Keep)
}

fn flags(profile: &Profile<'_>) -> Option<Proposal> {
    let distinct: Vec<&str> = profile.distinct().collect();
    (distinct == ["0", "1"] && profile.filled() >= 20).then(|| {
        flag().unsure(format!(
            "taken for yes and no, since {} sampled values are 1 and {} are 0",
            profile.count("1"),
            profile.count("0")
        ))
    })
}

/// A number that names something has as many digits as the others, and is no number to calculate with.
fn identifier(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    let width = profile.width().filter(|width| (IDENTIFIER..=18).contains(width) && profile.filled() >= 20)?;
    if !context.identifies(column) && profile.distinct().len() * 2 < profile.filled() {
        return None;
    }
    let why = format!(
        "taken for an identifier of {width} digits, which {} sampled values have",
        of(profile.filled(), profile.filled())
    );
    let pattern = format!("^[0-9]{{{width}}}$");
    Some(Proposal::new(vec![json!({ "digits": width })], json!({ "type": "string", "pattern": pattern })).unsure(why))
}

/// Digits so wide that they are hardly a count.
pub(super) const IDENTIFIER: usize = 7;

/// An exact number.
pub(super) fn decimal(scale: Option<u32>, profile: &Profile<'_>) -> Proposal {
    if scale == Some(0) {
        let codec = if profile.all_integers() { Vec::new() } else { vec![json!("integer")] };
        return Proposal::new(codec, json!({ "type": "integer" }));
    }
    let fraction = scale.map_or_else(|| "(\\.[0-9]+)?".to_owned(), |scale| format!("\\.[0-9]{{{scale}}}"));
    let mut options = json!({ "separator": "." });
    if let Some(scale) = scale {
        options["scale"] = json!(scale);
    }
    let exact = Proposal::new(
        vec![json!({ "decimal": options })],
        json!({ "type": "string", "pattern": format!("^-?[0-9]+{fraction}$") }),
    );
    match Tried::on(&exact.codec, &profile.values) {
        Some(tried) if tried.refused() == 0 => exact,
        // Where the driver hands over floating numbers, or not all digits.
        _ if profile.all_text() => Proposal::new(Vec::new(), json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" })),
        _ => Proposal::new(vec![json!("number")], json!({ "type": "number" })),
    }
}

/// A text that is a number with a comma, or points between thousands.
pub(super) fn comma(profile: &Profile<'_>) -> Option<(Vec<Value>, Value)> {
    let texts: Vec<&str> = profile.distinct().map(str::trim).collect();
    let is_number = |text: &str| {
        let digits = text.trim_start_matches('-');
        digits.split_once(',').is_some_and(|(whole, part)| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && whole.starts_with(|c: char| c.is_ascii_digit())
                && whole.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    };
    if texts.len() < 3 || !texts.iter().all(|text| is_number(text)) {
        return None;
    }
    let mut options = json!({ "separator": "," });
    if texts.iter().any(|text| text.contains('.')) {
        options["grouping"] = json!(".");
    }
    let scales: Vec<usize> = texts.iter().filter_map(|text| Some(text.split_once(',')?.1.len())).collect();
    let mut fraction = "\\.[0-9]+".to_owned();
    if scales.iter().all(|scale| *scale == scales[0]) {
        options["scale"] = json!(scales[0]);
        fraction = format!("\\.[0-9]{{{}}}", scales[0]);
    }
    let codec = vec![json!({ "decimal": options })];
    let tried = Tried::on(&[vec![json!("trim")], codec.clone()].concat(), &profile.values)?;
    (tried.refused() == 0).then(|| (codec, json!({ "type": "string", "pattern": format!("^-?[0-9]+{fraction}$") })))
}
