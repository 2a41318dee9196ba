//! An update in legacy terms. Made anew for each try: the mapping may have been mended since it was accepted.

use rabita_model::{Change, Code, ExchangeId, Operation, Outcome, Payload, UpdateId};
use rabita_sdk::{Act, ChangeKind, Legacy, Row};
use serde_json::{Map, Value};

use super::ending::End;
use crate::registry::{Entity, Registry, Undelivered};
use crate::{update, whole};

/// What the connector is asked.
pub(super) enum Prepared {
    Change(rabita_sdk::Change),
    Act(Act),
}

/// Why it cannot be asked.
pub(super) enum Unprepared {
    /// The update ends here.
    End(Box<End>),
    /// The record that it depends on could not be read.
    Undelivered(Undelivered),
    /// The configuration no longer has what it needs.
    Broken(String),
}

impl Unprepared {
    fn end(end: End) -> Self {
        Self::End(Box::new(end))
    }
}

pub(super) async fn prepare(
    registry: &Registry,
    entity: &Entity,
    payload: &Payload,
    id: UpdateId,
    exchange: ExchangeId,
    traceparent: Option<String>,
) -> Result<Prepared, Unprepared> {
    let Payload { change, expected_version, is_whole } = payload;
    let key = entity.mapping.key(&update::key_values(entity, change)).map_err(|faults| Unprepared::end(End::invalid(faults)))?;
    let expected_version = match expected_version {
        None => None,
        Some(version) => {
            let version: Result<Legacy, _> = serde_json::from_value(version.clone());
            Some(version.map_err(|_| Unprepared::Broken("the expected version is no legacy value".to_owned()))?)
        }
    };
    let as_change = |kind, values| {
        let (entity, id, key, expected_version) = (entity.index, id.uuid(), key.clone(), expected_version.clone());
        Prepared::Change(rabita_sdk::Change { entity, id, kind, key, values, expected_version })
    };
    Ok(match change {
        Change::Create { record } => as_change(ChangeKind::Create, encoded(entity, record, Operation::Create)?),
        Change::Replace { record, .. } => as_change(ChangeKind::Replace, encoded(entity, record, Operation::Replace)?),
        Change::Delete { .. } => as_change(ChangeKind::Delete, Row::new()),
        Change::Update { patch, .. } => {
            let values = if *is_whole && !entity.mapping.needs_current(patch) {
                encoded(entity, patch, Operation::Update)?
            } else {
                completed(registry, entity, patch, key.clone(), exchange, traceparent).await?
            };
            as_change(ChangeKind::Update, values)
        }
        Change::Act { action, input, .. } => {
            let found = entity.changing.action(action);
            let (at, action) = found.ok_or_else(|| Unprepared::Broken(format!("there is no action `{action}` any more")))?;
            let values = action.planned.request.encode(input, Operation::Act);
            let values = values.map_err(|faults| Unprepared::end(End::invalid(faults)))?;
            Prepared::Act(Act { entity: entity.index, action: at, id: id.uuid(), key, values, expected_version })
        }
    })
}

fn encoded(entity: &Entity, record: &Map<String, Value>, operation: Operation) -> Result<Row, Unprepared> {
    entity.mapping.encode(record, operation).map_err(|faults| Unprepared::end(End::invalid(faults)))
}

/// A patch together with the record as it is: held against the schema as a whole, and with the rest of what can only be
/// written as a whole.
async fn completed(
    registry: &Registry,
    entity: &Entity,
    patch: &Map<String, Value>,
    key: Vec<Legacy>,
    exchange: ExchangeId,
    traceparent: Option<String>,
) -> Result<Row, Unprepared> {
    if entity.manifest.operations.read.is_none() {
        return encoded(entity, patch, Operation::Update);
    }
    let row = whole::read(registry, entity, key, exchange, traceparent).await.map_err(Unprepared::Undelivered)?;
    let row = row.ok_or_else(|| Unprepared::end(End::of(Outcome::Refused, Code::RecordAbsent)))?;
    let current = whole::record(entity, &row);
    whole::merged(entity, &current, patch).map_err(|faults| Unprepared::end(End::invalid(faults)))?;
    if entity.mapping.needs_current(patch) {
        encoded(entity, &entity.mapping.completed(patch, &current), Operation::Update)
    } else {
        encoded(entity, patch, Operation::Update)
    }
}
