//! The stand-in.

use rabita_http::double::{Double, Foreseen};
use rabita_sdk::Failure;
use serde_json::{Value, json};

use crate::support::{call, change, client, get};

async fn double(exchanges: Value) -> Double {
    Double::start(serde_json::from_value::<Vec<Foreseen>>(exchanges).expect("exchanges")).await.expect("a stand-in")
}

#[tokio::test]
async fn answers_what_is_foreseen_in_any_order_and_the_most_exact_first() {
    let double = double(json!([
        { "request": { "path": "/x" }, "response": { "body": "any" } },
        { "request": { "path": "/x", "query": { "page": 1 } }, "response": { "json": [1], "headers": { "etag": "\"7\"" } } },
        { "request": { "method": "POST", "path": "/x", "json": {} }, "response": { "status": 201, "xml": "<a/>" } },
        { "request": { "path": "/ə/{a b}" }, "response": { "base64": "AAEC" } },
    ]))
    .await;
    let client = client(double.base_url()).await;
    let exact = client.send(get("/x?page=1&size=2"), &call(5000)).await.unwrap();
    assert_eq!((&exact.body[..], exact.headers["etag"].to_str().unwrap()), (&b"[1]"[..], "\"7\""));
    assert_eq!(&client.send(get("/x?page=2"), &call(5000)).await.unwrap().body[..], b"any");
    let changed = client.send(change("/x"), &call(5000)).await.unwrap();
    assert_eq!((changed.status.as_u16(), &changed.body[..]), (201, &b"<a/>"[..]));
    assert_eq!(&client.send(get("/%C9%99/%7Ba%20b%7D"), &call(5000)).await.unwrap().body[..], [0, 1, 2]);
    assert_eq!((double.complaints(), double.requests()), (Vec::new(), 4));
}

#[tokio::test]
async fn tells_what_was_not_foreseen_and_what_is_nearest() {
    let double = double(json!([
        { "request": { "path": "/things/7", "headers": { "x-a": "1" } } },
        { "request": { "method": "GET", "path": "/people/8", "query": { "a": "1" } } },
    ]))
    .await;
    let client = client(double.base_url()).await;
    assert_eq!(client.send(get("/people/8?a=2"), &call(5000)).await.unwrap().status, 501);
    assert_eq!(client.send(get("/things/9"), &call(5000)).await.unwrap().status, 501);
    assert_eq!(
        double.complaints(),
        [
            "not foreseen: GET /people/8?a=2; the nearest foreseen is GET /people/8?a=1, which differs in the query parameter `a`",
            "not foreseen: GET /things/9; the nearest foreseen is * /things/7, which differs in the path, the header `x-a`",
        ]
    );
}

#[tokio::test]
async fn tells_what_it_was_asked_whether_foreseen_or_not() {
    let double = double(json!([{ "request": { "path": "/x" } }])).await;
    let client = client(double.base_url()).await;
    client.send(get("/A%2FB/%C9%99?a=1&a=2&b="), &call(5000)).await.unwrap();
    client.send(change("/x"), &call(5000)).await.unwrap();
    let [read, changed] = &double.asked()[..] else { panic!("two requests") };
    let read = serde_json::to_value(read).unwrap();
    assert_eq!((&read["method"], &read["path"], &read["body"]), (&json!("GET"), &json!("/A%2FB/ə"), &json!("")));
    assert_eq!((&read["query"], read.get("json")), (&json!({ "a": ["1", "2"], "b": "" }), None));
    assert!(read["headers"]["host"].is_string(), "{read}");
    assert_eq!((changed.method.as_str(), &changed.json), ("POST", &Some(json!({}))));
}

#[tokio::test]
async fn lets_wait_and_breaks_off_as_it_is_told() {
    let double = double(json!([
        { "request": { "path": "/slow" }, "response": { "delay_ms": 60000 } },
        { "request": { "path": "/cut" }, "response": { "json": { "a": 1 }, "cut_after_bytes": 3 } },
    ]))
    .await;
    let client = client(double.base_url()).await;
    assert!(matches!(client.send(get("/slow"), &call(50)).await, Err(Failure::TimedOut { .. })));
    assert!(matches!(client.send(get("/cut"), &call(5000)).await, Err(Failure::Malformed { .. })));
    assert!(matches!(client.send(change("/cut"), &call(5000)).await, Err(Failure::Unknown { .. })));
}

#[tokio::test]
async fn refuses_a_response_that_can_not_be_written() {
    for response in [
        json!({ "status": 1000 }),
        json!({ "json": 1, "xml": "<a/>" }),
        json!({ "base64": "?" }),
        json!({ "headers": { "a b": "c" } }),
    ] {
        let exchanges = serde_json::from_value(json!([{ "request": { "path": "/" }, "response": response }])).unwrap();
        assert!(Double::start(exchanges).await.is_err(), "{response}");
    }
}
