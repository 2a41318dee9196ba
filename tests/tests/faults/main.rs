//! Short trials of the bus: killed under load, it loses no update and applies none twice. `tests/faults/run` runs long ones.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::{Log, LogOptions};
use rabita_tests::faults::checker::{Fault, Verdict};
use rabita_tests::faults::{Mode, Options, Plant, entries, trial};
use rabita_tests::scratch::Scratch;
use tokio::sync::Mutex;

const SEED: u64 = 20_261_123;

/// One trial at a time: each needs the machine for itself to have much under way when it kills.
static MACHINE: Mutex<()> = Mutex::const_new(());

const PROGRAM: &str = env!("CARGO_BIN_EXE_rabita-under-test");

/// What came of a trial, where it is written down, and what keeps it from proving much.
struct Judged {
    verdict: Verdict,
    evidence: Scratch,
    weaknesses: Vec<String>,
}

async fn judged(mode: Mode, plant: Option<Plant>, kills: usize, seed: u64) -> Judged {
    let _machine = MACHINE.lock().await;
    let evidence = Scratch::new("evidence");
    let options = Options {
        program: Path::new(PROGRAM).to_path_buf(),
        mode,
        plant,
        kills,
        callers: 8,
        seed,
        evidence: evidence.path().to_path_buf(),
        report: |_| {},
    };
    let verdict = trial::run(&options).await;
    assert!(verdict.figures.acknowledged > 5 * kills, "too little was under way:\n{verdict}");
    Judged { weaknesses: trial::weaknesses(&options, &verdict), verdict, evidence }
}

async fn finds_no_fault(mode: Mode, kills: usize) -> Verdict {
    let Judged { verdict, weaknesses, .. } = judged(mode, None, kills, SEED).await;
    assert!(weaknesses.is_empty(), "{weaknesses:?}\n{verdict}");
    assert!(verdict.faults.is_empty(), "{verdict}");
    verdict
}

async fn finds(plant: Plant, kills: usize) {
    // Whether a planted fault has an effect is a matter of chance; the longer the trial, the surer.
    let mut told = String::new();
    for more in 1..=4 {
        let Judged { verdict, .. } = judged(Mode::Embedded, Some(plant), kills * more, SEED + more as u64).await;
        if trial::is_found(plant, &verdict) {
            return;
        }
        told.push_str(&verdict.to_string());
    }
    panic!("the planted fault was not found:\n{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_it_is_killed() {
    let _ = finds_no_fault(Mode::Embedded, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_the_way_to_the_registry_is_disturbed() {
    let _ = finds_no_fault(Mode::Proxy, 8).await;
}

/// After twelve kills of nodes a broker is killed too, and it is brought back in the end.
#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_nodes_over_kafka_and_a_broker_are_killed() {
    let kills = finds_no_fault(Mode::Kafka, 13).await.figures.kills;
    for who in ["node 0", "node 1", "broker "] {
        assert!(kills.keys().any(|killed| killed.starts_with(who)), "{who}was not killed: {kills:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_the_disk_under_the_journal_is_full() {
    let _ = finds_no_fault(Mode::Disk, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_the_clock_jumps() {
    let _ = finds_no_fault(Mode::Clock, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_unrecorded_while_the_disk_under_the_ledger_is_full() {
    let _ = finds_no_fault(Mode::LedgerDisk, 6).await;
}

/// What the command says of a log; nothing where all is as it was written.
fn verified(log: &Path, key: &Path) -> Option<String> {
    let key = std::fs::read_to_string(key).expect("the key of the ledger");
    let done = Command::new(PROGRAM).args(["ledger", "verify"]).arg(log).args(["--key", key.trim()]).output();
    let done = done.expect("the program can be run");
    (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_rewritten_without_its_key_and_a_receipt_that_is_forged_are_found() {
    let Judged { verdict, evidence, .. } = judged(Mode::Embedded, None, 3, SEED).await;
    assert!(verdict.faults.is_empty(), "{verdict}");
    let (log, key, callers) =
        (evidence.path().join("ledger-0"), evidence.path().join("node-0.key"), evidence.path().join(trial::LOG));
    assert_eq!(verified(&log, &key), None);

    // One digit of one leaf in what a caller was given.
    let told = std::fs::read_to_string(&callers).expect("the callers' log");
    let at = told.find(";leaf=:").expect("a receipt") + ";leaf=:".len();
    let mut forged = told.clone();
    forged.replace_range(at..=at, if told[at..].starts_with('A') { "B" } else { "A" });
    std::fs::write(&callers, forged).expect("the callers' log");
    let faults = trial::judge(evidence.path()).faults;
    assert!(matches!(faults.as_slice(), [Fault::Unkept { .. }]), "{faults:?}");
    std::fs::write(&callers, told).expect("the callers' log");

    // The whole log once more, in good order but for one entry, and by another key.
    let ledger = entries::read(&log);
    std::fs::rename(&log, evidence.path().join("as-it-was")).expect("the log can be put aside");
    let gone = ledger.entries.iter().position(|entry| entries::Ledger::json(entry)["kind"] == "exchange").expect("an exchange");
    let (other, _) = SigningKey::generate("another", Algorithm::Ed25519).expect("random bytes");
    let rewritten =
        Log::open(LogOptions { directory: log.clone(), origin: ledger.origin.clone(), key: Arc::new(other) }).expect("a log");
    let kept = ledger.entries.iter().enumerate().filter(|(index, _)| *index != gone);
    futures_util::future::join_all(kept.map(|(_, entry)| rewritten.append(entry.clone()))).await;
    rewritten.close().await;
    drop(rewritten);
    assert!(verified(&log, &key).is_some_and(|finding| finding.contains("checkpoint")), "the other key was not noticed");
    // With what the right key signed put in its place, the tree is another.
    std::fs::copy(evidence.path().join("as-it-was/checkpoint"), log.join("checkpoint")).expect("the checkpoint");
    assert!(verified(&log, &key).is_some(), "the missing entry was not noticed");
    let faults = trial::judge(evidence.path()).faults;
    assert!(faults.iter().any(|fault| matches!(fault, Fault::Unkept { .. })), "{faults:?}");
    assert!(faults.iter().any(|fault| matches!(fault, Fault::Forked { .. })), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_updates_that_are_applied_twice() {
    finds(Plant::Twice, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_updates_that_are_forgotten() {
    finds(Plant::Amnesia, 6).await;
}
