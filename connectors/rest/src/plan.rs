//! An entity made ready: the manifest's texts taken apart once, for all calls.

use std::collections::BTreeMap;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rabita_model::Comparison;
use rabita_sdk::finding::token;
use rabita_sdk::reply::{AbsentRecords, Dotted};
use rabita_sdk::{ActSpec, ChangeKind, EntitySpec, Finding, Ignore, Source, Wanted};

use crate::action::ActionPlan;
use crate::feed::FeedPlan;
use crate::from::{self, ChangeAt, Constant, FieldsParam, FilterParams, From, ReadManyAt, SearchAt};
use crate::paging::Pages;
use crate::path::{BadPath, Path, Query};

/// An entity, ready to be asked.
pub struct Plan {
    /// The sources of the key.
    pub key: Vec<Source>,
    /// What every request about the entity carries.
    pub headers: HeaderMap,
    pub read: Option<ReadPlan>,
    pub read_many: Option<ReadManyPlan>,
    pub search: Option<SearchPlan>,
    pub changes: Vec<(ChangeKind, ChangePlan)>,
    pub fields: Option<FieldsParam>,
    /// The source of the version.
    pub version: Option<Source>,
    /// The header that tells the version; without it the version is a member of the record.
    pub version_header: Option<HeaderName>,
    pub if_match: bool,
    pub binary: BTreeMap<Source, Path>,
    pub actions: Vec<(ActSpec, ActionPlan)>,
    pub feed: Option<FeedPlan>,
}

pub struct ReadPlan {
    pub path: Path,
    pub record: Dotted,
}

pub struct ReadManyPlan {
    pub path: String,
    pub param: String,
    pub join: Option<String>,
    pub records: Dotted,
    pub absent: AbsentRecords,
    pub max: usize,
    pub fixed: Query,
}

pub struct SearchPlan {
    pub path: String,
    pub filters: BTreeMap<(Source, Comparison), String>,
    pub fixed: Query,
    pub fixed_names: Vec<String>,
    pub records: Dotted,
    pub absent: AbsentRecords,
    pub pages: Pages,
    pub ignores: Vec<Ignore>,
}

pub struct ChangePlan {
    pub method: Method,
    pub path: Path,
    pub body: Dotted,
    pub media_type: HeaderValue,
}

impl Plan {
    /// Takes a manifest's entity apart.
    ///
    /// # Errors
    /// Everything in it that can't be used, with its place.
    pub fn new(spec: &EntitySpec, from: &From) -> Result<Self, Vec<Finding>> {
        let mut faults = Faults { at: &spec.pointer, found: Vec::new() };
        let mut actions = Vec::with_capacity(spec.actions.len());
        for action in &spec.actions {
            match ActionPlan::new(action, &spec.key) {
                Ok(plan) => actions.push((action.clone(), plan)),
                Err(found) => faults.found.extend(found),
            }
        }
        let feed = spec.changes.as_ref().map(|changes| FeedPlan::new(changes, &spec.key)).transpose();
        let feed = feed.unwrap_or_else(|found| {
            faults.found.extend(found);
            None
        });
        let plan = Self {
            actions,
            feed,
            key: spec.key.clone(),
            headers: headers(from, &mut faults),
            read: from.read.as_ref().and_then(|read| {
                let path = faults.path("/read/path", &read.path, &spec.key)?;
                Some(ReadPlan { path, record: Dotted::new(&read.record) })
            }),
            read_many: from.read_many.as_ref().and_then(|many| read_many(many, &mut faults)),
            search: from.search.as_ref().and_then(|search| search_plan(search, &mut faults)),
            changes: changes(from).filter_map(|(kind, at)| Some((kind, change(kind, at?, &spec.key, &mut faults)?))).collect(),
            fields: from.fields_param.clone(),
            version: spec.version.clone(),
            version_header: from
                .version
                .as_ref()
                .and_then(|version| version.header.as_deref())
                .and_then(|name| faults.header_name("/version/header", name)),
            if_match: from.version.as_ref().is_some_and(|version| version.if_match),
            binary: from
                .binary
                .iter()
                .filter_map(|(source, at)| {
                    let pointer = format!("/binary/{}/path", token(source.as_str()));
                    Some((source.clone(), faults.path(&pointer, &at.path, &spec.key)?))
                })
                .collect(),
        };
        if faults.found.is_empty() { Ok(plan) } else { Err(faults.found) }
    }

    /// How a change of this kind is sent, if at all.
    pub fn change(&self, kind: ChangeKind) -> Option<&ChangePlan> {
        self.changes.iter().find(|(own, _)| *own == kind).map(|(_, plan)| plan)
    }

    /// Adds the parameter that asks for no more than is wanted, and the sources in `also`.
    pub fn ask_fields(&self, wanted: &Wanted, also: &[Source], query: &mut Query) {
        let Some(fields) = &self.fields else { return };
        let told_by_header = |source: &&Source| self.version_header.is_some() && self.version.as_ref() == Some(*source);
        let own = wanted.sources.iter().filter(|source| !told_by_header(source));
        let mut names: Vec<&str> = Vec::with_capacity(wanted.sources.len() + wanted.groups.len() + also.len());
        for source in own.chain(wanted.groups.iter().map(|group| &group.name)).chain(also) {
            if !names.contains(&source.as_str()) {
                names.push(source.as_str());
            }
        }
        if !names.is_empty() {
            query.push(&fields.name, &names.join(&fields.join));
        }
    }
}

