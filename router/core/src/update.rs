//! What follows from a change alone: its digest, the name of its record, the event that it makes.

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use rabita_model::update::{merge_patch, patched_fields};
use rabita_model::{Change, Event, EventId, FieldName, Happened, IfMatch, RegistryId, Submission, Target, Update};
use rabita_sdk::Legacy;
use serde_json::{Map, Value};

use crate::registry::Entity;
use crate::stage::set;

/// [`Update::record`]: the same for every version and entity whose records have this legacy key.
pub(crate) fn record_name(registry: &RegistryId, key: &[Legacy]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(registry.as_str().as_bytes());
    context.update(b"\0");
    context.update(&serde_json::to_vec(key).expect("legacy values are JSON"));
    hexadecimal(context.finish().as_ref())
}

/// What the seal of a record's version belongs to.
pub(crate) fn version_context(record: &str) -> String {
    format!("version {record}")
}

/// [`Update::digest`]: the same for whatever means the same.
pub(crate) fn digest(target: &Target, change: &Change, submission: &Submission) -> String {
    let mut context = Context::new(&SHA256);
    context.update(target.to_string().as_bytes());
    context.update(b"\0");
    let mut text = Vec::new();
    canonical(&serde_json::to_value(change).expect("a change is JSON"), &mut text);
    context.update(&text);
    context.update(b"\0");
    match &submission.if_match {
        None => {}
        Some(IfMatch::Any) => context.update(b"*"),
        // The version counts, and not how much of the record the caller had read.
        Some(IfMatch::Tag(tag)) => context.update(tag.split_once('-').map_or(tag.as_str(), |(_, sealed)| sealed).as_bytes()),
    }
    context.update(b"\0");
    if let Some(until) = submission.apply_until {
        context.update(until.to_string().as_bytes());
    }
    hexadecimal(context.finish().as_ref())
}

/// JSON with the members of every object in the order of their names.
fn canonical(value: &Value, text: &mut Vec<u8>) {
    let scalar = |value: &Value, text: &mut Vec<u8>| text.extend(value.to_string().into_bytes());
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push(b'{');
            for name in names {
                scalar(&Value::from(name.as_str()), text);
                text.push(b':');
                canonical(&members[name], text);
                text.push(b',');
            }
            text.push(b'}');
        }
        Value::Array(items) => {
            text.push(b'[');
            for item in items {
                canonical(item, text);
                text.push(b',');
            }
            text.push(b']');
        }
        other => scalar(other, text),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The event of an applied change.
pub(crate) fn event(entity: &Entity, update: &Update, change: &Change, id: EventId, at: Timestamp) -> Event {
    let (happened, changed, record) = match change {
        Change::Create { record } => (Happened::Created, patched_fields(record), record.clone()),
        Change::Replace { record, .. } => (Happened::Replaced, patched_fields(record), record.clone()),
        Change::Update { patch, .. } => {
            let mut record = Map::new();
            merge_patch(&mut record, patch);
            (Happened::Updated, patched_fields(patch), record)
        }
        Change::Delete { .. } => (Happened::Deleted, Vec::new(), Map::new()),
        Change::Act { action, .. } => (Happened::Acted(action.clone()), Vec::new(), Map::new()),
    };
    Event {
        id,
        target: update.target.clone(),
        happened,
        at,
        key: key_of(entity, change),
        changed,
        record,
        update: Some(update.id),
        traceparent: update.traceparent.clone(),
    }
}

/// The key fields of a change's record, nested as in the record.
fn key_of(entity: &Entity, change: &Change) -> Map<String, Value> {
    key_record(&entity.key_fields, &key_values(entity, change))
}

/// The key's values of a change's record.
pub(crate) fn key_values(entity: &Entity, change: &Change) -> Vec<Value> {
    let values = match (change, change.key()) {
        (Change::Create { record }, _) => entity.mapping.record_key(record),
        (_, key) => key.map(|key| key.0.clone()),
    };
    values.unwrap_or_default()
}

/// The key fields with their values, nested as in the record.
pub(crate) fn key_record(fields: &[FieldName], values: &[Value]) -> Map<String, Value> {
    let mut key = Map::new();
    for (field, value) in fields.iter().zip(values) {
        set(&mut key, field, value.clone());
    }
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_the_same_has_the_same_text_and_what_differs_does_not() {
        let text = |value: Value| {
            let mut text = Vec::new();
            canonical(&value, &mut text);
            text
        };
        assert_eq!(
            text(json!({"a": 1, "b": {"c": [1, null], "d": "x"}})),
            text(json!({"b": {"d": "x", "c": [1, null]}, "a": 1}))
        );
        assert_ne!(text(json!({"a": [1, 2]})), text(json!({"a": [2, 1]})));
        assert_ne!(text(json!({"a": "1"})), text(json!({"a": 1})));
        assert_ne!(text(json!(["a", "b"])), text(json!(["a,b"])));
    }
}
