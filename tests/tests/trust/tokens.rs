//! Access tokens that must not be taken.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use futures_util::future::join_all;
use rabita_tests::bus::{Answer, Authority, Caller, Country, GRANT_ALL, Identity, Mood, Program, Speaks, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, ISSUER, Scene, SigningKey, country, encoded, set};
use crate::people::{ALL, People};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const PATIENCE: Duration = Duration::from_secs(20);

async fn show(caller: &Caller, token: &str) -> Answer {
    caller.sent(caller.request(Method::GET, AYGUN).bearer_auth(token)).await
}

/// The SHA-256 of a certificate as `x5t#S256` has it.
fn thumbprint(identity: &Identity) -> String {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
    encoded(digest(&SHA256, &der).as_ref())
}

fn bound_to(identity: &Identity) -> Value {
    json!({ "cnf": { "x5t#S256": thumbprint(identity) } })
}

#[tokio::test]
async fn a_system_is_known_by_a_token_of_an_issuer_and_by_nothing_less() {
    for key in [SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e")] {
        let scene = Scene::with(key, "").await;
        let nobody = scene.nobody();
        let _ = show(&nobody, &scene.key.good()).await.good();
        let _ = nobody.get(AYGUN).await.refused(401, "unauthenticated");
        let lower_case = nobody.request(Method::GET, AYGUN).header("authorization", format!("bearer  {}", scene.key.good()));
        let _ = nobody.sent(lower_case).await.good();
        let stranger = scene.key.token(&json!({}), &json!({ "client_id": "stranger" }));
        let _ = show(&nobody, &stranger).await.refused(401, "token_invalid");
    }
}

#[tokio::test]
async fn a_token_with_anything_wrong_about_it_is_refused_in_one_way() {
    let scene = Scene::start().await;
    let (key, nobody, now) = (&scene.key, scene.nobody(), jiff::Timestamp::now().as_second());
    let none = json!({});
    let with_claims = |claims: Value| key.token(&none, &claims);
    let with_header = |header: Value| key.token(&header, &none);
    let good = key.good();
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let of_another = SigningKey::p256(&key.kid).good();
    let cases = [
        ("no algorithm, no signature", key.token_signed(&json!({ "alg": "none" }), &none, |_| Vec::new())),
        ("no algorithm", with_header(json!({ "alg": "none" }))),
        ("no algorithm, shouted", key.token_signed(&json!({ "alg": "NONE" }), &none, |_| Vec::new())),
        ("an empty signature", format!("{message}.")),
        ("no signature", message.to_owned()),
        ("a signature of zeros", format!("{message}.{}", encoded(&[0; 64]))),
        ("another's signature", of_another),
        ("the signature of another token", format!("{}.{signature}", key.good().rsplit_once('.').expect("three parts").0)),
        ("another audience", with_claims(json!({ "aud": "https://other.example" }))),
        ("no audience", with_claims(json!({ "aud": null }))),
        ("audiences, ours not among them", with_claims(json!({ "aud": ["https://other.example"] }))),
        ("an audience that begins as ours", with_claims(json!({ "aud": format!("{AUDIENCE}/") }))),
        ("another issuer", with_claims(json!({ "iss": "https://other.example" }))),
        ("no issuer", with_claims(json!({ "iss": null }))),
        ("expired", with_claims(json!({ "exp": now - 60 }))),
        ("for ever", with_claims(json!({ "exp": null }))),
        ("not yet", with_claims(json!({ "nbf": now + 120 }))),
        ("issued in the future", with_claims(json!({ "iat": now + 120 }))),
        ("an identity token", with_header(json!({ "typ": "JWT" }))),
        ("of no type", with_header(json!({ "typ": null }))),
        ("a critical extension", with_header(json!({ "crit": ["exp"], "exp": 1 }))),
        ("an unencoded payload", with_header(json!({ "crit": ["b64"], "b64": false }))),
        ("bound to a key of DPoP", with_claims(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }))),
        ("a claim twice", duplicated(key, now)),
        ("five parts", format!("{good}.x.y")),
        ("no token", String::new()),
        ("dots", "..".to_owned()),
        ("a client that is no text", with_claims(json!({ "client_id": ["service"] }))),
    ];
    for (what, token) in cases {
        let answer = show(&nobody, &token).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"), "{what}: {}", answer.text());
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"rabita\", error=\"invalid_token\"", "{what}");
        let parts = token.split('.').filter(|part| part.len() > 10);
        assert!(parts.into_iter().all(|part| !answer.text().contains(part)), "{what}: the token is quoted");
    }
    assert_eq!(scene.upstream.calls(), 0);
    let _ = show(&nobody, &good).await.good();
}

