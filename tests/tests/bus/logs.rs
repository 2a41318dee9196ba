//! The log: a line for each exchange, and nothing of anybody's data in any of them.

use std::time::Duration;

use rabita_tests::SilentPort;
use rabita_tests::bus::{Authority, Caller, Country, GRANT_ALL, Manifest, Mood, Program, Speaks, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::licences::{self, Desk, Lock};
use crate::lifecycle::RABITA;

const PERSONS: &str = "/api/people/v1/persons";

/// What stands in requests and in what the registry holds; nothing that a time could look like.
const PERSONAL: [&str; 14] = [
    "5ZJBKH7",
    "4WTR2PX",
    "9XXXXXX",
    "Əliyeva",
    "%C6%8F",
    "Aygün",
    "Məmmədov",
    "19780312",
    "1978-03-12",
    "31.02.1978",
    "Gizlin",
    "case-of-aygun",
    "official-leyla",
    "5zjbkh7",
];

#[tokio::test]
async fn the_log_tells_of_every_exchange_and_holds_nobodys_data() {
    for (form, filter) in [("json", "debug"), ("text", "info")] {
        let upstream = Upstream::start().await;
        let country =
            Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 200, breaker: { failures: 1000 } }"));
        let dead = SilentPort::new();
        country.registry(&Manifest::of("dead", dead.url()));
        country.grants("dead", &[GRANT_ALL]);
        country.node(&format!("telemetry: {{ log: {form}, log_filter: {filter} }}\nlimits: {{ body_max_bytes: 500 }}"));
        let mut program = Program::serve(RABITA, country.path());
        let address = addresses(&mut program, form).await;
        let caller = Caller::new(address.0, Some(&Authority::get().portal), Speaks::Either);
        let stranger = Caller::new(address.1, Some(&Authority::get().stranger), Speaks::Either);
        let mut calls = well(&caller).await + ill(&caller, &upstream).await;
        for path in [&format!("{PERSONS}/5ZJBKH7"), "/api/p5zjbkh7/v1/persons/x"] {
            let _ = stranger.get(path).await.refused(401, "unauthenticated");
            calls += 1;
        }
        program.terminate().await;
        let (status, said) = program.ended().await;
        assert_eq!(status.code(), Some(0), "{said}");
        let lines = said.lines().filter(|line| line.contains("exchange refused") || line.contains("registry_us")).count();
        assert!(lines >= calls, "{lines} lines for {calls} exchanges:\n{said}");
        for word in [
            "registry_broke_contract",
            "registry_timeout",
            "registry_unavailable",
            "record_absent",
            "invalid_request",
            "portal",
            "audit",
        ] {
            assert!(said.contains(word), "no {word} in the log:\n{said}");
        }
        assert_eq!(said.contains("DEBUG"), filter == "debug");
        for personal in PERSONAL {
            let line = said.lines().find(|line| line.contains(personal));
            assert_eq!(line, None, "{personal} is in the log");
        }
    }
}

/// The listeners' addresses, in whichever form the log has.
async fn addresses(program: &mut Program, form: &str) -> (std::net::SocketAddr, std::net::SocketAddr) {
    if form == "json" {
        let addresses = program.addresses().await;
        return (addresses[0], addresses[1]);
    }
    eventually("the program listens", Duration::from_secs(30), async || program.said().contains("admin listening")).await;
    let said = program.said();
    let mut all = said.lines().filter_map(|line| line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok());
    (all.next().expect("an address"), all.next().expect("another"))
}

/// Exchanges that go well, or fail for what the caller did. How many.
async fn well(caller: &Caller) -> usize {
    let with_words = |path: &str| {
        let request = caller.request(Method::GET, path).header("rabita-purpose", "audit");
        request.header("rabita-case", "case-of-aygun").header("rabita-user", "official-leyla")
    };
    let paths = [
        "/5ZJBKH7",
        "/5ZJBKH7?fields=pin",
        "?name.family=%C6%8Fliyeva",
        "?key=5ZJBKH7&key=4WTR2PX",
        "/9XXXXXX",
        "/5ZJBKH7/photo",
        "?birth_date=1978-03-12",
        "?5ZJBKH7=1",
        "?sex=5ZJBKH7",
        "?income=Aygün",
        "/5ZJBKH7-not-a-pin",
        "/5ZJBKH7,4WTR2PX",
        "/%zz5ZJBKH7",
        "/5ZJBKH7?fields=5ZJBKH7",
        "?cursor=5ZJBKH7&sex=male",
        "?limit=5ZJBKH7",
        "/5ZJBKH7?5ZJBKH7=4WTR2PX",
        "/photo/5ZJBKH7",
        "?5ZJBKH7[4WTR2PX]=1",
        "?sex=male&sex=5ZJBKH7",
        "/5ZJBKH7/photo?5ZJBKH7=1",
    ];
    for path in ["/api/p5zjbkh7/v1/persons/x", "/api/people/v1/p5zjbkh7", "/api/5ZJBKH7/v1/persons/x"] {
        assert!(caller.get(path).await.status >= 400);
    }
    for path in paths {
        let answer = caller.sent(with_words(&format!("{PERSONS}{path}"))).await;
        assert!(answer.status < 500, "{path}: {}", answer.text());
    }
    let bodies = [
        json!({ "key": "5ZJBKH7" }),
        json!({ "keys": ["5ZJBKH7", "not-5ZJBKH7"] }),
        json!({ "where": { "name.family": "Əliyeva" } }),
        json!({ "where": { "name.family": 1250, "Aygün": "x", "5ZJBKH7": 1, "sex": { "5ZJBKH7": "x" } } }),
        json!({ "5ZJBKH7": "Əliyeva" }),
        json!({ "key": "5ZJBKH7", "fields": ["5ZJBKH7"] }),
        json!({ "key": "5ZJBKH7", "field": "4WTR2PX" }),
        json!({ "key": "5ZJBKH7".repeat(200) }),
        Value::String("5ZJBKH7".to_owned()),
    ];
    for body in &bodies {
        let answer = caller.post(&format!("{PERSONS}/query"), body).await;
        assert!(answer.status < 500, "{body}: {}", answer.text());
    }
    3 + paths.len() + bodies.len()
}

