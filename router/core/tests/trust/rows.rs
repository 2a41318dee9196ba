//! Row conditions: a record that no grant admits is not there, and what is released is decided record by record.

use std::sync::Arc;

use rabita_core::{Answer, Evidence, Stores};
use rabita_journal::Embedded;
use rabita_journal::embedded::Options;
use rabita_model::ask::Key;
use rabita_model::{Change, Code, Event, EventId, Happened, Purpose, Want};
use serde_json::{Map, Value, json};

use crate::country::{Stage, asked, change, country, evidence, field, new_exchange, person, read, record, search, system, told};
use rabita_core::feed::Interest;

/// Persons of two districts, one of them of nobody knows which.
fn persons() -> Vec<Value> {
    vec![
        person("5ZJBKH7", "Aliyeva", "1978-03", Some("baku")),
        person("1ABCDE2", "Aliyeva", "2015-06-01", Some("ganja")),
        person("2ABCDE3", "Aliyeva", "2008-11", Some("baku")),
        person("3ABCDE4", "Mammadov", "1990-01-01", None),
    ]
}

fn grant(more: Value) -> Value {
    let mut grant = json!({
        "system": "portal", "version": "v1", "entity": "persons", "purposes": "any",
        "operations": ["read", "search", "create", "update", "delete", "subscribe"], "fields": "all",
    });
    for (name, value) in record(more) {
        grant[&name] = value;
    }
    grant
}

fn own_district() -> Value {
    grant(json!({ "rows": "record.district == caller.district", "fields": ["pin", "name"] }))
}

fn adults() -> Value {
    grant(json!({ "rows": "age(record.birth_date, today) >= 18", "fields": ["pin", "birth_date"] }))
}

#[tokio::test]
async fn a_record_that_no_grant_admits_is_not_there() {
    let stage = Stage::new(&json!([own_district()]), persons());
    let baku = json!({ "pin": "5ZJBKH7", "name": { "family": "Aliyeva", "given": "Leyla" } });
    assert_eq!(stage.answer(read("persons", "5ZJBKH7")).await, Ok(baku));
    assert_eq!(stage.answer(read("persons", "1ABCDE2")).await, Err(Code::RecordAbsent));
    assert_eq!(stage.answer(read("persons", "3ABCDE4")).await, Err(Code::RecordAbsent));
    assert_eq!(stage.answer(read("persons", "9NOBODY")).await, Err(Code::RecordAbsent));
    let keys = ["5ZJBKH7", "1ABCDE2"].map(|pin| Key(vec![pin.into()])).to_vec();
    let many = stage.answer(asked("persons", Want::ReadMany { keys })).await.expect("an answer");
    assert!(many[0].is_object() && many[1].is_null(), "{many}");
}

#[tokio::test]
async fn each_record_shows_the_fields_of_the_grants_that_admit_it() {
    let stage = Stage::new(&json!([own_district(), adults()]), persons());
    let of = async |pin: &str| stage.answer(read("persons", pin)).await;
    let both = json!({ "pin": "5ZJBKH7", "name": { "family": "Aliyeva", "given": "Leyla" }, "birth_date": "1978-03" });
    assert_eq!(of("5ZJBKH7").await, Ok(both));
    assert_eq!(of("3ABCDE4").await, Ok(json!({ "pin": "3ABCDE4", "birth_date": "1990-01-01" })));
    // Of 2008-11 nobody knows whether the birthday has been, so it is not taken for granted.
    assert_eq!(of("2ABCDE3").await, Ok(json!({ "pin": "2ABCDE3", "name": { "family": "Aliyeva", "given": "Leyla" } })));
    assert_eq!(of("1ABCDE2").await, Err(Code::RecordAbsent));
}

