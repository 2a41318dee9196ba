//! One entity's schema, compiled.

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Kind;
use rabita_model::{Fault, FieldName};
use serde_json::Value;

use crate::document::escape;
use crate::explain::{Leaf, explained, keyword};
use crate::partial::{Required, variant};
use crate::wording::{missing, sentence};
use crate::{FieldShape, Library, SchemaProblem, SelectedFields, bundle, engine};

/// The longest name of an unknown member that is told.
const NAME_TOLD_MAX: usize = 64;

/// The schema of one entity's records. Cheap to clone.
#[derive(Clone)]
pub struct RecordSchema(Arc<Compiled>);

struct Compiled {
    document: Arc<Value>,
    whole: Validator,
    partial: Validator,
    required: Required,
}

impl RecordSchema {
    /// Compiles a document. It is JSON Schema 2020-12; `format` is asserted (with `partial-date` besides the
    /// standard's), unknown formats are refused, patterns are such that match in linear time. `$ref` leads into the
    /// document or to the library: `rabita:civil/person/v1`, `rabita:civil/person/v1#/$defs/address`.
    ///
    /// # Errors
    /// Everything that is wrong with the document.
    pub fn compile(document: &Value, library: &Library) -> Result<Self, Vec<SchemaProblem>> {
        let document = bundle::bundled(document, library)?;
        let whole = engine::compiled(&document, engine::UnknownFormats::Refused)?;
        let partial = engine::compiled(&variant(&document), engine::UnknownFormats::Refused)?;
        let required = Required::of(&document, &document).map_err(|problem| vec![problem])?;
        Ok(Self(Arc::new(Compiled { document: Arc::new(document), whole, partial, required })))
    }

    /// The document, with what it takes from the library put into its `$defs`.
    #[must_use]
    pub fn document(&self) -> &Arc<Value> {
        &self.0.document
    }

    /// What the schema says of a field: a dotted path of object members. `None` when it says nothing.
    #[must_use]
    pub fn field(&self, field: &FieldName) -> Option<FieldShape<'_>> {
        FieldShape::of(&self.0.document, field)
    }

    /// The fields that are no objects with members of their own; lists are fields as a whole.
    #[must_use]
    pub fn leaves(&self) -> Vec<FieldName> {
        crate::outline::leaves(self.document())
    }

    /// Those of the leaves that every whole record has.
    #[must_use]
    pub fn required(&self) -> Vec<FieldName> {
        crate::outline::required(self.document())
    }

    /// Whether a whole record satisfies the schema.
    #[must_use]
    pub fn is_valid(&self, record: &Value) -> bool {
        self.0.whole.is_valid(record)
    }

    /// Everything that is wrong with a whole record, at most a hundred faults. No fault holds a value of the record.
    /// The pointer of `required` is the missing member's, that of `additionalProperties` the unknown member's.
    #[must_use]
    pub fn faults(&self, record: &Value) -> Vec<Fault> {
        told(&self.0.whole, record)
    }

    /// Whether what a selection leaves of a record satisfies the schema, as far as it can.
    #[must_use]
    pub fn partial_is_valid(&self, record: &Value, selected: &SelectedFields) -> bool {
        if selected.is_all() {
            return self.is_valid(record);
        }
        let complete =
            record.as_object().is_none_or(|object| self.0.required.check(&selected.0, object, &mut Vec::new(), &mut |_| false));
        complete && self.0.partial.is_valid(record)
    }

    /// Everything that is wrong with what a selection leaves of a record.
    #[must_use]
    pub fn partial_faults(&self, record: &Value, selected: &SelectedFields) -> Vec<Fault> {
        if selected.is_all() {
            return self.faults(record);
        }
        let mut faults = told(&self.0.partial, record);
        if let Value::Object(object) = record {
            self.0.required.check(&selected.0, object, &mut Vec::new(), &mut |path| {
                let pointer: String = path.iter().map(|member| format!("/{}", escape(member))).collect();
                faults.push(Fault::at(pointer, "required", "is required"));
                faults.len() < crate::explain::FAULTS_MAX
            });
        }
        faults
    }

    /// The schema together with a selection, for where both are kept.
    #[must_use]
    pub fn narrowed(&self, fields: &[FieldName]) -> Narrowed {
        Narrowed { schema: self.clone(), selected: SelectedFields::new(fields) }
    }
}

