//! Deliver: from memory, from a flight under way, or from the registry; then what of it the caller may see.

mod fetch;
mod released;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fetch::{argument, fly};
use futures_util::StreamExt;
use metrics::counter;
use rabita_model::{Blame, Code, ExchangeId, Refusal};
use rabita_sdk::mapping::Selection;
use rabita_sdk::{BinaryStream, Call, Condition, Failure, Legacy, OpenBinary, Source};
use released::records;
use serde_json::{Map, Value};

use super::{Answer, Body, Trail};
use crate::registry::{Entity, Fetched, Question};
use crate::seal::Seal;
use crate::stage::{Asked, Permitted, Validated};
use crate::update;

/// The longest that a binary value may take on its way to the caller.
const BINARY_TIME: Duration = Duration::from_secs(300);

/// What goes with a question through delivery.
struct Delivery<'a> {
    permitted: Permitted,
    /// What is asked of the registry: what may be released, and what else is needed to decide on it.
    fetched: Selection,
    /// What was released of any record so far, where it is not the same of all.
    shown: Selection,
    exchange: ExchangeId,
    traceparent: Option<String>,
    trail: &'a mut Trail,
}

/// An answer of the registry, from there or from memory.
struct Given {
    fetched: Fetched,
    age: Option<Duration>,
    stale: bool,
}

pub(super) async fn deliver(
    validated: Validated,
    seal: &Seal,
    exchange: ExchangeId,
    traceparent: Option<String>,
    trail: &mut Trail,
) -> Result<Answer, Refusal> {
    let Validated { permitted, asked, .. } = validated;
    let fetched = needed(&permitted, trail.is_recorded);
    let shown = permitted.shape.none.clone();
    let mut delivery = Delivery { permitted, fetched, shown, exchange, traceparent, trail };
    match asked {
        Asked::Binary { key, source, media_type } => delivery.binary(key, source, media_type).await,
        Asked::Search { conditions, limit, cursor, search, ranges } => {
            let page = Paging { conditions, limit, cursor, search, ranges };
            match delivery.permitted.guard {
                None => delivery.page(page, seal).await,
                Some(_) => delivery.guarded_page(page, seal).await,
            }
        }
        asked => delivery.read(asked, seal).await,
    }
}

/// The fields to ask the registry for. Where there is a ledger, the subject is among them even if the request names one: a
/// registry that takes several spellings of a number would find a person whom the ledger does not know.
fn needed(permitted: &Permitted, is_recorded: bool) -> Selection {
    let Permitted { shape, guard, selection, .. } = permitted;
    let mut fetched = selection.and(&shape.all);
    if let Some(guard) = guard {
        fetched = fetched.or(&guard.looks_at(shape));
    }
    match &shape.subject {
        Some(subject) if is_recorded => fetched.or(&subject.selection),
        _ => fetched,
    }
}

/// A search, page by page.
struct Paging {
    conditions: Vec<Condition>,
    limit: usize,
    cursor: Option<String>,
    search: String,
    ranges: Option<Selection>,
}

impl Paging {
    /// The next question, for so many records.
    fn ask(&self, limit: usize) -> Asked {
        Asked::Search {
            conditions: self.conditions.clone(),
            limit,
            cursor: self.cursor.clone(),
            search: self.search.clone(),
            ranges: self.ranges.clone(),
        }
    }
}

