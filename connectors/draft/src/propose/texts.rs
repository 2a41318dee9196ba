//! Columns of text.

use rabita_sdk::Legacy;
use rabita_sdk::survey::SurveyedColumn;
use serde_json::{Map, Value, json};

use super::{Context, Proposal, codes, numbers, of, times};
use crate::lookalike::Disguise;
use crate::operations;
use crate::profile::Profile;

/// Words for yes and no; the first of each is written.
const FLAGS: [(&str, &str); 8] =
    [("Y", "N"), ("J", "N"), ("T", "F"), ("1", "0"), ("true", "false"), ("yes", "no"), ("YES", "NO"), ("ja", "nee")];

/// Signs that stand for nothing known.
const NOTHING: [&str; 7] = ["-", "--", "---", "?", "N/A", "n/a", "NULL"];

/// A text column: what stands around it, what stands for none, and what it is then.
pub(super) fn text(
    context: &Context<'_>,
    column: &SurveyedColumn,
    profile: &Profile<'_>,
    max: Option<u32>,
    fixed: bool,
) -> Proposal {
    let mut before = Vec::new();
    let mut unsure = Vec::new();
    let padded = profile.holds(|text| text != text.trim());
    if padded > 0 || (fixed && max.is_some_and(|max| max > 1)) {
        before.push(json!("trim"));
    }
    let (nulls, sentinels) = nothings(profile, &mut unsure);
    if !nulls.is_empty() {
        before.push(json!({ "null_if": nulls }));
    }
    let bare: Vec<Legacy> = profile
        .values
        .iter()
        .filter_map(|value| value.to_text())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty() && !sentinels.contains(text))
        .map(Legacy::Text)
        .collect();
    let bare = Profile::of_values(profile.rows, bare.iter());
    let mut proposal = bare_text(context, column, &bare, max, !nulls.is_empty()).after(&before, &sentinels);
    proposal.unsure.splice(0..0, unsure);
    // What is filled up by its type is compared as if it were not.
    proposal.has_outer_spaces = padded > 0 && !fixed;
    let is_searched = context.entity.offers.search.iter().any(|search| search.cheap && search.source == column.source);
    if proposal.has_outer_spaces && is_searched {
        let then = match operations::overlooks_spaces(context.entity) {
            true => "a search overlooks them, with which no plain index helps",
            false => "a search would have to overlook them row by row, and is left out",
        };
        proposal.unsure.push(format!("{} sampled values have blanks around them: {then}", of(padded, profile.filled())));
    }
    proposal
}

/// The values that stand for none, with the texts among them.
fn nothings(profile: &Profile<'_>, unsure: &mut Vec<String>) -> (Vec<Value>, Vec<String>) {
    let mut nulls = Vec::new();
    if profile.holds(|text| text.trim().is_empty()) > 0 {
        nulls.push(json!("blank"));
    }
    let signs: Vec<&str> = NOTHING.into_iter().filter(|sign| profile.holds(|text| text.trim() == *sign) > 0).collect();
    if !signs.is_empty() && signs.len() < profile.distinct().len() {
        let count = profile.holds(|text| signs.contains(&text.trim()));
        unsure.push(format!("{} sampled values are a sign that is taken for no value", of(count, profile.filled())));
        nulls.extend(signs.iter().map(|sign| json!(sign)));
        return (nulls, signs.into_iter().map(str::to_owned).collect());
    }
    (nulls, Vec::new())
}

fn bare_text(context: &Context<'_>, column: &SurveyedColumn, bare: &Profile<'_>, max: Option<u32>, has_nulls: bool) -> Proposal {
    if let Some(proposal) = flags(bare).or_else(|| times::day_of_text(bare)).or_else(|| times::datetime_of_text(bare)) {
        return proposal;
    }
    if let Some((codec, schema)) = numbers::comma(bare) {
        return Proposal::new(codec, schema);
    }
    if let Some(proposal) = codes::unexplained(context, column, bare) {
        return proposal;
    }
    let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
    if has_nulls {
        schema.insert("minLength".to_owned(), json!(1));
    }
    if let Some(max) = max {
        schema.insert("maxLength".to_owned(), json!(max));
    }
    if let Some(pattern) = &column.pattern {
        schema.insert("pattern".to_owned(), json!(pattern));
    }
    let proposal = Proposal::new(Vec::new(), Value::Object(schema));
    let proposal = if is_condition(context, bare) { proposal.disguised(Disguise::Keep) } else { proposal };
    filled_up(context, column, bare, proposal)
}

/// What is alike in all rows because only such rows are wanted. Elsewhere what is alike may be somebody's: whoever is above
/// all of them, whoever wrote them.
fn is_condition(context: &Context<'_>, bare: &Profile<'_>) -> bool {
    let from = context.entity.from.to_string();
    bare.distinct().len() == 1 && bare.distinct().all(|text| from.contains(text))
}

fn flags(bare: &Profile<'_>) -> Option<Proposal> {
    let distinct: Vec<&str> = bare.distinct().collect();
    let (yes, no) = FLAGS.into_iter().find(|(yes, no)| distinct.len() == 2 && distinct.contains(yes) && distinct.contains(no))?;
    if bare.filled() < 10 {
        return None;
    }
    let proposal = Proposal::new(vec![json!({ "boolean": { "true": yes, "false": no } })], json!({ "type": "boolean" }))
        .disguised(Disguise::Keep);
    Some(proposal.unsure(format!(
        "taken for yes and no, since {} sampled values are `{yes}` and {} are `{no}`",
        bare.count(yes),
        bare.count(no)
    )))
}

/// Digits of one width: an identifier, or a number filled up with zeros.
fn filled_up(context: &Context<'_>, column: &SurveyedColumn, bare: &Profile<'_>, mut proposal: Proposal) -> Proposal {
    let digits = bare.filled() >= 20 && bare.holds(|text| text.bytes().all(|byte| byte.is_ascii_digit())) == bare.filled();
    let Some(width) = bare.width().filter(|width| digits && (2..=18).contains(width)) else { return proposal };
    let zeros = bare.holds(|text| text.starts_with('0'));
    if context.identifies(column) {
        proposal.schema.insert("pattern".to_owned(), json!(format!("^[0-9]{{{width}}}$")));
        return proposal
            .unsure(format!("{} sampled values have {width} digits, so all are taken to", of(bare.filled(), bare.filled())));
    }
    // What differs from row to row names something, and is no number to calculate with.
    let names_something = width >= numbers::IDENTIFIER && bare.distinct().len() * 2 > bare.filled();
    if width > 2 && !names_something && zeros * 10 >= bare.filled() * 9 && bare.distinct().len() > 3 {
        return Proposal::new(vec![json!({ "integer": { "width": width } })], json!({ "type": "integer", "minimum": 0 })).unsure(
            format!(
                "taken for a number filled up with zeros to {width} digits, as {} sampled values are",
                of(zeros, bare.filled())
            ),
        );
    }
    proposal
}
