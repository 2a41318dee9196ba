//! Callers who send too much, too slowly or for ever: they are refused or cut off, and hold no place of others.

use std::time::Duration;

use rabita_tests::bus::{Caller, Country, GRANT_ALL, Manifest, Mood, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::http2::{self, CONTINUATION, END_HEADERS, END_STREAM, Ending, Http2, frame};
use super::raw::{Raw, Scene};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const QUERY: &str = "/api/people/v1/persons/query";
const LONG: Duration = Duration::from_secs(20);

/// Who behaves well is served.
async fn serves(scene: &Scene) {
    let _ = scene.bus.portal().get(AYGUN).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_beyond_the_limit_is_refused_in_both_versions_of_http() {
    let scene = Scene::start("").await;
    let large = "x".repeat(1_000_000);
    let many: String = (0..500).map(|number| format!("x-{number}: y\r\n")).collect();
    let heads = [
        ("a large value", format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\nx: {large}\r\n\r\n")),
        ("a long path", format!("GET {AYGUN}{large} HTTP/1.1\r\nhost: localhost\r\n\r\n")),
        ("a long name", format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\n{large}: y\r\n\r\n")),
        ("many headers", format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\n{many}\r\n")),
    ];
    for (what, head) in heads {
        let reply = scene.send(head.as_bytes()).await;
        assert!(reply.as_ref().is_none_or(|reply| (400..500).contains(&reply.status)), "{what}: {reply:?}");
    }
    // A large head in HTTP/2 takes several frames.
    let large = "x".repeat(60_000);
    let block = http2::block(&http2::read_with(&[("a", &large), ("b", &large)]));
    let mut connection = Http2::open(scene.bus.required).await;
    let mut pieces = block.chunks(16_000).peekable();
    let first = pieces.next().expect("a block has bytes");
    connection.write(&frame(http2::HEADERS, END_STREAM, 1, first)).await;
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        connection.write(&frame(CONTINUATION, flags, 1, piece)).await;
    }
    assert_ne!(connection.ending(1).await, Ending::Answered { is_ok: true });
    assert_eq!(scene.upstream.calls(), 0);
    serves(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_go_on_for_ever_end_the_connection() {
    let scene = Scene::start("").await;
    let mut connection = Http2::open(scene.bus.required).await;
    connection.write(&frame(http2::HEADERS, END_STREAM, 1, &http2::block(&http2::READ))).await;
    let piece = http2::block(&[("x-more", &"y".repeat(8_000))]);
    let mut sent = 0;
    while sent < 10_000_000 && connection.write(&frame(CONTINUATION, 0, 1, &piece)).await {
        sent += piece.len();
    }
    assert!(sent < 10_000_000, "{sent} bytes of one head were taken");
    assert_eq!(connection.ending(1).await, Ending::Refused);
    let empty: Vec<u8> = std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, &[])).take(1_000).flatten().collect();
    let mut connection = Http2::open(scene.bus.required).await;
    connection.write(&frame(http2::HEADERS, END_STREAM, 1, &http2::block(&http2::READ))).await;
    let mut rounds = 0;
    while rounds < 1_000 && connection.write(&empty).await {
        rounds += 1;
    }
    assert!(rounds < 1_000, "a million empty frames of one head were taken");
    serves(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_taken_back_at_once_end_the_connection_and_cost_nobody_else() {
    let scene = Scene::start("").await;
    scene.upstream.hold();
    let mut connection = Http2::open(scene.bus.required).await;
    let mut sent = 0_u32;
    while sent < 20_000 {
        let mut frames = Vec::new();
        for stream in (sent..sent + 100).map(|number| number * 2 + 1) {
            frames.extend(http2::request(stream, &http2::READ));
            frames.extend(frame(http2::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        if !connection.write(&frames).await {
            break;
        }
        sent += 100;
    }
    assert!(sent < 20_000, "{sent} requests were begun and taken back on one connection");
    scene.upstream.release();
    serves(&scene).await;
    eventually("nothing is under way", LONG, async || scene.upstream.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_settings_without_end_are_not_kept_for_an_answer() {
    let scene = Scene::start("").await;
    for piece in [frame(http2::PING, 0, 0, &[7; 8]), frame(http2::SETTINGS, 0, 0, &[])] {
        // Who never reads what is answered: the answers must not pile up in the bus.
        let mut connection = Http2::open(scene.bus.required).await;
        let many: Vec<u8> = piece.repeat(4_000);
        let mut rounds = 0;
        while rounds < 500 {
            match tokio::time::timeout(Duration::from_millis(500), connection.write(&many)).await {
                Ok(true) => rounds += 1,
                // Refused, or not read any more until the answers are: both are a bound.
                Ok(false) | Err(_) => break,
            }
        }
        assert!(rounds < 500, "two million frames were taken whose answers nobody read");
        serves(&scene).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_beyond_the_limit_is_refused_whether_or_not_its_length_is_told() {
    let scene = Scene::start("limits: { body_max_bytes: 10000 }").await;
    let post = format!("POST {QUERY} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    let told = format!("{post}content-length: 4000000000\r\n\r\n{{");
    let reply = scene.send(told.as_bytes()).await.expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"), "before a byte of it has come");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    let untold = format!("{post}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(4));
    let reply = scene.send(untold.as_bytes()).await.expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    // In HTTP/2 the flow of a body is held back before the limit is even met.
    let headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", QUERY),
        ("content-type", "application/json"),
    ];
    let mut connection = Http2::open(scene.bus.required).await;
    connection.write(&frame(http2::HEADERS, END_HEADERS, 1, &http2::block(&headers))).await;
    for _ in 0..4 {
        connection.write(&frame(http2::DATA, 0, 1, &[b' '; 4096])).await;
    }
    assert_eq!(connection.ending(1).await, Ending::Answered { is_ok: false });
    assert_eq!(scene.upstream.calls(), 0);
    serves(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_are_cut_off_and_hold_no_place_of_an_exchange() {
    // One place for exchanges: whoever held it would keep all others out.
    let scene = Scene::start("limits: { head_timeout_ms: 1500, body_timeout_ms: 1500, connections: 40 }").await;
    let mut handshakes = Vec::new();
    let mut heads = Vec::new();
    for _ in 0..10 {
        handshakes.push(TcpStream::connect(scene.bus.required).await.expect("a connection"));
        let mut head = Raw::open(scene.bus.required, "http/1.1").await;
        head.write(format!("GET {AYGUN} HTTP/1.1\r\nhost: localhost\r\nx-slow: ").as_bytes()).await;
        heads.push(head);
    }
    serves(&scene).await;
    for mut handshake in handshakes {
        let end = tokio::time::timeout(LONG, handshake.read(&mut [0; 8])).await.expect("the bus ends it");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    for mut head in heads {
        // A byte now and then does not help: the time is that of the whole head.
        let mut is_open = true;
        eventually("the bus ends it", LONG, async || !head.write(b"y").await).await;
        while is_open {
            is_open = head.exactly(1).await.is_some();
        }
    }
    let post =
        format!("POST {QUERY} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{");
    let mut bodies = Vec::new();
    for _ in 0..10 {
        let mut body = Raw::open(scene.bus.required, "http/1.1").await;
        body.write(post.as_bytes()).await;
        bodies.push(body);
    }
    serves(&scene).await;
    for mut body in bodies {
        let reply = body.reply().await.expect("an answer");
        assert_eq!((reply.status, reply.code().as_str()), (400, "malformed_request"));
    }
    serves(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_compressed_is_refused_and_never_unpacked() {
    let scene = Scene::start("").await;
    let portal = scene.bus.portal();
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-gzip", "aes128gcm"] {
        for body in [bomb(), json!({ "key": "5ZJBKH7" }).to_string().into_bytes()] {
            let request = portal.request(Method::POST, QUERY).header("content-type", "application/json");
            let (is_large, request) = (body.len() > 1_000_000, request.header("content-encoding", coding).body(body));
            let (status, code) = if is_large { (413, "body_too_large") } else { (415, "media_type_unsupported") };
            let _ = portal.sent(request).await.refused(status, code);
        }
    }
    assert_eq!(scene.upstream.calls(), 0);
    let plain =
        portal.request(Method::POST, QUERY).header("content-type", "application/json").header("content-encoding", "identity");
    let _ = portal.sent(plain.body("{\"key\":\"5ZJBKH7\"}")).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrys_answer_that_unpacks_to_no_end_is_given_up() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 15000 }"));
    country.grants("people", &[GRANT_ALL]);
    let bus = country.start().await;
    let packed = vec![("content-type", "application/json"), ("content-encoding", "gzip")];
    upstream.is(Mood::Says { status: 200, headers: packed, body: bomb().into() });
    let before = memory();
    let portal: Caller = bus.portal();
    for path in [AYGUN, "/api/people/v1/persons?sex=female"] {
        let answer = portal.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "registry_broke_contract"), "{}", answer.text());
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 400_000_000, "{grown} bytes more for an answer of {} bytes", bomb().len());
    upstream.is(Mood::Well);
    let _ = portal.get(AYGUN).await.good();
}

/// The most memory that this process has had, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the most that was resident");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// Two gigabytes of blanks, packed by `gzip`: less than a hundredth of that.
fn bomb() -> Vec<u8> {
    static BOMB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BOMB.get_or_init(|| {
        let packed =
            std::process::Command::new("sh").args(["-c", "head -c 2000000000 /dev/zero | tr '\\0' ' ' | gzip -1"]).output();
        packed.expect("gzip is part of every Debian").stdout
    })
    .clone()
}
