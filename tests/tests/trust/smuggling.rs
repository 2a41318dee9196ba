//! Requests that two readers could cut apart in two ways, and headers that say two things: each is refused, or both say
//! the same, and nothing is left over that would be taken for a request of its own.

use rabita_tests::bus::{Authority, Caller, Speaks};
use reqwest::Method;

use super::http2::{self, Ending, Http2};
use super::raw::{Raw, Reply, Scene};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const RASHID: &str = "GET /api/people/v1/persons/4WTR2PX HTTP/1.1\r\nhost: localhost\r\n\r\n";
const QUERY: &str = "POST /api/people/v1/persons/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
const BODY: &str = "{\"key\":\"5ZJBKH7\"}";

/// All answers on one connection.
async fn replies(scene: &Scene, bytes: &[u8]) -> Vec<Reply> {
    let mut raw = Raw::open(scene.bus.required, "http/1.1").await;
    raw.write(bytes).await;
    let mut replies = Vec::new();
    // The last one is a request that ends the connection, unless it has ended before.
    raw.write(b"GET /bus/keys HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    while let Some(reply) = raw.reply().await {
        replies.push(reply);
    }
    replies
}

/// Whether the registry was asked for somebody whom only a smuggled request names.
fn is_smuggled(scene: &Scene) -> bool {
    scene.upstream.seen().iter().any(|seen| seen.path.ends_with("4WTR2PX"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_whose_length_is_in_doubt_is_refused_and_ends_the_connection() {
    let scene = Scene::start("").await;
    let length = BODY.len();
    let chunked = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let cases = [
        ("two lengths", format!("{QUERY}content-length: {length}\r\ncontent-length: 0\r\n\r\n{BODY}{RASHID}")),
        ("a list of lengths", format!("{QUERY}content-length: {length}, 0\r\n\r\n{BODY}{RASHID}")),
        ("a length with a sign", format!("{QUERY}content-length: +{length}\r\n\r\n{BODY}{RASHID}")),
        ("a negative length", format!("{QUERY}content-length: -1\r\n\r\n{BODY}{RASHID}")),
        ("a length in hexadecimal digits", format!("{QUERY}content-length: 0x11\r\n\r\n{BODY}{RASHID}")),
        ("a length beyond all", format!("{QUERY}content-length: 18446744073709551617\r\n\r\n{BODY}{RASHID}")),
        ("a coding nobody knows", format!("{QUERY}transfer-encoding: xchunked\r\n\r\n{chunked}{RASHID}")),
        ("chunked, but not last", format!("{QUERY}transfer-encoding: chunked, identity\r\n\r\n{chunked}{RASHID}")),
        ("chunked in quotes", format!("{QUERY}transfer-encoding: \"chunked\"\r\n\r\n{chunked}{RASHID}")),
        ("chunked behind a vertical tab", format!("{QUERY}transfer-encoding: \u{b}chunked\r\n\r\n{chunked}{RASHID}")),
        ("a blank before the colon", format!("{QUERY}transfer-encoding : chunked\r\n\r\n{chunked}{RASHID}")),
        ("a length on a folded line", format!("{QUERY}content-length:\r\n 5\r\n\r\n{BODY}{RASHID}")),
        ("a chunk's size with a sign", format!("{QUERY}transfer-encoding: chunked\r\n\r\n+{chunked}{RASHID}")),
        ("a chunk's size in hexadecimal form", format!("{QUERY}transfer-encoding: chunked\r\n\r\n0x{chunked}{RASHID}")),
        (
            "a chunk's size beyond all",
            format!("{QUERY}transfer-encoding: chunked\r\n\r\n1{:016x}\r\n{BODY}\r\n0\r\n\r\n{RASHID}", length),
        ),
        (
            "a chunk that is longer than it says",
            format!("{QUERY}transfer-encoding: chunked\r\n\r\n5\r\n{BODY}\r\n0\r\n\r\n{RASHID}"),
        ),
    ];
    for (what, bytes) in cases {
        let replies = replies(&scene, bytes.as_bytes()).await;
        assert!(replies.len() <= 1, "{what}: {} answers", replies.len());
        assert!(replies.iter().all(|reply| reply.status == 400), "{what}: {replies:?}");
        assert!(!is_smuggled(&scene), "{what}");
    }
    assert_eq!(scene.upstream.calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_beside_chunks_leaves_nothing_that_is_taken_for_a_request() {
    let scene = Scene::start("").await;
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let all = chunked.len() + RASHID.len();
    let cases = [
        // Who goes by the length sees one request; who goes by the chunks sees two.
        ("CL.TE", format!("{QUERY}content-length: {all}\r\ntransfer-encoding: chunked\r\n\r\n{chunked}{RASHID}")),
        ("TE.CL", format!("{QUERY}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunked}{RASHID}")),
        ("TE.TE", format!("{QUERY}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n{chunked}{RASHID}")),
        (
            "HTTP/1.0",
            format!("{QUERY}transfer-encoding: chunked\r\n\r\n{chunked}{RASHID}").replace("HTTP/1.1\r\nhost", "HTTP/1.0\r\nhost"),
        ),
    ];
    for (what, bytes) in cases {
        let replies = replies(&scene, bytes.as_bytes()).await;
        assert!(!is_smuggled(&scene), "{what}: {replies:?}");
        assert!(replies.len() <= 1, "{what}: the connection goes on: {replies:?}");
        // Who takes it goes by the chunks, and ends the connection (RFC 9112, 6.1).
        let is_ended = |reply: &Reply| reply.status == 400 || (reply.status == 200 && reply.header("connection") == "close");
        assert!(replies.iter().all(is_ended), "{what}: {replies:?}");
    }
    assert!(scene.upstream.seen().iter().all(|seen| seen.path == "/persons/5ZJBKH7"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_no_call_wants_is_not_taken_for_the_next_request() {
    let scene = Scene::start("").await;
    for method in ["GET", "DELETE", "PURGE"] {
        let first = format!("{method} {AYGUN} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{RASHID}", RASHID.len());
        let replies = replies(&scene, first.as_bytes()).await;
        assert!(!is_smuggled(&scene), "{method}: {replies:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_not_as_it_should_be_is_refused() {
    let scene = Scene::start("").await;
    let get = format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\n");
    let cases = [
        ("a folded line", format!("{get}rabita-purpose: audit\r\n identity-check\r\n\r\n")),
        ("a folded line that hides a header", format!("{get}x: y\r\n\trabita-user: other\r\n\r\n")),
        ("a carriage return alone", format!("{get}x: a\rrabita-user: other\r\n\r\n")),
        ("a line end within a name", format!("{get}rabita\n-user: other\r\n\r\n")),
        ("NUL in a value", format!("{get}rabita-user: a\0b\r\n\r\n")),
        ("a name with a blank", format!("{get}rabita user: a\r\n\r\n")),
        ("a name with a bracket", format!("{get}rabita-user(): a\r\n\r\n")),
        ("no name", format!("{get}: a\r\n\r\n")),
        ("no colon", format!("{get}rabita-user\r\n\r\n")),
        ("a line before the first", format!("x: y\r\n{get}\r\n")),
    ];
    for (what, bytes) in cases {
        let reply = scene.send(bytes.as_bytes()).await;
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 400), "{what}: {reply:?}");
        assert_eq!(scene.upstream.calls(), 0, "{what}");
    }
    // A line end alone is one (RFC 9112, 2.2): what it cuts apart is two headers for the grants and for the ledger alike.
    let bare = scene.send(format!("{get}rabita-user: a\nrabita-user: b\r\n\r\n").as_bytes()).await.expect("an answer");
    assert_eq!((bare.status, bare.code().as_str()), (422, "invalid_request"));
    let bare = scene.send(get.replace("\r\n", "\n").as_bytes()).await;
    assert!(bare.is_none_or(|reply| reply.status < 500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_decides_stands_once_or_the_request_is_refused() {
    let scene = Scene::start("").await;
    let get = format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\n");
    for name in ["rabita-purpose", "rabita-user", "rabita-case", "rabita-consent"] {
        for (first, second) in [("audit", "identity-check"), ("audit", "audit")] {
            let bytes = format!("{get}{name}: {first}\r\n{}: {second}\r\n\r\n", name.to_uppercase());
            let reply = scene.send(bytes.as_bytes()).await.expect("an answer");
            assert_eq!((reply.status, reply.code().as_str()), (422, "invalid_request"), "{name}: {first}, {second}");
        }
    }
    for (first, second) in [("Bearer a.b.c", "Bearer d.e.f"), ("Bearer a.b.c", "Bearer a.b.c"), ("Basic YTpi", "Bearer a.b.c")] {
        let bytes = format!("{get}authorization: {first}\r\nAuthorization: {second}\r\n\r\n");
        let reply = scene.send(bytes.as_bytes()).await.expect("an answer");
        assert_eq!((reply.status, reply.code().as_str()), (400, "malformed_request"), "{first}, {second}");
    }
    let patch = format!("PATCH {AYGUN} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n");
    for (name, one, two) in [
        ("idempotency-key", "a", "b"),
        ("if-match", "\"a\"", "\"b\""),
        ("rabita-apply-until", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
    ] {
        let key = if name == "idempotency-key" { "" } else { "idempotency-key: k\r\n" };
        let bytes = format!("{patch}{key}{name}: {one}\r\n{name}: {two}\r\n\r\n{{}}");
        let reply = scene.send(bytes.as_bytes()).await.expect("an answer");
        assert!([400, 422].contains(&reply.status), "{name}: {reply:?}");
        let told = reply.json();
        let faults = told["errors"].as_array().cloned().unwrap_or_default();
        assert!(faults.iter().any(|fault| fault["code"] == "duplicate"), "{name}: {told}");
    }
    assert_eq!(scene.upstream.calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_whose_name_only_looks_like_one_that_decides_decides_nothing() {
    let scene = Scene::start("").await;
    scene.country.grants(
        "people",
        &["{ system: portal, version: v1, entity: persons, operations: [read], fields: all, purposes: [audit] }"],
    );
    let narrow = scene.country.start_beside().await;
    let get = format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\n");
    let none = "x-request: y\r\n";
    for header in
        [none, "rabita_purpose: audit\r\n", "x-rabita-purpose: audit\r\n", "rabita-purpose-: audit\r\n", "purpose: audit\r\n"]
    {
        let mut raw = Raw::open(narrow.required, "http/1.1").await;
        raw.write(format!("{get}{header}\r\n").as_bytes()).await;
        let reply = raw.reply().await.expect("an answer");
        assert_eq!((reply.status, reply.code().as_str()), (403, "purpose_missing"), "{header}");
    }
    // Nor does what a proxy would say of who is calling, or of what is asked.
    let caller = Caller::new(narrow.optional, None, Speaks::Http1);
    let others = [
        "x-forwarded-client-cert",
        "x-client-cert",
        "ssl-client-cert",
        "x-ssl-client-s-dn",
        "client-cert",
        "x-forwarded-user",
        "forwarded",
    ];
    for header in others {
        let request = caller.request(Method::GET, AYGUN).header(header, "CN=portal.systems.example");
        let _ = caller.sent(request).await.refused(401, "unauthenticated");
    }
    let portal = Caller::new(narrow.required, Some(&Authority::get().portal), Speaks::Http1);
    for (header, value) in
        [("x-http-method-override", "DELETE"), ("x-original-url", "/bus/updates"), ("x-rewrite-url", "/bus/updates")]
    {
        let request = portal.request(Method::GET, AYGUN).header("rabita-purpose", "audit").header(header, value);
        assert_eq!(portal.sent(request).await.good().json()["pin"], "5ZJBKH7", "{header}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pseudo_headers_stand_once_first_and_in_full_and_nothing_of_another_version_stands_beside_them() {
    let scene = Scene::start("").await;
    let without = |name: &str| http2::READ.into_iter().filter(|(own, _)| *own != name).collect::<Vec<_>>();
    let another = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    let last = |name: &str| {
        let own = http2::READ.into_iter().find(|(own, _)| *own == name).expect("it is among them");
        [without(name), vec![("x-request", "y"), own]].concat()
    };
    let mut cases: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
    for name in [":method", ":scheme", ":path"] {
        cases.push((format!("no {name}"), without(name)));
        cases.push((format!("{name} behind a header"), last(name)));
    }
    for (what, header) in [
        ("another path", (":path", "/api/people/v1/persons/4WTR2PX")),
        ("another method", (":method", "DELETE")),
        ("another authority", (":authority", "evil.example")),
        ("a pseudo-header of an answer", (":status", "200")),
        ("a pseudo-header that nobody knows", (":purpose", "audit")),
        ("a name in capitals", ("Rabita-Purpose", "audit")),
        ("a line end in a value", ("rabita-user", "a\r\nrabita-case: b")),
        ("a line end in a name", ("rabita-user\r\nx", "a")),
        ("NUL in a value", ("rabita-user", "a\0b")),
        ("a length that is not", ("content-length", "5")),
        ("chunks", ("transfer-encoding", "chunked")),
        ("a connection of its own", ("connection", "keep-alive")),
        ("an upgrade", ("upgrade", "h2c")),
        ("another host", ("host", "evil.example")),
    ] {
        cases.push((what.to_owned(), http2::read_with(&[header])));
    }
    for (name, value) in [
        (":path", ""),
        (":path", "*"),
        (":path", "api/people/v1/persons/5ZJBKH7"),
        (":path", "/api/people/v1/persons/../persons/5ZJBKH7"),
        (":path", "/api/people/v1/persons/5ZJBKH7 HTTP/1.1\r\nx: y"),
        (":path", "//api/people/v1/persons/5ZJBKH7"),
        (":method", "GET / HTTP/1.1\r\n\r\nGET"),
        (":method", "CONNECT"),
        (":authority", "portal@localhost"),
        (":authority", "localhost/x"),
        (":scheme", "https://localhost/x?"),
    ] {
        cases.push((format!("{name} is {value:?}"), another(name, value)));
    }
    for (what, headers) in cases {
        let mut connection = Http2::open(scene.bus.required).await;
        connection.write(&http2::request(1, &headers)).await;
        let ending = connection.ending(1).await;
        assert_ne!(ending, Ending::Answered { is_ok: true }, "{what}");
        assert_eq!(scene.upstream.calls(), 0, "{what}");
    }
    let mut connection = Http2::open(scene.bus.required).await;
    connection.write(&http2::request(1, &http2::READ)).await;
    assert_eq!(connection.ending(1).await, Ending::Answered { is_ok: true });
}
