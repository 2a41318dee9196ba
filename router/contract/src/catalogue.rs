//! `/bus/catalogue` and `/bus/schemas`.
//!
//! A schema has two names. `{registry}/{version}/{entity}` is its address: the entity's schema, cut down to what the
//! caller may see. The schema's own name (`person/v1`) works too as long as all of the caller's entities of that
//! schema are cut alike; where they are not it names nothing, since there is no one document to show.

use rabita_model::Operation;
use rabita_model::catalogue::{Catalogue, Entry, Transparency};
use serde_json::{Map, Value, json};

/// The catalogue with links to follow.
#[must_use]
pub fn catalogue(catalogue: &Catalogue) -> Value {
    let entities: Vec<Value> = catalogue.entities.iter().map(linked).collect();
    let mut links = json!({ "openapi": "/bus/openapi.json", "asyncapi": "/bus/asyncapi.json", "schemas": "/bus/schemas" });
    if catalogue.entities.iter().any(changes) {
        links["updates"] = "/bus/updates".into();
    }
    if catalogue.entities.iter().any(|entry| entry.events.is_some()) {
        links["events"] = "/bus/events".into();
        links["subscriptions"] = "/bus/subscriptions".into();
    }
    links["statistics"] = "/bus/statistics".into();
    if !catalogue.transparency.subjects.is_empty() {
        links["accesses"] = "/bus/subjects/accesses".into();
    }
    let mut told = json!({ "system": catalogue.system, "entities": entities, "links": links });
    if catalogue.transparency != Transparency::default() {
        told["transparency"] = json!(catalogue.transparency);
    }
    told
}

/// The schemas there are, with their addresses.
#[must_use]
pub fn schemas(catalogue: &Catalogue) -> Value {
    let schemas: Vec<Value> = catalogue
        .entities
        .iter()
        .map(
            |entry| json!({ "name": address(entry), "schema": entry.schema, "href": format!("/bus/schemas/{}", address(entry)) }),
        )
        .collect();
    json!({ "schemas": schemas })
}

/// The schema of this name, as the caller may see it.
#[must_use]
pub fn schema<'a>(catalogue: &'a Catalogue, name: &str) -> Option<&'a Value> {
    if let Some(entry) = catalogue.entities.iter().find(|entry| address(entry) == name) {
        return Some(&entry.document);
    }
    let mut named = catalogue.entities.iter().filter(|entry| entry.schema == name);
    let first = named.next()?;
    named.all(|other| other.document == first.document).then_some(&first.document)
}

/// `population/v1/persons`.
pub(crate) fn address(entry: &Entry) -> String {
    format!("{}/{}/{}", entry.registry, entry.version, entry.entity)
}

/// Whether any of the entity's records may be changed.
pub(crate) fn changes(entry: &Entry) -> bool {
    entry.operations.iter().any(|operation| operation.is_change())
}

fn linked(entry: &Entry) -> Value {
    let address = address(entry);
    let mut links = Map::new();
    if entry.identifiers_in_url {
        links.insert("records".into(), format!("/api/{address}").into());
    }
    if entry.operations.iter().any(|operation| matches!(operation, Operation::Read | Operation::Search)) {
        links.insert("query".into(), format!("/api/{address}/query").into());
    }
    if changes(entry) {
        links.insert("change".into(), format!("/api/{address}/change").into());
    }
    links.insert("schema".into(), format!("/bus/schemas/{address}").into());
    let mut value = serde_json::to_value(entry).expect("an entry's names are text");
    value["links"] = Value::Object(links);
    value
}
