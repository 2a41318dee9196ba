//! An entity's JSON Schema as components of the document.
//!
//! The documents are self-contained: references begin with `#`, named parts stand in the root's `$defs`, and there is
//! no `$anchor` and no inner `$id`. A reference of another form can't be followed and becomes a schema that says so.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use rabita_model::FieldName;
use serde_json::{Map, Value, json};

use super::names::{Names, pascal};

/// How many references in a row are followed to find a field.
const HOPS_MAX: usize = 32;

/// Keywords whose value is one schema.
const ONE: [&str; 11] = [
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
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value has schemas under names.
const NAMED: [&str; 5] = ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// An entity's document with the names that its parts have among the components.
pub(crate) struct Entity<'a> {
    document: &'a Value,
    /// The name of the record's component.
    pub(crate) name: String,
    /// The names of the answers that hold several records.
    pub(crate) several: String,
    pub(crate) page: String,
    parts: BTreeMap<&'a str, String>,
}

impl<'a> Entity<'a> {
    /// Names the record and its parts.
    pub(crate) fn new(document: &'a Value, name: &str, names: &mut Names) -> Self {
        let name = names.unique(name);
        let several = names.unique(&format!("{name}Several"));
        let page = names.unique(&format!("{name}Page"));
        let definitions = document.get("$defs").and_then(Value::as_object);
        let parts = definitions
            .into_iter()
            .flat_map(Map::keys)
            .map(|part| (part.as_str(), names.unique(&format!("{name}{}", pascal(&[part])))))
            .collect();
        Self { document, name, several, page, parts }
    }

    /// Puts the record and its parts among the components.
    pub(crate) fn put(&self, schemas: &mut Map<String, Value>) {
        let mut record = self.rewritten(self.document);
        if let Value::Object(members) = &mut record {
            for keyword in ["$defs", "$id", "$schema"] {
                members.shift_remove(keyword);
            }
        }
        schemas.insert(self.name.clone(), record);
        for (part, name) in &self.parts {
            schemas.insert(name.clone(), self.rewritten(&self.document["$defs"][*part]));
        }
    }

    /// The schema of a field's values; of each value where the field is a list.
    pub(crate) fn field(&self, field: &FieldName) -> Value {
        let mut schema = self.document;
        for member in field.members() {
            match self.member(schema, member, HOPS_MAX) {
                Some(found) => schema = found,
                None => return json!({ "type": ["string", "number", "boolean"] }),
            }
        }
        let followed = self.followed(schema, HOPS_MAX).unwrap_or(schema);
        match followed.get("items") {
            Some(items) if followed["type"] == "array" => self.rewritten(items),
            _ => self.rewritten(schema),
        }
    }

    fn member(&self, schema: &'a Value, member: &str, hops: usize) -> Option<&'a Value> {
        let schema = self.followed(schema, hops)?;
        if let Some(found) = schema.get("properties").and_then(|properties| properties.get(member)) {
            return Some(found);
        }
        let hops = hops.checked_sub(1)?;
        let branches = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array());
        branches.flatten().find_map(|branch| self.member(branch, member, hops))
    }

    /// Where a schema that is no more than a reference leads.
    fn followed(&self, schema: &'a Value, hops: usize) -> Option<&'a Value> {
        let mut schema = schema;
        for _ in 0..hops {
            match schema.get("$ref").and_then(Value::as_str) {
                Some(reference) if schema.get("properties").is_none() => {
                    schema = self.document.pointer(&fragment(reference)?)?;
                }
                _ => return Some(schema),
            }
        }
        None
    }

    /// The schema with its references turned to where the components are.
    fn rewritten(&self, schema: &Value) -> Value {
        let Value::Object(members) = schema else { return schema.clone() };
        let mut result = Map::new();
        for (keyword, value) in members {
            let value = match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => match self.place(reference) {
                    Some(place) => Value::String(place),
                    None => return json!({ "description": "Anything: this part of the schema is not at hand." }),
                },
                (name, Value::Object(schemas)) if NAMED.contains(&name) => {
                    schemas.iter().map(|(name, schema)| (name.clone(), self.rewritten(schema))).collect()
                }
                (name, Value::Array(schemas)) if LIST.contains(&name) => {
                    schemas.iter().map(|schema| self.rewritten(schema)).collect()
                }
                (name, schema) if ONE.contains(&name) => self.rewritten(schema),
                _ => value.clone(),
            };
            result.insert(keyword.clone(), value);
        }
        Value::Object(result)
    }

    fn place(&self, reference: &str) -> Option<String> {
        let pointer = fragment(reference)?;
        let inner = |name: &str, rest: &str| format!("#/components/schemas/{name}{rest}");
        let Some(rest) = pointer.strip_prefix("/$defs/") else { return Some(inner(&self.name, &pointer)) };
        let (token, rest) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let name = self.parts.get(token.replace("~1", "/").replace("~0", "~").as_str())?;
        Some(inner(name, rest))
    }
}

/// The JSON Pointer of a reference into the same document.
fn fragment(reference: &str) -> Option<String> {
    let fragment = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    (fragment.is_empty() || fragment.starts_with('/')).then(|| fragment.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(document: &Value) -> (Entity<'_>, Map<String, Value>) {
        let entity = Entity::new(document, "Person", &mut Names::default());
        let mut schemas = Map::new();
        entity.put(&mut schemas);
        (entity, schemas)
    }

    #[test]
    fn parts_become_components_and_references_follow_them() {
        let document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {
                "name": { "$ref": "#/$defs/civil~1name~1v1" },
                "again": { "$ref": "#" },
                "same": { "$ref": "#/properties/name" },
                "family": { "$ref": "#/$defs/civil~1name~1v1/properties/family" },
            },
            "$defs": { "civil/name/v1": { "properties": { "family": { "type": "string" } } } },
        });
        let (entity, schemas) = entity(&document);
        assert_eq!(
            Value::Object(schemas),
            json!({
                "Person": { "properties": {
                    "name": { "$ref": "#/components/schemas/PersonCivilNameV1" },
                    "again": { "$ref": "#/components/schemas/Person" },
                    "same": { "$ref": "#/components/schemas/Person/properties/name" },
                    "family": { "$ref": "#/components/schemas/PersonCivilNameV1/properties/family" },
                } },
                "PersonCivilNameV1": { "properties": { "family": { "type": "string" } } },
            })
        );
        let family = FieldName::new("name.family").expect("a field");
        assert_eq!(entity.field(&family), json!({ "type": "string" }));
    }

    #[test]
    fn what_only_looks_like_a_reference_stays() {
        let document = json!({ "properties": { "$ref": { "const": { "$ref": "#/x" } } } });
        assert_eq!(entity(&document).1["Person"], document);
    }

    #[test]
    fn references_in_a_circle_end() {
        let document = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } });
        let (entity, _) = entity(&document);
        assert!(entity.field(&FieldName::new("name").expect("a field")).is_object());
    }
}
