//! Everything wrong with a registry that the schemas can't say.

use http::HeaderName;
use rabita_model::{Comparison, Operation};
use rabita_sdk::finding::token;
use rabita_sdk::{EntitySpec, Finding, RegistrySpec, Source, TableSpec};

use crate::from::{From, LinkPaging, Paging, SearchAt};
use crate::path::{BadPath, Path};
use crate::plan::{self, Plan};
use crate::settings::Own;

/// Checks settings, entities and tables of codes.
pub fn check(spec: &RegistrySpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    match rabita_http::settings::parse_with::<Own>(&spec.settings) {
        Ok((settings, own)) => {
            findings.extend(settings.check(CONNECTOR));
            check_own(&own, &mut findings);
        }
        Err(wrong) => findings.push(Finding::new(CONNECTOR, wrong)),
    }
    for entity in &spec.entities {
        check_entity(entity, &mut findings);
    }
    for table in &spec.tables {
        check_table(table, &mut findings);
    }
    findings
}

/// A table of codes as an entity that is only searched.
pub fn as_entity(table: &TableSpec) -> EntitySpec {
    EntitySpec {
        name: table.name.clone(),
        pointer: table.pointer.clone(),
        from: table.from.clone(),
        key: Vec::new(),
        wanted: rabita_sdk::Wanted { sources: table.columns.clone(), groups: Vec::new() },
        places: Vec::new(),
        binary: Vec::new(),
        filters: Vec::new(),
        operations: [Operation::Search].into(),
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: None,
    }
}

/// Where the settings stand in a manifest.
const CONNECTOR: &str = "/connector";

fn check_own(own: &Own, findings: &mut Vec<Finding>) {
    for status in own.errors.statuses.keys() {
        if !status.parse().is_ok_and(|status: u16| (100..600).contains(&status)) {
            let pointer = format!("{CONNECTOR}/errors/{}", token(status));
            findings.push(Finding::at_name(pointer, "this is no status: it is a number from 100 to 599, or `refused_code`"));
        }
    }
    if let Some(name) = &own.idempotency_header
        && HeaderName::from_bytes(name.as_bytes()).is_err()
    {
        findings.push(Finding::new(format!("{CONNECTOR}/idempotency_header"), "this is no name of a header"));
    }
    if let Some(probe) = &own.probe {
        match Path::new(&probe.path, &[]) {
            Ok(_) => {}
            Err(BadPath::Form(wrong)) => findings.push(Finding::new(format!("{CONNECTOR}/probe/path"), wrong)),
            Err(BadPath::Stranger(_)) => {
                findings.push(Finding::new(format!("{CONNECTOR}/probe/path"), "this path has no place for a key"));
            }
        }
    }
}

fn check_entity(spec: &EntitySpec, findings: &mut Vec<Finding>) {
    let from: From = match serde_json::from_value(spec.from.clone()) {
        Ok(from) => from,
        Err(wrong) => return findings.push(Finding::new(&spec.pointer, wrong.to_string())),
    };
    if let Err(found) = Plan::new(spec, &from) {
        findings.extend(found);
    }
    check_operations(spec, &from, findings);
    if let Some(changes) = &spec.changes
        && from.read.is_none()
    {
        let message = "a feed tells keys alone, so the records have to be read: add `read: { path: ... }` to the entity's `from`";
        findings.push(Finding::new(&changes.pointer, message));
    }
    check_keys(spec, &from, findings);
    if let Some(search) = &from.search {
        check_filters(spec, search, findings);
        check_paging(spec, search, findings);
    }
    for source in spec.binary.iter().filter(|source| !from.binary.contains_key(*source)) {
        let named = from.binary.keys().map(Source::as_str);
        findings.push(Finding::unknown(format!("{}/binary", spec.pointer), "path for the binary value", source.as_str(), named));
    }
    check_version(spec, &from, findings);
}

fn check_operations(spec: &EntitySpec, from: &From, findings: &mut Vec<Finding>) {
    let section = |operation: Operation| match operation {
        Operation::Read => from.read.is_some(),
        Operation::Search => from.search.is_some(),
        // Actions say how by themselves, and events come from changes.
        Operation::Act | Operation::Subscribe => true,
        changing => plan::changes(from).any(|(kind, at)| kind.operation() == changing && at.is_some()),
    };
    for operation in spec.operations.iter().filter(|operation| !section(**operation)) {
        let message = format!("`{}` offers {operation}, and nothing says how: add `{operation}: {{ path: ... }}`", spec.name);
        findings.push(Finding::new(&spec.pointer, message));
    }
}

