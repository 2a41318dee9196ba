//! Which drops are taken, and which refused.

use rabita_sdk::Failure;
use serde_json::{Value, json};

use crate::support::Registry;

const FIRST: &str = "pin,name,rev\nA1,Leyla,1\nA2,Murad,1\nA3,Aysel,1\nA4,Orxan,1\n";

async fn with(settings: &Value, from: &Value) -> Registry {
    let mut registry = Registry::new(settings, from);
    registry.drop("people-1.csv", FIRST);
    registry.open().await;
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_drop_is_refused_whole_with_a_report_and_the_old_one_stays() {
    let registry = with(&json!({}), &json!({})).await;
    registry.drop("people-2.csv", "pin,name,rev\nA1,Secret,2\nA2,Murad\n,Nobody,1\nA3,Aysel,1\n");
    let failure = registry.is_told("people-2.csv, line 3: expected 3 columns, and there are 2; 2 faults in all").await;
    assert!(matches!(failure, Failure::Malformed { .. }), "{failure:?}");
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    let reports = registry.reports();
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(
        (&report["entity"], &report["files"], &report["faults_found"]),
        (&"v1/people".into(), &json!(["people-2.csv"]), &2.into())
    );
    assert_eq!(
        report["faults"][1],
        json!({ "file": "people-2.csv", "line": 4, "column": "pin",
        "expected": "a value: this is the key, or a part of it" })
    );
    assert!(!report.to_string().contains("Secret") && !report.to_string().contains("Nobody"), "{report}");

    registry.drop("people-3.csv", &FIRST.replace("Leyla", "Lalə"));
    registry.becomes("A1", Some(("Lalə", "1"))).await;
    assert_eq!(registry.connector().probe(&crate::support::call()).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_there_twice_is_told_with_both_lines() {
    let registry = with(&json!({}), &json!({})).await;
    registry.drop("people-2.csv", &format!("{FIRST}A2,Other,1\n"));
    registry.is_told("people-2.csv, line 6, column pin: expected a key of its own: line 3 of people-2.csv has the same").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_lacks_too_many_records_is_refused() {
    let registry = with(&json!({ "arrival": { "shrink_max_percent": 25 } }), &json!({})).await;
    registry.drop("people-2.csv", "pin,name,rev\nA1,Leyla,2\nA2,Murad,2\n");
    registry.is_told("3 records at least, and there are 2").await;
    registry.drop("people-3.csv", "pin,name,rev\nA1,Leyla,3\nA2,Murad,3\nA3,Aysel,3\n");
    registry.becomes("A1", Some(("Leyla", "3"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_waits_for_its_marker() {
    let mut registry = Registry::new(&json!({ "arrival": { "marker": "{name}.done" } }), &json!({}));
    registry.drop("people-1.csv", FIRST);
    registry.open().await;
    registry.is_told("has no marker beside it yet").await;
    assert!(matches!(registry.read("A1").await, Err(Failure::Unavailable { .. })));
    registry.drop("people-1.csv.done", "");
    registry.becomes("A1", Some(("Leyla", "1"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_still_written_to_is_not_taken() {
    let mut registry = Registry::new(&json!({ "arrival": { "settle_ms": 300 } }), &json!({}));
    let path = registry.directory.path().join("drops/people-1.csv");
    std::fs::write(&path, "pin,name,rev\nA1,Ley").expect("half a file");
    registry.open().await;
    // Written on at intervals that are shorter than it takes to count as whole.
    for _ in 0..10 {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        let text = std::fs::read_to_string(&path).expect("the file");
        std::fs::write(&path, format!("{text}l")).expect("more of the file");
        assert!(registry.indexes().is_empty(), "half a file was taken");
    }
    std::fs::write(&path, FIRST).expect("the file");
    registry.becomes("A1", Some(("Leyla", "1"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_together_are_a_drop() {
    let registry = with(&json!({}), &json!({ "take": "all" })).await;
    registry.drop("people-2.csv", "pin,name,rev\nB1,Nigar,1\n");
    registry.becomes("B1", Some(("Nigar", "1"))).await;
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    registry.drop("people-3.csv", "pin,name,rev\nA1,Again,1\n");
    registry.is_told("people-3.csv, line 2, column pin: expected a key of its own: line 2 of people-1.csv").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_the_index_although_the_file_is_gone() {
    let mut registry = with(&json!({}), &json!({})).await;
    let before = registry.indexes();
    std::fs::remove_file(registry.directory.path().join("drops/people-1.csv")).expect("the file");
    registry.open().await;
    assert_eq!(registry.read("A1").await, Ok(Some(("Leyla".to_owned(), "1".to_owned()))));
    assert_eq!(registry.indexes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_manifest_has_the_index_made_anew() {
    let mut registry = with(&json!({}), &json!({})).await;
    registry.spec.entities[0].from["format"]["delimited"]["types"] = json!({ "rev": "integer" });
    registry.open().await;
    registry.becomes("A2", Some(("Murad", "1"))).await;
    registry.drop("people-2.csv", &FIRST.replace(",1\n", ",x\n"));
    registry.is_told("line 2, column rev: expected a whole number in decimal digits; 4 faults in all").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_another_registry_is_not_taken() {
    let registry = with(&json!({}), &json!({})).await;
    let mut other = registry.spec.clone();
    other.registry = rabita_model::RegistryId::new("others").expect("an id");
    let opened = rabita_files::kind().open(other, &NoSecrets).await;
    let said = opened.err().expect("it is refused").to_string();
    assert!(said.contains("belongs to the registry `people`"), "{said}");
}

struct NoSecrets;

impl rabita_sdk::Secrets for NoSecrets {
    fn resolve(&self, _secret: &rabita_sdk::SecretRef) -> Result<rabita_sdk::SecretText, String> {
        Err("there are no secrets".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_indexes_go_but_for_the_one_before() {
    let registry = with(&json!({}), &json!({})).await;
    for number in 2..6 {
        registry.drop(&format!("people-{number}.csv"), &FIRST.replace(",1\n", &format!(",{number}\n")));
        registry.becomes("A4", Some(("Orxan", &number.to_string()))).await;
    }
    let began = std::time::Instant::now();
    while registry.indexes().len() != 2 {
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", registry.indexes());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
