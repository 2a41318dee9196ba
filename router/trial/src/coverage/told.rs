//! Everything that tests of a manifest could touch.

use std::collections::BTreeSet;

use rabita_config::Registry;
use rabita_model::{Code, Comparison, Operation};
use rabita_sdk::Source;
use rabita_sdk::manifest::{Field, OneOrMany};
use rabita_sdk::plan::PlannedEntity;

use super::codes::CodeUse;
use super::{Part, Sort, Thing, is_tested};

/// Things of one sort: each with the name that is told, and those that stand for it among the notes.
pub(super) struct Things {
    sort: Sort,
    of: String,
    names: Vec<(String, Vec<String>)>,
}

impl Things {
    fn plain(sort: Sort, of: &str, names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| (name.clone(), vec![name])).collect();
        Self { sort, of: of.to_owned(), names }
    }

    pub(super) fn part(self, touched: &BTreeSet<Thing>) -> Part {
        let Self { sort, of, names } = self;
        let total = names.len();
        let is_touched = |own: &String| touched.contains(&(sort, of.clone(), own.clone()));
        let untouched = names.into_iter().filter(|(_, stand_ins)| !stand_ins.iter().any(is_touched)).map(|(name, _)| name);
        let untouched = untouched.collect();
        Part { sort, of, total, untouched }
    }
}

pub(super) fn things(registry: &Registry, uses: &[CodeUse]) -> Vec<Things> {
    let mut things = Vec::new();
    for entity in &registry.plan.entities {
        let name = crate::stage::name_of(entity);
        things.push(fields(entity, &name));
        things.push(Things::plain(Sort::Operations, &name, operations(entity)));
        things.push(filters(entity, &name));
        things.push(Things::plain(Sort::Faults, &name, faults(entity)));
    }
    for list in registry.plan.codes.iter().filter(|list| uses.iter().any(|used| used.list.name() == list.name())) {
        things.push(Things::plain(Sort::Codes, list.name(), super::codes::of_list(list)));
    }
    things
}

/// Fields; a binary one is touched under the name of its source.
fn fields(entity: &PlannedEntity, name: &str) -> Things {
    let names = entity.mapping.names().map(|field| {
        let binary = entity.mapping.binary().find(|(own, ..)| *own == field).map(|(_, source, _)| source.to_string());
        let own = field.to_string();
        (own.clone(), std::iter::once(own).chain(binary).collect())
    });
    Things { sort: Sort::Fields, of: name.to_owned(), names: names.collect() }
}

fn operations(entity: &PlannedEntity) -> Vec<String> {
    let offered = Operation::ALL.into_iter().filter(|operation| is_tested(*operation) && entity.manifest.offers(*operation));
    offered.map(|operation| operation.to_string()).chain(entity.actions.iter().map(|action| action.name.to_string())).collect()
}

/// Filters by field and comparison; the notes know them by source.
fn filters(entity: &PlannedEntity, name: &str) -> Things {
    let rules = entity.manifest.operations.search.as_ref().map(|search| search.by.rules()).unwrap_or_default();
    let mut names = Vec::new();
    for (field, comparisons, _) in rules {
        let sources = entity.manifest.fields.get(&field).map(sources).unwrap_or_default();
        for comparison in comparisons {
            let stand_ins = sources.iter().map(|source| format!("{source} {}", comparison.as_str())).collect();
            names.push((shown(field.as_str(), comparison), stand_ins));
        }
    }
    Things { sort: Sort::Filters, of: name.to_owned(), names }
}

fn shown(field: &str, comparison: Comparison) -> String {
    match comparison {
        Comparison::Equals => field.to_owned(),
        other => format!("{field} {}", other.as_str()),
    }
}

/// The sources that a filter of a field compares.
fn sources(field: &Field) -> Vec<Source> {
    match field {
        Field::Source(source) => vec![source.clone()],
        Field::Rule(rule) => match (&rule.compose, &rule.from) {
            (Some(template), _) => rabita_sdk::template::Template::parse(template)
                .map_or_else(|_| Vec::new(), |template| template.names().map(Source::new).collect()),
            (None, Some(OneOrMany::One(source))) => vec![source.clone()],
            (None, Some(OneOrMany::Many(sources))) => sources.clone(),
            (None, None) => Vec::new(),
        },
    }
}

/// The refusals that every registry of the sort can come to.
fn faults(entity: &PlannedEntity) -> Vec<String> {
    let offers = |operation| entity.manifest.offers(operation);
    let changes = [Operation::Replace, Operation::Update, Operation::Delete].into_iter().any(offers);
    let mut codes = Vec::new();
    if offers(Operation::Read) || changes {
        codes.push(Code::RecordAbsent);
    }
    if offers(Operation::Create) {
        codes.push(Code::RecordExists);
    }
    if offers(Operation::Read) || offers(Operation::Search) {
        codes.push(Code::RegistryBrokeContract);
    }
    codes.into_iter().map(|code| code.as_str().to_owned()).collect()
}
