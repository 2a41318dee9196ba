//! Fetch: asks the registry, once for all who ask the same at the same time; maps and validates the reply.

use std::sync::Arc;
use std::time::Instant;

use rabita_model::{Code, ExchangeId, Refusal};
use rabita_schemas::SelectedFields;
use rabita_sdk::mapping::Selection;
use rabita_sdk::{Call, Read, Row, Search};
use serde_json::Value;

use crate::bus::Body;
use crate::registry::{Entity, Fetched, Flown, Question, Registry};
use crate::stage::Asked;

/// The legacy arguments as text, so that the same question is known again.
pub(super) fn argument(asked: &Asked) -> String {
    match asked {
        Asked::Read { key } => format!("read {}", serde_json::to_string(key).unwrap_or_default()),
        Asked::ReadMany { keys } => format!("many {}", serde_json::to_string(keys).unwrap_or_default()),
        Asked::Search { limit, cursor, search, .. } => format!("search {limit} {cursor:?} {search}"),
        Asked::Binary { .. } | Asked::Change(_) => String::new(),
    }
}

/// Joins the flight of this question, or begins it.
pub(super) async fn fly(
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
    Ok(Fetched { body: Arc::new(body), next, version, observed: reply.observed, names: Arc::clone(&projection.names) })
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
