//! The two copies of a manifest: the bus's, which has no settings, and the host's.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::RABITA;
use super::world::{PEOPLE, World, is_connected, is_served, told_of};

const HOST: &str = "interior-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_differ_are_told_with_the_entity_and_what_differs() {
    let world = World::new(&[HOST, "interior-2"], 2);
    let bus = world.country.start().await;
    let directory = world.host(HOST);
    let mut other = world.host_manifest();
    let people = &mut other["contract"]["v1"]["people"];
    people["from"] = json!({ "table": world.table });
    people["operations"]["search"]["by"] = json!({ "family": { "compare": ["equals"] } });
    directory.registry(&other);
    let _host = directory.run(RABITA);
    is_connected(&bus, HOST).await;
    let why = "its copy of the manifest is another: v1/people differs in `from` and `search`; give both sides the same contract and mapping";
    let told = told_of(&bus, HOST).await;
    assert_eq!(told["registries"]["people"]["not_asked"], json!([why]), "{told}");
    let _ = bus.portal().get(&format!("{PEOPLE}/P00001")).await.refused(503, "registry_unavailable");
    // One whose copy is the same is asked, beside the other.
    let right = world.host("interior-2");
    let _right = right.run(RABITA);
    is_served(&bus, "P00001").await;
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_can_do_less_than_the_bus_relies_on_is_not_asked() {
    let world = World::new(&[HOST], 2);
    let bus = world.country.start().await;
    let directory = world.host(HOST);
    let mut less = world.host_manifest();
    less["connector"].as_object_mut().expect("settings").remove("once");
    directory.registry(&less);
    let _host = directory.run(RABITA);
    is_connected(&bus, HOST).await;
    let why = "`v1/people`: the manifest says `duplicates: detected`, and it is `applied` there";
    let told = told_of(&bus, HOST).await;
    assert_eq!(told["registries"]["people"]["not_asked"], json!([why]), "{told}");
    assert!(bus.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_run_on_the_hosts_copy_and_the_buss_says_where() {
    let world = World::new(&[HOST], 2);
    let directory = world.host(HOST);
    let mut manifest = world.host_manifest();
    let row = json!({ "pin": "P00001", "family": "Aliyeva", "given": "Leyla", "born": "1978-03-01", "version": 1 });
    manifest["tests"] = json!([{
        "name": "reads a person", "live": true, "legacy": { world.table.as_str(): [row] },
        "read": "P00001", "fields": ["pin"], "expect": { "pin": "P00001" },
    }]);
    directory.registry(&manifest);
    let told = |directory: &Path, words: &[&str]| {
        let done = Command::new(RABITA).args(["connector", "test"]).arg(directory).args(words).output().expect("it runs");
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    for words in [&["people"][..], &["people", "--live"], &[]] {
        let (is_good, said) = told(directory.path(), words);
        assert!(is_good && said.contains("ok      people: reads a person") && said.contains("1 passed"), "{words:?}: {said}");
    }
    let why = "people: not tested: its connector runs in a host, and this copy of the manifest has no settings of kind `sql`; \
               run `rabita connector test DIR people` with the host's directory";
    let (is_good, said) = told(world.country.path(), &["people"]);
    assert!(!is_good && said.contains(why), "{said}");
    let (is_good, said) = told(world.country.path(), &[]);
    assert!(is_good && said.contains(why) && said.contains("0 passed, 0 failed"), "{said}");
}
