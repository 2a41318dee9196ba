//! A made-up record, made in a stand-in that stores it and read again through the bus.

use std::sync::Arc;
use std::time::Instant;

use rabita_model::ask::Key;
use rabita_model::{FieldName, Operation, Want};
use rabita_schemas::SelectedFields;
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::{Applied, Call, Change, ChangeKind, Failure};
use serde_json::Value;
use uuid::Uuid;

use super::Outcome;
use super::laws::{differing, is_same, repeats, rightly};
use crate::stage::{Machine, Stage, records, told};

/// What a create makes is read again as it was, or is refused before or by the registry.
pub(super) async fn read_again(stage: &Stage, entity: &PlannedEntity, record: &Value, machine: &Machine<'_>) -> Outcome {
    let registry = stage.registry();
    let (Some(create), Some(fixture)) = (&entity.manifest.operations.create, registry.kind.empty_fixture()) else {
        return Outcome::Refused;
    };
    let Value::Object(members) = record else { return Outcome::Refused };
    let schema = &registry.schemas[entity.index].1;
    let faults = schema.partial_faults(record, &SelectedFields::new(&create.fields));
    if !faults.is_empty() {
        return rightly(&faults, entity, record);
    }
    let key: Vec<Value> = entity.mapping.key_fields().map(|field| field.value_in(members).cloned().unwrap_or_default()).collect();
    let (legacy_key, values) = match (entity.mapping.key(&key), entity.mapping.encode(members, Operation::Create)) {
        (Ok(key), Ok(values)) => (key, values),
        (Err(faults), _) | (_, Err(faults)) => return rightly(&faults, entity, record),
    };
    let double = match registry.kind.double(registry.plan.spec.clone(), &fixture).await {
        Ok(double) => double,
        Err(why) => return Outcome::Broken(format!("there is no stand-in: {why}")),
    };
    let connector = double.connector;
    let deadline = Instant::now() + registry.plan.spec.timeout;
    let call = Call { exchange: (machine.new_exchange)(), deadline, traceparent: None };
    let change = Change {
        entity: entity.index,
        id: Uuid::now_v7(),
        kind: ChangeKind::Create,
        key: legacy_key,
        values,
        expected_version: None,
    };
    let outcome = match connector.apply(change, &call).await {
        Ok(Applied::Done) => read(stage, entity, &create.fields, (Key(key), record), Arc::clone(&connector), machine).await,
        Ok(other) => Outcome::Broken(format!("a stand-in that holds no record answered a create with {other:?}")),
        Err(failure) => refused(&failure, record),
    };
    connector.close().await;
    outcome
}

/// A registry may refuse a value that it cannot hold, and says so.
fn refused(failure: &Failure, record: &Value) -> Outcome {
    let told = failure.to_string();
    match failure {
        _ if repeats(&told, record) => Outcome::Broken("the failure of the create repeats a value".to_owned()),
        Failure::Refused { .. } => Outcome::Refused,
        _ => Outcome::Broken(format!("the create failed: {told}")),
    }
}

async fn read(
    stage: &Stage,
    entity: &PlannedEntity,
    fields: &[FieldName],
    (key, record): (Key, &Value),
    connector: Arc<dyn rabita_sdk::Connector>,
    machine: &Machine<'_>,
) -> Outcome {
    let bus = match stage.bus(connector, machine) {
        Ok(bus) => bus,
        Err(why) => return Outcome::Broken(why),
    };
    // The lists in tables of the registry are read when it is looked whether it answers.
    bus.probe().await;
    match stage.ask(&bus, entity, Want::Read { key }, Some(fields.to_vec()), machine).await {
        Err(refusal) => Outcome::Broken(format!("the record that was made cannot be read: {}", told(&refusal))),
        Ok(answer) => match records(&answer) {
            Some(back) if is_same(&back, record) => Outcome::Held,
            Some(back) => Outcome::Broken(differing(record, &back)),
            None => Outcome::Broken("the record came as bytes".to_owned()),
        },
    }
}
