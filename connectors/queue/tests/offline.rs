//! The connector against its stand-in: what it asks, what it makes of replies, and what `check` finds.

use std::time::{Duration, Instant};

use rabita_battery::people;
use rabita_model::{ExchangeId, Operation};
use rabita_sdk::{
    Act, Applied, Call, Change, ChangeKind, Double, Duplicates, Failure, Legacy, Read, RegistrySpec, Row, Search, SecretRef,
    SecretText, Secrets,
};
use serde_json::{Value, json};

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there are none".to_owned())
    }
}

fn settings() -> Value {
    let words = json!({ "GONE": "absent", "TWICE": "before", "THERE": "conflict", "BUSY": "unavailable", "BAD": "refused" });
    json!({
        "amqp": { "addresses": ["mq.example"], "user": "bus", "password": { "env": "X" }, "routing_key": "people" },
        "status": { "path": "error.code", "missing": "done", "words": words },
    })
}

fn from() -> Value {
    let change = |op: &str| {
        json!({ "op": op, "id": "{$message_id}", "at": "{$version?}", "pin": "{pin}",
            "set": { "family": "{family}", "given": "{given}", "born": "{born}", "notes": "{notes}" } })
    };
    json!({
        "read": { "request": { "op": "get", "pin": "{pin}" }, "response": { "record": "person" }, "to": { "routing_key": "people.read" } },
        "search": {
            "request": { "op": "find", "family": "{family?}", "starts": "{family:prefix?}", "page": "{$page}", "size": "{$limit}" },
            "response": { "records": "found", "absent_records": "empty" },
            "paging": "page",
        },
        "create": { "request": change("create") },
        "replace": { "request": change("replace") },
        "update": { "request": change("update") },
        "delete": { "request": { "op": "delete", "id": "{$message_id}", "at": "{$version?}", "pin": "{pin}" } },
    })
}

fn spec() -> RegistrySpec {
    let mut spec = people::registry(settings(), from());
    people::add_rename(
        &mut spec,
        json!({
            "request": { "op": "rename", "id": "{$message_id}", "at": "{$version?}", "pin": "{pin}", "to": "{new_family}" },
            "response": { "reply": "renamed" },
        }),
    );
    let entity = &mut spec.entities[0];
    entity.operations.remove(&Operation::Subscribe);
    entity.filters.retain(|filter| filter.source.as_str() == "family");
    spec
}

async fn double(legacy: Value) -> Double {
    assert_eq!(rabita_queue::kind().check(&spec()), []);
    rabita_queue::kind().double(spec(), &legacy).await.expect("a stand-in")
}

fn call() -> Call {
    let exchange = ExchangeId::new("0198c0de-0000-7000-8000-000000000001".parse().expect("an id"));
    Call { exchange, deadline: Instant::now() + Duration::from_secs(10), traceparent: None }
}

async fn read(double: &Double, pin: &str) -> Result<Option<Row>, Failure> {
    let ask = Read { entity: 0, key: people::key(pin), wanted: people::wanted(&["pin", "family"]) };
    double.connector.read(ask, &call()).await
}

fn change(kind: ChangeKind, values: &[(&str, Legacy)]) -> Change {
    let values = values.iter().map(|(name, value)| (*name, value.clone())).collect();
    let id = "0198c0de-0000-7000-8000-000000000002".parse().expect("an id");
    Change { entity: 0, id, kind, key: people::key("P1"), values, expected_version: None }
}

fn asked(double: &Double) -> Vec<Value> {
    (double.asked.as_ref().expect("it tells"))()
}

