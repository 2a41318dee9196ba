//! A schema document for those who may see only some fields.

use std::collections::BTreeMap;

use rabita_model::FieldName;
use serde_json::{Map, Value, json};

use crate::SelectedFields;
use crate::bundle;
use crate::document::{DEPTH_MAX, binds_members, referred, target, walk_mut};
use crate::field::member_of;
use crate::partial::Required;
use crate::selected::Part;

/// What a keyword says without judging: it goes along with a reference.
const ANNOTATIONS: &[&str] = &["$comment", "deprecated", "description", "readOnly", "title", "writeOnly"];
/// What is left behind where only some members stay: it binds or shows several at once.
const LEFT: &[&str] = &[
    "$defs",
    "$id",
    "$schema",
    "default",
    "definitions",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "examples",
    "if",
    "minProperties",
    "patternProperties",
    "propertyNames",
    "then",
];

/// The document cut down to these fields: it tells of no other, and every selection of these fields from a valid
/// record satisfies it. It stays JSON Schema 2020-12 and refers to nothing outside itself, but is another resource
/// than the whole: the `$id` is left out.
///
/// `document` is self-contained, as [`crate::RecordSchema::document`] is.
#[must_use]
pub fn cut(document: &Value, fields: &[FieldName]) -> Value {
    let selected = SelectedFields::new(fields);
    let mut kept = Cutter { document }.schema(document, &selected.0, 0);
    gather_definitions(document, &mut kept);
    match (kept, document.get("$schema")) {
        (Value::Object(members), Some(dialect)) => {
            Value::Object(std::iter::once(("$schema".to_owned(), dialect.clone())).chain(members).collect())
        }
        (kept, _) => kept,
    }
}

/// A document that is put at `place` (`#/components/schemas/x`) of another: its references lead there, and it names
/// neither a dialect nor itself.
#[must_use]
pub fn rebased(document: &Value, place: &str) -> Value {
    let mut moved = document.clone();
    bundle::relocate(&mut moved, place);
    if let Value::Object(members) = &mut moved {
        members.shift_remove("$schema");
        members.shift_remove("$id");
    }
    moved
}

struct Cutter<'a> {
    document: &'a Value,
}

impl Cutter<'_> {
    fn schema(&self, schema: &Value, part: &Part, depth: usize) -> Value {
        let (Value::Object(members), Part::Members(_)) = (schema, part) else { return schema.clone() };
        if depth > DEPTH_MAX {
            return Value::Bool(true);
        }
        let mut kept = match referred(self.document, members).map(|target| self.schema(target, part, depth + 1)) {
            None => Map::new(),
            Some(Value::Object(target))
                if members.keys().all(|keyword| keyword == "$ref" || ANNOTATIONS.contains(&keyword.as_str())) =>
            {
                target
            }
            Some(target) => Map::from_iter([("allOf".to_owned(), json!([target]))]),
        };
        for (keyword, value) in members {
            self.keyword(members, keyword, value, part, depth, &mut kept);
        }
        Value::Object(kept)
    }

    fn keyword(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        value: &Value,
        part: &Part,
        depth: usize,
        kept: &mut Map<String, Value>,
    ) {
        let here = match keyword {
            "$ref" => return,
            left if LEFT.contains(&left) => return,
            "not" if binds_members(self.document, value, 0) => return,
            "const" | "enum"
                if value.is_object() || value.as_array().is_some_and(|values| values.iter().any(Value::is_object)) =>
            {
                return;
            }
            "unevaluatedProperties" if schema.contains_key("if") || schema.contains_key("dependentSchemas") => return,
            "additionalProperties" | "unevaluatedProperties" if value.is_object() => return,
            "properties" => self.properties(schema, value, part, depth),
            "required" => match self.required(schema, value, part) {
                Value::Array(names) if names.is_empty() => return,
                names => names,
            },
            "allOf" | "anyOf" | "oneOf" if self.any_binds(value) => return self.branches(keyword, value, part, depth, kept),
            _ => value.clone(),
        };
        kept.insert(keyword.to_owned(), here);
    }

    fn properties(&self, schema: &Map<String, Value>, named: &Value, part: &Part, depth: usize) -> Value {
        let Part::Members(wanted) = part else { return named.clone() };
        let named = named.as_object();
        let declared = named
            .into_iter()
            .flatten()
            .filter_map(|(name, one)| part.get(name).map(|part| (name.clone(), self.schema(one, part, depth + 1))));
        // A field can be one of those that the schema has no name for.
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let unnamed = wanted.iter().filter(|(name, _)| {
            !named.is_some_and(|named| named.contains_key(&**name)) && member_of(self.document, self.document, name, 0).is_none()
        });
        let unnamed = others
            .into_iter()
            .flat_map(|others| unnamed.clone().map(|(name, part)| (name.to_string(), self.schema(others, part, depth + 1))));
        Value::Object(declared.chain(unnamed).collect())
    }

    fn required(&self, schema: &Map<String, Value>, names: &Value, part: &Part) -> Value {
        let tree = Required::of(self.document, &Value::Object(schema.clone())).unwrap_or_default();
        let demanded = names
            .as_array()
            .into_iter()
            .flatten()
            .filter(|name| name.as_str().is_some_and(|name| part.get(name).is_some_and(|part| tree.demands(name, part))));
        Value::Array(demanded.cloned().collect())
    }

    /// Branches that tell of members are cut too. More than one of several alternatives can fit what is left.
    fn branches(&self, keyword: &str, branches: &Value, part: &Part, depth: usize, kept: &mut Map<String, Value>) {
        let says_nothing = |schema: &Value| *schema == Value::Bool(true) || schema.as_object().is_some_and(Map::is_empty);
        let mut cut: Vec<Value> = Vec::new();
        for branch in branches.as_array().into_iter().flatten() {
            let branch = self.schema(branch, part, depth + 1);
            if !cut.contains(&branch) {
                cut.push(branch);
            }
        }
        let cut = if keyword == "allOf" {
            cut.retain(|branch| !says_nothing(branch));
            cut
        } else if cut.iter().any(says_nothing) {
            Vec::new()
        } else {
            vec![json!({ "anyOf": cut })]
        };
        if cut.is_empty() {
            return;
        }
        if let Value::Array(all) = kept.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) {
            all.extend(cut);
        }
    }

    fn any_binds(&self, schemas: &Value) -> bool {
        schemas.as_array().into_iter().flatten().any(|one| binds_members(self.document, one, 0))
    }
}

