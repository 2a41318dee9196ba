//! Signatures: what is signed of an answer, what has to be signed of a request, and what is refused.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use http::{Request, Response};
use proptest::prelude::*;
use rabita_contract::signature::{
    AnswerBase, Hash, SignedRequest, Signing, check_content_digest, content_digest, sign_answer, signed_request,
};
use rabita_keys::{Algorithm, SigningKey};
use rabita_model::{Code, Refusal};

const BODY: &[u8] = br#"{"hello": "world"}"#;
/// What covers everything that [`submitted`] has.
const COVERED: &str = r#""@method" "@authority" "@path" "@query" "content-digest" "idempotency-key" "rabita-purpose""#;

fn digest_of(hash: Hash, body: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => &SHA256,
        Hash::Sha512 => &SHA512,
    };
    digest(algorithm, body).as_ref().to_vec()
}

fn sha256(body: &[u8]) -> [u8; 32] {
    digest(&SHA256, body).as_ref().try_into().expect("32 bytes")
}

/// A change, with the signature headers as they are told; each may stand several times.
fn submitted(headers: &[(&str, &str)]) -> Parts {
    let request = Request::post("https://bus.example:443/api/vehicles/v1/vehicles?a=b%20c&d")
        .header("content-digest", content_digest(&sha256(BODY)))
        .header("idempotency-key", "one")
        .header("rabita-purpose", "  vehicle-transfer ");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request").into_parts().0
}

fn signed(covered: &str, parameters: &str) -> Parts {
    submitted(&[("signature-input", &format!("sig=({covered}){parameters}")), ("signature", "sig=:AAAA:")])
}

fn read(head: &Parts) -> SignedRequest {
    signed_request(head, true).expect("a signature that can be read").expect("a signature")
}

/// The kinds of faults, and the headers that they are in.
fn faults(refusal: &Refusal) -> Vec<(&str, &str)> {
    refusal.faults.iter().map(|fault| (fault.parameter.as_deref().unwrap_or_default(), fault.code)).collect()
}

fn refused(head: &Parts) -> Refusal {
    let refusal = signed_request(head, true).expect_err("a signature that is refused");
    assert_eq!(refusal.code, Code::SignatureInvalid);
    assert!(refusal.detail.is_some(), "the log says why");
    refusal
}

