//! Who may do what.

use proptest::sample::subsequence;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, Speaks, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

/// A bus with these grants of the registry `people`, each without `version` and `entity`.
async fn bus(upstream: &Upstream, grants: &[&str]) -> Bus {
    let country = Country::with_people(upstream.url());
    let grants: Vec<String> = grants.iter().map(|grant| format!("{{ version: v1, entity: persons, {grant} }}")).collect();
    country.grants("people", &grants.iter().map(String::as_str).collect::<Vec<_>>());
    country.start().await
}

async fn with_purpose(caller: &Caller, path: &str, purpose: &str) -> Answer {
    caller.sent(caller.request(Method::GET, path).header("rabita-purpose", purpose)).await
}

#[tokio::test]
async fn who_shows_no_certificate_or_one_that_no_system_has_is_not_known() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let callers = [
        Caller::new(bus.optional, None, Speaks::Either),
        Caller::new(bus.optional, Some(&Authority::get().stranger), Speaks::Either),
        bus.caller(&Authority::get().stranger),
    ];
    for caller in callers {
        for path in [AYGUN, "/api/unknown/v1/persons/x", "/bus/catalogue", "/bus/openapi.json", "/bus/schemas/people/v1/persons"]
        {
            let answer = caller.get(path).await.refused(401, "unauthenticated");
            assert!(answer.headers.contains_key("www-authenticate"));
            assert!(answer.headers.get("ratelimit").is_none());
        }
    }
    assert_eq!(upstream.calls(), 0);
    let _ = Caller::new(bus.optional, Some(&Authority::get().portal), Speaks::Either).get(AYGUN).await.good();
}

