//! The lines that a portal is told of who used a person's data, checked as it should check them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_ledger::log::checkpoint::Checkpoint;
use rabita_ledger::log::proof::{Hash, leaf_hash, verify_inclusion};
use rabita_tests::bus::{Answer, Caller};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
const ACCESSES: &str = "/bus/subjects/accesses";

/// Asks who used a person's data, for the purpose that the tests grant.
pub async fn ask(caller: &Caller, body: &Value) -> Answer {
    let request = caller.request(Method::POST, ACCESSES).header("Rabita-Purpose", "audit");
    caller.sent(request.json(body)).await
}

/// The lines of a person, newest first, once the newest has come that is waited for. Each was checked.
pub async fn of(caller: &Caller, subject: &str, newest: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut lines = Vec::new();
    let is_there = async || {
        let told = ask(caller, &json!({ "subject": subject })).await.good().json();
        check(caller, &told).await;
        lines = told["accesses"].as_array().cloned().expect("a list");
        // To look is a use as well.
        lines.retain(|line| line["service"] != "subject_accesses");
        newest(&lines)
    };
    eventually("the line is told of", LONG, is_there).await;
    lines
}

/// Holds every line against the checkpoint, and the checkpoint against the log's key.
pub async fn check(caller: &Caller, told: &Value) {
    let key = caller.get("/bus/ledger/key").await.good().text();
    let key = key.trim().parse().expect("a verifier key");
    let note = told["checkpoint"].as_str().expect("a note");
    let checkpoint = Checkpoint::verify(note, &key).expect("a checkpoint with the log's signature");
    assert_eq!(told["logs"], json!([checkpoint.origin]));
    for line in told["accesses"].as_array().expect("a list") {
        let (receipt, proof) = (&line["receipt"], &line["proof"]);
        let (leaf, index) = (hash(&receipt["leaf"]), receipt["index"].as_u64().expect("an index"));
        let hashes: Vec<Hash> = proof["hashes"].as_array().expect("hashes").iter().map(hash).collect();
        assert_eq!(proof["size"], checkpoint.size);
        assert!(verify_inclusion(&leaf, index, checkpoint.size, &checkpoint.root, &hashes), "{line}");
        let mut wrong = leaf;
        wrong[0] ^= 1;
        assert!(!verify_inclusion(&wrong, index, checkpoint.size, &checkpoint.root, &hashes), "a proof that proves anything");
        if let Some(bytes) = receipt["bytes"].as_str() {
            says_the_same(line, &STANDARD.decode(bytes).expect("Base64"), leaf);
        }
    }
}

/// Whether the entry is what the proof is of, and says what the line says, of nobody by name.
fn says_the_same(line: &Value, bytes: &[u8], leaf: Hash) {
    assert_eq!(leaf_hash(bytes), leaf);
    let entry: Value = serde_json::from_slice(bytes).expect("an entry is JSON");
    assert_eq!((&entry["at"], &entry["exchange"]), (&line["at"], &line["exchange"]));
    assert_eq!((&entry["caller"]["system"], &entry["caller"]["agency"]), (&line["system"], &line["agency"]));
    assert_eq!(entry.get("purpose"), line.get("purpose").map(|purpose| &purpose["id"]));
    if let Some(about) = entry.get("about") {
        for name in ["registry", "version", "entity", "operation"] {
            assert_eq!(about[name], line[name]);
        }
    }
    let text = String::from_utf8_lossy(bytes);
    for person in ["5ZJBKH7", "4WTR2PX", "official-7", "2026/1742"] {
        assert!(!text.contains(person), "{text}");
    }
}

fn hash(text: &Value) -> Hash {
    let bytes = STANDARD.decode(text.as_str().expect("Base64")).expect("Base64");
    bytes.try_into().expect("32 bytes")
}
