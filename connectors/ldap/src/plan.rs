//! An entity made ready: what its `from:` says, parsed.

use std::collections::BTreeSet;

use rabita_sdk::{EntitySpec, Finding, OpenError, Source, TableSpec, Wanted};

use crate::dn::{self, Template};
use crate::origin::{Bump, Feed, Origin, ScopeWord};
use crate::protocol::{Filter, Scope, parse_filter};
use crate::schema::Schema;
use crate::values::Reader;

/// An entity.
pub(crate) struct Plan {
    pub(crate) spec: EntitySpec,
    pub(crate) origin: Origin,
    pub(crate) scope: Scope,
    /// What makes an entry one of the entity's.
    pub(crate) member: Filter,
    pub(crate) binary: BTreeSet<Source>,
    pub(crate) create: Option<CreatePlan>,
    pub(crate) feed: Option<Feed>,
}

/// What new entries are like.
pub(crate) struct CreatePlan {
    pub(crate) rdn: Template,
    pub(crate) classes: Vec<String>,
    pub(crate) set: Vec<(String, Template)>,
}

impl Plan {
    /// Reads an entity's `from:`.
    ///
    /// # Errors
    /// Everything wrong with it.
    pub(crate) fn new(spec: &EntitySpec) -> Result<Self, Vec<Finding>> {
        let origin: Origin =
            serde_json::from_value(spec.from.clone()).map_err(|wrong| vec![Finding::new(&spec.pointer, wrong.to_string())])?;
        let mut findings = Vec::new();
        let at = |below: &str| format!("{}/{below}", spec.pointer);
        if dn::naming(&origin.base).is_none() {
            findings.push(Finding::new(at("base"), "this is no entry's name: it is one such as `ou=officials,o=agency`"));
        }
        let class = Filter::Equal("objectClass".to_owned(), origin.class.clone().into_bytes());
        let member = match origin.filter.as_deref().map(parse_filter) {
            None => class,
            Some(Ok(filter)) => Filter::And(vec![class, filter]),
            Some(Err(wrong)) => {
                findings.push(Finding::new(at("filter"), wrong));
                class
            }
        };
        let create = create(&origin, spec, &mut findings);
        let feed = match &spec.changes {
            None => None,
            // A feed without any setting may be left empty.
            Some(feed) if feed.from.is_null() => Some(Feed { late_ms: Feed::default_late_ms() }),
            Some(feed) => match serde_json::from_value(feed.from.clone()) {
                Ok(from) => Some(from),
                Err(wrong) => {
                    findings.push(Finding::new(&feed.pointer, wrong.to_string()));
                    None
                }
            },
        };
        if !findings.is_empty() {
            return Err(findings);
        }
        let scope = match origin.scope {
            ScopeWord::One => Scope::One,
            ScopeWord::Subtree => Scope::Subtree,
            ScopeWord::Base => Scope::Base,
        };
        let binary = origin.binary.iter().chain(&spec.binary).cloned().collect();
        Ok(Self { spec: spec.clone(), origin, scope, member, binary, create, feed })
    }

    /// The same, where only opening is left to fail.
    pub(crate) fn open(spec: &EntitySpec) -> Result<Self, OpenError> {
        Self::new(spec).map_err(|findings| {
            let faults: Vec<_> = findings.iter().map(|finding| format!("{}: {}", finding.pointer, finding.message)).collect();
            OpenError(faults.join("; "))
        })
    }

    /// How the values of a source are read.
    pub(crate) fn reader(&self, source: &Source, schema: &Schema) -> Reader {
        Reader::new(source, schema, self.binary.contains(source), self.origin.lists.contains(source))
    }

    pub(crate) fn bumps(&self) -> Option<&Source> {
        self.spec.version.as_ref().filter(|_| self.origin.bump == Bump::Increment)
    }
}

fn create(origin: &Origin, spec: &EntitySpec, findings: &mut Vec<Finding>) -> Option<CreatePlan> {
    let create = origin.create.as_ref()?;
    let at = |below: &str| format!("{}/create/{below}", spec.pointer);
    let mut template =
        |text: &str, below: &str| Template::parse(text).map_err(|wrong| findings.push(Finding::new(at(below), wrong))).ok();
    let rdn = template(&create.rdn, "rdn");
    let set: Vec<_> = create
        .set
        .iter()
        .map(|(name, text)| Some((name.clone(), template(text, &format!("set/{}", rabita_sdk::finding::token(name)))?)))
        .collect();
    let rdn = rdn?;
    if rdn.naming().is_none() {
        findings.push(Finding::new(at("rdn"), "this is no name of a new entry: it is one such as `uid={uid}`"));
    }
    Some(CreatePlan { rdn, classes: create.classes.clone(), set: set.into_iter().collect::<Option<_>>()? })
}

/// A table of codes as an entity that is only searched.
pub(crate) fn as_entity(table: &TableSpec) -> EntitySpec {
    EntitySpec {
        name: table.name.clone(),
        pointer: table.pointer.clone(),
        from: table.from.clone(),
        key: Vec::new(),
        wanted: Wanted { sources: table.columns.clone(), groups: Vec::new() },
        places: Vec::new(),
        binary: Vec::new(),
        filters: Vec::new(),
        operations: [rabita_model::Operation::Search].into(),
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: None,
    }
}
