//! A request's template from the manifest, with everything that is wrong with it.

use std::collections::BTreeSet;

use rabita_sdk::Finding;
use rabita_sdk::finding::token;
use rabita_sdk::request::{Piece, Text, WhenNone};
use serde_json::Value;

use super::{Element, Template};
use crate::xml::is_ncname;

/// What the names and placeholders of a template may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope<'a> {
    /// The prefixes that names may have.
    pub(crate) prefixes: BTreeSet<&'a str>,
    pub(crate) places: rabita_sdk::request::Scope<'a>,
}

/// Compiles a template: a map of elements. `pointer` is where it stands.
pub(crate) fn compile(template: &Value, scope: &Scope<'_>, pointer: &str, findings: &mut Vec<Finding>) -> Template {
    let Value::Object(map) = template else {
        findings.push(Finding::new(pointer, "a request is a map with its element: `{ \"prefix:element\": ... }`"));
        return Template::default();
    };
    let mut compiler = Compiler { scope, findings, item_of: None };
    let mut elements = Vec::new();
    for (name, content) in map {
        compiler.member(name, content, &format!("{pointer}/{}", token(name)), &mut elements);
    }
    Template { elements }
}

struct Compiler<'a, 's> {
    scope: &'a Scope<'s>,
    findings: &'a mut Vec<Finding>,
    /// The list that the elements are in.
    item_of: Option<String>,
}

impl Compiler<'_, '_> {
    fn member(&mut self, name: &str, content: &Value, pointer: &str, elements: &mut Vec<Element>) {
        self.name(name, pointer);
        match content {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    elements.extend(self.element(name, item, &format!("{pointer}/{at}")));
                }
            }
            content => elements.extend(self.element(name, content, pointer)),
        }
    }

    fn element(&mut self, name: &str, content: &Value, pointer: &str) -> Option<Element> {
        let mut element = Element { name: name.to_owned(), each: None, attributes: Vec::new(), text: None, children: Vec::new() };
        let Value::Object(map) = content else {
            element.text = self.text(content, pointer, true);
            return Some(element);
        };
        let outer = self.item_of.clone();
        if let Some(group) = map.get("#each") {
            element.each = self.each(group, &format!("{pointer}/#each"));
            self.item_of.clone_from(&element.each);
        }
        for (name, content) in map {
            let pointer = format!("{pointer}/{}", token(name));
            if name == "#each" {
            } else if name == "#text" {
                element.text = self.text(content, &pointer, true);
            } else if let Some(attribute) = name.strip_prefix('@') {
                self.name(attribute, &pointer);
                let text = self.text(content, &pointer, false);
                element.attributes.extend(text.map(|text| (attribute.to_owned(), text)));
            } else {
                self.member(name, content, &pointer, &mut element.children);
            }
        }
        self.item_of = outer;
        Some(element)
    }

    fn each(&mut self, group: &Value, pointer: &str) -> Option<String> {
        let known = || self.scope.places.groups.iter().map(|(name, _)| *name);
        match group.as_str() {
            Some(group) if known().any(|name| name == group) => return Some(group.to_owned()),
            Some(group) => self.findings.push(Finding::unknown(pointer, "group", group, known())),
            None => self.findings.push(Finding::new(pointer, "this is the name of a group, as in `each:` of the mapping")),
        }
        None
    }

    fn text(&mut self, content: &Value, pointer: &str, in_element: bool) -> Option<Text> {
        let text = match content {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => content.to_string().replace('{', "{{").replace('}', "}}"),
            Value::Array(_) | Value::Object(_) => {
                self.findings.push(Finding::new(pointer, "this is text"));
                return None;
            }
        };
        let text = match Text::parse(&text) {
            Ok(text) => text,
            Err(message) => {
                self.findings.push(Finding::new(pointer, message));
                return None;
            }
        };
        let says_nil = |text: &Text| text.0.iter().any(|piece| matches!(piece, Piece::Value { when_none: WhenNone::Nil, .. }));
        if says_nil(&text) && !(in_element && text.only().is_some()) {
            self.findings.push(Finding::new(pointer, "`!nil` is for an element with nothing else in it"));
        }
        for word in text.words() {
            self.findings.extend(self.scope.places.unknown(word, self.item_of.as_deref(), pointer));
        }
        Some(text)
    }

    fn name(&mut self, name: &str, pointer: &str) {
        if let Some(finding) = wrong_name(name, &self.scope.prefixes, pointer) {
            self.findings.push(finding);
        }
    }
}

/// What is wrong with the name of an element or attribute, if anything is.
fn wrong_name(name: &str, prefixes: &BTreeSet<&str>, pointer: &str) -> Option<Finding> {
    let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
    if !is_ncname(local) || prefix.is_some_and(|prefix| !is_ncname(prefix)) {
        return Some(Finding::at_name(pointer, format!("`{name}` is no name of an element or attribute")));
    }
    let prefix = prefix.filter(|prefix| *prefix != "xml" && !prefixes.contains(prefix))?;
    let mut finding = Finding::unknown(pointer, "prefix in `namespaces`", prefix, prefixes.iter().copied());
    finding.at_name = true;
    Some(finding)
}
