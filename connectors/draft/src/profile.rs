//! What the sampled values of a column look like, as counts.

use std::collections::{BTreeMap, HashMap};

use rabita_sdk::{Legacy, Row, Source};

/// The sampled values of one column.
#[derive(Debug)]
pub(crate) struct Profile<'a> {
    /// How many rows were looked at.
    pub(crate) rows: usize,
    /// The values that are not null.
    pub(crate) values: Vec<&'a Legacy>,
    /// How often each value occurs, by its text; values that are none have no part in it.
    counts: BTreeMap<String, usize>,
}

impl<'a> Profile<'a> {
    /// The profile of a source in rows.
    pub(crate) fn of(rows: &'a [Row], source: &Source) -> Self {
        Self::of_values(rows.len(), rows.iter().filter_map(|row| row.find(source)))
    }

    pub(crate) fn of_values(rows: usize, values: impl Iterator<Item = &'a Legacy>) -> Self {
        let values: Vec<&Legacy> = values.filter(|value| !value.is_null()).collect();
        let mut counts = BTreeMap::new();
        for text in values.iter().filter_map(|value| value.to_text()) {
            *counts.entry(text.into_owned()).or_insert(0) += 1;
        }
        Self { rows, values, counts }
    }

    /// How many values are not null.
    pub(crate) fn filled(&self) -> usize {
        self.values.len()
    }

    /// The distinct values, by their text.
    pub(crate) fn distinct(&self) -> impl ExactSizeIterator<Item = &str> {
        self.counts.keys().map(String::as_str)
    }

    /// How often a text occurs.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.counts.get(text).copied().unwrap_or(0)
    }

    /// How many values a condition holds of.
    pub(crate) fn holds(&self, condition: impl Fn(&str) -> bool) -> usize {
        self.counts.iter().filter(|(text, _)| condition(text)).map(|(_, count)| count).sum()
    }

    /// Whether every value is text.
    pub(crate) fn all_text(&self) -> bool {
        self.filled() > 0 && self.values.iter().all(|value| matches!(value, Legacy::Text(_)))
    }

    /// Whether every value is a whole number.
    pub(crate) fn all_integers(&self) -> bool {
        self.filled() > 0 && self.values.iter().all(|value| matches!(value, Legacy::Int(_)))
    }

    /// The number of characters that every value has, if it is one for all of them.
    pub(crate) fn width(&self) -> Option<usize> {
        let mut widths = self.counts.keys().map(|text| text.chars().count());
        let first = widths.next()?;
        widths.all(|width| width == first).then_some(first)
    }

    /// Whether the values are few words, each again and again, as codes are.
    pub(crate) fn looks_like_codes(&self) -> bool {
        let distinct = self.counts.len();
        let short = |text: &str| {
            let text = text.trim_end();
            (1..=CODE_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        self.filled() >= CODES_SEEN
            && distinct <= CODES_MAX
            && distinct * 10 <= self.filled()
            && self.counts.keys().all(|t| short(t))
    }
}

/// A code is so long at most, of so many different ones, seen so often.
const CODE_LENGTH: usize = 3;
const CODES_MAX: usize = 15;
const CODES_SEEN: usize = 20;

/// Whether no two rows have the same values of these sources.
pub(crate) fn are_unique(rows: &[Row], sources: &[Source]) -> bool {
    let mut seen: HashMap<Vec<String>, ()> = HashMap::new();
    rows.iter().all(|row| {
        let key: Option<Vec<String>> =
            sources.iter().map(|source| row.find(source)?.to_text().map(std::borrow::Cow::into_owned)).collect();
        key.is_none_or(|key| seen.insert(key, ()).is_none())
    })
}
