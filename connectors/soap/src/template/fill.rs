//! A template filled with values, into a document.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_sdk::request::{Given, Piece, Text, Values, WhenNone, Word};
use rabita_sdk::{Failure, Legacy, Source};

use super::{Element, Template};
use crate::xml::Xml;

impl Template {
    /// Writes the elements into a document.
    ///
    /// # Errors
    /// `Refused` when a value can't be written.
    pub(crate) fn write(&self, values: &dyn Values, xml: &mut Xml) -> Result<(), Failure> {
        for element in &self.elements {
            let mut filled = element.fill(values)?;
            if filled.is_empty() && element.each.is_none() {
                // What is asked is asked, even where nothing is said about it.
                filled.push(Ready::empty(&element.name));
            }
            for ready in filled {
                ready.write(xml)?;
            }
        }
        Ok(())
    }
}

/// An element with its values in.
#[derive(Clone)]
struct Ready<'t> {
    name: &'t str,
    attributes: Vec<(&'t str, String)>,
    /// None says that there is no value.
    text: Option<String>,
    children: Vec<Ready<'t>>,
}

/// What came out of a text.
enum Filled {
    Text(String),
    Texts(Vec<String>),
    Nil,
    LeftOut,
}

impl Element {
    fn fill<'t>(&'t self, values: &dyn Values) -> Result<Vec<Ready<'t>>, Failure> {
        let Some(group) = &self.each else { return self.fill_one(values) };
        let list = match values.value(&Word::Source(group.clone())) {
            Given::Value(list) => list,
            Given::Nothing | Given::Untouched => return Ok(Vec::new()),
        };
        let items = match &*list {
            Legacy::List(items) => items.as_slice(),
            Legacy::Null => &[],
            one => std::slice::from_ref(one),
        };
        let mut ready = Vec::new();
        for item in items {
            ready.extend(self.fill_one(&WithItem { item, outer: values })?);
        }
        Ok(ready)
    }

    fn fill_one<'t>(&'t self, values: &dyn Values) -> Result<Vec<Ready<'t>>, Failure> {
        let mut attributes = Vec::new();
        let mut says_something = false;
        for (name, text) in &self.attributes {
            let value = match fill_text(text, values)? {
                Filled::Text(text) => text,
                Filled::Texts(texts) => texts.join(" "),
                Filled::Nil | Filled::LeftOut => continue,
            };
            says_something |= text.words().next().is_some();
            attributes.push((name.as_str(), value));
        }
        let mut children = Vec::new();
        for child in &self.children {
            children.extend(child.fill(values)?);
        }
        says_something |= !children.is_empty();
        let contents = match self.text.as_ref().map(|text| fill_text(text, values)).transpose()? {
            Some(Filled::Text(text)) => vec![Some(text)],
            Some(Filled::Texts(texts)) => texts.into_iter().map(Some).collect(),
            Some(Filled::Nil) => vec![None],
            Some(Filled::LeftOut) if !says_something => return Ok(Vec::new()),
            // Of an element whose parts were all left out nothing is left: for many services an empty one erases.
            None if !says_something && !self.children.is_empty() => return Ok(Vec::new()),
            Some(Filled::LeftOut) | None => vec![Some(String::new())],
        };
        let ready = |text| Ready { name: &self.name, attributes: attributes.clone(), text, children: children.clone() };
        Ok(contents.into_iter().map(ready).collect())
    }
}

impl<'t> Ready<'t> {
    const fn empty(name: &'t str) -> Self {
        Self { name, attributes: Vec::new(), text: Some(String::new()), children: Vec::new() }
    }

    fn write(&self, xml: &mut Xml) -> Result<(), Failure> {
        let refused = |_| Failure::refused(format!("a value for `{}` has a character that XML can't carry", self.name));
        let mut attributes: Vec<(&str, &str)> = self.attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if self.text.is_none() {
            attributes.push(("xsi:nil", "true"));
        }
        xml.open(self.name, attributes).map_err(refused)?;
        xml.text(self.text.as_deref().unwrap_or_default()).map_err(refused)?;
        for child in &self.children {
            child.write(xml)?;
        }
        xml.close();
        Ok(())
    }
}

fn fill_text(text: &Text, values: &dyn Values) -> Result<Filled, Failure> {
    if let Some((word, when_none)) = text.only() {
        return match values.value(word) {
            Given::Untouched => Ok(Filled::LeftOut),
            Given::Value(value) if !value.is_null() => match &*value {
                Legacy::List(items) => Ok(Filled::Texts(items.iter().map(|item| plain(item, word)).collect::<Result<_, _>>()?)),
                value => Ok(Filled::Text(plain(value, word)?)),
            },
            Given::Value(_) | Given::Nothing => Ok(match when_none {
                WhenNone::Empty => Filled::Text(String::new()),
                WhenNone::LeaveOut => Filled::LeftOut,
                WhenNone::Nil => Filled::Nil,
            }),
        };
    }
    let mut whole = String::new();
    for piece in &text.0 {
        match piece {
            Piece::Literal(text) => whole.push_str(text),
            Piece::Value { word, when_none } => match values.value(word) {
                Given::Untouched => return Ok(Filled::LeftOut),
                Given::Value(value) if !value.is_null() => whole.push_str(&plain(&value, word)?),
                Given::Value(_) | Given::Nothing if *when_none == WhenNone::LeaveOut => return Ok(Filled::LeftOut),
                Given::Value(_) | Given::Nothing => {}
            },
        }
    }
    Ok(Filled::Text(whole))
}

/// A value as XML Schema writes it.
fn plain(value: &Legacy, word: &Word) -> Result<String, Failure> {
    match value {
        Legacy::Null => Ok(String::new()),
        Legacy::Bytes(bytes) => Ok(STANDARD.encode(bytes)),
        Legacy::Float(number) if number.is_nan() => Ok("NaN".to_owned()),
        Legacy::Float(number) if number.is_infinite() => Ok(if *number > 0.0 { "INF" } else { "-INF" }.to_owned()),
        value => value.to_text().map(Cow::into_owned).ok_or_else(|| {
            let name = if let Word::Source(name) | Word::Filter(name, _) = word { name } else { "$item" };
            Failure::unsupported(format!("`{name}` is {}, and the request has a place for text", value.kind()))
        }),
    }
}

/// The values within an item of a list: its own come first.
struct WithItem<'a> {
    item: &'a Legacy,
    outer: &'a dyn Values,
}

impl Values for WithItem<'_> {
    fn value(&self, word: &Word) -> Given<'_> {
        match (word, self.item) {
            (Word::Item, item) => Given::Value(Cow::Borrowed(item)),
            (Word::Source(name), Legacy::Group(row)) => match row.find(&Source::new(name)) {
                Some(value) => Given::Value(Cow::Borrowed(value)),
                // Within an item nothing is untouched: the list is replaced as a whole.
                None => match self.outer.value(word) {
                    Given::Untouched => Given::Nothing,
                    given => given,
                },
            },
            _ => self.outer.value(word),
        }
    }
}
