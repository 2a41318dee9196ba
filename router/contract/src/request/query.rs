//! The part of a URL after `?`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rabita_model::ask::Key;
use rabita_model::{Comparison, Fault, FieldName, Filter, Refusal, Want};
use serde_json::Value;

use super::path::split_key;
use super::{NUL, Wish, decoded, field_list, key_fault};
use crate::likely::did_you_mean;

/// The parameters that are the bus's own. A contract field of such a name is filtered with `limit[equals]=`.
pub const PARAMETERS: [&str; 4] = ["limit", "cursor", "fields", "key"];

/// Unreserved characters (RFC 3986, 2.3) stand for themselves.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One parameter: its name decoded, its value as sent.
pub(super) struct Pair<'a> {
    name: String,
    raw: &'a str,
}

impl Pair<'_> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The value. That it decodes was found when the pairs were made.
    pub(super) fn value(&self) -> String {
        form_decoded(self.raw).unwrap_or_default()
    }
}

/// The parameters in their order.
pub(super) fn pairs(query: &str) -> Result<Vec<Pair<'_>>, Refusal> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, raw) = pair.split_once('=').ok_or_else(|| super::malformed("a parameter has no `=`"))?;
            form_decoded(raw)?;
            Ok(Pair { name: form_decoded(name)?, raw })
        })
        .collect()
}

