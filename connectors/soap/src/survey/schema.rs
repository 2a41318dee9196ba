//! XML Schemas, as far as they say what elements hold.

use std::collections::HashMap;

use rabita_sdk::survey::{ClosedList, ListedCode, SurveyedColumn, ValueType};
use roxmltree::{Document, Node};

use super::description::XSD;

/// Elements within elements, at most: types can hold themselves.
const DEPTH: usize = 8;

/// The elements and types of all schemas, by namespace and name.
pub(super) struct Schemas<'a, 'b> {
    elements: HashMap<(String, String), Node<'a, 'b>>,
    types: HashMap<(String, String), Node<'a, 'b>>,
}

/// An element.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// None for a local element that is not qualified.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// The name of its type, where that has one.
    pub(super) type_name: Option<String>,
    pub(super) is_list: bool,
    pub(super) is_optional: bool,
    pub(super) comment: Option<String>,
    /// What its text is; none for an element with children alone.
    pub(super) text: Option<Simple>,
    pub(super) attributes: Vec<(String, Simple, bool)>,
    pub(super) children: Vec<Part>,
}

/// A text's type.
#[derive(Debug, Clone)]
pub(super) struct Simple {
    pub(super) value: ValueType,
    pub(super) legacy: String,
    pub(super) closed: Option<ClosedList>,
    pub(super) pattern: Option<String>,
}

impl Part {
    /// Whether it holds nothing but a text.
    pub(super) fn is_simple(&self) -> bool {
        self.children.is_empty() && self.attributes.is_empty()
    }
}