/// A path that lacks a part of the key would mean several records.
fn check_keys(spec: &EntitySpec, from: &From, findings: &mut Vec<Finding>) {
    let read = from.read.as_ref().map(|read| ("read", &read.path));
    let changes = [("replace", &from.replace), ("update", &from.update), ("delete", &from.delete)];
    let changes = changes.into_iter().filter_map(|(section, at)| Some((section, &at.as_ref()?.path)));
    for (section, text) in read.into_iter().chain(changes) {
        let Ok(path) = Path::new(text, &spec.key) else { continue };
        let held: Vec<usize> = path.places().collect();
        for (_, source) in spec.key.iter().enumerate().filter(|(place, _)| !held.contains(place)) {
            let message = format!("the path has no place for `{source}`, a part of the key: add `{{{source}}}`");
            findings.push(Finding::new(format!("{}/{section}/path", spec.pointer), message));
        }
    }
    if from.read_many.is_some() && spec.key.len() != 1 {
        let message = "several records are read at once only where a single source is the key: leave `read_many` out";
        findings.push(Finding::at_name(format!("{}/read_many", spec.pointer), message));
    }
}

fn check_filters(spec: &EntitySpec, search: &SearchAt, findings: &mut Vec<Finding>) {
    let section = format!("{}/search/filters", spec.pointer);
    for filter in &spec.filters {
        let Some(params) = search.filters.get(&filter.source) else {
            let mut finding = Finding::unknown(
                &filter.pointer,
                "query parameter in `search.filters` for",
                filter.source.as_str(),
                search.filters.keys().map(Source::as_str),
            );
            finding.message.push_str(": add one, or leave this filter out");
            findings.push(finding);
            continue;
        };
        for comparison in filter.comparisons.iter().filter(|comparison| plan::param(params, **comparison).is_none()) {
            let word = comparison.as_str();
            let message = format!("no query parameter compares `{}` by {word}: add `{word}`", filter.source);
            findings.push(Finding::new(format!("{section}/{}", token(filter.source.as_str())), message));
        }
        for ignore in filter.ignore.iter().filter(|ignore| !search.ignores.contains(ignore)) {
            let word = serde_json::to_value(ignore).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
            let message = format!(
                "the connector can't overlook this difference; if the registry does so itself, say `ignores: [{word}]` in `search`"
            );
            findings.push(Finding::new(&filter.pointer, message));
        }
    }
    for (source, params) in &search.filters {
        if Comparison::ALL.into_iter().all(|comparison| plan::param(params, comparison).is_none()) {
            findings.push(Finding::new(format!("{section}/{}", token(source.as_str())), "this names no query parameter"));
        }
    }
}

fn check_paging(spec: &EntitySpec, search: &SearchAt, findings: &mut Vec<Finding>) {
    let at = format!("{}/search/paging", spec.pointer);
    if let Paging::Link(LinkPaging { header, body, .. }) = &search.paging
        && *header == body.is_some()
    {
        findings.push(Finding::new(format!("{at}/link"), "say where the link is: either `header: true` or `body`"));
    }
    let beside = match &search.paging {
        Paging::None => None,
        Paging::Page(page) => page.total_pages.as_ref().map(|_| "page/total_pages"),
        Paging::Offset(offset) => offset.total.as_ref().map(|_| "offset/total"),
        Paging::Cursor(_) => Some("cursor/next"),
        Paging::Link(link) => link.body.as_ref().map(|_| "link/body"),
    };
    if let Some(beside) = beside
        && search.records.is_empty()
    {
        let message =
            "where the whole answer is the list of records, nothing can stand beside it: say `records`, or leave this out";
        findings.push(Finding::new(format!("{at}/{beside}"), message));
    }
}

fn check_version(spec: &EntitySpec, from: &From, findings: &mut Vec<Finding>) {
    let depends = from.version.as_ref().is_some_and(|version| version.if_match);
    if depends && spec.version.is_none() {
        let message = "changes can depend on a version only where the entity's contract names one";
        findings.push(Finding::new(format!("{}/version/if_match", spec.pointer), message));
    }
    let changes = [Operation::Replace, Operation::Update, Operation::Delete];
    if spec.version.is_some() && !depends && changes.iter().any(|operation| spec.operations.contains(operation)) {
        let message = "changes do not depend on the version: where the registry can check it, add `version: { if_match: true }`";
        findings.push(Finding::warning(&spec.pointer, message));
    }
}

fn check_table(table: &TableSpec, findings: &mut Vec<Finding>) {
    check_entity(&as_entity(table), findings);
}
