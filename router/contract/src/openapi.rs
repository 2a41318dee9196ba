//! `/bus/openapi.json`: OpenAPI 3.1 of exactly what one system may call.
//!
//! - An entity that takes identifiers in a body only has `POST .../query` and nothing else.
//! - The path of a composite key has one template for each of its fields: `/{district},{number}`.
//! - `GET` of the collection is described as a search. Where only reading is permitted it is described as reading
//!   several records by `key`, unless the key is composite (clients encode the comma): `POST .../query` has all forms.
//! - A record's schema is the entity's, cut down to the permitted fields; `fields=` narrows an answer further, which
//!   no schema can say. What the entity's document keeps in `$defs` becomes a component of its own.
//! - A change is described where it is permitted, with the fields that may be written. What it answers by itself is an
//!   update's document; an action may have an answer of its own.
//! - `operationId`s are unique: a name that would stand twice gets a number.
//! - Every operation lists the problems that it can meet, by status; each says which codes come with it.

mod bus;
mod changes;
mod components;
mod ledger;
pub(crate) mod names;
mod operations;
pub(crate) mod patch;
pub(crate) mod schema;
mod transparency;

use rabita_model::catalogue::Catalogue;
use serde_json::{Map, Value, json};

use names::Names;

/// The document. `version` is the bus's own.
#[must_use]
pub fn openapi(catalogue: &Catalogue, version: &str) -> Value {
    let mut document = Document { names: Names::default(), paths: Map::new(), schemas: components::schemas() };
    let mut tags = Map::new();
    for entry in &catalogue.entities {
        let title = entry.title.clone().unwrap_or_else(|| format!("The registry `{}`", entry.registry));
        tags.entry(entry.registry.as_str())
            .or_insert_with(|| json!({ "name": entry.registry, "description": format!("{title} (agency: {})", entry.agency) }));
        operations::describe(entry, &mut document);
    }
    let mut tags: Vec<Value> = tags.into_iter().map(|(_, tag)| tag).collect();
    // A registry may bear the name of this tag: a tag stands once.
    if !tags.iter().any(|tag| tag["name"] == components::BUS_TAG) {
        tags.push(json!({ "name": components::BUS_TAG, "description": "The bus itself: what this system may see and call" }));
    }
    bus::describe(catalogue, &mut document);
    ledger::describe(&mut document);
    transparency::describe(&catalogue.transparency, &mut document);
    let mut whole = json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Rabita for {}", catalogue.system),
            "version": version,
            "description": "What this system may see and call, and no more.",
        },
        "servers": [{ "url": "/", "description": "This bus" }],
        "security": [{ "certificate": [] }, { "accessToken": [] }],
        "tags": tags,
        "paths": document.paths,
        "components": {
            "schemas": document.schemas,
            "parameters": components::parameters(),
            "headers": components::headers(),
            "responses": components::responses(),
            "securitySchemes": {
                "certificate": { "type": "mutualTLS", "description": "The certificate by which the bus knows the system" },
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT (RFC 9068)",
                    "description": "An access token of an issuer that the bus trusts, where the system is known by one",
                },
            },
        },
    });
    components::prune(&mut whole);
    whole
}

/// The document on its way.
struct Document {
    names: Names,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Document {
    fn put(&mut self, path: String, method: &str, operation: Value) {
        let item = self.paths.entry(path).or_insert_with(|| Value::Object(Map::new()));
        item[method] = operation;
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