impl fmt::Debug for RecordSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecordSchema").field(&self.0.document.get("$id")).finish()
    }
}

/// A schema for what some fields leave of a record.
#[derive(Debug, Clone)]
pub struct Narrowed {
    schema: RecordSchema,
    selected: SelectedFields,
}

impl Narrowed {
    /// The fields.
    #[must_use]
    pub const fn selected(&self) -> &SelectedFields {
        &self.selected
    }

    /// Whether the selected part of a record is right.
    #[must_use]
    pub fn is_valid(&self, record: &Value) -> bool {
        self.schema.partial_is_valid(record, &self.selected)
    }

    /// Everything that is wrong with the selected part of a record.
    #[must_use]
    pub fn faults(&self, record: &Value) -> Vec<Fault> {
        self.schema.partial_faults(record, &self.selected)
    }
}

fn told(validator: &Validator, record: &Value) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for fault in explained(validator.iter_errors(record)).iter().flat_map(faults_of) {
        // Two branches of an `allOf` can find the same.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults.truncate(crate::explain::FAULTS_MAX);
    faults
}

fn faults_of(leaf: &Leaf<'_>) -> Vec<Fault> {
    let pointer = leaf.error.instance_path().as_str();
    let code = keyword(leaf.error.kind());
    let message = sentence(leaf);
    match leaf.error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|name| unknown_member(pointer, name, code, &message)).collect()
        }
        Kind::Required { .. } => {
            let member = missing(leaf).into_iter().next().unwrap_or_default();
            vec![Fault::at(format!("{pointer}/{}", escape(&member)), code, message)]
        }
        _ => vec![Fault::at(pointer, code, message)],
    }
}