#[tokio::test]
async fn reads_a_record_from_its_place_and_knows_that_there_is_none() {
    let double = double(json!([
        { "request": { "json": { "pin": "P1" } }, "response": { "json": { "person": { "pin": "P1", "family": "Əliyeva" } } } },
        { "request": { "json": { "pin": "P2" } }, "response": { "json": { "person": null } } },
        { "request": { "json": { "pin": "P3" } }, "response": { "json": { "error": { "code": "GONE" } } } },
    ]))
    .await;
    let row = read(&double, "P1").await.expect("an answer").expect("a record");
    assert_eq!(row.get("family"), Some(&"Əliyeva".into()));
    assert_eq!(read(&double, "P2").await, Ok(None));
    assert_eq!(read(&double, "P3").await, Ok(None));
    let first = &asked(&double)[0];
    assert_eq!((&first["routing_key"], &first["json"]), (&json!("people.read"), &json!({ "op": "get", "pin": "P1" })));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[tokio::test]
async fn tells_refusals_unavailability_and_nonsense_apart_without_the_registrys_words() {
    let double = double(json!([
        { "request": { "json": { "pin": "bad" } }, "response": { "json": { "error": { "code": "BAD" } } } },
        { "request": { "json": { "pin": "odd" } }, "response": { "json": { "error": { "code": "Əliyeva is dead" } } } },
        { "request": { "json": { "pin": "busy" } }, "response": { "json": { "error": { "code": "BUSY" } } } },
        { "request": { "json": { "pin": "text" } }, "response": { "text": "Əliyeva" } },
        { "request": { "json": { "pin": "cut" } }, "response": { "text": "{\"person\": {\"family\": \"Əli" } },
        { "request": { "json": { "pin": "other" } }, "response": { "json": { "person": ["Əliyeva"] } } },
        { "request": { "json": { "pin": "none" } }, "response": { "json": {} } },
        { "request": { "json": { "pin": "there" } }, "response": { "json": { "error": { "code": "THERE" } } } },
    ]))
    .await;
    let failure = async |pin: &str| {
        let failure = read(&double, pin).await.expect_err(pin);
        assert!(!failure.to_string().contains("li"), "{failure}");
        failure
    };
    assert!(matches!(failure("bad").await, Failure::Refused { reason: Some(reason), .. } if reason == "BAD"));
    assert!(matches!(read(&double, "odd").await, Err(Failure::Refused { reason: None, .. })));
    assert!(matches!(read(&double, "busy").await, Err(Failure::Unavailable { .. })));
    for pin in ["text", "cut", "other", "none", "there"] {
        let failure = read(&double, pin).await.expect_err(pin);
        assert!(matches!(failure, Failure::Malformed { .. }) && !failure.to_string().contains('Ə'), "{pin}: {failure}");
    }
    assert!(matches!(read(&double, "unforeseen").await, Err(Failure::Unavailable { .. })));
    assert_eq!((double.complaints)().len(), 1);
}

#[tokio::test]
async fn a_change_says_what_it_sets_and_what_became_of_it() {
    let double = double(json!([
        { "request": { "json": { "op": "update" } }, "response": { "json": {} } },
        { "request": { "json": { "op": "create" } }, "response": { "json": { "error": { "code": "THERE" } } } },
        { "request": { "json": { "op": "delete" } }, "response": { "json": { "error": { "code": "TWICE" } } } },
        { "request": { "json": { "op": "replace" } }, "response": { "text": "no JSON" } },
    ]))
    .await;
    let apply = async |change| double.connector.apply(change, &call()).await;
    let update = change(ChangeKind::Update, &[("family", "New".into()), ("notes", Legacy::Null)]);
    assert_eq!(apply(Change { expected_version: Some(7.into()), ..update }).await, Ok(Applied::Done));
    assert_eq!(apply(change(ChangeKind::Create, &[("family", "New".into())])).await, Ok(Applied::Conflict));
    assert_eq!(apply(change(ChangeKind::Delete, &[])).await, Ok(Applied::Before));
    assert!(matches!(apply(change(ChangeKind::Replace, &[])).await, Err(Failure::Unknown { .. })));
    let id = "0198c0de-0000-7000-8000-000000000002";
    let sent = asked(&double);
    let expected = json!({ "op": "update", "id": id, "at": 7, "pin": "P1", "set": { "family": "New", "notes": null } });
    assert_eq!((&sent[0]["json"], &sent[0]["message_id"]), (&expected, &json!(id)));
    assert_eq!(sent[1]["json"]["set"], json!({ "family": "New", "given": null, "born": null, "notes": null }));
    let can = double.connector.capabilities(0);
    assert!(can.checks_versions && can.duplicates == Duplicates::HandedOn);
}

#[tokio::test]
async fn an_action_is_done_once_the_registry_says_so_whatever_it_replies() {
    for (reply, expected) in [(json!({ "renamed": { "family": "New" } }), Some("New")), (json!({ "else": 1 }), None)] {
        let double =
            double(json!([{ "request": { "json": { "op": "rename", "to": "New" } }, "response": { "json": reply } }])).await;
        let values = Row::from_iter([(people::NEW_FAMILY, Legacy::from("New"))]);
        let id = "0198c0de-0000-7000-8000-000000000003".parse().expect("an id");
        let act = Act { entity: 0, action: 0, id, key: people::key("P1"), values, expected_version: None };
        let acted = double.connector.act(act, &call()).await.expect("it is done");
        let family = acted.reply.and_then(|reply| reply.get("family").cloned());
        assert_eq!((acted.applied, family), (Applied::Done, expected.map(Legacy::from)));
    }
}

#[tokio::test]
async fn a_search_goes_through_the_registrys_pages() {
    let page = |number: u64, found: Value| json!({ "request": { "json": { "op": "find", "page": number, "size": 2 } }, "response": { "json": { "found": found } } });
    let double = double(json!([page(1, json!([{ "pin": "P1" }, { "pin": "P2" }])), page(2, json!([{ "pin": "P3" }])),])).await;
    let mut pins = Vec::new();
    let mut cursor = None;
    loop {
        let ask = Search { entity: 0, conditions: Vec::new(), wanted: people::wanted(&["pin"]), limit: 2, cursor };
        let page = double.connector.search(ask, &call()).await.expect("a page");
        pins.extend(page.rows.iter().filter_map(|row| row.get("pin")?.to_text().map(std::borrow::Cow::into_owned)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pins, ["P1", "P2", "P3"]);
}

#[tokio::test]
async fn a_reply_that_does_not_come_is_waited_for_until_the_deadline() {
    let double = double(json!([{ "response": {} }])).await;
    let ask = Read { entity: 0, key: people::key("P1"), wanted: people::wanted(&["pin"]) };
    let began = Instant::now();
    let call = Call { deadline: began + Duration::from_millis(50), ..call() };
    assert!(matches!(double.connector.read(ask, &call).await, Err(Failure::TimedOut { .. })));
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn check_tells_everything_that_is_wrong_where_it_stands() {
    let mut wrong = spec();
    wrong.settings["amqp"] = json!({ "addresses": ["amqp://mq"], "user": "bus", "tls": { "cert_file": "a.pem" } });
    let entity = &mut wrong.entities[0];
    entity.from["update"]["request"]["set"]["family"] = json!("{famly}");
    entity.from["search"]["request"]["page"] = json!(1);
    entity.from["binary"] = json!({ "scan": { "request": {} } });
    let findings = rabita_queue::kind().check(&wrong);
    let told: Vec<String> = findings.iter().map(|finding| format!("{} {}", finding.pointer, finding.message)).collect();
    for expected in [
        "/connector/amqp/addresses/0 this is no address",
        "/connector/amqp/user a user needs a password",
        "/connector/amqp/tls/cert_file a certificate needs its key",
        "/from/update/request/set/family ",
        "/fields/family the request of `update` has no place for `family`",
        "/from/search/request paging needs `{$page}`",
        "/from/binary/scan ",
        "nothing says where the request goes",
    ] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:#?}");
    }
    assert!(rabita_queue::kind().open(wrong, &NoSecrets).await.is_err());
}

#[tokio::test]
async fn over_kafka_a_request_goes_to_its_topic_under_the_key_of_its_record() {
    let mut spec = spec();
    spec.settings = json!({ "kafka": { "brokers": ["k1.example:9092"], "topic": "people", "reply_topic": "people.replies" } });
    spec.entities[0].from["read"]["to"] = json!({ "topic": "people.read" });
    assert_eq!(rabita_queue::kind().check(&spec), []);
    let legacy = json!([
        { "request": { "topic": "people.read" }, "response": { "json": { "person": { "pin": "P1" } } } },
        { "request": { "topic": "people", "json": { "op": "find" } }, "response": { "json": { "found": [] } } },
    ]);
    let double = rabita_queue::kind().double(spec, &legacy).await.expect("a stand-in");
    assert!(read(&double, "P1").await.expect("a read").is_some());
    let ask = Search { entity: 0, conditions: Vec::new(), wanted: people::wanted(&["pin"]), limit: 2, cursor: None };
    assert!(double.connector.search(ask, &call()).await.expect("a page").rows.is_empty());
    let sent: Vec<[Value; 3]> =
        asked(&double).iter().map(|sent| ["topic", "key", "routing_key"].map(|at| sent[at].clone())).collect();
    assert_eq!(sent, [[json!("people.read"), json!("P1"), json!("")], [json!("people"), json!(""), json!("")]]);
}

#[tokio::test]
async fn check_tells_what_is_wrong_with_a_broker_of_kafka() {
    let mut wrong = spec();
    wrong.settings = json!({ "kafka": {
        "brokers": ["k1.example", "kafka://k2:9092"], "topic": "people/requests", "reply_topic": "..", "password": { "env": "X" },
    } });
    wrong.entities[0].from["search"]["to"] = json!({ "exchange": "x", "topic": "a b" });
    let told = |spec: &RegistrySpec| -> Vec<String> {
        let findings = rabita_queue::kind().check(spec);
        findings.iter().map(|finding| format!("{} {}", finding.pointer, finding.message)).collect()
    };
    let all = told(&wrong);
    for expected in [
        "/connector/kafka/brokers/0 this is no address",
        "/connector/kafka/brokers/1 this is no address",
        "/connector/kafka/topic this is no topic",
        "/connector/kafka/reply_topic this is no topic",
        "/connector/kafka/password a password needs a user",
        "/from/read/to/routing_key Kafka has no `routing_key`",
        "/from/search/to/exchange Kafka has no `exchange`",
        "/from/search/to/topic this is no topic",
    ] {
        assert!(all.iter().any(|told| told.contains(expected)), "{expected}: {all:#?}");
    }
    wrong.settings["amqp"] = settings()["amqp"].clone();
    assert!(told(&wrong).iter().any(|told| told.contains("/connector/kafka a registry is behind one broker")));
    wrong.settings = json!({});
    assert!(told(&wrong).iter().any(|told| told.contains("/connector nothing says which broker")));
    assert!(rabita_queue::kind().open(wrong, &NoSecrets).await.is_err());
}