#[test]
fn the_text_that_a_request_signs_is_that_of_rfc_9421() {
    let read = read(&signed(COVERED, r#";created=1618884473;expires=1618884533;keyid="portal-1";alg="ed25519";nonce="n""#));
    let expected = r#""@method": POST
"@authority": bus.example
"@path": /api/vehicles/v1/vehicles
"@query": ?a=b%20c&d
"content-digest": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
"idempotency-key": one
"rabita-purpose": vehicle-transfer
"@signature-params": ("@method" "@authority" "@path" "@query" "content-digest" "idempotency-key" "rabita-purpose");created=1618884473;expires=1618884533;keyid="portal-1";alg="ed25519";nonce="n""#;
    assert_eq!(String::from_utf8_lossy(&read.base), expected);
    assert_eq!(expected.lines().last(), Some(format!(r#""@signature-params": {}"#, read.input).as_str()));
    assert_eq!((read.key_id.as_str(), read.created, read.expires), ("portal-1", 1_618_884_473, Some(1_618_884_533)));
    assert_eq!((read.nonce.as_deref(), read.algorithm.as_deref()), (Some("n"), Some("ed25519")));
    assert_eq!(read.signature, [0, 0, 0]);
}

#[test]
fn the_whole_target_may_be_covered_instead_of_its_parts() {
    let rest = r#""content-digest" "idempotency-key" "rabita-purpose""#;
    let parameters = r#";created=1;keyid="k""#;
    let base = |covered: &str| String::from_utf8(read(&signed(covered, parameters)).base).expect("ASCII");
    let uri = base(&format!(r#""@method" "@target-uri" {rest}"#));
    assert!(uri.contains("\"@target-uri\": https://bus.example/api/vehicles/v1/vehicles?a=b%20c&d\n"), "{uri}");
    let target = base(&format!(r#""@method" "@scheme" "@authority" "@request-target" {rest}"#));
    assert!(target.contains("\"@request-target\": /api/vehicles/v1/vehicles?a=b%20c&d\n"), "{target}");
    assert!(target.contains("\"@scheme\": https\n"), "{target}");
}

#[test]
fn a_request_without_a_query_signs_one_of_a_question_mark() {
    let head = Request::get("/api/vehicles/v1/vehicles/10-RA-777")
        .header("host", "BUS.example:8443")
        .header("signature-input", r#"a=("@method" "@path" "@query" "@authority");created=1;keyid="k""#)
        .header("signature", "a=:AAAA:");
    let (head, ()) = head.body(()).expect("a request").into_parts();
    let read = signed_request(&head, false).expect("it can be read").expect("it is signed");
    let base = String::from_utf8(read.base).expect("ASCII");
    assert!(base.contains("\"@query\": ?\n\"@authority\": bus.example:8443\n"), "{base}");
}

#[test]
fn a_request_without_a_signature_is_none() {
    assert_eq!(signed_request(&submitted(&[]), true).expect("nothing to refuse"), None);
}

#[test]
fn each_thing_that_is_left_out_is_named() {
    let refusal = refused(&signed("", r#";created=1;keyid="k""#));
    let told: Vec<&str> = refusal.faults.iter().map(|fault| fault.message.as_str()).collect();
    let names = ["@method", "@authority", "@path", "@query", "content-digest", "idempotency-key", "rabita-purpose"];
    assert_eq!(told, names.map(|name| format!("the signature has to cover `{name}`")));
    assert!(faults(&refusal).iter().all(|fault| *fault == ("Signature-Input", "not_covered")));
    // One by one.
    for name in names {
        let covered: Vec<&str> = COVERED.split(' ').filter(|covered| *covered != format!("\"{name}\"")).collect();
        let refusal = refused(&signed(&covered.join(" "), r#";created=1;keyid="k""#));
        assert_eq!(refusal.faults.len(), 1, "{name}");
    }
}

#[test]
fn a_body_without_a_digest_has_to_be_digested() {
    let mut head = signed(&COVERED.replace(" \"content-digest\"", ""), r#";created=1;keyid="k""#);
    head.headers.remove("content-digest");
    assert_eq!(faults(&refused(&head)), [("Signature-Input", "not_covered")]);
    assert!(signed_request(&head, false).is_ok());
}

#[test]
fn every_header_that_tells_what_is_meant_has_to_be_covered() {
    for name in ["rabita-user", "rabita-case", "rabita-consent", "rabita-apply-until", "if-match", "authorization"] {
        let mut head = signed(COVERED, r#";created=1;keyid="k""#);
        head.headers.insert(name, "x".parse().expect("a value"));
        assert_eq!(faults(&refused(&head)), [("Signature-Input", "not_covered")], "{name}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let good = format!(r#"sig=({COVERED});created=1;keyid="k""#);
    let signature = "sig=:AAAA:";
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("no signature", &[("signature-input", &good)]),
        ("no input", &[("signature", signature)]),
        ("two headers of inputs", &[("signature-input", &good), ("signature-input", &good), ("signature", signature)]),
        ("two headers of signatures", &[("signature-input", &good), ("signature", signature), ("signature", signature)]),
        ("two signatures", &[("signature-input", &good), ("signature", "sig=:AAAA:, other=:AAAA:")]),
        ("two inputs", &[("signature-input", &format!("{good}, other=()")), ("signature", signature)]),
        ("a label twice", &[("signature-input", &format!("{good}, {good}")), ("signature", signature)]),
        ("another label", &[("signature-input", &good), ("signature", "other=:AAAA:")]),
        ("a parameter twice", &[("signature-input", &format!("{good};keyid=\"other\"")), ("signature", signature)]),
        ("a needless blank", &[("signature-input", &good.replace(");", ") ;")), ("signature", signature)]),
        ("a component twice", &[("signature-input", &good.replace("(", "(\"@method\" ")), ("signature", signature)]),
        (
            "a component with a parameter",
            &[("signature-input", &good.replace("\"@path\"", "\"@path\";req")), ("signature", signature)],
        ),
        ("a component that is no string", &[("signature-input", &good.replace("(", "(date ")), ("signature", signature)]),
        ("an unknown component", &[("signature-input", &good.replace("(", "(\"@status\" ")), ("signature", signature)]),
        ("a name in upper case", &[("signature-input", &good.replace("(", "(\"Date\" ")), ("signature", signature)]),
        ("a header that is not there", &[("signature-input", &good.replace("(", "(\"date\" ")), ("signature", signature)]),
        ("itself", &[("signature-input", &good.replace("(", "(\"signature\" ")), ("signature", signature)]),
        ("no time", &[("signature-input", &good.replace(";created=1", "")), ("signature", signature)]),
        ("a time that is text", &[("signature-input", &good.replace("=1;", "=\"1\";")), ("signature", signature)]),
        ("no key", &[("signature-input", &good.replace(";keyid=\"k\"", "")), ("signature", signature)]),
        ("a key that is no text", &[("signature-input", &good.replace("\"k\"", "k")), ("signature", signature)]),
        ("no list", &[("signature-input", "sig=1"), ("signature", signature)]),
        ("no bytes", &[("signature-input", &good), ("signature", "sig=\"AAAA\"")]),
        ("a list of bytes", &[("signature-input", &good), ("signature", "sig=(:AAAA:)")]),
        ("a signature with a parameter twice", &[("signature-input", &good), ("signature", "sig=:AAAA:;a=1;a=2")]),
        ("bits to spare in Base64", &[("signature-input", &good), ("signature", "sig=:AAB=:")]),
        ("two hosts", &[("signature-input", &good), ("signature", signature), ("host", "other.example")]),
        (
            "a host twice",
            &[("signature-input", &good), ("signature", signature), ("host", "bus.example"), ("host", "bus.example")],
        ),
    ];
    read(&submitted(&[("signature-input", &good), ("signature", signature), ("host", "BUS.example")]));
    for (what, headers) in cases {
        let refusal = signed_request(&submitted(headers), true);
        assert!(refusal.is_err_and(|refusal| refusal.code == Code::SignatureInvalid), "{what}");
    }
    let many: String = (0..65).map(|index| format!("\"x{index}\" ")).collect();
    refused(&signed(many.trim_end(), r#";created=1;keyid="k""#));
}

#[test]
fn what_a_signature_says_of_itself_has_an_end_since_the_ledger_keeps_it() {
    let with_nonce = |length: usize| signed(COVERED, &format!(r#";created=1;keyid="k";nonce="{}""#, "n".repeat(length)));
    assert_eq!(read(&with_nonce(3_900)).nonce.map(|nonce| nonce.len()), Some(3_900));
    assert_eq!(faults(&refused(&with_nonce(4_096))), [("Signature-Input", "too_long")]);
    let long = format!("sig=:{}:", BASE64.encode([0; 3_100]));
    let input = format!(r#"sig=({COVERED});created=1;keyid="k""#);
    let head = submitted(&[("signature-input", &input), ("signature", &long)]);
    assert_eq!(faults(&refused(&head)), [("Signature", "too_long")]);
}

#[test]
fn a_header_that_stands_twice_is_signed_as_one() {
    let mut head = signed(&format!("{COVERED} \"accept\""), r#";created=1;keyid="k""#);
    head.headers.append("accept", " a ".parse().expect("a value"));
    head.headers.append("accept", "b".parse().expect("a value"));
    assert!(String::from_utf8_lossy(&read(&head).base).contains("\"accept\": a, b\n"));
}

#[test]
fn both_ends_of_the_window_are_within_it() {
    let at = |created: i64, parameters: &str| read(&signed(COVERED, &format!(";created={created}{parameters};keyid=\"k\"")));
    let told = |signed: &SignedRequest, now| signed.check_time(now, 60).map_err(|refusal| refusal.faults[0].code);
    let signed = at(1_000, "");
    for (now, expected) in [(939, Err("from_future")), (940, Ok(())), (1_060, Ok(())), (1_061, Err("too_old"))] {
        assert_eq!(told(&signed, now), expected, "{now}");
    }
    let short = at(1_000, ";expires=1010");
    assert_eq!((told(&short, 1_010), told(&short, 1_011)), (Ok(()), Err("expired")));
    let extreme = at(-999_999_999_999_999, ";expires=999999999999999");
    assert_eq!(told(&extreme, i64::MAX), Err("too_old"));
    assert!(extreme.check_time(0, u64::MAX).is_ok());
}

#[test]
fn a_digest_is_held_against_the_body() {
    let check = |value: &str| {
        let head = Request::post("/").header("content-digest", value).body(()).expect("a request").into_parts().0;
        check_content_digest(&head.headers, |hash| digest_of(hash, BODY))
    };
    // RFC 9530, appendix D, and RFC 9421, B.2.
    let sha256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let sha512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    for good in [sha256, sha512, &format!("{sha256}, {sha512}"), &format!("md5=:AAAA:, {sha256}")] {
        assert!(check(good).expect("the body's digest"), "{good}");
    }
    let wrong = "sha-256=:AAAA9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    for (bad, code) in [
        (wrong, "digest"),
        (&format!("{wrong}, {sha512}"), "digest"),
        ("sha-256=\"X48E\"", "digest"),
        ("md5=:AAAA:", "algorithm"),
        ("", "algorithm"),
        ("sha-256=:", "syntax"),
    ] {
        let refusal = check(bad).expect_err("no digest of the body");
        assert_eq!((refusal.code, faults(&refusal)), (Code::MalformedRequest, vec![("Content-Digest", code)]), "{bad}");
    }
    let nothing = Request::get("/").body(()).expect("a request").into_parts().0;
    assert!(!check_content_digest(&nothing.headers, |_| Vec::new()).expect("nothing to check"));
    assert_eq!(content_digest(&self::sha256(BODY)), sha256);
}

fn answer() -> Response<()> {
    Response::builder()
        .status(200)
        .header("rabita-exchange", "01a20a88-c91d-73e0-af69-1552e5fe83b6")
        .header("server-timing", "bus;dur=0.488")
        .header("etag", "\"10b4719014d5d78e3891453bd9041efa\"")
        .header("content-type", "application/json")
        .header("content-digest", content_digest(&sha256(BODY)))
        .header("rabita-receipt", "\"bus.example/log\";index=7;leaf=:AAAA:")
        .body(())
        .expect("an answer")
}

const SIGNING: Signing<'_> = Signing { key_id: "bus-2026", algorithm: "ed25519", created: 1_795_481_279 };

#[test]
fn the_text_that_is_signed_of_an_answer_holds_the_request_and_its_signature() {
    let request = signed(COVERED, r#";created=1;keyid="k""#);
    let base = AnswerBase::of(&answer(), &request, &SIGNING);
    let expected = r#""@status": 200
"content-digest": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
"content-type": application/json
"etag": "10b4719014d5d78e3891453bd9041efa"
"rabita-exchange": 01a20a88-c91d-73e0-af69-1552e5fe83b6
"rabita-receipt": "bus.example/log";index=7;leaf=:AAAA:
"@method";req: POST
"@path";req: /api/vehicles/v1/vehicles
"@query";req: ?a=b%20c&d
"signature";req;key="sig": :AAAA:
"@signature-params": ("@status" "content-digest" "content-type" "etag" "rabita-exchange" "rabita-receipt" "@method";req "@path";req "@query";req "signature";req;key="sig");created=1795481279;keyid="bus-2026";alg="ed25519""#;
    assert_eq!(String::from_utf8_lossy(base.bytes()), expected);
    let mut answer = answer();
    sign_answer(&mut answer, &request, &SIGNING, |_| Ok::<_, ()>(vec![1, 2, 3])).expect("a signature");
    let parameters =
        expected.lines().last().and_then(|line| line.strip_prefix("\"@signature-params\": ")).expect("the last line");
    assert_eq!(answer.headers()["signature-input"], format!("rabita={parameters}"));
    assert_eq!(answer.headers()["signature"], "rabita=:AQID:");
}

#[test]
fn an_answer_that_could_not_be_signed_is_as_it_was() {
    let mut answer = answer();
    let before = answer.headers().clone();
    assert_eq!(sign_answer(&mut answer, &submitted(&[]), &SIGNING, |_| Err("no")), Err("no"));
    assert_eq!(answer.headers(), &before);
}

#[test]
fn a_signature_that_cannot_be_read_is_answered_all_the_same() {
    for value in ["", "junk junk", "a=1", "a=:AAAA:, b=:AAAA:"] {
        let base = AnswerBase::of(&answer(), &submitted(&[("signature", value)]), &SIGNING);
        assert!(!String::from_utf8_lossy(base.bytes()).contains("\"signature\""), "{value}");
    }
}

#[test]
fn what_a_key_signed_is_verified_and_nothing_else() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let (key, _) = SigningKey::generate("k", algorithm).expect("randomness");
        let draft = read(&signed(COVERED, r#";created=1;keyid="k""#));
        let signature = BASE64.encode(key.sign(&draft.base).expect("a signature"));
        let input = format!(r#"sig=({COVERED});created=1;keyid="k""#);
        let head = submitted(&[("signature-input", &input), ("signature", &format!("sig=:{signature}:"))]);
        let verifies = |head: &Parts| {
            let read = read(head);
            key.verifying().verify(&read.base, &read.signature).is_ok()
        };
        assert!(verifies(&head));
        let mut changed = head.clone();
        changed.method = http::Method::PUT;
        assert!(!verifies(&changed));
        for (name, value) in [("rabita-purpose", "other"), ("idempotency-key", "two"), ("content-digest", "sha-256=:AAAA:")] {
            let mut changed = head.clone();
            changed.headers.insert(name, value.parse().expect("a value"));
            assert!(!verifies(&changed), "{name}");
        }
        for uri in
            ["https://other.example/api/vehicles/v1/vehicles?a=b%20c&d", "https://bus.example/api/vehicles/v1/vehicles?a=b%20c"]
        {
            let mut changed = head.clone();
            changed.uri = uri.parse().expect("a URI");
            assert!(!verifies(&changed), "{uri}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_headers_hold_is_read_or_refused(signature in "[ -~]{0,80}", input in "[ -~]{0,120}", body in any::<bool>()) {
        let head = submitted(&[("signature", &signature), ("signature-input", &input), ("content-digest", &input)]);
        let _ = signed_request(&head, body);
        let _ = AnswerBase::of(&answer(), &head, &SIGNING);
        let _ = check_content_digest(&head.headers, |_| Vec::new());
    }

    /// No line can be smuggled into the text by way of a value, since no value holds a line feed.
    #[test]
    fn each_component_is_one_line(user in "[ -~]{1,40}") {
        let mut head = signed(&format!("{COVERED} \"rabita-user\""), r#";created=1;keyid="k""#);
        head.headers.insert("rabita-user", user.parse().expect("visible characters"));
        let base = read(&head).base;
        prop_assert_eq!(base.iter().filter(|byte| **byte == b'\n').count(), 8);
    }
}
