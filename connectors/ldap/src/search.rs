//! Searching: conditions, and pages in an order of our own.
//!
//! The directory narrows by its matching rules, which may take for the same what a condition tells apart; what it gives is
//! compared once more, exactly. It has no order either, and its own pages end with the connection. So a page goes through
//! the keys of all that matches, keeps the few that come next, and asks for those records: a cursor names the last key,
//! which stays a place in the order whatever else changes.

use std::collections::BTreeSet;

use rabita_model::Comparison;
use rabita_sdk::{Condition, Failure, Ignore, Legacy, Page, Row, Search, Source, Wanted};

use crate::failure::{Moment, refused};
use crate::plan::Plan;
use crate::protocol::{Code, Control, Entry, Filter, PAGED_RESULTS, Substrings};
use crate::read::{Key, Selection, Session, holds_all, too_long};
use crate::schema::{Schema, Syntax};
use crate::values::{DN, Reader, bytes};

/// The most rows of a table of codes.
const TABLE_MAX: usize = 100_000;

/// So many more than a page holds are asked for at once: a search that finds no more is done in one question.
const SPARE: usize = 50;

/// A condition, for the directory and for what it gives.
pub(crate) struct Test {
    reader: Reader,
    comparison: Comparison,
    value: Vec<u8>,
    ignore: Vec<Ignore>,
    /// Whether the directory's word is not enough.
    is_rechecked: bool,
    pub(crate) filter: Filter,
}

impl Test {
    /// A condition made ready; none where no entry can satisfy it.
    ///
    /// # Errors
    /// `Unsupported`, where the directory has no rule to compare so.
    pub(crate) fn new(condition: &Condition, plan: &Plan, schema: &Schema) -> Result<Option<Self>, Failure> {
        let source = &condition.source;
        if source.as_str() == DN {
            return Err(Failure::unsupported("the directory does not compare the names of entries"));
        }
        if let Some(ignore) = condition.ignore.iter().find(|ignore| !plan.origin.ignores.contains(ignore)) {
            return Err(Failure::unsupported(format!("`ignores` in `from` does not name {}", word(*ignore))));
        }
        if let Some(rules) = schema.rules(source.as_str()) {
            let (rule, named) = match condition.comparison {
                Comparison::Equals => (&rules.equality, "equality"),
                Comparison::Prefix => (&rules.substrings, "substrings"),
                Comparison::From | Comparison::To => (&rules.ordering, "ordering"),
            };
            if rule.is_none() {
                return Err(Failure::unsupported(format!("the directory has no rule to compare {source} by {named}")));
            }
            if let Some(ignore) = condition.ignore.iter().find(|ignore| !rules.overlooks(**ignore)) {
                let ignore = word(*ignore);
                return Err(Failure::unsupported(format!("the directory's rule to compare {source} does not overlook {ignore}")));
            }
        }
        let Some(value) = bytes(&condition.value) else { return Ok(None) };
        let reader = plan.reader(source, schema);
        let syntax = schema.attribute(source.as_str()).map_or(Syntax::Text, |attribute| attribute.syntax);
        let is_text = matches!(syntax, Syntax::Text | Syntax::Bytes);
        let is_rechecked = is_text && matches!(condition.comparison, Comparison::Equals | Comparison::Prefix);
        let filter = filter(source, condition.comparison, &value);
        Ok(Some(Self { reader, comparison: condition.comparison, value, ignore: condition.ignore.clone(), is_rechecked, filter }))
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.reader.source
    }

