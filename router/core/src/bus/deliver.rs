//! Deliver: from memory, from a flight under way, or from the registry; then map and validate the reply.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use metrics::counter;
use rabita_model::{Blame, Code, ExchangeId, Refusal};
use rabita_schemas::SelectedFields;
use rabita_sdk::mapping::Selection;
use rabita_sdk::{BinaryStream, Call, Failure, Legacy, OpenBinary, Read, Row, Search, Source};
use serde_json::Value;

use super::{Answer, Body, Timing};
use crate::registry::{Entity, Fetched, Flown, Question, Registry};
use crate::seal::Seal;
use crate::stage::{Asked, Validated};
use crate::update;

/// The longest that a binary value may take on its way to the caller.
const BINARY_TIME: Duration = Duration::from_secs(300);

pub(super) async fn deliver(
    validated: Validated,
    seal: &Seal,
    exchange: ExchangeId,
    traceparent: Option<String>,
    timing: &mut Timing,
) -> Result<Answer, Refusal> {
    let Validated { permitted, asked, .. } = validated;
    let (registry, entity) = (permitted.registry, permitted.entity);
    let versioned = versioned(&entity, &asked);
    if let Asked::Binary { key, source, media_type } = asked {
        let call = registry.call(exchange, traceparent, BINARY_TIME);
        return binary(&registry, &entity, key, source, media_type, call, timing).await;
    }
    let question = Arc::new(Question { asked: argument(&asked), selection: permitted.selection });
    let search = match &asked {
        Asked::Search { search, .. } => search.clone(),
        _ => String::new(),
    };
    let answer = |fetched: Fetched, age, stale| Answer::Data {
        next: fetched.next.as_ref().map(|next| seal.seal(next, search.as_bytes())),
        version: versioned.as_ref().zip(fetched.version.as_ref()).map(|(context, version)| {
            let text = serde_json::to_string(version).expect("legacy values are JSON");
            seal.seal(&text, context.as_bytes())
        }),
        body: fetched.body,
        age,
        stale,
        observed: fetched.observed,
    };
    let remembered = match &entity.memory {
        Some(memory) => memory.recall(&question).await,
        None => None,
    };
    let stale = match remembered {
        Some(known) if known.is_fresh => {
            count_memory(&entity, "hit");
            return Ok(answer(known.fetched, Some(known.age), false));
        }
        other => other,
    };
    let flown = fly(&registry, &entity, &question, asked, exchange, traceparent).await;
    timing.registry = flown.registry_time;
    match (flown.result, stale) {
        (Ok(fetched), _) => {
            if let Some(memory) = &entity.memory {
                count_memory(&entity, "miss");
                memory.keep(question, fetched.clone()).await;
            }
            Ok(answer(fetched, None, false))
        }
        // Only a registry's failure is bridged; what the caller or the grant did wrong is told.
        (Err(refusal), Some(known)) if refusal.code.blame() == Blame::Registry => {
            count_memory(&entity, "stale");
            Ok(answer(known.fetched, Some(known.age), true))
        }
        (Err(refusal), _) => Err(refusal),
    }
}

fn count_memory(entity: &Entity, result: &'static str) {
    counter!("rabita_cache_total", "registry" => entity.target.registry.to_string(), "entity" => entity.target.entity.to_string(), "result" => result)
        .increment(1);
}

/// The legacy arguments as text, so that the same question is known again.
fn argument(asked: &Asked) -> String {
    match asked {
        Asked::Read { key } => format!("read {}", serde_json::to_string(key).unwrap_or_default()),
        Asked::ReadMany { keys } => format!("many {}", serde_json::to_string(keys).unwrap_or_default()),
        Asked::Search { limit, cursor, search, .. } => format!("search {limit} {cursor:?} {search}"),
        Asked::Binary { .. } | Asked::Change(_) => String::new(),
    }
}

/// What the seal of the record's version belongs to, where one record is asked for that has one.
fn versioned(entity: &Entity, asked: &Asked) -> Option<String> {
    let Asked::Read { key } = asked else { return None };
    entity.changing.version.as_ref()?;
    Some(update::version_context(&update::record_name(&entity.target.registry, key)))
}

/// Joins the flight of this question, or begins it.
async fn fly(
    registry: &Arc<Registry>,
    entity: &Arc<Entity>,
    question: &Arc<Question>,
    asked: Asked,
    exchange: ExchangeId,
    traceparent: Option<String>,
) -> Flown {
    let begin = || {
        let (registry, entity, question) = (Arc::clone(registry), Arc::clone(entity), Arc::clone(question));
        let call = registry.call(exchange, traceparent, registry.timeout);
        async move {
            let started = Instant::now();
            let result = fetch(&registry, &entity, asked, &question.selection, &call).await;
            Flown { result, registry_time: started.elapsed() }
        }
    };
    let (flight, joined) = entity.flights.join(Arc::clone(question), begin);
    if joined {
        registry.count_joined();
    }
    flight.await
}

