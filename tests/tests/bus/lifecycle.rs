//! The program as a process: how it begins, and how it ends.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rabita_tests::bus::{Authority, Caller, Country, Manifest, Program, Speaks, Upstream};
use rabita_tests::eventually;
use tokio::net::TcpStream;

/// The command line of this very source.
pub const RABITA: &str = env!("CARGO_BIN_EXE_rabita-under-test");

const LONG: Duration = Duration::from_secs(30);
const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

/// Serves a directory that cannot be served; what was said.
async fn refused(country: &Country) -> String {
    let (status, said) = Program::serve(RABITA, country.path()).ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn a_program_that_is_told_to_end_finishes_what_is_under_way_and_takes_no_more() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let upstream = Upstream::start().await;
        let country = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 60000 }"));
        let program = Program::serve(RABITA, country.path());
        let address = program.addresses().await[0];
        let portal = Caller::new(address, Some(&Authority::get().portal), speaks);
        upstream.hold();
        let slow = tokio::spawn({
            let portal = portal.clone();
            async move { portal.get(AYGUN).await }
        });
        eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
        program.terminate().await;
        eventually("nobody is let in", LONG, async || TcpStream::connect(address).await.is_err()).await;
        match portal.try_get("/api/people/v1/persons/4WTR2PX").await {
            Err(_) => {}
            Ok(answer) => drop(answer.refused(503, "bus_stopping")),
        }
        assert_eq!((upstream.calls(), upstream.cancelled()), (1, 0));
        upstream.release();
        assert_eq!(slow.await.expect("no panic").good().json()["pin"], "5ZJBKH7");
        let (status, said) = program.ended().await;
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("stopping"), "{said}");
    }
}

#[tokio::test]
async fn a_program_does_not_wait_for_ever_for_what_is_under_way_and_says_so() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 600000 }"));
    country.node("limits: { drain_ms: 300 }");
    let program = Program::serve(RABITA, country.path());
    let portal = Caller::new(program.addresses().await[0], Some(&Authority::get().portal), Speaks::Either);
    upstream.hold();
    let slow = tokio::spawn(async move { portal.try_get(AYGUN).await.is_err() });
    eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
    program.terminate().await;
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("not all exchanges were finished in time"), "{said}");
    assert!(slow.await.expect("no panic"));
}

#[tokio::test]
async fn callers_that_keep_an_unused_connection_do_not_keep_a_program_from_ending() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let program = Program::serve(RABITA, country.path());
    let address = program.addresses().await[0];
    let mut callers = Vec::new();
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let caller = Caller::new(address, Some(&Authority::get().portal), speaks);
        let _ = caller.get(AYGUN).await.good();
        callers.push(caller);
    }
    let _silent = TcpStream::connect(address).await.expect("a connection");
    program.terminate().await;
    let began = Instant::now();
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(began.elapsed() < Duration::from_secs(8), "less than any time-out of a connection");
}

#[tokio::test]
async fn operators_see_that_a_program_is_ending() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()).limits("{ timeout_ms: 60000 }"));
    let program = Program::serve(RABITA, country.path());
    let addresses = program.addresses().await;
    let (address, admin) = (addresses[0], addresses[2]);
    // Probes make a connection each.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
    let ready = async || client.get(format!("http://{admin}/readyz")).send().await.map(|answer| answer.status().as_u16()).ok();
    assert_eq!(ready().await, Some(200));
    let portal = Caller::new(address, Some(&Authority::get().portal), Speaks::Either);
    upstream.hold();
    let slow = tokio::spawn(async move { portal.get(AYGUN).await });
    eventually("the registry is asked", LONG, async || upstream.in_flight() == 1).await;
    program.terminate().await;
    eventually("the node says that it is not ready", LONG, async || ready().await == Some(503)).await;
    upstream.release();
    let _ = slow.await.expect("no panic").good();
    assert_eq!(program.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let country = Country::new();
    let tls = "{ certificate: tls/server.pem, key: tls/server.key, client_authorities: tls/ca.pem }";
    country.file(
        "rabita.yaml",
        &format!("listeners: [{{ address: \"{address}\", tls: {tls} }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n"),
    );
    let said = refused(&country).await;
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("another program has the port"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_found_before_anything_starts() {
    let country = Country::new();
    std::fs::remove_file(country.path().join("tls/server.pem")).expect("a file");
    country.file("tls/ca.pem", "no certificate");
    let said = refused(&country).await;
    let (status, checked) = Program::run(RABITA, &["check", country.path().to_str().expect("a path")]).ended().await;
    assert_eq!(status.code(), Some(1));
    for text in [said, checked] {
        assert!(text.contains("rabita.yaml") && text.contains("tls/server.pem cannot be read"), "{text}");
        assert!(text.contains("tls/ca.pem holds no certificate"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_and_a_key_that_do_not_go_together_are_refused() {
    let country = Country::new();
    country.file("tls/server.key", &Authority::get().portal.key);
    let said = refused(&country).await;
    assert!(said.contains("server.pem") && said.contains("do not go together"), "{said}");
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_configuration_is_told_at_once() {
    let country = Country::with_people("http://127.0.0.1:1");
    country.file("systems/kiosk.yaml", "system: kiosk\nagency: nobody\ncertificats: []\n");
    country.grants(
        "people",
        &["{ system: portl, version: v1, entity: persons, operations: [read], fields: [pin, nme], purposes: [audt] }"],
    );
    country.node("limits: { conections: 5 }");
    let said = refused(&country).await;
    for word in ["conections", "certificats", "portl", "nme", "audt"] {
        assert!(said.contains(word), "nothing of {word}:\n{said}");
    }
    for likely in ["connections", "certificates", "portal", "audit"] {
        assert!(said.contains(likely), "{likely} is not proposed:\n{said}");
    }
    assert!(said.contains("nothing was started"), "{said}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let country = Country::with_people("http://127.0.0.1:1");
    country.node("cursor_secret: { env: RABITA_TESTS_NOT_SET }");
    let said = refused(&country).await;
    assert!(said.contains("RABITA_TESTS_NOT_SET") && said.contains("not set"), "{said}");
    country.node("cursor_secret: { file: secrets/short }");
    country.file("secrets/short", "too short");
    let said = refused(&country).await;
    assert!(said.contains("fewer than 32 bytes") && !said.contains("too short"), "{said}");
}
