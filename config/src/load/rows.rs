//! Row conditions: they compile, the fields and the attributes that they look at are there, and a try goes through.

use std::collections::HashMap;

use rabita_model::{FieldName, Target};
use rabita_schemas::RecordSchema;
use rabita_schemas::field::JsonType;
use rabita_sdk::Finding;
use rabita_sdk::condition::Condition;
use rabita_sdk::manifest::Field;
use serde_json::{Map, Value, json};

use super::Loader;
use super::grants::Spoken;
use super::registry::LoadedRegistry;
use crate::document::Document;
use crate::grant::Grant;

/// The conditions by their text: many grants have the same.
pub(super) type Conditions = HashMap<String, Result<Condition, Finding>>;

impl Loader<'_> {
    pub(super) fn check_rows(
        &mut self,
        grant: &Grant,
        place: &str,
        registry: &LoadedRegistry,
        (spoken, conditions): (Spoken<'_>, &mut Conditions),
        document: &Document,
    ) {
        let Some(text) = &grant.rows else { return };
        let place = format!("{place}/rows");
        let condition = conditions.entry(text.clone()).or_insert_with(|| Condition::compile(text));
        let condition = match condition {
            Ok(condition) => condition.clone(),
            Err(finding) => return self.find(document, finding.clone().under(&place)),
        };
        let Some(entity) = registry.manifest.contract.get(&grant.version).and_then(|entities| entities.get(&grant.entity)) else {
            return;
        };
        let target =
            Target { registry: registry.manifest.registry.clone(), version: grant.version, entity: grant.entity.clone() };
        let schema = registry.is.as_ref().and_then(|is| {
            let at = is.plan.entities.iter().position(|planned| planned.target == target)?;
            Some(&*is.schemas.get(at)?.1)
        });
        let known = |field: &FieldName| entity.fields.keys().any(|own| own.covers(field) || field.covers(own));
        let shaped = |field: &FieldName| schema.is_none_or(|schema| schema.field(field).is_some());
        let mut is_good = true;
        for field in condition.fields() {
            let binary = entity
                .fields
                .iter()
                .any(|(own, rule)| own == field && matches!(rule, Field::Rule(rule) if rule.binary.is_some()));
            if binary {
                let message = format!("`{field}` is binary: no condition can look at it");
                self.find(document, Finding::new(&place, message));
            } else if !known(field) || !shaped(field) {
                let leaves = schema.map(RecordSchema::leaves).unwrap_or_default();
                let known = entity.fields.keys().chain(&leaves).map(FieldName::as_str);
                self.find(document, Finding::unknown(&place, "field", field.as_str(), known));
            } else {
                continue;
            }
            is_good = false;
        }
        let sample = schema.and_then(|schema| sample(condition.fields(), schema));
        for system in spoken.granted(grant) {
            let attributes = &system.is.attributes;
            for attribute in condition.attributes().iter().filter(|attribute| !attributes.contains_key(*attribute)) {
                let what = format!("attribute of `{}`", system.is.system);
                let known = attributes.keys().map(String::as_str);
                self.find(document, Finding::unknown(&place, &what, attribute, known));
                is_good = false;
            }
            if let Some(sample) = sample.as_ref().filter(|_| is_good)
                && let Err(message) = condition.rehearse(sample, attributes, self.today)
            {
                self.find(document, Finding::new(&place, message));
                return;
            }
        }
    }
}

/// A record with a value of the right kind in each of the fields; `None` where a field has none that is simple.
fn sample(fields: &[FieldName], schema: &RecordSchema) -> Option<Value> {
    let mut record = Map::new();
    for field in fields {
        let shape = schema.field(field)?;
        let listed = shape.keyword("enum").and_then(Value::as_array).and_then(|values| values.first()).cloned();
        let value =
            listed.or_else(
                || match shape.types.iter().copied().filter(|one| *one != JsonType::Null).collect::<Vec<_>>()[..] {
                    [JsonType::Boolean] => Some(json!(true)),
                    [JsonType::Integer] => Some(json!(1)),
                    [JsonType::Number] | [JsonType::Integer, JsonType::Number] => Some(json!(1.5)),
                    [JsonType::String] => Some(json!("2000-01-01")),
                    _ => None,
                },
            )?;
        let mut members = field.members().collect::<Vec<_>>();
        let last = members.pop()?;
        let mut place = &mut record;
        for member in members {
            place = place.entry(member).or_insert_with(|| json!({})).as_object_mut()?;
        }
        place.insert(last.to_owned(), value);
    }
    Some(Value::Object(record))
}
