//! Requests as systems sign them, and answers as they verify them, with the keys of a configuration.

use http::Request;
use rabita_config::system::System;
use rabita_contract::signature::content_digest;
use rabita_keys::{Algorithm, SigningKey, VerifyingKey};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::machine::MachineSecrets;

const NOW: i64 = 1_795_481_279;
const COVERED: &str = r#""@method" "@authority" "@path" "@query" "content-digest" "rabita-purpose""#;
const BODY: &[u8] = br#"{"key": "10-RA-777"}"#;

/// The keys of both sides, and the files that they are in.
struct Sides {
    directory: TempDir,
    node: SigningKey,
    portal: SigningKey,
}

impl Sides {
    fn new(algorithm: Algorithm) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).expect("a file");
        let (node, node_pem) = SigningKey::generate("bus-1", algorithm).expect("randomness");
        let (_, next_pem) = SigningKey::generate("bus-2", algorithm).expect("randomness");
        let (portal, _) = SigningKey::generate("portal-1", algorithm).expect("randomness");
        write("bus-1.pem", &node_pem);
        write("bus-2.pem", &next_pem);
        write("portal.pem", &portal.verifying().pem());
        Self { directory, node, portal }
    }

    fn prepare(&self, signing: Value) -> Result<PreparedSignatures, SigningError> {
        let signing = serde_json::from_value(signing).expect("`signing` of a configuration");
        let systems = json!([
            { "system": "portal", "agency": "asan", "keys": [{ "id": "portal-1", "file": "portal.pem" }] },
            { "system": "other", "agency": "asan" },
        ]);
        let systems: Vec<System> = serde_json::from_value(systems).expect("systems of a configuration");
        let directory = self.directory.path();
        Keys::open(directory, &signing, &systems, &MachineSecrets::new(directory)).map(PreparedSignatures)
    }

    fn open(&self) -> Signatures {
        let keys = json!([{ "id": "bus-1", "file": "bus-1.pem" }, { "id": "bus-2", "file": "bus-2.pem" }]);
        Signatures::of(self.prepare(json!({ "keys": keys })).expect("keys that can be used"), NOW)
    }

    /// A request that the portal signed, with `parameters` after the time.
    fn signed(&self, created: i64, parameters: &str) -> Parts {
        signed_by(&self.portal, created, &format!(";keyid=\"portal-1\"{parameters}"))
    }
}

fn system(id: &str) -> SystemId {
    SystemId::new(id).expect("a name")
}

fn sha256(body: &[u8]) -> [u8; 32] {
    digest(&SHA256, body).as_ref().try_into().expect("32 bytes")
}

fn signed_by(key: &SigningKey, created: i64, parameters: &str) -> Parts {
    let input = format!("sig=({COVERED});created={created}{parameters}");
    let mut head = Request::post("https://bus.example/api/vehicles/v1/vehicles/query")
        .header("rabita-purpose", "vehicle-transfer")
        .header("content-digest", content_digest(&sha256(BODY)))
        .header("signature-input", input)
        .header("signature", "sig=:AAAA:")
        .body(())
        .expect("a request")
        .into_parts()
        .0;
    let draft = signed_request(&head, true).expect("it can be read").expect("it is signed");
    let signature = BASE64.encode(key.sign(&draft.base).expect("a signature"));
    head.headers.insert("signature", format!("sig=:{signature}:").parse().expect("a value"));
    head
}

fn code(result: Result<Option<RequestSignature>, Refusal>) -> (Code, &'static str) {
    let refusal = result.expect_err("a refusal");
    (refusal.code, refusal.faults.first().map_or("", |fault| fault.code))
}

#[test]
fn a_request_that_its_system_signed_is_taken_once() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let sides = Sides::new(algorithm);
        let (signatures, head) = (sides.open(), sides.signed(NOW, &format!(";alg=\"{algorithm}\"")));
        let told = signatures.verify(&head, BODY, &system("portal"), NOW + 1).expect("a signature that holds").expect("signed");
        assert_eq!(told.key, "portal-1");
        assert!(told.input.starts_with("(\"@method\" ") && !told.signature.is_empty());
        let again = signatures.verify(&head, BODY, &system("portal"), NOW + 1);
        assert_eq!(code(again), (Code::SignatureInvalid, "replayed"));
        // The same once more is another request when its nonce is.
        let other = sides.signed(NOW, ";nonce=\"2\"");
        assert!(signatures.verify(&other, BODY, &system("portal"), NOW + 1).is_ok());
    }
}

