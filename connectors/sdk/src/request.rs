//! Requests that a manifest writes as templates, whatever they are made of: what a placeholder may stand for, and where
//! its value comes from.
//!
//! `{source}` is a value of the record, the key or (in a search) a filter for the same value; `{source:prefix}`,
//! `{source:from}` and `{source:to}` are other filters; words with `$` are the call's own.

mod scope;
mod text;
mod values;

pub use scope::{Scope, filters, unserved_filters};
pub use text::{Piece, Text, WhenNone};
pub use values::{Given, OfAct, OfChange, OfSearch, Values, WithCall};

use rabita_model::Comparison;

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Word {
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

impl Word {
    /// The word of a filter.
    #[must_use]
    pub fn of_filter(source: &str, comparison: Comparison) -> Self {
        match comparison {
            Comparison::Equals => Self::Source(source.to_owned()),
            other => Self::Filter(source.to_owned(), other),
        }
    }

    /// The placeholder as a manifest writes it.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Source(source) => format!("{{{source}}}"),
            Self::Filter(source, comparison) => format!("{{{source}:{}}}", comparison.as_str()),
            special => text::name_of(special).map(|name| format!("{{${name}}}")).unwrap_or_default(),
        }
    }
}