/// The sections of the changes, by kind.
pub fn changes(from: &From) -> impl Iterator<Item = (ChangeKind, Option<&ChangeAt>)> {
    [
        (ChangeKind::Create, from.create.as_ref()),
        (ChangeKind::Replace, from.replace.as_ref()),
        (ChangeKind::Update, from.update.as_ref()),
        (ChangeKind::Delete, from.delete.as_ref()),
    ]
    .into_iter()
}

/// The parameter that a filter has for a comparison.
pub fn param(params: &FilterParams, comparison: Comparison) -> Option<&str> {
    match (params, comparison) {
        (FilterParams::Equals(name), Comparison::Equals) => Some(name),
        (FilterParams::Equals(_), _) => None,
        (FilterParams::Each(each), Comparison::Equals) => each.equals.as_deref(),
        (FilterParams::Each(each), Comparison::Prefix) => each.prefix.as_deref(),
        (FilterParams::Each(each), Comparison::From) => each.from.as_deref(),
        (FilterParams::Each(each), Comparison::To) => each.to.as_deref(),
    }
}

/// What was found wrong below one place of the manifest.
pub(crate) struct Faults<'a> {
    /// Where that place is.
    pub(crate) at: &'a str,
    pub(crate) found: Vec<Finding>,
}

impl Faults<'_> {
    pub(crate) fn path(&mut self, below: &str, text: &str, key: &[Source]) -> Option<Path> {
        self.path_with(below, text, key, "source in the key named")
    }

    /// A path with places for these names, each of which is such a thing.
    pub(crate) fn path_with(&mut self, below: &str, text: &str, names: &[Source], thing: &str) -> Option<Path> {
        let pointer = format!("{}{below}", self.at);
        let finding = match Path::new(text, names) {
            Ok(path) => return Some(path),
            Err(BadPath::Form(wrong)) => Finding::new(pointer, wrong),
            Err(BadPath::Stranger(_)) if names.is_empty() => Finding::new(pointer, "this path has no place for a key"),
            Err(BadPath::Stranger(name)) => Finding::unknown(pointer, thing, &name, names.iter().map(Source::as_str)),
        };
        self.found.push(finding);
        None
    }

    fn header_name(&mut self, below: &str, name: &str) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        if parsed.is_none() {
            self.found.push(Finding::new(format!("{}{below}", self.at), "this is no name of a header"));
        }
        parsed
    }

    pub(crate) fn header_value(&mut self, below: &str, text: &str) -> Option<HeaderValue> {
        let parsed = HeaderValue::from_str(text).ok();
        if parsed.is_none() {
            self.found.push(Finding::new(format!("{}{below}", self.at), "this can't stand in a header"));
        }
        parsed
    }
}

fn headers(from: &From, faults: &mut Faults<'_>) -> HeaderMap {
    let mut made = HeaderMap::new();
    made.insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in &from.headers {
        let below = format!("/headers/{}", token(name));
        if let (Some(name), Some(value)) = (faults.header_name(&below, name), faults.header_value(&below, value)) {
            made.insert(name, value);
        }
    }
    made
}

fn read_many(many: &ReadManyAt, faults: &mut Faults<'_>) -> Option<ReadManyPlan> {
    faults.path("/read_many/path", &many.path, &[])?;
    Some(ReadManyPlan {
        path: many.path.clone(),
        param: many.keys_param.clone(),
        join: many.join.clone(),
        records: Dotted::new(&many.records),
        absent: many.absent_records,
        max: many.max.max(1),
        fixed: fixed(&many.fixed),
    })
}

fn search_plan(search: &SearchAt, faults: &mut Faults<'_>) -> Option<SearchPlan> {
    faults.path("/search/path", &search.path, &[])?;
    let filters = search.filters.iter().flat_map(|(source, params)| {
        let named = Comparison::ALL.into_iter().filter_map(|comparison| Some((comparison, param(params, comparison)?)));
        named.map(|(comparison, name)| ((source.clone(), comparison), name.to_owned()))
    });
    Some(SearchPlan {
        path: search.path.clone(),
        filters: filters.collect(),
        fixed: fixed(&search.fixed),
        fixed_names: search.fixed.keys().cloned().collect(),
        records: Dotted::new(&search.records),
        absent: search.absent_records,
        pages: Pages::new(search.paging.clone()),
        ignores: search.ignores.clone(),
    })
}

fn change(kind: ChangeKind, at: &ChangeAt, key: &[Source], faults: &mut Faults<'_>) -> Option<ChangePlan> {
    let section = kind.operation();
    let method = match (at.method, kind) {
        (Some(from::Method::Post), _) | (None, ChangeKind::Create) => Method::POST,
        (Some(from::Method::Put), _) | (None, ChangeKind::Replace) => Method::PUT,
        (Some(from::Method::Patch), _) | (None, ChangeKind::Update) => Method::PATCH,
        (Some(from::Method::Delete), _) | (None, ChangeKind::Delete) => Method::DELETE,
    };
    let path = faults.path(&format!("/{section}/path"), &at.path, key);
    let media_type = faults.header_value(&format!("/{section}/media_type"), &at.media_type);
    Some(ChangePlan { method, path: path?, body: Dotted::new(&at.body), media_type: media_type? })
}

pub(crate) fn fixed(constants: &BTreeMap<String, Constant>) -> Query {
    let mut query = Query::default();
    for (name, constant) in constants {
        query.push(name, &constant.text());
    }
    query
}
