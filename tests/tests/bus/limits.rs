//! Overload, slowness and death are refused at once, within bounds, and at nobody else's cost.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rabita_tests::SilentPort;
use rabita_tests::bus::{Answer, Authority, Caller, Country, GRANT_ALL, Manifest, Mood, Speaks, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const RASHID: &str = "/api/people/v1/persons/4WTR2PX";
const LONG: Duration = Duration::from_secs(15);
/// What still counts as at once where other tests run beside this one.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Calls until a limit is met; tells how many were answered before.
async fn until_limited(caller: &Caller, path: &str) -> (usize, Answer) {
    for answered in 0..20 {
        let answer = caller.get(path).await;
        if answer.status != 200 {
            return (answered, answer.refused(429, "rate_limited"));
        }
    }
    panic!("no limit was met");
}

/// A call that goes on in the background.
fn spawn(caller: &Caller, path: &str) -> tokio::task::JoinHandle<Answer> {
    let (caller, path) = (caller.clone(), path.to_owned());
    tokio::spawn(async move { caller.get(&path).await })
}

#[tokio::test]
async fn a_system_beyond_its_limit_is_told_when_to_come_again_and_others_are_not_held_up() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.system("portal", "{ requests_per_second: 1, burst: 3 }");
    country.grants(
        "people",
        &[GRANT_ALL, "{ system: mobile, version: v1, entity: persons, operations: [read], fields: all, purposes: any }"],
    );
    let bus = country.start().await;
    let first = bus.portal().get(AYGUN).await.good();
    assert_eq!(first.header("ratelimit-policy"), "\"system\";q=1;w=1");
    assert_eq!(first.header("ratelimit"), "\"system\";r=2;t=1");
    let (answered, refused) = until_limited(&bus.portal(), AYGUN).await;
    assert!(answered >= 2);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit"), "\"system\";r=0;t=1");
    assert_eq!((&refused.json()["blame"], &refused.json()["retry"]), (&json!("caller"), &json!("after")));
    let _ = bus.caller(&Authority::get().mobile).get(AYGUN).await.good();
    eventually("the system may come again", LONG, async || bus.portal().get(AYGUN).await.status == 200).await;
}

#[tokio::test]
async fn a_limit_on_catalogues_is_the_systems_too() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.system("portal", "{ requests_per_second: 1, burst: 2 }");
    let bus = country.start().await;
    let (_, refused) = until_limited(&bus.portal(), "/bus/catalogue").await;
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test]
async fn a_registrys_limit_holds_for_all_systems_together_and_for_no_other_registry() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).limits("{ requests_per_second: 1, burst: 2 }"));
    country.registry(&Manifest::of("other", upstream.url()));
    country.grants("other", &[GRANT_ALL]);
    country.grants(
        "people",
        &[GRANT_ALL, "{ system: mobile, version: v1, entity: persons, operations: [read], fields: all, purposes: any }"],
    );
    let bus = country.start().await;
    let (answered, refused) = until_limited(&bus.portal(), AYGUN).await;
    assert!(answered >= 2);
    assert_eq!(refused.header("retry-after"), "1");
    let (others, _) = until_limited(&bus.caller(&Authority::get().mobile), AYGUN).await;
    assert!(others <= 2, "the limit is of the registry: {others}");
    let _ = bus.portal().get("/api/other/v1/persons/5ZJBKH7").await.good();
}

#[tokio::test]
async fn a_grants_limit_holds_for_what_it_grants() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let limited = "{ system: portal, version: v1, entity: persons, operations: [read], fields: all, purposes: any, requests_per_second: 1 }";
    country.grants(
        "people",
        &[limited, "{ system: portal, version: v1, entity: plots, operations: [read], fields: all, purposes: any }"],
    );
    let bus = country.start().await;
    let (answered, refused) = until_limited(&bus.portal(), AYGUN).await;
    assert!(answered >= 1);
    assert_eq!(refused.header("retry-after"), "1");
    let _ = bus.portal().get("/api/people/v1/plots/10,17").await.good();
}

#[tokio::test]
async fn a_registry_with_all_places_taken_refuses_at_once_and_takes_the_next_when_one_is_free() {
    let upstream = Upstream::start().await;
    let bus = Country::with(&Manifest::of("people", upstream.url()).limits("{ concurrency: 1, queue: 0 }")).start().await;
    let portal = bus.portal();
    upstream.hold();
    let first = spawn(&portal, AYGUN);
    eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
    let began = Instant::now();
    let refused = portal.get(RASHID).await.refused(503, "registry_busy");
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!((refused.header("retry-after"), &refused.json()["blame"]), ("1", &json!("registry")));
    upstream.release();
    let _ = first.await.expect("no panic").good();
    let _ = portal.get(RASHID).await.good();
}

