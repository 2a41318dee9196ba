//! Whether a new version of a schema can take an old one's place before those who read records, and those who write.
//!
//! The law of readers: when no [`Change`] breaks them, every record that is valid under the new schema is valid under
//! the old one, once the members are left out that the old one has no name for. For a reader ignores members it does not
//! know, and relies on all else: that what was required is there, that a value is one of those it was told of. So a
//! reader is not hurt by a new field, a field that is required from now on, a narrower type, a value that no longer
//! occurs.
//!
//! The law of writers: when no change breaks them, every record that is valid under the old schema, and has no member
//! that it has no name for, is valid under the new one. So a writer is not hurt by a new field that may be left out, a
//! requirement that is dropped, a wider type, a further value.
//!
//! What can't be decided counts as breaking.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::escape;

mod both;
mod expand;
mod limits;

/// The keywords that are compared by a rule of their own; what is in neither list is an annotation.
const RULED: &[&str] = &[
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "properties",
    "required",
    "type",
    "uniqueItems",
];
/// The keywords that must stay as they are, if the old version has them.
const KEPT: &[&str] = &[
    "$ref",
    "allOf",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "format",
    "if",
    "maxContains",
    "minContains",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Those of them that can notice that a member is there or not.
const NOTICES_MEMBERS: &[&str] =
    &["allOf", "anyOf", "dependentRequired", "dependentSchemas", "if", "minProperties", "not", "oneOf", "unevaluatedProperties"];

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, as a JSON Pointer into the new schema; into the old one for what is no more. References are followed,
    /// so it need not be a place in the file.
    pub pointer: String,
    pub kind: ChangeKind,
    /// Whether one who reads by the old version can be hurt.
    pub breaks_readers: bool,
    /// Whether one who writes by the old version can be refused.
    pub breaks_writers: bool,
    /// What changed, for a person.
    pub message: String,
}

/// What sort of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A property is no more.
    PropertyRemoved,
    /// A property is new.
    PropertyAdded,
    /// What was always there can be absent now.
    RequirementDropped,
    /// What could be absent is always there now.
    RequirementAdded,
    /// A value of another type can occur.
    TypeWidened,
    /// A type no longer occurs.
    TypeNarrowed,
    /// A value can occur that was on no list.
    ValueAdded,
    /// A listed value no longer occurs.
    ValueRemoved,
    /// A bound lets more through.
    LimitLoosened,
    /// A bound lets less through.
    LimitTightened,
    /// Some other rule was dropped, or changed so that it can't be told what it lets through.
    RuleChanged,
    /// Some other rule is new.
    RuleAdded,
}

impl ChangeKind {
    /// The word for lists and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PropertyRemoved => "property_removed",
            Self::PropertyAdded => "property_added",
            Self::RequirementDropped => "requirement_dropped",
            Self::RequirementAdded => "requirement_added",
            Self::TypeWidened => "type_widened",
            Self::TypeNarrowed => "type_narrowed",
            Self::ValueAdded => "value_added",
            Self::ValueRemoved => "value_removed",
            Self::LimitLoosened => "limit_loosened",
            Self::LimitTightened => "limit_tightened",
            Self::RuleChanged => "rule_changed",
            Self::RuleAdded => "rule_added",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every difference that matters between two self-contained documents, such as
/// [`crate::RecordSchema::document`]. Titles, descriptions and examples do not.
#[must_use]
pub fn compare(old: &Value, new: &Value) -> Vec<Change> {
    match (expand::expanded(old), expand::expanded(new)) {
        (Some(old), Some(new)) => both::merged(found(&old, &new, Law::Readers), found(&new, &old, Law::Writers)),
        // A schema that refers to itself can't be written out; then only the same is surely compatible.
        _ if expand::bare(old) == expand::bare(new) => Vec::new(),
        _ => vec![Change {
            pointer: String::new(),
            kind: ChangeKind::RuleChanged,
            breaks_readers: true,
            breaks_writers: true,
            message: "the schema refers to itself: it can't be told whether the two agree".to_owned(),
        }],
    }
}

/// In what the second schema lets through something that the first does not.
fn found(bound: &Value, loose: &Value, law: Law) -> Vec<Found> {
    let mut comparison = Comparison { found: Vec::new(), law };
    comparison.schemas(bound, loose, "");
    comparison.found
}

/// Who relies on what the first schema says, and what of a record they leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Law {
    /// The first is the old one: its readers leave out members that it has no name for.
    Readers,
    /// The first is the new one, which judges what is written: the second's writers send no member that the second has
    /// no name for.
    Writers,
    /// Nobody leaves anything out.
    Exact,
}