/// Puts what `kept` still refers to into its `$defs`: each target by itself, so that none brings along what else
/// stands near it.
fn gather_definitions(document: &Value, kept: &mut Value) {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut waiting = Vec::new();
    let mut definitions = Map::new();
    redirect(kept, &mut names, &mut waiting);
    while let Some((reference, name)) = waiting.pop() {
        let mut definition = target(document, &reference).cloned().unwrap_or(Value::Bool(true));
        if let Value::Object(members) = &mut definition {
            ["$defs", "$schema", "$id"].iter().for_each(|keyword| {
                members.shift_remove(*keyword);
            });
        }
        redirect(&mut definition, &mut names, &mut waiting);
        definitions.insert(name, definition);
    }
    if let (Value::Object(members), false) = (kept, definitions.is_empty()) {
        definitions.sort_keys();
        members.insert("$defs".to_owned(), Value::Object(definitions));
    }
}

/// Lets every reference lead to a definition of its own.
fn redirect(schema: &mut Value, names: &mut BTreeMap<String, String>, waiting: &mut Vec<(String, String)>) {
    walk_mut(schema, &mut |members| {
        let Some(Value::String(reference)) = members.get_mut("$ref") else { return };
        if !names.contains_key(reference.as_str()) {
            let name = free_name(reference, names);
            names.insert(reference.clone(), name.clone());
            waiting.push((reference.clone(), name));
        }
        *reference = format!("#/$defs/{}", names[reference.as_str()]);
    });
}

fn free_name(reference: &str, names: &BTreeMap<String, String>) -> String {
    let last = reference.rsplit('/').next().unwrap_or_default();
    let word: String = last.chars().filter(|one| one.is_ascii_alphanumeric() || "._-".contains(*one)).collect();
    let word = if word.is_empty() { "record".to_owned() } else { word };
    let taken = |name: &str| names.values().any(|known| known == name);
    if !taken(&word) {
        return word;
    }
    (2..).map(|number| format!("{word}.{number}")).find(|name| !taken(name)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Library, RecordSchema};

    fn whole(name: &str) -> Value {
        let library = Library::shipped();
        let schema = RecordSchema::compile(library.get(name).expect("it is shipped"), &library).expect("it compiles");
        Value::clone(schema.document())
    }

    fn fields(names: &[&str]) -> Vec<FieldName> {
        names.iter().map(|name| FieldName::new(name).expect("a field")).collect()
    }

    #[test]
    fn tells_of_the_permitted_fields_and_of_no_other() {
        let cut = cut(&whole("business/company/v1"), &fields(&["tin", "director.pin", "address"]));
        let text = cut.to_string();
        for expected in ["director", "postcode", "represents the company"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        for hidden in
            ["Share capital", "\"capital\"", "director's name", "patronymic", "marital_status", "activities", "legal_form"]
        {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert_eq!(cut["required"], json!(["tin"]));
        assert_eq!(cut["properties"]["director"]["required"], json!(["pin"]));
        let definitions: Vec<_> = cut["$defs"].as_object().expect("some are used").keys().collect();
        assert_eq!(definitions, ["address", "pin"]);
        assert!(RecordSchema::compile(&cut, &Library::default()).is_ok());
    }

    #[test]
    fn branches_do_not_tell_of_other_fields_either() {
        let vehicle = cut(&whole("vehicles/vehicle/v1"), &fields(&["owner.pin", "plate"]));
        assert!(!vehicle.to_string().contains("tin\""), "{vehicle}");
        let benefit = cut(&whole("social/benefit/v1"), &fields(&["status"]));
        assert!(!benefit.to_string().contains("ended_on"), "{benefit}");
        let nothing = cut(&whole("civil/person/v1"), &[]);
        assert_eq!(nothing["properties"], json!({}));
    }

    #[test]
    fn a_document_can_be_put_into_another() {
        let moved = rebased(&cut(&whole("civil/person/v1"), &fields(&["pin"])), "#/components/schemas/x");
        assert_eq!(moved["properties"]["pin"]["$ref"], "#/components/schemas/x/$defs/pin");
        assert!(moved.get("$schema").is_none());
    }
}
