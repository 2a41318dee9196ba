//! Connections that break, answers that are none, and deadlines.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::StatusCode;
use rabita_sdk::Failure;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::raw::{Raw, Reply, ok};
use crate::support::{call, change, client, eventually, get, open};

fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused { .. } => "refused",
        Failure::Unavailable { .. } => "unavailable",
        Failure::TimedOut { .. } => "timed out",
        Failure::Unknown { .. } => "unknown",
        Failure::Malformed { .. } => "malformed",
        Failure::Unsupported { .. } => "unsupported",
    }
}

#[tokio::test]
async fn carries_the_exchange_the_trace_and_the_headers_of_the_settings() {
    let server = Raw::start(|_, _| Reply::Keep(ok("X-A: b\r\n", b"body"))).await;
    let client =
        open(json!({ "url": format!("{}/base/", server.url), "headers": { "X-Own": "1", "X-Secret": { "env": "abc" } } }));
    let answer = client.await.unwrap().send(get("/x?y=1"), &call(5000)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"body"[..]));
    assert_eq!(answer.headers["x-a"], "b");
    let request = &server.requests()[0];
    assert!(request.starts_with("GET /base/x?y=1 HTTP/1.1\r\n"), "{request}");
    for line in [
        "x-request-id: 00000000-0000-0000-0000-000000000007",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-own: 1",
        "x-secret: cba",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
}

#[tokio::test]
async fn the_base_itself_keeps_its_slash_and_its_query_goes_everywhere() {
    let server = Raw::start(|_, _| Reply::Keep(ok("", b""))).await;
    let client = client(&format!("{}/svc/?tenant=7", server.url)).await;
    for path in ["", "?a=1", "/x", "/x?a=1"] {
        client.send(get(path), &call(5000)).await.unwrap();
    }
    let lines: Vec<_> = server.requests().iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(lines, ["/svc/?tenant=7", "/svc/?a=1&tenant=7", "/svc/x?tenant=7", "/svc/x?a=1&tenant=7"]);
}

#[tokio::test]
async fn says_which_way_a_connection_could_not_be_made() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = client(&format!("http://{free}")).await.send(change("/x?pin=1"), &call(5000)).await.unwrap_err();
    assert_eq!(refused, Failure::unavailable("no connection: connection refused"));
    let nowhere = client("http://nowhere.invalid").await.send(change("/x"), &call(8000)).await.unwrap_err();
    assert_eq!(nowhere, Failure::unavailable("no connection: the registry's host name has no address"));
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", plain.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await?;
        stream.write_all(b"220 mail.example ESMTP\r\n").await?;
        stream.shutdown().await
    });
    let settings = json!({ "url": url, "tls": { "dangerously_accept_any_certificate": true } });
    let failure = open(settings).await.unwrap().send(get("/"), &call(5000)).await.unwrap_err();
    assert!(failure.to_string().contains("no connection: TLS: "), "{failure}");
}

#[tokio::test]
async fn what_breaks_after_a_change_was_sent_is_unknown_and_is_not_sent_again() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf";
    let cases: [(&[u8], &str, usize); 6] = [
        (b"", "unavailable", 2),
        (b"HTTP/1.1 200", "unavailable", 2),
        (half, "malformed", 1),
        (chunked, "malformed", 1),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "malformed", 1),
        (b"\x16\x03\x01\x00\xff\xfe\xfd garbage\r\n\r\n", "malformed", 1),
    ];
    for (bytes, of_read, sent) in cases {
        let server = Raw::start(move |_, _| Reply::Close(bytes.to_vec())).await;
        let client = client(&server.url).await;
        let failure = client.send(get("/x"), &call(5000)).await.unwrap_err();
        assert_eq!(kind(&failure), of_read, "{failure} for {:?}", String::from_utf8_lossy(bytes));
        assert_eq!(server.requests().len(), sent, "{:?}", String::from_utf8_lossy(bytes));
        let failure = client.send(change("/x"), &call(5000)).await.unwrap_err();
        assert_eq!(kind(&failure), "unknown", "{failure} for {:?}", String::from_utf8_lossy(bytes));
        assert_eq!(server.requests().len(), sent + 1);
    }
}

