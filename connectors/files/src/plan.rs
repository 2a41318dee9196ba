//! An entity made ready: which files hold it, what of each record is kept, and how it is found again.

use std::hash::Hasher as _;

use glob::{MatchOptions, Pattern};
use rabita_model::{Comparison, Operation};
use rabita_sdk::{EntitySpec, Finding, Ignore, Legacy, RegistrySpec, Row, Source, Wanted};
use siphasher::sip::SipHasher13;

use crate::from::{self, Take};
use crate::layout::{self, Layout, Selection};

/// An entity, or a code table, ready to be indexed and asked.
pub struct Plan {
    /// `v1/persons`, for texts and names of files.
    pub name: String,
    pub files: Pattern,
    pub take: Take,
    pub layout: Box<dyn Layout>,
    pub write: Option<from::Write>,
    /// What the index keeps of each record.
    pub kept: Selection,
    /// The places of the key in what is kept; none for a code table.
    pub key: Vec<usize>,
    /// What searches compare, each with the differences that they may overlook.
    pub filters: Vec<Filter>,
    /// The place of the version.
    pub version: Option<usize>,
    pub operations: std::collections::BTreeSet<Operation>,
    /// The places of the columns that a replace empties before it writes.
    pub replaced: Vec<usize>,
    /// Whether the difference between two drops is looked for.
    pub has_changes: bool,
    /// Changes when an index made before can no longer serve.
    pub fingerprint: i64,
}

/// Something that searches compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Its place in what is kept.
    pub place: usize,
    pub comparisons: Vec<Comparison>,
    /// The differences that may be overlooked; with any, the index holds the text without all of them.
    pub ignore: Vec<Ignore>,
}

impl Plan {
    /// Takes the manifest's words apart.
    ///
    /// # Errors
    /// Everything that can't be used, with its place.
    pub fn new(spec: &EntitySpec, registry: &RegistrySpec) -> Result<Self, Vec<Finding>> {
        let from: from::From = match serde_json::from_value(spec.from.clone()) {
            Ok(from) => from,
            Err(wrong) => return Err(vec![Finding::new(&spec.pointer, wrong.to_string())]),
        };
        let mut findings = Vec::new();
        let files = Pattern::new(&from.file).map_err(|wrong| {
            findings.push(Finding::new(format!("{}/file", spec.pointer), format!("this is no pattern of names: {}", wrong.msg)));
        });
        let layout = layout::compile(&from.format, &registry.directory).map_err(|wrong| {
            let at = format!("{}/format", spec.pointer);
            findings.extend(wrong.into_iter().map(|(place, message)| Finding::new(format!("{at}{place}"), message)));
        });
        let (Ok(files), Ok((layout, beside))) = (files, layout) else { return Err(findings) };
        let kept = kept(spec, from.write.is_some(), &*layout);
        unknown(spec, &kept, &*layout, &mut findings);
        if !findings.is_empty() {
            return Err(findings);
        }
        let place = |source: &Source| kept.columns.iter().position(|own| own == source);
        let mut plan = Self {
            name: spec.name.clone(),
            files,
            take: from.take,
            layout,
            write: from.write,
            key: spec.key.iter().filter_map(place).collect(),
            filters: spec
                .filters
                .iter()
                .filter_map(|filter| {
                    let comparisons = filter.comparisons.iter().copied().collect();
                    Some(Filter { place: place(&filter.source)?, comparisons, ignore: filter.ignore.clone() })
                })
                .collect(),
            version: spec.version.as_ref().and_then(place),
            operations: spec.operations.clone(),
            replaced: written(spec, Operation::Replace).filter_map(place).collect(),
            has_changes: spec.changes.is_some(),
            kept,
            fingerprint: 0,
        };
        plan.fingerprint = plan.digest(spec, &registry.settings, &beside);
        Ok(plan)
    }

