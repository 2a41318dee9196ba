//! The change that a test makes before it asks.

use std::time::{Duration, Instant};

use rabita_model::{Code, ExchangeId, Fault, FieldName, Operation};
use rabita_sdk::manifest::{ChangeWord, TestChange};
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::{Act, Applied, Call, Change, ChangeKind, Connector, Failure, Legacy};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Makes a change; what goes wrong begins with its code.
pub(super) async fn apply(
    change: &TestChange,
    entity: &PlannedEntity,
    connector: &dyn Connector,
    timeout: Duration,
    new_exchange: fn() -> ExchangeId,
) -> Result<(), String> {
    let key = entity.mapping.key(&key_values(change, entity)).map_err(told)?;
    let call = Call { exchange: new_exchange(), deadline: Instant::now() + timeout, traceparent: None };
    let kind = match change.operation {
        ChangeWord::Create => ChangeKind::Create,
        ChangeWord::Replace => ChangeKind::Replace,
        ChangeWord::Update => ChangeKind::Update,
        ChangeWord::Delete => ChangeKind::Delete,
        ChangeWord::Act => return act(change, entity, connector, key, &call).await,
    };
    let values = entity.mapping.encode(&change.record, kind.operation()).map_err(told)?;
    let change_is_create = kind == ChangeKind::Create;
    let change = Change { entity: entity.index, id: Uuid::now_v7(), kind, key, values, expected_version: None };
    done(connector.apply(change, &call).await.map_err(coded)?, change_is_create)
}

/// Makes an action, and compares what it replies.
async fn act(
    change: &TestChange,
    entity: &PlannedEntity,
    connector: &dyn Connector,
    key: Vec<Legacy>,
    call: &Call,
) -> Result<(), String> {
    let name = change.action.as_ref().ok_or("the test's `act` names no `action`")?;
    let found = entity.actions.iter().enumerate().find(|(_, action)| action.name == *name);
    let (at, action) = found.ok_or_else(|| format!("the entity has no action `{name}`"))?;
    let values = action.request.encode(&change.input, Operation::Act).map_err(told)?;
    let act = Act { entity: entity.index, action: at, id: Uuid::now_v7(), key, values, expected_version: None };
    let acted = connector.act(act, call).await.map_err(coded)?;
    done(acted.applied, false)?;
    let Some(expected) = &change.expect_reply else { return Ok(()) };
    let mapping = action.reply.as_ref().ok_or_else(|| format!("the action `{name}` has no reply"))?;
    let (reply, faults) = mapping.decode(&acted.reply.unwrap_or_default(), &mapping.all());
    if !faults.is_empty() {
        return Err(told(faults));
    }
    let reply = Value::Object(reply);
    if reply == *expected { Ok(()) } else { Err(format!("the action replied {reply}, {expected} was expected")) }
}

fn done(applied: Applied, creates: bool) -> Result<(), String> {
    match applied {
        Applied::Done | Applied::Before => Ok(()),
        Applied::Absent => Err("record_absent: there is no such record to change".to_owned()),
        Applied::Conflict if creates => Err("record_exists: the record is there already".to_owned()),
        Applied::Conflict => Err("precondition_failed: the record is at another version".to_owned()),
    }
}

/// A failure with the code that callers would get.
fn coded(failure: Failure) -> String {
    let code = match failure {
        Failure::Refused { .. } => Code::RegistryRefused,
        Failure::Unavailable { .. } => Code::RegistryUnavailable,
        Failure::TimedOut { .. } => Code::RegistryTimeout,
        Failure::Unknown { .. } => Code::OutcomeUnknown,
        Failure::Malformed { .. } | Failure::Unsupported { .. } => Code::RegistryBrokeContract,
    };
    format!("{code}: {failure}")
}

fn key_values(change: &TestChange, entity: &PlannedEntity) -> Vec<Value> {
    match &change.key {
        Some(Value::Array(parts)) => parts.clone(),
        Some(one) => vec![one.clone()],
        None => entity.mapping.key_fields().map(|field| member(&change.record, field)).collect(),
    }
}

fn member(record: &Map<String, Value>, field: &FieldName) -> Value {
    let whole = Value::Object(record.clone());
    whole.pointer(&field.pointer()).cloned().unwrap_or_default()
}

fn told(faults: Vec<Fault>) -> String {
    let told: Vec<String> = faults.iter().map(|fault| format!("{} {}: {}", fault.pointer, fault.code, fault.message)).collect();
    format!("invalid_request: {}", told.join("; "))
}
