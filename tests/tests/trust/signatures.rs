//! Signed requests that must not be taken; and signatures held against an implementation that is not ours,
//! `tests/servers/signatures`.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, Response};
use rabita_contract::signature::{Signing, content_digest, sign_answer, signed_request};
use rabita_keys::{Algorithm, SigningKey};
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, GRANT_ALL, Program, Speaks, Upstream};
use rabita_tests::scratch::Scratch;
use reqwest::Method;
use serde_json::{Map, Value, json};

const QUERY: &str = "/api/people/v1/persons/query";
const AYGUN: &str = r#"{"key": "5ZJBKH7"}"#;
const BENAZIR: &str = r#"{"key": "4WTR2PX"}"#;
const COVERED: &str = r#""@method" "@authority" "@path" "@query" "content-digest" "rabita-case""#;

const URL: &str = "https://bus.example:8443/api/vehicles/v1/vehicles?fields=plate,owner&a=b%20c";
const FIELDS: [&str; 6] = ["@method", "@authority", "@path", "@query", "content-digest", "rabita-purpose"];

/// A request as both sides have it, with these headers besides.
fn request(method: &str, more: &Value) -> (Request<()>, Value) {
    let mut headers = json!({ "rabita-purpose": "vehicle-transfer", "content-digest": DIGEST });
    let own = headers.as_object_mut().expect("an object");
    own.extend(more.as_object().cloned().unwrap_or_default());
    let request = own.iter().fold(Request::builder().method(method).uri(URL), |request, (name, value)| {
        request.header(name, value.as_str().expect("text"))
    });
    (request.body(()).expect("a request"), json!({ "method": method, "url": URL, "headers": headers }))
}

const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

pub(crate) fn told(headers: &HeaderMap) -> Value {
    let told = headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().expect("ASCII"))));
    Value::Object(told.collect::<Map<_, _>>())
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Runs the other implementation.
pub(crate) fn check(input: &Value) -> Vec<Value> {
    let scratch = Scratch::new("signatures");
    let file = scratch.path().join("messages.json");
    std::fs::write(&file, input.to_string()).expect("the messages");
    let done = rabita_tests::run_node("signatures", &["check.mjs", &file.to_string_lossy()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("the signatures")
}

#[test]
fn another_implementation_verifies_answers_and_signs_requests() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let (node, _) = SigningKey::generate("bus-2026", algorithm).expect("randomness");
        let (system, pem) = SigningKey::generate("portal-1", algorithm).expect("randomness");
        let key = json!({ "id": system.id(), "alg": algorithm.name(), "pem": pem });
        let requests: Vec<Value> =
            ["GET", "POST"].map(|method| json!({ "request": request(method, &json!({})).1, "fields": FIELDS })).into();
        let signed = check(&json!({ "jwks": { "keys": [] }, "answers": [], "requests": requests, "key": key }));

        let mut answers = Vec::new();
        for (method, signature) in ["GET", "POST"].into_iter().zip(&signed) {
            let (request, told_request) = request(method, signature);
            let (head, ()) = request.into_parts();
            let read = signed_request(&head, true).expect("it can be read").expect("it is signed");
            assert_eq!((read.key_id.as_str(), read.algorithm.as_deref()), ("portal-1", Some(algorithm.name())));
            system.verifying().verify(&read.base, &read.signature).expect("the signature of the other implementation");
            read.check_time(now(), 60).expect("it was signed just now");

            // An answer to a request that was signed, and one to the same without.
            let mut unsigned = head.clone();
            unsigned.headers.remove("signature");
            for head in [head, unsigned] {
                let mut answer = Response::builder()
                    .status(200)
                    .header("content-type", "application/json")
                    .header("content-digest", content_digest(&[7; 32]))
                    .header("rabita-exchange", "01a20a88-c91d-73e0-af69-1552e5fe83b6")
                    .header("etag", "\"10b4719014d5d78e3891453bd9041efa\"")
                    .body(())
                    .expect("an answer");
                let signing = Signing { key_id: node.id(), algorithm: algorithm.name(), created: now() };
                sign_answer(&mut answer, &head, &signing, |base| node.sign(base)).expect("a signature");
                let asked = json!({ "method": method, "url": told_request["url"], "headers": told(&head.headers) });
                answers.push(json!({ "request": asked, "answer": { "status": 200, "headers": told(answer.headers()) } }));
            }
        }
        check(&json!({ "jwks": { "keys": [node.verifying().jwk()] }, "answers": answers, "requests": [], "key": key }));
    }
}