#[tokio::test]
async fn what_a_condition_looks_at_is_fetched_and_not_released() {
    let stage = Stage::new(&json!([own_district()]), persons());
    let mut ask = read("persons", "5ZJBKH7");
    ask.fields = Some(vec![field("name.family")]);
    let exchange = stage.ask(ask).await;
    assert_eq!(exchange.trail.fields.as_ref(), [field("name.family")]);
    assert_eq!(told(exchange), Ok(json!({ "name": { "family": "Aliyeva" } })));
    let asked = stage.population.asked();
    let names: Vec<&str> = asked[0].sources.iter().map(|source| source.as_str()).collect();
    assert_eq!(names, ["FAMILY", "DISTRICT", "VERSION"]);
}

#[tokio::test]
async fn a_grant_without_a_condition_that_covers_all_needs_no_look_at_the_record() {
    let plain = grant(json!({ "fields": ["pin"] }));
    let stage = Stage::new(&json!([own_district(), plain]), persons());
    let mut ask = read("persons", "1ABCDE2");
    ask.fields = Some(vec![field("pin")]);
    assert_eq!(stage.answer(ask).await, Ok(json!({ "pin": "1ABCDE2" })));
    let names: Vec<String> = stage.population.asked()[0].sources.iter().map(|source| source.as_str().to_owned()).collect();
    assert_eq!(names, ["PIN", "VERSION"]);
    // Without the fields named, the district's grant adds to what its own records show.
    assert_eq!(stage.answer(read("persons", "1ABCDE2")).await, Ok(json!({ "pin": "1ABCDE2" })));
    let own = stage.answer(read("persons", "5ZJBKH7")).await.expect("an answer");
    assert!(own["name"].is_object(), "{own}");
}

