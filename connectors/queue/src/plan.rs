//! An entity's calls, compiled and checked once.

use std::collections::BTreeMap;

use rabita_model::Operation;
use rabita_sdk::finding::token;
use rabita_sdk::paging::Paging;
use rabita_sdk::reply::{AbsentRecords, Dotted, Status};
use rabita_sdk::request::{Scope, Word, filters, unserved_filters};
use rabita_sdk::{ActSpec, EntitySpec, Finding, Ignore, Source, TableSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::broker::Destination;
use crate::from::{ActionCall, BinaryCall, ChangeCall, From, ReadCall, SearchCall, To};
use crate::settings::Settings;
use crate::template::Template;
use crate::{amqp, kafka};

/// What can be asked for one entity, or one table of codes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) read: Option<ReadPlan>,
    pub(crate) search: Option<SearchPlan>,
    pub(crate) changes: BTreeMap<Operation, ChangePlan>,
    pub(crate) binary: BTreeMap<Source, BinaryPlan>,
    pub(crate) actions: Vec<ActionPlan>,
}

/// A request that can be filled, and what its reply says of how it ended.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) to: Destination,
    pub(crate) template: Template,
    pub(crate) status: Option<(Dotted, Status)>,
}

#[derive(Debug)]
pub(crate) struct ReadPlan {
    pub(crate) ask: Ask,
    pub(crate) record: Dotted,
}

#[derive(Debug)]
pub(crate) struct SearchPlan {
    pub(crate) ask: Ask,
    pub(crate) records: Dotted,
    pub(crate) absent: AbsentRecords,
    pub(crate) next: Option<Dotted>,
    pub(crate) total: Option<Dotted>,
    pub(crate) paging: Paging,
    pub(crate) ignores: Vec<Ignore>,
}

#[derive(Debug)]
pub(crate) struct ChangePlan {
    pub(crate) ask: Ask,
}

#[derive(Debug)]
pub(crate) struct ActionPlan {
    pub(crate) ask: Ask,
    pub(crate) reply: Option<Dotted>,
}

#[derive(Debug)]
pub(crate) struct BinaryPlan {
    pub(crate) ask: Ask,
    pub(crate) data: Dotted,
    pub(crate) media_type: Option<Dotted>,
}

impl Plan {
    /// Compiles what an entity's `from` says.
    pub(crate) fn of_entity(spec: &EntitySpec, settings: &Settings, findings: &mut Vec<Finding>) -> Self {
        let Some(from) = parse::<From>(&spec.from, &spec.pointer, findings) else { return Self::default() };
        let mut compiler = Compiler { settings, pointer: &spec.pointer, findings };
        compiler.offered(spec, &from);
        let read = from.read.as_ref().map(|call| compiler.read(call, &spec.key));
        let search = from.search.as_ref().map(|call| {
            let plan = compiler.search(call, &Scope::of_search(&filters(spec), call.paging));
            compiler.findings.extend(unserved_filters(spec, |word| plan.ask.template.has(word), &plan.ignores));
            plan
        });
        let mut changes = BTreeMap::new();
        for operation in [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete] {
            if let Some(call) = from.change(operation) {
                changes.insert(operation, compiler.change(call, operation, spec));
            }
        }
        let binary = compiler.binary(spec, &from);
        let actions = spec.actions.iter().filter_map(|action| act(action, spec, settings, findings)).collect();
        if let Some(changes) = &spec.changes {
            findings.push(Finding::new(&changes.pointer, "this kind does not find changes that others make"));
        }
        Self { read, search, changes, binary, actions }
    }

    /// Compiles what a table's `from` says: a search without conditions.
    pub(crate) fn of_table(spec: &TableSpec, settings: &Settings, findings: &mut Vec<Finding>) -> Self {
        let Some(from) = parse::<From>(&spec.from, &spec.pointer, findings) else { return Self::default() };
        let mut compiler = Compiler { settings, pointer: &spec.pointer, findings };
        let Some(call) = &from.search else {
            compiler.findings.push(Finding::new(&spec.pointer, "a table of codes is read by `search`, which is not here"));
            return Self::default();
        };
        Self { search: Some(compiler.search(call, &Scope::of_search(&[], call.paging))), ..Self::default() }
    }

    /// Where the requests go.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let asks = self.read.iter().map(|plan| &plan.ask).chain(self.search.iter().map(|plan| &plan.ask));
        let asks = asks.chain(self.changes.values().map(|plan| &plan.ask)).chain(self.binary.values().map(|plan| &plan.ask));
        asks.chain(self.actions.iter().map(|plan| &plan.ask)).map(|ask| &ask.to)
    }
}

/// Compiles a request that has its place in a manifest.
pub(crate) fn ask(
    (to, request, status): (&To, &Value, Option<&Status>),
    scope: &Scope<'_>,
    settings: &Settings,
    pointer: &str,
    findings: &mut Vec<Finding>,
) -> Ask {
    let to = match (&settings.amqp, &settings.kafka) {
        (Some(amqp), None) => amqp::destination(amqp, to, pointer, findings),
        (None, Some(kafka)) => kafka::destination(kafka, to, pointer, findings),
        // Told once, where the settings are checked.
        _ => Destination::default(),
    };
    let template = Template::compile(request, scope, &format!("{pointer}/request"), findings);
    let status = status.or(settings.status.as_ref()).map(|status| (Dotted::new(&status.path), status.clone()));
    Ask { to, template, status }
}

