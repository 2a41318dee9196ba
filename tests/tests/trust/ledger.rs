//! The log from outside: receipts are kept, what is changed is found, a witness signs no second past, nodes watch each other.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::note::{Note, SignatureKind};
use rabita_ledger::log::proof::{leaf_hash, verify_consistency, verify_inclusion};
use rabita_ledger::log::{Checkpoint, Hash, VerifierKey};
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, Program, Upstream};
use rabita_tests::eventually;
use rabita_tests::kafka::Kafka;
use serde_json::{Value, json};

use super::people::{ALL, LONG, People};

const PERSON: &str = "/api/people/v1/persons/5ZJBKH7";

/// A country whose registry answers, and the address where it does.
pub(crate) async fn country() -> (Country, Upstream) {
    let people = Upstream::start().await;
    let country = Country::with_people(people.url());
    country.file("transparency.yaml", "auditors: [portal]\n");
    (country, people)
}

#[tokio::test]
async fn entries_are_for_auditors_and_the_tree_is_for_everybody() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (portal, mobile) = (bus.portal(), bus.caller(&Authority::get().mobile));
    read(&portal).await.good();
    for path in ["/bus/ledger/entries/0", "/bus/ledger/tile/entries/000.p/1"] {
        portal.get(path).await.good();
        assert_eq!(mobile.get(path).await.code(), "not_permitted", "{path}");
    }
    for path in ["/bus/ledger/checkpoint", "/bus/ledger/tile/0/000.p/1", "/bus/ledger/proof?index=0", "/bus/ledger/key"] {
        mobile.get(path).await.good();
    }
    assert!(bus.stop().await);
}

pub(crate) async fn read(caller: &Caller) -> Answer {
    caller.sent(caller.request(reqwest::Method::GET, PERSON).header("Rabita-User", "official-7")).await
}

/// What a receipt says: the log's origin, the index, the leaf.
fn receipt(answer: &Answer) -> (String, u64, Hash) {
    let text = answer.header("rabita-receipt");
    let (origin, rest) = text.strip_prefix('"').and_then(|rest| rest.split_once("\";index=")).expect(text);
    let (index, leaf) = rest.split_once(";leaf=:").expect(text);
    (origin.to_owned(), index.parse().expect(text), hash(&Value::from(leaf.strip_suffix(':').expect(text))))
}

fn hash(told: &Value) -> Hash {
    let bytes = STANDARD.decode(told.as_str().expect("text")).expect("Base64");
    bytes.try_into().expect("a SHA-256")
}

fn hashes(told: &Value) -> Vec<Hash> {
    told["hashes"].as_array().expect("hashes").iter().map(hash).collect()
}

pub(crate) async fn key(caller: &Caller) -> VerifierKey {
    caller.get("/bus/ledger/key").await.good().text().trim().parse().expect("a verifier key")
}

async fn checkpoint(caller: &Caller) -> Checkpoint {
    let note = caller.get("/bus/ledger/checkpoint").await.good().text();
    Checkpoint::verify(&note, &key(caller).await).expect("a checkpoint that the log signed")
}

pub(crate) fn file(directory: &Path, name: &str, text: &str) -> String {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("a scratch directory can be written");
    file.to_str().expect("UTF-8").to_owned()
}

/// Runs `rabita ledger`; answers whether it was content, and what it said.
pub(crate) async fn ledger(arguments: &[&str]) -> (bool, String) {
    let arguments: Vec<&str> = std::iter::once("ledger").chain(arguments.iter().copied()).collect();
    let (status, said) = Program::run(env!("CARGO_BIN_EXE_rabita-under-test"), &arguments).ended().await;
    (status.success(), said)
}

/// How a command calls this bus as the portal.
pub(crate) fn connection(country: &Country) -> Vec<String> {
    let portal = &Authority::get().portal;
    let authorities = country.path().join("tls/ca.pem").to_str().expect("UTF-8").to_owned();
    let certificate = file(country.path(), "portal.pem", &portal.certificate);
    let key = file(country.path(), "portal.key", &portal.key);
    ["--authorities", &authorities, "--certificate", &certificate, "--certificate-key", &key].map(str::to_owned).to_vec()
}

fn address(bus: &Bus) -> String {
    format!("https://127.0.0.1:{}", bus.required.port())
}

