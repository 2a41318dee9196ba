//! Credentials, and tokens that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rabita_sdk::Failure;
use serde_json::{Value, json};

use crate::raw::{Raw, Reply, ok};
use crate::support::{call, change, get, open};

async fn request_with(mut settings: Value) -> String {
    let server = Raw::start(|_, _| Reply::Keep(ok("", b""))).await;
    settings["url"] = server.url.as_str().into();
    open(settings).await.unwrap().send(get("/x?a=1"), &call(5000)).await.unwrap();
    server.requests().remove(0)
}

#[tokio::test]
async fn shows_each_kind_of_credential_in_its_place() {
    let basic = json!({ "auth": { "basic": { "user": "me", "password": { "env": "drow:ssap" } } } });
    assert!(request_with(basic).await.contains("authorization: Basic bWU6cGFzczp3b3Jk\r\n"));
    let bearer = json!({ "auth": { "bearer": { "token": { "env": "nekot" } } } });
    assert!(request_with(bearer).await.contains("authorization: Bearer token\r\n"));
    let header = json!({ "auth": { "api_key": { "header": "X-Key", "value": { "env": "yek" } } } });
    assert!(request_with(header).await.contains("x-key: key\r\n"));
    let query = json!({ "auth": { "api_key": { "query": "api key", "value": { "env": "&y k" } } } });
    assert!(request_with(query).await.starts_with("GET /x?a=1&api+key=k+y%26 HTTP/1.1\r\n"));
    let server = Raw::start(|_, _| Reply::Keep(ok("", b""))).await;
    let secret: String = server.url.replace("http://", "http://me:p%3Aw@").chars().rev().collect();
    open(json!({ "url": { "env": secret } })).await.unwrap().send(get("/x"), &call(5000)).await.unwrap();
    let within = server.requests().remove(0);
    assert!(within.contains("authorization: Basic bWU6cDp3\r\n") && within.contains("host: 127.0.0.1"), "{within}");
}

#[tokio::test]
async fn says_what_is_missing_or_unusable_without_the_secret() {
    let opened = |auth: Value| async move { open(json!({ "url": "http://x", "auth": auth })).await.err().unwrap().0 };
    let missing = opened(json!({ "bearer": { "token": { "env": "MISSING" } } })).await;
    assert_eq!(missing, "auth.bearer.token: the environment variable MISSING is not set");
    let unusable = opened(json!({ "bearer": { "token": { "env": "a\nb" } } })).await;
    assert_eq!(unusable, "auth.bearer.token: this can't stand in a header");
    let nowhere = opened(json!({ "api_key": { "value": { "env": "x" } } })).await;
    assert_eq!(nowhere, "/auth/api_key: say where the key goes: either `header` or `query`");
    for url in ["ftp://x", "nothing", "http://x#f", "http://u:p@x"] {
        assert!(open(json!({ "url": url })).await.is_err(), "{url}");
    }
}

/// A registry and its token endpoint. Each token is numbered; the registry takes the last one given.
async fn with_tokens(expires_in: Value) -> (Raw, Raw, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let (giving, asked) = (Arc::clone(&given), Arc::clone(&given));
    let endpoint = Raw::start(move |_, _| {
        let number = giving.fetch_add(1, Ordering::SeqCst) + 1;
        let body = json!({ "access_token": format!("t{number}"), "token_type": "bearer", "expires_in": expires_in });
        Reply::Keep(ok("Content-Type: application/json\r\n", body.to_string().as_bytes()))
    })
    .await;
    let registry = Raw::start(move |_, request| {
        let good = request.contains(&format!("authorization: Bearer t{}\r\n", asked.load(Ordering::SeqCst)));
        Reply::Keep(if good { ok("", b"x") } else { b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec() })
    })
    .await;
    (registry, endpoint, given)
}

fn settings(registry: &str, endpoint: &str, client_auth: &str) -> Value {
    json!({ "url": registry, "auth": { "oauth2": {
        "token_url": format!("{endpoint}/token"), "client_id": "the bus", "client_secret": { "env": "terces" },
        "scope": "read", "audience": "registry", "client_auth": client_auth } } })
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait_and_kept() {
    for (client_auth, expires_in) in [("basic", json!(3600)), ("body", json!("3600")), ("basic", Value::Null)] {
        let (registry, endpoint, _) = with_tokens(expires_in).await;
        let client = Arc::new(open(settings(&registry.url, &endpoint.url, client_auth)).await.unwrap());
        let calls = (0..50).map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.send(get("/"), &call(10_000)).await.map(|answer| answer.status.as_u16()) })
        });
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.unwrap().unwrap(), 200);
        }
        let asked = endpoint.requests();
        assert_eq!(asked.len(), 1, "one token for all");
        let form = "grant_type=client_credentials&scope=read&audience=registry";
        match client_auth {
            "basic" => {
                assert!(asked[0].contains("authorization: Basic dGhlK2J1czpzZWNyZXQ=\r\n"), "{}", asked[0]);
                assert!(asked[0].ends_with(form), "{}", asked[0]);
            }
            _ => assert!(asked[0].ends_with(&format!("{form}&client_id=the+bus&client_secret=secret")), "{}", asked[0]),
        }
    }
}

#[tokio::test]
async fn a_token_that_the_registry_takes_no_longer_is_replaced_once() {
    let (registry, endpoint, given) = with_tokens(json!(3600)).await;
    let client = Arc::new(open(settings(&registry.url, &endpoint.url, "basic")).await.unwrap());
    client.send(get("/"), &call(5000)).await.unwrap();
    // From now on another token holds than the one that the client has.
    given.fetch_add(1, Ordering::SeqCst);
    let calls = (0..20).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.send(change("/"), &call(10_000)).await.map(|answer| answer.status.as_u16()) })
    });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap().unwrap(), 200);
    }
    assert_eq!(endpoint.requests().len(), 2, "one new token for all");
}

#[tokio::test]
async fn a_registry_that_takes_no_token_is_asked_twice_and_its_answer_told() {
    let (_, endpoint, _) = with_tokens(json!(3600)).await;
    let registry = Raw::start(|_, _| Reply::Keep(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
    let client = open(settings(&registry.url, &endpoint.url, "basic")).await.unwrap();
    assert_eq!(client.send(get("/"), &call(5000)).await.unwrap().status, 401);
    assert_eq!((registry.requests().len(), endpoint.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_token_is_fetched_anew_when_it_has_ended() {
    let (registry, endpoint, _) = with_tokens(json!(0)).await;
    let client = open(settings(&registry.url, &endpoint.url, "basic")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.send(get("/"), &call(5000)).await.unwrap().status, 200);
    }
    assert_eq!(endpoint.requests().len(), 3);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_registry_is_unavailable() {
    let registry = Raw::start(|_, _| Reply::Keep(ok("", b""))).await;
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n{\"access_token\":\"a\",\"token_type\":\"mac\"}",
        b"",
    ];
    for answer in answers {
        let endpoint = Raw::start(move |_, _| Reply::Close(answer.to_vec())).await;
        let client = open(settings(&registry.url, &endpoint.url, "basic")).await.unwrap();
        let failure = client.send(change("/"), &call(5000)).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.starts_with("no access token")), "{failure}");
    }
    assert!(registry.requests().is_empty());
}