#[tokio::test]
async fn a_read_survives_a_connection_that_was_closed_while_unused() {
    // The server closes after each answer without saying so.
    let server = Raw::start(|_, _| Reply::Close(ok("", b"x"))).await;
    let client = client(&server.url).await;
    for _ in 0..20 {
        client.send(get("/"), &call(5000)).await.unwrap();
    }
}

#[tokio::test]
async fn never_works_past_the_deadline() {
    let silent = Raw::start(|_, _| Reply::Hang(Vec::new())).await;
    let slow = Raw::start(|_, _| Reply::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_vec())).await;
    for server in [silent, slow] {
        let client = client(&server.url).await;
        for ask in [get("/"), change("/")] {
            let begun = std::time::Instant::now();
            let failure = client.send(ask, &call(80)).await.unwrap_err();
            assert_eq!(kind(&failure), "timed out", "{failure}");
            assert!(begun.elapsed() < Duration::from_secs(3));
        }
        let before = server.requests().len();
        assert_eq!(kind(&client.send(change("/"), &call(0)).await.unwrap_err()), "timed out");
        assert_eq!(server.requests().len(), before, "nothing is sent after the deadline");
    }
}

#[tokio::test]
async fn dropping_a_call_ends_its_connection() {
    let server = Arc::new(Raw::start(|_, _| Reply::Hang(Vec::new())).await);
    let client = client(&server.url).await;
    let running = tokio::spawn(async move { client.send(get("/"), &call(60_000)).await.map(|answer| answer.status) });
    eventually(|| server.requests().len() == 1).await;
    running.abort();
    eventually(|| server.closed() == 1).await;
}

#[tokio::test]
async fn reads_no_more_than_response_max_bytes() {
    let long = vec![b'x'; 65_537];
    let declared = ok("", &long);
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in long.chunks(1000) {
        chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunked.extend_from_slice(part);
        chunked.extend_from_slice(b"\r\n");
    }
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), long.clone()].concat();
    let bomb = ok("Content-Encoding: gzip\r\n", &zeros(40_000));
    for bytes in [declared, chunked, endless, bomb] {
        let server = Raw::start(move |_, _| Reply::Hang(bytes.clone())).await;
        let failure = client(&server.url).await.send(get("/"), &call(5000)).await.unwrap_err();
        assert_eq!(failure, Failure::malformed("the answer is longer than response_max_bytes"));
    }
    let just = Raw::start(|_, _| Reply::Keep(ok("", &[b'x'; 65_536]))).await;
    assert_eq!(client(&just.url).await.send(get("/"), &call(5000)).await.unwrap().body.len(), 65_536);
}

#[tokio::test]
async fn an_answer_that_can_not_be_decompressed_is_none() {
    for body in [&b"no gzip at all"[..], &zeros(3)[..12]] {
        let bytes = ok("Content-Encoding: gzip\r\n", body);
        let server = Raw::start(move |_, _| Reply::Close(bytes.clone())).await;
        let failure = client(&server.url).await.send(get("/"), &call(5000)).await.unwrap_err();
        assert_eq!(kind(&failure), "malformed", "{failure}");
    }
}