/// A difference as one law sees it.
struct Found {
    pointer: String,
    kind: ChangeKind,
    breaking: bool,
    message: String,
}

struct Comparison {
    found: Vec<Found>,
    law: Law,
}

impl Comparison {
    fn tell(&mut self, pointer: &str, kind: ChangeKind, breaking: bool, message: impl Into<String>) {
        self.found.push(Found { pointer: pointer.to_owned(), kind, breaking, message: message.into() });
    }

    fn schemas(&mut self, old: &Value, new: &Value, pointer: &str) {
        if old == new {
            return;
        }
        match (old, new) {
            (_, Value::Bool(false)) | (Value::Bool(true), _) => {}
            (Value::Bool(_), _) => {
                self.tell(pointer, ChangeKind::RuleChanged, true, "nothing was allowed here, and something is now")
            }
            (Value::Object(old), Value::Bool(_)) => self.objects(old, &Map::new(), pointer),
            (Value::Object(old), Value::Object(new)) => self.objects(old, new, pointer),
            _ => self.tell(pointer, ChangeKind::RuleChanged, true, "is no schema"),
        }
    }

    fn objects(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        self.types(old, new, pointer);
        self.values(old, new, pointer);
        self.properties(old, new, pointer);
        self.required(old, new, pointer);
        self.limits(old, new, pointer);
        self.items(old, new, pointer);
        self.alternatives(old, new, pointer);
        self.kept(old, new, pointer);
    }

    fn types(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        use crate::document::stated_types;
        let (before, after) = (stated_types(old), stated_types(new));
        let covers = |types: &[&str], one: &str| types.contains(&one) || (one == "integer" && types.contains(&"number"));
        match (before, after) {
            (Some(before), Some(after)) => {
                for one in after.iter().filter(|one| !covers(&before, one)) {
                    self.tell(pointer, ChangeKind::TypeWidened, true, format!("can be of the type {one} now"));
                }
                for one in before.iter().filter(|one| !covers(&after, one)) {
                    self.tell(pointer, ChangeKind::TypeNarrowed, false, format!("is no longer of the type {one}"));
                }
            }
            (Some(before), None) => {
                self.tell(
                    pointer,
                    ChangeKind::TypeWidened,
                    true,
                    format!("is no longer bound to the type {}", before.join(" or ")),
                );
            }
            (None, Some(after)) => {
                self.tell(pointer, ChangeKind::TypeNarrowed, false, format!("is bound to the type {} now", after.join(" or ")));
            }
            (None, None) => {}
        }
    }

    fn values(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        match (listed(old), listed(new)) {
            (Some(before), Some(after)) => {
                for value in after.iter().filter(|value| !before.contains(value)) {
                    self.tell(pointer, ChangeKind::ValueAdded, true, format!("can be {value} now"));
                }
                for value in before.iter().filter(|value| !after.contains(value)) {
                    self.tell(pointer, ChangeKind::ValueRemoved, false, format!("is no longer {value}"));
                }
            }
            (Some(_), None) => self.tell(pointer, ChangeKind::ValueAdded, true, "is no longer bound to a list of values"),
            (None, Some(_)) => self.tell(pointer, ChangeKind::ValueRemoved, false, "is bound to a list of values now"),
            (None, None) => {}
        }
    }