    /// Whether it holds for one of the values.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        !self.is_rechecked || self.reader.raw(entry).is_ok_and(|values| values.iter().any(|value| self.is_satisfied(value)))
    }

    fn is_satisfied(&self, value: &[u8]) -> bool {
        let is_prefix = self.comparison == Comparison::Prefix;
        let (Ok(found), Ok(asked)) = (std::str::from_utf8(value), std::str::from_utf8(&self.value)) else {
            return if is_prefix { value.starts_with(&self.value) } else { value == self.value };
        };
        let (mut found, mut asked) = (found.to_owned(), asked.to_owned());
        if self.ignore.contains(&Ignore::OuterSpaces) {
            found = found.trim_matches(' ').to_owned();
            // The blank at the end of a prefix belongs to it.
            asked = if is_prefix { asked.trim_start_matches(' ') } else { asked.trim_matches(' ') }.to_owned();
        }
        if self.ignore.contains(&Ignore::Case) {
            (found, asked) = (found.to_lowercase(), asked.to_lowercase());
        }
        if is_prefix { found.starts_with(&asked) } else { found == asked }
    }
}

/// What the directory is asked: at least everything that the condition means.
fn filter(source: &Source, comparison: Comparison, value: &[u8]) -> Filter {
    let name = source.as_str().to_owned();
    match comparison {
        Comparison::Equals => Filter::Equal(name, value.to_vec()),
        Comparison::From => Filter::AtLeast(name, value.to_vec()),
        Comparison::To => Filter::AtMost(name, value.to_vec()),
        Comparison::Prefix => {
            // The directory may overlook outer blanks of its values, and then finds none that begins with one.
            let initial = std::str::from_utf8(value).map_or(value, |text| text.trim().as_bytes()).to_vec();
            match initial.is_empty() {
                true => Filter::Present(name),
                false => Filter::Substrings(name, Substrings { initial: Some(initial), ..Substrings::default() }),
            }
        }
    }
}

const fn word(ignore: Ignore) -> &'static str {
    match ignore {
        Ignore::Case => "case",
        Ignore::OuterSpaces => "outer_spaces",
    }
}