#[tokio::test]
async fn a_call_waits_for_a_place_in_the_queue_and_one_more_does_not() {
    let upstream = Upstream::start().await;
    let bus = Country::with(&Manifest::of("people", upstream.url()).limits("{ concurrency: 1, queue: 1, timeout_ms: 20000 }"))
        .start()
        .await;
    let portal = bus.portal();
    upstream.hold();
    let first = spawn(&portal, AYGUN);
    eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
    // Whichever comes first waits, and the other is refused.
    let (second, third) = (spawn(&portal, RASHID), spawn(&portal, "/api/people/v1/persons/7K2VXA9"));
    eventually("one of them is answered", LONG, async || second.is_finished() || third.is_finished()).await;
    let (refused, waits) = if second.is_finished() { (second, third) } else { (third, second) };
    let _ = refused.await.expect("no panic").refused(503, "registry_busy");
    assert!(!waits.is_finished());
    assert_eq!(upstream.calls(), 1);
    upstream.release();
    for call in [first, waits] {
        let _ = call.await.expect("no panic").good();
    }
}

#[tokio::test]
async fn a_slow_registry_is_given_up_within_its_time() {
    let upstream = Upstream::start().await;
    let bus = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 300, concurrency: 1, queue: 0 }"))
        .start()
        .await;
    upstream.hold();
    let began = Instant::now();
    let answer = bus.portal().get(AYGUN).await.refused(504, "registry_timeout");
    assert!((Duration::from_millis(300)..AT_ONCE).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((&answer.json()["blame"], &answer.json()["retry"]), (&json!("registry"), &json!("safe")));
    eventually("the call is given up", LONG, async || upstream.cancelled() == 1).await;
    upstream.release();
    let _ = bus.portal().get(AYGUN).await.good();
}

#[tokio::test]
async fn a_binary_value_that_does_not_begin_is_given_up_within_the_registrys_time() {
    let upstream = Upstream::start().await;
    let bus = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 300, concurrency: 1, queue: 0 }"))
        .start()
        .await;
    upstream.set_photo("5ZJBKH7", "a photo");
    upstream.hold();
    let began = Instant::now();
    let _ = bus.portal().get(&format!("{AYGUN}/photo")).await.refused(504, "registry_timeout");
    assert!((Duration::from_millis(300)..AT_ONCE).contains(&began.elapsed()), "{:?}", began.elapsed());
    upstream.release();
    let _ = bus.portal().get(&format!("{AYGUN}/photo")).await.good();
}

