//! A catalogue with everything that an OpenAPI document can be made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use rabita_model::catalogue::{ActionEntry, Catalogue, Cut, Effect, Entry, Transparency};
use rabita_model::{ActionName, AgencyId, Comparison, EntityName, FieldName, Operation, Purpose, RegistryId, SystemId, Version};
use serde_json::{Value, json};

pub fn catalogue() -> Catalogue {
    Catalogue {
        system: SystemId::new("portal").expect("a system"),
        entities: vec![persons(), parcels(), companies(), patients()],
        transparency: Transparency {
            subjects: vec![Purpose::new("own-data").expect("a purpose")],
            agencies: vec![AgencyId::new("interior").expect("an agency")],
        },
    }
}

/// Read and searched, with a photo; changed in part and by actions, and followed.
fn persons() -> Entry {
    Entry {
        title: Some("The population register".into()),
        key: fields(&["pin"]),
        operations: vec![Operation::Read, Operation::Search, Operation::Update, Operation::Act, Operation::Subscribe],
        fields: fields(&["pin", "name.family", "name.given", "birth_date", "limit", "registered", "guardian", "addresses"]),
        binary: BTreeMap::from([(field("photo"), "image/jpeg".into())]),
        purposes: vec![Purpose::new("birth-registration").expect("a purpose"), Purpose::new("passport").expect("a purpose")],
        filters: BTreeMap::from([
            (field("name.family"), vec![Comparison::Equals, Comparison::Prefix]),
            (field("birth_date"), vec![Comparison::Equals, Comparison::From, Comparison::To]),
            (field("limit"), vec![Comparison::Equals]),
        ]),
        writes: BTreeMap::from([(Operation::Update, cut(&["name.family", "addresses"], person_in_part()))]),
        events: Some(cut(&["name.family", "addresses"], person_in_part())),
        actions: vec![action("restore", None, json!({ "type": "object" }), None), revoke()],
        effect: Some(Effect::Confirmed),
        page_max: Some(100),
        ..entry("population", "persons", person())
    }
}

/// A composite key, read only.
fn parcels() -> Entry {
    let document = json!({
        "title": "Parcel",
        "type": "object",
        "required": ["district", "number"],
        "properties": { "district": { "type": "string" }, "number": { "type": "integer" }, "area_m2": { "type": "number" } },
    });
    Entry {
        key: fields(&["district", "number"]),
        fields: fields(&["district", "number", "area_m2"]),
        ..entry("land", "parcels", document)
    }
}

/// One key, read; made, replaced and ended.
fn companies() -> Entry {
    let document = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } });
    let create = (Operation::Create, cut(&["id"], document.clone()));
    let replace = (Operation::Replace, cut(&["id"], document.clone()));
    Entry {
        operations: vec![Operation::Read, Operation::Create, Operation::Replace, Operation::Delete],
        writes: BTreeMap::from([create, replace]),
        effect: Some(Effect::ExactlyOnce),
        ..entry("business", "companies", document)
    }
}

/// Identifiers in the body only; made, changed in part and ended, and never read.
fn patients() -> Entry {
    let document = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
    let create = (Operation::Create, cut(&["id"], document.clone()));
    let update = (Operation::Update, cut(&["id"], document.clone()));
    Entry {
        operations: vec![Operation::Create, Operation::Update, Operation::Delete],
        writes: BTreeMap::from([create, update]),
        effect: Some(Effect::AtLeastOnce),
        identifiers_in_url: false,
        ..entry("health", "patients", document)
    }
}

fn revoke() -> ActionEntry {
    let request = json!({ "type": "object", "required": ["reason"], "properties": { "reason": { "type": "string" } } });
    let reply = json!({ "type": "object", "properties": { "receipt": { "type": "string" } } });
    action("revoke", Some("Revokes the registration"), request, Some(reply))
}

fn action(name: &str, title: Option<&str>, request: Value, reply: Option<Value>) -> ActionEntry {
    ActionEntry {
        name: ActionName::new(name).expect("an action"),
        title: title.map(str::to_owned),
        request: Arc::new(request),
        reply: reply.map(Arc::new),
    }
}

fn cut(names: &[&str], document: Value) -> Cut {
    Cut { fields: fields(names), document: Arc::new(document) }
}

/// The fields of a person that may be written, and followed.
fn person_in_part() -> Value {
    let city = json!({ "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "$ref": "#/$defs/name" },
            "addresses": { "type": "array", "items": { "$ref": "#/$defs/address" } },
        },
        "$defs": {
            "name": { "type": "object", "required": ["family"], "properties": { "family": { "type": "string" } } },
            "address": city,
        },
    })
}

fn person() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://schemas.example/person/v1",
        "title": "Person",
        "type": "object",
        "additionalProperties": false,
        "required": ["pin", "name"],
        "properties": {
            "pin": { "type": "string", "pattern": "^[0-9A-HJ-NP-Z]{7}$", "examples": ["5ZJBKH7"] },
            "name": { "$ref": "#/$defs/civil~1name~1v1" },
            "birth_date": { "$ref": "#/$defs/partial_date" },
            "limit": { "type": "integer" },
            "registered": { "$ref": "#/properties/birth_date" },
            "guardian": { "$ref": "#" },
            "addresses": { "type": "array", "items": { "$ref": "#/$defs/address" } },
        },
        "$defs": {
            "civil/name/v1": {
                "type": "object",
                "properties": { "family": { "type": "string" }, "given": { "type": ["string", "null"] } },
            },
            "partial_date": { "type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$", "examples": ["1978-03"] },
            "address": {
                "type": "object",
                "properties": { "city": { "type": "string" }, "since": { "$ref": "#/$defs/partial_date" } },
            },
        },
        "examples": [{ "pin": "5ZJBKH7", "name": { "family": "Əliyeva", "given": "Günel" }, "birth_date": "1978-03" }],
    })
}

fn entry(registry: &str, entity: &str, document: Value) -> Entry {
    Entry {
        registry: RegistryId::new(registry).expect("a registry"),
        agency: AgencyId::new("interior").expect("an agency"),
        title: None,
        version: Version::new("v1").expect("a version"),
        entity: EntityName::new(entity).expect("an entity"),
        schema: format!("{}/v1", entity.trim_end_matches('s')),
        key: fields(&["id"]),
        operations: vec![Operation::Read],
        fields: fields(&["id"]),
        binary: BTreeMap::new(),
        purposes: Vec::new(),
        filters: BTreeMap::new(),
        writes: BTreeMap::new(),
        events: None,
        actions: Vec::new(),
        effect: None,
        page_max: None,
        keys_max: 50,
        identifiers_in_url: true,
        cache_ttl_ms: None,
        until: None,
        codes: BTreeMap::new(),
        document: Arc::new(document),
    }
}

fn field(name: &str) -> FieldName {
    FieldName::new(name).expect("a field")
}

fn fields(names: &[&str]) -> Vec<FieldName> {
    names.iter().map(|name| field(name)).collect()
}
