//! Changes and events out.

#[path = "support/golden.rs"]
mod golden;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rabita_contract::event::{EventView, event, stream_frame, stream_head};
use rabita_contract::update::{record_path, update, updates};
use rabita_contract::{Asked, ChangeTerms, ETag, Frame, change_answer};
use rabita_model::ask::Key;
use rabita_model::update::Told;
use rabita_model::{
    ActionName, Code, Conclusion, Entry, Event, ExchangeId, FieldName, Happened, Operation, Outcome, SystemId, Target, Trouble,
    Update, Wait,
};
use serde_json::{Map, Value, json};

const ID: &str = "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e";
const EXCHANGE: &str = "018f3a5c-7b1e-7c3d-9a2b-4d5e6f708192";

fn target() -> Target {
    serde_json::from_value(json!({ "registry": "vehicles", "version": "v1", "entity": "vehicles" })).expect("a target")
}

fn entry(operation: Operation) -> Entry {
    Entry::new(Update {
        id: ID.parse().expect("an id"),
        target: target(),
        operation,
        action: (operation == Operation::Act).then(|| ActionName::new("revoke").expect("an action")),
        record: "0".repeat(64),
        system: SystemId::new("asan-portal").expect("a system"),
        idempotency_key: "key-1".into(),
        digest: "0".repeat(64),
        exchange: EXCHANGE.parse().expect("an id"),
        purpose: None,
        user: Some("never shown".into()),
        case: None,
        traceparent: None,
        accepted_at: "2027-03-01T09:00:00Z".parse().expect("a time"),
        apply_until: Some("2027-03-02T09:00:00Z".parse().expect("a time")),
        payload: None,
    })
}

fn concluded(operation: Operation, outcome: Outcome, code: Option<Code>) -> Entry {
    let mut entry = entry(operation);
    entry.progress.attempts = 2;
    let at = "2027-03-01T09:00:01.5Z".parse().expect("a time");
    entry.conclusion = Some(Conclusion { outcome, at, attempts: 1, code, reason: None, faults: Vec::new(), reply: None });
    entry
}

fn retrying() -> Entry {
    let mut entry = entry(Operation::Update);
    entry.progress.attempts = 3;
    entry.progress.next_at = Some("2027-03-01T09:00:10Z".parse().expect("a time"));
    entry.progress.trouble = Some(Trouble { code: Code::RegistryUnavailable, detail: Some("never shown".into()) });
    entry
}

fn refused() -> Entry {
    let mut entry = concluded(Operation::Update, Outcome::Refused, Some(Code::InvalidRequest));
    let told = Told { pointer: "/year".into(), code: "minimum".into(), message: "is too small".into() };
    entry.conclusion.as_mut().expect("an end").faults = vec![told];
    entry
}

fn replied() -> Entry {
    let mut entry = concluded(Operation::Act, Outcome::Applied, None);
    entry.conclusion.as_mut().expect("an end").reply = Some(json!({ "receipt": "R-1" }));
    entry
}

fn frame() -> Frame<'static> {
    Frame::new(ExchangeId::new(EXCHANGE.parse().expect("a UUID")))
}

fn answer(entry: &Entry, terms: &ChangeTerms<'_>) -> Response<Bytes> {
    change_answer(entry, terms, &Asked::default(), &frame())
}

