//! Registries whose source changes behind the bus's back: files that go away, a column that is lost.

use std::time::Duration;

use rabita_tests::bus::{Authority, Bus, Caller, Country, Program, Speaks, of_persons};
use rabita_tests::eventually;
use serde_json::Value;

use crate::lifecycle::RABITA;
use crate::register;

const LONG: Duration = Duration::from_secs(30);
const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

/// Whether the registry is ready, and what else operators are told of it.
async fn health(bus: &Bus, registry: &str) -> (bool, String) {
    let (_, text) = bus.told("/readyz").await;
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let told = &told["registries"][registry];
    (told["ready"] == true, told["why"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_registry_of_files_that_starts_while_its_source_is_away_answers_with_its_code_tables() {
    let country = Country::new();
    country.file("drops/people.csv", "FIN;SOYAD;CINS\n5ZJBKH7;Əliyeva;2\n");
    country.file("drops/sexes.csv", "KOD;AD\n1;male\n2;female\n");
    country.file("registries/people.yaml", &of_persons("people", CONNECTOR, REST));
    country
        .grants("people", &["{ system: portal, version: v1, entity: persons, operations: [read], fields: all, purposes: any }"]);
    let bus = country.start().await;
    eventually("the drops are read", LONG, async || health(&bus, "people").await.0).await;
    assert_eq!(bus.portal().get(AYGUN).await.good().json()["sex"], "female");
    assert!(bus.stop().await);

    // The disk of the agency is away, as a mount that did not come up.
    std::fs::rename(country.path().join("drops"), country.path().join("elsewhere")).expect("a directory");
    let bus = country.start().await;
    eventually("it was asked", LONG, async || health(&bus, "people").await.1 != "not asked yet").await;
    let (is_ready, why) = health(&bus, "people").await;
    assert!(!is_ready && why.contains("unavailable"), "operators see that the source is away: {why}");
    assert_eq!(bus.portal().get(AYGUN).await.good().json()["sex"], "female", "it serves what it has, the codes with it");
    assert!(bus.stop().await);
}

const CONNECTOR: &str =
    "connector: { kind: files, source: { directory: drops }, index: index, arrival: { poll_ms: 100, settle_ms: 0 } }";

const REST: &str = r#"
      from: { file: people.csv, format: { delimited: { delimiter: ";", encoding: utf-8 } } }
      fields: { pin: FIN, name.family: SOYAD, sex: { from: CINS, codec: { codes: sex } } }
      operations: { read: {} }
codes:
  sex: { from: { file: sexes.csv, format: { delimited: { delimiter: ";", encoding: utf-8 } } }, code: KOD, value: AD }
"#;

#[tokio::test]
async fn a_column_that_is_lost_while_the_bus_runs_is_told_of_by_entity_and_name() {
    let country = register::country("").await;
    country.node("telemetry: { log: json }");
    let program = Program::serve(RABITA, country.path());
    let addresses = program.addresses().await;
    let portal = Caller::new(addresses[0], Some(&Authority::get().portal), Speaks::Either);
    let person = format!("/api/register/v1/persons/{}", register::pin(3));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let health = async || {
        let told = client.get(format!("http://{}/readyz", addresses[2])).send().await.expect("an answer");
        told.json::<Value>().await.expect("JSON")["registries"]["register"].clone()
    };
    eventually("the register is ready", LONG, async || health().await["ready"] == true).await;
    assert_eq!(portal.get(&person).await.good().json()["birth_date"], "1978-03");

    register::run(&country, "ALTER TABLE VATANDASH DROP COLUMN DOGUM").await;
    let answer = portal.get(&person).await.refused(502, "registry_broke_contract");
    assert_eq!(answer.json()["blame"], "registry");
    assert!(!answer.text().contains("DOGUM"), "callers know nothing of its columns: {}", answer.text());
    let is_told = |why: &str| why.contains("persons") && why.contains("DOGUM");
    eventually("operators are told", LONG, async || health().await["why"].as_str().is_some_and(is_told)).await;

    register::run(&country, "ALTER TABLE VATANDASH ADD COLUMN DOGUM INTEGER").await;
    eventually("it is ready again", LONG, async || health().await["ready"] == true).await;
    let _ = portal.get(&person).await.good();
    program.terminate().await;
    let (_, said) = program.ended().await;
    for event in ["registry unready", "exchange refused"] {
        let line = said.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("no `{event}`:\n{said}"));
        assert!(is_told(line), "{line}");
    }
}
