//! The connector: the bus's messages as calls of the service.

use std::collections::BTreeSet;
use std::pin::Pin;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use http::Method;
use rabita_http::Outgoing;
use rabita_model::Operation;
use rabita_sdk::paging::Place;
use rabita_sdk::reply::{Meaning, Status};
use rabita_sdk::request::{OfAct, OfChange, OfSearch, Word};
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, Connector, Duplicates, EntitySpec, Failure, Legacy,
    OpenBinary, Page, Read, Row, Search, TableSpec, Wanted,
};

use crate::answer::{follow, select, text_at};
use crate::plan::{Ask, ChangePlan, Plan, ReadPlan, SearchPlan};
use crate::service::{Reply, Service, no_answer};

/// A registry behind SOAP.
pub(crate) struct SoapConnector {
    pub(crate) service: Service,
    pub(crate) entities: Vec<(EntitySpec, Plan)>,
    pub(crate) tables: Vec<(TableSpec, Plan)>,
    /// The call that finds out whether the service answers; without it, it is asked for its description.
    pub(crate) probe: Option<Ask>,
}

#[async_trait]
impl Connector for SoapConnector {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let Some((spec, plan)) = self.entities.get(entity) else { return Capabilities::default() };
        let mut operations: BTreeSet<Operation> = plan.changes.keys().copied().collect();
        operations.extend(plan.read.as_ref().map(|_| Operation::Read));
        operations.extend(plan.search.as_ref().map(|_| Operation::Search));
        let offered = || plan.changes.iter().filter(|(operation, _)| spec.operations.contains(operation));
        let acts = || plan.actions.iter().map(|action| &action.change);
        operations.extend((!plan.actions.is_empty()).then_some(Operation::Act));
        let all_have =
            |word: &Word| offered().map(|(_, change)| change).chain(acts()).all(|change| change.ask.template.has(word));
        // A create can't depend on a version: nothing is there that could have one.
        let versioned = offered().filter(|(operation, _)| **operation != Operation::Create).map(|(_, change)| change);
        let mut versioned = versioned.chain(acts()).peekable();
        Capabilities {
            operations,
            reads_many_at_once: false,
            projects: false,
            ignores: plan.search.as_ref().map(|search| search.ignores.clone()).unwrap_or_default(),
            streams_binary: !spec.binary.is_empty(),
            checks_versions: versioned.peek().is_some() && versioned.all(|change| change.ask.template.has(&Word::Version)),
            duplicates: if all_have(&Word::MessageId) { Duplicates::HandedOn } else { Duplicates::Applied },
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        let Some(ask) = &self.probe else {
            let outgoing = Outgoing { method: Method::GET, path: "?wsdl".to_owned(), ..Outgoing::default() };
            let incoming = self.service.client.send(outgoing, call).await?;
            if incoming.status.is_server_error() {
                return Err(Failure::unavailable(format!("status {}", incoming.status.as_u16())));
            }
            return Ok(());
        };
        let outgoing = self.service.request(ask, &Row::new(), false, call)?;
        match self.service.send(outgoing, &ask.names, call).await {
            // A service that says no is one that answers.
            Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let read = plan.read.as_ref().ok_or_else(|| unsupported(spec, Operation::Read))?;
        let record = self.record(spec, read, &ask.key, call).await?;
        Ok(record.map(|record| select(&record, &ask.wanted, &plan.repeated)))
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let search = plan.search.as_ref().ok_or_else(|| unsupported(spec, Operation::Search))?;
        self.page(search, &plan.repeated, &ask, call).await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        let (spec, plan) = self.entity(change.entity)?;
        let operation = change.kind.operation();
        let own = plan.changes.get(&operation).ok_or_else(|| unsupported(spec, operation))?;
        if change.expected_version.is_some() && !own.ask.template.has(&Word::Version) {
            return Err(Failure::unsupported(format!("{}: the request of `{operation}` has no version", spec.name)));
        }
        let outgoing = self.service.request(&own.ask, &OfChange { spec, change: &change }, true, call)?;
        let reply = self.service.send(outgoing, &own.ask.names, call).await?;
        Ok(ended(own, &reply)?.applied())
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        let (spec, plan) = self.entity(act.entity)?;
        let own = plan.actions.get(act.action).ok_or_else(|| unsupported(spec, Operation::Act))?;
        if act.expected_version.is_some() && !own.change.ask.template.has(&Word::Version) {
            return Err(Failure::unsupported(format!("{}: the request of this action has no version", spec.name)));
        }
        let outgoing = self.service.request(&own.change.ask, &OfAct { spec, act: &act }, true, call)?;
        let reply = self.service.send(outgoing, &own.change.ask.names, call).await?;
        let applied = ended(&own.change, &reply)?.applied();
        let wanted = spec.actions.get(act.action).and_then(|action| action.reply.as_ref());
        let reply = match (reply, wanted) {
            // The service says that it was done; an answer without the reply takes nothing of that back.
            (Reply::Answer(_, answer), Some(wanted)) if applied == Applied::Done => {
                let found =
                    if own.reply.is_empty() { Some(&answer) } else { follow(&answer, &own.reply).values.first().copied() };
                found.filter(|found| is_something(found)).map(|found| select(found, wanted, &plan.repeated))
            }
            _ => None,
        };
        Ok(Acted { applied, reply })
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let own = plan.binary.get(ask.source.as_str());
        let read = own.or(plan.read.as_ref()).ok_or_else(|| unsupported(spec, Operation::Read))?;
        let Some(record) = self.record(spec, read, &ask.key, call).await? else { return Ok(None) };
        // A call of its own may bring the value itself, `read` brings a record that has it.
        let itself = if own.is_some() { text_at(&record, "") } else { None };
        let is_given = |text: &&str| !text.trim().is_empty();
        let Some(text) = itself.filter(is_given).or_else(|| text_at(&record, ask.source.as_str()).filter(is_given)) else {
            return Ok(None);
        };
        let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(compact).map_err(|_| Failure::malformed(format!("`{}` is not in Base64", ask.source)))?;
        let length = u64::try_from(bytes.len()).ok();
        Ok(Some(BinaryStream { length, media_type: None, chunks: chunks(Bytes::from(bytes)) }))
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let (spec, plan) = self.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such table"))?;
        let search = plan.search.as_ref().ok_or_else(|| Failure::unsupported(format!("{}: no `search`", spec.name)))?;
        let wanted = Wanted { sources: spec.columns.clone(), groups: Vec::new() };
        let mut ask = Search { entity: 0, conditions: Vec::new(), wanted, limit: TABLE_PAGE, cursor: None };
        let mut rows = Vec::new();
        loop {
            let page = self.page(search, &plan.repeated, &ask, call).await?;
            let cells = |row: &Row| spec.columns.iter().map(|column| row.find(column).cloned().unwrap_or_default()).collect();
            rows.extend(page.rows.iter().map(cells));
            if rows.len() > TABLE_ROWS_MAX {
                return Err(Failure::malformed(format!("the table of {} has more than {TABLE_ROWS_MAX} rows", spec.name)));
            }
            if page.next.is_none() {
                return Ok(rows);
            }
            ask.cursor = page.next;
        }
    }

    async fn close(&self) {}
}

impl SoapConnector {
    fn entity(&self, entity: usize) -> Result<&(EntitySpec, Plan), Failure> {
        self.entities.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    async fn record(&self, spec: &EntitySpec, plan: &ReadPlan, key: &[Legacy], call: &Call) -> Result<Option<Legacy>, Failure> {
        let values: Row = spec.key.iter().zip(key).map(|(source, value)| (source.shared(), value.clone())).collect();
        let outgoing = self.service.request(&plan.ask, &values, false, call)?;
        let reply = self.service.send(outgoing, &plan.ask.names, call).await?;
        let Some(answer) = found(reply, &plan.element, plan.status.as_ref())? else { return Ok(None) };
        if plan.record.is_empty() {
            return Ok(Some(answer).filter(is_something));
        }
        let found = follow(&answer, &plan.record);
        if found.values.len() > 1 {
            return Err(Failure::malformed("several records came where one was asked for"));
        }
        Ok(found.values.first().copied().filter(|record| is_something(record)).cloned())
    }

    async fn page(&self, plan: &SearchPlan, repeated: &[String], ask: &Search, call: &Call) -> Result<Page, Failure> {
        for condition in &ask.conditions {
            let word = Word::of_filter(condition.source.as_str(), condition.comparison);
            let overlooks = condition.ignore.iter().all(|ignored| plan.ignores.contains(ignored));
            if !overlooks || !plan.ask.template.has(&word) {
                return Err(Failure::unsupported(format!("the search can't compare `{}` so", condition.source)));
            }
        }
        let place = Place::read(ask.cursor.as_deref(), plan.paging, ask.limit)?;
        let outgoing = self.service.request(&plan.ask, &OfSearch { ask, place: &place }, false, call)?;
        let reply = self.service.send(outgoing, &plan.ask.names, call).await?;
        let Some(answer) = found(reply, &plan.element, plan.status.as_ref())? else { return Ok(Page::default()) };
        let records = follow(&answer, &plan.records).values;
        let records: Vec<&Legacy> = records.into_iter().filter(|record| is_something(record)).collect();
        let next = plan.next.as_deref().and_then(|path| text_at(&answer, path)).map(str::trim);
        let total = plan.total.as_deref().and_then(|path| text_at(&answer, path)).and_then(|text| text.trim().parse().ok());
        let (range, next) = place.divide(records.len(), ask.limit, plan.paging, next, total);
        let rows = records[range].iter().map(|record| select(record, &ask.wanted, repeated)).collect();
        Ok(Page { rows, next })
    }
}

/// One page of a table of codes, and the most rows that it may have.
const TABLE_PAGE: usize = 500;
const TABLE_ROWS_MAX: usize = 200_000;

/// Binary values leave in pieces of this size.
const CHUNK_BYTES: usize = 64 * 1024;

fn chunks(mut bytes: Bytes) -> Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>> {
    Box::pin(futures_util::stream::iter(std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| Ok(bytes.split_to(CHUNK_BYTES.min(bytes.len()))))
    })))
}