    fn properties(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        let (before, after) = (named(old), named(new));
        let mut added = false;
        for (name, schema) in after.clone() {
            let here = format!("{pointer}/properties/{}", escape(name));
            if let Some(known) = before.clone().find_map(|(known, schema)| (known == name).then_some(schema)) {
                self.schemas(known, schema, &here);
                continue;
            }
            added = true;
            match old.get("additionalProperties") {
                Some(others @ Value::Object(_)) => self.schemas(others, schema, &here),
                Some(Value::Bool(false)) if self.law != Law::Readers => {
                    self.tell(&here, ChangeKind::PropertyAdded, true, format!("`{name}` is new where the schema was closed"));
                }
                _ => self.tell(&here, ChangeKind::PropertyAdded, false, format!("`{name}` is new")),
            }
        }
        for (name, schema) in before.filter(|(name, _)| after.clone().all(|(known, _)| known != *name)) {
            self.removed(name, schema, new, pointer);
        }
        let opened = self.others(old, new, pointer);
        if let (true, Some(keyword)) = (added || opened, NOTICES_MEMBERS.iter().find(|keyword| old.contains_key(**keyword))) {
            self.tell(
                pointer,
                ChangeKind::RuleChanged,
                true,
                format!("there are new members, and `{keyword}` could notice them"),
            );
        }
    }

    /// A member that the second has no name for. A writer by the second sends it only where it may send any.
    fn removed(&mut self, name: &str, schema: &Value, new: &Map<String, Value>, pointer: &str) {
        let here = format!("{pointer}/properties/{}", escape(name));
        match new.get("additionalProperties") {
            Some(others @ Value::Object(_)) if self.law == Law::Writers => self.schemas(schema, others, &here),
            _ => {
                let breaking = self.law != Law::Writers || names_elsewhere(new);
                self.tell(&here, ChangeKind::PropertyRemoved, breaking, format!("`{name}` is no more"));
            }
        }
    }

    /// Compares what holds of members without a name; whether there can be more of them than before.
    fn others(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) -> bool {
        let open = Value::Bool(true);
        let before = old.get("additionalProperties").unwrap_or(&open);
        let after = new.get("additionalProperties").unwrap_or(&open);
        let here = format!("{pointer}/additionalProperties");
        match (before, after) {
            (before, after) if before == after => false,
            (_, Value::Bool(false)) | (Value::Bool(true), _) => false,
            // A writer sends what it has a name for.
            (_, Value::Bool(true)) if self.law == Law::Writers && !names_elsewhere(new) => {
                self.tell(&here, ChangeKind::RuleChanged, false, "there can be members without a name now");
                true
            }
            (Value::Bool(false), _) => {
                let breaking = self.law != Law::Readers;
                self.tell(&here, ChangeKind::RuleChanged, breaking, "there can be members without a name now");
                true
            }
            (before, after) => {
                self.schemas(before, after, &here);
                false
            }
        }
    }

    fn required(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        let (before, after) = (names(old), names(new));
        for name in before.iter().filter(|name| !after.contains(name)) {
            let here = format!("{pointer}/properties/{}", escape(name));
            self.tell(&here, ChangeKind::RequirementDropped, true, format!("`{name}` can be absent now"));
        }
        for name in after.iter().filter(|name| !before.contains(name)) {
            let here = format!("{pointer}/properties/{}", escape(name));
            self.tell(&here, ChangeKind::RequirementAdded, false, format!("`{name}` is always there now"));
        }
        // A closed schema that requires what it has no name for never held; leaving the member out would not do.
        let nameless = before.iter().any(|name| named(old).all(|(known, _)| known != *name));
        if nameless && old.get("additionalProperties") == Some(&Value::Bool(false)) && old != new {
            self.tell(pointer, ChangeKind::RuleChanged, true, "a member is required that the old schema has no name for");
        }
    }

    fn limits(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        for difference in limits::differences(old, new) {
            let here = format!("{pointer}/{}", difference.keyword);
            let (kind, word) = if difference.loosened {
                (ChangeKind::LimitLoosened, "lets more through than before")
            } else {
                (ChangeKind::LimitTightened, "lets less through than before")
            };
            self.tell(&here, kind, difference.loosened, format!("`{}` {word}", difference.keyword));
        }
    }