impl Delivery<'_> {
    /// One record, or several by their keys.
    async fn read(&mut self, asked: Asked, seal: &Seal) -> Result<Answer, Refusal> {
        let versioned = self.versioned(&asked);
        let Given { fetched, age, stale } = self.given(asked).await?;
        let body = self.released(&fetched)?;
        let version = versioned.zip(fetched.version.as_ref()).map(|(context, version)| {
            let text = serde_json::to_string(version).expect("legacy values are JSON");
            seal.seal(&text, context.as_bytes())
        });
        // Faults of records that are left out are nothing to the caller.
        let observed = if self.permitted.guard.is_none() { fetched.observed } else { 0 };
        Ok(Answer::Data { body, next: None, version, age, stale, observed })
    }

    /// A page, of which every record is released alike.
    async fn page(&mut self, paging: Paging, seal: &Seal) -> Result<Answer, Refusal> {
        let Paging { conditions, limit, cursor, search, ranges } = paging;
        let context = search.clone();
        let Given { fetched, age, stale } = self.given(Asked::Search { conditions, limit, cursor, search, ranges }).await?;
        let body = self.released(&fetched)?;
        let next = fetched.next.map(|next| seal.seal(&next, context.as_bytes()));
        Ok(Answer::Data { body, next, version: None, age, stale, observed: fetched.observed })
    }

    /// A page. Where records are left out, more are asked for until it is full, so that it tells little of what was left
    /// out; but not without end.
    async fn guarded_page(&mut self, mut paging: Paging, seal: &Seal) -> Result<Answer, Refusal> {
        let mut page = Vec::new();
        for _ in 0..=ROUNDS_MAX {
            let more = self.given(paging.ask(paging.limit - page.len())).await?;
            let released = self.released(&more.fetched)?;
            page.extend_from_slice(records(&released));
            paging.cursor = more.fetched.next;
            if paging.cursor.is_none() || page.len() >= paging.limit {
                break;
            }
        }
        let next = paging.cursor.map(|next| seal.seal(&next, paging.search.as_bytes()));
        Ok(Answer::Data { body: Arc::new(Body::Page(page)), next, version: None, age: None, stale: false, observed: 0 })
    }

    /// Opens a binary value; its place at the registry is given back when the last byte has gone. Where it depends on the
    /// record whether it may be seen, the record is looked at first.
    async fn binary(&mut self, key: Vec<Legacy>, source: Source, media_type: String) -> Result<Answer, Refusal> {
        if !self.fetched.is_empty() {
            let given = self.given(Asked::Read { key: key.clone() }).await?;
            self.released(&given.fetched)?;
        } else if let Some(guard) = &self.permitted.guard {
            // Its conditions look at nothing of the record: what they say of one they say of all.
            let admitted = guard.admits(&self.permitted.shape, &Value::Object(Map::new()));
            admitted.filter(|fields| !fields.and(&self.permitted.selection).is_empty()).ok_or_else(|| self.absent())?;
        }
        self.trail.fields = self.permitted.shape.names(&self.permitted.selection).into();
        self.trail.records = 1;
        let (registry, entity) = (&self.permitted.registry, &self.permitted.entity);
        let call = registry.call(self.exchange, self.traceparent.clone(), BINARY_TIME);
        let started = Instant::now();
        let ask = OpenBinary { entity: entity.index, key, source };
        // The bytes may take their time, but they begin within the registry's.
        let opening = Call { deadline: started + registry.timeout, ..call.clone() };
        let opened = registry.deliver(&opening, registry.connector.open_binary(ask, &call)).await;
        self.trail.timing.registry += started.elapsed();
        let (stream, place) = opened?;
        let BinaryStream { length, media_type: told, chunks } = stream.ok_or_else(|| self.absent())?;
        let chunks = chunks.map(move |chunk: Result<Bytes, Failure>| {
            let _held_until_the_end = &place;
            chunk
        });
        let stream = BinaryStream { length, media_type: None, chunks: Box::pin(chunks) };
        Ok(Answer::Binary { stream, media_type: told.unwrap_or(media_type) })
    }

    /// The answer to a question: from memory, from a flight under way, or from the registry.
    async fn given(&mut self, asked: Asked) -> Result<Given, Refusal> {
        let Permitted { registry, entity, .. } = &self.permitted;
        let question = Arc::new(Question { asked: argument(&asked), selection: self.fetched.clone() });
        // Who may not see a record would tell by the time, and by the headers, that it is remembered, and so is there.
        let memory = entity.memory.as_ref().filter(|_| self.permitted.guard.is_none());
        let remembered = match memory {
            Some(memory) => memory.recall(&question).await,
            None => None,
        };
        let stale = match remembered {
            Some(known) if known.is_fresh => {
                count_memory(entity, "hit");
                return Ok(Given { fetched: known.fetched, age: Some(known.age), stale: false });
            }
            other => other,
        };
        let is_one = matches!(asked, Asked::Read { .. });
        let flown = fly(registry, entity, &question, asked, self.exchange, self.traceparent.clone()).await;
        self.trail.timing.registry += flown.registry_time;
        match (flown.result, stale) {
            (Ok(fetched), _) => {
                if let Some(memory) = memory {
                    count_memory(entity, "miss");
                    memory.keep(question, fetched.clone()).await;
                }
                Ok(Given { fetched, age: None, stale: false })
            }
            // Only a registry's failure is bridged; what the caller or the grant did wrong is told.
            (Err(refusal), Some(known)) if refusal.code.blame() == Blame::Registry => {
                count_memory(entity, "stale");
                Ok(Given { fetched: known.fetched, age: Some(known.age), stale: true })
            }
            (Err(refusal), _) => Err(self.hidden(refusal, is_one)),
        }
    }

    /// What the caller is told where there is no record for it.
    fn absent(&self) -> Refusal {
        let guard = self.permitted.guard.as_ref();
        guard.map_or_else(|| Code::RecordAbsent.into(), |guard| guard.absent(&self.trail.subjects))
    }

    /// What the seal of the record's version belongs to, where one record is asked for that has one and the caller could
    /// have a change depend on it. To anybody else it would tell when fields change that it may not see.
    fn versioned(&self, asked: &Asked) -> Option<String> {
        let (Asked::Read { key }, true) = (asked, self.permitted.may_change) else { return None };
        self.permitted.entity.changing.version.as_ref()?;
        Some(update::version_context(&update::record_name(&self.permitted.entity.target.registry, key)))
    }
}

/// How often a page is asked for more, where records were left out of it.
const ROUNDS_MAX: usize = 8;

fn count_memory(entity: &Entity, result: &'static str) {
    counter!("rabita_cache_total", "registry" => entity.target.registry.to_string(), "entity" => entity.target.entity.to_string(), "result" => result)
        .increment(1);
}
