//! What still holds of a record of which only some fields are left.
//!
//! The *partial variant* of a schema drops, on the levels that a selection can thin out, what binds several members
//! at once. Its law: when a record satisfies the schema, every selection of the record satisfies the variant. What is
//! required goes into a tree instead, to be asked for within the selection. So no schema is compiled per request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::SchemaProblem;
use crate::document::{DEPTH_MAX, binds_members, referred, stated_types, walk, walk_mut};
use crate::selected::Part;

/// The most members that the tree of required members may have.
const NODES_MAX: usize = 20_000;

/// Keywords that bind several members of an object at once, and are dropped.
const DROPPED: &[&str] = &["dependentRequired", "dependentSchemas", "else", "if", "minProperties", "required", "then"];

/// The partial variant of a self-contained document.
pub(crate) fn variant(document: &Value) -> Value {
    let document = &with_root_as_definition(document);
    let mut thinner = Thinner { document, copies: BTreeMap::new(), definitions: Map::new() };
    let mut whole = thinner.thinned(document);
    if let Value::Object(members) = &mut whole {
        let definitions = members.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(definitions) = definitions {
            definitions.extend(thinner.definitions);
        }
    }
    whole
}

/// The document with every reference leading into `$defs`, where nothing is thinned out.
fn with_root_as_definition(document: &Value) -> Value {
    const ROOT: &str = "partial.root";
    const DEFINITIONS: &str = "#/$defs/";
    let mut outside = false;
    walk(document, "", &mut |schema, _| {
        outside |= schema.get("$ref").and_then(Value::as_str).is_some_and(|reference| !reference.starts_with(DEFINITIONS));
    });
    let mut changed = document.clone();
    if !outside {
        return changed;
    }
    walk_mut(&mut changed, &mut |schema| {
        let Some(Value::String(reference)) = schema.get_mut("$ref") else { return };
        if !reference.starts_with(DEFINITIONS) {
            *reference = format!("{DEFINITIONS}{ROOT}{}", reference.trim_start_matches('#'));
        }
    });
    let mut root = changed.clone();
    if let (Value::Object(root), Value::Object(members)) = (&mut root, &mut changed) {
        ["$defs", "$schema", "$id"].iter().for_each(|keyword| {
            root.shift_remove(*keyword);
        });
        let definitions = members.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(definitions) = definitions {
            definitions.insert(ROOT.to_owned(), Value::Object(root.clone()));
        }
    }
    changed
}

struct Thinner<'a> {
    document: &'a Value,
    /// The thinned copy that stands for the target of a reference.
    copies: BTreeMap<String, String>,
    definitions: Map<String, Value>,
}

impl Thinner<'_> {
    fn thinned(&mut self, schema: &Value) -> Value {
        let Value::Object(members) = schema else { return schema.clone() };
        // What these evaluate is dropped with them, so "all that is unevaluated" would be more than before.
        let evaluates_less = ["if", "dependentSchemas"].iter().any(|keyword| members.contains_key(*keyword));
        let mut kept = Map::new();
        for (keyword, value) in members {
            match keyword.as_str() {
                dropped if DROPPED.contains(&dropped) => {}
                "unevaluatedProperties" if evaluates_less => {}
                "not" if binds_members(self.document, value, 0) => {}
                "const" | "enum" if self.has_objects(value) => {}
                "$ref" => {
                    kept.insert(keyword.clone(), self.reference(value));
                }
                // More than one branch can fit what is left of a record.
                "oneOf" if self.any_binds(value) => {
                    let branches = serde_json::json!({ "anyOf": self.list(value) });
                    let all = kept.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(all) = all {
                        all.push(branches);
                    }
                }
                "allOf" => {
                    let more = self.list(value);
                    match kept.get_mut("allOf") {
                        Some(Value::Array(all)) => all.extend(more),
                        _ => {
                            kept.insert(keyword.clone(), Value::Array(more));
                        }
                    }
                }
                "anyOf" => {
                    kept.insert(keyword.clone(), Value::Array(self.list(value)));
                }
                "properties" | "patternProperties" => {
                    let named = value.as_object().into_iter().flatten();
                    let thin = named.map(|(name, one)| (name.clone(), self.thinned(one))).collect();
                    kept.insert(keyword.clone(), Value::Object(thin));
                }
                "additionalProperties" | "unevaluatedProperties" => {
                    kept.insert(keyword.clone(), self.thinned(value));
                }
                _ => {
                    kept.insert(keyword.clone(), value.clone());
                }
            }
        }
        Value::Object(kept)
    }

    fn list(&mut self, schemas: &Value) -> Vec<Value> {
        schemas.as_array().into_iter().flatten().map(|one| self.thinned(one)).collect()
    }

    /// A reference to the thinned copy of what `reference` leads to.
    fn reference(&mut self, reference: &Value) -> Value {
        let Some(text) = reference.as_str() else { return reference.clone() };
        let Some(target) = crate::document::target(self.document, text) else { return reference.clone() };
        if !binds_members(self.document, target, 0) {
            return reference.clone();
        }
        if !self.copies.contains_key(text) {
            // Known before it is made, so that a schema that refers to itself comes to an end.
            let name = format!("partial.{}", self.copies.len());
            self.copies.insert(text.to_owned(), name.clone());
            let mut copy = self.thinned(target);
            if let Value::Object(members) = &mut copy {
                ["$defs", "$schema", "$id"].iter().for_each(|keyword| {
                    members.shift_remove(*keyword);
                });
            }
            self.definitions.insert(name, copy);
        }
        Value::String(format!("#/$defs/{}", self.copies[text]))
    }

    fn any_binds(&self, schemas: &Value) -> bool {
        schemas.as_array().into_iter().flatten().any(|one| binds_members(self.document, one, 0))
    }

    fn has_objects(&self, value: &Value) -> bool {
        value.is_object() || value.as_array().is_some_and(|values| values.iter().any(Value::is_object))
    }
}

