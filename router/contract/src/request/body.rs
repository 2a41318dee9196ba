//! The body of `POST .../query`, and what the bodies of all calls share.

use rabita_model::ask::Key;
use rabita_model::{Code, Comparison, Fault, FieldName, Filter, Refusal, Want};
use serde_json::{Map, Value};

use super::{NUL, Wish, field_list, json, query};
use crate::likely::did_you_mean;

const MEMBERS: [&str; 7] = ["key", "keys", "where", "fields", "limit", "cursor", "field"];

/// What the body of a query asks for. `None` when there are faults.
pub(super) fn parse(body: &[u8], faults: &mut Vec<Fault>) -> Result<Option<Wish>, Refusal> {
    let Value::Object(members) = value(body)? else {
        faults.push(Fault::at("", "type", "the body is a JSON object with one of `key`, `keys` and `where`"));
        return Ok(None);
    };
    let before = faults.len();
    unknown_members(&members, &MEMBERS, "; filters stand in `where`", faults);
    let want = want(&members, faults);
    let fields = fields(&members, faults);
    if faults.len() > before {
        return Ok(None);
    }
    Ok(want.map(|want| Wish { want, fields, in_url: false }))
}

/// The JSON of a body.
pub(super) fn value(body: &[u8]) -> Result<Value, Refusal> {
    json::read(body).map_err(|message| {
        let fault = Fault::at("", "json", format!("the body is not the JSON that is taken: {message}"));
        Refusal::with_faults(Code::MalformedRequest, vec![fault])
    })
}

/// Faults of members that there are not.
pub(super) fn unknown_members(members: &Map<String, Value>, known: &[&str], hint: &str, faults: &mut Vec<Fault>) {
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        // A name of another form may be a value that ended up in the wrong place: it is not repeated.
        let pointer = if FieldName::new(name).is_ok() { format!("/{name}") } else { String::new() };
        let message = format!("there is no such member{}{hint}", did_you_mean(name, known));
        faults.push(Fault::at(pointer, "unknown_member", message));
    }
}

fn want(members: &Map<String, Value>, faults: &mut Vec<Fault>) -> Option<Want> {
    let modes: Vec<&str> = ["key", "keys", "where"].into_iter().filter(|mode| members.contains_key(*mode)).collect();
    let [mode] = modes.as_slice() else {
        let message = "exactly one of `key` (a record), `keys` (several records) and `where` (a search) has to be given";
        faults.push(Fault::at("", "one_of", message));
        return None;
    };
    let misplaced: &[&str] = match *mode {
        "where" => &["field"],
        "keys" => &["field", "limit", "cursor"],
        _ if members.contains_key("field") => &["limit", "cursor", "fields"],
        _ => &["limit", "cursor"],
    };
    for name in misplaced.iter().filter(|name| members.contains_key(**name)) {
        let with = if *name == "fields" { "field" } else { mode };
        faults.push(Fault::at(format!("/{name}"), "excludes", format!("`{name}` can't be given with `{with}`")));
    }
    match (*mode, &members[*mode]) {
        ("where", value) => search(value, members, faults),
        ("keys", value) => keys(value, faults),
        (_, value) => {
            let key = key(value, "/key", faults);
            match members.get("field") {
                Some(name) => binary_field(name, faults).zip(key).map(|(field, key)| Want::Binary { key, field }),
                None => key.map(|key| Want::Read { key }),
            }
        }
    }
}