impl Session<'_> {
    /// One page of records.
    pub(crate) async fn page(&mut self, ask: &Search) -> Result<Page, Failure> {
        let after = ask.cursor.as_deref().map(|cursor| self.place(cursor)).transpose()?;
        let mut tests = Vec::with_capacity(ask.conditions.len());
        for condition in &ask.conditions {
            match Test::new(condition, self.plan, &self.schema)? {
                Some(test) => tests.push(test),
                None => return Ok(Page::default()),
            }
        }
        let limit = ask.limit.max(1);
        if after.is_none()
            && let Some(rows) = self.few(&ask.wanted, &tests, limit).await?
        {
            return paged(rows, limit);
        }
        let keys = self.next_keys(&tests, after.as_ref(), limit.saturating_add(1)).await?;
        let (has_more, keys) = (keys.len() > limit, &keys[..keys.len().min(limit)]);
        let mut found = self.fetch(keys, &ask.wanted, &tests).await?;
        let next = if has_more { keys.last().map(cursor).transpose()? } else { None };
        Ok(Page { rows: keys.iter().filter_map(|key| found.remove(key)).collect(), next })
    }

    /// All records, where they are few enough for one question.
    async fn few(&mut self, wanted: &Wanted, tests: &[Test], limit: usize) -> Result<Option<Vec<(Key, Row)>>, Failure> {
        let selection = Selection::new(self, wanted, tests)?;
        let size = limit.saturating_add(SPARE).min(self.limits.page_entries.into());
        let control = Control::paged_results(i32::try_from(size).unwrap_or(i32::MAX), Vec::new());
        let request = self.request(tests.iter().map(|test| test.filter.clone()), selection.attributes.clone());
        let (mut rows, mut budget) = (Vec::new(), self.limits.answer_max);
        let end = self.link.search(request, vec![control], |entry, length| {
            budget = budget.checked_sub(length).ok_or_else(too_long)?;
            if holds_all(tests, &entry) {
                rows.push((selection.key(&entry)?, selection.row(&entry)?));
            }
            Ok(())
        });
        let end = end.await?;
        let is_whole = match end.code {
            Code::SUCCESS => cookie(&end.controls)?.is_empty(),
            Code::SIZE_LIMIT_EXCEEDED => false,
            code => return Err(refused(code, Moment::Reading)),
        };
        Ok(is_whole.then_some(rows))
    }

    /// The keys that come next in the order, at most so many.
    async fn next_keys(&mut self, tests: &[Test], after: Option<&Key>, count: usize) -> Result<Vec<Key>, Failure> {
        let selection = Selection::new(self, &Wanted::default(), tests)?;
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let filters = tests.iter().map(|test| test.filter.clone()).collect();
        self.go_through(filters, &selection, |entry| {
            let key = selection.key(&entry)?;
            if holds_all(tests, &entry) && after.is_none_or(|after| key > *after) {
                keys.insert(key);
                if keys.len() > count {
                    keys.pop_last();
                }
            }
            Ok(())
        })
        .await?;
        Ok(keys.into_iter().collect())
    }

    /// Goes through all entries that satisfy the filters, part by part.
    pub(crate) async fn go_through(
        &mut self,
        filters: Vec<Filter>,
        selection: &Selection,
        mut each: impl FnMut(Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut place = Vec::new();
        let mut left = self.limits.search_max_entries;
        loop {
            let request = self.request(filters.clone(), selection.attributes.clone());
            let control = Control::paged_results(self.limits.page_entries.into(), place);
            let end = self.link.search(request, vec![control], |entry, _| {
                left = left.checked_sub(1).ok_or_else(|| {
                    Failure::refused("the search goes through more entries than `search_max_entries`: narrow it")
                })?;
                each(entry)
            });
            let end = end.await?;
            if end.code != Code::SUCCESS {
                return Err(refused(end.code, Moment::Reading));
            }
            place = cookie(&end.controls)?;
            if place.is_empty() {
                return Ok(());
            }
        }
    }

    /// The rows of a table of codes.
    pub(crate) async fn table(&mut self, columns: &[Source]) -> Result<Vec<Vec<Legacy>>, Failure> {
        let wanted = Wanted { sources: columns.to_vec(), groups: Vec::new() };
        let selection = Selection::new(self, &wanted, &[])?;
        let mut rows = Vec::new();
        self.go_through(Vec::new(), &selection, |entry| {
            if rows.len() >= TABLE_MAX {
                return Err(Failure::malformed(format!("the table of codes has more than {TABLE_MAX} rows")));
            }
            rows.push(selection.values(&entry)?);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// The key that a cursor names.
    fn place(&self, cursor: &str) -> Result<Key, Failure> {
        let key: Option<Vec<String>> = serde_json::from_str(cursor).ok();
        let key = key.filter(|key| key.len() == self.plan.spec.key.len() && !key.is_empty());
        let key = key.ok_or_else(|| Failure::refused("the cursor is none of this search's"))?;
        Ok(key.into_iter().map(String::into_bytes).collect())
    }
}

/// A page of records that are all there are.
fn paged(mut rows: Vec<(Key, Row)>, limit: usize) -> Result<Page, Failure> {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if has_more { rows.last().map(|(last, _)| cursor(last)).transpose()? } else { None };
    Ok(Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next })
}

/// The opaque place after a record.
fn cursor(key: &Key) -> Result<String, Failure> {
    let texts: Option<Vec<&str>> = key.iter().map(|value| std::str::from_utf8(value).ok()).collect();
    let texts = texts.ok_or_else(|| Failure::malformed("a key is no text in UTF-8"))?;
    serde_json::to_string(&texts).map_err(|_| Failure::malformed("a key is no text"))
}

/// Where the next part begins; empty on the last one, and where the directory knows no parts.
fn cookie(controls: &[Control]) -> Result<Vec<u8>, Failure> {
    match controls.iter().find(|control| control.oid == PAGED_RESULTS) {
        None => Ok(Vec::new()),
        Some(control) => Ok(control.page().map_err(|_| Failure::malformed("the directory's word on pages is none"))?.1),
    }
}
