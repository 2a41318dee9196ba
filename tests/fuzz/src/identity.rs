//! What callers are known by: certificates and access tokens.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rabita_identity::{Algorithm, IssuerOptions, KeySource, Options, Tokens};
use rabita_keys::SigningKey;
use rabita_server::node::evidence;
use rustls_pki_types::CertificateDer;
use serde_json::json;
use tokio::runtime::Runtime;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://bus.example";
const NOW: i64 = 1_700_000_000;

/// One issuer whose key is known, so that what stands behind a signature is tried as well.
struct Scene {
    runtime: Runtime,
    tokens: Tokens,
    key: SigningKey,
    directory: tempfile::TempDir,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let (key, _) = SigningKey::generate("k", rabita_keys::Algorithm::Ed25519).expect("randomness");
    let file = directory.path().join("keys.json");
    std::fs::write(&file, json!({ "keys": [key.verifying().jwk()] }).to_string()).expect("a file");
    let guard = runtime.enter();
    let tokens = Tokens::open(options(&file)).expect("the keys can be used");
    drop(guard);
    Scene { runtime, tokens, key, directory }
});

fn options(file: &Path) -> Options {
    let issuer = IssuerOptions {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys: KeySource::File(file.to_owned()),
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256],
        leeway_s: 5,
        person_claim: Some("act.sub".to_owned()),
    };
    Options { issuers: vec![issuer] }
}

/// Reads a client certificate.
pub fn certificate(data: &[u8]) {
    let der = CertificateDer::from(data);
    let said = evidence::of(&der);
    assert_eq!(said.sha256.len(), 64);
    let _ = evidence::until(&[der]);
}

/// Verifies a token, which nobody could have signed.
pub fn token(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let scene = &*SCENE;
    let verified = scene.runtime.block_on(scene.tokens.verify(token, None, NOW));
    assert!(verified.is_err(), "a token that its issuer did not sign was taken: {token}");
}

/// Verifies a token with these claims, which its issuer has signed.
pub fn claims(data: &[u8]) {
    let scene = &*SCENE;
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k" }).to_string();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(data));
    let signature = scene.key.sign(message.as_bytes()).expect("an Ed25519 key signs");
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    if let Ok(taken) = scene.runtime.block_on(scene.tokens.verify(&token, None, NOW)) {
        let claims: serde_json::Value = serde_json::from_slice(data).expect("a token that was taken has claims");
        assert_eq!((claims["iss"].as_str(), claims["client_id"].as_str()), (Some(ISSUER), Some(&*taken.client_id)));
        assert!(!taken.is_bound, "no certificate was shown");
    }
}

/// Reads an issuer's keys.
pub fn key_set(data: &[u8]) {
    let scene = &*SCENE;
    let file = scene.directory.path().join("tried.json");
    std::fs::write(&file, data).expect("a file");
    let _guard = scene.runtime.enter();
    let _ = Tokens::open(options(&file));
}