fn shown(response: &Response<Bytes>) -> Value {
    let headers: Map<String, Value> =
        response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().expect("text").into())).collect();
    json!({ "status": response.status().as_u16(), "headers": headers, "body": body(response) })
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn a_change_is_answered_as_far_as_it_has_come() {
    let terms = ChangeTerms::default();
    let created = ChangeTerms { record: Some("/api/vehicles/v1/vehicles/10-RA-777"), ..terms };
    let waited = ChangeTerms { wait: Wait::For(Duration::from_secs(5)), ..terms };
    let in_body = ChangeTerms { within: "/patch", ..terms };
    let replayed = change_answer(&replied(), &terms, &Asked::default(), &Frame { is_replayed: true, ..frame() });
    let mut broken = refused();
    broken.conclusion.as_mut().expect("an end").code = Some(Code::RegistryBrokeContract);
    let answers = json!({
        "applied": shown(&answer(&concluded(Operation::Update, Outcome::Applied, None), &waited)),
        "created": shown(&answer(&concluded(Operation::Create, Outcome::Applied, None), &created)),
        "replied": shown(&replayed),
        "accepted": shown(&answer(&entry(Operation::Delete), &ChangeTerms { wait: Wait::Not, ..terms })),
        "retrying": shown(&answer(&retrying(), &waited)),
        "parked": shown(&answer(&Entry { is_parked: true, ..retrying() }, &terms)),
        "refused": shown(&answer(&refused(), &in_body)),
        "conflicted": shown(&answer(&concluded(Operation::Update, Outcome::Conflicted, Some(Code::PreconditionFailed)), &terms)),
        "expired": shown(&answer(&concluded(Operation::Update, Outcome::Expired, Some(Code::UpdateExpired)), &terms)),
        "broken": shown(&answer(&broken, &terms)),
    });
    assert!(!answers.to_string().contains("never shown"));
    golden::holds("changes.json", &answers);
}

#[test]
fn a_list_of_updates_tells_how_each_stands() {
    let entries = [refused(), replied(), retrying()];
    let list: Value = serde_json::from_slice(updates(&entries, Some("c")).bytes()).expect("JSON");
    assert_eq!(list["next"], "c");
    for (entry, told) in entries.iter().zip(list["updates"].as_array().expect("updates")) {
        let one: Value = serde_json::from_slice(update(entry).bytes()).expect("JSON");
        assert_eq!((&one, one["state"].as_str()), (told, Some(entry.state().as_str())));
    }
    assert_eq!(list["updates"][0]["outcome"]["code"], "invalid_request");
    assert_eq!(list["updates"][0]["outcome"]["errors"][0]["pointer"], "/year");
    let last: Value = serde_json::from_slice(updates(&[], None).bytes()).expect("JSON");
    assert_eq!(last, json!({ "updates": [] }));
}

#[test]
fn every_end_is_told_by_a_code_even_where_the_journal_kept_none() {
    let ends = [
        (Outcome::Applied, None),
        (Outcome::Refused, Some("registry_refused")),
        (Outcome::Conflicted, Some("precondition_failed")),
        (Outcome::Expired, Some("update_expired")),
    ];
    for (outcome, code) in ends {
        let response = answer(&concluded(Operation::Update, outcome, None), &ChangeTerms::default());
        assert_eq!(body(&response)["code"].as_str(), code);
        assert_eq!(response.status().is_success(), code.is_none());
        assert_eq!(header(&response, "rabita-update"), Some(ID));
    }
}

#[test]
fn what_came_in_the_way_is_told_until_the_update_ends() {
    let document = |entry: &Entry| -> Value { serde_json::from_slice(update(entry).bytes()).expect("JSON") };
    let on_its_way = retrying();
    assert_eq!(document(&on_its_way)["trouble"]["code"], "registry_unavailable");
    assert_eq!(document(&on_its_way)["next_at"], "2027-03-01T09:00:10Z");
    let parked = Entry { is_parked: true, ..on_its_way.clone() };
    assert_eq!((document(&parked).get("next_at"), &document(&parked)["trouble"]["code"]), (None, &json!("registry_unavailable")));
    let ended = Entry { conclusion: concluded(Operation::Update, Outcome::Applied, None).conclusion, ..on_its_way };
    assert_eq!((document(&ended).get("trouble"), document(&ended).get("next_at")), (None, None));
    assert_eq!(document(&ended)["outcome"], json!({ "at": "2027-03-01T09:00:01.5Z" }));
}

#[test]
fn a_record_that_was_made_is_found_where_a_record_is_read() {
    let path = record_path(&target(), &Key(vec![json!("a,b/ə"), json!(7)]));
    assert_eq!(path, "/api/vehicles/v1/vehicles/a%2Cb%2F%C9%99,7");
    let hidden = answer(&concluded(Operation::Create, Outcome::Applied, None), &ChangeTerms::default());
    assert_eq!((hidden.status().as_u16(), header(&hidden, "location")), (201, None));
}