    /// Whether a file of this name may be the drop.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        const EXACT: MatchOptions =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        self.files.matches_with(name, EXACT)
    }

    /// The values of the key of a record, by what is kept of it.
    #[must_use]
    pub fn key_of(&self, values: &[Legacy]) -> Vec<Legacy> {
        self.key.iter().filter_map(|place| values.get(*place)).cloned().collect()
    }

    /// A record's values as a row of what is wanted.
    #[must_use]
    pub fn row(&self, wanted: &[Picked], values: Vec<Legacy>) -> Row {
        let mut row = Row::with_capacity(wanted.len());
        for (picked, value) in wanted.iter().zip(values) {
            row.push(picked.source.shared(), picked.narrowed(value));
        }
        row
    }

    /// What is wanted, by its places in what is kept.
    #[must_use]
    pub fn pick(&self, wanted: &Wanted) -> Vec<Picked> {
        let columns = wanted.sources.iter().filter_map(|source| {
            let place = self.kept.columns.iter().position(|own| own == source)?;
            Some(Picked { place, source: source.clone(), members: Vec::new() })
        });
        let groups = wanted.groups.iter().filter_map(|group| {
            let place = self.kept.groups.iter().position(|own| own.name == group.name)?;
            let place = self.kept.columns.len() + place;
            Some(Picked { place, source: group.name.clone(), members: group.sources.clone() })
        });
        columns.chain(groups).collect()
    }

    fn digest(&self, spec: &EntitySpec, settings: &serde_json::Value, beside: &str) -> i64 {
        let mut hasher = SipHasher13::new();
        hasher.write_u32(FORMAT);
        let told =
            format!("{}\n{}\n{beside}\n{:?}\n{:?}\n{:?}", settings["source"], spec.from, self.kept, self.key, self.filters);
        hasher.write(told.as_bytes());
        hasher.finish().cast_signed()
    }
}

/// Grows when indexes are made in another way.
const FORMAT: u32 = 1;

/// A value that is wanted, and where it is kept.
#[derive(Debug, Clone)]
pub struct Picked {
    pub place: usize,
    pub source: Source,
    /// Of the items of a group, these values.
    members: Vec<Source>,
}

impl Picked {
    fn narrowed(&self, value: Legacy) -> Legacy {
        let Legacy::List(items) = value else { return value };
        let narrow = |item: Legacy| match item {
            Legacy::Group(row) => {
                let wanted = self.members.iter();
                Legacy::Group(wanted.filter_map(|name| Some((name.shared(), row.get(name.as_str())?.clone()))).collect())
            }
            other => other,
        };
        Legacy::List(items.into_iter().map(narrow).collect())
    }
}

/// What the index has to keep: what the manifest names, and no more. Where records are written, all columns of the
/// layout, so that a changed record goes out whole.
fn kept(spec: &EntitySpec, is_written: bool, layout: &dyn Layout) -> Selection {
    let mut columns = Vec::new();
    let mut keep = |source: &Source| {
        if !columns.contains(source) {
            columns.push(source.clone());
        }
    };
    if is_written && let Some(writer) = layout.writer() {
        writer.columns().iter().for_each(&mut keep);
    }
    spec.key.iter().chain(&spec.wanted.sources).chain(&spec.binary).chain(&spec.version).for_each(&mut keep);
    spec.filters.iter().for_each(|filter| keep(&filter.source));
    Selection { columns, groups: spec.wanted.groups.clone() }
}

/// The sources that an operation writes.
fn written(spec: &EntitySpec, operation: Operation) -> impl Iterator<Item = &Source> {
    spec.written.iter().filter(move |(own, ..)| *own == operation).map(|(_, source, _)| source)
}

/// Sources that the layout does not have, where that is known without a file.
fn unknown(spec: &EntitySpec, kept: &Selection, layout: &dyn Layout, findings: &mut Vec<Finding>) {
    let place = |source: &Source| {
        let told = spec.places.iter().find(|(own, _)| own == source).map(|(_, place)| place.clone());
        told.unwrap_or_else(|| spec.pointer.clone())
    };
    if let Some(columns) = layout.columns() {
        let is_numbered = |source: &Source| source.as_str().starts_with('#');
        for source in kept.columns.iter().filter(|source| !columns.contains(source) && !is_numbered(source)) {
            let known = columns.iter().map(Source::as_str);
            findings.push(Finding::unknown(place(source), "column in `from`", source.as_str(), known));
        }
    }
    let Some(groups) = layout.groups() else { return };
    for group in &kept.groups {
        let Some(known) = groups.iter().find(|known| known.name == group.name) else {
            let known = groups.iter().map(|known| known.name.as_str());
            findings.push(Finding::unknown(place(&group.name), "repeated group in `from`", group.name.as_str(), known));
            continue;
        };
        for source in group.sources.iter().filter(|source| !known.sources.contains(source)) {
            let what = format!("column in `{}`", group.name);
            let known = known.sources.iter().map(Source::as_str);
            findings.push(Finding::unknown(place(&group.name), &what, source.as_str(), known));
        }
    }
}