#[tokio::test]
async fn follows_no_redirect() {
    let elsewhere = Raw::start(|_, _| Reply::Keep(ok("", b"caught"))).await;
    for status in [301, 302, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {}/x\r\nContent-Length: 0\r\n\r\n", elsewhere.url);
        let server = Raw::start(move |_, _| Reply::Keep(answer.clone().into_bytes())).await;
        let failure = client(&server.url).await.send(get("/"), &call(5000)).await.unwrap_err();
        assert_eq!(failure, Failure::malformed(format!("the registry redirects elsewhere (status {status})")));
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn goes_to_no_other_origin() {
    let server = Raw::start(|_, _| Reply::Keep(ok("", b""))).await;
    let client = client(&server.url).await;
    assert!(client.send(get(&format!("{}/x?p=2#f", server.url)), &call(5000)).await.is_ok());
    for other in ["http://127.0.0.1:1/x", "https://127.0.0.1/x", "file:///etc/passwd", "x", "@evil/x", ".evil"] {
        let failure = client.send(get(other), &call(5000)).await.unwrap_err();
        assert_eq!(kind(&failure), "malformed", "{other}");
    }
    for odd in ["//evil.invalid/x", "/\\evil.invalid", "/@evil.invalid"] {
        assert!(client.send(get(odd), &call(5000)).await.is_ok(), "{odd} is a path here");
    }
    let long = format!("/{}", "x".repeat(1_000_000));
    assert_eq!(kind(&client.send(get(&long), &call(5000)).await.unwrap_err()), "refused");
}

#[tokio::test]
async fn streams_what_is_larger_than_an_answer_may_be_and_tells_of_a_break() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::Keep(ok("Content-Type: image/jpeg\r\n", &[7; 300_000])),
        _ => Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
    })
    .await;
    let client = client(&server.url).await;
    let whole = client.send_streaming(get("/photo"), &call(5000)).await.unwrap();
    assert_eq!(whole.headers["content-length"], "300000");
    let sizes: Vec<usize> = whole.chunks.map(|chunk| chunk.unwrap().len()).collect().await;
    assert_eq!(sizes.iter().sum::<usize>(), 300_000);
    let mut broken = client.send_streaming(get("/photo"), &call(5000)).await.unwrap().chunks;
    let mut last = broken.next().await.unwrap();
    while last.is_ok() {
        last = broken.next().await.expect("a break is told before the end");
    }
    assert_eq!(kind(&last.unwrap_err()), "malformed");
}

#[tokio::test]
async fn many_calls_run_side_by_side_over_kept_connections() {
    let server = Raw::start(|_, _| Reply::Keep(ok("", b"x"))).await;
    let client = Arc::new(client(&server.url).await);
    let calls = (0..200).map(|number| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.send(get(&format!("/{number}")), &call(10_000)).await.map(|answer| answer.body) })
    });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(&outcome.unwrap().unwrap()[..], b"x");
    }
    assert_eq!(server.requests().len(), 200);
}

/// A gzip stream of `258 * repeats + 1` zeros: a literal, and so many times "the last 258 bytes again" in the fixed
/// code of RFC 1951, section 3.2.6.
fn zeros(repeats: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false];
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..repeats {
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    let bytes = bits.chunks(8).map(|eight| eight.iter().enumerate().map(|(place, bit)| u8::from(*bit) << place).sum());
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255].into_iter().chain(bytes).collect()
}

#[tokio::test]
async fn no_path_leads_to_another_origin() {
    let client = client("http://registry.example:8080/base/").await;
    for path in [
        "/a",
        "/a/../b?c=d&e=//f",
        "/%2e%2e/a",
        "//other/a",
        "/\\other/a",
        "/\t/other/a",
        "/\n/other",
        "/a\\b",
        "/ə?ə",
        "?a=b",
        "",
    ] {
        let address = client.address(path).expect("an address");
        assert_eq!(address.origin().ascii_serialization(), "http://registry.example:8080", "{path:?}");
        let whole = if path.starts_with('/') {
            format!("http://registry.example:8080/base{path}")
        } else {
            format!("http://registry.example:8080/base/{path}")
        };
        assert_eq!(Some(address.as_str()), url::Url::parse(&whole).ok().as_ref().map(url::Url::as_str), "{path:?}");
    }
    let bare = self::client("http://registry.example:8080").await;
    for path in ["/a", "//other/a", "/\\other/a", "/\t/other/a", "/\r\n/other"] {
        let address = bare.address(path).expect("an address");
        assert_eq!(address.origin().ascii_serialization(), "http://registry.example:8080", "{path:?}");
    }
}