/// Exchanges that fail for what the registry does. How many.
async fn ill(caller: &Caller, upstream: &Upstream) -> usize {
    let moods = [
        Mood::json(
            json!({ "FIN": "5ZJBKH7", "SOYAD": "Gizlinova", "CINS": "Gizlinova", "DOGUM": "31.02.1978", "GELIR": "1250" })
                .to_string(),
        ),
        Mood::json("{\"FIN\":\"5ZJBKH7\",\"SOYAD\":\"Gizlin"),
        Mood::json("\"Gizlinova\""),
        Mood::Says { status: 500, headers: Vec::new(), body: "no Gizlinova with 5ZJBKH7".into() },
        Mood::Says { status: 422, headers: vec![("content-type", "application/json")], body: "{\"error\":\"Gizlinova\"}".into() },
        Mood::Says { status: 302, headers: vec![("location", "/persons/5ZJBKH7?name=Gizlinova")], body: "".into() },
        Mood::breaks_off(),
    ];
    for mood in &moods {
        upstream.is(mood.clone());
        for tail in ["/5ZJBKH7", "?name.family=%C6%8Fliyeva"] {
            let answer = caller.get(&format!("{PERSONS}{tail}")).await;
            assert!(answer.status >= 400, "{mood:?}");
        }
    }
    upstream.is(Mood::Well);
    upstream.hold();
    let _ = caller.get(&format!("{PERSONS}/5ZJBKH7")).await.refused(504, "registry_timeout");
    upstream.release();
    let _ = caller.get("/api/dead/v1/persons/5ZJBKH7").await.refused(503, "registry_unavailable");
    moods.len() * 2 + 2
}

/// What stands in changes, and in the registry that they change.
const CHANGED: [&str; 7] = ["L-424242", "Gizlin", "Aygün", "Əliyeva", "itirilib", "key-of-aygun", "official-leyla"];

#[tokio::test]
async fn a_change_leaves_nothing_of_anybodys_data_in_the_log() {
    let country = Desk::country(&[licences::ALL], "telemetry: { log: json, log_filter: debug }").await;
    let program = Program::serve(RABITA, country.path());
    let address = program.addresses().await[0];
    let caller = Caller::new(address, Some(&Authority::get().portal), Speaks::Either);
    let record = json!({ "number": "L-424242", "holder": { "family": "Gizlin", "given": "Aygün" }, "class": "A" });
    let send = async |method: Method, path: &str, body: Value, key: &str| {
        let request = caller.request(method, path).header("idempotency-key", format!("key-of-aygun-{key}"));
        caller.sent(request.header("rabita-user", "official-leyla").json(&body)).await
    };
    let path = format!("{}/L-424242", licences::LICENCES);
    assert_eq!(send(Method::POST, licences::LICENCES, record.clone(), "1").await.status, 201);
    let _ = send(Method::POST, licences::LICENCES, record.clone(), "1").await;
    let _ = send(Method::PATCH, &path, json!({ "points": 1 }), "1").await.refused(422, "idempotency_key_reused");
    let _ = send(Method::POST, licences::LICENCES, record, "2").await.refused(409, "record_exists");
    let _ = send(Method::PATCH, &path, json!({ "holder": { "family": "Gizlin", "Gizlin": 1 } }), "3")
        .await
        .refused(422, "invalid_request");
    let _ = send(Method::POST, &format!("{path}/revoke"), json!({ "reason": "itirilib" }), "4").await.good();
    let lock = Lock::on(&country).await;
    let held = caller.request(Method::PATCH, &path).header("idempotency-key", "key-of-aygun-5").header("prefer", "respond-async");
    let held = licences::accepted(caller.sent(held.json(&json!({ "holder": { "given": "Aygün" } }))).await);
    let _ = licences::until(&caller, &licences::update_path(&held), "retrying").await;
    lock.let_go().await;
    let _ = licences::until(&caller, &licences::update_path(&held), "applied").await;
    program.terminate().await;
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    for word in ["record_exists", "invalid_request", "idempotency_key_reused", "portal"] {
        assert!(said.contains(word), "no {word} in the log:\n{said}");
    }
    for personal in CHANGED {
        let line = said.lines().find(|line| line.contains(personal));
        assert_eq!(line, None, "{personal} is in the log");
    }
}
