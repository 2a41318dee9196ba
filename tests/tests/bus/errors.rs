//! How the bus says no.

use rabita_tests::bus::{Answer, Authority, Caller, Country, Manifest, Speaks, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const QUERY: &str = "/api/people/v1/persons/query";

fn pair(place: &str, code: &str) -> (String, String) {
    (place.to_owned(), code.to_owned())
}

#[tokio::test]
async fn every_fault_of_a_body_is_told_at_once_with_its_place() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let body = json!({ "where": { "name.family": "", "sex": "neither", "income": { "from": 1 }, "birth_date": "1978-03-12" }, "limit": 1000 });
    let answer = bus.portal().post(QUERY, &body).await.refused(422, "invalid_request");
    let errors = answer.errors();
    for place in ["/limit", "/where/name.family", "/where/sex", "/where/income", "/where/birth_date"] {
        assert!(errors.iter().any(|(at, _)| at == place), "nothing at {place}: {errors:?}");
    }
    let body = json!({ "where": "Əliyeva", "limit": "ten", "fields": "pin", "cursr": "x" });
    let errors = bus.portal().post(QUERY, &body).await.refused(422, "invalid_request").errors();
    let places: Vec<&str> = errors.iter().map(|(at, _)| at.as_str()).collect();
    for place in ["/where", "/limit", "/fields", "/cursr"] {
        assert!(places.contains(&place), "nothing at {place}: {errors:?}");
    }
    assert_eq!(upstream.calls(), 0, "the registry hears nothing of what is wrong");
}

#[tokio::test]
async fn every_fault_of_a_url_is_told_at_once_with_its_parameter() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let path = "/api/people/v1/persons?sex=neither&income=many&limit=1000";
    let answer = bus.portal().get(path).await.refused(422, "invalid_request");
    let errors = answer.errors();
    for parameter in ["sex", "income", "limit"] {
        assert!(errors.iter().any(|(at, _)| at == parameter), "nothing at {parameter}: {errors:?}");
    }
    let wrong = bus.portal().get("/api/people/v1/persons/not-a-pin").await.refused(422, "invalid_request");
    assert_eq!(wrong.errors().first().map(|(at, _)| at.as_str()), Some("key"));
    assert!(!answer.text().contains("neither") && !wrong.text().contains("not-a-pin"), "a value is repeated");
}

#[tokio::test]
async fn a_body_that_is_no_query_is_refused_for_what_it_is() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.node("limits: { body_max_bytes: 2000 }");
    let bus = country.start().await;
    let portal = bus.portal();
    let post = |body: String, media_type: &'static str| {
        portal.request(Method::POST, QUERY).header("content-type", media_type).body(body)
    };
    for text in ["", "{", "{\"key\":\"5ZJBKH7\",}", "<html></html>", "{\"key\":\"a\",\"key\":\"b\"}", "{\"key\":\"5ZJBKH7\"} x"] {
        let _ = portal.sent(post(text.to_owned(), "application/json")).await.refused(400, "malformed_request");
    }
    for text in ["[]", "null", "\"5ZJBKH7\"", "{}", "{\"key\":\"5ZJBKH7\",\"where\":{\"sex\":\"male\"}}"] {
        let _ = portal.sent(post(text.to_owned(), "application/json")).await.refused(422, "invalid_request");
    }
    let good = "{\"key\":\"5ZJBKH7\"}".to_owned();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        let answer = portal.sent(post(good.clone(), media_type)).await.refused(415, "media_type_unsupported");
        assert_eq!(answer.header("accept"), "application/json");
    }
    let _ = portal.sent(post(good, "application/json; charset=utf-8")).await.good();
    let large = format!("{{\"key\":\"{}\"}}", "5".repeat(3000));
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let caller = Caller::new(bus.required, Some(&Authority::get().portal), speaks);
        let request = caller.request(Method::POST, QUERY).header("content-type", "application/json").body(large.clone());
        let _ = caller.sent(request).await.refused(413, "body_too_large");
    }
    let not_acceptable = portal.sent(portal.request(Method::GET, AYGUN).header("accept", "text/html")).await;
    let _ = not_acceptable.refused(406, "not_acceptable");
}