#[test]
fn a_tag_tells_what_was_read_and_the_version_to_change() {
    let tag = ETag::with_version(&[0xab, 0xcd], "x-y_z");
    assert_eq!(tag.header(), "\"abcd-x-y_z\"");
    assert_eq!(ETag::version("abcd-x-y_z"), Some("x-y_z"));
    assert_eq!((ETag::version("abcd"), ETag::version("abcd-")), (None, None));
    for bad in ["", "a\"b", "a b", "ə"] {
        assert_eq!(ETag::with_version(&[0xab, 0xcd], bad), ETag::of(&[0xab, 0xcd]), "{bad}");
    }
}

fn happened(happened: Happened, changed: &[&str]) -> Event {
    let record = if happened == Happened::Deleted {
        json!({})
    } else {
        json!({ "owner": { "pin": "5ZJBKH7", "since": "2027" }, "marks": [{ "kind": "A", "note": "B" }] })
    };
    serde_json::from_value(json!({
        "id": ID,
        "target": target(),
        "happened": "changed",
        "at": "2027-03-01T09:00:00Z",
        "key": { "plate": "10-RA-777" },
        "changed": changed,
        "record": record,
        "update": EXCHANGE,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }))
    .map(|event| Event { happened, ..event })
    .expect("an event")
}

fn fields(names: &[&str]) -> Vec<FieldName> {
    names.iter().map(|name| FieldName::new(name).expect("a field")).collect()
}

fn seen(event: &Event, names: &[&str]) -> Option<Value> {
    rabita_contract::event::event(event, &EventView { fields: &fields(names), is_own: false })
}

#[test]
fn an_event_is_a_cloud_event_cut_to_what_is_granted() {
    let update = happened(Happened::Updated, &["owner", "marks"]);
    let all = fields(&["plate", "owner", "marks"]);
    let events = json!({
        "all, of the caller's own": event(&update, &EventView { fields: &all, is_own: true }),
        "in part": seen(&update, &["owner.pin", "marks.kind"]),
        "an action": seen(&happened(Happened::Acted(ActionName::new("revoke").expect("an action")), &[]), &["plate"]),
    });
    golden::holds("events.json", &events);
}

#[test]
fn an_event_of_which_nothing_may_be_seen_is_not_given() {
    let update = happened(Happened::Updated, &["owner", "marks"]);
    assert_eq!(seen(&update, &[]), None);
    assert_eq!(seen(&update, &["vin"]), None);
    // That something happened to a known record would tell of the fields that are not granted.
    assert_eq!(seen(&update, &["plate"]), None);
    let deleted = happened(Happened::Deleted, &[]);
    assert_eq!(seen(&deleted, &["owner"]), None);
    assert_eq!(seen(&deleted, &["plate"]).expect("an event")["data"]["key"], json!({ "plate": "10-RA-777" }));
}

#[test]
fn a_part_of_a_key_is_not_shown() {
    let mut update = happened(Happened::Updated, &["owner"]);
    update.key = serde_json::from_value(json!({ "plate": "10-RA-777", "district": 4 })).expect("a key");
    assert_eq!(seen(&update, &["plate", "owner"]).expect("an event")["data"].get("key"), None);
    assert!(seen(&update, &["plate", "district", "owner"]).expect("an event")["data"].get("key").is_some());
}

#[test]
fn a_stream_tells_position_type_and_event_of_each() {
    let event = seen(&happened(Happened::Updated, &["owner"]), &["owner.pin"]).expect("an event");
    let frame_text = String::from_utf8(stream_frame("0.17", &event).to_vec()).expect("text");
    let lines: Vec<&str> = frame_text.split('\n').collect();
    let [id, kind, data, "", ""] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((*id, *kind), ("id: 0.17", "event: rabita.vehicles.v1.vehicles.updated"));
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(data, event);
    let head = stream_head(&frame());
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    assert_eq!(head.headers()["cache-control"], "no-store");
}