/// A search, or several records by key.
pub(super) fn collection(pairs: &[Pair<'_>], faults: &mut Vec<Fault>) -> Option<Wish> {
    let before = faults.len();
    let mut seen = Seen::default();
    for pair in pairs {
        match pair.name.as_str() {
            "key" => seen.key(pair, faults),
            "limit" => once(&mut seen.limit, "limit", limit(pair, faults), faults),
            "cursor" => once(&mut seen.cursor, "cursor", text(pair, "cursor", faults), faults),
            "fields" => once(&mut seen.fields, "fields", Some(fields(pair, faults)), faults),
            _ => seen.filter(pair, faults),
        }
    }
    if !seen.keys.is_empty() {
        seen.key_goes_alone(faults);
    }
    if faults.len() > before {
        return None;
    }
    Some(seen.into_wish())
}

/// Nothing but `fields`.
pub(super) fn only_fields(pairs: &[Pair<'_>], faults: &mut Vec<Fault>) -> Option<Vec<FieldName>> {
    let mut found = None;
    for pair in pairs {
        if pair.name == "fields" {
            once(&mut found, "fields", Some(fields(pair, faults)), faults);
        } else {
            faults.push(unexpected(&pair.name, "only `fields` can be given with a record's key", &["fields"]));
        }
    }
    found.flatten()
}

/// No parameters.
pub(super) fn nothing(pairs: &[Pair<'_>], faults: &mut Vec<Fault>) {
    faults.extend(pairs.iter().map(|pair| unexpected(&pair.name, "no parameters can be given here", &[])));
}

/// A key as it stands in a path.
#[must_use]
pub fn encode_key(values: &[&str]) -> String {
    let encoded: Vec<String> = values.iter().map(|value| encode(value)).collect();
    encoded.join(",")
}

/// The query string of filters whose values are text: what [`super::parse`] reads back.
#[must_use]
pub fn filters_to_query(filters: &[Filter]) -> String {
    let mut query = String::new();
    for filter in filters {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&parameter_name(&filter.field, filter.comparison));
        query.push('=');
        query.push_str(&match &filter.value {
            Value::String(text) => encode(text),
            other => encode(&other.to_string()),
        });
    }
    query
}

/// The parameter of a filter: the field alone for `equals`, unless the bus has a parameter of that name.
pub(crate) fn parameter_name(field: &FieldName, comparison: Comparison) -> String {
    if comparison == Comparison::Equals && !PARAMETERS.contains(&field.as_str()) {
        return field.to_string();
    }
    format!("{field}[{}]", comparison.as_str())
}

#[derive(Default)]
struct Seen {
    keys: Vec<Key>,
    filters: Vec<Filter>,
    limit: Option<Option<u32>>,
    cursor: Option<Option<String>>,
    fields: Option<Option<Vec<FieldName>>>,
}

impl Seen {
    fn key(&mut self, pair: &Pair<'_>, faults: &mut Vec<Fault>) {
        // The raw text decodes, so its parts do: a `,` is no part of an escape.
        let values = split_key(&pair.raw.replace('+', "%20")).unwrap_or_default();
        match key_fault(&values) {
            Some(fault) => faults.push(fault),
            None => self.keys.push(Key(values.into_iter().map(Value::String).collect())),
        }
    }

    fn filter(&mut self, pair: &Pair<'_>, faults: &mut Vec<Fault>) {
        let Some((field, comparison)) = filter_name(&pair.name, faults) else { return };
        if self.filters.iter().any(|filter| filter.field == field && filter.comparison == comparison) {
            faults.push(Fault::parameter(pair.name.clone(), "duplicate", "this filter stands twice"));
            return;
        }
        let value = pair.value();
        if value.contains('\0') {
            faults.push(Fault::parameter(pair.name.clone(), "character", NUL));
            return;
        }
        self.filters.push(Filter { field, comparison, value: Value::String(value) });
    }

    fn key_goes_alone(&self, faults: &mut Vec<Fault>) {
        let others = [
            (!self.filters.is_empty()).then_some("filters"),
            self.limit.is_some().then_some("`limit`"),
            self.cursor.is_some().then_some("`cursor`"),
        ];
        for other in others.into_iter().flatten() {
            let message = format!("`key` asks for certain records: {other} can't be given with it");
            faults.push(Fault::parameter("key", "excludes", message));
        }
    }

    fn into_wish(self) -> Wish {
        let in_url = !self.keys.is_empty() || !self.filters.is_empty();
        let want = if self.keys.is_empty() {
            Want::Search { filters: self.filters, limit: self.limit.flatten(), cursor: self.cursor.flatten() }
        } else {
            Want::ReadMany { keys: self.keys }
        };
        Wish { want, fields: self.fields.flatten(), in_url }
    }
}

/// `birth_date[from]`.
fn filter_name(name: &str, faults: &mut Vec<Fault>) -> Option<(FieldName, Comparison)> {
    let (field, comparison) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((field, comparison)) => (field, Some(comparison)),
        None => (name, None),
    };
    let Ok(field) = FieldName::new(field) else {
        let message = "a parameter's name is neither `field` nor `field[comparison]`; nested fields are written `name.family`";
        faults.push(Fault::at("", "parameter_name", message));
        return None;
    };
    let Some(word) = comparison else { return Some((field, Comparison::Equals)) };
    match super::query::comparison(word) {
        Ok(comparison) => Some((field, comparison)),
        Err(message) => {
            faults.push(Fault::parameter(field.to_string(), "unknown_comparison", message));
            None
        }
    }
}

/// The comparison of this name, or what would have been one.
pub(super) fn comparison(word: &str) -> Result<Comparison, String> {
    let names = Comparison::ALL.map(Comparison::as_str);
    Comparison::ALL
        .into_iter()
        .find(|comparison| comparison.as_str() == word)
        .ok_or_else(|| format!("there is no such comparison{}; there are {}", did_you_mean(word, &names), names.join(", ")))
}

fn once<T>(place: &mut Option<Option<T>>, name: &str, value: Option<T>, faults: &mut Vec<Fault>) {
    if place.replace(value).is_some() {
        faults.push(Fault::parameter(name, "duplicate", "this parameter stands twice"));
    }
}

fn limit(pair: &Pair<'_>, faults: &mut Vec<Fault>) -> Option<u32> {
    let value = pair.value();
    let limit = value.parse().ok().filter(|limit| *limit > 0 && value.bytes().all(|byte| byte.is_ascii_digit()));
    if limit.is_none() {
        faults.push(Fault::parameter("limit", "type", "`limit` is a whole number from 1 on"));
    }
    limit
}

fn text(pair: &Pair<'_>, name: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let value = pair.value();
    if value.is_empty() {
        faults.push(Fault::parameter(name, "empty", "this parameter is empty"));
        return None;
    }
    Some(value)
}

fn fields(pair: &Pair<'_>, faults: &mut Vec<Fault>) -> Vec<FieldName> {
    let value = pair.value();
    field_list(value.split(',').filter(|_| !value.is_empty()), faults, |_, code, message| {
        Fault::parameter("fields", code, message)
    })
}

pub(super) fn unexpected(name: &str, message: &str, candidates: &[&str]) -> Fault {
    if FieldName::new(name.split('[').next().unwrap_or_default()).is_err() {
        return Fault::at("", "unexpected_parameter", message);
    }
    let message = format!("{message}{}", did_you_mean(name, candidates));
    Fault::parameter(name, "unexpected_parameter", message)
}

fn form_decoded(text: &str) -> Result<String, Refusal> {
    if text.contains('+') { decoded(&text.replace('+', " ")) } else { decoded(text) }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