#[tokio::test]
async fn a_page_is_filled_from_behind_what_was_left_out() {
    let mut persons: Vec<Value> = (0..20).map(|at| person(&format!("A{at}"), "Aliyeva", "1990-01-01", Some("ganja"))).collect();
    persons.extend((0..4).map(|at| person(&format!("B{at}"), "Aliyeva", "1990-01-01", Some("baku"))));
    let stage = Stage::new(&json!([own_district()]), persons);
    let exchange = stage.ask(search("name.family", "Aliyeva", 3)).await;
    assert_eq!(exchange.trail.records, 3);
    let Ok(Answer::Data { body, next: Some(next), .. }) = exchange.result else { panic!("a page with more after it") };
    assert!(matches!(&*body, rabita_core::Body::Page(records) if records.len() == 3));
    let mut rest = search("name.family", "Aliyeva", 3);
    let Want::Search { cursor, .. } = &mut rest.want else { panic!("a search") };
    *cursor = Some(next);
    let rest = stage.answer(rest).await.expect("a page");
    assert_eq!(rest.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn nothing_is_found_by_a_field_that_the_admitting_grants_do_not_cover() {
    // The grant of adults covers no name, so it does not tell who of them is called so.
    let stage = Stage::new(&json!([own_district(), adults()]), persons());
    let found = stage.answer(search("name.family", "Mammadov", 10)).await;
    assert_eq!(found, Ok(json!([])));
    let found = stage.answer(search("name.family", "Aliyeva", 10)).await.expect("a page");
    let pins: Vec<&Value> = found.as_array().expect("a list").iter().map(|record| &record["pin"]).collect();
    assert_eq!(pins, ["5ZJBKH7", "2ABCDE3"]);
}

#[tokio::test]
async fn a_binary_value_is_hidden_by_a_condition_that_looks_at_no_field() {
    let of = async |rows: &str| {
        let stage = Stage::new(&json!([grant(json!({ "rows": rows }))]), persons());
        stage.answer(asked("persons", Want::Binary { key: Key(vec!["5ZJBKH7".into()]), field: field("photo") })).await
    };
    assert_eq!(of("caller.district == \"baku\"").await, Ok(json!("binary")));
    assert_eq!(of("caller.district == \"ganja\"").await, Err(Code::RecordAbsent));
}

#[tokio::test]
async fn what_is_hidden_is_not_remembered_since_what_is_absent_is_not() {
    let licences = |more: Value| {
        let mut grant = json!({ "system": "portal", "version": "v1", "entity": "licences", "purposes": "any", "operations": ["read"], "fields": "all" });
        record(more).into_iter().for_each(|(name, value)| grant[&name] = value);
        grant
    };
    let asked = async |grant: Value, number: &str| {
        let stage = Stage::new(&json!([grant]), persons());
        for _ in 0..2 {
            let _ = stage.answer(read("licences", number)).await;
        }
        stage.population.asked().len()
    };
    let rows = json!({ "rows": "record.kind == \"B\"" });
    assert_eq!(asked(licences(json!({})), "L2").await, 1, "there is a memory");
    for number in ["L1", "L2", "L9"] {
        assert_eq!(asked(licences(rows.clone()), number).await, 2, "{number}");
    }
}

#[tokio::test]
async fn a_binary_value_is_as_hidden_as_its_record() {
    let stage = Stage::new(&json!([grant(json!({ "rows": "record.district == caller.district" }))]), persons());
    let photo = |pin: &str| asked("persons", Want::Binary { key: Key(vec![pin.into()]), field: field("photo") });
    assert_eq!(stage.answer(photo("5ZJBKH7")).await, Ok(json!("binary")));
    assert_eq!(stage.answer(photo("1ABCDE2")).await, Err(Code::RecordAbsent));
}

#[tokio::test]
async fn a_condition_that_cannot_be_told_admits_nothing() {
    let stage = Stage::new(&json!([grant(json!({ "rows": "int(record.district) == 7" }))]), persons());
    assert_eq!(stage.answer(read("persons", "5ZJBKH7")).await, Err(Code::RecordAbsent));
}

#[tokio::test]
async fn a_faulty_record_is_absent_where_a_condition_decides_who_may_see_it() {
    let mut broken = person("5ZJBKH7", "Aliyeva", "1978-03", None);
    broken["DISTRICT"] = 7.into();
    let refused = async |grant: Value, asked: rabita_model::Ask| {
        let stage = Stage::new(&json!([grant]), vec![broken.clone()]);
        stage.ask(asked).await.result.err().expect("a refusal")
    };
    let hidden = refused(own_district(), read("persons", "5ZJBKH7")).await;
    let absent = refused(own_district(), read("persons", "9NOBODY")).await;
    assert_eq!((hidden.code, &hidden.faults), (absent.code, &absent.faults));
    assert!(hidden.detail.is_some(), "operators read why");
    let told = refused(grant(json!({})), read("persons", "5ZJBKH7")).await;
    assert_eq!(told.code, Code::RegistryBrokeContract);
    assert_eq!(told.faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/district"]);
}

#[tokio::test]
async fn callers_with_different_rights_share_no_answer() {
    let kiosk = grant(json!({ "system": "kiosk", "fields": ["pin", "district"] }));
    let stage = Stage::new(&json!([own_district(), kiosk]), persons());
    let (portal, kiosk) =
        tokio::join!(stage.ask(read("persons", "1ABCDE2")), stage.ask_as(evidence("kiosk"), read("persons", "1ABCDE2")),);
    assert_eq!(told(portal), Err(Code::RecordAbsent));
    assert_eq!(told(kiosk), Ok(json!({ "pin": "1ABCDE2", "district": "ganja" })));
}

#[tokio::test]
async fn the_version_of_a_record_is_told_to_those_who_can_have_a_change_depend_on_it() {
    // To others it would tell when a field changes that they may not see.
    let reader = grant(json!({ "system": "kiosk", "operations": ["read"], "fields": ["pin"] }));
    let stage = Stage::new(&json!([grant(json!({})), reader]), persons());
    let version = async |name: &str| match stage.ask_as(evidence(name), read("persons", "5ZJBKH7")).await.result {
        Ok(Answer::Data { version, .. }) => version.is_some(),
        _ => panic!("an answer"),
    };
    assert!(version("portal").await);
    assert!(!version("kiosk").await);
}

#[tokio::test]
async fn a_change_needs_a_record_that_is_admitted_before_and_after_it() {
    let scratch = tempfile::tempdir().expect("a directory");
    let clock: rabita_journal::embedded::Clock = Arc::new(jiff::Timestamp::now);
    let journal = Embedded::open(Options::new(scratch.path().to_owned(), clock)).expect("a journal");
    let stores = Stores { journal: Some(Arc::new(journal)), ledger: None };
    let grants = json!([grant(json!({ "rows": "record.district == caller.district" }))]);
    let stage = Stage::with(&country(&grants), persons(), stores);
    let key = |pin: &str| Key(vec![pin.into()]);
    let moved = |pin: &str, to: &str| change(Change::Update { key: key(pin), patch: record(json!({ "district": to })) });
    let named = |pin: &str| change(Change::Update { key: key(pin), patch: record(json!({ "name": { "family": "X" } })) });
    assert_eq!(stage.answer(named("5ZJBKH7")).await, Ok(json!("accepted")));
    assert_eq!(stage.answer(named("1ABCDE2")).await, Err(Code::RecordAbsent));
    assert_eq!(stage.answer(moved("1ABCDE2", "baku")).await, Err(Code::RecordAbsent));
    assert_eq!(stage.answer(moved("2ABCDE3", "ganja")).await, Err(Code::NotPermitted));
    assert_eq!(stage.answer(change(Change::Delete { key: key("1ABCDE2") })).await, Err(Code::RecordAbsent));
    assert_eq!(stage.answer(change(Change::Delete { key: key("2ABCDE3") })).await, Ok(json!("accepted")));
    let born = |district: &str| {
        change(Change::Create { record: record(json!({ "pin": format!("N{district}"), "district": district })) })
    };
    assert_eq!(stage.answer(born("baku")).await, Ok(json!("accepted")));
    assert_eq!(stage.answer(born("ganja")).await, Err(Code::NotPermitted));
    stage.population.goes_down();
    assert_eq!(stage.answer(named("5ZJBKH7")).await, Err(Code::RegistryUnavailable));
}

fn event(happened: Happened, pin: &str, changed: &[&str], of: Value) -> Event {
    Event {
        id: EventId::new(new_exchange().uuid()),
        target: read("persons", pin).target,
        happened,
        at: jiff::Timestamp::UNIX_EPOCH,
        key: record(json!({ "pin": pin })),
        changed: changed.iter().copied().map(field).collect(),
        record: record(of),
        update: None,
        traceparent: None,
    }
}

#[tokio::test]
async fn an_event_is_shown_only_where_it_tells_that_its_record_is_admitted() {
    let absent = grant(json!({ "rows": "!has(record.district)", "fields": ["pin", "birth_date"] }));
    let stage = Stage::new(&json!([own_district(), absent]), persons());
    let none: Option<&Purpose> = None;
    let shown = |system_name: &str, event: &Event| {
        let feed = stage.bus.feed(&system(system_name), &Interest::default(), none, Some(&Evidence::default()));
        feed.map(|feed| feed.view(event).map(|fields| fields.iter().map(ToString::to_string).collect::<Vec<_>>()))
            .map_err(|refusal| refusal.code)
    };
    let names = || Some(["pin", "name.family", "name.given"].map(str::to_owned).to_vec());
    let own = event(Happened::Updated, "5ZJBKH7", &["district"], json!({ "district": "baku" }));
    assert_eq!(shown("portal", &own), Ok(names()));
    let other = event(Happened::Updated, "5ZJBKH7", &["district"], json!({ "district": "ganja" }));
    assert_eq!(shown("portal", &other), Ok(None));
    // That the event does not tell the district does not mean that there is none.
    let untold = event(Happened::Updated, "5ZJBKH7", &["name.family"], json!({ "name": { "family": "X" } }));
    assert_eq!(shown("portal", &untold), Ok(None));
    let gone = event(Happened::Deleted, "5ZJBKH7", &[], Value::Object(Map::new()));
    assert_eq!(shown("portal", &gone), Ok(None));
    let told = event(Happened::Changed, "5ZJBKH7", &["pin", "district"], json!({ "pin": "5ZJBKH7" }));
    assert_eq!(shown("portal", &told), Ok(Some(vec!["pin".to_owned(), "birth_date".to_owned()])));
    assert_eq!(shown("kiosk", &own), Err(Code::NotPermitted));
}