/// The required members of an object and of what lies within it.
#[derive(Debug, Default)]
pub(crate) struct Required {
    /// Whether it can be nothing but an object.
    is_object: bool,
    names: Vec<Box<str>>,
    within: Vec<(Box<str>, Required)>,
}

impl Required {
    /// The tree of a self-contained document, or of a part of it.
    pub(crate) fn of(document: &Value, schema: &Value) -> Result<Self, SchemaProblem> {
        let mut budget = NODES_MAX;
        let mut root = Self::default();
        root.learn(document, schema, &mut Vec::new(), &mut budget)
            .ok_or_else(|| SchemaProblem::at("", format!("has more than {NODES_MAX} members, references followed")))?;
        root.prune();
        Ok(root)
    }

    /// Whether all that is required of `object` within the selection is there; `missing` gets the path of each that
    /// is not, and says whether to go on.
    pub(crate) fn check<'a>(
        &'a self,
        part: &Part,
        object: &Map<String, Value>,
        path: &mut Vec<&'a str>,
        missing: &mut impl FnMut(&[&str]) -> bool,
    ) -> bool {
        for name in &self.names {
            if !object.contains_key(&**name) && part.get(name).is_some_and(|part| self.demands(name, part)) {
                path.push(name);
                let goes_on = missing(path);
                path.pop();
                if !goes_on {
                    return false;
                }
            }
        }
        for (name, within) in &self.within {
            if let (Some(part), Some(Value::Object(object))) = (part.get(name), object.get(&**name)) {
                path.push(name);
                let goes_on = within.check(part, object, path, missing);
                path.pop();
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }

    /// Whether a required member of which `part` is selected must be there. One that is selected in part must be if
    /// something that is selected is required in it.
    pub(crate) fn demands(&self, name: &str, part: &Part) -> bool {
        *part == Part::Whole
            || self.child(name).is_some_and(|child| {
                child.is_object && child.names.iter().any(|name| part.get(name).is_some_and(|part| child.demands(name, part)))
            })
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.within.iter().find(|(known, _)| &**known == name).map(|(_, child)| child)
    }

    /// `None` when the budget is used up.
    fn learn<'a>(
        &mut self,
        document: &'a Value,
        schema: &'a Value,
        followed: &mut Vec<&'a str>,
        budget: &mut usize,
    ) -> Option<()> {
        let Value::Object(members) = schema else { return Some(()) };
        *budget = budget.checked_sub(1)?;
        if stated_types(members).is_some_and(|types| types == ["object"]) {
            self.is_object = true;
        }
        for name in members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !self.names.iter().any(|known| &**known == name) {
                self.names.push(name.into());
            }
        }
        for (name, one) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let place = self.within.iter().position(|(known, _)| **known == **name).unwrap_or_else(|| {
                self.within.push((name.as_str().into(), Self::default()));
                self.within.len() - 1
            });
            self.within[place].1.learn(document, one, followed, budget)?;
        }
        for one in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.learn(document, one, followed, budget)?;
        }
        let reference = members.get("$ref").and_then(Value::as_str);
        if let (Some(reference), Some(target)) = (reference, referred(document, members))
            && !followed.contains(&reference)
            && followed.len() < DEPTH_MAX
        {
            followed.push(reference);
            let learned = self.learn(document, target, followed, budget);
            followed.pop();
            learned?;
        }
        Some(())
    }

    /// Drops what asks for nothing, so that the check has less to walk.
    fn prune(&mut self) {
        for (_, child) in &mut self.within {
            child.prune();
        }
        self.within.retain(|(_, child)| !child.names.is_empty() || !child.within.is_empty());
    }
}
