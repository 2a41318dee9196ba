//! The connector: the bus's messages as requests to the registry.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use rabita_model::Operation;
use rabita_sdk::paging::Place;
use rabita_sdk::reply::{Dotted, Meaning, record, records};
use rabita_sdk::request::{OfAct, OfChange, OfSearch, Values, WithCall, Word};
use rabita_sdk::{
    Act, Acted, Applied, BinaryStream, Call, Capabilities, Change, Connector, Duplicates, EntitySpec, Failure, Legacy,
    OpenBinary, Page, Read, Row, Search, TableSpec, Wanted,
};
use uuid::Uuid;

use crate::broker::{Broker, Outgoing};
use crate::plan::{Ask, Plan, ReadPlan, SearchPlan};

/// A registry behind a queue.
pub(crate) struct Queue {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) entities: Vec<(EntitySpec, Plan)>,
    pub(crate) tables: Vec<(TableSpec, Plan)>,
    pub(crate) probe: Option<Ask>,
    pub(crate) deduplicates: bool,
    pub(crate) reply_max_bytes: usize,
}

#[async_trait]
impl Connector for Queue {
    fn capabilities(&self, entity: usize) -> Capabilities {
        let Some((spec, plan)) = self.entities.get(entity) else { return Capabilities::default() };
        let mut operations: BTreeSet<Operation> = plan.changes.keys().copied().collect();
        operations.extend(plan.read.as_ref().map(|_| Operation::Read));
        operations.extend(plan.search.as_ref().map(|_| Operation::Search));
        operations.extend((!plan.actions.is_empty()).then_some(Operation::Act));
        let offered = || plan.changes.iter().filter(|(operation, _)| spec.operations.contains(operation));
        let acts = || plan.actions.iter().map(|action| &action.ask);
        let all_have = |word: &Word| offered().map(|(_, own)| &own.ask).chain(acts()).all(|ask| ask.template.has(word));
        // A create can't depend on a version: nothing is there that could have one.
        let versioned = offered().filter(|(operation, _)| **operation != Operation::Create).map(|(_, change)| &change.ask);
        let mut versioned = versioned.chain(acts()).peekable();
        let hands_on = self.deduplicates || all_have(&Word::MessageId);
        Capabilities {
            operations,
            reads_many_at_once: false,
            projects: false,
            ignores: plan.search.as_ref().map(|search| search.ignores.clone()).unwrap_or_default(),
            streams_binary: !spec.binary.is_empty(),
            checks_versions: versioned.peek().is_some() && versioned.all(|ask| ask.template.has(&Word::Version)),
            duplicates: if hands_on { Duplicates::HandedOn } else { Duplicates::Applied },
        }
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        self.broker.probe(call).await?;
        let Some(ask) = &self.probe else { return Ok(()) };
        match self.send(ask, (&Row::new(), &[]), None, call).await {
            // A registry that says no is one that answers.
            Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let read = plan.read.as_ref().ok_or_else(|| unsupported(spec, Operation::Read))?;
        self.record(spec, read, &ask.key, call).await
    }

    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let search = plan.search.as_ref().ok_or_else(|| unsupported(spec, Operation::Search))?;
        self.page(search, &ask, call).await
    }

    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure> {
        let (spec, plan) = self.entity(change.entity)?;
        let operation = change.kind.operation();
        let own = plan.changes.get(&operation).ok_or_else(|| unsupported(spec, operation))?;
        depends(&own.ask, change.expected_version.as_ref())?;
        let (meaning, _) = self.send(&own.ask, (&OfChange { spec, change: &change }, &change.key), Some(change.id), call).await?;
        Ok(meaning.applied())
    }

    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        let (spec, plan) = self.entity(act.entity)?;
        let own = plan.actions.get(act.action).ok_or_else(|| unsupported(spec, Operation::Act))?;
        depends(&own.ask, act.expected_version.as_ref())?;
        let (meaning, answer) = self.send(&own.ask, (&OfAct { spec, act: &act }, &act.key), Some(act.id), call).await?;
        let applied = meaning.applied();
        // The registry says that it was done; a reply without what is wanted takes nothing of that back.
        let reply = own.reply.as_ref().filter(|_| applied == Applied::Done);
        let reply = reply.and_then(|at| record(answer, at).ok().flatten());
        Ok(Acted { applied, reply })
    }

    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure> {
        let (spec, plan) = self.entity(ask.entity)?;
        let (data, media_type) = match (plan.binary.get(&ask.source), &plan.read) {
            (Some(own), _) => {
                let (meaning, mut answer) = self.send(&own.ask, (&key_of(spec, &ask.key), &ask.key), None, call).await?;
                if !is_found(meaning)? {
                    return Ok(None);
                }
                let media_type = own.media_type.as_ref().and_then(|at| text_at(at, &mut answer));
                (own.data.find(&mut answer).map(std::mem::take), media_type)
            }
            (None, Some(read)) => {
                let record = self.record(spec, read, &ask.key, call).await?;
                (record.and_then(|record| record.find(&ask.source).cloned()), None)
            }
            (None, None) => return Err(unsupported(spec, Operation::Read)),
        };
        let text = match data {
            None | Some(Legacy::Null) => return Ok(None),
            Some(Legacy::Text(text)) => text,
            Some(other) => return Err(Failure::malformed(format!("in place of `{}` there is {}", ask.source, other.kind()))),
        };
        let bytes = STANDARD.decode(text).map_err(|_| Failure::malformed(format!("`{}` is not in Base64", ask.source)))?;
        let length = u64::try_from(bytes.len()).ok();
        Ok(Some(BinaryStream { length, media_type, chunks: chunks(Bytes::from(bytes)) }))
    }

    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure> {
        let (spec, plan) = self.tables.get(table).ok_or_else(|| Failure::unsupported("there is no such table"))?;
        let search = plan.search.as_ref().ok_or_else(|| Failure::unsupported(format!("{}: no `search`", spec.name)))?;
        let wanted = Wanted { sources: spec.columns.clone(), groups: Vec::new() };
        let mut ask = Search { entity: 0, conditions: Vec::new(), wanted, limit: TABLE_PAGE, cursor: None };
        let mut rows = Vec::new();
        loop {
            let page = self.page(search, &ask, call).await?;
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

    async fn close(&self) {
        self.broker.close().await;
    }
}

impl Queue {
    fn entity(&self, entity: usize) -> Result<&(EntitySpec, Plan), Failure> {
        self.entities.get(entity).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    async fn record(&self, spec: &EntitySpec, plan: &ReadPlan, key: &[Legacy], call: &Call) -> Result<Option<Row>, Failure> {
        let (meaning, answer) = self.send(&plan.ask, (&key_of(spec, key), key), None, call).await?;
        if is_found(meaning)? { record(answer, &plan.record) } else { Ok(None) }
    }

    async fn page(&self, plan: &SearchPlan, ask: &Search, call: &Call) -> Result<Page, Failure> {
        for condition in &ask.conditions {
            let word = Word::of_filter(condition.source.as_str(), condition.comparison);
            let overlooks = condition.ignore.iter().all(|ignored| plan.ignores.contains(ignored));
            if !overlooks || !plan.ask.template.has(&word) {
                return Err(Failure::unsupported(format!("the search can't compare `{}` so", condition.source)));
            }
        }
        let place = Place::read(ask.cursor.as_deref(), plan.paging, ask.limit)?;
        let (meaning, mut answer) = self.send(&plan.ask, (&OfSearch { ask, place: &place }, &[]), None, call).await?;
        if !is_found(meaning)? {
            return Ok(Page::default());
        }
        let next = plan.next.as_ref().and_then(|at| text_at(at, &mut answer));
        let total = plan.total.as_ref().and_then(|at| text_at(at, &mut answer)).and_then(|total| total.parse().ok());
        let found = records(&mut answer, &plan.records, plan.absent)?;
        let (range, next) = place.divide(found.len(), ask.limit, plan.paging, next.as_deref(), total);
        Ok(Page { rows: found.into_iter().skip(range.start).take(range.len()).collect(), next })
    }

    /// Sends a request and reads its reply; `change` is the id of a change or an action, `key` that of the record.
    async fn send(
        &self,
        ask: &Ask,
        (values, key): (&dyn Values, &[Legacy]),
        change: Option<Uuid>,
        call: &Call,
    ) -> Result<(Meaning, Legacy), Failure> {
        if call.remaining().is_zero() {
            return Err(Failure::timed_out("the deadline passed"));
        }
        let body = ask.template.body(&WithCall { values, call })?;
        let message_id = change.unwrap_or_else(Uuid::new_v4);
        let request = Outgoing { to: ask.to.clone(), message_id, record: written(key), body, changes: change.is_some() };
        let reply = self.broker.ask(request, call).await?;
        let mut answer = self.understand(&reply).map_err(|detail| no_answer(change.is_some(), detail))?;
        let meaning = match &ask.status {
            Some((at, status)) => status.meaning(text_at(at, &mut answer).as_deref())?,
            None => Meaning::Done,
        };
        Ok((meaning, answer))
    }

    fn understand(&self, reply: &[u8]) -> Result<Legacy, String> {
        if reply.len() > self.reply_max_bytes {
            return Err("the reply is longer than reply_max_bytes".to_owned());
        }
        let bytes = reply.strip_prefix(b"\xef\xbb\xbf").unwrap_or(reply);
        // The parser's own words may quote the reply.
        serde_json::from_slice(bytes)
            .map_err(|error| format!("the reply is no JSON at line {}, column {}", error.line(), error.column()))
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

fn depends(ask: &Ask, version: Option<&Legacy>) -> Result<(), Failure> {
    if version.is_some() && !ask.template.has(&Word::Version) {
        return Err(Failure::unsupported("the request has no place for a version"));
    }
    Ok(())
}

/// Something else came than what was agreed. After a change it stays open whether it was applied.
fn no_answer(changes: bool, detail: String) -> Failure {
    if changes { Failure::Unknown { detail } } else { Failure::Malformed { detail } }
}

/// Whether a reply to a question says that there is something.
fn is_found(meaning: Meaning) -> Result<bool, Failure> {
    match meaning {
        Meaning::Done => Ok(true),
        Meaning::Absent => Ok(false),
        _ => Err(Failure::malformed("a status came that has no sense here")),
    }
}

fn key_of(spec: &EntitySpec, key: &[Legacy]) -> Row {
    spec.key.iter().zip(key).map(|(source, value)| (source.shared(), value.clone())).collect()
}

/// A record's key as one text, the same for the same record.
fn written(key: &[Legacy]) -> Option<String> {
    let parts: Option<Vec<_>> = key.iter().map(Legacy::to_text).collect();
    parts.map(|parts| parts.join("/")).filter(|text| !text.is_empty())
}

fn text_at(at: &Dotted, answer: &mut Legacy) -> Option<String> {
    at.find(answer)?.to_text().map(std::borrow::Cow::into_owned)
}
