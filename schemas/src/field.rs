//! What a schema says of one field.

use std::collections::BTreeSet;
use std::fmt;

use rabita_model::FieldName;
use serde_json::{Map, Value};

use crate::document::{DEPTH_MAX, referred, stated_types};

/// A type of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JsonType {
    Null,
    Boolean,
    Integer,
    /// Any number, whole or not.
    Number,
    String,
    Array,
    Object,
}

impl JsonType {
    /// Every type that a value can have; a whole number has `Number` as well.
    pub const ALL: [Self; 7] = [Self::Null, Self::Boolean, Self::Integer, Self::Number, Self::String, Self::Array, Self::Object];

    /// The word in a schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a schema says of one field.
#[derive(Debug, Clone)]
pub struct FieldShape<'a> {
    /// The field's subschema; where that is a mere reference, what it leads to.
    pub schema: &'a Value,
    /// The types that the field can have; empty where the schema allows all.
    pub types: BTreeSet<JsonType>,
    /// Whether a whole record always has the field: it and all that it lies within are required.
    pub required: bool,
    document: &'a Value,
}

impl<'a> FieldShape<'a> {
    pub(crate) fn of(document: &'a Value, field: &FieldName) -> Option<Self> {
        let mut schema = document;
        let mut required = true;
        for member in field.members() {
            required &= requires(document, schema, member, 0);
            schema = member_of(document, schema, member, 0)?;
        }
        let types = types_of(document, schema, 0).unwrap_or_default();
        Some(Self { schema: resolved(document, schema), types, required, document })
    }

    /// The value of a keyword, wherever it stands: in the subschema, in what it refers to, in a branch of it.
    #[must_use]
    pub fn keyword(&self, keyword: &str) -> Option<&'a Value> {
        find_keyword(self.document, self.schema, keyword, 0)
    }

    /// Whether the field can have this type. A whole number is a number.
    #[must_use]
    pub fn allows(&self, one: JsonType) -> bool {
        self.types.is_empty() || self.types.contains(&one) || (one == JsonType::Integer && self.types.contains(&JsonType::Number))
    }
}

/// The subschema of a member.
pub(crate) fn member_of<'a>(document: &'a Value, schema: &'a Value, member: &str, depth: usize) -> Option<&'a Value> {
    let members = schema.as_object().filter(|_| depth < DEPTH_MAX)?;
    let own = members.get("properties").and_then(|named| named.get(member));
    own.or_else(|| applied(document, members).find_map(|one| member_of(document, one, member, depth + 1)))
}

fn requires(document: &Value, schema: &Value, member: &str, depth: usize) -> bool {
    let Some(members) = schema.as_object().filter(|_| depth < DEPTH_MAX) else { return false };
    let own = members.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|name| name == member));
    let all = members.get("allOf").and_then(Value::as_array).into_iter().flatten();
    own || referred(document, members).into_iter().chain(all).any(|one| requires(document, one, member, depth + 1))
}

fn find_keyword<'a>(document: &'a Value, schema: &'a Value, keyword: &str, depth: usize) -> Option<&'a Value> {
    let members = schema.as_object().filter(|_| depth < DEPTH_MAX)?;
    members.get(keyword).or_else(|| applied(document, members).find_map(|one| find_keyword(document, one, keyword, depth + 1)))
}

/// The types that a schema allows; `None` for all.
fn types_of(document: &Value, schema: &Value, depth: usize) -> Option<BTreeSet<JsonType>> {
    let members = schema.as_object().filter(|_| depth < DEPTH_MAX)?;
    let within = |one: &Value| types_of(document, one, depth + 1);
    let mut types: Option<BTreeSet<JsonType>> = None;
    let mut narrow = |more: Option<BTreeSet<JsonType>>| {
        if let Some(more) = more {
            types = Some(types.take().map_or_else(|| more.clone(), |known| common(&known, &more)));
        }
    };
    narrow(stated_types(members).map(|words| words.into_iter().filter_map(JsonType::parse).collect()));
    narrow(members.get("const").map(|value| BTreeSet::from([JsonType::of(value)])));
    narrow(members.get("enum").and_then(Value::as_array).map(|values| values.iter().map(JsonType::of).collect()));
    narrow(referred(document, members).and_then(within));
    for one in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        narrow(within(one));
    }
    for keyword in ["anyOf", "oneOf"] {
        let branches = members.get(keyword).and_then(Value::as_array);
        narrow(
            branches
                .and_then(|branches| branches.iter().map(within).collect::<Option<Vec<_>>>())
                .map(|sets| sets.into_iter().flatten().collect()),
        );
    }
    types
}

fn common(one: &BTreeSet<JsonType>, other: &BTreeSet<JsonType>) -> BTreeSet<JsonType> {
    let has = |set: &BTreeSet<JsonType>, word: JsonType| {
        set.contains(&word) || (word == JsonType::Integer && set.contains(&JsonType::Number))
    };
    one.union(other).copied().filter(|word| has(one, *word) && has(other, *word)).collect()
}

/// A schema that says nothing but where to look, followed.
fn resolved<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..DEPTH_MAX {
        let next = schema.as_object().filter(|members| members.len() == 1).and_then(|members| referred(document, members));
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// What applies to the same place and says what can stand there.
fn applied<'a>(document: &'a Value, schema: &'a Map<String, Value>) -> impl Iterator<Item = &'a Value> {
    let lists = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    referred(document, schema).into_iter().chain(lists)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Library, RecordSchema};

    #[test]
    fn finds_a_field_through_references_and_branches() {
        let library = Library::shipped();
        let company = RecordSchema::compile(library.get("business/company/v1").expect("shipped"), &library).expect("compiles");
        let field = |name: &str| company.field(&FieldName::new(name).expect("a field"));
        let pin = field("director.pin").expect("the schema has it");
        assert_eq!(pin.types, BTreeSet::from([JsonType::String]));
        assert_eq!(pin.keyword("pattern"), Some(&json!("^[0-9A-HJ-NP-Z]{7}$")));
        assert!(!pin.required, "the director is optional");
        assert!(field("tin").is_some_and(|tin| tin.required));
        assert!(field("activities").is_some_and(|list| list.types == BTreeSet::from([JsonType::Array])));
        assert!(field("activities.code").is_none() && field("nothing").is_none() && field("tin.x").is_none());
    }

    #[test]
    fn tells_the_types_that_are_left() {
        let document = json!({ "properties": {
            "a": { "type": ["integer", "null"] }, "b": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/x" }] }, "c": {},
            "d": { "type": "number", "enum": [1, 2] }, "e": { "const": true }, "f": { "allOf": [{ "type": ["string", "null"] }, { "type": "string" }] },
        }, "$defs": { "x": { "type": "object" } } });
        let types = |name: &str| {
            let field = FieldName::new(name).expect("a field");
            FieldShape::of(&document, &field)
                .expect("it is there")
                .types
                .iter()
                .map(|one| one.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (name, expected) in
            [("a", "null integer"), ("b", "null object"), ("c", ""), ("d", "integer"), ("e", "boolean"), ("f", "string")]
        {
            assert_eq!(types(name), expected, "{name}");
        }
    }
}