/// The files of a log, all that are not empty.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path());
    let (directories, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    found.retain(|file| file.metadata().is_ok_and(|data| data.len() > 0));
    directories.iter().for_each(|directory| found.extend(files(directory)));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_kept_by_the_log_that_gave_it() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let portal = bus.portal();
    let answer = read(&portal).await.good();
    let (origin, index, leaf) = receipt(&answer);
    let before = checkpoint(&portal).await;
    assert_eq!(origin, before.origin);

    let told = portal.get(&format!("/bus/ledger/proof?index={index}")).await.good().json();
    let tree = Checkpoint::verify(told["checkpoint"].as_str().expect("a note"), &key(&portal).await).expect("a checkpoint");
    assert_eq!(hash(&told["leaf"]), leaf);
    assert!(verify_inclusion(&leaf, index, tree.size, &tree.root, &hashes(&told)));
    let other = if index == 0 { 1 } else { index - 1 };
    assert!(!verify_inclusion(&leaf, other, tree.size, &tree.root, &hashes(&told)));

    let exchange = answer.header("rabita-exchange");
    let of_exchange = portal.get(&format!("/bus/ledger/proof?exchange={exchange}")).await.good().json();
    assert_eq!(of_exchange["proofs"][0]["index"], index);
    let entry = portal.get(&format!("/bus/ledger/entries/{index}")).await.good().json();
    assert_eq!(entry["entry"]["exchange"], exchange);
    assert_eq!(leaf_hash(&STANDARD.decode(entry["bytes"].as_str().expect("text")).expect("Base64")), leaf);
    for hidden in ["5ZJBKH7", "official-7"] {
        assert!(!entry.to_string().contains(hidden), "{entry}");
    }

    read(&portal).await.good();
    let after = checkpoint(&portal).await;
    assert!(after.size > before.size);
    let path = format!("/bus/ledger/consistency?from={}&to={}", before.size, after.size);
    let proof = hashes(&portal.get(&path).await.good().json());
    assert!(verify_consistency(before.size, after.size, &before.root, &after.root, &proof));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_served_as_tlog_tiles_has_it() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let portal = bus.portal();
    read(&portal).await.good();
    let size = checkpoint(&portal).await.size;
    let note = portal.get("/bus/ledger/checkpoint").await;
    assert_eq!((note.header("content-type"), note.header("cache-control")), ("text/plain; charset=utf-8", "private, no-cache"));
    let tile = portal.get(&format!("/bus/ledger/tile/0/000.p/{size}")).await.good();
    assert_eq!(tile.header("content-type"), "application/octet-stream");
    assert!(tile.header("cache-control").ends_with("immutable"));
    assert_eq!(tile.body.len() as u64, 32 * size);
    let bundle = portal.get(&format!("/bus/ledger/tile/entries/000.p/{size}")).await.good();
    let length = usize::from(u16::from_be_bytes([bundle.body[0], bundle.body[1]]));
    assert_eq!(leaf_hash(&bundle.body[2..2 + length])[..], tile.body[..32]);
    for absent in
        ["tile/0/000", "tile/1/000.p/1", "tile/entries/001", "entries/1000", "proof?index=1000", "consistency?from=0&to=1000"]
    {
        portal.get(&format!("/bus/ledger/{absent}")).await.refused(404, "ledger_entry_absent");
    }
    portal.get("/bus/ledger/tile/0/0").await.refused(404, "route_absent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_believes_a_remote_log_and_finds_what_was_changed_on_the_disk() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let portal = bus.portal();
    read(&portal).await.good();
    let (key, url, connection) = (key(&portal).await.to_string(), address(&bus), connection(&country));
    let seen = country.path().join("seen");
    let mut remote = vec!["verify", &url, "--key", &key, "--remember", seen.to_str().expect("UTF-8")];
    remote.extend(connection.iter().map(String::as_str));
    let (is_good, said) = ledger(&remote).await;
    assert!(is_good && said.contains("entries verified"), "{said}");
    read(&portal).await.good();
    let (is_good, said) = ledger(&remote).await;
    assert!(is_good && said.contains("consistent with the"), "{said}");
    assert!(bus.stop().await);

    let own = country.path().join("ledger");
    let local = ["verify", own.to_str().expect("UTF-8"), "--key", &key, "--since", seen.to_str().expect("UTF-8")];
    let (is_good, said) = ledger(&local).await;
    assert!(is_good, "{said}");
    let changed = files(&own.join("log"));
    assert!(changed.len() >= 3, "{changed:?}");
    for changed in changed {
        let whole = std::fs::read(&changed).expect("a file");
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&changed, bytes).expect("a file");
        let (is_good, said) = ledger(&local).await;
        assert!(!is_good && said.contains("log/"), "{}: {said}", changed.display());
        std::fs::write(&changed, whole).expect("a file");
    }
    assert!(ledger(&local).await.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_cosigns_what_grew_and_refuses_another_past() {
    let (country, _people) = country().await;
    let signer = SigningKey::generate("w1", Algorithm::Ed25519).expect("a key");
    let witness = VerifierKey::new("witness.example/w1", SignatureKind::Cosignature, signer.0.verifying()).expect("a key");
    country.node(&format!("ledger: {{ witnesses: [\"{witness}\"] }}"));
    let pem = file(country.path(), "w1.key", &signer.1);
    let state = country.path().join("witnessed");
    let connection = connection(&country);
    let run = async |bus: &Bus| {
        let url = address(bus);
        let mut arguments =
            vec!["witness", &url, "--name", "witness.example/w1", "--key", &pem, "--state", state.to_str().expect("UTF-8")];
        arguments.extend(connection.iter().map(String::as_str));
        ledger(&arguments).await
    };

    let bus = country.start().await;
    read(&bus.portal()).await.good();
    let (is_good, said) = run(&bus).await;
    assert!(is_good, "{said}");
    let size = checkpoint(&bus.portal()).await.size;
    let note = bus.portal().get("/bus/ledger/checkpoint").await.text();
    assert!(Note::parse(&note).expect("a note").verify(&witness).expect("a cosignature").is_some(), "{note}");
    read(&bus.portal()).await.good();
    let (is_good, said) = run(&bus).await;
    assert!(is_good, "{said}");
    let told = bus.portal().get("/bus/ledger/cosignatures").await.json();
    assert_eq!(told["cosignatures"][0]["witness"], witness.to_string());
    assert!(told["cosignatures"][0]["size"].as_u64() > Some(size), "{told}");
    let url = address(&bus);
    let mut verify = vec!["verify", &url, "--witness"];
    let text = witness.to_string();
    verify.push(&text);
    verify.extend(connection.iter().map(String::as_str));
    let (is_good, said) = ledger(&verify).await;
    assert!(is_good && said.contains("cosigned by witness.example/w1"), "{said}");
    assert!(bus.stop().await);

    // The operator begins another log with the same key.
    std::fs::remove_dir_all(country.path().join("ledger/log")).expect("a log");
    let bus = country.start().await;
    for _ in 0..10 {
        read(&bus.portal()).await.good();
    }
    let (is_good, said) = run(&bus).await;
    assert!(!is_good && said.contains("LEDGER SPLIT VIEW"), "{said}");
    let conflict = files(&state).into_iter().filter(|file| file.to_string_lossy().contains("conflict-"));
    let key = key(&bus.portal()).await;
    let notes = conflict.filter(|file| ["seen", "shown"].iter().any(|name| file.ends_with(name)));
    let both: Vec<Checkpoint> = notes
        .map(|file| Checkpoint::verify(&std::fs::read_to_string(file).expect("a file"), &key).expect("what the log signed"))
        .collect();
    assert_eq!(both.len(), 2);
    assert_ne!(both[0].root, both[1].root);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_proves_an_answer_and_that_it_was_made_is_on_record() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let portal = bus.portal();
    let answer = read(&portal).await.good();
    let exchange = answer.header("rabita-exchange").to_owned();
    let admin = format!("http://{}", bus.admin);
    let answered = file(country.path(), "answer", &answer.text());
    let out = country.path().join("evidence.json");
    let out = out.to_str().expect("UTF-8");
    let reach = ["--admin", &admin, "--operator", "ayten", "--reason", "case 17"];
    let (is_good, said) = ledger(&[&["evidence", &exchange, "--answer", &answered, "--out", out], &reach[..]].concat()).await;
    assert!(is_good, "{said}");
    let key = key(&portal).await.to_string();
    let check = ["evidence", "--check", out, "--key", &key];
    let (is_good, said) = ledger(&check).await;
    assert!(is_good, "{said}");

    let mut bundle: Value = serde_json::from_slice(&std::fs::read(out).expect("a bundle")).expect("JSON");
    bundle["answer"] = STANDARD.encode("{\"pin\":\"5ZJBKH7\"}").into();
    std::fs::write(out, bundle.to_string()).expect("a file");
    let (is_good, said) = ledger(&check).await;
    assert!(!is_good && said.contains("FAILS"), "{said}");

    let (is_good, said) = ledger(&[&["show", &exchange], &reach[..]].concat()).await;
    assert!(is_good && said.contains("official-7"), "{said}");
    let size = checkpoint(&portal).await.size;
    let mut acts = Vec::new();
    for index in 0..size {
        let entry = portal.get(&format!("/bus/ledger/entries/{index}")).await.good().json();
        if entry["entry"]["kind"] == "act" {
            acts.push(json!([entry["entry"]["act"], entry["entry"]["operator"], entry["entry"]["detail"]["exchange"]]));
        }
    }
    assert_eq!(acts, [json!(["ledger evidence", "ayten", exchange]), json!(["ledger show", "ayten", exchange])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_is_given_an_archive_that_proves_itself() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let portal = bus.portal();
    read(&portal).await.good();
    let (key, admin) = (key(&portal).await.to_string(), format!("http://{}", bus.admin));
    let tomorrow = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date().tomorrow().expect("a day").to_string();
    let order = ["archive", "--agency", "interior", "--before", &tomorrow, "--admin", &admin, "--operator", "ayten"];
    let (is_good, said) = ledger(&order).await;
    assert!(is_good && said.contains("1 entries, SHA-256"), "{said}");
    let archive = said.lines().find(|line| line.ends_with(".jsonl")).expect("the archive is named").to_owned();
    let check = ["archive", "--check", &archive, "--key", &key];
    let (is_good, said) = ledger(&check).await;
    assert!(is_good, "{said}");
    let text = std::fs::read_to_string(&archive).expect("an archive");
    std::fs::write(&archive, text.replace("\\\"status\\\":200", "\\\"status\\\":403")).expect("an archive");
    let (is_good, said) = ledger(&check).await;
    assert!(!is_good && said.contains("FAILS"), "{said}");
    let index = checkpoint(&portal).await.size - 1;
    let act = portal.get(&format!("/bus/ledger/entries/{index}")).await.good().json();
    assert_eq!(act["entry"]["act"], "ledger archived", "{act}");
    assert_eq!(act["entry"]["detail"]["entries"], 1, "{act}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_at_rest_records_who_looked_into_it() {
    let (country, _people) = country().await;
    let bus = country.start().await;
    let (_, index, _) = receipt(&read(&bus.portal()).await.good());
    assert!(bus.stop().await);
    let config = country.path().to_str().expect("UTF-8").to_owned();
    let reach = ["--config", &config, "--operator", "ayten"];
    let (is_good, said) = ledger(&[&["show", &index.to_string()], &reach[..]].concat()).await;
    assert!(is_good && said.contains("official-7"), "{said}");
    let (is_good, said) = ledger(&[&["show", "1000"], &reach[..]].concat()).await;
    assert!(!is_good, "{said}");
    let (is_good, said) = ledger(&[&["forget", "--agency", "interior", "--before", "2020-01-01"], &reach[..]].concat()).await;
    assert!(is_good && said.contains("0 pseudonym key(s)"), "{said}");
    let (is_good, said) =
        ledger(&[&["forget", "--agency", "interior", "--before", "2999-01-01", "--destroy"], &reach[..]].concat()).await;
    assert!(!is_good && said.contains("2999-01-01 is not over"), "{said}");
    let bus = country.start().await;
    let next = bus.portal().get(&format!("/bus/ledger/entries/{}", index + 1)).await.good().json();
    assert_eq!(next["entry"]["act"], "ledger show", "{next}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_journal_cosign_each_others_logs() {
    let kafka = Kafka::start(1);
    let mut nodes = Vec::new();
    for name in ["node-1", "node-2"] {
        let country = Country::new();
        let engine = format!("journal: {{ kafka: {{ brokers: [\"{}\"], replication: 1, partitions: 2 }} }}", kafka.servers());
        country.node(&format!("{engine}\nledger: {{ origin: bus.example/{name}, exchange_s: 1 }}"));
        let people = People::settle(&country, &[ALL]).await;
        let bus = country.start().await;
        nodes.push((country, people, bus));
    }
    for (at, (_, _, bus)) in nodes.iter().enumerate() {
        let other = key(&nodes[1 - at].2.portal()).await;
        let witness = VerifierKey::new(other.name(), SignatureKind::Cosignature, other.key()).expect("a key").to_string();
        let size = checkpoint(&bus.portal()).await.size;
        let is_cosigned = async || {
            let told = bus.portal().get("/bus/ledger/cosignatures").await.json();
            let told = told["cosignatures"].as_array().cloned().unwrap_or_default();
            told.iter().any(|one| one["witness"] == witness && one["size"].as_u64() >= Some(size))
        };
        eventually("the other node cosigns", LONG, is_cosigned).await;
        assert!(bus.metric("rabita_ledger_split_views_total", &[]).await < 0.5);
    }
    for (_, _, bus) in nodes {
        bus.stop().await;
    }
}
