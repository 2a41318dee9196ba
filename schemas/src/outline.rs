//! The fields of a schema by name: what a mapping can be held against.

use rabita_model::FieldName;
use serde_json::Value;

use crate::document::known_members;
use crate::field::{FieldShape, JsonType, member_of};

/// Deeper than any record that a person can read.
const LEVELS_MAX: usize = 8;

/// The fields of a self-contained document that are no objects with members of their own, outermost first. Lists are
/// fields as a whole.
pub(crate) fn leaves(document: &Value) -> Vec<FieldName> {
    let mut leaves = Vec::new();
    collect(document, document, "", 0, &mut leaves);
    leaves
}

/// Those of the leaves that every whole record has.
pub(crate) fn required(document: &Value) -> Vec<FieldName> {
    leaves(document).into_iter().filter(|name| FieldShape::of(document, name).is_some_and(|shape| shape.required)).collect()
}

fn collect(document: &Value, schema: &Value, prefix: &str, level: usize, leaves: &mut Vec<FieldName>) {
    for member in known_members(document, schema) {
        let Some(own) = member_of(document, schema, &member, 0) else { continue };
        let path = if prefix.is_empty() { member } else { format!("{prefix}.{member}") };
        let Ok(name) = FieldName::new(&path) else { continue };
        let is_group = FieldShape::of(document, &name).is_some_and(|shape| shape.types.contains(&JsonType::Object))
            && level < LEVELS_MAX
            && !known_members(document, own).is_empty();
        if is_group {
            collect(document, own, &path, level + 1, leaves);
        } else {
            leaves.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_leaves_through_objects_and_references_but_not_through_lists() {
        let document = json!({
            "type": "object",
            "required": ["pin", "name"],
            "properties": {
                "pin": { "type": "string" },
                "name": { "$ref": "#/$defs/name" },
                "phones": { "type": "array", "items": { "type": "object", "properties": { "n": {} } } }
            },
            "$defs": { "name": { "type": "object", "required": ["family"], "properties": { "family": {}, "given": {} } } }
        });
        let names = |fields: Vec<FieldName>| fields.iter().map(|f| f.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(leaves(&document)), "pin name.family name.given phones");
        assert_eq!(names(required(&document)), "pin name.family");
    }
}
