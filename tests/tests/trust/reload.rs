//! A running bus follows its configuration: as a whole, within a second, and not before the ledger knows of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use rabita_keys::{Algorithm, SigningKey};
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, GRANT_ALL, Manifest, Upstream};
use rabita_tests::eventually;
use serde_json::{Value, json};

use super::people::LONG;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const GRANTS: &str = "grants/interior/people.yaml";
const MOBILE: &str = "{ system: mobile, version: v1, entity: persons, operations: [read], fields: [pin], purposes: any }";

/// A country whose grants stand in the folder of the agency that gives them; the auditor reads the ledger's entries.
async fn country() -> (Country, Upstream) {
    let people = Upstream::start().await;
    let country = Country::new();
    country.registry(&Manifest::of("people", people.url()));
    country.file("transparency.yaml", "auditors: [auditor]\n");
    give(&country, &[GRANT_ALL, MOBILE]);
    (country, people)
}

fn granted(grants: &[&str]) -> String {
    let grants: String = grants.iter().map(|grant| format!("  - {grant}\n")).collect();
    format!("registry: people\ngrants:\n{grants}")
}

/// Puts these grants in the place of those before, by moving a whole file.
fn give(country: &Country, grants: &[&str]) {
    let next = PathBuf::from(format!("{GRANTS}.next"));
    country.file(next.to_str().expect("UTF-8"), &granted(grants));
    std::fs::rename(country.path().join(next), country.path().join(GRANTS)).expect("a file can be moved");
}

fn mobile(bus: &Bus) -> Caller {
    bus.caller(&Authority::get().mobile)
}

/// What `/readyz` says of the configuration.
async fn configuration(bus: &Bus) -> Value {
    let (status, text) = bus.told("/readyz").await;
    assert_eq!(status, 200, "a node with a wrong change goes on: {text}");
    serde_json::from_str::<Value>(&text).expect("JSON")["configuration"].clone()
}

/// Every entry of the ledger, in its order.
async fn entries(bus: &Bus) -> Vec<Value> {
    let auditor = bus.caller(&Authority::get().auditor);
    let note = auditor.get("/bus/ledger/checkpoint").await.good().text();
    let size: u64 = note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    let mut entries = Vec::new();
    for index in 0..size {
        entries.push(auditor.get(&format!("/bus/ledger/entries/{index}")).await.good().json()["entry"].clone());
    }
    entries
}

fn configurations(entries: &[Value]) -> Vec<&Value> {
    entries.iter().filter(|entry| entry["kind"] == "configuration").collect()
}

