//! Makes a document self-contained: what it takes from the library is put into its `$defs`, so that every reference
//! that is left leads into the document itself. Whatever else works on documents relies on that.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::document::{escape, target, walk, walk_mut};
use crate::{Library, SchemaProblem};

/// The scheme of a reference to the library: `rabita:civil/person/v1#/$defs/address`.
const SCHEME: &str = "rabita:";
/// The only dialect there is here.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Ways of naming and referring that this crate does not follow.
const REFUSED: &[&str] =
    &["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary", "definitions"];

/// The document with all that it refers to, or everything about its references that is wrong.
pub(crate) fn bundled(document: &Value, library: &Library) -> Result<Value, Vec<SchemaProblem>> {
    let mut problems = problems_of(document);
    let mut whole = document.clone();
    let mut wanted = library_names(document);
    let mut taken = BTreeSet::new();
    let mut parts = Map::new();
    while let Some(name) = wanted.pop_first() {
        if !taken.insert(name.clone()) {
            continue;
        }
        let Some(part) = library.get(&name) else {
            problems.push(SchemaProblem::at("", format!("refers to `{SCHEME}{name}`, which is not in the library")));
            continue;
        };
        wanted.extend(library_names(part));
        let mut part = Value::clone(part);
        relocate(&mut part, &format!("#/$defs/{}", slot(&name)));
        for keyword in ["$schema", "$id"] {
            if let Value::Object(members) = &mut part {
                members.shift_remove(keyword);
            }
        }
        parts.insert(slot(&name), part);
    }
    relocate(&mut whole, "#");
    if !parts.is_empty()
        && let Some(definitions) =
            whole.as_object_mut().map(|members| members.entry("$defs").or_insert_with(|| Value::Object(Map::new())))
        && let Value::Object(definitions) = definitions
    {
        definitions.extend(parts);
    }
    if problems.is_empty() {
        problems = dangling(&whole);
    }
    if problems.is_empty() { Ok(whole) } else { Err(problems) }
}

/// What in a document itself stands in the way, whatever the library holds.
fn problems_of(document: &Value) -> Vec<SchemaProblem> {
    let mut problems = Vec::new();
    if document.as_object().and_then(|members| members.get("$schema")).is_some_and(|dialect| dialect != DIALECT) {
        problems.push(SchemaProblem::at("/$schema", format!("the dialect is `{DIALECT}` and no other")));
    }
    walk(document, "", &mut |schema, pointer| {
        for keyword in REFUSED.iter().filter(|keyword| schema.contains_key(**keyword)) {
            problems.push(SchemaProblem::at(
                format!("{pointer}/{keyword}"),
                format!("`{keyword}` is not taken here: use `$defs` and `$ref`"),
            ));
        }
        if !pointer.is_empty() && schema.contains_key("$id") {
            problems.push(SchemaProblem::at(format!("{pointer}/$id"), "only the whole document has an `$id`"));
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && !reference.starts_with('#')
            && !reference.starts_with(SCHEME)
        {
            problems.push(SchemaProblem::at(
                format!("{pointer}/$ref"),
                format!("a reference leads into the document (`#/...`) or to the library (`{SCHEME}civil/person/v1`)"),
            ));
        }
    });
    problems
}

/// The names in the library that a document refers to.
fn library_names(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk(document, "", &mut |schema, _| {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(SCHEME));
        if let Some(reference) = reference {
            names.insert(reference.split_once('#').map_or(reference, |(name, _)| name).to_owned());
        }
    });
    names
}

/// Rewrites references for a document that is put at `place` within another.
pub(crate) fn relocate(document: &mut Value, place: &str) {
    walk_mut(document, &mut |schema| {
        let Some(Value::String(reference)) = schema.get_mut("$ref") else { return };
        if let Some(within) = reference.strip_prefix('#') {
            *reference = format!("{place}{within}");
        } else if let Some(rest) = reference.strip_prefix(SCHEME) {
            let (name, within) = rest.split_once('#').unwrap_or((rest, ""));
            *reference = format!("#/$defs/{}{within}", slot(name));
        }
    });
}

/// The name under which a library schema stands in `$defs`.
fn slot(name: &str) -> String {
    name.replace('/', ".")
}

/// References that lead nowhere.
fn dangling(document: &Value) -> Vec<SchemaProblem> {
    let mut problems = Vec::new();
    walk(document, "", &mut |schema, pointer| {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && reference.starts_with('#')
            && target(document, reference).is_none()
        {
            problems.push(SchemaProblem::at(format!("{pointer}/{}", escape("$ref")), format!("`{reference}` leads nowhere")));
        }
    });
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(document: &Value) -> Vec<String> {
        bundled(document, &Library::shipped()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn takes_what_it_refers_to_into_itself() {
        let whole = bundled(
            &json!({ "properties": { "home": { "$ref": "rabita:civil/person/v1#/$defs/address" } } }),
            &Library::shipped(),
        )
        .expect("the reference is in the library");
        assert_eq!(whole["properties"]["home"]["$ref"], "#/$defs/civil.person.v1/$defs/address");
        assert!(whole["$defs"]["civil.person.v1"].get("$id").is_none());
        let mut references = Vec::new();
        walk(&whole, "", &mut |schema, _| references.extend(schema.get("$ref").and_then(Value::as_str)));
        assert!(references.iter().all(|reference| target(&whole, reference).is_some()), "{references:?}");
    }

    #[test]
    fn refuses_every_other_way_of_referring() {
        for (document, expected) in [
            (json!({ "$ref": "https://schemas.example/person.json" }), "a reference leads into the document"),
            (json!({ "$ref": "file:///etc/passwd" }), "a reference leads into the document"),
            (json!({ "$ref": "person.json" }), "a reference leads into the document"),
            (json!({ "$ref": "rabita:civil/nobody/v1" }), "not in the library"),
            (json!({ "$ref": "rabita:civil/person/v1#/$defs/nothing" }), "leads nowhere"),
            (json!({ "$ref": "#/$defs/nothing" }), "leads nowhere"),
            (json!({ "$dynamicRef": "#a" }), "`$dynamicRef` is not taken"),
            (json!({ "items": { "$id": "urn:x" } }), "only the whole document"),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "the dialect is"),
        ] {
            let found = messages(&document);
            assert!(found.len() == 1 && found[0].contains(expected), "{document}: {found:?}");
        }
    }
}
