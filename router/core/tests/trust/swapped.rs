//! Another configuration takes the place of the one in force.

use rabita_core::feed::Interest;
use rabita_core::{Evidence, SwapError};
use rabita_model::{Code, Event, EventId, Happened};
use serde_json::{Map, Value, json};

use crate::country::{Stage, country, person, read, system};

fn grant(more: Value) -> Value {
    let mut grant = json!({
        "group": "desks", "version": "v1", "entity": "persons", "purposes": "any", "operations": ["read", "subscribe"],
        "fields": ["pin"],
    });
    for (name, value) in more.as_object().expect("an object") {
        grant[name] = value.clone();
    }
    grant
}

fn persons() -> Vec<Value> {
    vec![person("5ZJBKH7", "Aliyeva", "1978-03", None)]
}

fn deletion() -> Event {
    Event {
        id: EventId::new(uuid::Uuid::nil()),
        target: read("persons", "5ZJBKH7").target,
        happened: Happened::Deleted,
        at: jiff::Timestamp::UNIX_EPOCH,
        key: Map::new(),
        changed: Vec::new(),
        record: Map::new(),
        update: None,
        traceparent: None,
    }
}

#[tokio::test]
async fn what_a_grant_shows_ends_with_its_last_day_and_the_feed_with_the_last_grant() {
    let grants = json!([
        grant(json!({ "fields": ["pin", "name.family"], "until": "2026-11-24" })),
        grant(json!({ "until": "2026-11-25" })),
    ]);
    let stage = Stage::new(&grants, persons());
    let feed = stage.bus.feed(&system("portal"), &Interest::default(), None, Some(&Evidence::default())).expect("a feed");
    let shown = || feed.view(&deletion()).map(|fields| fields.len());
    assert_eq!(shown(), Some(2));
    stage.clock.set("2026-11-25T00:00:00Z");
    assert_eq!((shown(), feed.is_open()), (Some(1), true));
    stage.clock.set("2026-11-26T00:00:00Z");
    assert_eq!((shown(), feed.is_open()), (None, false));
}

#[tokio::test]
async fn a_withdrawn_grant_is_felt_by_the_next_request_and_the_next_event() {
    let stage = Stage::new(&json!([grant(json!({}))]), persons());
    let event = deletion();
    let feed = stage.bus.feed(&system("portal"), &Interest::default(), None, Some(&Evidence::default())).expect("a feed");
    assert!(feed.is_open() && feed.view(&event).is_some());
    assert!(stage.answer(read("persons", "5ZJBKH7")).await.is_ok());
    stage.bus.swap(&country(&json!([]))).expect("the same registries");
    assert!(!feed.is_open() && feed.view(&event).is_none());
    assert_eq!(stage.answer(read("persons", "5ZJBKH7")).await, Err(Code::NotPermitted));
    stage.bus.swap(&country(&json!([grant(json!({ "fields": ["district"] }))]))).expect("the same registries");
    assert_eq!(feed.view(&event).map(|fields| fields.len()), Some(1));
}

#[tokio::test]
async fn limits_of_unchanged_systems_and_grants_go_on() {
    let limited = json!([grant(json!({ "requests_per_second": 1 }))]);
    let stage = Stage::new(&limited, persons());
    assert!(stage.answer(read("persons", "5ZJBKH7")).await.is_ok());
    assert_eq!(stage.answer(read("persons", "5ZJBKH7")).await, Err(Code::RateLimited));
    stage.bus.swap(&country(&limited)).expect("the same registries");
    assert_eq!(stage.answer(read("persons", "5ZJBKH7")).await, Err(Code::RateLimited));
    // Another grant has a limit of its own.
    let other = json!([grant(json!({ "requests_per_second": 1, "fields": ["district"] }))]);
    stage.bus.swap(&country(&other)).expect("the same registries");
    assert!(stage.answer(read("persons", "5ZJBKH7")).await.is_ok());

    let mut small = country(&json!([grant(json!({}))]));
    small.systems[0].limits.requests_per_second = 1;
    let before = Stage::with(&small, persons(), Default::default());
    assert!(before.answer(read("persons", "5ZJBKH7")).await.is_ok());
    before.bus.swap(&small).expect("the same registries");
    assert_eq!(before.answer(read("persons", "5ZJBKH7")).await, Err(Code::RateLimited));
}

#[tokio::test]
async fn other_registries_are_refused_and_nothing_changes() {
    let stage = Stage::new(&json!([grant(json!({}))]), persons());
    let mut other = country(&json!([]));
    other.registries.truncate(1);
    assert!(matches!(stage.bus.swap(&other), Err(SwapError::Registries)));
    let mut retitled = country(&json!([]));
    retitled.registries[0].manifest.title = Some("People".to_owned());
    assert!(matches!(stage.bus.swap(&retitled), Err(SwapError::Registries)));
    assert!(stage.answer(read("persons", "5ZJBKH7")).await.is_ok());
}