impl<'a, 'b> Schemas<'a, 'b> {
    pub(super) fn of(documents: &'a [Document<'b>]) -> Self {
        let mut schemas = Self { elements: HashMap::new(), types: HashMap::new() };
        let roots =
            documents.iter().flat_map(|document| document.descendants()).filter(|node| node.has_tag_name((XSD, "schema")));
        for schema in roots {
            let namespace = schema.attribute("targetNamespace").unwrap_or_default().to_owned();
            for node in schema.children().filter(Node::is_element) {
                let Some(name) = node.attribute("name") else { continue };
                let key = (namespace.clone(), name.to_owned());
                match node.tag_name().name() {
                    "element" => schemas.elements.insert(key, node),
                    "complexType" | "simpleType" => schemas.types.insert(key, node),
                    _ => None,
                };
            }
        }
        schemas
    }

    /// The element that a name with a prefix means where it stands.
    pub(super) fn element_named(&self, place: Node<'_, '_>, name: &str) -> Option<Part> {
        let key = key(place, name);
        self.elements.get(&key).map(|node| self.element(*node, 0))
    }

    fn element(&self, node: Node<'a, 'b>, depth: usize) -> Part {
        if let Some(reference) = node.attribute("ref")
            && let Some(found) = self.elements.get(&key(node, reference)).filter(|_| depth < DEPTH)
        {
            let mut part = self.element(*found, depth + 1);
            (part.is_list, part.is_optional) = occurrence(node);
            return part;
        }
        let schema = node.ancestors().find(|own| own.has_tag_name((XSD, "schema")));
        let is_global = node.parent() == schema;
        let is_qualified = match node.attribute("form") {
            Some(form) => form == "qualified",
            None => is_global || schema.and_then(|schema| schema.attribute("elementFormDefault")) == Some("qualified"),
        };
        let namespace = schema.and_then(|schema| schema.attribute("targetNamespace")).filter(|_| is_qualified).map(str::to_owned);
        let (is_list, is_optional) = occurrence(node);
        let mut part = Part {
            namespace,
            name: node.attribute("name").unwrap_or_default().to_owned(),
            type_name: node.attribute("type").map(|name| key(node, name).1),
            is_list,
            is_optional: is_optional || node.attribute("nillable") == Some("true"),
            comment: documentation(node),
            text: None,
            attributes: Vec::new(),
            children: Vec::new(),
        };
        if depth < DEPTH {
            self.fill(&mut part, node, depth);
        }
        part
    }

    /// What the element's type says.
    fn fill(&self, part: &mut Part, node: Node<'a, 'b>, depth: usize) {
        match node.attribute("type") {
            Some(name) => match self.types.get(&key(node, name)) {
                Some(found) => self.typed(part, *found, depth),
                None => part.text = Some(built_in(name)),
            },
            None => match node
                .children()
                .find(|child| child.has_tag_name((XSD, "complexType")) || child.has_tag_name((XSD, "simpleType")))
            {
                Some(own) => self.typed(part, own, depth),
                None => part.text = Some(built_in("string")),
            },
        }
    }

    fn typed(&self, part: &mut Part, node: Node<'a, 'b>, depth: usize) {
        if node.has_tag_name((XSD, "simpleType")) {
            part.text = Some(self.simple(node, 0));
        } else {
            self.content(part, node, false, depth);
        }
    }

    fn content(&self, part: &mut Part, node: Node<'a, 'b>, is_choice: bool, depth: usize) {
        for child in node.children().filter(|child| child.tag_name().namespace() == Some(XSD)) {
            match child.tag_name().name() {
                "element" => {
                    let mut inner = self.element(child, depth + 1);
                    inner.is_optional |= is_choice;
                    part.children.push(inner);
                }
                "sequence" | "all" | "complexContent" => self.content(part, child, is_choice, depth),
                "choice" => self.content(part, child, true, depth),
                "extension" | "restriction" => self.extended(part, child, is_choice, depth),
                "simpleContent" => {
                    part.text = Some(built_in("string"));
                    self.content(part, child, is_choice, depth);
                }
                "attribute" => self.attribute(part, child),
                _ => {}
            }
        }
    }

    /// What a base type has, and then what is added to it.
    fn extended(&self, part: &mut Part, node: Node<'a, 'b>, is_choice: bool, depth: usize) {
        if let Some(base) = node.attribute("base") {
            match self.types.get(&key(node, base)) {
                Some(found) if depth < DEPTH && node.has_tag_name((XSD, "extension")) => {
                    let mut inherited = part.clone();
                    self.typed(&mut inherited, *found, depth + 1);
                    *part = inherited;
                }
                None if part.text.is_some() => part.text = Some(built_in(base)),
                _ => {}
            }
        }
        self.content(part, node, is_choice, depth);
    }

    fn attribute(&self, part: &mut Part, node: Node<'a, 'b>) {
        let Some(name) = node.attribute("name") else { return };
        let simple = match node.attribute("type") {
            Some(word) => self.types.get(&key(node, word)).map_or_else(|| built_in(word), |found| self.simple(*found, 0)),
            None => node
                .children()
                .find(|child| child.has_tag_name((XSD, "simpleType")))
                .map_or_else(|| built_in("string"), |found| self.simple(found, 0)),
        };
        part.attributes.push((name.to_owned(), simple, node.attribute("use") == Some("required")));
    }

    fn simple(&self, node: Node<'a, 'b>, hops: usize) -> Simple {
        let Some(restriction) = node.children().find(|child| child.has_tag_name((XSD, "restriction"))) else {
            return built_in("string");
        };
        let base = restriction.attribute("base").unwrap_or("string");
        let mut simple = match self.types.get(&key(restriction, base)).filter(|_| hops < DEPTH) {
            Some(found) => self.simple(*found, hops + 1),
            None => built_in(base),
        };
        let mut codes = Vec::new();
        for facet in restriction.children().filter(|child| child.tag_name().namespace() == Some(XSD)) {
            let value = facet.attribute("value").unwrap_or_default();
            match facet.tag_name().name() {
                "enumeration" => codes.push(ListedCode { code: value.to_owned(), meaning: documentation(facet) }),
                "maxLength" | "length" => {
                    if let ValueType::Text { max, .. } = &mut simple.value {
                        *max = value.parse().ok();
                    }
                }
                // A pattern of XML Schema always means the whole text.
                "pattern" => simple.pattern = Some(format!("^(?:{value})$")),
                _ => {}
            }
        }
        if !codes.is_empty() {
            simple.closed = Some(ClosedList { name: node.attribute("name").map(str::to_owned), codes });
        }
        simple
    }
}

