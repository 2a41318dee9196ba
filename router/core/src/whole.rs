//! The record that a change makes, as a whole: read from the registry, patched, and held against its schema.

use rabita_model::update::{merge_patch, patched_fields};
use rabita_model::{ExchangeId, Fault, FieldName};
use rabita_sdk::{Legacy, Read, Row};
use serde_json::{Map, Value};

use crate::registry::{Entity, Registry, Undelivered};

/// Reads all of a record, with its version. `None` where there is none.
pub(crate) async fn read(
    registry: &Registry,
    entity: &Entity,
    key: Vec<Legacy>,
    exchange: ExchangeId,
    traceparent: Option<String>,
) -> Result<Option<Row>, Undelivered> {
    let call = registry.call(exchange, traceparent, registry.timeout);
    let ask = Read { entity: entity.index, key, wanted: entity.projection(&entity.all).wanted.clone() };
    let (row, _) = registry.try_deliver(&call, registry.connector.read(ask, &call)).await?;
    Ok(row)
}

/// The record as it stands, in the contract's terms. What cannot be mapped is left out.
pub(crate) fn record(entity: &Entity, row: &Row) -> Map<String, Value> {
    entity.mapping.decode(row, &entity.all).0
}

/// The record with the patch, or everything that the patch makes wrong with it. What was wrong with it before is not the
/// patch's fault.
pub(crate) fn merged(
    entity: &Entity,
    current: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Fault>> {
    let mut merged = current.clone();
    merge_patch(&mut merged, patch);
    let after = Value::Object(merged);
    if !entity.schema.is_valid(&after) {
        let before = entity.schema.faults(&Value::Object(current.clone()));
        let is_new = |fault: &Fault| !before.iter().any(|old| old.pointer == fault.pointer && old.code == fault.code);
        let new: Vec<Fault> = entity.schema.faults(&after).into_iter().filter(is_new).collect();
        if !new.is_empty() {
            return Err(told(new, &patched_fields(patch)));
        }
    }
    let Value::Object(merged) = after else { unreachable!("it was made of an object") };
    Ok(merged)
}

/// What lies where the patch touches nothing is told as one: its place may be one that the caller may not see.
fn told(faults: Vec<Fault>, touched: &[FieldName]) -> Vec<Fault> {
    let near = |fault: &Fault| {
        touched.iter().map(FieldName::pointer).any(|own| begins(&own, &fault.pointer) || begins(&fault.pointer, &own))
    };
    let (mut shown, hidden): (Vec<Fault>, Vec<Fault>) = faults.into_iter().partition(near);
    if !hidden.is_empty() {
        shown.push(Fault::at("", "record", "with this patch the record as a whole does not satisfy its schema"));
    }
    shown
}

/// Whether one place is the other, or lies around it.
fn begins(outer: &str, inner: &str) -> bool {
    !outer.is_empty() && inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