pub(super) fn key(value: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<Key> {
    let values = match value {
        Value::Array(values) if values.is_empty() => {
            faults.push(Fault::at(pointer, "empty", "a key has at least one value"));
            return None;
        }
        Value::Array(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    let before = faults.len();
    for (index, part) in values.iter().enumerate() {
        let pointer = if value.is_array() { format!("{pointer}/{index}") } else { pointer.to_owned() };
        match part {
            Value::String(text) if text.is_empty() => faults.push(Fault::at(pointer, "empty", "a key's value is empty")),
            Value::String(text) if text.contains('\0') => faults.push(Fault::at(pointer, "character", NUL)),
            Value::String(_) => {}
            Value::Number(number) if number.is_i64() || number.is_u64() => {}
            _ => {
                let message = "a key's value is text or a whole number; a composite key is an array of them";
                faults.push(Fault::at(pointer, "type", message));
            }
        }
    }
    (faults.len() == before).then(|| Key(values.to_vec()))
}

fn keys(value: &Value, faults: &mut Vec<Fault>) -> Option<Want> {
    let Some(values) = value.as_array().filter(|values| !values.is_empty()) else {
        faults.push(Fault::at("/keys", "type", "`keys` is an array of one key or more"));
        return None;
    };
    let keys: Vec<Key> =
        values.iter().enumerate().filter_map(|(index, value)| key(value, &format!("/keys/{index}"), faults)).collect();
    (keys.len() == values.len()).then_some(Want::ReadMany { keys })
}

fn binary_field(value: &Value, faults: &mut Vec<Fault>) -> Option<FieldName> {
    let field = value.as_str().and_then(|name| FieldName::new(name).ok());
    if field.is_none() {
        faults.push(Fault::at("/field", "field_name", "`field` is the name of a binary field"));
    }
    field
}

fn search(value: &Value, members: &Map<String, Value>, faults: &mut Vec<Fault>) -> Option<Want> {
    let limit = members.get("limit").and_then(|limit| {
        let number = limit.as_u64().and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0);
        if number.is_none() {
            faults.push(Fault::at("/limit", "type", "`limit` is a whole number from 1 on"));
        }
        number
    });
    let cursor = members.get("cursor").and_then(|cursor| {
        let text = cursor.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            faults.push(Fault::at("/cursor", "type", "`cursor` is the text that the page before gave as `next`"));
        }
        text
    });
    let Value::Object(conditions) = value else {
        faults.push(Fault::at("/where", "type", "`where` is an object of fields with their values"));
        return None;
    };
    let mut filters = Vec::new();
    for (name, condition) in conditions {
        filter(name, condition, &mut filters, faults);
    }
    Some(Want::Search { filters, limit, cursor })
}

fn filter(name: &str, condition: &Value, filters: &mut Vec<Filter>, faults: &mut Vec<Fault>) {
    let Ok(field) = FieldName::new(name) else {
        let message = "a member's name is no field name; nested fields are written `name.family`";
        faults.push(Fault::at("/where", "field_name", message));
        return;
    };
    let pointer = format!("/where/{field}");
    let Value::Object(comparisons) = condition else {
        if let Some(fault) = value_fault(condition, &pointer) {
            faults.push(fault);
        } else {
            filters.push(Filter { field, comparison: Comparison::Equals, value: condition.clone() });
        }
        return;
    };
    if comparisons.is_empty() {
        faults.push(Fault::at(pointer, "empty", "no comparison is given"));
        return;
    }
    for (word, value) in comparisons {
        match query::comparison(word) {
            Err(message) => {
                let message = format!("{message}; nested fields are written `name.family`");
                faults.push(Fault::at(pointer.clone(), "unknown_comparison", message));
            }
            Ok(comparison) => match value_fault(value, &format!("{pointer}/{word}")) {
                Some(fault) => faults.push(fault),
                None => filters.push(Filter { field: field.clone(), comparison, value: value.clone() }),
            },
        }
    }
}

fn value_fault(value: &Value, pointer: &str) -> Option<Fault> {
    match value {
        Value::String(text) if text.contains('\0') => Some(Fault::at(pointer, "character", NUL)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => None,
        _ => Some(Fault::at(pointer, "type", "a filter's value is text, a number, true or false")),
    }
}

fn fields(members: &Map<String, Value>, faults: &mut Vec<Fault>) -> Option<Vec<FieldName>> {
    let value = members.get("fields")?;
    let Some(names) = value.as_array() else {
        faults.push(Fault::at("/fields", "type", "`fields` is an array of field names"));
        return None;
    };
    // What is no text becomes an empty name, which has not the form of one.
    let names = names.iter().map(|name| name.as_str().unwrap_or_default());
    let at = |index: usize, code, message: &'static str| match code {
        "empty" => Fault::at("/fields", code, message),
        _ => Fault::at(format!("/fields/{index}"), code, message),
    };
    Some(field_list(names, faults, at))
}