/// A token of this key with the claim `client_id` twice: whoever reads the first, and whoever reads the last, would see
/// another system.
fn duplicated(key: &SigningKey, now: i64) -> String {
    let one = format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{},"iat":{now},"jti":"1","client_id":"service""#, now + 60);
    key.token_of(&format!("{one},\"client_id\":\"service\"}}"))
}

#[tokio::test]
async fn an_rsa_key_is_no_shared_secret_and_verifies_nothing_but_what_is_accepted_of_it() {
    let scene = Scene::with(SigningKey::rsa("first"), ", algorithms: [RS256, ES256]").await;
    let (nobody, none) = (scene.nobody(), json!({}));
    for (algorithm, of) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        for secret in scene.key.as_secrets() {
            let sign = |message: &[u8]| hmac::sign(&hmac::Key::new(of, &secret), message).as_ref().to_vec();
            for header in [json!({ "alg": algorithm }), json!({ "alg": algorithm, "kid": null })] {
                let _ = show(&nobody, &scene.key.token_signed(&header, &none, sign)).await.refused(401, "token_invalid");
            }
        }
    }
    for algorithm in ["PS256", "RS512", "ES256", "rs256", "RS256 "] {
        let _ = show(&nobody, &scene.key.token(&json!({ "alg": algorithm }), &none)).await.refused(401, "token_invalid");
    }
    let _ = show(&nobody, &scene.key.good()).await.good();
}

