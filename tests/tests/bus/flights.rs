//! One call for many who ask the same, and answers out of memory.

use std::time::Duration;

use futures_util::future::join_all;
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, GRANT_ALL, Manifest, Mood, Speaks, Upstream};
use rabita_tests::eventually;
use serde_json::json;

const LONG: Duration = Duration::from_secs(15);
const PERSONS: &str = "/api/people/v1/persons";
const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

fn spawn(caller: &Caller, path: &str) -> tokio::task::JoinHandle<Answer> {
    let (caller, path) = (caller.clone(), path.to_owned());
    tokio::spawn(async move { caller.get(&path).await })
}

async fn joined(bus: &Bus, registry: &str) -> f64 {
    bus.metric("rabita_flights_joined_total", &[&format!("registry=\"{registry}\"")]).await
}

#[tokio::test]
async fn those_who_ask_the_same_at_once_share_one_call() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("shared", upstream.url()));
    country.grants(
        "shared",
        &[GRANT_ALL, "{ system: mobile, version: v1, entity: persons, operations: [read], fields: all, purposes: any }"],
    );
    let bus = country.start().await;
    upstream.hold();
    let path = "/api/shared/v1/persons/5ZJBKH7";
    let (portal, mobile) = (bus.portal(), bus.caller(&Authority::get().mobile));
    let calls: Vec<_> = (0..20).map(|at| spawn(if at % 2 == 0 { &portal } else { &mobile }, path)).collect();
    eventually("all wait for one call", LONG, async || joined(&bus, "shared").await > 18.5).await;
    upstream.release();
    for call in join_all(calls).await {
        assert_eq!(call.expect("no panic").good().json()["pin"], "5ZJBKH7");
    }
    assert_eq!(upstream.calls(), 1);
    let _ = portal.get(path).await.good();
    assert_eq!(upstream.calls(), 2, "what is over is not shared");
}

#[tokio::test]
async fn those_who_ask_for_other_fields_or_other_records_do_not_share_it() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    upstream.hold();
    let paths = [AYGUN.to_owned(), format!("{AYGUN}?fields=pin"), format!("{AYGUN}?fields=sex"), format!("{PERSONS}/4WTR2PX")];
    let calls: Vec<_> = paths.iter().map(|path| spawn(&portal, path)).collect();
    eventually("each has its call", LONG, async || upstream.in_flight() == 4).await;
    upstream.release();
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|call| call.expect("no panic").good().json()).collect();
    assert_eq!(answers[1..3], [json!({ "pin": "5ZJBKH7" }), json!({ "sex": "female" })]);
    assert_eq!(answers[3]["pin"], "4WTR2PX");
}

#[tokio::test]
async fn a_call_ends_when_nobody_waits_for_it_any_more_and_not_before() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let upstream = Upstream::start().await;
        let name = if speaks == Speaks::Http1 { "left-one" } else { "left-two" };
        let bus = Country::with(&Manifest::of(name, upstream.url()).limits("{ timeout_ms: 60000 }")).start().await;
        let caller = || Caller::new(bus.required, Some(&Authority::get().portal), speaks);
        let path = format!("/api/{name}/v1/persons/5ZJBKH7");
        upstream.hold();
        let first = spawn(&caller(), &path);
        eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
        let second = spawn(&caller(), &path);
        eventually("the second waits too", LONG, async || joined(&bus, name).await > 0.5).await;
        first.abort();
        let third = spawn(&caller(), &path);
        eventually("the third waits too", LONG, async || joined(&bus, name).await > 1.5).await;
        assert_eq!((upstream.calls(), upstream.cancelled()), (1, 0), "{speaks:?}");
        second.abort();
        third.abort();
        eventually("the call is given up", LONG, async || upstream.cancelled() == 1).await;
        let left = async || bus.metric("rabita_exchanges_total", &["code=\"caller_left\""]).await;
        eventually("all who left are counted", LONG, async || left().await > 2.5).await;
        upstream.release();
        let _ = caller().get(&path).await.good();
    }
}

#[tokio::test]
async fn an_answer_out_of_memory_tells_its_age_and_is_given_only_for_the_same_fields() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).persons("cache: { ttl_ms: 600000 }"));
    country.grants(
        "people",
        &[GRANT_ALL, "{ system: mobile, version: v1, entity: persons, operations: [read], fields: [pin], purposes: any }"],
    );
    let bus = country.start().await;
    let portal = bus.portal();
    let first = portal.get(AYGUN).await.good();
    assert!(first.headers.get("age").is_none());
    let second = portal.get(AYGUN).await.good();
    assert!(second.header("age").parse::<u64>().is_ok_and(|age| age < 60), "{:?}", second.headers);
    assert!(second.headers.get("rabita-stale").is_none());
    assert_eq!((first.json(), upstream.calls()), (second.json(), 1));
    assert!(!second.header("server-timing").contains("registry"));

    let narrow = portal.get(&format!("{AYGUN}?fields=pin")).await.good();
    assert_eq!((narrow.json(), upstream.calls()), (json!({ "pin": "5ZJBKH7" }), 2));
    // The same fields by another system, for which they are all that it may see.
    let mobile = bus.caller(&Authority::get().mobile).get(AYGUN).await.good();
    assert_eq!((mobile.json(), upstream.calls()), (json!({ "pin": "5ZJBKH7" }), 2));
    let _ = portal.get("/api/people/v1/persons?sex=female&limit=1").await.good();
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn memory_goes_stale_and_is_then_given_only_when_the_registry_fails() {
    let upstream = Upstream::start().await;
    let country =
        Country::with(&Manifest::of("people", upstream.url()).persons("cache: { ttl_ms: 1, stale_if_error_ms: 600000 }"));
    let bus = country.start().await;
    let portal = bus.portal();
    let fresh = portal.get(AYGUN).await.good();
    eventually("the memory is past its time", LONG, async || {
        let _ = portal.get(AYGUN).await.good();
        upstream.calls() >= 2
    })
    .await;
    for mood in [Mood::status(500), Mood::status(503), Mood::json("<html>")] {
        upstream.is(mood);
        let is_stale = async || portal.get(AYGUN).await.good().header("rabita-stale") == "true";
        eventually("the memory is past its time", LONG, is_stale).await;
        let stale = portal.get(AYGUN).await.good();
        assert_eq!(stale.json(), fresh.json());
        assert_eq!(stale.header("rabita-stale"), "true");
        assert!(stale.headers.contains_key("age"));
    }
    let _ = portal.get(&format!("{PERSONS}/4WTR2PX")).await.refused(502, "registry_broke_contract");
    // That there is no such record any more is an answer, and not a failure to bridge.
    upstream.is(Mood::status(404));
    let _ = portal.get(AYGUN).await.refused(404, "record_absent");
}
