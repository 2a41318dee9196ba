//! The connector in Python, when it dials out: what `connectors/wire/examples/python/dial.py` serves.

use rabita_tests::bus::{Authority, Program};
use rabita_tests::eventually;
use rabita_tests::python::{example, python};
use rabita_tests::scratch::Scratch;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{PATIENCE, PEOPLE, World, is_connected, rename, told_of};

const HOST: &str = "people-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_in_another_language_dials_in_and_serves_a_registry() {
    let world = World::new(&[HOST], 0);
    let mut manifest: Value =
        rabita_tests::bus::people_manifest(&json!({ "kind": "wire", "at": "host", "duplicates": "detected" }), &world.spec());
    manifest["contract"]["v1"]["people"]["from"] = json!("people");
    world.country.file("registries/people.yaml", &manifest.to_string());
    let bus = world.country.start().await;

    let scratch = Scratch::new("python-host");
    let identity = Authority::get().host(HOST);
    let file = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        std::fs::write(&path, text).expect("a scratch directory can be written");
        path.display().to_string()
    };
    let (certificate, key) = (file("host.pem", &identity.certificate), file("host.key", &identity.key));
    let authority = file("bus-ca.pem", &Authority::get().certificate);
    let database = scratch.path().join("people.sqlite").display().to_string();
    let interpreter = tokio::task::spawn_blocking(python).await.expect("a Python with h2");
    let (script, door) = (example().join("dial.py").display().to_string(), world.door.to_string());
    let arguments = [
        script.as_str(),
        "--bus",
        &door,
        "--name",
        HOST,
        "--file",
        &database,
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--authority",
        &authority,
    ];
    let host = Program::run(interpreter.to_str().expect("a path in UTF-8"), &arguments);
    let waited = tokio::time::timeout(PATIENCE, is_connected(&bus, HOST)).await;
    assert!(waited.is_ok(), "{}", host.said());
    let told = told_of(&bus, HOST).await;
    assert_eq!((&told["software"], &told["remarks"]), (&json!("people.py 1.0"), &json!([])), "{told}");

    let portal = bus.portal();
    let person =
        json!({ "pin": "P1", "family": "Əliyeva", "given": "Şəhla", "born": "1978-03-01", "notes": "x".repeat(200_000) });
    let create = portal.request(Method::POST, PEOPLE).header("idempotency-key", "made").json(&person);
    let made = portal.sent(create).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let read = portal.get(&format!("{PEOPLE}/P1")).await.good().json();
    assert_eq!((&read["family"], &read["notes"]), (&person["family"], &person["notes"]));
    assert_eq!(rename(&portal, "P1", "Quliyeva", "renamed").await.status, 200);
    assert_eq!(rename(&portal, "P1", "Quliyeva", "renamed").await.status, 200, "the same key is the same change");
    assert_eq!(portal.get(&format!("{PEOPLE}/P1")).await.good().json()["version"], 2);
    // Many at once, each to its own asker.
    let asked = (0..40).map(|_| portal.get("/api/people/v1/people?family=Quliyeva"));
    for found in futures_util::future::join_all(asked).await {
        assert_eq!(found.good().json()["records"].as_array().map(Vec::len), Some(1));
    }
    let _ = portal.get(&format!("{PEOPLE}/P2")).await.refused(404, "record_absent");
    drop(host);
    eventually("its end is noticed", PATIENCE, async || told_of(&bus, HOST).await["connected"] == false).await;
    assert!(bus.stop().await);
}