fn parse<T: DeserializeOwned>(from: &Value, pointer: &str, findings: &mut Vec<Finding>) -> Option<T> {
    serde_json::from_value(from.clone()).map_err(|error| findings.push(Finding::new(pointer, error.to_string()))).ok()
}

/// Compiles what an action's `from` says.
fn act(spec: &ActSpec, entity: &EntitySpec, settings: &Settings, findings: &mut Vec<Finding>) -> Option<ActionPlan> {
    let call: ActionCall = parse(&spec.from, &spec.pointer, findings)?;
    let sources = entity.key.iter().chain(spec.values.iter().map(|(source, _)| source));
    let scope = Scope::of(sources).changing(entity);
    let parts = (&call.to, &call.request, call.response.status.as_ref());
    let ask = ask(parts, &scope, settings, &spec.pointer, findings);
    for (source, pointer) in &spec.values {
        if !ask.template.has(&Word::Source(source.as_str().to_owned())) {
            findings.push(Finding::new(pointer, format!("the request of the action has no place for `{source}`")));
        }
    }
    Some(ActionPlan { ask, reply: spec.reply.as_ref().map(|_| Dotted::new(&call.response.reply)) })
}

struct Compiler<'a> {
    settings: &'a Settings,
    pointer: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Compiler<'_> {
    fn offered(&mut self, spec: &EntitySpec, from: &From) {
        for operation in &spec.operations {
            let is_there = match operation {
                Operation::Read => from.read.is_some(),
                Operation::Search => from.search.is_some(),
                // Actions say how by themselves, and events come from changes.
                Operation::Act | Operation::Subscribe => true,
                change => from.change(*change).is_some(),
            };
            if !is_there {
                let message = format!("the entity offers {operation}, and there is no `{operation}` that says how");
                self.findings.push(Finding::new(self.pointer, message));
            }
        }
    }

    fn ask(&mut self, at: &str, parts: (&To, &Value, Option<&Status>), scope: &Scope<'_>) -> Ask {
        ask(parts, scope, self.settings, &format!("{}/{at}", self.pointer), self.findings)
    }

    fn read(&mut self, call: &ReadCall, key: &[Source]) -> ReadPlan {
        let ask = self.ask("read", (&call.to, &call.request, call.response.status.as_ref()), &Scope::of(key));
        ReadPlan { ask, record: Dotted::new(&call.response.record) }
    }

    fn search(&mut self, call: &SearchCall, scope: &Scope<'_>) -> SearchPlan {
        let response = &call.response;
        let ask = self.ask("search", (&call.to, &call.request, response.status.as_ref()), scope);
        let pointer = format!("{}/search", self.pointer);
        self.findings.extend(call.paging.lacks(|word| ask.template.has(word), &format!("{pointer}/request")));
        if call.paging == Paging::Cursor && response.next.is_none() {
            let message = "paging by a cursor needs `next`: where the next one is";
            self.findings.push(Finding::new(format!("{pointer}/response"), message));
        }
        if response.records.is_empty() && (response.next.is_some() || response.total.is_some()) {
            let message = "where the whole reply is the list of records, nothing can stand beside it: say `records`";
            self.findings.push(Finding::new(format!("{pointer}/response"), message));
        }
        SearchPlan {
            ask,
            records: Dotted::new(&response.records),
            absent: response.absent_records,
            next: response.next.as_deref().map(Dotted::new),
            total: response.total.as_deref().map(Dotted::new),
            paging: call.paging,
            ignores: call.ignores.clone(),
        }
    }

    fn change(&mut self, call: &ChangeCall, operation: Operation, spec: &EntitySpec) -> ChangePlan {
        let written = || spec.written.iter().filter(|(by, _, _)| *by == operation);
        let scope = Scope::of(spec.key.iter().chain(written().map(|(_, source, _)| source))).changing(spec);
        let ask = self.ask(operation.as_str(), (&call.to, &call.request, call.response.status.as_ref()), &scope);
        for (_, source, pointer) in written() {
            if !ask.template.has(&Word::Source(source.as_str().to_owned())) {
                let message = format!("the request of `{operation}` has no place for `{source}`");
                self.findings.push(Finding::new(pointer, message));
            }
        }
        ChangePlan { ask }
    }

    fn binary(&mut self, spec: &EntitySpec, from: &From) -> BTreeMap<Source, BinaryPlan> {
        for source in spec.binary.iter().filter(|source| from.read.is_none() && !from.binary.contains_key(*source)) {
            let message = format!("nothing says how the binary value `{source}` is read: add it to `binary`");
            self.findings.push(Finding::new(self.pointer, message));
        }
        let mut plans = BTreeMap::new();
        for (source, call) in &from.binary {
            let at = format!("binary/{}", token(source.as_str()));
            if !spec.binary.contains(source) {
                let known = spec.binary.iter().map(Source::as_str);
                let mut finding = Finding::unknown(format!("{}/{at}", self.pointer), "binary source", source.as_str(), known);
                finding.at_name = true;
                self.findings.push(finding);
            }
            plans.insert(source.clone(), self.binary_value(call, &at, &spec.key));
        }
        plans
    }

    fn binary_value(&mut self, call: &BinaryCall, at: &str, key: &[Source]) -> BinaryPlan {
        let ask = self.ask(at, (&call.to, &call.request, call.response.status.as_ref()), &Scope::of(key));
        let media_type = call.response.media_type.as_deref().map(Dotted::new);
        BinaryPlan { ask, data: Dotted::new(&call.response.data), media_type }
    }
}
