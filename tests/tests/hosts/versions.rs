//! Hosts of other releases: one version apart works together, two apart are told plainly.

use std::sync::Arc;
use std::time::Duration;

use rabita_battery::world::NoSecrets;
use rabita_tests::bus::Authority;
use rabita_tests::eventually;
use rabita_wire::{Line, LineStatus, Served, Versions};
use rustls_pki_types::ServerName;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::world::{PATIENCE, World, host_tls, is_refused, is_served, told_of};

const HOST: &str = "interior-1";

/// A host of another release: what it serves is the same.
async fn dials(world: &World, versions: Versions) -> (watch::Receiver<LineStatus>, JoinHandle<()>) {
    let spec = world.spec();
    let connector = rabita_sql::kind().open(spec.clone(), &NoSecrets).await.expect("the connector opens");
    let mut served = Served::new(HOST, "another release");
    served.versions = versions;
    let status = watch::Sender::new(LineStatus::Down(None));
    let watched = status.subscribe();
    let line = Line {
        address: world.door.to_string(),
        server_name: ServerName::try_from("127.0.0.1").expect("an address"),
        tls: host_tls(&Authority::get().host(HOST)),
        served: Arc::new(served.with(spec, "sql", connector)),
        drain: Duration::from_secs(1),
        status,
    };
    (watched, tokio::spawn(line.run(Default::default())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_the_next_release_speaks_the_version_of_this_one() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let (_status, line) = dials(&world, Versions { oldest: 1, newest: 2 }).await;
    is_served(&bus, "P00001").await;
    assert_eq!(told_of(&bus, HOST).await["wire"], json!(1));
    line.abort();
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_two_releases_ahead_is_refused_and_both_sides_say_why() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let (mut status, line) = dials(&world, Versions { oldest: 2, newest: 3 }).await;
    let why = "it speaks version 2 to 3 of the wire contract, and was asked for 1: renew whichever is older";
    is_refused(&bus, HOST, why).await;
    let is_told = async || matches!(&*status.borrow_and_update(), LineStatus::Down(Some(told)) if told.contains(why));
    eventually("the host knows too", PATIENCE, is_told).await;
    line.abort();
    assert!(bus.stop().await);
}