#[test]
fn the_label_and_the_second_signature_of_ecdsa_make_no_new_request() {
    let sides = Sides::new(Algorithm::EcdsaP256);
    let (signatures, head) = (sides.open(), sides.signed(NOW, ""));
    assert!(signatures.verify(&head, BODY, &system("portal"), NOW).is_ok());
    // ECDSA is randomised: a second signature of the same text is another one, and so would be a forged twin.
    let twin = sides.signed(NOW, "");
    assert_ne!(twin.headers["signature"], head.headers["signature"]);
    assert_eq!(code(signatures.verify(&twin, BODY, &system("portal"), NOW)), (Code::SignatureInvalid, "replayed"));
    let mut renamed = head;
    for name in ["signature", "signature-input"] {
        let value = renamed.headers[name].to_str().expect("ASCII").replacen("sig=", "other=", 1);
        renamed.headers.insert(name, value.parse().expect("a value"));
    }
    assert_eq!(code(signatures.verify(&renamed, BODY, &system("portal"), NOW)), (Code::SignatureInvalid, "replayed"));
}

#[test]
fn what_does_not_hold_is_refused() {
    let sides = Sides::new(Algorithm::Ed25519);
    let signatures = sides.open();
    let verify = |head: &Parts, body: &[u8], id: &str, now: i64| code(signatures.verify(head, body, &system(id), now));
    let head = sides.signed(NOW, "");
    assert_eq!(verify(&head, b"{}", "portal", NOW), (Code::MalformedRequest, "digest"));
    assert_eq!(verify(&head, BODY, "other", NOW), (Code::SignatureInvalid, "unknown_key"));
    assert_eq!(verify(&head, BODY, "portal", NOW + 61), (Code::SignatureInvalid, "too_old"));
    assert_eq!(verify(&head, BODY, "portal", NOW - 61), (Code::SignatureInvalid, "from_future"));
    assert_eq!(verify(&sides.signed(NOW - 1, ""), BODY, "portal", NOW), (Code::SignatureInvalid, "too_old"), "before the start");
    let confused = sides.signed(NOW, ";alg=\"ecdsa-p256-sha256\"");
    assert_eq!(verify(&confused, BODY, "portal", NOW), (Code::SignatureInvalid, "algorithm"));
    let forged = signed_by(&sides.node, NOW, ";keyid=\"portal-1\"");
    assert_eq!(verify(&forged, BODY, "portal", NOW), (Code::SignatureInvalid, "wrong"));
    let mut changed = head.clone();
    changed.headers.insert("rabita-purpose", "other".parse().expect("a value"));
    assert_eq!(verify(&changed, BODY, "portal", NOW), (Code::SignatureInvalid, "wrong"));
    assert!(signatures.verify(&head, BODY, &system("portal"), NOW).is_ok(), "what failed used nothing up");
}

#[test]
fn an_unsigned_request_is_taken_and_its_digest_checked_all_the_same() {
    let sides = Sides::new(Algorithm::Ed25519);
    let (signatures, mut head) = (sides.open(), sides.signed(NOW, ""));
    head.headers.remove("signature");
    head.headers.remove("signature-input");
    assert_eq!(signatures.verify(&head, BODY, &system("portal"), NOW).expect("nothing to refuse"), None);
    assert_eq!(code(signatures.verify(&head, b"", &system("portal"), NOW)), (Code::MalformedRequest, "digest"));
}

