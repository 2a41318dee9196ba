//! A schema of OpenAPI as columns.

use rabita_sdk::survey::{ClosedList, ListedCode, SurveyedColumn, ValueType};
use serde_json::{Map, Value};

use super::document::Document;

/// Objects within objects, at most.
const DEPTH: usize = 6;

/// Who sends an object: what is only read is not in a request, and what is only written is not in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Answer,
}

impl Side {
    /// Whether a member has no part in what this side sends: said of it, or of what it refers to.
    pub(super) fn lacks(self, document: &Document, property: &Value) -> bool {
        let word = if self == Self::Request { "readOnly" } else { "writeOnly" };
        property[word] == true || document.followed(property)[word] == true
    }
}

/// The members of an object.
pub(super) struct Shape {
    pub(super) columns: Vec<SurveyedColumn>,
    /// Whether it has links of its own (HAL).
    pub(super) has_links: bool,
    side: Side,
}

impl Shape {
    pub(super) fn of(document: &Document, schema: &Value, side: Side, unsure: &mut Vec<String>) -> Self {
        let mut shape = Self { columns: Vec::new(), has_links: false, side };
        shape.add(document, schema, "", true, 0, unsure);
        shape
    }

    fn add(
        &mut self,
        document: &Document,
        schema: &Value,
        before: &str,
        is_required: bool,
        depth: usize,
        unsure: &mut Vec<String>,
    ) {
        let (properties, required) = members(document, schema, 0);
        for (name, property) in &properties {
            let source = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
            if name.starts_with('_') {
                self.has_links |= name == "_links";
                continue;
            }
            if name.contains('.') {
                unsure.push(format!("{source} has a dot in its name, and was left out"));
                continue;
            }
            if self.side.lacks(document, property) {
                continue;
            }
            let property = document.followed(property);
            let is_required = is_required && required.contains(name);
            let (inner, _) = members(document, property, 0);
            if !inner.is_empty() {
                if depth < DEPTH {
                    self.add(document, property, &source, is_required && !is_nullable(property), depth + 1, unsure);
                }
                continue;
            }
            if let Some(column) = column(document, &source, property, self.side, depth, unsure) {
                self.columns.push(SurveyedColumn { nullable: !is_required || is_nullable(property), ..column });
            }
        }
    }
}

/// The members of an object with those of `allOf`, and which are required. Of alternatives the first is taken.
pub(super) fn members(document: &Document, schema: &Value, hops: usize) -> (Map<String, Value>, Vec<String>) {
    let schema = document.followed(schema);
    let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut required: Vec<String> =
        schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    if hops < DEPTH {
        let all = schema["allOf"].as_array().into_iter().flatten();
        let first =
            ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()?.iter().find(|one| one["type"] != "null"));
        for part in all.chain(first) {
            let (more, names) = members(document, part, hops + 1);
            properties.extend(more);
            required.extend(names);
        }
    }
    (properties, required)
}

fn column(
    document: &Document,
    source: &str,
    property: &Value,
    side: Side,
    depth: usize,
    unsure: &mut Vec<String>,
) -> Option<SurveyedColumn> {
    let value = if type_of(property) == "array" {
        let items = document.followed(&property["items"]);
        let (inner, _) = members(document, items, 0);
        if inner.is_empty() {
            ValueType::List(Box::new(scalar(items)))
        } else if depth > 0 {
            unsure.push(format!("{source} repeats within another member, and was left out"));
            return None;
        } else {
            let mut item = Shape { columns: Vec::new(), has_links: false, side };
            item.add(document, items, "", true, 1, unsure);
            ValueType::Group(item.columns.into_iter().filter(|column| !matches!(column.value, ValueType::Group(_))).collect())
        }
    } else {
        scalar(property)
    };
    let mut column = SurveyedColumn::new(source, value, type_of(property));
    column.comment = property["description"].as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let listed = if column_is_list(&column) { document.followed(&property["items"]) } else { property };
    column.closed = closed(listed);
    column.pattern =
        listed["pattern"].as_str().filter(|pattern| pattern.starts_with('^') && pattern.ends_with('$')).map(str::to_owned);
    Some(column)
}

fn column_is_list(column: &SurveyedColumn) -> bool {
    matches!(column.value, ValueType::List(_))
}

fn closed(schema: &Value) -> Option<ClosedList> {
    let codes: Vec<ListedCode> = schema["enum"]
        .as_array()?
        .iter()
        .filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .map(|code| ListedCode { code, meaning: None })
        .collect();
    (!codes.is_empty()).then_some(ClosedList { name: None, codes })
}

/// The type; of several (3.1) the one that is not null.
fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(word) => word,
        Value::Array(words) => words.iter().filter_map(Value::as_str).find(|word| *word != "null").unwrap_or_default(),
        _ => "",
    }
}

fn is_nullable(schema: &Value) -> bool {
    let is_null =
        |value: &Value| value.as_array().is_some_and(|words| words.iter().any(|word| word == "null" || word["type"] == "null"));
    schema["nullable"] == true
        || schema["x-nullable"] == true
        || is_null(&schema["type"])
        || is_null(&schema["oneOf"])
        || is_null(&schema["anyOf"])
}

fn scalar(schema: &Value) -> ValueType {
    let max = schema["maxLength"].as_u64().and_then(|most| u32::try_from(most).ok());
    match (type_of(schema), schema["format"].as_str().unwrap_or_default()) {
        ("boolean", _) => ValueType::Boolean,
        ("integer", _) => ValueType::Integer { digits: None },
        ("number", _) => ValueType::Float,
        ("string", "date") => ValueType::Date,
        ("string", "date-time") => ValueType::Timestamp { zoned: true },
        ("string", "uuid") => ValueType::Uuid,
        ("string", "binary") => ValueType::Bytes,
        ("string", _) => ValueType::Text { max, fixed: false },
        ("", _) if schema["enum"].as_array().is_some_and(|all| all.iter().all(Value::is_string)) => {
            ValueType::Text { max, fixed: false }
        }
        _ => ValueType::Unknown,
    }
}

/// A record in an envelope: the only member that is an object, beside nothing but `meta`, `links` and the like.
pub(super) fn unwrapped(document: &Document, schema: Value) -> (String, Value) {
    let (properties, _) = members(document, &schema, 0);
    let own: Vec<(&String, &Value)> = properties.iter().filter(|(name, _)| !ENVELOPE.contains(&name.as_str())).collect();
    if let [(name, inner)] = own.as_slice()
        && !members(document, inner, 0).0.is_empty()
    {
        return ((*name).clone(), document.followed(inner).clone());
    }
    (String::new(), document.followed(&schema).clone())
}

/// What stands beside a record in its envelope.
const ENVELOPE: [&str; 7] = ["meta", "links", "_links", "errors", "error", "status", "message"];
