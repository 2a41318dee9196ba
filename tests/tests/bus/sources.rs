//! A registry that comes as files, and whose source goes away.

use std::time::Duration;

use rabita_tests::bus::{Bus, Country};
use rabita_tests::eventually;
use serde_json::Value;

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
    country.file("drops/people.csv", "FIN;SOYAD;OLKE\n5ZJBKH7;Əliyeva;031\n");
    country.file("drops/countries.csv", "KOD;AD\n031;AZ\n792;TR\n");
    country.file("registries/people.yaml", MANIFEST);
    country
        .grants("people", &["{ system: portal, version: v1, entity: persons, operations: [read], fields: all, purposes: any }"]);
    let bus = country.start().await;
    eventually("the drops are read", LONG, async || health(&bus, "people").await.0).await;
    assert_eq!(bus.portal().get(AYGUN).await.good().json()["country"], "AZ");
    assert!(bus.stop().await);

    // The disk of the agency is away, as a mount that did not come up.
    std::fs::rename(country.path().join("drops"), country.path().join("elsewhere")).expect("a directory");
    let bus = country.start().await;
    eventually("it was asked", LONG, async || health(&bus, "people").await.1 != "not asked yet").await;
    let (is_ready, why) = health(&bus, "people").await;
    assert!(!is_ready && why.contains("unavailable"), "operators see that the source is away: {why}");
    assert_eq!(bus.portal().get(AYGUN).await.good().json()["country"], "AZ", "it serves what it has, the codes with it");
    assert!(bus.stop().await);
}

const MANIFEST: &str = r#"
registry: people
agency: interior
connector:
  kind: files
  source: { directory: drops }
  index: index
  arrival: { poll_ms: 100, settle_ms: 0 }
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, family, country]
        properties:
          pin: { title: PIN, type: string, pattern: "^[0-9A-Z]{7}$" }
          family: { title: Family name, type: string, minLength: 1 }
          country: { title: Country, type: string, pattern: "^[A-Z]{2}$" }
      key: pin
      from: { file: people.csv, format: { delimited: { delimiter: ";", encoding: utf-8 } } }
      fields: { pin: FIN, family: SOYAD, country: { from: OLKE, codec: { codes: countries } } }
      operations: { read: {} }
codes:
  countries: { from: { file: countries.csv, format: { delimited: { delimiter: ";", encoding: utf-8 } } }, code: KOD, value: AD }
"#;
