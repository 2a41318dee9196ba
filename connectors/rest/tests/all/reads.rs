//! Reads: what an answer means, and keys that try to be something else.

use std::time::Duration;

use futures_util::StreamExt;
use rabita_sdk::{Failure, Legacy, OpenBinary, Source};
use serde_json::{Value, json};

use crate::raw::{Raw, Reply, ok};
use crate::support::{call, double, on, open, read, search, spec};

const JSON: &str = "Content-Type: application/json\r\n";

fn at(path: &str) -> Value {
    json!({ "read": { "path": path } })
}

#[tokio::test]
async fn reads_the_record_from_its_place_and_asks_for_no_more_than_is_wanted() {
    let from = json!({ "read": { "path": "/units/{nr}", "record": "data.unit" }, "fields_param": { "name": "fields" },
        "version": { "header": "ETag" }, "headers": { "X-Api-Version": "3" } });
    let fixture = json!([{
        "request": { "method": "GET", "path": "/units/7", "query": { "fields": "nr,address.city" },
            "headers": { "x-api-version": "3", "accept": "application/json" } },
        "response": { "json": { "data": { "unit": { "nr": 7, "address": { "city": "Bakı" } } } }, "headers": { "etag": "\"a\"" } }
    }]);
    let mut spec = spec(json!({ "url": "http://x" }), from);
    spec.entities[0].version = Some(Source::new("_version"));
    let double = rabita_rest::kind().double(spec, &fixture).await.unwrap();
    let mut ask = read(7);
    ask.wanted.sources.push(Source::new("_version"));
    let row = double.connector.read(ask, &call()).await.unwrap().expect("a record");
    assert_eq!(row.get("_version"), Some(&"\"a\"".into()));
    assert_eq!(row.find(&Source::new("address.city")), Some(&"Bakı".into()));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[tokio::test]
async fn a_status_means_absence_or_a_failure_with_the_time_to_wait() {
    let statuses = [204, 404, 410, 400, 422, 401, 403, 408, 425, 429, 500, 503, 504, 507, 202, 206, 304];
    let exchange = |status: &u16| {
        json!({ "request": { "path": format!("/u/{status}") },
            "response": { "status": status, "headers": { "retry-after": "7" } } })
    };
    let double = on(at("/u/{nr}"), statuses.iter().map(exchange).collect()).await;
    for status in statuses {
        let outcome = double.connector.read(read(i64::from(status)), &call()).await;
        let expected = match status {
            204 | 404 | 410 => matches!(outcome, Ok(None)),
            400 | 422 => matches!(outcome, Err(Failure::Refused { .. })),
            202 | 206 | 304 => matches!(outcome, Err(Failure::Malformed { .. })),
            _ => matches!(&outcome, Err(Failure::Unavailable { retry_after: Some(wait), detail })
                if *wait == Duration::from_secs(7) && detail.contains(&status.to_string())),
        };
        assert!(expected, "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_manifest_can_give_statuses_another_meaning_and_let_a_code_through() {
    let settings = json!({ "url": "http://x", "errors": { "403": "refused", "418": "absent", "refused_code": "error.code" } });
    let fixture = json!([
        { "request": { "path": "/u/1" }, "response": { "status": 403, "json": { "error": { "code": "E_DEAD", "text": "Ali died" } } } },
        { "request": { "path": "/u/2" }, "response": { "status": 418 } },
        { "request": { "path": "/u/3" }, "response": { "status": 422, "json": { "error": { "code": "Ali died in 1978" } } } },
    ]);
    let double = double(settings, at("/u/{nr}"), fixture).await;
    let refused = |reason: Option<&str>, status: u16| {
        let detail = if status == 403 { "the registry does not take the bus's credentials (status 403)" } else { "status 422" };
        Failure::Refused { detail: detail.to_owned(), reason: reason.map(str::to_owned) }
    };
    assert_eq!(double.connector.read(read(1), &call()).await, Err(refused(Some("E_DEAD"), 403)));
    assert_eq!(double.connector.read(read(2), &call()).await, Ok(None));
    assert_eq!(double.connector.read(read(3), &call()).await, Err(refused(None, 422)));
}

#[tokio::test]
async fn what_is_no_json_record_is_malformed_and_none_of_it_is_told() {
    let deep = "[".repeat(100_000);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("Content-Type: text/html\r\n", b"<html>SECRET</html>".to_vec()),
        ("Content-Type: text/html\r\n", b"{}".to_vec()),
        (JSON, b"<html>SECRET</html>".to_vec()),
        (JSON, b"{\"SECRET\": ".to_vec()),
        (JSON, b"{} {}".to_vec()),
        (JSON, Vec::new()),
        (JSON, b"[]".to_vec()),
        (JSON, b"\"SECRET\"".to_vec()),
        (JSON, b"{\"name\": \"K\xf8benhavn\"}".to_vec()),
        ("Content-Type: application/json; charset=klingon\r\n", b"{}".to_vec()),
        (JSON, deep.into_bytes()),
        (JSON, vec![0; 1000]),
    ];
    for (headers, body) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let server = Raw::start(move |_, _| Reply::Keep(ok(headers, &body))).await;
        let connector = open(&server.url, at("/u/{nr}")).await;
        let failure = connector.read(read(1), &call()).await.expect_err("a failure");
        assert!(matches!(failure, Failure::Malformed { .. }), "{shown}: {failure}");
        assert!(!failure.to_string().contains("SECRET"), "{failure}");
    }
}

#[tokio::test]
async fn reads_other_encodings_when_the_answer_names_them() {
    let server = Raw::start(|_, _| {
        Reply::Keep(ok("Content-Type: application/json; charset=iso-8859-1\r\n", b"{\"name\": \"K\xf8benhavn\"}"))
    })
    .await;
    let row = open(&server.url, at("/u/{nr}")).await.read(read(1), &call()).await.unwrap().expect("a record");
    assert_eq!(row.get("name"), Some(&"København".into()));
}

#[tokio::test]
async fn a_key_stays_one_segment_of_the_path_whatever_it_holds() {
    let server = Raw::start(|_, _| Reply::Keep(ok(JSON, b"{}"))).await;
    let connector = open(&server.url, at("/u/{nr}/x")).await;
    for hostile in
        ["../admin", "a/b", "a?b=c", "a#b", "%2e%2e", "a\"b'", "Ə ş", "\r\nHost: evil", "a\\b", "{nr}", "\0", "a;b", "@", ".. "]
    {
        connector.read(read(hostile), &call()).await.unwrap();
        let request = server.requests().pop().expect("a request");
        let path = request.split(' ').nth(1).expect("a path");
        let segments: Vec<_> = path.split('/').collect();
        assert_eq!((segments.len(), segments[1], segments[3]), (4, "u", "x"), "{hostile:?} became {path}");
        let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().expect("UTF-8");
        assert_eq!(decoded, hostile);
    }
    let before = server.requests().len();
    let long = "Ə".repeat(500_000);
    for impossible in [Legacy::from(""), ".".into(), "..".into(), Legacy::Null, Legacy::Bytes(vec![1]), long.as_str().into()] {
        let failure = connector.read(read(impossible), &call()).await.expect_err("a refusal");
        assert!(matches!(failure, Failure::Refused { .. }), "{failure}");
    }
    assert_eq!(server.requests().len(), before, "no such request is sent");
}

#[tokio::test]
async fn reads_several_at_once_in_the_order_of_the_keys() {
    let from = json!({ "read": { "path": "/u/{nr}" },
        "read_many": { "path": "/u", "keys_param": "nr", "join": ",", "records": "items", "max": 2, "fixed": { "size": 100 } } });
    let fixture = json!([
        { "request": { "path": "/u", "query": { "nr": "1,3", "size": 100 } }, "response": { "json": { "items": [{ "nr": 3 }, { "nr": "1" }] } } },
        { "request": { "path": "/u", "query": { "nr": "2" } }, "response": { "json": { "items": [] } } },
        { "request": { "path": "/u/1%2C2" }, "response": { "status": 404 } },
    ]);
    let double = on(from, fixture).await;
    assert!(double.connector.capabilities(0).reads_many_at_once);
    let asks = vec![read(3), read(1), read("1,2"), read(2)];
    let rows = double.connector.read_many(asks, &call()).await.unwrap();
    let found: Vec<_> = rows.iter().map(|row| row.as_ref().and_then(|row| row.get("nr")).cloned()).collect();
    assert_eq!(found, [Some(3.into()), Some("1".into()), None, None]);
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_was_not_asked_for_does_not_pass_for_absence() {
    let from = json!({ "read": { "path": "/u/{nr}" }, "read_many": { "path": "/u", "keys_param": "nr" } });
    let fixture =
        json!([{ "request": { "path": "/u", "query": { "nr": ["007", "008"] } }, "response": { "json": [{ "nr": 7 }] } }]);
    let outcome = on(from, fixture).await.connector.read_many(vec![read("007"), read("008")], &call()).await;
    assert_eq!(outcome, Err(Failure::malformed("a record comes that was not asked for")));
}

#[tokio::test]
async fn streams_a_binary_value_or_tells_that_there_is_none() {
    let from = json!({ "read": { "path": "/u/{nr}" }, "binary": { "photo": { "path": "/u/{nr}/photo" } } });
    let fixture = json!([
        { "request": { "path": "/u/1/photo" }, "response": { "base64": "/9j/", "headers": { "content-type": "image/jpeg" } } },
        { "request": { "path": "/u/2/photo" }, "response": { "status": 404 } },
        { "request": { "path": "/u/3/photo" }, "response": { "status": 503 } },
    ]);
    let double = on(from, fixture).await;
    let ask = |key: i64, source: &str| OpenBinary { entity: 0, key: vec![key.into()], source: Source::new(source) };
    let photo = double.connector.open_binary(ask(1, "photo"), &call()).await.unwrap().expect("a photo");
    assert_eq!((photo.length, photo.media_type.as_deref()), (Some(3), Some("image/jpeg")));
    let bytes: Vec<u8> = photo.chunks.flat_map(|chunk| futures_util::stream::iter(chunk.unwrap())).collect().await;
    assert_eq!(bytes, [0xff, 0xd8, 0xff]);
    assert!(double.connector.open_binary(ask(2, "photo"), &call()).await.unwrap().is_none());
    let failing = double.connector.open_binary(ask(3, "photo"), &call()).await.err();
    assert!(matches!(failing, Some(Failure::Unavailable { .. })));
    let unnamed = double.connector.open_binary(ask(1, "scan"), &call()).await.err();
    assert!(matches!(unnamed, Some(Failure::Unsupported { .. })));
}

#[tokio::test]
async fn a_probe_is_content_with_a_sign_of_life() {
    for (status, alive) in [(200, true), (404, true), (405, true), (501, true), (401, true), (500, false), (503, false)] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes();
        let server = Raw::start(move |_, _| Reply::Keep(answer.clone())).await;
        let connector = open(&server.url, at("/u/{nr}")).await;
        assert_eq!(connector.probe(&call()).await.is_ok(), alive, "{status}");
        assert!(server.requests()[0].starts_with("HEAD / "));
    }
    let settings = json!({ "url": "http://x", "probe": { "path": "/health" } });
    let double =
        double(settings, at("/u/{nr}"), json!([{ "request": { "path": "/health" }, "response": { "status": 404 } }])).await;
    assert!(matches!(double.connector.probe(&call()).await, Err(Failure::Unavailable { .. })));
}

#[tokio::test]
async fn what_the_entity_does_not_offer_is_not_supported() {
    let double = on(at("/u/{nr}"), json!([])).await;
    assert!(matches!(double.connector.search(search(1, None), &call()).await, Err(Failure::Unsupported { .. })));
    assert!(double.connector.table(0, &call()).await.is_err());
}

#[tokio::test]
async fn an_object_with_a_hundred_thousand_members_is_read_in_time() {
    let members: Vec<String> = (0..100_000).map(|number| format!("\"m{number}\":1")).collect();
    let body = format!("{{{}}}", members.join(",")).into_bytes();
    let server = Raw::start(move |_, _| Reply::Keep(ok(JSON, &body))).await;
    let row = open(&server.url, at("/u/{nr}")).await.read(read(1), &call()).await.unwrap().expect("a record");
    assert_eq!(row.len(), 100_000);
}
