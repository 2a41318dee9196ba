//! An entity's calls, compiled and checked once.

use std::collections::{BTreeMap, BTreeSet};

use http::HeaderValue;
use rabita_model::{Comparison, Operation};
use rabita_sdk::finding::token;
use rabita_sdk::paging::Paging;
use rabita_sdk::reply::Status;
use rabita_sdk::request::{Scope as Places, filters, unserved_filters};
use rabita_sdk::{ActSpec, EntitySpec, Finding, Ignore, Source, TableSpec};
use serde_json::Value;

use crate::envelope;
use crate::origin::{ActionCall, ChangeCall, Origin, ReadCall, SearchCall};
use crate::settings::Settings;
use crate::template::{Scope, Template, compile};
use crate::xml::Names;

/// What can be asked for one entity, or one table of codes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) read: Option<ReadPlan>,
    pub(crate) search: Option<SearchPlan>,
    pub(crate) changes: BTreeMap<Operation, ChangePlan>,
    pub(crate) binary: BTreeMap<String, ReadPlan>,
    pub(crate) repeated: Vec<String>,
    pub(crate) actions: Vec<ActionPlan>,
}

/// A request that can be filled.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) action: String,
    pub(crate) template: Template,
    /// What elements of the answer are called.
    pub(crate) names: Names,
}

#[derive(Debug)]
pub(crate) struct ReadPlan {
    pub(crate) ask: Ask,
    pub(crate) element: String,
    pub(crate) record: String,
    pub(crate) status: Option<Status>,
}

#[derive(Debug)]
pub(crate) struct SearchPlan {
    pub(crate) ask: Ask,
    pub(crate) element: String,
    pub(crate) records: String,
    pub(crate) next: Option<String>,
    pub(crate) total: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) paging: Paging,
    pub(crate) ignores: Vec<Ignore>,
}

#[derive(Debug)]
pub(crate) struct ChangePlan {
    pub(crate) ask: Ask,
    pub(crate) element: Option<String>,
    pub(crate) status: Option<Status>,
}

/// A named action, and where the reply is in its answer.
#[derive(Debug)]
pub(crate) struct ActionPlan {
    pub(crate) change: ChangePlan,
    pub(crate) reply: String,
}

impl Plan {
    /// Compiles what an entity's `from` says, with everything that is wrong with it.
    pub(crate) fn of_entity(spec: &EntitySpec, settings: &Settings, findings: &mut Vec<Finding>) -> Self {
        let Some(origin) = parse(&spec.from, &spec.pointer, findings) else { return Self::default() };
        let groups = spec.wanted.groups.iter().flat_map(|group| {
            let inner = group.sources.iter().map(|source| format!("{}.{source}", group.name));
            std::iter::once(group.name.as_str().to_owned()).chain(inner)
        });
        let sources = spec.wanted.sources.iter().chain(&spec.key).chain(&spec.binary).chain(&spec.version);
        let paths = sources.map(|source| source.as_str().to_owned()).chain(groups).collect();
        let mut compiler = Compiler { settings, pointer: &spec.pointer, origin: &origin, paths, findings };
        compiler.offered(spec);
        let mut plan = compiler.entity(spec);
        plan.actions = spec.actions.iter().filter_map(|action| act(action, spec, &origin, settings, findings)).collect();
        if let Some(changes) = &spec.changes {
            findings.push(Finding::new(&changes.pointer, "a SOAP service is not asked for changes that others make"));
        }
        plan
    }

    /// Compiles what a table's `from` says: a search without conditions.
    pub(crate) fn of_table(spec: &TableSpec, settings: &Settings, findings: &mut Vec<Finding>) -> Self {
        let Some(origin) = parse(&spec.from, &spec.pointer, findings) else { return Self::default() };
        let paths = spec.columns.iter().map(|source| source.as_str().to_owned()).collect();
        let mut compiler = Compiler { settings, pointer: &spec.pointer, origin: &origin, paths, findings };
        let Some(search) = &origin.search else {
            compiler.findings.push(Finding::new(&spec.pointer, "a table of codes is read by `search`, which is not here"));
            return Self::default();
        };
        let search = Some(compiler.search(search, &[]));
        Self { search, repeated: origin.repeated.clone(), ..Self::default() }
    }
}

/// What a template in a manifest can use that has these places.
pub(crate) fn scope<'a>(settings: &'a Settings, places: Places<'a>) -> Scope<'a> {
    Scope { prefixes: settings.namespaces.keys().map(String::as_str).collect(), places }
}