/// A node that signs, and a portal of which the grant asks for signatures.
struct Scene {
    bus: Bus,
    upstream: Upstream,
    portal: SigningKey,
}

impl Scene {
    async fn start(algorithm: Algorithm) -> Self {
        let upstream = Upstream::start().await;
        let country = Country::with_people(upstream.url());
        let (_, pem) = SigningKey::generate("bus-2026", algorithm).expect("randomness");
        let (portal, _) = SigningKey::generate("portal-1", algorithm).expect("randomness");
        country.file("keys/bus.pem", &pem);
        country.file("keys/portal.pem", &portal.verifying().pem());
        country.node("signing: { keys: [{ id: bus-2026, file: keys/bus.pem }] }");
        let portal_file = std::fs::read_to_string(country.path().join("systems/portal.yaml")).expect("the portal");
        country.file("systems/portal.yaml", &format!("{portal_file}keys: [{{ id: portal-1, file: keys/portal.pem }}]\n"));
        let grant = GRANT_ALL.strip_suffix('}').expect("a grant in braces");
        country.grants("people", &[&format!("{grant}, signature: required }}")]);
        let bus = country.start().await;
        Self { bus, upstream, portal }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}{QUERY}", self.bus.required.port())
    }

    /// The headers of a query with this body that a key signs, for a case.
    fn signed(&self, key: &SigningKey, body: &str, case: &str, created: i64) -> Vec<(&'static str, String)> {
        let digest: [u8; 32] = digest(&SHA256, body.as_bytes()).as_ref().try_into().expect("32 bytes");
        let digest = content_digest(&digest).to_str().expect("ASCII").to_owned();
        let input = format!("sig=({COVERED});created={created};keyid=\"portal-1\"");
        let mut headers = vec![("rabita-case", case.to_owned()), ("content-digest", digest), ("signature-input", input)];
        let draft = headers.iter().fold(Request::post(self.url()), |draft, (name, value)| draft.header(*name, value));
        let (draft, ()) = draft.header("signature", "sig=:AAAA:").body(()).expect("a request").into_parts();
        let base = signed_request(&draft, true).expect("all is covered").expect("it is signed").base;
        let signature = STANDARD.encode(key.sign(&base).expect("a signature"));
        headers.push(("signature", format!("sig=:{signature}:")));
        headers
    }

    async fn send(&self, headers: &[(&str, String)], body: &'static str) -> Answer {
        let portal = self.bus.portal();
        let request = portal.request(Method::POST, QUERY).header("content-type", "application/json").body(body);
        portal.sent(headers.iter().fold(request, |request, (name, value)| request.header(*name, value))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_taken_once_and_as_it_was_signed() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let scene = Scene::start(algorithm).await;
        let good = scene.signed(&scene.portal, AYGUN, "one", now());
        let without = |name: &str| good.iter().filter(|(own, _)| *own != name).cloned().collect::<Vec<_>>();
        let with = |name: &'static str, value: &str| [without(name), vec![(name, value.to_owned())]].concat();

        let _ = scene.send(&[], AYGUN).await.refused(401, "signature_missing");
        let other_body = scene.send(&good, BENAZIR).await.refused(400, "malformed_request");
        assert_eq!(other_body.errors(), [("Content-Digest".to_owned(), "digest".to_owned())]);
        let stranger = SigningKey::generate("portal-1", algorithm).expect("randomness").0;
        let cases = [
            ("the digest of another body", scene.signed(&scene.portal, BENAZIR, "one", now()), 400),
            ("another case", with("rabita-case", "two"), 401),
            ("no case any more", without("rabita-case"), 401),
            ("a user more", with("rabita-user", "official-7"), 401),
            ("no digest", without("content-digest"), 401),
            ("no signature", without("signature"), 401),
            ("no parameters", without("signature-input"), 401),
            ("another key", scene.signed(&stranger, AYGUN, "one", now()), 401),
            ("too old", scene.signed(&scene.portal, AYGUN, "one", now() - 61), 401),
            ("of the future", scene.signed(&scene.portal, AYGUN, "one", now() + 120), 401),
            ("a later time", with("signature-input", &good[2].1.replace("created=", "created=1")), 401),
            ("twice", [good.clone(), vec![good[3].clone()]].concat(), 401),
        ];
        for (what, headers, status) in cases {
            let answer = scene.send(&headers, AYGUN).await;
            let code = if status == 400 { "malformed_request" } else { "signature_invalid" };
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {}", answer.text());
        }
        assert_eq!(scene.upstream.calls(), 0, "nothing of this reached the registry");

        let _ = scene.send(&good, AYGUN).await.good();
        let again = scene.send(&good, AYGUN).await.refused(401, "signature_invalid");
        assert_eq!(again.errors(), [("Signature".to_owned(), "replayed".to_owned())]);
        let _ = scene.send(&scene.signed(&scene.portal, AYGUN, "three", now()), AYGUN).await.good();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_problems_are_signed_with_a_key_that_the_bus_publishes() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let scene = Scene::start(algorithm).await;
        let jwks = scene.bus.portal().get("/bus/keys").await.good().json();
        assert_eq!(jwks["keys"][0]["kid"], "bus-2026");
        let good = scene.signed(&scene.portal, AYGUN, "one", now());
        let mut answers = Vec::new();
        for (headers, status) in [(&good[..], 200), (&good[..], 401), (&[], 401)] {
            let answer = scene.send(headers, AYGUN).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            let sha256: [u8; 32] = digest(&SHA256, &answer.body).as_ref().try_into().expect("32 bytes");
            assert_eq!(answer.headers["content-digest"], content_digest(&sha256));
            let asked: Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            let asked = json!({ "method": "POST", "url": scene.url(), "headers": asked });
            answers.push(json!({ "request": asked, "answer": { "status": status, "headers": told(&answer.headers) } }));
        }
        check(&json!({ "jwks": jwks, "answers": answers, "requests": [], "key": {} }));
    }
}

