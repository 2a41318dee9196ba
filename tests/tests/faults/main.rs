//! Short trials of the bus: killed under load, it loses no update and applies none twice. `tests/faults/run` runs long ones.

use std::path::Path;

use rabita_tests::faults::checker::Verdict;
use rabita_tests::faults::{Mode, Options, Plant, trial};
use rabita_tests::scratch::Scratch;
use tokio::sync::Mutex;

const SEED: u64 = 20_261_123;

/// One trial at a time: each needs the machine for itself to have much under way when it kills.
static MACHINE: Mutex<()> = Mutex::const_new(());

async fn verdict(mode: Mode, plant: Option<Plant>, kills: usize, seed: u64) -> Verdict {
    let _machine = MACHINE.lock().await;
    let evidence = Scratch::new("evidence");
    let options = Options {
        program: Path::new(env!("CARGO_BIN_EXE_rabita-under-test")).to_path_buf(),
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
    if plant.is_none() {
        let weak = trial::weaknesses(&options, &verdict);
        assert!(weak.is_empty(), "{weak:?}\n{verdict}");
    }
    verdict
}

async fn finds_no_fault(mode: Mode, kills: usize) {
    let verdict = verdict(mode, None, kills, SEED).await;
    assert!(verdict.faults.is_empty(), "{verdict}");
}

async fn finds(plant: Plant, kills: usize) {
    // Whether a planted fault has an effect is a matter of chance; the longer the trial, the surer.
    let mut told = String::new();
    for more in 1..=4 {
        let verdict = verdict(Mode::Embedded, Some(plant), kills * more, SEED + more as u64).await;
        if trial::is_found(plant, &verdict) {
            return;
        }
        told.push_str(&verdict.to_string());
    }
    panic!("the planted fault was not found:\n{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_it_is_killed() {
    finds_no_fault(Mode::Embedded, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_update_and_applies_none_twice_when_the_way_to_the_registry_is_disturbed() {
    finds_no_fault(Mode::Proxy, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_updates_that_are_applied_twice() {
    finds(Plant::Twice, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_updates_that_are_forgotten() {
    finds(Plant::Amnesia, 6).await;
}