    fn items(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        let here = format!("{pointer}/items");
        match (old.get("items"), new.get("items")) {
            // `items` is about what comes after `prefixItems`.
            (Some(_), _) if old.get("prefixItems") != new.get("prefixItems") => {
                self.tell(&here, ChangeKind::RuleChanged, true, "other items than before are meant");
            }
            (Some(before), after) => self.schemas(before, after.unwrap_or(&Value::Bool(true)), &here),
            (None, Some(_)) => self.tell(&here, ChangeKind::RuleAdded, false, "items are bound to a schema now"),
            (None, None) => {}
        }
    }

    /// Each new alternative must be compatible with some old one.
    fn alternatives(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        let here = format!("{pointer}/anyOf");
        let Some(before) = old.get("anyOf").and_then(Value::as_array) else {
            if new.contains_key("anyOf") {
                self.tell(&here, ChangeKind::RuleAdded, false, "there are alternatives now");
            }
            return;
        };
        let after = new.get("anyOf").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if after.is_empty() {
            self.tell(&here, ChangeKind::RuleChanged, true, "the alternatives are no more");
        }
        for (place, one) in after.iter().enumerate() {
            if !before.iter().any(|known| fits(known, one)) {
                self.tell(
                    &format!("{here}/{place}"),
                    ChangeKind::RuleChanged,
                    true,
                    "fits none of the alternatives that there were",
                );
            }
        }
    }

    fn kept(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, pointer: &str) {
        for keyword in KEPT {
            let here = format!("{pointer}/{keyword}");
            match (old.get(*keyword), new.get(*keyword)) {
                (before, after) if before == after => {}
                (None, _) => self.tell(&here, ChangeKind::RuleAdded, false, format!("`{keyword}` is new")),
                (Some(_), None) => self.tell(&here, ChangeKind::RuleChanged, true, format!("`{keyword}` is no more")),
                (Some(_), Some(_)) => self.tell(&here, ChangeKind::RuleChanged, true, format!("`{keyword}` is another")),
            }
        }
    }
}

/// Whether all that `new` lets through, `old` does, without leaving anything out.
fn fits(old: &Value, new: &Value) -> bool {
    !found(old, new, Law::Exact).iter().any(|found| found.breaking)
}

/// Whether a schema can have names for members besides those in `properties`.
fn names_elsewhere(schema: &Map<String, Value>) -> bool {
    ["allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "patternProperties", "then"]
        .iter()
        .any(|keyword| schema.contains_key(*keyword))
}

/// The values that `enum` and `const` leave, where there is one of them.
fn listed(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
        (Some(one), None) => Some(vec![one]),
        (None, Some(several)) => Some(several.iter().collect()),
        (Some(one), Some(several)) => Some(several.iter().filter(|value| *value == one).collect()),
        (None, None) => None,
    }
}