/// Debian's library of SoftHSM.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "8461937";

/// Runs a program with the token's settings, which SoftHSM reads from the environment.
fn with_token(scratch: &Scratch, words: &[&str]) {
    let done = std::process::Command::new(words[0])
        .args(&words[1..])
        .env("SOFTHSM2_CONF", scratch.path().join("softhsm2.conf"))
        .output()
        .unwrap_or_else(|error| panic!("SoftHSM is missing ({error}): `deploy/desk setup --servers` installs it"));
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn a_node_signs_with_a_key_that_never_leaves_its_token() {
    let scratch = Scratch::new("token");
    std::fs::create_dir(scratch.path().join("tokens")).expect("a directory");
    let settings = format!("directories.tokendir = {}\n", scratch.path().join("tokens").display());
    std::fs::write(scratch.path().join("softhsm2.conf"), settings).expect("the settings of SoftHSM");
    let (key, pem) = SigningKey::generate("token-1", Algorithm::Ed25519).expect("randomness");
    let file = scratch.path().join("key.pem");
    std::fs::write(&file, pem).expect("the key");
    let make = ["softhsm2-util", "--init-token", "--free", "--label", "rabita", "--so-pin", "91827364", "--pin", PIN];
    with_token(&scratch, &make);
    let file = file.to_str().expect("a path of ASCII");
    let import = ["softhsm2-util", "--import", file, "--token", "rabita", "--label", "answers", "--id", "01", "--pin", PIN];
    with_token(&scratch, &import);
    std::fs::remove_file(file).expect("the key is in the token alone");

    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let pkcs11 = format!("{{ module: {MODULE}, token: rabita, key: answers, pin: {{ env: RABITA_TOKEN_PIN }} }}");
    country.node(&format!("signing: {{ keys: [{{ id: token-1, pkcs11: {pkcs11} }}] }}"));
    let conf = format!("SOFTHSM2_CONF={}", scratch.path().join("softhsm2.conf").display());
    let pin = format!("RABITA_TOKEN_PIN={PIN}");
    let directory = country.path().to_str().expect("a path of ASCII");
    let program = Program::run("env", &[&conf, &pin, env!("CARGO_BIN_EXE_rabita-under-test"), "serve", "--config", directory]);
    let portal = Caller::new(program.addresses().await[0], Some(&Authority::get().portal), Speaks::Either);

    let jwks = portal.get("/bus/keys").await.good().json();
    assert_eq!(jwks["keys"], json!([key.verifying().jwk()]));
    let path = "/api/people/v1/persons/5ZJBKH7";
    let mut answers = Vec::new();
    for answer in futures_util::future::join_all((0..20).map(|_| portal.get(path))).await {
        let answer = answer.good();
        let asked = json!({ "method": "GET", "url": format!("https://127.0.0.1{path}"), "headers": {} });
        answers.push(json!({ "request": asked, "answer": { "status": 200, "headers": told(&answer.headers) } }));
    }
    check(&json!({ "jwks": jwks, "answers": answers, "requests": [], "key": {} }));
}
