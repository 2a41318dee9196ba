//! Requests as the manifest writes them: a tree of elements with placeholders, checked when it is compiled.

mod compile;
mod fill;
mod text;

pub(crate) use compile::{Scope, compile};
pub(crate) use fill::{Given, Values};

use rabita_model::Comparison;
use text::Text;

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

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    /// A source of the record, the key, or (in a search) a filter for the same value.
    Source(String),
    /// A filter of a search.
    Filter(String, Comparison),
    /// The item of the list around it.
    Item,
    MessageId,
    Version,
    Limit,
    Offset,
    Page,
    Cursor,
    Exchange,
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

impl Word {
    /// The word of a filter.
    pub(crate) fn of_filter(source: &str, comparison: Comparison) -> Self {
        match comparison {
            Comparison::Equals => Self::Source(source.to_owned()),
            other => Self::Filter(source.to_owned(), other),
        }
    }

    /// The placeholder as a manifest writes it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Source(source) => format!("{{{source}}}"),
            Self::Filter(source, comparison) => format!("{{{source}:{}}}", comparison.as_str()),
            special => text::name_of(special).map(|name| format!("{{${name}}}")).unwrap_or_default(),
        }
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
