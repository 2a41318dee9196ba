//! Judges configuration, and tells a person who can see the file what is wrong with it. Unlike a record's faults these
//! may show values, since configuration holds no personal data; what looks like a secret is never shown.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use crate::document::{escape, known_members};
use crate::explain::{Leaf, explained, keyword};
use crate::wording::{allowed_values, missing, of_kind, or, quoted, sentence};
use crate::{Library, SchemaProblem, bundle, engine};

/// The longest value that is shown, in characters.
const SHOWN_MAX: usize = 60;
/// Members whose values are never shown, nor what lies within them: any whose name contains one of these.
const SECRET_NAMES: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential", "private", "api_key"];

/// A compiled schema of configuration.
#[derive(Debug)]
pub struct Checker {
    document: Value,
    validator: Validator,
}

/// Something wrong with configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailedFault {
    /// Where, as a JSON Pointer: the value at fault; the member itself where its name is not known; the object in
    /// which a member is missing.
    pub pointer: String,
    /// The schema's keyword that was broken; `additionalProperties` for every name that is not known, `forbidden`
    /// for a place where the schema allows nothing.
    pub keyword: &'static str,
    /// What is wrong, as a whole sentence without a full stop. Names the member, not the whole path.
    pub message: String,
    /// The name that is not known, where that is the fault.
    pub unknown: Option<String>,
    /// What would be right: the names that are known there, the members of which one is missing, or the allowed
    /// values as they stand in configuration.
    pub candidates: Vec<String>,
    /// Whether the member's name is at fault, not its value.
    pub at_name: bool,
}

impl Checker {
    /// Compiles a schema that stands by itself: JSON Schema 2020-12, with references into itself only.
    ///
    /// # Errors
    /// Everything that is wrong with the schema.
    pub fn compile(schema: &Value) -> Result<Self, Vec<SchemaProblem>> {
        let document = bundle::bundled(schema, &Library::default())?;
        let validator = engine::compiled(&document, engine::UnknownFormats::Ignored)?;
        Ok(Self { document, validator })
    }

    /// Everything that is wrong with an instance, in the schema's order; at most a hundred.
    #[must_use]
    pub fn faults(&self, instance: &Value) -> Vec<DetailedFault> {
        let leaves = explained(self.validator.iter_errors(instance));
        let mut faults: Vec<DetailedFault> = Vec::new();
        for fault in leaves.iter().flat_map(|leaf| self.told(instance, leaf)) {
            // Two branches of an `allOf` can find the same.
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    fn told(&self, whole: &Value, leaf: &Leaf<'_>) -> Vec<DetailedFault> {
        let pointer = leaf.error.instance_path().as_str();
        let fault = |message: String, candidates: Vec<String>| DetailedFault {
            pointer: pointer.to_owned(),
            keyword: keyword(leaf.error.kind()),
            message,
            unknown: None,
            candidates,
            at_name: false,
        };
        match leaf.error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let candidates = self.names_known(leaf);
                unexpected.iter().map(|name| unknown_name(pointer, name, &candidates)).collect()
            }
            Kind::Required { .. } => {
                let names = missing(leaf);
                vec![fault(format!("{} is missing", or(&quoted(&names))), names)]
            }
            Kind::Enum { .. } | Kind::Constant { .. } => {
                let values = allowed_values(leaf).iter().map(as_configured).collect();
                vec![fault(told_of_value(whole, pointer, leaf), values)]
            }
            Kind::Pattern { .. } if self.form(leaf).is_some() => {
                let form = self.form(leaf).unwrap_or_default();
                vec![fault(told(whole, pointer, leaf, &format!("must be {form}")), Vec::new())]
            }
            Kind::PropertyNames { error } => vec![bad_name(pointer, error, fault(String::new(), Vec::new()))],
            _ => vec![fault(told_of_value(whole, pointer, leaf), Vec::new())],
        }
    }

    /// What a pattern asks for, in words, where the schema has them: `patternErrorMessage`, which editors show too.
    fn form(&self, leaf: &Leaf<'_>) -> Option<&str> {
        let (schema, _) = leaf.error.schema_path().as_str().rsplit_once('/')?;
        self.document.pointer(schema)?.get("patternErrorMessage")?.as_str()
    }

