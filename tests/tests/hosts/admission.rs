//! Who may dial in, and with what.

use rabita_battery::Person;
use rabita_tests::bus::Authority;
use rabita_tests::eventually;
use serde_json::json;

use super::RABITA;
use super::world::{PATIENCE, PEOPLE, World, is_connected, is_refused, is_served, told_of};

const HOST: &str = "interior-1";
/// Of one test alone: metrics are of the whole process.
const LONE: &str = "lone-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_the_registry_is_unavailable_and_readyz_says_why() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let answer = bus.portal().get(&format!("{PEOPLE}/P00000")).await.refused(503, "registry_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    let why = "it has not dialled in since the start of this node";
    assert_eq!(told_of(&bus, HOST).await, json!({ "connected": false, "why": why }));
    eventually("the registry is told to be unready", PATIENCE, async || {
        bus.told("/readyz").await.1.contains("no host of the registry's agency is connected")
    })
    .await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dials_in_is_asked_and_one_that_is_stopped_leaves_in_good_order() {
    let world = World::new(&[LONE], 2);
    let bus = world.country.start().await;
    let directory = world.host(LONE);
    let host = directory.run(RABITA);
    is_served(&bus, "P00001").await;
    let read = bus.portal().get(&format!("{PEOPLE}/P00001")).await.good().json();
    assert_eq!(read["family"], Person::numbered(1).family.as_str());
    let told = told_of(&bus, LONE).await;
    assert_eq!((&told["wire"], &told["registries"]["people"]["answers"]), (&json!(1), &json!(true)), "{told}");
    assert!((bus.metric("rabita_host_connected", &[LONE]).await - 1.0).abs() < f64::EPSILON);
    host.terminate().await;
    let (status, said) = host.ended().await;
    assert!(status.success(), "{said}");
    is_refused(&bus, LONE, "the connection ended").await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_come_back_by_themselves_when_the_bus_was_restarted() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let directory = world.host(HOST);
    let _host = directory.run(RABITA);
    is_served(&bus, "P00001").await;
    assert!(bus.stop().await);
    let bus = world.country.start().await;
    is_served(&bus, "P00001").await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_a_certificate_of_another_authority_is_refused() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let directory = world.host_with(HOST, &Authority::foreign_host(HOST));
    let host = directory.run(RABITA);
    let refused = async || bus.metric("rabita_handshakes_failed_total", &["authority_unknown"]).await > 0.0;
    eventually("the handshake is refused", PATIENCE, refused).await;
    eventually("the host says so", PATIENCE, async || host.said().contains("not connected to the bus")).await;
    assert_eq!(told_of(&bus, HOST).await["connected"], false);
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_certificate_is_taken_back_loses_its_connection_and_gets_no_other() {
    const SERIAL: u64 = 77;
    let world = World::new(&[HOST], 2);
    let list = |serials: &[u64]| world.country.file("tls/hosts.crl", &Authority::get().taken_back(serials, 86_400));
    list(&[]);
    world.admit(&[HOST], ", revocations: tls/hosts.crl");
    let bus = world.country.start().await;
    let directory = world.host_with(HOST, &Authority::get().host_of(HOST, SERIAL));
    let _host = directory.run(RABITA);
    is_served(&bus, "P00001").await;
    list(&[SERIAL]);
    is_refused(&bus, HOST, "its certificate no longer holds").await;
    let refused = async || bus.metric("rabita_handshakes_failed_total", &["certificate_revoked"]).await > 0.0;
    eventually("it tries again and is refused", PATIENCE, refused).await;
    let _ = bus.portal().get(&format!("{PEOPLE}/P00001")).await.refused(503, "registry_unavailable");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_no_longer_admitted_is_parted_with_at_once() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let directory = world.host(HOST);
    let host = directory.run(RABITA);
    is_served(&bus, "P00001").await;
    world.admit(&["interior-2"], "");
    eventually("the host is told", PATIENCE, async || host.said().contains("no host that this bus admits")).await;
    let _ = bus.portal().get(&format!("{PEOPLE}/P00001")).await.refused(503, "registry_unavailable");
    world.admit(&[HOST], "");
    is_served(&bus, "P00001").await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_announces_a_registry_that_is_not_its_own_is_not_asked_for_it() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let directory = world.host(HOST);
    let mut other = world.host_manifest();
    other["registry"] = json!("treasury");
    directory.registry(&other);
    let host = directory.run(RABITA);
    is_served(&bus, "P00001").await;
    let remark = "registry `treasury`: this host is not admitted to serve it";
    assert_eq!(told_of(&bus, HOST).await["remarks"], json!([remark]));
    eventually("the host is told", PATIENCE, async || host.said().contains(remark)).await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_serves_nothing_of_its_own_or_takes_anothers_name_is_refused() {
    let world = World::new(&[HOST, "interior-2"], 2);
    let bus = world.country.start().await;
    let alone = rabita_tests::bus::HostDirectory::new("interior-2", &[world.door]);
    let mut other = world.host_manifest();
    other["registry"] = json!("treasury");
    alone.registry(&other);
    let _alone = alone.run(RABITA);
    is_refused(&bus, "interior-2", "not admitted to serve it").await;
    // The certificate is the first one's, the name the second's.
    let named = world.host_with("interior-2", &Authority::get().host(HOST));
    let _named = named.run(RABITA);
    is_refused(&bus, HOST, "its certificate is that of host `interior-1`, and it calls itself `interior-2`").await;
    let _ = bus.portal().get(&format!("{PEOPLE}/P00001")).await.refused(503, "registry_unavailable");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_of_a_host_takes_the_place_of_the_first() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let (first, second) = (world.host(HOST), world.host(HOST));
    let first = first.run(RABITA);
    is_connected(&bus, HOST).await;
    let second = second.run(RABITA);
    eventually("the first is cut off", PATIENCE, async || first.said().contains("not connected to the bus")).await;
    drop(first);
    eventually("the second is connected", PATIENCE, async || second.said().contains("connected to the bus")).await;
    is_served(&bus, "P00001").await;
    assert!(bus.stop().await);
}