#[tokio::test]
async fn the_places_of_callers_who_leave_are_free_again() {
    let upstream = Upstream::start().await;
    let country =
        Country::with(&Manifest::of("leaving", upstream.url()).limits("{ concurrency: 1, queue: 0, timeout_ms: 60000 }"));
    country.node("limits: { exchanges: 1 }");
    let bus = country.start().await;
    let portal = bus.portal();
    upstream.set_photo("5ZJBKH7", vec![7; 5_000_000]);
    for round in 1..=5 {
        upstream.hold();
        let path = if round % 2 == 0 { "/api/leaving/v1/persons/5ZJBKH7/photo" } else { "/api/leaving/v1/persons/5ZJBKH7" };
        let call = spawn(&portal, path);
        eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
        call.abort();
        eventually("the call is given up", LONG, async || upstream.cancelled() == round).await;
        upstream.release();
        let _ = portal.get("/api/leaving/v1/persons/4WTR2PX").await.good();
        // Who leaves in the middle of the bytes.
        let bytes = portal.request(Method::GET, "/api/leaving/v1/persons/5ZJBKH7/photo").send().await.expect("an answer");
        assert_eq!(bytes.status(), 200);
        drop(bytes);
        eventually("the place is free", LONG, async || portal.get("/api/leaving/v1/persons/4WTR2PX").await.status == 200).await;
    }
    assert!(bus.metric("rabita_registry_in_flight", &["registry=\"leaving\""]).await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_failing_registry_is_given_a_pause_and_is_back_after_it() {
    let upstream = Upstream::start().await;
    let limits = "{ breaker: { failures: 3, open_ms: 2500 } }";
    let bus = Country::with(&Manifest::of("breaker", upstream.url()).limits(limits)).start().await;
    let path = "/api/breaker/v1/persons/5ZJBKH7";
    let portal = bus.portal();
    let _ = portal.get(path).await.good();
    upstream.is(Mood::status(500));
    for _ in 0..3 {
        let _ = portal.get(path).await.refused(503, "registry_unavailable");
    }
    let paused = portal.get(path).await.refused(503, "registry_circuit_open");
    let wait: u64 = paused.header("retry-after").parse().expect("seconds");
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(upstream.calls(), 4, "no call is made in the pause");
    let label = ["registry=\"breaker\""];
    assert!((bus.metric("rabita_breaker_open", &label).await - 1.0).abs() < f64::EPSILON);
    upstream.is(Mood::Well);
    eventually("the registry is back", LONG, async || portal.get(path).await.status == 200).await;
    assert!(bus.metric("rabita_breaker_open", &label).await.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_registry_that_says_when_to_come_again_is_quoted() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    upstream.is(Mood::Says { status: 503, headers: vec![("retry-after", "17")], body: "texniki fasilə".into() });
    let answer = bus.portal().get(AYGUN).await.refused(503, "registry_unavailable");
    assert_eq!(answer.header("retry-after"), "17");
    assert!(!answer.text().contains("fasil"));
}

#[tokio::test]
async fn a_registry_that_hangs_and_one_that_is_dead_slow_nobody_elses_callers() {
    let (slow, well) = (Upstream::start().await, Upstream::start().await);
    let country = Country::with_people(well.url());
    country.registry(&Manifest::of("slow", slow.url()).limits("{ concurrency: 4, queue: 4, timeout_ms: 20000 }"));
    let dead = SilentPort::new();
    country.registry(&Manifest::of("dead", dead.url()));
    country.grants("slow", &[GRANT_ALL]);
    country.grants("dead", &[GRANT_ALL]);
    let bus = country.start().await;
    let portal = bus.portal();
    slow.hold();
    let pins = ["5ZJBKH7", "4WTR2PX", "7K2VXA9", "6DQ0N1M", "3AAAAAA", "0000000"];
    let hanging: Vec<_> = pins.iter().map(|pin| spawn(&portal, &format!("/api/slow/v1/persons/{pin}"))).collect();
    eventually("the slow registry is full", LONG, async || slow.in_flight() == 4).await;
    for _ in 0..20 {
        let began = Instant::now();
        let _ = portal.get(AYGUN).await.good();
        assert!(began.elapsed() < AT_ONCE);
    }
    let _ = portal.get("/api/dead/v1/persons/5ZJBKH7").await.refused(503, "registry_unavailable");
    assert_eq!(slow.in_flight(), 4);
    slow.release();
    let statuses: Vec<u16> = join_all(hanging).await.into_iter().map(|call| call.expect("no panic").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 404]);
}

#[tokio::test]
async fn a_bus_with_all_its_places_taken_refuses_at_once() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.node("limits: { exchanges: 1 }");
    let bus = country.start().await;
    let portal = bus.portal();
    upstream.hold();
    let first = spawn(&portal, AYGUN);
    eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
    let began = Instant::now();
    for path in [RASHID, "/bus/catalogue"] {
        let refused = portal.get(path).await.refused(503, "bus_overloaded");
        assert_eq!((refused.header("retry-after"), &refused.json()["blame"]), ("1", &json!("bus")));
    }
    assert!(began.elapsed() < AT_ONCE);
    upstream.release();
    let _ = first.await.expect("no panic").good();
    let _ = portal.get(RASHID).await.good();
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_at_once() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.node("limits: { connections: 2 }");
    let bus = country.start().await;
    let connect = async || TcpStream::connect(bus.required).await.expect("a connection");
    let (first, second) = (connect().await, connect().await);
    let closed = tokio::time::timeout(LONG, connect().await.read(&mut [0; 8])).await.expect("the bus closes it");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert!(bus.portal().try_get(AYGUN).await.is_err());
    drop((first, second));
    eventually("there is room again", LONG, async || bus.portal().try_get(AYGUN).await.is_ok()).await;
}

#[tokio::test]
async fn who_sends_nothing_or_not_to_the_end_is_not_waited_for() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.node("limits: { head_timeout_ms: 300, body_timeout_ms: 300 }");
    let bus = country.start().await;
    let mut silent = TcpStream::connect(bus.required).await.expect("a connection");
    let closed = tokio::time::timeout(LONG, silent.read(&mut [0; 8])).await.expect("the bus closes it");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let caller = Caller::new(bus.required, Some(&Authority::get().portal), speaks);
        let begin = futures_util::stream::iter([Ok::<_, std::io::Error>("{\"key\":")]);
        let body = reqwest::Body::wrap_stream(futures_util::StreamExt::chain(begin, futures_util::stream::pending()));
        let request =
            caller.request(Method::POST, "/api/people/v1/persons/query").header("content-type", "application/json").body(body);
        let _ = caller.sent(request).await.refused(400, "malformed_request");
    }
}
