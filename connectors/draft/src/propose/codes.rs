//! Columns of codes: closed lists, references to tables of codes, and few short words again and again.

use std::collections::BTreeSet;

use rabita_sdk::survey::{ClosedList, CodeTable, SurveyedColumn, ValueType};
use serde_json::{Map, Value, json};

use super::{Context, Proposal, Tried, book, of};
use crate::lookalike::Disguise;
use crate::names;
use crate::profile::Profile;

/// A code list that the manifest gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) of: ListOf,
    pub(crate) unsure: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ListOf {
    /// In place, as the manifest writes it.
    Inline(Value),
    /// The table of codes at this place of the survey.
    Table(usize),
}

/// Of a reference that is declared nowhere, so many of the distinct codes have to be in the table.
const MOSTLY: usize = 80;

/// The values that there can be, as the legacy system itself says.
pub(super) fn closed(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    let list = column.closed.as_ref().filter(|list| !list.codes.is_empty())?;
    if matches!(column.value, ValueType::Boolean | ValueType::List(_)) {
        return None;
    }
    let meanings: Vec<String> = list.codes.iter().map(|code| names::snake(code.meaning.as_deref().unwrap_or_default())).collect();
    let distinct: BTreeSet<&String> = meanings.iter().collect();
    let have_meanings = distinct.len() == meanings.len() && meanings.iter().all(|meaning| !meaning.is_empty());
    let codec = if profile.holds(|text| text != text.trim()) > 0 { vec![json!("trim")] } else { Vec::new() };
    let proposal = if have_meanings {
        with_meanings(context, column, list, &meanings)
    } else {
        let codes: Vec<Value> = list.codes.iter().map(|code| of_type(column, &code.code)).collect();
        Proposal::new(Vec::new(), json!({ "enum": codes }))
    };
    Some(proposal.disguised(Disguise::Keep).after(&codec, &[]))
}

fn with_meanings(context: &Context<'_>, column: &SurveyedColumn, list: &ClosedList, meanings: &[String]) -> Proposal {
    let name = list.name.as_deref().map_or_else(|| own_name(context, column), names::word);
    let values: Map<String, Value> =
        list.codes.iter().zip(meanings).map(|(code, meaning)| (code.code.clone(), json!(meaning))).collect();
    let mut proposal = Proposal::new(vec![json!({ "codes": name })], json!({ "enum": meanings }));
    let unsure = vec!["the words are the registry's own description of each code, in the contract's spelling".to_owned()];
    proposal.list = Some(List { name, of: ListOf::Inline(Value::Object(values)), unsure });
    proposal
}

fn of_type(column: &SurveyedColumn, code: &str) -> Value {
    match (&column.value, code.parse::<i64>()) {
        (ValueType::Integer { .. }, Ok(number)) if !column.as_text => json!(number),
        _ => json!(code),
    }
}

/// A column whose values stand in a table of codes: because the legacy system says so, or because the names and the
/// values do.
pub(super) fn referenced(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    let tables = &context.survey.code_tables;
    let declared = context.entity.references.iter().find(|reference| reference.sources == [column.source.clone()]);
    if let Some(at) = declared.and_then(|reference| tables.iter().position(|table| table.name == reference.to)) {
        return looked_up(context, column, profile, at, None);
    }
    if context.is_key(column) && context.key.len() == 1 {
        return None;
    }
    let named = tables.iter().enumerate().filter(|(_, table)| names_lead_to(column, table));
    let Some((at, _)) = named.max_by_key(|(_, table)| table.code.as_str().len()) else {
        return by_values(context, column, profile);
    };
    let known = codes_of(&tables[at]);
    let distinct: Vec<&str> = profile.distinct().filter(|text| !text.trim().is_empty()).collect();
    let found = distinct.iter().filter(|text| known.contains(text.trim())).count();
    if distinct.is_empty() || found * 100 < distinct.len() * MOSTLY {
        return None;
    }
    let why = format!(
        "no foreign key says that this is a code of {}: its name does, and {} distinct codes that were sampled are there",
        tables[at].name,
        of(found, distinct.len())
    );
    looked_up(context, column, profile, at, Some(why))
}

/// A column of a file whose values stand in a table of codes beside it, where nothing but the values says so: a good part
/// of them have the form of its codes, and nearly all of those are there. Of several tables the smallest is meant.
fn by_values(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    if !column.as_text {
        return None;
    }
    let tables = context.survey.code_tables.iter().enumerate();
    let found = tables.filter_map(|(at, table)| {
        let known = codes_of(table);
        let width = width(&known)?;
        let distinct: Vec<&str> = profile.distinct().map(str::trim).filter(|text| !text.is_empty()).collect();
        let formed: Vec<&str> = distinct.iter().copied().filter(|text| text.chars().count() == width).collect();
        let there = formed.iter().filter(|text| known.contains(**text)).count();
        let are_enough = there >= DISTINCT && formed.len() * 2 >= distinct.len() && there * 100 >= formed.len() * MOSTLY;
        are_enough.then_some((formed.len() - there, known.len(), at, there, formed.len()))
    });
    let (_, _, at, there, formed) = found.min()?;
    let why = format!(
        "neither a key nor a name says that this is a code of {}: its values do, of which {} distinct ones are there",
        context.survey.code_tables[at].name,
        of(there, formed)
    );
    looked_up(context, column, profile, at, Some(why))
}