fn unsupported(spec: &EntitySpec, operation: Operation) -> Failure {
    Failure::unsupported(format!("{}: nothing says how to {operation}", spec.name))
}

/// The answer to a read or a search, or `None` when it says that there is no record.
fn found(reply: Reply, element: &str, status: Option<&Status>) -> Result<Option<Legacy>, Failure> {
    let (meaning, answer) = match reply {
        Reply::Answer(name, answer) if name == element => (meaning_of(status, &answer)?, answer),
        Reply::Answer(..) => return Err(Failure::malformed("another element came than the answer's")),
        Reply::Nothing => return Err(Failure::malformed("the answer is empty")),
        Reply::Said(Meaning::Absent) => return Ok(None),
        Reply::Said(_) => return Err(Failure::malformed("a fault came that has no sense here")),
    };
    match meaning {
        Meaning::Absent => Ok(None),
        Meaning::Done => Ok(Some(answer)),
        _ => Err(Failure::malformed("a status came that has no sense here")),
    }
}

/// How a change ended.
fn ended(plan: &ChangePlan, reply: &Reply) -> Result<Meaning, Failure> {
    match (reply, &plan.element) {
        (Reply::Said(meaning), _) => Ok(*meaning),
        (Reply::Answer(name, answer), Some(element)) if name == element => meaning_of(plan.status.as_ref(), answer),
        (Reply::Answer(..) | Reply::Nothing, None) => Ok(Meaning::Done),
        (Reply::Answer(..), Some(_)) => Err(no_answer(true, "another element came than the answer's".to_owned())),
        (Reply::Nothing, Some(_)) => Err(no_answer(true, "the answer is empty".to_owned())),
    }
}

fn meaning_of(status: Option<&Status>, answer: &Legacy) -> Result<Meaning, Failure> {
    status.map_or(Ok(Meaning::Done), |status| status.meaning(text_at(answer, &status.path)))
}

/// An element without anything in it is how many services say that there is no record.
fn is_something(record: &Legacy) -> bool {
    match record {
        Legacy::Null => false,
        Legacy::Text(text) => !text.trim().is_empty(),
        _ => true,
    }
}
