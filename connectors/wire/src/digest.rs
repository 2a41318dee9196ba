//! What two copies of a manifest must have alike, so that one side can ask in words that the other understands.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use rabita_sdk::{EntitySpec, FilterSpec, Source, Wanted};
use serde_json::{Value, json};

/// A digest of each part of an entity that is about the legacy side. No setting of the connector is among them: these
/// stay with whoever runs it. Order counts only where it means something.
#[must_use]
pub fn of(entity: &EntitySpec) -> BTreeMap<String, String> {
    let actions = entity.actions.iter().map(|action| {
        let values = sorted(action.values.iter().map(|(source, _)| source));
        json!([action.name.as_str(), action.from, values, action.reply.as_ref().map(wanted)])
    });
    let written = entity.written.iter().map(|(operation, source, _)| format!("{operation} {source}"));
    let parts = [
        ("from", entity.from.clone()),
        ("key", json!(entity.key)),
        ("fields", json!([wanted(&entity.wanted), sorted(&entity.binary)])),
        ("operations", json!(entity.operations)),
        ("search", sorted_values(entity.filters.iter().map(filter).collect())),
        ("written", sorted_values(written.map(Value::from).collect())),
        ("version", json!(entity.version)),
        ("actions", sorted_values(actions.collect())),
        ("changes", entity.changes.as_ref().map_or(Value::Null, |changes| json!([changes.from]))),
    ];
    parts.into_iter().map(|(part, value)| (part.to_owned(), short(&value))).collect()
}

/// The parts that differ; a part that only one side has does.
#[must_use]
pub fn differences(own: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let mut parts: Vec<&String> = own.keys().chain(other.keys()).collect();
    parts.sort();
    parts.dedup();
    parts.into_iter().filter(|part| own.get(*part) != other.get(*part)).cloned().collect()
}

fn wanted(wanted: &Wanted) -> Value {
    let groups = wanted.groups.iter().map(|group| json!([group.name, sorted(&group.sources)]));
    json!([sorted(&wanted.sources), sorted_values(groups.collect())])
}

fn filter(filter: &FilterSpec) -> Value {
    let mut ignore = filter.ignore.clone();
    ignore.sort();
    json!([filter.source, filter.comparisons, ignore])
}

fn sorted<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<&'a Source> {
    let mut sources: Vec<&Source> = sources.into_iter().collect();
    sources.sort();
    sources.dedup();
    sources
}

fn sorted_values(values: Vec<Value>) -> Value {
    let mut values: Vec<(String, Value)> = values.into_iter().map(|value| (canonical(&value), value)).collect();
    values.sort_by(|one, other| one.0.cmp(&other.0));
    values.dedup_by(|one, other| one.0 == other.0);
    values.into_iter().map(|(_, value)| value).collect()
}

/// Enough of a SHA-256 to tell copies of a manifest apart: nothing rests on it but a diagnosis.
fn short(value: &Value) -> String {
    let whole = digest(&SHA256, canonical(value).as_bytes());
    whole.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON text that does not depend on the order of members.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members.into_iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rabita_battery::people;
    use serde_json::json;

    use super::*;

    fn entity(from: Value) -> EntitySpec {
        let mut spec = people::registry(json!({ "url": "postgres://secret@elsewhere" }), from);
        people::add_rename(&mut spec, json!({ "sql": "SELECT 1" }));
        spec.entities.remove(0)
    }

    #[test]
    fn copies_in_another_order_are_alike_and_each_difference_is_named() {
        let own = of(&entity(json!({ "table": "people", "bump": "increment" })));
        let mut other = entity(json!({ "bump": "increment", "table": "people" }));
        other.wanted.sources.reverse();
        other.filters.reverse();
        other.written.reverse();
        assert_eq!(differences(&own, &of(&other)), Vec::<String>::new());
        other.from = json!({ "table": "persons" });
        other.filters.pop();
        other.actions[0].from = json!({ "sql": "SELECT 2" });
        assert_eq!(differences(&own, &of(&other)), ["actions", "from", "search"]);
        assert_eq!(differences(&own, &BTreeMap::new()).len(), own.len(), "a part that is missing differs");
    }
}