/// So many distinct codes have to be found where nothing but values says that they are codes.
const DISTINCT: usize = 3;

/// The one number of characters that all codes have; short ones are found by chance.
fn width(codes: &BTreeSet<String>) -> Option<usize> {
    let mut widths = codes.iter().map(|code| code.chars().count());
    let first = widths.next().filter(|width| *width >= DISTINCT)?;
    widths.all(|width| width == first).then_some(first)
}

/// `geboorte_land_code` is a `land_code`.
fn names_lead_to(column: &SurveyedColumn, table: &CodeTable) -> bool {
    let (own, code) = (names::snake(column.source.as_str()), names::snake(table.code.as_str()));
    own == code || own.strip_suffix(&code).is_some_and(|rest| rest.ends_with('_') || rest.is_empty())
}

fn codes_of(table: &CodeTable) -> BTreeSet<String> {
    table.rows.iter().filter_map(|row| row.find(&table.code)?.to_text().map(|text| text.trim().to_owned())).collect()
}

fn looked_up(
    context: &Context<'_>,
    column: &SurveyedColumn,
    profile: &Profile<'_>,
    at: usize,
    doubt: Option<String>,
) -> Option<Proposal> {
    let table = &context.survey.code_tables[at];
    let name = names::word(&table.name);
    let spec = table_spec(table);
    let book = book(&name, &spec, Some(table), context.today)?;
    let is_text = profile.all_text();
    let before: Vec<Value> = if profile.holds(|text| text != text.trim()) > 0 {
        vec![json!("trim"), json!({ "null_if": ["blank"] })]
    } else {
        Vec::new()
    };
    let strict = [before.clone(), vec![json!({ "codes": name })]].concat();
    let tried = Tried::with(&strict, &profile.values, &book)?;
    let mut proposal = if tried.refused() == 0 && doubt.is_none() {
        Proposal::new(strict, json!({ "type": "string" }))
    } else {
        // A code that has no meaning is answered as it is; one form for both.
        let as_text = if is_text { Vec::new() } else { vec![json!("text")] };
        let lenient =
            [before, as_text, vec![json!({ "codes": { "list": name, "unmapped": "keep", "legacy": legacy_form(is_text) } })]];
        Proposal::new(lenient.concat(), json!({ "type": "string" }))
    };
    if tried.refused() > 0 {
        let why = format!(
            "{} sampled codes are in no row of {}; they are answered as they are",
            of(tried.refused(), profile.filled()),
            table.name
        );
        proposal = proposal.unsure(why);
    }
    if column.nullable && meanings_repeat(table) {
        proposal = proposal.unsure(format!("several codes of {} mean the same: a search finds only one of them", table.name));
    }
    proposal.unsure.extend(doubt);
    proposal.list = Some(List { name, of: ListOf::Table(at), unsure: Vec::new() });
    Some(proposal.disguised(Disguise::Keep))
}

fn legacy_form(is_text: bool) -> &'static str {
    if is_text { "text" } else { "integer" }
}

fn meanings_repeat(table: &CodeTable) -> bool {
    let mut seen = BTreeSet::new();
    table.rows.iter().filter_map(|row| row.find(&table.value)?.to_text()).any(|meaning| !seen.insert(meaning))
}

/// How the manifest writes a table of codes.
pub(crate) fn table_spec(table: &CodeTable) -> Value {
    json!({ "from": table.from, "code": table.code.as_str(), "value": table.value.as_str() })
}

/// Few short words, again and again, that nothing explains: answered as they are until somebody says what they mean.
pub(super) fn unexplained(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    if !profile.looks_like_codes() || context.identifies(column) {
        return None;
    }
    let name = own_name(context, column);
    let codes: BTreeSet<&str> = profile.distinct().map(str::trim).collect();
    let values: Map<String, Value> = codes.iter().map(|code| ((*code).to_owned(), json!(code))).collect();
    let mut proposal = Proposal::new(
        vec![json!({ "codes": { "list": name, "unmapped": "keep" } })],
        json!({ "type": "string", "minLength": 1 }),
    );
    let unsure = vec![format!(
        "{} codes in {} sampled values, and nothing says what they mean: give each a word, and take `unmapped: keep` away",
        codes.len(),
        profile.filled()
    )];
    proposal.list = Some(List { name, of: ListOf::Inline(Value::Object(values)), unsure });
    Some(proposal.disguised(Disguise::Keep))
}

fn own_name(context: &Context<'_>, column: &SurveyedColumn) -> String {
    names::word(&format!("{}_{}", context.name, column.name.as_deref().unwrap_or(column.source.as_str())))
}
