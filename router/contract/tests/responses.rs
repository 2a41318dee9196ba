//! Answers and problems out.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rabita_contract::{Asked, Body, ETag, Frame, RateLimit, binary_head, problem, respond, status};
use rabita_model::{Blame, Code, ExchangeId, Fault, Refusal, Retry};
use serde_json::{Map, Value, json};
use wire::{get, head, post};

const LIMITS: [RateLimit<'static>; 2] = [
    RateLimit { policy: "system", quota: 100, window_s: 1, remaining: 50, reset_s: 1 },
    RateLimit { policy: "registry", quota: 6000, window_s: 60, remaining: 0, reset_s: 12 },
];

fn frame() -> Frame<'static> {
    let exchange = "018f3a5c-7b1e-7c3d-9a2b-4d5e6f708192".parse().expect("a UUID");
    Frame {
        bus: Duration::from_micros(1_204),
        registry: Some(Duration::from_micros(20_030)),
        limits: &LIMITS,
        ..Frame::new(ExchangeId::new(exchange))
    }
}

fn record() -> Value {
    json!({ "pin": "5ZJBKH7", "name": { "family": "Əliyeva" } })
}

/// A response as a golden file shows it.
fn shown(response: &Response<Bytes>) -> Value {
    let headers: Map<String, Value> =
        response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().expect("text").into())).collect();
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    json!({ "status": response.status().as_u16(), "headers": headers, "body": body })
}

fn header<'a, T>(response: &'a Response<T>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn answers_have_the_form_of_the_golden_file() {
    let asked = Asked::default();
    let etag = ETag::of(&[0xab; 32]);
    let cached = Frame { age: Some(Duration::from_millis(61_900)), is_stale: true, observed: 2, registry: None, ..frame() };
    let answers = json!({
        "record": shown(&respond(Body::record(&record()), Some(&etag), &asked, &frame())),
        "from the cache": shown(&respond(Body::record(&record()), None, &asked, &cached)),
        "several": shown(&respond(Body::many(&[Some(record()), None]), None, &asked, &frame())),
        "page": shown(&respond(Body::page(&[record()], Some("c2")), None, &asked, &frame())),
        "last page": shown(&respond(Body::page(&[], None), None, &asked, &Frame { limits: &[], ..frame() })),
        "schema": shown(&respond(Body::schema(&json!({ "type": "object" })), None, &asked, &frame())),
        "binary": shown(&binary_head("image/jpeg", Some(7), Some(&[1; 32]), &frame()).map(|()| Bytes::new())),
    });
    golden::holds("answers.json", &answers);
}

#[test]
fn every_problem_has_the_form_of_the_golden_file() {
    let asked = Asked { allow: "GET, HEAD", ..Asked::default() };
    let problems: Map<String, Value> = Code::ALL
        .iter()
        .map(|code| {
            let faults = match code {
                Code::InvalidRequest => vec![
                    Fault::at("/where/pin", "pattern", "does not have the form of a PIN"),
                    Fault::parameter("limit", "type", "`limit` is a whole number from 1 on"),
                ],
                Code::RegistryBrokeContract => vec![Fault::at("/birth_date", "pattern", "never shown")],
                _ => Vec::new(),
            };
            let mut refusal = Refusal::with_faults(*code, faults).detail("never shown");
            if *code == Code::RegistryRefused {
                refusal.reason = Some("CASE_CLOSED".into());
            }
            let response = shown(&problem(&refusal, &asked, &Frame { limits: &[], ..frame() }));
            assert!(!response.to_string().contains("never shown"), "{code}");
            (code.to_string(), response)
        })
        .collect();
    golden::holds("problems.json", &Value::Object(problems));
}

#[test]
fn the_status_says_whose_fault_it_is() {
    for code in Code::ALL {
        let is_callers = status(*code).is_client_error();
        // That an operator discarded a change is nobody's failure: no status says so but the one of a conflict.
        assert_eq!(is_callers, code.blame() == Blame::Caller || *code == Code::UpdateDiscarded, "{code}");
    }
}

#[test]
fn a_caller_that_obeys_retry_after_never_comes_too_early() {
    let after = |code, wait: Duration| {
        let response = problem(&Refusal::new(code).retry_after(wait), &Asked::default(), &frame());
        header(&response, "retry-after").map(str::to_owned)
    };
    assert_eq!(after(Code::RateLimited, Duration::from_millis(1_001)).as_deref(), Some("2"));
    assert_eq!(after(Code::RateLimited, Duration::ZERO).as_deref(), Some("1"));
    for code in Code::ALL.iter().filter(|code| code.retry() == Retry::After) {
        let response = problem(&Refusal::new(*code), &Asked::default(), &frame());
        assert_eq!(header(&response, "retry-after"), Some("1"), "{code}");
    }
}

#[test]
fn what_the_caller_has_already_is_not_sent_again() {
    let etag = ETag::of(&[0xab, 0xcd]);
    let asked = |method: &str| Asked::of(&head(method, "/api/a/v1/b/c", &[("if-none-match", "\"x\", W/\"abcd\"")]));
    let response = respond(Body::record(&record()), Some(&etag), &asked("GET"), &frame());
    assert_eq!((response.status().as_u16(), response.body().len()), (304, 0));
    assert_eq!(header(&response, "etag"), Some("\"abcd\""));
    assert_eq!(header(&response, "rabita-exchange"), Some("018f3a5c-7b1e-7c3d-9a2b-4d5e6f708192"));
    assert_eq!(header(&response, "content-type"), None);
    let by_post = respond(Body::record(&record()), Some(&etag), &asked("POST"), &frame());
    assert_eq!(by_post.status().as_u16(), 200);
}

#[test]
fn head_gets_the_length_of_what_it_leaves_out() {
    let asked = Asked::of(&head("HEAD", "/api/a/v1/b/c", &[]));
    let body = Body::record(&record());
    let length = body.bytes().len().to_string();
    let response = respond(body, None, &asked, &frame());
    assert_eq!(header(&response, "content-length"), Some(length.as_str()));
    assert!(response.body().is_empty());
    assert!(problem(&Refusal::new(Code::RecordAbsent), &asked, &frame()).body().is_empty());
}

#[test]
fn a_binary_value_without_a_proper_media_type_is_mere_bytes() {
    for bad in ["", "jpeg", "image/\njpeg"] {
        let head = binary_head(bad, None, None, &frame());
        assert_eq!(header(&head, "content-type"), Some("application/octet-stream"), "{bad:?}");
        assert_eq!(header(&head, "content-length"), None);
    }
}

#[test]
fn a_refused_request_becomes_a_problem_that_names_each_fault() {
    let named = |refusal: Refusal, member: &str| {
        let response = problem(&refusal, &Asked::default(), &frame());
        assert_eq!(response.status().as_u16(), 422);
        let body: Value = serde_json::from_slice(response.body()).expect("JSON");
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().filter_map(|error| error[member].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let in_url = get("/api/population/v1/persons?limit=x&birth_date[form]=1").expect_err("a refusal");
    assert_eq!(named(in_url, "parameter"), ["limit", "birth_date"]);
    let in_body = post(r#"{"where": {"birth_date": {"form": 1}}, "limit": "x"}"#).expect_err("a refusal");
    assert_eq!(named(in_body, "pointer"), ["/limit", "/where/birth_date"]);
}