async fn fetch(
    registry: &Registry,
    entity: &Entity,
    asked: Asked,
    selection: &Selection,
    call: &Call,
) -> Result<Fetched, Refusal> {
    let projection = entity.projection(selection);
    let mut reply = Reply { entity, selection, selected: &projection.selected, observed: 0 };
    let (mut next, mut version) = (None, None);
    let body = match asked {
        Asked::Read { key } => {
            let ask = Read { entity: entity.index, key, wanted: projection.wanted.clone() };
            let (row, _) = registry.deliver(call, registry.connector.read(ask, call)).await?;
            let row = row.ok_or(Code::RecordAbsent)?;
            version = entity.changing.version.as_ref().and_then(|version| row.find(version)).cloned();
            Body::Record(reply.record(&row)?)
        }
        Asked::ReadMany { keys } => {
            let due = keys.len();
            let asks =
                keys.into_iter().map(|key| Read { entity: entity.index, key, wanted: projection.wanted.clone() }).collect();
            let (rows, _) = registry.deliver(call, registry.connector.read_many(asks, call)).await?;
            if rows.len() != due {
                return Err(Refusal::new(Code::Internal).detail("the connector answered another number of keys"));
            }
            let records = rows.iter().enumerate().map(|(at, row)| row.as_ref().map(|row| reply.record_at(at, row)).transpose());
            Body::Many(records.collect::<Result<_, _>>()?)
        }
        Asked::Search { conditions, limit, cursor, ranges, .. } => {
            // The grants cover every field that is searched by, so it may be asked for.
            let wanted =
                ranges.as_ref().map_or_else(|| projection.wanted.clone(), |ranges| entity.mapping.wanted(&selection.or(ranges)));
            let ask = Search { entity: entity.index, conditions, wanted, limit, cursor };
            let (page, _) = registry.deliver(call, registry.connector.search(ask, call)).await?;
            let within = |row: &&Row| ranges.as_ref().is_none_or(|ranges| entity.mapping.has_all(row, ranges));
            let records = page.rows.iter().take(limit).filter(within).enumerate();
            let records = records.map(|(at, row)| reply.record_at(at, row)).collect::<Result<_, _>>()?;
            next = page.next;
            Body::Page(records)
        }
        Asked::Binary { .. } | Asked::Change(_) => {
            return Err(Refusal::new(Code::Internal).detail("neither a binary value nor a change is fetched"));
        }
    };
    Ok(Fetched { body: Arc::new(body), next, version, observed: reply.observed })
}

/// Rows on their way to being records.
struct Reply<'a> {
    entity: &'a Entity,
    selection: &'a Selection,
    selected: &'a SelectedFields,
    observed: usize,
}

impl Reply<'_> {
    fn record(&mut self, row: &Row) -> Result<Value, Refusal> {
        let (record, observed) = self.entity.record(row, self.selection, self.selected)?;
        self.observed += observed;
        Ok(record)
    }

    /// One of several records: its faults say which one it is.
    fn record_at(&mut self, at: usize, row: &Row) -> Result<Value, Refusal> {
        self.record(row).map_err(|mut refusal| {
            refusal.faults.iter_mut().for_each(|fault| fault.pointer.insert_str(0, &format!("/records/{at}")));
            refusal
        })
    }
}

/// Opens a binary value; its place at the registry is given back when the last byte has gone.
async fn binary(
    registry: &Registry,
    entity: &Entity,
    key: Vec<Legacy>,
    source: Source,
    media_type: String,
    call: Call,
    timing: &mut Timing,
) -> Result<Answer, Refusal> {
    let started = Instant::now();
    let ask = OpenBinary { entity: entity.index, key, source };
    // The bytes may take their time, but they begin within the registry's.
    let opening = Call { deadline: started + registry.timeout, ..call.clone() };
    let opened = registry.deliver(&opening, registry.connector.open_binary(ask, &call)).await;
    timing.registry = started.elapsed();
    let (stream, place) = opened?;
    let BinaryStream { length, media_type: told, chunks } = stream.ok_or(Code::RecordAbsent)?;
    let chunks = chunks.map(move |chunk: Result<Bytes, Failure>| {
        let _held_until_the_end = &place;
        chunk
    });
    let stream = BinaryStream { length, media_type: None, chunks: Box::pin(chunks) };
    Ok(Answer::Binary { stream, media_type: told.unwrap_or(media_type) })
}