/// Asks until it is answered so; how long that took, and every other answer that came before.
async fn felt(caller: &Caller, is_felt: impl Fn(&Answer) -> bool) -> (Duration, Vec<u16>) {
    let (began, mut before) = (Instant::now(), Vec::new());
    loop {
        let answer = caller.get(AYGUN).await;
        if is_felt(&answer) {
            return (began.elapsed(), before);
        }
        before.push(answer.status);
        assert!(began.elapsed() < LONG, "nothing is felt of the change");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_withdrawn_and_given_back_within_a_second_and_nobody_meets_anything_in_between() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, mobile) = (bus.portal(), mobile(&bus));
    let (mut withdrawn, mut given) = (Duration::MAX, Duration::MAX);
    // The best of some, since a machine that has other things to do is no fault of the bus.
    for _ in 0..4 {
        give(&country, &[GRANT_ALL]);
        let (took, before) = felt(&mobile, |answer| answer.code() == "not_permitted").await;
        assert!(before.iter().all(|status| *status == 200), "{before:?}");
        withdrawn = withdrawn.min(took);
        let _ = portal.get(AYGUN).await.good();
        give(&country, &[GRANT_ALL, MOBILE]);
        let (took, before) = felt(&mobile, |answer| answer.status == 200).await;
        assert!(before.iter().all(|status| *status == 403), "{before:?}");
        given = given.min(took);
    }
    assert!(withdrawn < Duration::from_secs(1) && given < Duration::from_secs(1), "{withdrawn:?}, {given:?}");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_the_ledger_with_the_digest_of_each_file_before_it_is_felt_and_no_secret_with_it() {
    let (country, _people) = country().await;
    for name in ["keys/one.pem", "keys/two.pem"] {
        country.file(name, &SigningKey::generate("bus", Algorithm::Ed25519).expect("randomness").1);
    }
    country.node("signing: { keys: [{ id: one, file: keys/one.pem }] }");
    let bus = country.start().await;
    let mobile = mobile(&bus);
    let _ = mobile.get(AYGUN).await.good();
    give(&country, &[GRANT_ALL]);
    let _ = felt(&mobile, |answer| answer.code() == "not_permitted").await;
    let entries = entries(&bus).await;
    let told = configurations(&entries);
    assert_eq!(told.len(), 2, "one of the start, one of the change: {told:?}");
    assert_eq!(told[1]["changed"], json!([GRANTS]));
    let of = |file: &str| told[1]["files"].as_array().expect("files").iter().find(|other| other["file"] == file).cloned();
    for file in [GRANTS, "rabita.yaml", "agencies.yaml", "transparency.yaml", "systems/mobile.yaml", "registries/people.yaml"] {
        let digest = digest(&SHA256, &std::fs::read(country.path().join(file)).expect("a file"));
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(of(file).expect(file)["sha256"], hex, "{file}");
    }
    assert_eq!(of("keys/one.pem"), None, "a digest tells whether a secret was guessed");
    let place = |wanted: &dyn Fn(&Value) -> bool| entries.iter().position(wanted).expect("an entry");
    let recorded = entries.iter().rposition(|entry| entry["kind"] == "configuration").expect("the change");
    assert!(recorded < place(&|entry| entry["code"] == "not_permitted"), "nobody is refused by what the ledger does not know");
    assert_eq!(configuration(&bus).await["is_newest"], true);

    // Of a secret that changes it is told that it did.
    let two = std::fs::read_to_string(country.path().join("keys/two.pem")).expect("a file");
    country.file("keys/one.pem", &two);
    let is_told = async || configurations(&self::entries(&bus).await).len() == 3;
    eventually("the change of a key is recorded", LONG, is_told).await;
    let entries = self::entries(&bus).await;
    assert_eq!(configurations(&entries)[2]["changed"], json!(["keys/one.pem"]));
    assert!(!configurations(&entries)[2]["files"].to_string().contains("keys/one.pem"));
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_change_with_anything_wrong_in_it_nothing_is_in_force_until_it_is_mended() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let mobile = mobile(&bus);
    let _ = mobile.get(AYGUN).await.good();
    // Right by itself, but it comes with one that is wrong.
    country.file("transparency.yaml", "auditors: [auditor, mobile, nobody]\n");
    give(&country, &[GRANT_ALL]);
    let is_refused = async || configuration(&bus).await["is_newest"] == false;
    eventually("the change is refused", LONG, is_refused).await;
    let told = configuration(&bus).await;
    let finding = told["refused"]["findings"][0].as_str().expect("a finding");
    assert!(finding.starts_with("transparency.yaml:1:29: error") && finding.contains("`nobody`"), "{finding}");
    let _ = mobile.get(AYGUN).await.good();
    assert_eq!(mobile.get("/bus/ledger/entries/0").await.code(), "not_permitted");
    assert_eq!(configurations(&entries(&bus).await).len(), 1, "what is not in force is no entry");

    country.file("transparency.yaml", "auditors: [auditor, mobile]\n");
    let _ = felt(&mobile, |answer| answer.code() == "not_permitted").await;
    let _ = mobile.get("/bus/ledger/entries/0").await.good();
    let told = configuration(&bus).await;
    assert_eq!((&told["is_newest"], &told["refused"]), (&json!(true), &Value::Null));
    let entries = entries(&bus).await;
    assert_eq!(configurations(&entries)[1]["changed"], json!([GRANTS, "transparency.yaml"]));
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_a_node_starts_is_in_force_once_it_has_started() {
    let (country, _people) = country().await;
    let bus = country.start_while(|| give(&country, &[GRANT_ALL])).await;
    let _ = felt(&mobile(&bus), |answer| answer.code() == "not_permitted").await;
    assert_eq!(configurations(&entries(&bus).await).len(), 2, "the one of the start, and the one after it");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_start_takes_waits_for_one_and_a_registry_more_is_refused() {
    let (country, people) = country().await;
    let bus = country.start().await;
    let mobile = mobile(&bus);
    country.registry(&Manifest::of("people", people.url()).limits("{ requests_per_second: 7 }"));
    let is_refused = async || configuration(&bus).await["is_newest"] == false;
    eventually("another manifest is refused", LONG, is_refused).await;
    give(&country, &[GRANT_ALL]);
    eventually("it still is", LONG, is_refused).await;
    let _ = mobile.get(AYGUN).await.good();

    country.registry(&Manifest::of("people", people.url()));
    let _ = felt(&mobile, |answer| answer.code() == "not_permitted").await;
    country.node("limits: { exchanges: 7 }");
    let waits = async || configuration(&bus).await["waits_for_restart"] == json!(["limits"]);
    eventually("it is said what waits", LONG, waits).await;
    let _ = bus.portal().get(AYGUN).await.good();
    assert!(bus.stop().await);
}
