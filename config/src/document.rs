//! A YAML document as JSON, with the place of everything in it.
//!
//! YAML 1.2: an unquoted `NO` is text. Aliases are allowed within a budget, so that a small file cannot grow large.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, budget::Budget};

use rabita_model::Rule;
use rabita_sdk::finding::token;

use crate::report::Located;

/// A document that was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file, relative to the configuration directory.
    pub file: PathBuf,
    /// The text, to show lines of it.
    pub text: String,
    /// What it says.
    pub value: Value,
    places: HashMap<String, Place>,
}

/// Where a value stands, and where its name does. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy)]
struct Place {
    value: (u64, u64),
    name: Option<(u64, u64)>,
}

/// More than any configuration needs, and few enough that an alias bomb ends at once.
const NODES_MAX: usize = 200_000;

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When the text is no YAML, with the place.
    pub fn read(file: &Path, text: String) -> Result<Self, Box<Located>> {
        let mut budget = Budget::default();
        budget.max_nodes = NODES_MAX;
        let options = serde_saphyr::options! { strict_booleans: true, budget: Some(budget) };
        let node: Result<Node, _> = serde_saphyr::from_str_with_options(&text, options);
        match node {
            Ok(node) => {
                let mut places = HashMap::new();
                let value = node.place(String::new(), None, &mut places);
                Ok(Self { file: file.to_owned(), text, value, places })
            }
            Err(error) => {
                let at = error.location().map_or((1, 1), |at| (at.line(), at.column()));
                let message = plain(&error.without_snippet().to_string());
                Err(Box::new(Located::error(Rule::DocumentUnreadable, file, at, message).with_line(&text)))
            }
        }
    }

    /// The line and the column of a value, or of its name; of what holds it where it is not there.
    #[must_use]
    pub fn locate(&self, pointer: &str, at_name: bool) -> (u64, u64) {
        let mut pointer = pointer;
        let mut at_name = at_name;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return if at_name { place.name.unwrap_or(place.value) } else { place.value };
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return (1, 1),
            }
            // What is missing is best shown at the name of what should hold it.
            at_name = true;
        }
    }
}

/// The error in words for whoever writes the document, without the place, which the report gives.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let first = first.strip_prefix("error: ").unwrap_or(first);
    if first.starts_with("budget breached") {
        return format!("the document is too large: with all that its aliases stand for, it has more than {NODES_MAX} values");
    }
    if let Some(name) = first.strip_prefix("duplicate mapping key: ") {
        let name = name.split(", set ").next().unwrap_or(name);
        return format!("`{name}` is given twice");
    }
    if first.starts_with("multiple YAML documents") {
        return "a second document begins here, and a file has one: take `---` away, or move what follows to a file of its own"
            .to_owned();
    }
    if first.strip_prefix("invalid ").is_some_and(|kind| !kind.contains(' ')) {
        return "the value is not what its tag (`!!`) says: leave the tag out".to_owned();
    }
    match first.rfind(" at line ") {
        Some(end) => first[..end].to_owned(),
        None => first.to_owned(),
    }
}

struct Node(Spanned<Kind>);

enum Kind {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl Node {
    fn place(self, pointer: String, name: Option<(u64, u64)>, places: &mut HashMap<String, Place>) -> Value {
        let at = (self.0.referenced.line(), self.0.referenced.column());
        let value = match self.0.value {
            Kind::Scalar(value) => value,
            Kind::List(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(items.map(|(at, item)| item.place(format!("{pointer}/{at}"), None, places)).collect())
            }
            Kind::Map(members) => {
                let mut map = Map::new();
                for (name, node) in members {
                    let at = (name.referenced.line(), name.referenced.column());
                    let value = node.place(format!("{pointer}/{}", token(&name.value)), Some(at), places);
                    map.insert(name.value, value);
                }
                Value::Object(map)
            }
        };
        places.insert(pointer, Place { value: at, name });
        value
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyKind)
    }
}

struct AnyKind;

impl<'de> Visitor<'de> for AnyKind {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(truth.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Kind, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Kind::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Kind, E> {
        Ok(Kind::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Document, Box<Located>> {
        Document::read(Path::new("x.yaml"), text.to_owned())
    }

    #[test]
    fn knows_the_place_of_every_name_and_value() {
        let document = read("registry: population\ncontract:\n  v1:\n    persons: { key: pin, by: [a, b] }\n").expect("YAML");
        assert_eq!(document.value["contract"]["v1"]["persons"]["by"][1], "b");
        assert_eq!(document.locate("/registry", false), (1, 11));
        assert_eq!(document.locate("/registry", true), (1, 1));
        assert_eq!(document.locate("/contract/v1/persons/by/1", false), (4, 34));
        assert_eq!(document.locate("/contract/v1/persons/key", true), (4, 16));
    }

    #[test]
    fn shows_what_is_missing_at_the_name_of_what_should_hold_it() {
        let document = read("a:\n  b: 1\n").expect("YAML");
        assert_eq!(document.locate("/a/missing", false), (1, 1));
    }

    #[test]
    fn norway_is_text_and_a_key_given_twice_is_refused() {
        assert_eq!(read("country: NO").expect("YAML").value["country"], "NO");
        let located = read("a: 1\na: 2\n").expect_err("refused");
        assert_eq!((located.line, located.column), (2, 1));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{},", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(read(&text).is_err());
    }
}
