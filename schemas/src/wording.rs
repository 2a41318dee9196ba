//! What is wrong, in a sentence. Only what the schema says goes into it, never the instance's value: the validator's
//! own messages hold values, and are not used.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::explain::Leaf;

/// The most allowed values that a sentence lists.
const LISTED_MAX: usize = 12;

/// What is wrong and what would be right, as the end of a sentence that begins with the place.
pub(crate) fn sentence(leaf: &Leaf<'_>) -> String {
    match leaf.error.kind() {
        Kind::Enum { .. } | Kind::Constant { .. } => must_be_one_of(&allowed_values(leaf)),
        Kind::Type { .. } => format!("must be {}", or(&types(leaf))),
        Kind::Required { .. } => {
            let names = missing(leaf);
            if names.len() == 1 { "is required".to_owned() } else { format!("is required, or {}", or(&quoted(&names[1..]))) }
        }
        kind => of_kind(kind),
    }
}

/// The values that are allowed at a place.
pub(crate) fn allowed_values(leaf: &Leaf<'_>) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for kind in leaf.kinds() {
        let more = match kind {
            Kind::Enum { options } => options.as_array().cloned().unwrap_or_default(),
            Kind::Constant { expected_value } => vec![Value::clone(expected_value)],
            _ => Vec::new(),
        };
        more.into_iter().for_each(|value| add(&mut values, value));
    }
    values
}

/// The members of which one is missing.
pub(crate) fn missing(leaf: &Leaf<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for kind in leaf.kinds() {
        if let Kind::Required { property } = kind {
            add(&mut names, property.as_str().unwrap_or_default().to_owned());
        }
    }
    names
}

/// Names in back quotes.
pub(crate) fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

/// `a, b or c`.
pub(crate) fn or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn types(leaf: &Leaf<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for kind in leaf.kinds() {
        let Kind::Type { kind } = kind else { continue };
        match kind {
            TypeKind::Single(one) => add(&mut names, with_article(one.as_str())),
            TypeKind::Multiple(several) => several.iter().for_each(|one| add(&mut names, with_article(one.as_str()))),
        }
    }
    names
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

fn with_article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "array" | "integer" | "object" => format!("an {name}"),
        other => format!("a {other}"),
    }
}

fn must_be_one_of(values: &[Value]) -> String {
    if values.len() > LISTED_MAX {
        return format!("must be one of the {} values that the schema lists", values.len());
    }
    format!("must be {}", or(&values.iter().map(Value::to_string).collect::<Vec<_>>()))
}

/// The sentence for one error by itself.
pub(crate) fn of_kind(kind: &Kind) -> String {
    match kind {
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => "is not known here".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::AdditionalItems { limit } => format!("must have at most {} items", limit),
        Kind::UnevaluatedItems { .. } => "has items that are not known here".to_owned(),
        Kind::AnyOf { .. } => "has none of the forms that the schema allows".to_owned(),
        Kind::OneOfNotValid { .. } => "has none of the forms that the schema allows".to_owned(),
        Kind::OneOfMultipleValid { .. } => "has several of the forms of which it must have one".to_owned(),
        Kind::Not { .. } => "has a form that the schema excludes".to_owned(),
        Kind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "can't be compared with the schema's pattern".to_owned()
        }
        Kind::Format { format } => format!("must be {}", described(format)),
        Kind::MinLength { limit } => format!("must have at least {}", counted(*limit, "character")),
        Kind::MaxLength { limit } => format!("must have at most {}", counted(*limit, "character")),
        Kind::MinItems { limit } => format!("must have at least {}", counted(*limit, "item")),
        Kind::MaxItems { limit } => format!("must have at most {}", counted(*limit, "item")),
        Kind::MinProperties { limit } => format!("must have at least {}", counted(*limit, "member")),
        Kind::MaxProperties { limit } => format!("must have at most {}", counted(*limit, "member")),
        Kind::Minimum { limit } => format!("must be {limit} or more"),
        Kind::Maximum { limit } => format!("must be {limit} or less"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::UniqueItems => "must not hold the same item twice".to_owned(),
        Kind::Contains => "holds no item, or too few or too many, of the kind that the schema asks for".to_owned(),
        Kind::PropertyNames { error } => format!("has a name that {}", of_kind(error.kind())),
        Kind::ContentEncoding { content_encoding } => format!("must be encoded as {content_encoding}"),
        Kind::FromUtf8 { .. } => "must be UTF-8 once it is decoded".to_owned(),
        Kind::ContentMediaType { content_media_type } => format!("must hold {content_media_type}"),
        Kind::Enum { .. } | Kind::Constant { .. } => "must be a value that the schema lists".to_owned(),
        Kind::Required { .. } => "is required".to_owned(),
        Kind::Type { .. } => "has another type than the schema's".to_owned(),
        Kind::Custom { .. } | Kind::Referencing(_) => "does not satisfy the schema".to_owned(),
    }
}

fn counted(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// What a format asks for.
fn described(format: &str) -> String {
    match format {
        "date" => "a date that exists, as YYYY-MM-DD",
        "date-time" => "a time with its offset, as 2026-01-31T09:30:00Z (RFC 3339)",
        "time" => "a time of day with its offset, as 09:30:00Z (RFC 3339)",
        "partial-date" => "a date that exists, as YYYY, YYYY-MM or YYYY-MM-DD",
        "duration" => "a duration, as P1DT2H (ISO 8601)",
        "email" => "an e-mail address",
        "uri" => "a URI (RFC 3986)",
        "uuid" => "a UUID (RFC 9562)",
        other => return format!("of the format `{other}`"),
    }
    .to_owned()
}