#[tokio::test]
async fn a_path_of_another_form_leads_nowhere_and_a_bad_escape_is_malformed() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    for path in [
        "/",
        "/api",
        "/api/people",
        "/api/people/v1",
        "/api/People/v1/persons/x",
        "/api/people/v01/persons/x",
        "/api/people/1/persons/x",
        "/api/people/v1/persons/",
        "/api/people/v1/persons/x/photo/more",
        "/bus",
        "/bus/Catalogue",
        "/metrics",
        "/livez",
        "/readyz",
    ] {
        let _ = portal.get(path).await.refused(404, "route_absent");
    }
    for path in
        ["/api/people/v1/persons/%zz", "/api/people/v1/persons/%C3", "/api/people/v1/persons?sex=%", "/api/people/v1/persons?sex"]
    {
        let _ = portal.get(path).await.refused(400, "malformed_request");
    }
    for path in ["/api/people/v1/persons/a%00b", "/api/people/v1/persons?sex=a%00b", "/api/people/v1/persons/5ZJBKH7,x"] {
        let _ = portal.get(path).await.refused(422, "invalid_request");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_search_needs_a_filter() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let by_url = bus.portal().get("/api/people/v1/persons").await.refused(422, "invalid_request");
    let by_body = bus.portal().post(QUERY, &json!({ "where": {} })).await.refused(422, "invalid_request");
    for answer in [by_url, by_body] {
        assert_eq!(answer.errors(), [pair("/where", "filter_missing")]);
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    for (method, path, allowed) in [
        (Method::POST, AYGUN, "GET, HEAD, PUT, PATCH, DELETE"),
        (Method::PUT, "/api/people/v1/persons", "GET, HEAD, POST"),
        (Method::OPTIONS, QUERY, "GET, HEAD, POST, PUT, PATCH, DELETE"),
        (Method::POST, "/bus/catalogue", "GET, HEAD"),
        (Method::DELETE, "/bus/updates", "GET, HEAD"),
    ] {
        let answer = portal.sent(portal.request(method, path)).await.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn a_problem_says_what_happened_whose_doing_it_is_and_whether_to_come_again() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let answer = bus.portal().get("/api/people/v1/persons/0000000").await.refused(404, "record_absent");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:rabita:problem:record_absent");
    assert_eq!(problem["status"], 404);
    assert_eq!((&problem["blame"], &problem["retry"]), (&json!("caller"), &json!("never")));
    assert_eq!(problem["exchange"], answer.header("rabita-exchange"));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    assert!(answer.headers.get("retry-after").is_none());
}

/// All of an answer that could tell one case from another.
fn telling(answer: &Answer) -> (u16, String, Vec<String>) {
    let exchange = answer.header("rabita-exchange");
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            !["rabita-exchange", "server-timing", "date", "ratelimit", "rabita-receipt", "content-digest"]
                .contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    (answer.status, answer.text().replace(exchange, "EXCHANGE"), headers)
}

#[tokio::test]
async fn what_does_not_exist_looks_exactly_like_what_is_not_granted() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.registry(&Manifest::of("secrets", upstream.url()));
    country.grants(
        "secrets",
        &["{ system: auditor, version: v1, entity: persons, operations: [read, search], fields: all, purposes: [audit] }"],
    );
    let bus = country.start().await;
    let portal = bus.portal();
    let unknown = [
        ("/api/unknwn/v1/persons", "no such registry"),
        ("/api/secrets/v1/animals", "no such entity"),
        ("/api/secrets/v9/persons", "no such version"),
    ];
    let bodies: [Value; 3] =
        [json!({ "key": "5ZJBKH7" }), json!({ "where": { "sex": "male" } }), json!({ "key": "5ZJBKH7", "fields": ["wings"] })];
    for (path, what) in unknown {
        for tail in ["/5ZJBKH7", "/5ZJBKH7/photo", "?sex=male", "?key=5ZJBKH7&key=x", "", "/5ZJBKH7?fields=wings"] {
            let (there, absent) =
                (portal.get(&format!("/api/secrets/v1/persons{tail}")).await, portal.get(&format!("{path}{tail}")).await);
            assert_eq!(there.code(), "not_permitted");
            assert_eq!(telling(&there), telling(&absent), "{what}: {tail}");
        }
        for body in &bodies {
            let there = portal.post("/api/secrets/v1/persons/query", body).await;
            assert_eq!(telling(&there), telling(&portal.post(&format!("{path}/query"), body).await), "{what}: {body}");
        }
    }
    assert_eq!(upstream.calls(), 0);
}
