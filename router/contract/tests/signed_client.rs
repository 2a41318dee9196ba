//! What the specification shows of signatures, as a caller would follow it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Request, Response};
use rabita_contract::signature::{AnswerBase, Signing, check_content_digest, signed_request};
use rabita_keys::{Algorithm, SigningKey, VerifyingKey};

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the example with a `curl` that only says what it was called with, and gives the request that it would have sent.
fn call(scratch: &Path, method: &str, url: &str, body: &str) -> Parts {
    let curl = scratch.join("curl");
    std::fs::write(&curl, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").expect("a file");
    std::fs::set_permissions(&curl, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let path = std::env::join_paths(
        [scratch.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").expect("PATH"))),
    );
    let done = Command::new(crate_file("examples/call-signed"))
        .arg(scratch.join("key.pem"))
        .args(["portal-1", method, url, "vehicle-transfer", body, "--http2"])
        .env("PATH", path.expect("directories without colons"))
        .output()
        .expect("the example runs: `bash` and `openssl` are there");
    assert!(done.status.success(), "the example needs `openssl` 3: {}", String::from_utf8_lossy(&done.stderr));
    let arguments = String::from_utf8(done.stdout).expect("ASCII");
    let arguments: Vec<&str> = arguments.lines().collect();
    assert_eq!(arguments.last(), Some(&url));
    let headers = arguments.iter().zip(&arguments[1..]).filter(|(name, _)| **name == "--header");
    let request = headers.fold(Request::builder().method(method).uri(url), |request, (_, header)| {
        let (name, value) = header.split_once(": ").expect("a header");
        request.header(name, value)
    });
    request.body(()).expect("a request").into_parts().0
}

#[test]
fn the_example_signs_what_has_to_be_signed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (key, pem) = SigningKey::generate("portal-1", Algorithm::Ed25519).expect("randomness");
    std::fs::write(scratch.path().join("key.pem"), pem).expect("the key");
    let calls = [
        ("GET", "https://localhost:8443/api/vehicles/v1/vehicles/10-RA-777?fields=plate,owner", ""),
        ("GET", "https://BUS.example:443/api/vehicles/v1/vehicles/10-RA-777", ""),
        ("POST", "https://localhost:8443/api/vehicles/v1/vehicles/query", r#"{"key": "10-RA-777"}"#),
    ];
    for (method, url, body) in calls {
        let head = call(scratch.path(), method, url, body);
        let signed = signed_request(&head, !body.is_empty()).expect("all is covered").expect("it is signed");
        assert_eq!(signed.key_id, "portal-1");
        assert!(signed.nonce.is_some());
        key.verifying().verify(&signed.base, &signed.signature).expect("a signature that verifies");
        let is_digested = check_content_digest(&head.headers, |_| sha256(body));
        assert_eq!(is_digested.expect("the body's digest"), !body.is_empty());
    }
}

/// What follows a headline of the specification.
fn section(headline: &str) -> String {
    let text = std::fs::read_to_string(crate_file("SPEC.md")).expect("there is a SPEC.md");
    text.split_once(headline).expect("the section is there").1.to_owned()
}

/// A head as it is shown: headers in lines of their own.
fn headers(lines: std::str::Lines<'_>) -> HeaderMap {
    let told = lines.map(|line| line.split_once(": ").expect("a header"));
    told.map(|(name, value)| (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))).collect()
}

fn sha256(body: &str) -> Vec<u8> {
    digest(&SHA256, body.as_bytes()).as_ref().to_vec()
}

/// The key of RFC 9421, B.1.4.
fn key_of_the_rfc(id: &str) -> VerifyingKey {
    let x = URL_SAFE_NO_PAD.decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs").expect("Base64");
    VerifyingKey::from_raw(id, Algorithm::Ed25519, &x).expect("the key of the RFC")
}

#[test]
fn the_signed_answer_that_the_specification_shows_holds() {
    let section = section("### 9.1 ");
    let (_, shown) = section.split_once("```http\n").expect("a request");
    let mut parts = shown.split("\n\n");
    let mut next = || parts.next().expect("a request, a head and a body");
    let (asked, head, body) = (next(), next(), next().split_once("\n```").expect("the end of the answer").0);
    let target = asked.lines().next().and_then(|line| line.strip_prefix("GET ")).expect("a request line");
    let (request, ()) = Request::get(target).body(()).expect("a request").into_parts();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("HTTP/2 200"));
    let mut answer = Response::new(());
    *answer.headers_mut() = headers(lines);
    assert!(check_content_digest(answer.headers(), |_| sha256(body)).expect("the digest that is shown"));
    let base = AnswerBase::of(&answer, &request, &Signing { key_id: "bus-2026", algorithm: "ed25519", created: 1_795_481_279 });
    let shown = answer.headers()["signature"].to_str().expect("ASCII");
    let signature = shown.strip_prefix("rabita=:").and_then(|rest| rest.strip_suffix(':')).expect("its form");
    let signature = STANDARD.decode(signature).expect("Base64");
    key_of_the_rfc("bus-2026").verify(base.bytes(), &signature).expect("the signature that is shown");
    let input = answer.headers()["signature-input"].clone();
    base.put(answer.headers_mut(), &signature);
    assert_eq!(answer.headers()["signature-input"], input);
}

#[test]
fn the_signed_request_that_the_specification_shows_holds() {
    let section = section("### 9.2 ");
    let (_, shown) = section.split_once("```http\n").expect("a request");
    let (head, rest) = shown.split_once("\n\n").expect("a head");
    let body = rest.split_once("\n```").expect("the end of the request").0;
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.strip_prefix("POST ")).expect("a request line");
    let (mut head, ()) = Request::post(target).body(()).expect("a request").into_parts();
    head.headers = headers(lines);
    let signed = signed_request(&head, true).expect("all is covered").expect("it is signed");
    key_of_the_rfc(&signed.key_id).verify(&signed.base, &signed.signature).expect("the signature that is shown");
    assert!(check_content_digest(&head.headers, |_| sha256(body)).expect("the digest that is shown"));
    let base = String::from_utf8_lossy(&signed.base);
    assert!(section.contains(&format!("```text\n{base}\n```")), "{base}");
}