    /// The names that are known where a name was not.
    fn names_known(&self, leaf: &Leaf<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for path in leaf.schema_paths() {
            let Some(schema) = path.rsplit_once('/').and_then(|(parent, _)| self.document.pointer(parent)) else { continue };
            for name in known_members(&self.document, schema) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

fn unknown_name(pointer: &str, name: &str, candidates: &[String]) -> DetailedFault {
    // One of several alternatives has it, and another one the member beside it.
    let is_known = candidates.iter().any(|known| known == name);
    DetailedFault {
        pointer: format!("{pointer}/{}", escape(name)),
        keyword: "additionalProperties",
        message: format!("`{name}` {}", if is_known { "does not go with what stands beside it" } else { "is not known here" }),
        unknown: Some(name.to_owned()).filter(|_| !is_known),
        candidates: if is_known { Vec::new() } else { candidates.to_vec() },
        at_name: true,
    }
}

fn bad_name(pointer: &str, error: &ValidationError<'_>, fault: DetailedFault) -> DetailedFault {
    let name = error.instance().as_str().unwrap_or_default().to_owned();
    let message = format!("the name `{name}` {}", of_kind(error.kind()));
    DetailedFault { pointer: format!("{pointer}/{}", escape(&name)), message, at_name: true, ..fault }
}

/// What is wrong with a value, with the value where it can be shown.
fn told_of_value(whole: &Value, pointer: &str, leaf: &Leaf<'_>) -> String {
    let told = told(whole, pointer, leaf, &sentence(leaf));
    let wants_text = matches!(leaf.error.kind(), Kind::Type { kind: TypeKind::Single(JsonType::String) });
    match &**leaf.error.instance() {
        Value::Number(_) | Value::Bool(_) if wants_text && leaf.alternatives.is_empty() => format!("{told}: put it in quotes"),
        _ => told,
    }
}

fn told(whole: &Value, pointer: &str, leaf: &Leaf<'_>, sentence: &str) -> String {
    let quoted = |name: &str| format!("`{}`", name.replace("~1", "/").replace("~0", "~"));
    let (outer, name) = pointer.rsplit_once('/').unwrap_or_default();
    let list = outer.rsplit('/').next().filter(|list| !list.is_empty());
    let subject = match (name, list) {
        ("", _) => "this".to_owned(),
        (_, Some(list)) if whole.pointer(outer).is_some_and(Value::is_array) => format!("an item of {}", quoted(list)),
        (name, _) => quoted(name),
    };
    let shown = shown(pointer, leaf.error.instance()).map(|value| format!(", not {value}")).unwrap_or_default();
    format!("{subject} {sentence}{shown}")
}

/// A value as it can be shown, if it can.
fn shown(pointer: &str, value: &Value) -> Option<String> {
    let place = pointer.to_lowercase();
    if SECRET_NAMES.iter().any(|name| place.contains(name)) {
        return None;
    }
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        // An address can carry a password.
        Value::String(text) if text.contains("://") && text.contains('@') => None,
        Value::String(text) if text.chars().count() <= SHOWN_MAX => Some(value.to_string()),
        Value::String(_) => None,
        Value::Array(items) if items.is_empty() => Some("an empty list".to_owned()),
        Value::Array(_) => Some("a list".to_owned()),
        Value::Object(members) if members.is_empty() => Some("an empty map".to_owned()),
        Value::Object(_) => Some("a map".to_owned()),
    }
}

/// A value as it would stand in configuration: text without quotation marks.
fn as_configured(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checker() -> Checker {
        Checker::compile(&json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["fields"],
            "properties": {
                "fields": { "type": "object", "additionalProperties": { "$ref": "#/$defs/field" } },
                "url": { "oneOf": [
                    { "type": "string", "format": "uri" },
                    { "type": "object", "required": ["env"], "properties": { "env": { "type": "string" } }, "additionalProperties": false },
                    { "type": "object", "required": ["file"], "properties": { "file": { "type": "string" } }, "additionalProperties": false },
                ] },
                "mode": { "oneOf": [{ "const": "fast", "description": "Quick." }, { "const": "safe" }] },
                "db_password": { "type": "string", "pattern": "^x" },
                "limits": { "allOf": [{ "$ref": "#/$defs/limits" }], "properties": { "burst": { "type": "integer" } }, "unevaluatedProperties": false },
                "names": { "propertyNames": { "pattern": "^[a-z]+$" } },
            },
            "$defs": {
                "limits": { "properties": { "timeout_ms": { "type": "integer", "minimum": 1 } } },
                "field": { "type": "object", "required": ["column"], "additionalProperties": false, "properties": {
                    "column": { "type": "string" },
                    "codec": { "anyOf": [
                        { "type": "string", "enum": ["trim", "upper"] },
                        { "type": "object", "required": ["date"], "additionalProperties": false,
                          "properties": { "date": { "type": "string" }, "partial": { "type": "boolean" } } },
                        { "type": "object", "required": ["codes"], "additionalProperties": false, "properties": { "codes": { "type": "string" } } },
                    ] },
                } },
            },
        }))
        .expect("the schema is right")
    }