fn named(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> + Clone {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn names(schema: &Map<String, Value>) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(old: &Value, new: &Value) -> Vec<(String, ChangeKind, bool)> {
        compare(old, new).into_iter().map(|change| (change.pointer, change.kind, change.breaks_readers)).collect()
    }

    #[test]
    fn a_reader_is_hurt_by_what_can_be_gone_or_other_than_before() {
        let old = json!({
            "type": "object", "required": ["a", "b"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "maxLength": 5 }, "b": { "enum": [1, 2] }, "c": { "type": "integer" }, "d": {} },
        });
        let new = json!({
            "type": "object", "required": ["a"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "maxLength": 6 }, "b": { "enum": [1, 3] }, "c": { "type": ["number", "null"] } },
        });
        let mut found = told(&old, &new);
        found.sort();
        let at = |pointer: &str, kind, breaking| (format!("/properties/{pointer}"), kind, breaking);
        assert_eq!(
            found,
            [
                at("a/maxLength", ChangeKind::LimitLoosened, true),
                at("b", ChangeKind::RequirementDropped, true),
                at("b", ChangeKind::ValueAdded, true),
                at("b", ChangeKind::ValueRemoved, false),
                at("c", ChangeKind::TypeWidened, true),
                at("c", ChangeKind::TypeWidened, true),
                at("d", ChangeKind::PropertyRemoved, true),
            ]
        );
    }

    #[test]
    fn a_reader_is_not_hurt_by_more_members_or_fewer_values() {
        let old = json!({ "properties": { "a": { "type": ["string", "null"] } }, "additionalProperties": false });
        let new = json!({
            "description": "Other words.", "required": ["a"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "minLength": 1 }, "b": { "type": "string" } },
        });
        let changes = compare(&old, &new);
        assert!(changes.len() >= 4 && changes.iter().all(|change| !change.breaks_readers), "{changes:#?}");
    }

    #[test]
    fn a_writer_is_refused_by_what_must_be_there_or_may_be_no_longer() {
        let old = json!({
            "type": "object", "required": ["a"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "maxLength": 5 }, "b": { "enum": [1, 2] }, "c": { "type": ["number", "null"] }, "d": {} },
        });
        let new = json!({
            "type": "object", "required": ["a", "b"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "maxLength": 4 }, "b": { "enum": [1, 3] }, "c": { "type": "integer" }, "e": {} },
        });
        let mut found: Vec<_> = compare(&old, &new)
            .into_iter()
            .filter(|change| change.breaks_writers)
            .map(|change| (change.pointer, change.kind, change.breaks_readers))
            .collect();
        found.sort();
        let at = |pointer: &str, kind, breaks_readers| (format!("/properties/{pointer}"), kind, breaks_readers);
        assert_eq!(
            found,
            [
                at("a/maxLength", ChangeKind::LimitTightened, false),
                at("b", ChangeKind::RequirementAdded, false),
                at("b", ChangeKind::ValueRemoved, false),
                at("c", ChangeKind::TypeNarrowed, false),
                at("c", ChangeKind::TypeNarrowed, false),
                at("d", ChangeKind::PropertyRemoved, true),
            ]
        );
    }

    #[test]
    fn a_writer_is_not_refused_for_what_it_may_leave_out() {
        let old = json!({ "properties": { "a": { "type": "string" } }, "required": ["a"], "additionalProperties": false });
        let new = json!({ "properties": { "a": { "type": ["string", "null"] }, "b": { "type": "integer" } }, "additionalProperties": false });
        let changes = compare(&old, &new);
        assert!(changes.len() == 3 && changes.iter().all(|change| !change.breaks_writers), "{changes:#?}");
        let open = json!({ "properties": { "a": { "type": "string" } } });
        let closed = json!({ "properties": { "a": { "type": "string" } }, "additionalProperties": false });
        assert!(compare(&open, &closed).iter().all(|change| !change.breaks_writers), "it sends what it has a name for");
    }

    #[test]
    fn follows_references_and_sees_what_changed_behind_them() {
        let schema = |pattern: &str| json!({ "properties": { "pin": { "$ref": "#/$defs/pin", "title": "x" } }, "$defs": { "pin": { "pattern": pattern } } });
        assert_eq!(told(&schema("^a$"), &schema("^a$")), []);
        assert_eq!(told(&schema("^a$"), &schema("^b$")), [("/properties/pin/pattern".to_owned(), ChangeKind::RuleChanged, true)]);
        let moved = json!({ "properties": { "pin": { "pattern": "^a$" } } });
        assert_eq!(told(&schema("^a$"), &moved), [], "it is the same, written another way");
    }

    #[test]
    fn an_alternative_may_go_and_none_may_come() {
        let one = json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] });
        let other = json!({ "anyOf": [{ "type": "string", "maxLength": 3 }] });
        assert!(compare(&one, &other).iter().all(|change| !change.breaks_readers));
        assert!(compare(&other, &one).iter().any(|change| change.breaks_readers));
    }

    #[test]
    fn what_cannot_be_told_counts_as_breaking() {
        let tree = |name: &str| json!({ "properties": { name: { "$ref": "#" } } });
        assert_eq!(told(&tree("a"), &tree("a")), []);
        assert!(compare(&tree("a"), &tree("b")).iter().any(|change| change.breaks_readers));
        let noticing = json!({ "properties": { "a": {} }, "additionalProperties": false, "minProperties": 1 });
        let more = json!({ "properties": { "a": {}, "b": {} }, "additionalProperties": false, "minProperties": 1 });
        assert!(compare(&noticing, &more).iter().any(|change| change.breaks_readers), "`b` alone would do now");
    }
}