/// Findings of an action that can't stand in a header.
pub(crate) fn check_action(action: &str, pointer: &str) -> Option<Finding> {
    let is_header = HeaderValue::from_str(action).is_ok() && !action.contains(['"', '\\']);
    (!is_header).then(|| Finding::new(pointer, "a SOAPAction has no quotes, backslashes or control characters"))
}

/// The namespace of the prefix that needs no declaration (Namespaces in XML, section 3).
const XML: &str = "http://www.w3.org/XML/1998/namespace";

fn parse(from: &Value, pointer: &str, findings: &mut Vec<Finding>) -> Option<Origin> {
    match serde_json::from_value(from.clone()) {
        Ok(origin) => Some(origin),
        Err(error) => {
            findings.push(Finding::new(pointer, error.to_string()));
            None
        }
    }
}

/// Compiles what an action's `from` says.
fn act(
    spec: &ActSpec,
    entity: &EntitySpec,
    origin: &Origin,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Option<ActionPlan> {
    let call: ActionCall = match serde_json::from_value(spec.from.clone()) {
        Ok(call) => call,
        Err(error) => {
            findings.push(Finding::new(&spec.pointer, error.to_string()));
            return None;
        }
    };
    let wanted = spec.reply.iter().flat_map(|reply| &reply.sources);
    let paths = wanted.map(|source| source.as_str().to_owned()).collect();
    let mut compiler = Compiler { settings, pointer: &spec.pointer, origin, paths, findings };
    let sources = entity.key.iter().chain(spec.values.iter().map(|(source, _)| source));
    let scope = scope(settings, Places::of(sources).changing(entity));
    let response = call.response.as_ref();
    let element = response.map(|response| response.element.clone());
    let status = response.and_then(|response| response.status.clone());
    let reply = response.map(|response| response.reply.clone()).unwrap_or_default();
    let ask = compiler.ask(&call.action, &call.request, "", &scope, element.iter().chain([&reply]), status.as_ref());
    for (source, pointer) in &spec.values {
        if !ask.template.mentions(source.as_str()) {
            findings.push(Finding::new(pointer, format!("the request of the action has no place for `{source}`")));
        }
    }
    if spec.reply.is_some() && response.is_none() {
        let message = "the action has a reply, and nothing says where: add `response: { element: ... }`";
        findings.push(Finding::new(&spec.pointer, message));
    }
    Some(ActionPlan { change: ChangePlan { ask, element, status }, reply })
}

struct Compiler<'a> {
    settings: &'a Settings,
    pointer: &'a str,
    origin: &'a Origin,
    /// All paths below the record which the mapping uses.
    paths: BTreeSet<String>,
    findings: &'a mut Vec<Finding>,
}

