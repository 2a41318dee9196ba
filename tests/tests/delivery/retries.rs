//! What is tried again, when, and what is final.

use std::time::{Duration, Instant};

use rabita_sdk::{Duplicates, Failure};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::json;

use crate::scripted::{Deed, Desk, SOON, Terms, away};

const QUICK: Terms = Terms { limits: "{ updates: { first_ms: 10, max_ms: 40 } }", each: "" };

#[tokio::test]
async fn tries_again_while_the_registry_is_away_and_tells_what_came_in_the_way() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    desk.registry.always(away());
    let id = desk.post("a", "new").await;
    let update = desk.until(&id, "retrying").await;
    assert_eq!(update["trouble"]["code"], "registry_unavailable", "{update:#}");
    assert_eq!(update["trouble"]["blame"], "registry");
    assert!(update["next_at"].is_string(), "{update:#}");
    eventually("three tries", SOON, async || desk.registry.came().len() >= 3).await;
    desk.registry.always(Deed::Applies);
    let update = desk.until(&id, "applied").await;
    assert!(update["attempts"].as_u64() >= Some(4), "{update:#}");
    assert!(update["outcome"]["at"].is_string(), "{update:#}");
    let came = desk.registry.came();
    assert!(came.iter().all(|one| one.id == came[0].id), "every try has the same id");
}

#[tokio::test]
async fn a_refusal_is_final_and_carries_the_reason_that_the_registry_gave() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    desk.registry.next([Deed::Fails(Failure::Refused { detail: "E17".into(), reason: Some("deceased".into()) })]);
    let answer = desk.write("a", "new").await.refused(422, "registry_refused");
    assert_eq!(answer.json()["reason"], "deceased");
    let update = desk.update(answer.header("rabita-update")).await;
    assert_eq!((&update["state"], &update["attempts"]), (&json!("refused"), &json!(1)), "{update:#}");
    assert_eq!(desk.registry.came().len(), 1);
}

#[tokio::test]
async fn waits_as_long_as_the_registry_asks() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    let failure = Failure::Unavailable { detail: "busy".into(), retry_after: Some(Duration::from_millis(700)) };
    desk.registry.next([Deed::Fails(failure)]);
    desk.write("a", "new").await.good();
    let came = desk.registry.came();
    assert!(came[1].at.duration_since(came[0].at) >= Duration::from_millis(690), "{came:?}");
}

#[tokio::test]
async fn an_update_of_what_is_not_there_is_refused_and_one_that_waits_for_its_creation_is_not() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    desk.write("z", "new").await.refused(404, "record_absent");
    desk.registry.next([Deed::Holds]);
    let created =
        desk.send(Method::POST, "", "make z", &[("Prefer", "respond-async")], Some(json!({ "id": "z", "text": "first" }))).await;
    assert_eq!(created.status, 202, "{}", created.text());
    let update = desk.post("z", "second").await;
    desk.registry.let_go();
    desk.until(&update, "applied").await;
    assert_eq!(desk.registry.text("z").as_deref(), Some("second"));
}

#[tokio::test]
async fn expires_unapplied_after_its_latest_time() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    desk.registry.always(away());
    let until = (jiff::Timestamp::now() + Duration::from_millis(300)).to_string();
    let headers = [("Rabita-Apply-Until", until.as_str()), ("Prefer", "wait=20")];
    let answer = desk.send(Method::PATCH, "/a", "late", &headers, Some(json!({ "text": "late" }))).await;
    let answer = answer.refused(504, "update_expired");
    assert_eq!(desk.update(answer.header("rabita-update")).await["state"], "expired");
    desk.registry.always(Deed::Applies);
    desk.write("a", "after").await.good();
    assert_eq!(desk.registry.text("a").as_deref(), Some("after"));
}

#[tokio::test]
async fn leaves_a_registry_alone_while_its_circuit_is_open() {
    let limits = "{ updates: { first_ms: 1, max_ms: 2 }, breaker: { failures: 3, open_ms: 400 } }";
    let desk = Desk::open(Duplicates::Detected, Terms { limits, each: "" }).await;
    desk.registry.next([away(), away(), away()]);
    let started = Instant::now();
    desk.write("a", "new").await.good();
    let came = desk.registry.came();
    assert_eq!(came.len(), 4);
    assert!(came[3].at.duration_since(came[2].at) >= Duration::from_millis(390), "{came:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn sends_nothing_in_a_maintenance_window() {
    let now = jiff::Timestamp::now().in_tz("UTC").expect("UTC is a zone");
    let from = (now.clone() - Duration::from_secs(120)).strftime("%H:%M").to_string();
    let until = (now + Duration::from_secs(3600)).strftime("%H:%M").to_string();
    let limits: &'static str =
        Box::leak(format!("{{ maintenance: [{{ from: \"{from}\", until: \"{until}\", zone: UTC }}] }}").into_boxed_str());
    let desk = Desk::open(Duplicates::Detected, Terms { limits, each: "" }).await;
    let id = desk.post("a", "new").await;
    let read = desk.bus().portal().get("/api/notes/v1/notes/a").await.refused(503, "registry_unavailable");
    assert!(read.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 1800), "{:?}", read.headers);
    assert_eq!(desk.update(&id).await["attempts"], 0);
    assert!(desk.registry.came().is_empty());
}

#[tokio::test]
async fn an_action_answers_what_the_registry_replies() {
    let desk = Desk::open(Duplicates::Detected, QUICK).await;
    let answer = desk.send(Method::POST, "/a/stamp", "stamp", &[], Some(json!({ "text": "stamped" }))).await.good();
    assert_eq!(answer.json(), json!({ "number": 7 }));
    let again = desk.send(Method::POST, "/a/stamp", "stamp", &[], Some(json!({ "text": "stamped" }))).await.good();
    assert_eq!((again.json(), again.header("idempotency-replayed")), (json!({ "number": 7 }), "true"));
    assert_eq!(desk.registry.came().len(), 1);
}
