//! Requests as the manifest writes them: a tree of elements with placeholders, checked when it is compiled.

mod compile;
mod fill;

pub(crate) use compile::{Scope, compile};

use rabita_sdk::request::{Text, Word};

/// A compiled request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Template {
    elements: Vec<Element>,
}

#[derive(Debug, Clone, PartialEq)]
struct Element {
    name: String,
    /// The element is written once for each item of this list (`#each`).
    each: Option<String>,
    attributes: Vec<(String, Text)>,
    text: Option<Text>,
    children: Vec<Element>,
}

impl Template {
    /// Whether it has no elements.
    pub(crate) const fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Whether a placeholder stands anywhere in it.
    pub(crate) fn has(&self, word: &Word) -> bool {
        self.elements.iter().any(|element| element.has(word))
    }

    /// Whether a source has a place in it, be it as a value or as the list of its items.
    pub(crate) fn mentions(&self, source: &str) -> bool {
        self.elements.iter().any(|element| element.mentions(source))
    }
}

impl Element {
    fn has(&self, word: &Word) -> bool {
        self.attributes.iter().map(|(_, text)| text).chain(&self.text).any(|text| text.words().any(|own| own == word))
            || self.children.iter().any(|child| child.has(word))
    }

    fn mentions(&self, source: &str) -> bool {
        self.each.as_deref() == Some(source)
            || self.has(&Word::Source(source.to_owned()))
            || self.children.iter().any(|child| child.mentions(source))
    }
}