/// A name that nobody chose for a schema could be a value that slipped into the wrong place, such as a PIN. Only one
/// that looks like a member's name is told.
fn unknown_member(pointer: &str, name: &str, code: &'static str, message: &str) -> Fault {
    let looks_like_one = name.len() <= NAME_TOLD_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-');
    if looks_like_one {
        Fault::at(format!("{pointer}/{name}"), code, message)
    } else {
        Fault::at(pointer, code, "has a member that is not known here")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(document: &Value) -> RecordSchema {
        RecordSchema::compile(document, &Library::shipped()).expect("the schema is right")
    }

    fn shipped(name: &str) -> RecordSchema {
        let library = Library::shipped();
        RecordSchema::compile(library.get(name).expect("it is shipped"), &library).expect("it compiles")
    }

    fn told(faults: &[Fault]) -> Vec<(&str, &str)> {
        faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect()
    }

    fn fields(names: &[&str]) -> Vec<FieldName> {
        names.iter().map(|name| FieldName::new(name).expect("a field")).collect()
    }

    #[test]
    fn tells_all_faults_at_once_and_where() {
        let person = shipped("civil/person/v1");
        let faults =
            person.faults(&json!({ "pin": "lower", "name": { "given": 7 }, "citizenships": ["AZE", "az"], "hobby": "x" }));
        let mut told = told(&faults);
        told.sort_unstable();
        assert_eq!(
            told,
            [
                ("/citizenships/1", "pattern"),
                ("/hobby", "additionalProperties"),
                ("/name/family", "required"),
                ("/name/given", "type"),
                ("/pin", "pattern"),
            ]
        );
    }

    #[test]
    fn no_fault_holds_a_value_or_a_name_that_could_be_one() {
        let person = shipped("civil/person/v1");
        let canary = "CANARY";
        let record = json!({
            "pin": "CANARY!", "name": { "family": ["CANARY"], "given": "CANARY".repeat(50), "patronymic": { "CANARY": 1 } },
            "birth_date": "CANARY", "sex": "CANARY", "citizenships": ["CANARY", "CANARY"], "address": "CANARY",
            "CANARY1": "CANARY", "5ZJBKH7": 1,
        });
        let faults = person.faults(&record);
        assert!(faults.len() >= 8);
        for fault in &faults {
            assert!(!format!("{fault:?}").contains(canary), "{fault:?}");
            assert!(!fault.pointer.contains("5ZJBKH7"));
        }
    }

    #[test]
    fn looks_for_the_fault_in_the_alternative_that_fits_best() {
        let nullable = schema(&json!({
            "type": "object",
            "properties": { "home": { "anyOf": [{ "type": "null" }, { "$ref": "rabita:civil/person/v1#/$defs/address" }] } },
        }));
        assert_eq!(
            told(&nullable.faults(&json!({ "home": { "region": "Bakı", "postcode": "1000" } }))),
            [("/home/postcode", "pattern")]
        );
        let neither = nullable.faults(&json!({ "home": 7 }));
        assert_eq!(told(&neither), [("/home", "type")]);
        assert_eq!(neither[0].message, "must be null or an object");
        let owner =
            shipped("vehicles/vehicle/v1").faults(&json!({ "plate": "10-AB-123", "make": "A", "status": "wanted", "owner": {} }));
        assert_eq!(told(&owner), [("/owner/pin", "required")]);
        assert_eq!(owner[0].message, "is required, or `tin`");
    }

    #[test]
    fn stops_at_a_hundred_faults() {
        let list = schema(&json!({ "items": { "type": "string" } }));
        assert_eq!(list.faults(&Value::Array(vec![json!(1); 5000])).len(), 100);
    }

    #[test]
    fn part_of_a_record_needs_only_what_is_selected_of_it() {
        let person = shipped("civil/person/v1");
        let faults = |names: &[&str], record: Value| {
            let narrowed = person.narrowed(&fields(names));
            let faults = narrowed.faults(&record);
            assert_eq!(narrowed.is_valid(&record), faults.is_empty(), "{faults:?}");
            faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect::<Vec<_>>()
        };
        assert!(faults(&["birth_date"], json!({})).is_empty());
        assert!(faults(&["name.given"], json!({})).is_empty(), "a given name is optional");
        assert_eq!(faults(&["name.family"], json!({})), ["/name required"]);
        assert_eq!(faults(&["name.family"], json!({ "name": {} })), ["/name/family required"]);
        assert_eq!(faults(&["name", "pin"], json!({ "name": { "given": "A" } })), ["/pin required", "/name/family required"]);
        assert!(faults(&["address.city"], json!({ "address": { "city": "A" } })).is_empty());
        assert_eq!(faults(&["address"], json!({ "address": { "city": "A" } })), ["/address/region required"]);
        assert_eq!(faults(&["address.postcode"], json!({ "address": { "postcode": "1000" } })), ["/address/postcode pattern"]);
        assert_eq!(faults(&["pin"], json!({ "pin": "5ZJBKH7", "hobby": 1 })), ["/hobby additionalProperties"]);
    }

    #[test]
    fn what_binds_several_members_is_not_asked_of_part_of_a_record() {
        let benefit = shipped("social/benefit/v1");
        assert!(benefit.narrowed(&fields(&["status"])).is_valid(&json!({ "status": "ended" })));
        assert!(!benefit.narrowed(&fields(&["status"])).is_valid(&json!({ "status": "lost" })));
        let vehicle = shipped("vehicles/vehicle/v1");
        assert!(
            vehicle.narrowed(&fields(&["owner.pin"])).is_valid(&json!({ "owner": {} })),
            "the owner has a TIN, which is not selected"
        );
        let inspections = vehicle.narrowed(&fields(&["inspections"]));
        assert_eq!(
            told(&inspections.faults(&json!({ "inspections": [{}] }))),
            [("/inspections/0/inspected_on", "required"), ("/inspections/0/result", "required")]
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_can_be_narrowed() {
        let tree = schema(&json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": { "name": { "type": "string" }, "parent": { "$ref": "#" }, "children": { "type": "array", "items": { "$ref": "#" } } },
        }));
        let narrowed = tree.narrowed(&fields(&["parent.parent.name", "children"]));
        assert!(narrowed.is_valid(&json!({ "parent": {}, "children": [{ "name": "a" }] })));
        assert!(narrowed.is_valid(&json!({ "parent": { "parent": { "name": "a" } } })));
        assert!(!narrowed.is_valid(&json!({ "parent": { "parent": { "name": 1 } } })));
        assert_eq!(told(&narrowed.faults(&json!({ "children": [{}] }))), [("/children/0/name", "required")]);
    }
}
