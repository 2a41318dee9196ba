//! What the placeholders of one template may stand for.

use std::collections::BTreeSet;

use rabita_model::Comparison;

use super::Word;
use crate::paging::Paging;
use crate::{EntitySpec, Finding, Ignore, Source};

/// What the placeholders of a template may stand for.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    pub sources: BTreeSet<&'a str>,
    pub filters: Vec<(&'a str, Comparison)>,
    /// Lists of groups, with the sources of their items.
    pub groups: Vec<(&'a str, Vec<&'a str>)>,
    pub specials: Vec<Word>,
}

impl<'a> Scope<'a> {
    /// What a template may use whatever it is for, and these sources.
    pub fn of(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let sources = sources.into_iter().map(Source::as_str).collect();
        Self { sources, specials: vec![Word::Exchange], ..Self::default() }
    }

    /// Everything that a search may use: an entity's filters, and the words of its paging.
    #[must_use]
    pub fn of_search(filters: &[(&'a str, Comparison)], paging: Paging) -> Self {
        let mut scope = Self { filters: filters.to_vec(), ..Self::of([]) };
        scope.specials.extend(paging.words());
        if paging == Paging::None {
            scope.specials.push(Word::Limit);
        }
        scope
    }

    /// The words of a change or an action, whose version is known where the entity has one.
    #[must_use]
    pub fn changing(mut self, entity: &EntitySpec) -> Self {
        self.specials.push(Word::MessageId);
        if entity.version.is_some() {
            self.specials.push(Word::Version);
        }
        self
    }

    /// What is wrong with a word in a template, within an item of the list `item_of` if in any.
    #[must_use]
    pub fn unknown(&self, word: &Word, item_of: Option<&str>, pointer: &str) -> Option<Finding> {
        match word {
            Word::Source(source) => self.unknown_source(source, item_of, pointer),
            Word::Filter(source, comparison) => {
                if self.filters.contains(&(source.as_str(), *comparison)) {
                    return None;
                }
                if !self.filters.iter().any(|(known, _)| known == source) {
                    let known = self.filters.iter().map(|(known, _)| *known);
                    return Some(Finding::unknown(pointer, "filter", source, known));
                }
                let message = format!("`{source}` is not compared by `{}`", comparison.as_str());
                Some(Finding::new(pointer, message))
            }
            Word::Item if item_of.is_some() => None,
            Word::Item => Some(Finding::new(pointer, "`{$item}` is for an element that has `#each`")),
            word if self.specials.contains(word) => None,
            _ => Some(Finding::new(pointer, "this placeholder has no value in this request")),
        }
    }

    fn unknown_source(&self, source: &str, item_of: Option<&str>, pointer: &str) -> Option<Finding> {
        let inner = self.groups.iter().filter(|(name, _)| Some(*name) == item_of).flat_map(|(_, sources)| sources);
        let filters = self.filters.iter().filter(|(_, by)| *by == Comparison::Equals).map(|(name, _)| name);
        let known: Vec<&str> = inner.chain(&self.sources).chain(filters).copied().collect();
        if known.contains(&source) {
            return None;
        }
        Some(Finding::unknown(pointer, "source", source, known))
    }
}

impl Paging {
    /// The words that a request of a search which is divided so has.
    #[must_use]
    pub fn words(self) -> Vec<Word> {
        match self {
            Self::None => vec![],
            Self::Offset => vec![Word::Limit, Word::Offset],
            Self::Page => vec![Word::Limit, Word::Page],
            Self::Cursor => vec![Word::Limit, Word::Cursor],
        }
    }

    /// What the request of a search which is divided so lacks, `has` telling which words are in it.
    #[must_use]
    pub fn lacks(self, has: impl Fn(&Word) -> bool, pointer: &str) -> Vec<Finding> {
        let is_needed = |word: &Word| !(*word == Word::Limit && self == Self::Cursor);
        let lacking = self.words().into_iter().filter(|word| is_needed(word) && !has(word));
        lacking.map(|word| Finding::new(pointer, format!("paging needs `{}` in the request", word.written()))).collect()
    }
}

/// The filters of an entity, each with each of its comparisons.
#[must_use]
pub fn filters(spec: &EntitySpec) -> Vec<(&str, Comparison)> {
    let each = |filter: &'_ crate::FilterSpec| filter.comparisons.iter().copied().collect::<Vec<_>>();
    let all = spec.filters.iter().flat_map(|filter| each(filter).into_iter().map(|by| (filter.source.as_str(), by)));
    all.collect()
}

/// Filters of an entity for which the request of its search has no place, and differences that the service itself, which
/// overlooks `ignores`, does not.
#[must_use]
pub fn unserved_filters(spec: &EntitySpec, has: impl Fn(&Word) -> bool, ignores: &[Ignore]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for filter in &spec.filters {
        for comparison in &filter.comparisons {
            let word = Word::of_filter(filter.source.as_str(), *comparison);
            if !has(&word) {
                let message = format!("the search's request has no `{}` for this filter", word.written());
                findings.push(Finding::new(&filter.pointer, message));
            }
        }
        for ignored in filter.ignore.iter().filter(|ignored| !ignores.contains(ignored)) {
            let word = serde_json::to_value(ignored).unwrap_or_default();
            let message = format!(
                "only the service itself can overlook this: if it does, say `ignores: [{}]` in `search`",
                word.as_str().unwrap_or_default()
            );
            findings.push(Finding::new(&filter.pointer, message));
        }
    }
    findings
}
