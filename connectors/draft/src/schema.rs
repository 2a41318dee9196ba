//! The JSON Schema of a drafted entity.

use serde_json::{Map, Value, json};

use crate::entity::{DraftedEntity, DraftedField, Shape};

/// The document.
pub(crate) fn document(entity: &DraftedEntity<'_>) -> Value {
    let mut document = object(&entity.fields);
    let mut head = Map::from_iter([("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"))]);
    head.insert("title".to_owned(), json!(entity.surveyed.comment.as_deref().unwrap_or(&entity.surveyed.name)));
    head.append(&mut document);
    Value::Object(head)
}

/// The schema of an object with these fields, each at its place: `name.family` within `name`.
fn object(fields: &[DraftedField]) -> Map<String, Value> {
    let mut root = Node::default();
    for field in fields.iter().filter(|field| !matches!(field.shape, Shape::Binary(_))) {
        let mut node = &mut root;
        for member in field.name.split('.') {
            // What a required field lies within is there too, when the record is.
            if field.required && !node.required.iter().any(|own| own == member) {
                node.required.push(member.to_owned());
            }
            let at = node.members.iter().position(|(own, _)| own == member).unwrap_or_else(|| {
                node.members.push((member.to_owned(), Node::default()));
                node.members.len() - 1
            });
            node = &mut node.members[at].1;
        }
        node.schema = Some(schema_of(field));
    }
    root.object()
}

#[derive(Default)]
struct Node {
    members: Vec<(String, Node)>,
    required: Vec<String>,
    schema: Option<Map<String, Value>>,
}

impl Node {
    fn object(self) -> Map<String, Value> {
        let mut object =
            Map::from_iter([("type".to_owned(), json!("object")), ("additionalProperties".to_owned(), json!(false))]);
        if !self.required.is_empty() {
            object.insert("required".to_owned(), json!(self.required));
        }
        let members: Map<String, Value> = self
            .members
            .into_iter()
            .map(|(name, mut node)| {
                let schema = node.schema.take().unwrap_or_else(|| node.object());
                (name, Value::Object(schema))
            })
            .collect();
        object.insert("properties".to_owned(), Value::Object(members));
        object
    }
}

fn schema_of(field: &DraftedField) -> Map<String, Value> {
    let mut schema = Map::new();
    if let Some(comment) = &field.comment {
        schema.insert("description".to_owned(), json!(comment));
    }
    match &field.shape {
        Shape::One(proposal) => schema.extend(proposal.schema.clone()),
        Shape::Group(fields) => {
            schema.insert("type".to_owned(), json!("array"));
            schema.insert("items".to_owned(), Value::Object(object(fields)));
        }
        Shape::Binary(_) => {}
    }
    schema
}