/// Whether an element is a list, and whether it may be left out.
fn occurrence(node: Node<'_, '_>) -> (bool, bool) {
    let most = node.attribute("maxOccurs").unwrap_or("1");
    (most != "1" && most != "0", node.attribute("minOccurs") == Some("0"))
}

/// The namespace and the name that a name with a prefix means.
fn key(place: Node<'_, '_>, name: &str) -> (String, String) {
    let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
    (place.lookup_namespace_uri(prefix).unwrap_or_default().to_owned(), local.to_owned())
}

fn documentation(node: Node<'_, '_>) -> Option<String> {
    let annotation = node.children().find(|child| child.has_tag_name((XSD, "annotation")))?;
    let text = annotation.children().find(|child| child.has_tag_name((XSD, "documentation")))?.text()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

fn built_in(name: &str) -> Simple {
    let local = name.rsplit(':').next().unwrap_or(name);
    let value = match local {
        "boolean" => ValueType::Boolean,
        "int" | "integer" | "long" | "short" | "byte" | "nonNegativeInteger" | "positiveInteger" | "negativeInteger"
        | "nonPositiveInteger" | "unsignedLong" | "unsignedInt" | "unsignedShort" | "unsignedByte" => {
            ValueType::Integer { digits: None }
        }
        "decimal" => ValueType::Decimal { precision: None, scale: None },
        "float" | "double" => ValueType::Float,
        "date" => ValueType::Date,
        "dateTime" => ValueType::Timestamp { zoned: false },
        "base64Binary" => ValueType::Bytes,
        _ => ValueType::Text { max: None, fixed: false },
    };
    Simple { value, legacy: format!("xsd:{local}"), closed: None, pattern: None }
}

/// The columns of a record, and the elements in it that are lists.
pub(super) fn columns(record: &Part) -> (Vec<SurveyedColumn>, Vec<String>) {
    let mut found = (Vec::new(), Vec::new());
    add_columns(record, "", true, &mut found.0, &mut found.1);
    found
}

fn add_columns(part: &Part, before: &str, is_sure: bool, columns: &mut Vec<SurveyedColumn>, lists: &mut Vec<String>) {
    let at = |name: &str| if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
    for (name, simple, required) in &part.attributes {
        columns.push(column(&at(&format!("@{name}")), simple, None, !(is_sure && *required)));
    }
    if let (Some(text), false) = (&part.text, part.is_simple()) {
        columns.push(column(&at("#text"), text, part.comment.as_ref(), true));
    }
    for child in &part.children {
        let source = at(&child.name);
        let is_sure = is_sure && !child.is_optional;
        match (child.is_list, child.is_simple()) {
            (false, true) => columns.push(column(
                &source,
                &child.text.clone().unwrap_or_else(|| built_in("string")),
                child.comment.as_ref(),
                !is_sure,
            )),
            (false, false) => add_columns(child, &source, is_sure, columns, lists),
            (true, true) => {
                let simple = child.text.clone().unwrap_or_else(|| built_in("string"));
                let mut list = column(&source, &simple, child.comment.as_ref(), true);
                list.value = ValueType::List(Box::new(simple.value));
                lists.push(source);
                columns.push(list);
            }
            (true, false) => {
                let (items, _) = self::columns(child);
                let mut group = column(&source, &built_in("string"), child.comment.as_ref(), true);
                group.value = ValueType::Group(items);
                columns.push(group);
            }
        }
    }
}

fn column(source: &str, simple: &Simple, comment: Option<&String>, nullable: bool) -> SurveyedColumn {
    SurveyedColumn {
        as_text: true,
        comment: comment.cloned(),
        nullable,
        closed: simple.closed.clone(),
        pattern: simple.pattern.clone(),
        ..SurveyedColumn::new(source, simple.value.clone(), &simple.legacy)
    }
}
