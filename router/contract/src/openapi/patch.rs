//! A record's schema as that of a merge patch (RFC 7396) of it.
//!
//! Nothing has to be there, at any depth of objects, and `null` is a value of everything, since it takes a value away.
//! A list is replaced as a whole, so what stands in one keeps its schema. Whatever binds several members of an object
//! says nothing about a part of it and is left out.

use serde_json::{Map, Value, json};

/// What is said of an object as a whole.
const BINDING: [&str; 10] =
    ["required", "minProperties", "dependentRequired", "dependentSchemas", "if", "then", "else", "not", "default", "examples"];
/// What a definition is called whose members are a patch's.
const SUFFIX: &str = ".patch";
const DEFINITIONS: &str = "#/$defs/";

/// The schema of patches of the records of `document`, which is self-contained.
pub(crate) fn of(document: &Value) -> Value {
    let mut patched = of_object(document);
    let Some(definitions) = document.get("$defs").and_then(Value::as_object) else { return patched };
    let loosened = definitions.iter().map(|(name, schema)| (format!("{name}{SUFFIX}"), of_object(schema)));
    let all: Map<String, Value> = definitions.clone().into_iter().chain(loosened).collect();
    let mut used = patched.clone();
    keep_used(&mut used, &all, &mut patched);
    patched
}

/// A schema of an object, or of anything else, as it is at a place where a patch may go into it.
fn of_object(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else { return schema.clone() };
    let mut patched = Map::new();
    for (keyword, value) in keywords.iter().filter(|(keyword, _)| !BINDING.contains(&keyword.as_str()) && *keyword != "$defs") {
        let value = match (keyword.as_str(), value) {
            ("properties", Value::Object(members)) => {
                members.iter().map(|(name, schema)| (name.clone(), or_null(of_object(schema)))).collect()
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter().map(of_object).collect(),
            ("$ref", Value::String(reference)) => loosened(reference).into(),
            _ => value.clone(),
        };
        patched.insert(keyword.clone(), value);
    }
    // Once nothing is required, alternatives overlap.
    if let Some(alternatives) = patched.shift_remove("oneOf") {
        patched.insert("anyOf".into(), alternatives);
    }
    Value::Object(patched)
}

/// Where a reference leads whose target is a patch's, too. One into the middle of something stays as it is.
fn loosened(reference: &str) -> String {
    match reference.strip_prefix(DEFINITIONS) {
        Some(name) if !name.contains('/') => format!("{reference}{SUFFIX}"),
        _ => reference.to_owned(),
    }
}

fn or_null(schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "null" => schema,
        Some(Value::String(kind)) if schema.get("enum").is_none() && schema.get("const").is_none() => {
            let kinds = json!([kind, "null"]);
            with_type(schema, kinds)
        }
        Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "null") => schema,
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

fn with_type(mut schema: Value, kinds: Value) -> Value {
    schema["type"] = kinds;
    schema
}

/// Gives the document the definitions that are referred to, directly or by another.
fn keep_used(seen: &mut Value, all: &Map<String, Value>, patched: &mut Value) {
    let mut kept = Map::new();
    loop {
        let mut names = Vec::new();
        collect(seen, &mut names);
        names.retain(|name| !kept.contains_key(name));
        if names.is_empty() {
            break;
        }
        let mut found = Vec::new();
        for name in names {
            let Some(schema) = all.get(&name) else { continue };
            found.push(schema.clone());
            kept.insert(name, schema.clone());
        }
        *seen = Value::Array(found);
    }
    if !kept.is_empty() {
        patched["$defs"] = Value::Object(kept);
    }
}

fn collect(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            if let Some(name) = keywords.get("$ref").and_then(|reference| reference.as_str()?.strip_prefix(DEFINITIONS)) {
                let token = name.split('/').next().unwrap_or_default();
                names.push(token.replace("~1", "/").replace("~0", "~"));
            }
            keywords.values().for_each(|value| collect(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_required_in_objects_and_everything_in_lists_as_before() {
        let address = json!({ "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } });
        let document = json!({
            "type": "object",
            "required": ["pin"],
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "pin": { "type": "string", "pattern": "^[0-9]$" },
                "sex": { "enum": ["m", "f"] },
                "home": { "$ref": "#/$defs/address~1v1" },
                "others": { "type": "array", "items": { "$ref": "#/$defs/address~1v1" } },
            },
            "$defs": { "address/v1": address, "unused": true },
        });
        let expected = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "pin": { "type": ["string", "null"], "pattern": "^[0-9]$" },
                "sex": { "anyOf": [{ "enum": ["m", "f"] }, { "type": "null" }] },
                "home": { "anyOf": [{ "$ref": "#/$defs/address~1v1.patch" }, { "type": "null" }] },
                "others": { "type": ["array", "null"], "items": { "$ref": "#/$defs/address~1v1" } },
            },
            "$defs": {
                "address/v1.patch": { "type": "object", "properties": { "city": { "type": ["string", "null"] } } },
                "address/v1": address,
            },
        });
        assert_eq!(of(&document), expected);
    }
}