    fn only(instance: &Value) -> DetailedFault {
        let faults = checker().faults(instance);
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.into_iter().next().expect("there is one")
    }

    #[test]
    fn names_what_is_not_known_and_what_would_be() {
        let fault = only(&json!({ "fields": { "pin": { "column": "FIN", "codek": "trim" } } }));
        assert_eq!((fault.pointer.as_str(), fault.keyword, fault.at_name), ("/fields/pin/codek", "additionalProperties", true));
        assert_eq!(fault.unknown.as_deref(), Some("codek"));
        assert_eq!(fault.candidates, ["column", "codec"]);
        let fault = only(&json!({ "fields": {}, "limits": { "timeout": 1 } }));
        assert_eq!((fault.pointer.as_str(), fault.candidates.len()), ("/limits/timeout", 2), "{fault:?}");
        let missing = only(&json!({ "fields": { "pin": {} } }));
        assert_eq!((missing.pointer.as_str(), missing.message.as_str()), ("/fields/pin", "`column` is missing"));
    }

    #[test]
    fn finds_the_mistake_inside_one_form_of_several() {
        let codec = |codec: Value| json!({ "fields": { "pin": { "column": "FIN", "codec": codec } } });
        let fault = only(&codec(json!({ "date": "%Y", "partial": "yes" })));
        assert_eq!(
            (fault.pointer.as_str(), fault.message.as_str()),
            ("/fields/pin/codec/partial", "`partial` must be a boolean, not \"yes\"")
        );
        let fault = only(&codec(json!({ "date": "%Y", "partially": true })));
        assert_eq!((fault.pointer.as_str(), fault.at_name), ("/fields/pin/codec/partially", true));
        assert_eq!(fault.candidates, ["date", "partial"]);
        let fault = only(&codec(json!("trimm")));
        assert_eq!((fault.pointer.as_str(), fault.candidates.join(" ").as_str()), ("/fields/pin/codec", "trim upper"));
        assert_eq!(only(&codec(json!(7))).message, "`codec` must be a string or an object, not 7");
    }

    #[test]
    fn forms_that_fit_equally_are_told_together() {
        let faults = checker().faults(&json!({ "fields": {}, "url": { "evn": "X" } }));
        let unknown = faults.iter().find(|fault| fault.at_name).expect("the name is wrong");
        assert_eq!(unknown.candidates, ["env", "file"]);
        let missing = faults.iter().find(|fault| fault.keyword == "required").expect("one is missing");
        assert_eq!(missing.message, "`env` or `file` is missing");
        assert_eq!(only(&json!({ "fields": {}, "mode": "quick" })).candidates, ["fast", "safe"]);
        assert_eq!(only(&json!({ "fields": {}, "url": { "env": 5 } })).pointer, "/url/env");
    }

    #[test]
    fn shows_values_but_nothing_that_looks_like_a_secret() {
        assert!(only(&json!({ "fields": {}, "limits": { "timeout_ms": 0 } })).message.ends_with("must be 1 or more, not 0"));
        for instance in
            [json!({ "fields": {}, "db_password": "hunter2" }), json!({ "fields": {}, "url": "x ://me:hunter2@host" })]
        {
            let fault = only(&instance);
            assert!(!fault.message.contains("hunter2"), "{fault:?}");
        }
        let named = only(&json!({ "fields": {}, "names": { "Ab": 1 } }));
        assert_eq!((named.pointer.as_str(), named.at_name), ("/names/Ab", true));
        assert_eq!(named.message, "the name `Ab` must match the pattern `^[a-z]+$`");
    }

    #[test]
    fn an_item_is_told_by_its_list_and_a_member_by_its_name_though_that_be_a_number() {
        let checker = Checker::compile(&json!({
            "properties": { "list": { "items": { "type": "string" } }, "statuses": { "additionalProperties": { "type": "string" } } }
        }));
        let faults = checker.expect("the schema is right").faults(&json!({ "list": ["a", 1], "statuses": { "404": 1 } }));
        let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            told,
            ["an item of `list` must be a string, not 1: put it in quotes", "`404` must be a string, not 1: put it in quotes"]
        );
    }
}