#[tokio::test]
async fn who_is_not_known_is_told_nothing_but_that() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let nobody = Caller::new(bus.optional, None, Speaks::Either);
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::GET, "/api/people/v1/persons/%zz"),
        (Method::DELETE, AYGUN),
        (Method::POST, "/api/people/v1/persons/query"),
    ] {
        let _ = nobody.sent(nobody.request(method, path).body("{")).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_cost_the_caller_the_answer() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let body = json!({ "key": "x".repeat(200_000) });
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let stranger = Caller::new(bus.required, Some(&Authority::get().stranger), speaks);
        for _ in 0..30 {
            let _ = stranger.post("/api/people/v1/persons/query", &body).await.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn a_system_does_what_its_grant_names_and_nothing_else() {
    let upstream = Upstream::start().await;
    let bus = bus(&upstream, &["system: portal, operations: [read], fields: [pin, name], purposes: any"]).await;
    let record = bus.portal().get(AYGUN).await.good();
    assert_eq!(record.json(), json!({ "pin": "5ZJBKH7", "name": { "family": "Əliyeva", "given": "Aygün" } }));
    let _ = bus.portal().get("/api/people/v1/persons?sex=male").await.refused(403, "not_permitted");
    let _ = bus.portal().get("/api/people/v1/plots/10,17").await.refused(403, "not_permitted");
    let _ = bus.caller(&Authority::get().mobile).get(AYGUN).await.refused(403, "not_permitted");
    let _ = bus.portal().get(&format!("{AYGUN}/photo")).await.refused(403, "field_not_permitted");
    let hidden = bus.portal().get(&format!("{AYGUN}?fields=pin,income,wings")).await.refused(403, "field_not_permitted");
    assert_eq!(hidden.json()["errors"].as_array().map(Vec::len), Some(2), "one that is hidden is one that is not there");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_grant_of_what_the_manifest_does_not_offer_permits_nothing() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country
        .grants("people", &["{ system: portal, version: v1, entity: plots, operations: [search], fields: all, purposes: any }"]);
    let bus = country.start().await;
    let _ = bus.portal().get("/api/people/v1/plots?district=1").await.refused(403, "not_permitted");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_grant_for_purposes_needs_one_of_them() {
    let upstream = Upstream::start().await;
    let bus = bus(&upstream, &["system: portal, operations: [read], fields: all, purposes: [identity-check, audit]"]).await;
    let portal = bus.portal();
    let _ = portal.get(AYGUN).await.refused(403, "purpose_missing");
    let _ = with_purpose(&portal, AYGUN, "birth-registration").await.refused(403, "purpose_not_permitted");
    let _ = with_purpose(&portal, AYGUN, "no-such-purpose").await.refused(403, "purpose_not_permitted");
    let _ = with_purpose(&portal, AYGUN, "No Purpose!").await.refused(422, "invalid_request");
    let _ = with_purpose(&portal, AYGUN, "audit").await.good();
}

#[tokio::test]
async fn a_grant_holds_to_the_end_of_its_last_day() {
    let upstream = Upstream::start().await;
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    for (until, holds) in [(today, true), (today.yesterday().expect("a day"), false)] {
        let grant = format!("system: portal, operations: [read], fields: all, purposes: any, until: {until}");
        let answer = bus(&upstream, &[&grant]).await.portal().get(AYGUN).await;
        let _ = if holds { answer.good() } else { answer.refused(403, "grant_expired") };
    }
}

#[tokio::test]
async fn two_grants_add_up_for_the_purpose_that_both_hold_for() {
    let upstream = Upstream::start().await;
    let grants = [
        "system: portal, operations: [read], fields: [pin], purposes: [identity-check, audit]",
        "system: portal, operations: [read], fields: [income], purposes: [audit]",
    ];
    let bus = bus(&upstream, &grants).await;
    let portal = bus.portal();
    assert_eq!(with_purpose(&portal, AYGUN, "identity-check").await.good().json(), json!({ "pin": "5ZJBKH7" }));
    assert_eq!(with_purpose(&portal, AYGUN, "audit").await.good().json(), json!({ "pin": "5ZJBKH7", "income": 1250 }));
    let _ = with_purpose(&portal, &format!("{AYGUN}?fields=income"), "identity-check").await.refused(403, "field_not_permitted");
}

#[tokio::test]
async fn a_search_by_a_field_that_is_not_granted_is_refused() {
    let upstream = Upstream::start().await;
    let bus = bus(&upstream, &["system: portal, operations: [search], fields: [pin, sex], purposes: any"]).await;
    let portal = bus.portal();
    let by_url = portal.get("/api/people/v1/persons?sex=male&income=1250").await.refused(403, "field_not_permitted");
    assert_eq!(by_url.errors(), [("income".to_owned(), "field_not_permitted".to_owned())]);
    let body = json!({ "where": { "sex": "male", "income": 1250 } });
    let by_body = portal.post("/api/people/v1/persons/query", &body).await.refused(403, "field_not_permitted");
    assert_eq!(by_body.errors(), [("/where/income".to_owned(), "field_not_permitted".to_owned())]);
    assert_eq!(upstream.calls(), 0);
    let answer = portal.get("/api/people/v1/persons?sex=female&limit=1").await.good().json();
    assert_eq!(answer["records"], json!([{ "pin": "5ZJBKH7", "sex": "female" }]));
}

/// The fields of the contract as leaves, with what the registry would be asked for.
const LEAVES: [(&str, &str); 6] = [
    ("pin", "FIN"),
    ("name.family", "SOYAD"),
    ("name.given", "AD"),
    ("birth_date", "DOGUM"),
    ("sex", "CINS"),
    ("income", "GELIR"),
];

fn leaves(value: &Value, prefix: &str) -> Vec<String> {
    let Value::Object(members) = value else { return vec![prefix.to_owned()] };
    let within = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    members.iter().flat_map(|(name, value)| leaves(value, &within(name))).collect()
}

#[tokio::test]
async fn no_answer_holds_a_field_that_the_grant_or_the_request_leaves_out() {
    let upstream = Upstream::start().await;
    let mut runner = TestRunner::deterministic();
    let draw = |runner: &mut TestRunner| -> Vec<(&'static str, &'static str)> {
        subsequence(LEAVES.to_vec(), 1..=LEAVES.len()).new_tree(runner).expect("a subset").current()
    };
    for _ in 0..12 {
        let granted = draw(&mut runner);
        let names: Vec<&str> = granted.iter().map(|(name, _)| *name).collect();
        let grant = format!("system: portal, operations: [read, search], fields: [{}], purposes: any", names.join(", "));
        let bus = bus(&upstream, &[&grant]).await;
        let portal = bus.portal();
        for _ in 0..4 {
            let asked = draw(&mut runner);
            let given: Vec<_> = asked.iter().filter(|field| granted.contains(field)).copied().collect();
            let list: Vec<&str> = asked.iter().map(|(name, _)| *name).collect();
            let answer = portal.get(&format!("{AYGUN}?fields={}", list.join(","))).await;
            if given.len() < asked.len() {
                let _ = answer.refused(403, "field_not_permitted");
                continue;
            }
            assert_eq!(sorted(leaves(&answer.good().json(), "")), sorted(list), "asked for some of {names:?}");
            let sources: Vec<&str> = given.iter().map(|(_, source)| *source).collect();
            assert_eq!(sorted(upstream.last().query["fields"].split(',').collect()), sorted(sources));
        }
        let whole = portal.post("/api/people/v1/persons/query", &json!({ "keys": ["5ZJBKH7", "4WTR2PX"] })).await.good().json();
        for record in whole["records"].as_array().expect("records") {
            assert_eq!(sorted(leaves(record, "")), sorted(names.clone()));
        }
        assert!(!upstream.last().query["fields"].contains("QEYD"));
    }
}

fn sorted<T: Into<String>>(names: Vec<T>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}
