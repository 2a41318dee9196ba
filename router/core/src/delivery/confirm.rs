//! Whether an update was applied, found out by looking at the record.

use rabita_model::update::patched_fields;
use rabita_model::{Change, ExchangeId, FieldName, Payload};
use rabita_sdk::Legacy;
use rabita_sdk::manifest::OnUnknown;
use serde_json::{Map, Value};

use super::prepare::Prepared;
use crate::registry::{Entity, Registry, Undelivered};
use crate::{update, whole};

/// What a look at the record tells.
pub(super) enum Confirmed {
    Applied,
    NotApplied,
    /// Nothing tells, and the manifest says to send it again.
    Resend,
    /// Nothing tells, and the manifest says to ask a person.
    Ask,
}

/// Looks where the manifest says that a look tells.
pub(super) async fn confirmed(
    registry: &Registry,
    entity: &Entity,
    payload: &Payload,
    prepared: &Prepared,
    exchange: ExchangeId,
) -> Result<Confirmed, Undelivered> {
    let (on_unknown, looks) = match &payload.change {
        Change::Act { action, .. } => match entity.changing.action(action) {
            Some((_, action)) => (action.planned.manifest.on_unknown, action.planned.manifest.confirm.is_some()),
            None => (OnUnknown::Park, false),
        },
        change => {
            let (on_unknown, confirm) = entity.manifest.on_unknown(change.operation());
            (on_unknown, confirm.is_some())
        }
    };
    if !looks {
        return Ok(match on_unknown {
            OnUnknown::Resend => Confirmed::Resend,
            OnUnknown::Park => Confirmed::Ask,
        });
    }
    let row = whole::read(registry, entity, key(prepared).to_vec(), exchange, None).await?;
    let record = row.map(|row| whole::record(entity, &row));
    Ok(if shows(entity, &payload.change, record.as_ref()) { Confirmed::Applied } else { Confirmed::NotApplied })
}

/// Whether the record is as the update would have made it; an error where it cannot be read.
pub(super) async fn is_there(registry: &Registry, entity: &Entity, payload: &Payload, exchange: ExchangeId) -> Result<bool, ()> {
    if entity.manifest.operations.read.is_none() {
        return Err(());
    }
    let key = entity.mapping.key(&update::key_values(entity, &payload.change)).map_err(|_| ())?;
    let row = whole::read(registry, entity, key, exchange, None).await.map_err(|_| ())?;
    Ok(shows(entity, &payload.change, row.map(|row| whole::record(entity, &row)).as_ref()))
}

fn key(prepared: &Prepared) -> &[Legacy] {
    match prepared {
        Prepared::Change(change) => &change.key,
        Prepared::Act(act) => &act.key,
    }
}

/// Whether a record shows that a change was applied.
fn shows(entity: &Entity, change: &Change, record: Option<&Map<String, Value>>) -> bool {
    let has = |written: &Map<String, Value>, record: &Map<String, Value>| {
        patched_fields(written).iter().all(|field| at(record, field) == at(written, field))
    };
    match (change, record) {
        (Change::Delete { .. }, record) => record.is_none(),
        (_, None) => false,
        (Change::Create { record: written } | Change::Replace { record: written, .. }, Some(record)) => has(written, record),
        (Change::Update { patch, .. }, Some(record)) => has(patch, record),
        (Change::Act { action, .. }, Some(record)) => {
            let expected = entity.changing.action(action).and_then(|(_, action)| action.planned.manifest.confirm.as_ref());
            expected.is_some_and(|expected| expected.iter().all(|(field, value)| at(record, field) == Some(value)))
        }
    }
}

/// The value of a field; none where it is null.
fn at<'a>(record: &'a Map<String, Value>, field: &FieldName) -> Option<&'a Value> {
    field.value_in(record).filter(|value| !value.is_null())
}