#[test]
fn a_reload_changes_keys_and_forgets_no_signature() {
    let sides = Sides::new(Algorithm::Ed25519);
    let (signatures, head) = (sides.open(), sides.signed(NOW, ""));
    assert!(signatures.verify(&head, BODY, &system("portal"), NOW).is_ok());
    let other = json!({ "window_s": 600, "keys": [{ "id": "bus-2", "file": "bus-2.pem" }] });
    signatures.swap(sides.prepare(other.clone()).expect("keys that can be used"), NOW + 1);
    assert_eq!(signatures.jwks()["keys"][0]["kid"], "bus-2");
    assert_eq!(code(signatures.verify(&head, BODY, &system("portal"), NOW + 300)), (Code::SignatureInvalid, "replayed"));

    let next = SigningKey::generate("portal-1", Algorithm::Ed25519).expect("randomness").0;
    std::fs::write(sides.directory.path().join("portal.pem"), next.verifying().pem()).expect("a file");
    signatures.swap(sides.prepare(other).expect("keys that can be used"), NOW + 2);
    let old = sides.signed(NOW + 2, "");
    assert_eq!(code(signatures.verify(&old, BODY, &system("portal"), NOW + 2)), (Code::SignatureInvalid, "wrong"));
    let new = signed_by(&next, NOW + 2, ";keyid=\"portal-1\"");
    assert!(signatures.verify(&new, BODY, &system("portal"), NOW + 2).is_ok());
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let sides = Sides::new(Algorithm::Ed25519);
    let refused = |keys: Value| sides.prepare(json!({ "keys": keys })).err().expect("a key that cannot be used");
    let absent = json!([{ "id": "a", "file": "absent.pem" }]);
    assert!(matches!(refused(absent), SigningError::Read { id, .. } if id == "a"));
    let public = json!([{ "id": "a", "file": "portal.pem" }]);
    assert!(matches!(refused(public), SigningError::Key(KeyError::PrivatePem { .. })));
    let unnameable = json!([{ "id": "a\"b", "file": "bus-1.pem" }]);
    assert!(matches!(refused(unnameable), SigningError::Key(KeyError::Name { .. })));
    let twice = json!([{ "id": "a", "file": "bus-1.pem" }, { "id": "a", "file": "bus-2.pem" }]);
    assert!(matches!(refused(twice), SigningError::Twice { id } if id == "a"));
    let token = json!({ "module": "m.so", "token": "t", "key": "k", "pin": { "env": "RABITA_NO_SUCH_PIN" } });
    assert!(matches!(refused(json!([{ "id": "a", "pkcs11": token }])), SigningError::Pin { id, .. } if id == "a"));
}

#[tokio::test]
async fn the_first_key_signs_and_all_are_published() {
    let sides = Sides::new(Algorithm::Ed25519);
    let signatures = sides.open();
    let jwks = signatures.jwks();
    let kids: Vec<&str> = jwks["keys"].as_array().into_iter().flatten().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(kids, ["bus-1", "bus-2"]);
    assert!(jwks["keys"][0].get("d").is_none(), "nothing of the private half");

    let head = sides.signed(NOW, "");
    let mut answer = Response::new(());
    answer.headers_mut().insert("content-digest", content_digest(&sha256(BODY)));
    signatures.sign(&mut answer, &head, NOW).await.expect("a signature");
    let header = |name| answer.headers()[name].to_str().expect("ASCII");
    let signature = header("signature").strip_prefix("rabita=:").and_then(|rest| rest.strip_suffix(':')).expect("its form");
    let mut unsigned = Response::new(());
    unsigned.headers_mut().insert("content-digest", content_digest(&sha256(BODY)));
    let base = AnswerBase::of(&unsigned, &head, &Signing { key_id: "bus-1", algorithm: "ed25519", created: NOW });
    let published: &VerifyingKey = sides.node.verifying();
    published.verify(base.bytes(), &BASE64.decode(signature).expect("Base64")).expect("a signature that verifies");
    assert!(header("signature-input").ends_with(r#";created=1795481279;keyid="bus-1";alg="ed25519""#));
}

#[tokio::test]
async fn without_a_key_an_answer_stays_as_it_is() {
    let sides = Sides::new(Algorithm::Ed25519);
    let signatures = Signatures::of(sides.prepare(json!({})).expect("no keys"), NOW);
    let mut answer = Response::new(());
    signatures.sign(&mut answer, &sides.signed(NOW, ""), NOW).await.expect("nothing to sign with");
    assert!(answer.headers().is_empty());
}