impl Compiler<'_> {
    fn offered(&mut self, spec: &EntitySpec) {
        for operation in &spec.operations {
            let is_there = match operation {
                Operation::Read => self.origin.read.is_some(),
                Operation::Search => self.origin.search.is_some(),
                // Actions say how by themselves, and events come from changes.
                Operation::Act | Operation::Subscribe => true,
                change => self.origin.change(*change).is_some(),
            };
            if !is_there {
                let message = format!("the entity offers {operation}, and there is no `{operation}` that says how");
                self.findings.push(Finding::new(self.pointer, message));
            }
        }
    }

    fn entity(&mut self, spec: &EntitySpec) -> Plan {
        let origin = self.origin;
        let key = &spec.key;
        let read = origin.read.as_ref().map(|call| self.read(call, "read", key));
        let search = origin.search.as_ref().map(|call| {
            let plan = self.search(call, &filters(spec));
            self.findings.extend(unserved_filters(spec, |word| plan.ask.template.has(word), &plan.ignores));
            plan
        });
        let mut changes = BTreeMap::new();
        for operation in [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete] {
            if let Some(call) = origin.change(operation) {
                changes.insert(operation, self.change(call, operation, spec));
            }
        }
        let mut binary = BTreeMap::new();
        for (source, call) in &origin.binary {
            if !spec.binary.iter().any(|known| known.as_str() == source) {
                let pointer = format!("{}/binary/{}", self.pointer, token(source));
                let known = spec.binary.iter().map(Source::as_str);
                let mut finding = Finding::unknown(pointer, "binary source", source, known);
                finding.at_name = true;
                self.findings.push(finding);
            }
            binary.insert(source.clone(), self.read(call, &format!("binary/{}", token(source)), key));
        }
        for source in &spec.binary {
            if origin.read.is_none() && !origin.binary.contains_key(source.as_str()) {
                let message = format!("nothing says how the binary value `{source}` is read: add it to `binary`");
                self.findings.push(Finding::new(self.pointer, message));
            }
        }
        Plan { read, search, changes, binary, repeated: origin.repeated.clone(), actions: Vec::new() }
    }

    fn read(&mut self, call: &ReadCall, at: &str, key: &[Source]) -> ReadPlan {
        let scope = scope(self.settings, Places::of(key));
        let record = call.response.record.clone().unwrap_or_default();
        let paths = [&call.response.element, &record];
        let ask = self.ask(&call.action, &call.request, at, &scope, paths, call.response.status.as_ref());
        ReadPlan { ask, element: call.response.element.clone(), record, status: call.response.status.clone() }
    }

    fn search(&mut self, call: &SearchCall, filters: &[(&str, Comparison)]) -> SearchPlan {
        let scope = scope(self.settings, Places::of_search(filters, call.paging));
        let response = &call.response;
        let paths: Vec<&String> =
            [&response.element, &response.records].into_iter().chain(&response.next).chain(&response.total).collect();
        let ask = self.ask(&call.action, &call.request, "search", &scope, paths, response.status.as_ref());
        let pointer = format!("{}/search/request", self.pointer);
        self.findings.extend(call.paging.lacks(|word| ask.template.has(word), &pointer));
        if call.paging == Paging::Cursor && response.next.is_none() {
            let pointer = format!("{}/search/response", self.pointer);
            self.findings.push(Finding::new(pointer, "paging by a cursor needs `next`: where the next one is"));
        }
        SearchPlan {
            ask,
            element: response.element.clone(),
            records: response.records.clone(),
            next: response.next.clone(),
            total: response.total.clone(),
            status: response.status.clone(),
            paging: call.paging,
            ignores: call.ignores.clone(),
        }
    }

    fn change(&mut self, call: &ChangeCall, operation: Operation, spec: &EntitySpec) -> ChangePlan {
        let written = spec.written.iter().filter(|(by, _, _)| *by == operation);
        let sources = spec.key.iter().chain(written.clone().map(|(_, source, _)| source));
        let groups = spec.wanted.groups.iter();
        let groups = groups.map(|group| (group.name.as_str(), group.sources.iter().map(Source::as_str).collect())).collect();
        let scope = scope(self.settings, Places { groups, ..Places::of(sources).changing(spec) });
        let element = call.response.as_ref().map(|response| response.element.clone());
        let status = call.response.as_ref().and_then(|response| response.status.clone());
        let ask = self.ask(&call.action, &call.request, operation.as_str(), &scope, &element, status.as_ref());
        for (_, source, pointer) in written {
            if !ask.template.mentions(source.as_str()) {
                let message = format!("the request of `{operation}` has no place for `{source}`");
                self.findings.push(Finding::new(pointer, message));
            }
        }
        ChangePlan { ask, element, status }
    }

    fn ask<'p>(
        &mut self,
        action: &str,
        request: &Value,
        at: &str,
        scope: &Scope<'_>,
        paths: impl IntoIterator<Item = &'p String>,
        status: Option<&'p Status>,
    ) -> Ask {
        let pointer = if at.is_empty() { self.pointer.to_owned() } else { format!("{}/{at}", self.pointer) };
        self.findings.extend(check_action(action, &format!("{pointer}/action")));
        let template = compile(request, scope, &format!("{pointer}/request"), self.findings);
        if request.as_object().is_some_and(|map| map.len() != 1) {
            let message = "a request is one element: services tell their operations by it";
            self.findings.push(Finding::new(format!("{pointer}/request"), message));
        }
        let mut names = envelope::names();
        for path in paths.into_iter().chain(status.map(|status| &status.path)) {
            self.call_names(path, &mut names, Some(&format!("{pointer}/response")));
        }
        for path in self.paths.clone().iter().chain(&self.origin.repeated) {
            self.call_names(path, &mut names, None);
        }
        Ask { action: action.to_owned(), template, names }
    }

    /// Gives the elements that a path names with a prefix that name in answers too. Sources without a declared prefix
    /// are found wanting once, where they stand.
    fn call_names(&mut self, path: &str, names: &mut Names, pointer: Option<&str>) {
        for member in path.split('.') {
            let member = member.trim_start_matches('@');
            let Some((prefix, local)) = member.split_once(':') else { continue };
            let uri = if prefix == "xml" { Some(XML) } else { self.settings.namespaces.get(prefix).map(String::as_str) };
            match uri {
                Some(uri) => names.call(uri, local, member),
                None => {
                    let known = self.settings.namespaces.keys().map(String::as_str);
                    let finding = Finding::unknown(pointer.unwrap_or(self.pointer), "prefix in `namespaces`", prefix, known);
                    if !self.findings.contains(&finding) {
                        self.findings.push(finding);
                    }
                }
            }
        }
    }
}
