//! Finding one's way in a schema document: where subschemas stand, and what a local reference leads to.

use serde_json::{Map, Value};

/// Keywords that hold one subschema.
pub(crate) const ONE: &[&str] = &[
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that hold a list of subschemas.
pub(crate) const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold named subschemas.
pub(crate) const NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Keywords that bind several members of an object, or all of them, at once.
const OBJECT_KEYWORDS: &[&str] = &[
    "additionalProperties",
    "dependentRequired",
    "dependentSchemas",
    "maxProperties",
    "minProperties",
    "patternProperties",
    "properties",
    "propertyNames",
    "required",
    "unevaluatedProperties",
];

/// How deep references and applicators are followed before a document is taken to go in circles.
pub(crate) const DEPTH_MAX: usize = 64;

/// Calls `visit` for every subschema of `schema`, itself included, with its JSON Pointer.
pub(crate) fn walk<'a>(schema: &'a Value, pointer: &str, visit: &mut impl FnMut(&'a Map<String, Value>, &str)) {
    let Value::Object(members) = schema else { return };
    visit(members, pointer);
    for (keyword, value) in members {
        let here = || format!("{pointer}/{}", escape(keyword));
        if ONE.contains(&keyword.as_str()) {
            walk(value, &here(), visit);
        } else if let (true, Value::Array(list)) = (LIST.contains(&keyword.as_str()), value) {
            for (place, one) in list.iter().enumerate() {
                walk(one, &format!("{}/{place}", here()), visit);
            }
        } else if let (true, Value::Object(named)) = (NAMED.contains(&keyword.as_str()), value) {
            for (name, one) in named {
                walk(one, &format!("{}/{}", here(), escape(name)), visit);
            }
        }
    }
}

/// Puts `change` to every subschema of `schema`, itself included.
pub(crate) fn walk_mut(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    let Value::Object(members) = schema else { return };
    change(members);
    for (keyword, value) in members.iter_mut() {
        if ONE.contains(&keyword.as_str()) {
            walk_mut(value, change);
        } else if let (true, Value::Array(list)) = (LIST.contains(&keyword.as_str()), &mut *value) {
            list.iter_mut().for_each(|one| walk_mut(one, change));
        } else if let (true, Value::Object(named)) = (NAMED.contains(&keyword.as_str()), &mut *value) {
            named.values_mut().for_each(|one| walk_mut(one, change));
        }
    }
}

/// What a local reference (`#`, `#/$defs/...`) leads to.
pub(crate) fn target<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(&percent_decoded(reference.strip_prefix('#')?)?)
}

/// The `$ref` of a schema and what it leads to.
pub(crate) fn referred<'a>(document: &'a Value, schema: &'a Map<String, Value>) -> Option<&'a Value> {
    target(document, schema.get("$ref")?.as_str()?)
}

/// Whether a schema says something of an object's members, itself or in what applies to the same place.
pub(crate) fn binds_members(document: &Value, schema: &Value, depth: usize) -> bool {
    let Value::Object(members) = schema else { return false };
    if depth > DEPTH_MAX || OBJECT_KEYWORDS.iter().any(|keyword| members.contains_key(*keyword)) {
        return true;
    }
    let an_object = |value: &Value| value.is_object();
    if members.get("const").is_some_and(an_object)
        || members.get("enum").and_then(Value::as_array).is_some_and(|values| values.iter().any(an_object))
    {
        return true;
    }
    in_place(document, members).any(|one| binds_members(document, one, depth + 1))
}

/// The subschemas that apply to the same place as `schema`: `$ref`, `allOf`, `anyOf`, `oneOf`, `not`, `if` and so on.
pub(crate) fn in_place<'a>(document: &'a Value, schema: &'a Map<String, Value>) -> impl Iterator<Item = &'a Value> {
    let lists = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    let ones = ["not", "if", "then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
    referred(document, schema).into_iter().chain(lists).chain(ones)
}

/// The member names that a schema knows, itself or in what applies to the same place.
pub(crate) fn known_members(document: &Value, schema: &Value) -> Vec<String> {
    fn collect(document: &Value, schema: &Value, depth: usize, names: &mut Vec<String>) {
        let Value::Object(members) = schema else { return };
        if depth > DEPTH_MAX {
            return;
        }
        for name in members.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        for one in in_place(document, members) {
            collect(document, one, depth + 1, names);
        }
    }
    let mut names = Vec::new();
    collect(document, schema, 0, &mut names);
    names
}

/// The types that a `type` keyword allows, where there is one.
pub(crate) fn stated_types(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// A member name as it stands in a JSON Pointer (RFC 6901, section 3).
pub(crate) fn escape(name: &str) -> String {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1") } else { name.to_owned() }
}

/// A fragment without its percent encoding; `None` when it is none.
fn percent_decoded(fragment: &str) -> Option<String> {
    if !fragment.contains('%') {
        return Some(fragment.to_owned());
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn walks_subschemas_and_leaves_data_alone() {
        let schema = json!({
            "properties": { "a/b": { "items": { "type": "string" } }, "enum": { "enum": [{ "type": "string" }] } },
            "allOf": [{ "not": {} }],
            "default": { "properties": {} },
        });
        let mut seen = Vec::new();
        walk(&schema, "", &mut |_, pointer| seen.push(pointer.to_owned()));
        assert_eq!(seen, ["", "/properties/a~1b", "/properties/a~1b/items", "/properties/enum", "/allOf/0", "/allOf/0/not"]);
    }

    #[test]
    fn follows_a_local_reference_with_percent_encoding() {
        let document = json!({ "$defs": { "ə x": { "type": "string" } } });
        assert_eq!(target(&document, "#/$defs/%C9%99%20x"), Some(&json!({ "type": "string" })));
        assert_eq!(target(&document, "#"), Some(&document));
        assert_eq!(target(&document, "other#/$defs"), None);
        assert_eq!(target(&document, "#/%"), None);
    }
}
