//! Tokens against keys in a file: what holds, what does not, and what is remembered.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use rabita_identity::{AccessToken, Algorithm, IssuerOptions, KeySource, Options, TokenError, Tokens};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

/// A key of an issuer.
struct Key {
    algorithm: jsonwebtoken::Algorithm,
    private: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(kid: &str, curve: &str) -> Self {
        let (of, algorithm) = match curve {
            "P-256" => (&ECDSA_P256_SHA256_FIXED_SIGNING, jsonwebtoken::Algorithm::ES256),
            _ => (&ECDSA_P384_SHA384_FIXED_SIGNING, jsonwebtoken::Algorithm::ES384),
        };
        let pair = EcdsaKeyPair::generate(of).expect("the machine has randomness");
        let der = pair.to_pkcs8v1().expect("a key can be written");
        let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
        let jwk = json!({ "kty": "EC", "crv": curve, "kid": kid, "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
        Self { algorithm, private: EncodingKey::from_ec_der(der.as_ref()), jwk }
    }

    /// A token with these claims in place of, or beside, the usual ones; `null` takes one away.
    fn token(&self, kid: Option<&str>, changes: &Value) -> String {
        let mut claims = json!({ "iss": ISSUER, "aud": "bus", "exp": NOW + 300, "iat": NOW, "jti": "1", "client_id": "portal" });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        let mut header = Header::new(self.algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, &claims, &self.private).expect("a token")
    }
}

fn publish(file: &Path, keys: &[&Key]) {
    let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
    let new = file.with_extension("new");
    std::fs::write(&new, json!({ "keys": keys }).to_string()).expect("a scratch directory can be written");
    std::fs::rename(&new, file).expect("a scratch directory can be written");
}

fn accepted(file: &Path) -> Tokens {
    let issuer = IssuerOptions {
        issuer: ISSUER.to_owned(),
        audience: "bus".to_owned(),
        keys: KeySource::File(file.to_owned()),
        algorithms: vec![Algorithm::Es256, Algorithm::Es384],
        leeway_s: 30,
        person_claim: Some("act.sub".to_owned()),
    };
    Tokens::open(Options { issuers: vec![issuer] }).expect("keys in a file")
}

struct Scene {
    tokens: Tokens,
    key: Key,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a scratch directory");
        let key = Key::new("one", "P-256");
        publish(&directory.path().join("jwks.json"), &[&key]);
        Self { tokens: accepted(&directory.path().join("jwks.json")), key, directory }
    }

    fn publish(&self, keys: &[&Key]) {
        publish(&self.directory.path().join("jwks.json"), keys);
    }

    async fn said(&self, changes: Value) -> Result<AccessToken, TokenError> {
        self.shown(&self.key.token(Some("one"), &changes), None).await
    }

    async fn shown(&self, token: &str, certificate: Option<&str>) -> Result<AccessToken, TokenError> {
        self.tokens.verify(token, certificate, NOW).await.map(|said| (*said).clone())
    }
}

fn issuer() -> String {
    ISSUER.to_owned()
}

#[tokio::test]
async fn a_token_that_holds_says_whose_it_is_and_for_whom() {
    let scene = Scene::new();
    let said = scene.said(json!({ "aud": ["other", "bus"], "act": { "sub": "official-7" } })).await.expect("it holds");
    assert_eq!((&*said.issuer, said.client_id.as_str(), said.person.as_deref()), (ISSUER, "portal", Some("official-7")));
    assert!(!said.is_bound);
    assert_eq!(said.sha256.len(), 64);
    assert_eq!(scene.said(json!({})).await.expect("it holds").person, None);
}

#[tokio::test]
async fn every_claim_that_is_missing_or_wrong_is_refused_in_its_own_words() {
    let scene = Scene::new();
    for name in ["iss", "aud", "exp", "iat", "jti", "client_id"] {
        assert_eq!(scene.said(json!({ name: null })).await, Err(TokenError::Claim(name)));
    }
    for (changes, error) in [
        (json!({ "iss": "https://id.example/" }), TokenError::Issuer),
        (json!({ "aud": "bus2" }), TokenError::Audience { issuer: issuer() }),
        (json!({ "aud": ["other"] }), TokenError::Audience { issuer: issuer() }),
        (json!({ "exp": NOW - 30 }), TokenError::Expired { issuer: issuer() }),
        (json!({ "exp": -9_223_372_036_854_775_808_i64 }), TokenError::Expired { issuer: issuer() }),
        (json!({ "nbf": NOW + 31 }), TokenError::Early { issuer: issuer() }),
        (json!({ "nbf": 1e300 }), TokenError::Early { issuer: issuer() }),
        (json!({ "iat": NOW + 31 }), TokenError::Early { issuer: issuer() }),
        (json!({ "exp": "1900000000" }), TokenError::Malformed),
        (json!({ "act": { "sub": 7 } }), TokenError::Person { issuer: issuer() }),
        (json!({ "act": { "sub": "" } }), TokenError::Person { issuer: issuer() }),
        (json!({ "client_id": "" }), TokenError::Claim("client_id")),
    ] {
        assert_eq!(scene.said(changes.clone()).await, Err(error), "{changes}");
    }
    for changes in [json!({ "exp": NOW - 29 }), json!({ "nbf": NOW + 30 }), json!({ "exp": 1_800_000_100.7 })] {
        assert!(scene.said(changes.clone()).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn a_remembered_token_is_refused_once_it_has_expired() {
    let scene = Scene::new();
    let token = scene.key.token(Some("one"), &json!({}));
    assert!(scene.tokens.verify(&token, None, NOW).await.is_ok());
    assert!(scene.tokens.verify(&token, None, NOW + 329).await.is_ok());
    assert_eq!(scene.tokens.verify(&token, None, NOW + 330).await, Err(TokenError::Expired { issuer: issuer() }));
    assert_eq!(scene.tokens.verify(&token, None, NOW - 31).await, Err(TokenError::Early { issuer: issuer() }));
}

#[tokio::test]
async fn a_bound_token_holds_with_its_certificate_and_no_other_remembered_or_not() {
    let scene = Scene::new();
    let (own, other) = ("ab".repeat(32), "cd".repeat(32));
    let bound = json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode([0xab; 32]) } });
    let token = scene.key.token(Some("one"), &bound);
    assert_eq!(scene.shown(&token, None).await, Err(TokenError::CertificateMissing { issuer: issuer() }));
    assert!(scene.shown(&token, Some(&own)).await.expect("it holds").is_bound);
    assert_eq!(scene.shown(&token, Some(&other)).await, Err(TokenError::CertificateOther { issuer: issuer() }));
    assert_eq!(scene.shown(&token, None).await, Err(TokenError::CertificateMissing { issuer: issuer() }));
    for confirmation in [
        json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
        json!({ "jkt": "x", "x5t#S256": URL_SAFE_NO_PAD.encode([0xab; 32]) }),
        json!({ "x5t#S256": "short" }),
        json!({}),
    ] {
        let token = scene.key.token(Some("one"), &json!({ "cnf": confirmation }));
        assert_eq!(scene.shown(&token, Some(&own)).await, Err(TokenError::Confirmation { issuer: issuer() }));
    }
}

#[tokio::test]
async fn a_key_verifies_the_algorithm_of_its_own_type_alone() {
    let scene = Scene::new();
    let mut other = Key::new("big", "P-384");
    // The issuer says ES256 of a key that cannot be it.
    other.jwk["alg"] = json!("ES256");
    let mut encrypting = Key::new("encrypting", "P-256");
    encrypting.jwk["use"] = json!("enc");
    let mut leaked = Key::new("leaked", "P-256");
    leaked.jwk["d"] = json!("AAAA");
    scene.publish(&[&scene.key, &other, &encrypting, &leaked]);
    let unknown = || Err(TokenError::KeyUnknown { issuer: issuer() });
    assert_eq!(scene.shown(&encrypting.token(Some("encrypting"), &json!({})), None).await, unknown());
    assert_eq!(scene.shown(&leaked.token(Some("leaked"), &json!({})), None).await, unknown());
    let unfit = Err(TokenError::KeyUnfit { issuer: issuer() });
    assert_eq!(scene.shown(&other.token(Some("big"), &json!({})), None).await, unfit);
    assert_eq!(scene.shown(&scene.key.token(Some("big"), &json!({})), None).await, unfit);
    assert_eq!(
        scene.shown(&encrypting.token(Some("one"), &json!({})), None).await,
        Err(TokenError::Signature { issuer: issuer() })
    );
}

#[tokio::test(start_paused = true)]
async fn keys_are_changed_without_a_gap_and_a_key_that_is_gone_takes_its_tokens_with_it() {
    let scene = Scene::new();
    let second = Key::new("two", "P-256");
    let old = scene.key.token(Some("one"), &json!({}));
    assert!(scene.shown(&old, None).await.is_ok());
    scene.publish(&[&scene.key, &second]);
    assert!(scene.shown(&second.token(Some("two"), &json!({})), None).await.is_ok(), "a new key is known at once");
    assert!(scene.shown(&old, None).await.is_ok(), "and the old one still");
    scene.publish(&[&second]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.shown(&old, None).await, Err(TokenError::KeyUnknown { issuer: issuer() }));
    assert!(scene.shown(&second.token(Some("two"), &json!({})), None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_broken_leaves_the_known_keys_in_use() {
    let scene = Scene::new();
    let file = scene.directory.path().join("jwks.json");
    for broken in ["{", r#"{ "keys": 1 }"#, &" ".repeat(300_000)] {
        std::fs::write(&file, broken).expect("a scratch directory can be written");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(scene.said(json!({})).await.is_ok());
    }
    std::fs::remove_file(&file).expect("a scratch directory can be written");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(scene.said(json!({})).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_key_id_is_of_any_key_of_the_issuer() {
    let scene = Scene::new();
    let second = Key::new("two", "P-256");
    let unnamed = |key: &Key| key.token(None, &json!({}));
    assert!(scene.shown(&unnamed(&scene.key), None).await.is_ok());
    assert_eq!(scene.shown(&unnamed(&second), None).await, Err(TokenError::KeyUnknown { issuer: issuer() }));
    scene.publish(&[&scene.key, &second]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(scene.shown(&unnamed(&second), None).await.is_ok());
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_never_quoted() {
    let scene = Scene::new();
    let good = scene.key.token(Some("one"), &json!({}));
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (_, payload) = message.split_once('.').expect("three parts");
    let with_header = |header: Value| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let long = "a".repeat(8_193);
    let cases = [
        (String::new(), TokenError::Malformed),
        ("secret.part".to_owned(), TokenError::Malformed),
        (format!("{good}.secret"), TokenError::Malformed),
        (format!("{message}."), TokenError::Signature { issuer: issuer() }),
        (long, TokenError::TooLong),
        (with_header(json!({ "alg": "ES256", "kid": "one" })), TokenError::Type),
        (with_header(json!({ "alg": "ES256", "typ": "JWT" })), TokenError::Type),
        (with_header(json!({ "alg": "ES256", "typ": "at+jwt", "crit": ["b64"], "b64": false })), TokenError::Critical),
        (with_header(json!({ "alg": "none", "typ": "at+jwt" })), TokenError::Algorithm { issuer: issuer() }),
        (with_header(json!({ "alg": "HS256", "typ": "at+jwt" })), TokenError::Algorithm { issuer: issuer() }),
        (with_header(json!({ "alg": "EdDSA", "typ": "at+jwt" })), TokenError::Algorithm { issuer: issuer() }),
        (
            with_header(json!({ "alg": "ES256", "typ": "application/AT+JWT", "kid": "one" })),
            TokenError::Signature { issuer: issuer() },
        ),
    ];
    for (token, error) in cases {
        let refused = scene.shown(&token, None).await.expect_err("no token");
        assert_eq!(refused, error, "{token}");
        assert!(!refused.to_string().contains("secret"));
    }
}
