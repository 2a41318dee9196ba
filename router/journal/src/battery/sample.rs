//! Updates, conclusions and events to try a journal with.

use jiff::Timestamp;
use rabita_model::ask::Key;
use rabita_model::{
    Change, Code, Conclusion, EntityName, Event, EventId, ExchangeId, FieldName, Happened, Operation, Outcome, Payload, Progress,
    RegistryId, SystemId, Target, Trouble, Update, UpdateId, Version,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::battery::soon;
use crate::{Accepted, Journal, JournalError, Lease, OperatorAct, Verb};

/// The registry that most behaviours use.
#[must_use]
pub fn registry() -> RegistryId {
    RegistryId::new("population").expect("a registry")
}

/// The system that most behaviours use.
#[must_use]
pub fn system() -> SystemId {
    SystemId::new("portal").expect("a system")
}

/// The name of a record.
#[must_use]
pub fn record(number: u64) -> String {
    format!("{number:064x}")
}

/// An instant, so many seconds after a fixed one.
#[must_use]
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("an instant")
}

/// A new update of a record of [`registry`], accepted now.
#[must_use]
pub fn update(number: u64) -> Update {
    update_of(&registry(), number)
}

/// A new update of a record of a registry, accepted now.
#[must_use]
pub fn update_of(registry: &RegistryId, number: u64) -> Update {
    let id = UpdateId::new(Uuid::now_v7());
    Update {
        id,
        target: target(registry),
        operation: Operation::Update,
        action: None,
        record: record(number),
        system: system(),
        idempotency_key: id.to_string(),
        digest: format!("{:0>64}", id.uuid().simple()),
        exchange: ExchangeId::new(Uuid::now_v7()),
        purpose: None,
        user: Some("an official".to_owned()),
        case: None,
        traceparent: None,
        accepted_at: Timestamp::now(),
        apply_until: None,
        payload: Some(Payload {
            change: Change::Update { key: Key(vec![json!(number)]), patch: object(json!({ "name": { "family": "Əliyeva" } })) },
            expected_version: Some(json!(7)),
            is_whole: true,
        }),
    }
}

/// An event of a registry's record.
#[must_use]
pub fn event(number: u64) -> Event {
    Event {
        id: EventId::new(Uuid::now_v7()),
        target: target(&registry()),
        happened: Happened::Updated,
        at: Timestamp::now(),
        key: object(json!({ "pin": number })),
        changed: vec![FieldName::new("name.family").expect("a field")],
        record: object(json!({ "name": { "family": "Əliyeva" } })),
        update: None,
        traceparent: None,
    }
}

/// The end of an update that the registry has.
#[must_use]
pub fn applied() -> Conclusion {
    Conclusion {
        outcome: Outcome::Applied,
        attempts: 0,
        at: Timestamp::now(),
        code: None,
        reason: None,
        faults: Vec::new(),
        reply: Some(json!({ "number": 12 })),
    }
}

/// The end of an update to which the registry said no.
#[must_use]
pub fn refused() -> Conclusion {
    Conclusion { outcome: Outcome::Refused, code: Some(Code::RegistryRefused), reply: None, ..applied() }
}

/// How far an update came that something came in the way of.
#[must_use]
pub fn troubled(attempts: u32, code: Code) -> Progress {
    Progress { attempts, is_in_doubt: false, next_at: Some(at(60)), trouble: Some(Trouble { code, detail: None }) }
}

/// An act of an operator.
#[must_use]
pub fn act(verb: Verb, ids: &[UpdateId]) -> OperatorAct {
    let reason = Some("the registry is back".to_owned());
    OperatorAct { verb, ids: ids.to_vec(), operator: "aynur".to_owned(), reason, at: Timestamp::now() }
}

/// Accepts updates one after another, each new.
pub async fn accept_all(journal: &dyn Journal, updates: &[Update]) {
    for update in updates {
        assert_eq!(journal.accept(update.clone()).await, Ok(Accepted::New));
    }
}

/// Accepts new updates of these records, one after another.
pub async fn accepted(journal: &dyn Journal, records: &[u64]) -> Vec<Update> {
    let updates: Vec<Update> = records.iter().map(|number| update(*number)).collect();
    accept_all(journal, &updates).await;
    updates
}

/// The next update of [`registry`].
pub async fn next(journal: &dyn Journal) -> Lease {
    let taken: Result<Lease, JournalError> = soon("an update to deliver", journal.take(&registry())).await;
    taken.expect("an update to deliver")
}

/// The next update, which must be this one.
pub async fn take(journal: &dyn Journal, id: UpdateId) -> Lease {
    let lease = next(journal).await;
    assert_eq!(lease.entry.update.id, id, "another update came");
    lease
}

/// Takes the next update, which must be this one, and lays it aside.
pub async fn take_and_park(journal: &dyn Journal, id: UpdateId) -> Lease {
    let lease = take(journal, id).await;
    assert_eq!(journal.park(&lease, troubled(3, Code::RegistryUnavailable)).await, Ok(()));
    lease
}

fn target(registry: &RegistryId) -> Target {
    let version = Version::new("v1").expect("a version");
    Target { registry: registry.clone(), version, entity: EntityName::new("persons").expect("an entity") }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}
