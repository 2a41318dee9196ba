//! A document read into legacy values, without ever holding more than it has to.

use std::collections::HashMap;
use std::sync::Arc;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};
use rabita_sdk::{Legacy, Row};

use super::{XSI, is_carried};

/// What a document may have at most. Real answers stay far below; hostile ones must not cost much.
const DEPTH_MAX: usize = 64;
const NODES_MAX: usize = 500_000;
const ATTRIBUTES_MAX: usize = 256;
const NAMES_MAX: usize = 1024;

/// What elements and attributes are called in rows: by their local name, or by a name of our own where the namespace
/// was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<String, HashMap<String, Arc<str>>>);

impl Names {
    /// Calls the element of this namespace and local name so.
    pub(crate) fn call(&mut self, uri: &str, local: &str, name: &str) {
        self.0.entry(uri.to_owned()).or_default().insert(local.to_owned(), name.into());
    }

    fn of(&self, namespace: &ResolveResult<'_>, local: &str) -> Result<Arc<str>, Unreadable> {
        let Namespace(uri) = match namespace {
            ResolveResult::Unbound => return Ok(local.into()),
            ResolveResult::Unknown(_) => return Err(Unreadable::IllFormed("an undeclared namespace prefix")),
            ResolveResult::Bound(namespace) => *namespace,
        };
        let uri = unescape(uri).map_err(|_| Unreadable::IllFormed("a namespace with an unknown entity"))?;
        Ok(self.0.get(uri.as_ref()).and_then(|locals| locals.get(local)).map_or_else(|| local.into(), Arc::clone))
    }
}

/// The document's element.
#[derive(Debug, PartialEq)]
pub(crate) struct Root {
    pub(crate) name: Arc<str>,
    pub(crate) value: Legacy,
}

