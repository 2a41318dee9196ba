//! Several hosts of one registry: one is killed under load, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rabita_tests::eventually;
use tokio::task::JoinSet;

use super::RABITA;
use super::world::{PEOPLE, World, is_connected, is_served, rename, told_of};

const READERS: usize = 8;
const WRITERS: usize = 6;
const ROUNDS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_host_is_killed_reads_go_on_and_no_update_is_lost_or_applied_twice() {
    let world = Arc::new(World::new(&["interior-1", "interior-2"], READERS + WRITERS));
    let bus = world.country.start().await;
    let (one, other) = (world.host("interior-1"), world.host("interior-2"));
    let (first, _second) = (one.run(RABITA), other.run(RABITA));
    is_connected(&bus, "interior-1").await;
    is_connected(&bus, "interior-2").await;
    is_served(&bus, "P00000").await;

    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (portal, is_over) = (bus.portal(), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut reads = 0_usize;
            while !is_over.load(Ordering::Acquire) {
                let answer = portal.get(&format!("{PEOPLE}/P{:05}", (reader + reads) % READERS)).await;
                assert_eq!(answer.status, 200, "read {reads} of reader {reader}: {}", answer.text());
                reads += 1;
            }
            reads
        });
    }
    let mut writers = JoinSet::new();
    for writer in READERS..READERS + WRITERS {
        let (portal, written) = (bus.portal(), Arc::clone(&written));
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let key = format!("w{writer}-r{round}");
                let answer = rename(&portal, &format!("P{writer:05}"), &key, &key).await;
                assert!(matches!(answer.status, 200 | 202), "{}: {}", answer.status, answer.text());
                written.fetch_add(1, Ordering::AcqRel);
            }
        });
    }
    eventually("a third is written", Duration::from_secs(60), async || written.load(Ordering::Acquire) > WRITERS * ROUNDS / 3)
        .await;
    let told = told_of(&bus, "interior-1").await;
    assert_eq!(told["connected"], true, "{told}");
    // As `kill -9` does.
    drop(first);
    while let Some(done) = writers.join_next().await {
        done.expect("every update is accepted");
    }
    for writer in READERS..READERS + WRITERS {
        let pin = format!("P{writer:05}");
        let expected: Vec<String> = (0..ROUNDS).map(|round| format!("w{writer}-r{round}")).collect();
        let mut last = Vec::new();
        let is_whole = async || {
            last = world.written(&pin);
            last.len() >= ROUNDS
        };
        eventually("every update is applied", Duration::from_secs(60), is_whole).await;
        assert_eq!(last, expected, "each once, and in the order in which they were accepted");
    }
    is_over.store(true, Ordering::Release);
    let mut reads = 0;
    while let Some(done) = readers.join_next().await {
        reads += done.expect("every read is answered");
    }
    assert!(reads > READERS * 10, "{reads} reads are too few to prove anything");
    assert_eq!(told_of(&bus, "interior-1").await["connected"], false);
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_the_load() {
    let world = World::new(&["sharing-1", "sharing-2"], 4);
    let bus = world.country.start().await;
    let (one, other) = (world.host("sharing-1"), world.host("sharing-2"));
    let (_first, _second) = (one.run(RABITA), other.run(RABITA));
    is_connected(&bus, "sharing-1").await;
    is_connected(&bus, "sharing-2").await;
    let portal = bus.portal();
    for round in 0..40 {
        let _ = portal.get(&format!("{PEOPLE}/P{:05}", round % 4)).await.good();
    }
    for host in ["sharing-1", "sharing-2"] {
        let calls = bus.metric("rabita_host_calls_total", &[host]).await;
        assert!(calls >= 10.0, "host {host} was given {calls} of 40 calls");
    }
    assert!(bus.stop().await);
}
