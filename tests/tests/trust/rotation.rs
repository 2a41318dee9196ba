//! Keys that sign are changed on a running bus without a gap: those of the bus, and those of a system.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use rabita_contract::signature::{content_digest, signed_request};
use rabita_keys::{Algorithm, SigningKey};
use rabita_tests::bus::{Answer, Bus, Caller, Country, GRANT_ALL, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::people::LONG;
use super::signatures::{check, now, told};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const QUERY: &str = "/api/people/v1/persons/query";
const BODY: &str = r#"{"key": "5ZJBKH7"}"#;

fn keys(country: &Country, ids: &[&str]) {
    let keys: Vec<String> = ids.iter().map(|id| format!("{{ id: {id}, file: keys/{id}.pem }}")).collect();
    country.node(&format!("signing: {{ keys: [{}] }}", keys.join(", ")));
}

/// The key that an answer says it is signed with.
fn key_id(answer: &Answer) -> String {
    let input = answer.header("signature-input");
    let rest = input.split_once(";keyid=\"").unwrap_or_else(|| panic!("it is not signed: {input}")).1;
    rest.split_once('"').expect(input).0.to_owned()
}

async fn published(caller: &Caller) -> Vec<Value> {
    caller.get("/bus/keys").await.good().json()["keys"].as_array().cloned().expect("keys")
}

fn has(keys: &[Value], id: &str) -> bool {
    keys.iter().any(|key| key["kid"] == id)
}

/// What a caller met.
#[derive(Default)]
struct Met {
    /// What it was answered, each with its request, and by which key that was signed.
    answers: Vec<Value>,
    signers: Vec<String>,
    /// All keys that it ever held.
    keys: Vec<Value>,
}

/// What a careful caller does: it holds the keys that were published, and asks again when it meets one that it does not know.
async fn reads(caller: Caller, stop: watch::Receiver<bool>) -> Met {
    let (mut known, mut met) = (published(&caller).await, Met::default());
    while !*stop.borrow() {
        let answer = caller.get(AYGUN).await.good();
        let id = key_id(&answer);
        if !has(&known, &id) {
            met.keys.append(&mut known);
            known = published(&caller).await;
        }
        assert!(has(&known, &id), "the bus signs with `{id}`, and publishes {known:?}");
        let asked = json!({ "method": "GET", "url": format!("https://127.0.0.1{AYGUN}"), "headers": {} });
        met.answers.push(json!({ "request": asked, "answer": { "status": 200, "headers": told(&answer.headers) } }));
        met.signers.push(id);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    met.keys.append(&mut known);
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_buss_key_is_changed_and_no_answer_is_without_a_signature_that_holds() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    for (id, algorithm) in [("old", Algorithm::Ed25519), ("new", Algorithm::EcdsaP256)] {
        country.file(&format!("keys/{id}.pem"), &SigningKey::generate(id, algorithm).expect("randomness").1);
    }
    keys(&country, &["old"]);
    let bus = country.start().await;
    let portal = bus.portal();
    let (stop, stops) = watch::channel(false);
    let reading = tokio::spawn(reads(bus.portal(), stops));
    // First it is published, then it signs, then the old one goes.
    for (ids, signs) in [(&["old", "new"][..], "old"), (&["new", "old"], "new"), (&["new"], "new")] {
        keys(&country, ids);
        let is_so = async || {
            let keys = published(&portal).await;
            keys.len() == ids.len() && keys[0]["kid"] == ids[0] && key_id(&portal.get(AYGUN).await.good()) == signs
        };
        eventually("the keys are those of the file", LONG, is_so).await;
    }
    stop.send_replace(true);
    let met = reading.await.expect("each answer held");
    let by = |id: &str| met.signers.iter().filter(|signer| *signer == id).count();
    assert!(by("old") > 0 && by("new") > 0, "{} by the old one, {} by the new one", by("old"), by("new"));
    let mut jwks: Vec<Value> = Vec::new();
    for key in met.keys {
        if !jwks.contains(&key) {
            jwks.push(key);
        }
    }
    check(&json!({ "jwks": { "keys": jwks }, "answers": met.answers, "requests": [], "key": {} }));
    assert!(bus.stop().await);
}

/// A query that a key signs.
async fn signed(bus: &Bus, key: &SigningKey, case: &str) -> Answer {
    let digest: [u8; 32] = digest(&SHA256, BODY.as_bytes()).as_ref().try_into().expect("32 bytes");
    let digest = content_digest(&digest).to_str().expect("ASCII").to_owned();
    let covered = r#""@method" "@authority" "@path" "@query" "content-digest" "rabita-case""#;
    let input = format!("sig=({covered});created={};keyid=\"{}\"", now(), key.id());
    let mut headers = vec![("rabita-case", case.to_owned()), ("content-digest", digest), ("signature-input", input)];
    let url = format!("https://127.0.0.1:{}{QUERY}", bus.required.port());
    let draft = headers.iter().fold(Request::post(url), |draft, (name, value)| draft.header(*name, value));
    let (draft, ()) = draft.header("signature", "sig=:AAAA:").body(()).expect("a request").into_parts();
    let base = signed_request(&draft, true).expect("all is covered").expect("it is signed").base;
    headers.push(("signature", format!("sig=:{}:", STANDARD.encode(key.sign(&base).expect("a signature")))));
    let portal = bus.portal();
    let request = portal.request(Method::POST, QUERY).header("content-type", "application/json").body(BODY);
    portal.sent(headers.iter().fold(request, |request, (name, value)| request.header(*name, value))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_changes_the_key_with_which_it_signs_by_having_both_for_a_while() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let (old, _) = SigningKey::generate("old", Algorithm::Ed25519).expect("randomness");
    let (new, _) = SigningKey::generate("new", Algorithm::EcdsaP256).expect("randomness");
    for key in [&old, &new] {
        country.file(&format!("keys/{}.pem", key.id()), &key.verifying().pem());
    }
    let plain = std::fs::read_to_string(country.path().join("systems/portal.yaml")).expect("the portal");
    let has = |ids: &[&str]| {
        let keys: Vec<String> = ids.iter().map(|id| format!("{{ id: {id}, file: keys/{id}.pem }}")).collect();
        country.file("systems/portal.yaml", &format!("{plain}keys: [{}]\n", keys.join(", ")));
    };
    let grant = GRANT_ALL.strip_suffix('}').expect("a grant in braces");
    country.grants("people", &[&format!("{grant}, signature: required }}")]);
    has(&["old"]);
    let bus = country.start().await;
    let mut number = 0;
    let mut case = || {
        number += 1;
        format!("case-{number}")
    };
    let _ = signed(&bus, &old, &case()).await.good();
    let _ = signed(&bus, &new, &case()).await.refused(401, "signature_invalid");
    has(&["old", "new"]);
    let is_known = async || signed(&bus, &new, &case()).await.status == 200;
    eventually("the new key is known", LONG, is_known).await;
    let _ = signed(&bus, &old, &case()).await.good();
    has(&["new"]);
    let is_gone = async || signed(&bus, &old, &case()).await.code() == "signature_invalid";
    eventually("the old key is gone", LONG, is_gone).await;
    let _ = signed(&bus, &new, &case()).await.good();
    assert!(bus.stop().await);
}
