//! Changes: by the method and the URL, or with everything in the body of `POST .../change`.

use http::Method;
use rabita_model::ask::Key;
use rabita_model::{ActionName, Change, Fault, FieldName, Operation, Refusal};
use serde_json::{Map, Value};

use super::path::Rest;
use super::{NUL, body, checked};
use crate::likely::did_you_mean;

const MEMBERS: [&str; 6] = ["operation", "key", "record", "patch", "action", "input"];

/// A change, and where in the body its record, patch or input stands. `None` when there are faults.
pub(super) type Found = Option<(Change, &'static str)>;

/// A change that the method and the URL tell, with the record, the patch or the input for its body.
pub(super) fn by_url(method: &Method, rest: Rest, body: &[u8], faults: &mut Vec<Fault>) -> Result<Found, Refusal> {
    let change = match rest {
        Rest::Collection => object(body, "", faults)?.map(|record| Change::Create { record }),
        Rest::Record(key) if *method == Method::DELETE => checked(key, faults).map(|key| Change::Delete { key }),
        Rest::Record(key) => {
            let key = checked(key, faults);
            let fields = object(body, "", faults)?;
            let is_patch = *method == Method::PATCH;
            key.zip(fields).and_then(|(key, fields)| match is_patch {
                true => patch(key, fields, "", faults),
                false => Some(Change::Replace { key, record: fields }),
            })
        }
        Rest::Within(key, name) => {
            let key = checked(key, faults);
            // An action without input has no body either.
            let input = if body.is_empty() { Some(Map::new()) } else { object(body, "", faults)? };
            let action = ActionName::new(name.as_str()).ok();
            key.zip(action).zip(input).map(|((key, action), input)| Change::Act { key, action, input })
        }
    };
    Ok(change.map(|change| (change, "")))
}

/// A change that the body tells.
pub(super) fn by_body(body: &[u8], faults: &mut Vec<Fault>) -> Result<Found, Refusal> {
    let Value::Object(mut members) = body::value(body)? else {
        faults.push(Fault::at("", "type", "the body is a JSON object with `operation`"));
        return Ok(None);
    };
    body::unknown_members(&members, &MEMBERS, "", faults);
    let Some(operation) = operation(&members, faults) else { return Ok(None) };
    let (wanted, optional): (&[&str], &[&str]) = match operation {
        Operation::Create => (&["record"], &[]),
        Operation::Replace => (&["key", "record"], &[]),
        Operation::Update => (&["key", "patch"], &[]),
        Operation::Act => (&["key", "action"], &["input"]),
        _ => (&["key"], &[]),
    };
    let before = faults.len();
    membership(&members, operation, wanted, optional, faults);
    let key = members.get("key").and_then(|key| body::key(key, "/key", faults));
    let action = members.get("action").and_then(|name| action(name, faults));
    let mut part = |name: &str, faults: &mut Vec<Fault>| {
        members.shift_remove(name).and_then(|value| checked_object(value, &format!("/{name}"), faults))
    };
    let record = part("record", faults);
    let patched = part("patch", faults);
    let input = part("input", faults).unwrap_or_default();
    if faults.len() > before {
        return Ok(None);
    }
    Ok(match operation {
        Operation::Create => record.map(|record| (Change::Create { record }, "/record")),
        Operation::Replace => key.zip(record).map(|(key, record)| (Change::Replace { key, record }, "/record")),
        Operation::Update => {
            key.zip(patched).and_then(|(key, fields)| patch(key, fields, "/patch", faults)).map(|change| (change, "/patch"))
        }
        Operation::Act => key.zip(action).map(|(key, action)| (Change::Act { key, action, input }, "/input")),
        _ => key.map(|key| (Change::Delete { key }, "")),
    })
}

fn operation(members: &Map<String, Value>, faults: &mut Vec<Fault>) -> Option<Operation> {
    let known: Vec<Operation> = Operation::ALL.into_iter().filter(|operation| operation.is_change()).collect();
    let names: Vec<&str> = known.iter().map(|operation| operation.as_str()).collect();
    let word = members.get("operation").map(|word| word.as_str().unwrap_or_default());
    let found = known.iter().find(|operation| Some(operation.as_str()) == word);
    if found.is_none() {
        let listed = names.join(", ");
        faults.push(match word {
            None => Fault::at("", "required", format!("`operation` has to be given: one of {listed}")),
            Some(word) => Fault::at(
                "/operation",
                "enum",
                format!("there is no such operation{}; there are {listed}", did_you_mean(word, &names)),
            ),
        });
    }
    found.copied()
}

/// Faults of members that the operation needs and has not, or has and does not take.
fn membership(members: &Map<String, Value>, operation: Operation, wanted: &[&str], optional: &[&str], faults: &mut Vec<Fault>) {
    for name in wanted.iter().filter(|name| !members.contains_key(**name)) {
        faults.push(Fault::at("", "required", format!("`{name}` has to be given with `{operation}`")));
    }
    let own = |name: &&&str| **name == "operation" || wanted.contains(*name) || optional.contains(*name);
    for name in MEMBERS.iter().filter(|name| members.contains_key(**name) && !own(name)) {
        faults.push(Fault::at(format!("/{name}"), "excludes", format!("`{name}` can't be given with `{operation}`")));
    }
}

fn action(name: &Value, faults: &mut Vec<Fault>) -> Option<ActionName> {
    let action = name.as_str().and_then(|name| ActionName::new(name).ok());
    if action.is_none() {
        faults.push(Fault::at("/action", "action_name", "`action` is the name of one of the entity's actions"));
    }
    action
}

fn patch(key: Key, patch: Map<String, Value>, pointer: &str, faults: &mut Vec<Fault>) -> Option<Change> {
    if patch.is_empty() {
        faults.push(Fault::at(pointer, "empty", "the patch names no field"));
        return None;
    }
    Some(Change::Update { key, patch })
}

fn object(body: &[u8], pointer: &str, faults: &mut Vec<Fault>) -> Result<Option<Map<String, Value>>, Refusal> {
    body::value(body).map(|value| checked_object(value, pointer, faults))
}

fn checked_object(value: Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<Map<String, Value>> {
    let before = faults.len();
    refuse_nul(&value, pointer, faults);
    match value {
        Value::Object(members) if faults.len() == before => Some(members),
        Value::Object(_) => None,
        _ => {
            faults.push(Fault::at(pointer, "type", "this is a JSON object"));
            None
        }
    }
}

/// Faults of the texts that hold U+0000.
fn refuse_nul(value: &Value, pointer: &str, faults: &mut Vec<Fault>) {
    let deeper = |token: &str| format!("{pointer}/{token}");
    match value {
        Value::String(text) if text.contains('\0') => faults.push(Fault::at(pointer, "character", NUL)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_nul(item, &deeper(&index.to_string()), faults);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if FieldName::new(name).is_ok() {
                    refuse_nul(member, &deeper(name), faults);
                } else if name.contains('\0') || holds_nul(member) {
                    // A name of another form may be a value that ended up in the wrong place: it is not repeated.
                    faults.push(Fault::at(pointer, "character", NUL));
                }
            }
        }
        _ => {}
    }
}

fn holds_nul(value: &Value) -> bool {
    let mut faults = Vec::new();
    refuse_nul(value, "", &mut faults);
    !faults.is_empty()
}
