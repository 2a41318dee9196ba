//! What an OpenAPI document lets callers change, and what their changes are made of.

use std::collections::BTreeSet;

use rabita_sdk::Source;
use rabita_sdk::survey::{Offers, SurveyedColumn, ValueType};
use serde_json::{Map, Value, json};

use super::document::{Document, Operation};
use super::shape::{Shape, Side, members, unwrapped};
use super::{Item, plain};

/// An entity, as far as it was found.
pub(super) struct Found<'a> {
    pub(super) columns: &'a [SurveyedColumn],
    pub(super) key: &'a Source,
    pub(super) from: &'a mut Value,
    pub(super) offers: &'a mut Offers,
    pub(super) unsure: &'a mut Vec<String>,
}

/// Adds the changes to an entity.
pub(super) fn add(document: &Document, item: &Item<'_>, found: &mut Found<'_>) {
    let one = format!("{}/{{{}}}", item.collection(), found.key);
    for (word, path, method) in
        [("create", item.collection(), "post"), ("replace", item.path, "put"), ("update", item.path, "patch")]
    {
        let Some(operation) = document.operation(path, method) else { continue };
        let of = if word == "create" { path } else { &one };
        match body(document, &operation, word, found) {
            Ok((sources, body)) => {
                let mut at =
                    Map::from_iter([("path".to_owned(), json!(of)), ("method".to_owned(), json!(method.to_uppercase()))]);
                at.extend(body);
                found.from[word] = Value::Object(at);
                match word {
                    "create" => found.offers.create = sources,
                    "replace" => found.offers.replace = sources,
                    _ => found.offers.update = sources,
                }
            }
            Err(why) => found.unsure.push(format!("{} {path} was left out: {why}", method.to_uppercase())),
        }
    }
    if document.operation(item.path, "delete").is_some() {
        found.from["delete"] = json!({ "path": one, "method": "DELETE" });
        found.offers.delete = true;
    }
    add_version(document, item, found);
}

/// The sources that a change writes, and what the manifest says of its body.
fn body(
    document: &Document,
    operation: &Operation<'_>,
    word: &str,
    found: &mut Found<'_>,
) -> Result<(Vec<Source>, Map<String, Value>), String> {
    let (media_type, schema) = match operation.request() {
        Some((media_type, schema)) => (media_type, Some(schema)),
        None => (JSON.to_owned(), None),
    };
    let is_sent = match word {
        "update" => media_type == MERGE_PATCH || is_json(&media_type),
        _ => is_json(&media_type),
    };
    if !is_sent {
        return Err(format!("it takes {media_type}, which is not made here"));
    }
    let mut at = Map::new();
    if media_type != JSON {
        at.insert("media_type".to_owned(), json!(media_type));
    } else if word == "update" {
        found.unsure.push(
            "an update is sent as a merge patch, in which null takes a value away: the document does not say so".to_owned(),
        );
    }
    let Some(schema) = schema else {
        found.unsure.push(format!("the document does not say what a {word} takes: taken for what a read answers"));
        let writable = found.columns.iter().filter(|column| !matches!(column.value, ValueType::Group(_)));
        return Ok((writable.map(|column| column.source.clone()).collect(), at));
    };
    let (wrapper, schema) = unwrapped(document, schema);
    let is_member = |column: &SurveyedColumn| column.source.as_str().starts_with(&format!("{wrapper}."));
    let mut prefix = String::new();
    if !wrapper.is_empty() && found.columns.iter().any(is_member) {
        // The only member that it takes is one of the record's own, and no envelope.
        prefix = format!("{wrapper}.");
    } else if !wrapper.is_empty() {
        at.insert("body".to_owned(), json!(wrapper));
    }
    let shape = Shape::of(document, &schema, Side::Request, &mut Vec::new());
    let taken: BTreeSet<String> = shape.columns.iter().map(|column| format!("{prefix}{}", column.source)).collect();
    let is_taken = |column: &&SurveyedColumn| taken.contains(column.source.as_str());
    if let (true, Some(lost)) = (word == "replace", found.columns.iter().filter(is_taken).find(|column| is_group(column))) {
        return Err(format!("it would take {} away, which cannot be written", lost.source));
    }
    // A record keeps its key.
    let is_kept = |column: &&SurveyedColumn| word == "update" && column.source == *found.key;
    let writable = found.columns.iter().filter(|column| !is_group(column) && !is_kept(column)).filter(is_taken);
    let sources: Vec<Source> = writable.map(|column| column.source.clone()).collect();
    if word == "create" && !sources.contains(found.key) {
        return Err(format!("it does not take {}: the registry gives a new record its key itself", found.key));
    }
    if sources.is_empty() {
        return Err("it takes nothing of what a read answers".to_owned());
    }
    let (properties, demanded) = members(document, &schema, 0);
    let is_read_only = |name: &String| properties.get(name).is_some_and(|property| Side::Request.lacks(document, property));
    let is_given = |name: &String| {
        let own = format!("{prefix}{name}");
        sources.iter().any(|source| *source.as_str() == own || source.as_str().starts_with(&format!("{own}.")))
    };
    let missing: Vec<&str> = demanded.iter().filter(|name| !is_given(name) && !is_read_only(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(format!("it demands {}, which a read does not answer", missing.join(", ")));
    }
    Ok((sources, at))
}

fn is_group(column: &SurveyedColumn) -> bool {
    matches!(column.value, ValueType::Group(_))
}

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Whether a body of this media type is the members themselves, as JSON.
fn is_json(media_type: &str) -> bool {
    media_type == JSON
        || media_type.ends_with("+json") && media_type != "application/json-patch+json" && media_type != MERGE_PATCH
}

/// The version that a read tells, where every change can be made to depend on it (RFC 9110, 13.1.1).
fn add_version(document: &Document, item: &Item<'_>, found: &mut Found<'_>) {
    let changes: Vec<Operation<'_>> =
        ["put", "patch", "delete"].iter().filter_map(|method| document.operation(item.path, method)).collect();
    let depends = |change: &Operation<'_>| change.header_parameters().iter().any(|name| name.eq_ignore_ascii_case("If-Match"));
    let tag = item.operation.answered_headers().into_iter().find(|name| name.eq_ignore_ascii_case("ETag"));
    if let (Some(tag), true) = (tag, !changes.is_empty() && changes.iter().all(depends)) {
        found.from["version"] = json!({ "header": tag, "if_match": true });
        found.offers.version = Some(Source::new(&tag));
    }
}

/// The header that carries the id of a change, where all changes of the API take one.
pub(super) fn idempotency_header(document: &Document) -> Option<String> {
    let header = |change: Operation<'_>| {
        let named = |name: &String| matches!(plain(name).as_str(), "idempotencykey" | "xidempotencykey");
        change.header_parameters().into_iter().find(named)
    };
    let mut changes = document.changes().map(header);
    let first = changes.next()??;
    changes.all(|other| other.as_ref() == Some(&first)).then_some(first)
}
