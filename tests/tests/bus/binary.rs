//! Binary fields: whole or streamed, with their digest.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_tests::bus::{Authority, Bus, Caller, Country, Mood, Speaks, Upstream};
use reqwest::Method;
use serde_json::json;

use crate::register;

fn repr_digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, bytes)))
}

fn portal(bus: &Bus, speaks: Speaks) -> Caller {
    Caller::new(bus.required, Some(&Authority::get().portal), speaks)
}

#[tokio::test]
async fn a_short_value_comes_whole_with_its_digest_in_the_head() {
    let bus = register::country("").await.start().await;
    let path = format!("/api/register/v1/persons/{}/photo", register::pin(0));
    let photo = register::photo(3_000);
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let answer = portal(&bus, speaks).get(&path).await.good();
        assert_eq!(answer.body, photo);
        assert_eq!(answer.header("repr-digest"), repr_digest(&photo));
        assert_eq!(answer.header("content-type"), "image/png");
        assert_eq!(answer.header("content-length"), "3000");
        assert_eq!(answer.header("content-security-policy"), "sandbox");
    }
    let by_body = json!({ "key": register::pin(0), "field": "photo" });
    assert_eq!(bus.portal().post("/api/register/v1/persons/query", &by_body).await.good().body, photo);
}

#[tokio::test]
async fn a_long_value_is_streamed_with_its_digest_in_a_trailer() {
    let bus = register::country("").await.start().await;
    let path = format!("/api/register/v1/persons/{}/photo", register::pin(1));
    let photo = register::photo(5_000_000);
    let http2 = portal(&bus, Speaks::Http2).get(&path).await.good();
    assert!(http2.body == photo, "{} bytes", http2.body.len());
    assert_eq!(http2.header("trailer"), "repr-digest");
    assert_eq!(http2.header("content-type"), "image/png");
    assert_eq!(http2.trailers.get("repr-digest").and_then(|value| value.to_str().ok()), Some(repr_digest(&photo).as_str()));
    let http1 = portal(&bus, Speaks::Http1).get(&path).await.good();
    assert!(http1.body == photo, "{} bytes", http1.body.len());
}

#[tokio::test]
async fn the_head_of_a_binary_value_has_no_body() {
    let bus = register::country("").await.start().await;
    for place in [0, 1] {
        let path = format!("/api/register/v1/persons/{}/photo", register::pin(place));
        for speaks in [Speaks::Http1, Speaks::Http2] {
            let caller = portal(&bus, speaks);
            let head = caller.sent(caller.request(Method::HEAD, &path)).await;
            assert_eq!((head.status, head.body.len(), head.header("content-type")), (200, 0, "image/png"));
        }
    }
}

#[tokio::test]
async fn what_is_not_there_or_is_not_binary_is_refused() {
    let upstream = Upstream::start().await;
    let people = Country::with_people(upstream.url()).start().await;
    let register = register::country("").await.start().await;
    for path in ["/api/register/v1/persons/5ZJBK05/photo", "/api/register/v1/persons/0000000/photo"] {
        let _ = register.portal().get(path).await.refused(404, "record_absent");
    }
    let _ = people.portal().get("/api/people/v1/persons/5ZJBKH7/photo").await.refused(404, "record_absent");
    let wrong = people.portal().get("/api/people/v1/persons/5ZJBKH7/sex").await.refused(422, "invalid_request");
    assert_eq!(wrong.errors(), [("field".to_owned(), "not_binary".to_owned())]);
    let _ = people.portal().get("/api/people/v1/persons/5ZJBKH7/wings").await.refused(403, "field_not_permitted");
}

#[tokio::test]
async fn a_binary_field_stands_in_no_record() {
    let upstream = Upstream::start().await;
    upstream.set_photo("5ZJBKH7", "a photo");
    let bus = Country::with_people(upstream.url()).start().await;
    let record = bus.portal().get("/api/people/v1/persons/5ZJBKH7").await.good().json();
    assert_eq!(record.get("photo"), None);
    assert!(!upstream.last().query["fields"].contains("SEKIL"));
}

#[tokio::test]
async fn a_value_that_breaks_off_never_looks_whole() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let path = "/api/people/v1/persons/5ZJBKH7/photo";
    for (speaks, refused) in [(Speaks::Http1, 1.0), (Speaks::Http2, 2.0)] {
        // Of a short one nothing has left yet, so it is refused, and counted as such.
        upstream.is(Mood::breaks_off());
        let answer = portal(&bus, speaks).get(path).await;
        assert_eq!(answer.json()["blame"], "registry", "{}", answer.text());
        let label = format!("code=\"{}\"", answer.code());
        let counted = bus.metric("rabita_exchanges_total", &[&label]).await;
        assert!((counted - refused).abs() < f64::EPSILON, "{label}: {counted}");
        // A long one breaks off for the caller too.
        upstream.is(Mood::BreaksOff(register::photo(3_000_000).into()));
        assert!(portal(&bus, speaks).try_get(path).await.is_err());
    }
}