#[tokio::test]
async fn a_token_brings_no_key_and_names_no_place_of_keys() {
    let scene = Scene::start().await;
    let attacker = SigningKey::p256("attackers");
    let attackers = Upstream::with(Vec::new()).await;
    attackers.is(Mood::json(set(&[&attacker])));
    let place = format!("{}/jwks", attackers.url());
    for kid in ["attackers", "first"] {
        let header =
            json!({ "kid": kid, "jku": place, "x5u": place, "jwk": attacker.jwk(), "x5c": ["MIIBszCCAVmgAwIBAgIUAbc="] });
        let _ = show(&scene.nobody(), &attacker.token(&header, &json!({}))).await.refused(401, "token_invalid");
        // With such a header the issuer's own token is as good as without.
        let _ = show(&scene.nobody(), &scene.key.token(&json!({ "jku": place, "jwk": attacker.jwk() }), &json!({}))).await.good();
    }
    let elsewhere = json!({ "iss": attackers.url() });
    let _ = show(&scene.nobody(), &attacker.token(&json!({}), &elsewhere)).await.refused(401, "token_invalid");
    for kid in ["../../etc/passwd", "' or 1=1 --", "\u{0}", ""] {
        let _ = show(&scene.nobody(), &attacker.token(&json!({ "kid": kid }), &json!({}))).await.refused(401, "token_invalid");
    }
    assert_eq!(attackers.calls(), 0, "nobody is asked whom a token names");
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_without_its_certificate() {
    let scene = Scene::start().await;
    let (portal, mobile) = (&Authority::get().portal, &Authority::get().mobile);
    scene_system(&scene.country, "portal.systems.example");
    assert!(scene.bus.stop().await);
    let bus = scene.country.start().await;
    let token = scene.key.token(&json!({}), &bound_to(portal));
    let with = |identity| Caller::new(bus.optional, identity, Speaks::Either);
    let _ = show(&with(None), &token).await.refused(401, "token_invalid");
    let _ = show(&with(Some(mobile)), &token).await.refused(401, "token_invalid");
    let _ = show(&with(Some(portal)), &token).await.good();
    // Now it is remembered, and still worth nothing.
    let _ = show(&with(Some(mobile)), &token).await.refused(401, "token_invalid");
    let _ = show(&with(None), &token).await.refused(401, "token_invalid");
    let broken = scene.key.token(&json!({}), &json!({ "cnf": { "x5t#S256": "" } }));
    let _ = show(&with(Some(portal)), &broken).await.refused(401, "token_invalid");
}

/// The system `service` is known by its tokens, and by a certificate with this DNS name, which is nobody else's.
fn scene_system(country: &Country, dns: &str) {
    std::fs::remove_file(country.path().join("systems/portal.yaml")).expect("a file");
    let tokens = format!("tokens: [{{ issuer: \"{ISSUER}\", client_id: service }}]");
    let certificates = format!("certificates: [{{ dns: {dns} }}]");
    country.file("systems/service.yaml", &format!("system: service\nagency: asan\n{tokens}\n{certificates}\n"));
    country.grants("people", &[&GRANT_ALL.replace("portal", "service")]);
}

#[tokio::test]
async fn a_grant_that_demands_a_bound_token_is_not_held_by_an_unbound_one_or_by_a_certificate_alone() {
    let scene = Scene::start().await;
    let portal = &Authority::get().portal;
    scene_system(&scene.country, "portal.systems.example");
    let grant = GRANT_ALL.replace("portal", "service").replace(" }", ", binding: required }");
    scene.country.grants("people", &[&grant]);
    assert!(scene.bus.stop().await);
    let bus = scene.country.start().await;
    let with = |identity| Caller::new(bus.optional, identity, Speaks::Either);
    let _ = show(&with(None), &scene.key.good()).await.refused(403, "binding_missing");
    let _ = show(&with(Some(portal)), &scene.key.good()).await.refused(403, "binding_missing");
    let _ = with(Some(portal)).get(AYGUN).await.refused(403, "binding_missing");
    let _ = show(&with(Some(portal)), &scene.key.token(&json!({}), &bound_to(portal))).await.good();
}

#[tokio::test]
async fn a_token_of_one_system_over_the_certificate_of_another_is_refused() {
    let scene = Scene::start().await;
    let portal = Caller::new(scene.bus.optional, Some(&Authority::get().portal), Speaks::Either);
    let _ = portal.get(AYGUN).await.good();
    let _ = show(&portal, &scene.key.good()).await.refused(401, "token_invalid");
    let _ = show(&portal, "no.token.this").await.refused(401, "token_invalid");
}

#[tokio::test]
async fn a_new_key_is_known_at_once_and_with_the_old_one_go_its_tokens() {
    let scene = Scene::start().await;
    let nobody = scene.nobody();
    let old = scene.key.good();
    let _ = show(&nobody, &old).await.good();
    let new = SigningKey::rsa("second");
    scene.publish(&[&new]);
    let _ = show(&nobody, &new.good()).await.good();
    let _ = show(&nobody, &old).await.refused(401, "token_invalid");
    let _ = show(&nobody, &scene.key.good()).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn a_storm_of_unknown_keys_has_the_issuer_asked_once() {
    let scene = Scene::start().await;
    let nobody = scene.nobody();
    let _ = show(&nobody, &scene.key.good()).await.good();
    let before = scene.issuer.calls();
    let tokens: Vec<String> = (0..60).map(|n| scene.key.token(&json!({ "kid": format!("k{n}") }), &json!({}))).collect();
    for answer in join_all(tokens.iter().map(|token| show(&nobody, token))).await {
        let _ = answer.refused(401, "token_invalid");
    }
    assert_eq!(scene.issuer.calls() - before, 1);
    let _ = show(&nobody, &scene.key.good()).await.good();
}

#[tokio::test]
async fn an_issuer_that_fails_or_answers_nonsense_leaves_the_known_keys_in_use() {
    let huge = format!("{{ \"keys\": [], \"padding\": \"{}\" }}", "x".repeat(300_000));
    let moods = [
        Mood::status(500),
        Mood::json("{"),
        Mood::json(huge),
        Mood::breaks_off(),
        Mood::Says { status: 302, headers: vec![("location", "http://127.0.0.1:9/jwks")], body: Vec::new().into() },
    ];
    for mood in moods {
        let scene = Scene::start().await;
        let nobody = scene.nobody();
        let _ = show(&nobody, &scene.key.good()).await.good();
        scene.issuer.is(mood);
        let before = scene.issuer.calls();
        let unknown = SigningKey::p256("unknown");
        let _ = show(&nobody, &unknown.good()).await.refused(401, "token_invalid");
        assert_eq!(scene.issuer.calls() - before, 1);
        let _ = show(&nobody, &scene.key.good()).await.good();
    }
}

#[tokio::test]
async fn a_bus_starts_without_its_issuer_and_takes_tokens_when_it_is_there() {
    let scene = Scene::start().await;
    scene.issuer.is(Mood::status(503));
    assert!(scene.bus.stop().await);
    let bus = scene.country.start().await;
    let nobody = Caller::new(bus.optional, None, Speaks::Either);
    let _ = show(&nobody, &scene.key.good()).await.refused(401, "token_invalid");
    scene.issuer.is(Mood::json(set(&[&scene.key])));
    eventually("tokens are taken", PATIENCE, async || show(&nobody, &scene.key.good()).await.status == 200).await;
}

#[tokio::test]
async fn keys_in_a_file_are_changed_under_a_running_bus() {
    let upstream = Upstream::start().await;
    let (first, second) = (SigningKey::ed25519("first"), SigningKey::ed25519("second"));
    let country = country(&upstream, "{ file: jwks.json }", "");
    country.file("jwks.json", &set(&[&first]));
    let bus = country.start().await;
    let nobody = Caller::new(bus.optional, None, Speaks::Either);
    let old = first.good();
    let _ = show(&nobody, &old).await.good();
    country.file("jwks.json", &set(&[&second]));
    let _ = show(&nobody, &second.good()).await.good();
    let _ = show(&nobody, &old).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn a_token_that_is_too_large_is_refused_and_not_read() {
    let scene = Scene::start().await;
    let _ = show(&scene.nobody(), &"a".repeat(9_000)).await.refused(401, "token_invalid");
    let padded = scene.key.token(&json!({}), &json!({ "padding": "x".repeat(7_000) }));
    let _ = show(&scene.nobody(), &padded).await.refused(401, "token_invalid");
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let nobody = Caller::new(scene.bus.optional, None, speaks);
        let huge = nobody.request(Method::GET, AYGUN).bearer_auth("a".repeat(1_000_000));
        match Caller::try_sent(huge).await {
            Ok(answer) => assert!(matches!(answer.status, 400 | 401 | 431), "{}", answer.status),
            Err(error) => assert!(!error.is_timeout(), "{error:?}"),
        }
    }
    let _ = show(&scene.nobody(), &scene.key.good()).await.good();
    assert_eq!(scene.upstream.calls(), 1);
}

#[tokio::test]
async fn a_token_counts_once_and_in_the_header_alone() {
    let scene = Scene::start().await;
    let nobody = scene.nobody();
    let good = scene.key.good();
    let header = format!("Bearer {good}");
    for other in [header.as_str(), "Bearer x", "Basic cG9ydGFsOng="] {
        for (first, second) in [(header.as_str(), other), (other, header.as_str())] {
            let twice = nobody.request(Method::GET, AYGUN).header("authorization", first).header("authorization", second);
            let _ = nobody.sent(twice).await.refused(400, "malformed_request");
        }
    }
    let _ = nobody.get(&format!("{AYGUN}?access_token={good}")).await.refused(401, "unauthenticated");
    let in_body = nobody.request(Method::POST, "/api/people/v1/persons/query").form(&[("access_token", good.as_str())]);
    let _ = nobody.sent(in_body).await.refused(401, "unauthenticated");
    for (name, value) in
        [("cookie", format!("access_token={good}")), ("x-authorization", header.clone()), ("proxy-authorization", header.clone())]
    {
        let _ = nobody.sent(nobody.request(Method::GET, AYGUN).header(name, value)).await.refused(401, "unauthenticated");
    }
    for other in ["Basic cG9ydGFsOng=".to_owned(), format!("DPoP {good}"), good.clone(), format!("Bearer{good}")] {
        let request = nobody.request(Method::GET, AYGUN).header("authorization", other);
        let _ = nobody.sent(request).await.refused(401, "unauthenticated");
    }
    for wrong in [format!("Bearer {good} "), format!("Bearer {good},{good}"), format!("Bearer \"{good}\""), "Bearer".to_owned()] {
        let answer = nobody.sent(nobody.request(Method::GET, AYGUN).header("authorization", wrong.clone())).await;
        // White space at the end of a header does not belong to its value.
        assert!(answer.status == 401 || wrong.ends_with(' '), "{wrong}: {}", answer.status);
    }
}

#[tokio::test]
async fn the_person_whom_a_token_names_is_no_other_whatever_the_header_says() {
    let scene = Scene::with(SigningKey::p256("first"), ", person_claim: act.sub").await;
    let nobody = scene.nobody();
    let named = scene.key.token(&json!({}), &json!({ "act": { "sub": "official-7" } }));
    let on_behalf =
        async |user: &str| nobody.sent(nobody.request(Method::GET, AYGUN).bearer_auth(&named).header("rabita-user", user)).await;
    let _ = show(&nobody, &named).await.good();
    let _ = on_behalf("official-7").await.good();
    let _ = on_behalf("official-8").await.refused(422, "invalid_request");
    for person in [json!(7), json!(""), json!(["official-7"]), json!("x".repeat(300))] {
        let token = scene.key.token(&json!({}), &json!({ "act": { "sub": person } }));
        let _ = show(&nobody, &token).await.refused(401, "token_invalid");
    }
}

#[tokio::test]
async fn a_stream_that_was_opened_with_a_token_ends_with_it() {
    let (upstream, key) = (Upstream::start().await, SigningKey::p256("first"));
    let country = country(&upstream, "{ file: jwks.json }", ", leeway_s: 0");
    country.file("jwks.json", &set(&[&key]));
    let _people = People::settle(&country, &[&ALL.replace("portal", "service")]).await;
    let bus = country.start().await;
    let nobody = Caller::new(bus.optional, None, Speaks::Either);
    let over = jiff::Timestamp::now().as_second() + 2;
    let brief = key.token(&json!({}), &json!({ "exp": over }));
    let _ = nobody.sent(nobody.request(Method::GET, "/bus/events").bearer_auth(&brief)).await.good();
    let ended = jiff::Timestamp::now().as_second();
    assert!((over..=over + 5).contains(&ended), "the token was over at {over}, the stream at {ended}");
}

#[tokio::test]
async fn the_log_says_what_is_wrong_with_a_token_and_holds_no_token() {
    let upstream = Upstream::start().await;
    let key = SigningKey::p256("first");
    let country = country(&upstream, "{ file: jwks.json }", ", person_claim: act.sub");
    country.file("jwks.json", &set(&[&key]));
    let text = std::fs::read_to_string(country.path().join("rabita.yaml")).expect("a file");
    country.file("rabita.yaml", &format!("{text}telemetry: {{ log: json, log_filter: debug }}\n"));
    let program = Program::serve(env!("CARGO_BIN_EXE_rabita-under-test"), country.path());
    let addresses = program.addresses().await;
    let nobody = Caller::new(addresses[1], None, Speaks::Either);
    let good = key.token(&json!({}), &json!({ "act": { "sub": "official-leyla" } }));
    let expired = key.token(&json!({}), &json!({ "exp": 1_700_000_000, "act": { "sub": "official-leyla" } }));
    let _ = show(&nobody, &good).await.good();
    let _ = show(&nobody, &expired).await.refused(401, "token_invalid");
    program.terminate().await;
    let (_, said) = program.ended().await;
    assert!(said.contains("has expired"), "{said}");
    for part in [good.as_str(), expired.as_str()].iter().flat_map(|token| token.split('.')).chain(["official-leyla"]) {
        assert!(!said.contains(part), "{part} is in the log");
    }
}