/// Why a document can't be read. Says where in XML's terms, never what stood there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("its encoding is unknown")]
    UnknownEncoding,
    #[error("it has bytes that are not {0}")]
    NotInEncoding(&'static str),
    #[error("it has a document type declaration, which is never read")]
    Doctype,
    #[error("it refers to an entity other than the five predefined")]
    Entity,
    #[error("it is not well-formed: {0}")]
    IllFormed(&'static str),
    #[error("it has more {0} than are read")]
    TooMuch(&'static str),
}

/// Reads a document.
///
/// An element with neither attributes nor elements in it is text, also when it is empty; one with `xsi:nil` is null;
/// any other is a group with the attributes as `@name`, the elements, and its own text as `#text`. Elements of one
/// name are a list. Attributes of XML's own (`xmlns`, `xsi:...`) are left out, comments and instructions too.
///
/// # Errors
/// When it is not well-formed, has a document type declaration, or is larger than anything sensible.
pub(crate) fn read(text: &str, names: &Names) -> Result<Root, Unreadable> {
    if !text.chars().all(is_carried) {
        return Err(Unreadable::IllFormed("a character that XML can't carry"));
    }
    let mut reader = NsReader::from_str(text.trim_start());
    reader.config_mut().check_end_names = true;
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Tree { names, open: Vec::new(), root: None, nodes: 0 };
    loop {
        let event = reader.read_event().map_err(|_| Unreadable::IllFormed("broken markup"))?;
        match event {
            Event::Start(start) => tree.open(&start, reader.resolver())?,
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.text(&text.xml10_content())?,
            Event::CData(text) => tree.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => tree.reference(&reference)?,
            Event::DocType(_) => return Err(Unreadable::Doctype),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if !tree.open.is_empty() {
        return Err(Unreadable::IllFormed("it ends too early"));
    }
    tree.root.ok_or(Unreadable::IllFormed("it has no element"))
}

struct Tree<'a> {
    names: &'a Names,
    open: Vec<Open>,
    root: Option<Root>,
    nodes: usize,
}

/// An element whose end has not come yet.
struct Open {
    name: Arc<str>,
    row: Row,
    text: String,
    is_nil: bool,
    has_elements: bool,
}

impl Tree<'_> {
    fn open(&mut self, start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<(), Unreadable> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(Unreadable::IllFormed("something after its end"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Unreadable::TooMuch("elements within each other"));
        }
        self.count()?;
        let (namespace, local) = resolver.resolve_element(start.name());
        let name = self.names.of(&namespace, local.as_ref())?;
        let mut element = Open { name, row: Row::new(), text: String::new(), is_nil: false, has_elements: false };
        for (at, attribute) in start.attributes().enumerate() {
            if at >= ATTRIBUTES_MAX {
                return Err(Unreadable::TooMuch("attributes on one element"));
            }
            self.count()?;
            let attribute = attribute.map_err(|_| Unreadable::IllFormed("broken or repeated attributes"))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Unreadable::Entity)?.into_owned();
            if !value.chars().all(is_carried) {
                return Err(Unreadable::IllFormed("a character that XML can't carry"));
            }
            let (namespace, local) = resolver.resolve_attribute(attribute.key);
            if is_xsi(&namespace) {
                element.is_nil |= local.as_ref() == "nil" && matches!(value.trim(), "true" | "1");
                continue;
            }
            let name = format!("@{}", self.names.of(&namespace, local.as_ref())?);
            if element.row.get(&name).is_none() {
                element.row.push(name, Legacy::Text(value));
            }
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let element = self.open.pop().ok_or(Unreadable::IllFormed("an end without a beginning"))?;
        let name = Arc::clone(&element.name);
        let value = element.finish();
        match self.open.last_mut() {
            Some(parent) => parent.add(name, value),
            None => {
                self.root = Some(Root { name, value });
                Ok(())
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Unreadable::IllFormed("text outside of its element")),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Unreadable> {
        let character = reference.resolve_char_ref().map_err(|_| Unreadable::IllFormed("a broken character reference"))?;
        match character {
            Some(character) if is_carried(character) => self.text(character.encode_utf8(&mut [0; 4])),
            Some(_) => Err(Unreadable::IllFormed("a character that XML can't carry")),
            None => self.text(resolve_predefined_entity(reference).ok_or(Unreadable::Entity)?),
        }
    }

    const fn count(&mut self) -> Result<(), Unreadable> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { Err(Unreadable::TooMuch("elements and attributes")) } else { Ok(()) }
    }
}

/// Whether an attribute is of XML Schema. Widespread libraries write `xsi:nil` without ever declaring the prefix.
fn is_xsi(namespace: &ResolveResult<'_>) -> bool {
    match namespace {
        ResolveResult::Bound(Namespace(uri)) => *uri == XSI,
        ResolveResult::Unknown(prefix) => prefix == "xsi",
        ResolveResult::Unbound => false,
    }
}

impl Open {
    fn add(&mut self, name: Arc<str>, value: Legacy) -> Result<(), Unreadable> {
        self.has_elements = true;
        let names = self.row.len();
        match self.row.get_mut(&name) {
            // An element is never a list by itself, so that a list here is one of elements of this name.
            Some(Legacy::List(items)) => items.push(value),
            Some(first) => *first = Legacy::List(vec![std::mem::take(first), value]),
            None if names >= NAMES_MAX => return Err(Unreadable::TooMuch("names within one element")),
            None => self.row.push(name, value),
        }
        Ok(())
    }

    fn finish(mut self) -> Legacy {
        if self.is_nil {
            return Legacy::Null;
        }
        if self.row.is_empty() {
            return Legacy::Text(self.text);
        }
        if !self.has_elements || !self.text.trim().is_empty() {
            self.row.push("#text", Legacy::Text(self.text));
        }
        Legacy::Group(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(xml: &str) -> String {
        let root = read(xml, &Names::default()).expect("a document");
        serde_json::to_string(&root.value).expect("JSON")
    }

    fn fault(xml: &str) -> Unreadable {
        read(xml, &Names::default()).expect_err("no document")
    }

    #[test]
    fn reads_elements_attributes_text_lists_and_nil() {
        let xml = r#"<?xml version="1.0"?><!-- c --><p xmlns:i="http://www.w3.org/2001/XMLSchema-instance" id="7">
            <pin>A<![CDATA[<&>]]>&amp;&#x18F;<?pi x?></pin><phone kind="home">1</phone><phone>2</phone>
            <died i:nil="true"/><notes/><born i:type="date">1980</born><tag a=""/></p>"#;
        assert_eq!(
            json(xml),
            r##"{"@id":"7","pin":"A<&>&Ə","phone":[{"@kind":"home","#text":"1"},"2"],"died":null,"notes":"","born":"1980","tag":{"@a":"","#text":""}}"##
        );
    }

    #[test]
    fn knows_nil_where_its_prefix_was_never_declared_but_no_other_such_name() {
        assert_eq!(json("<a><b xsi:nil='true'/></a>"), r#"{"b":null}"#);
        assert_eq!(json("<a xmlns:xsi='urn:other'><b xsi:nil='true'/></a>"), r##"{"b":{"@nil":"true","#text":""}}"##);
        assert!(matches!(fault("<a><xsi:b/></a>"), Unreadable::IllFormed(_)));
    }

    #[test]
    fn keeps_the_blanks_of_a_text_and_the_text_beside_elements() {
        assert_eq!(json("<a> b\r\n\t</a>"), r#"" b\n\t""#);
        assert_eq!(json("<a>x<b>y</b>z</a>"), r##"{"b":"y","#text":"xz"}"##);
    }

    #[test]
    fn calls_elements_by_namespace_where_it_was_asked_for_whatever_the_prefix() {
        let mut names = Names::default();
        names.call("urn:one&two", "id", "t:id");
        let xml = r#"<a xmlns:x="urn:one&amp;two" xmlns="urn:other"><x:id>1</x:id><id>2</id></a>"#;
        let root = read(xml, &names).expect("a document");
        assert_eq!(serde_json::to_string(&root.value).expect("JSON"), r#"{"t:id":"1","id":"2"}"#);
    }

    #[test]
    fn refuses_document_types_before_any_entity_can_be_declared() {
        let laughs = r#"<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>"#;
        assert_eq!(fault(laughs), Unreadable::Doctype);
        assert_eq!(fault(r#"<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>"#), Unreadable::Doctype);
        assert_eq!(fault(r#"<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///x">]><r>&x;</r>"#), Unreadable::Doctype);
        assert_eq!(fault("<r>&nbsp;</r>"), Unreadable::Entity);
        assert_eq!(fault("<r a='&x;'/>"), Unreadable::Entity);
    }

    #[test]
    fn refuses_what_is_too_deep_too_wide_or_too_much() {
        assert_eq!(fault(&"<a>".repeat(100_000)), Unreadable::TooMuch("elements within each other"));
        let attributes: String = (0..300).map(|n| format!(" a{n}='x'")).collect();
        assert_eq!(fault(&format!("<a{attributes}/>")), Unreadable::TooMuch("attributes on one element"));
        let names: String = (0..2000).map(|n| format!("<a{n}/>")).collect();
        assert_eq!(fault(&format!("<a>{names}</a>")), Unreadable::TooMuch("names within one element"));
        assert_eq!(fault(&format!("<a>{}</a>", "<b/>".repeat(500_001))), Unreadable::TooMuch("elements and attributes"));
    }

    #[test]
    fn takes_a_huge_attribute_and_a_huge_text() {
        let huge = "x".repeat(2_000_000);
        assert_eq!(json(&format!("<a b='{huge}'>{huge}</a>")).len(), 2 * huge.len() + r##"{"@b":"","#text":""}"##.len());
    }

    #[test]
    fn refuses_whatever_is_not_well_formed() {
        for xml in [
            "",
            "  ",
            "text",
            "<a>",
            "<a><b></a>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a b/>",
            "<a>&#0;</a>",
            "<a>&#1;</a>",
            "<a>&#xD800;</a>",
            "<a>&amp</a>",
            "<a>\u{1}</a>",
            "<a b='&#1;'/>",
            "<x:a/>",
            "<a x:b='1'/>",
            "<a",
            "<a><!-- ",
            "<a><![CDATA[x</a>",
            "<a>x",
            "<html><body><br></body></html>",
        ] {
            assert!(matches!(fault(xml), Unreadable::IllFormed(_) | Unreadable::Entity), "{xml}");
        }
    }
}
