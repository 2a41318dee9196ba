//! Written tests: what goes out, what comes back, and what is covered.

use rabita_trial::Options;
use serde_json::{Value, json};

use super::support::{cars, failures, run, run_of};

const PLAIN: Options = Options { live: false, coverage: false, cases: 0, seed: 0 };

fn asking(words: Value) -> Value {
    let mut test = json!({
        "name": "asks",
        "legacy": { "CARS": [{ "PLATE": "A1", "COLOUR": "red ", "FUEL": "B", "BUILT": 20240229, "DOORS": 4 }] }
    });
    test.as_object_mut().expect("an object").extend(words.as_object().expect("an object").clone());
    json!([test])
}

async fn told(words: Value) -> Vec<String> {
    failures(&run(cars(), Some(asking(words)), PLAIN).await)
}

#[tokio::test]
async fn a_test_passes_that_expects_what_is_answered() {
    let results = run(cars(), None, PLAIN).await;
    assert_eq!((results.counted(), failures(&results)), ((1, 0, 0), Vec::new()));
}

#[tokio::test]
async fn a_test_says_what_goes_out_to_the_registry_and_no_column_more() {
    let expect = json!({ "plate": "A1", "colour": "red" });
    let question = json!({ "statement": "select", "table": "CARS", "columns": ["PLATE", "COLOUR"], "parameters": ["A1"] });
    let read = |asked: Value| json!({ "read": "A1", "fields": ["plate", "colour"], "expect": expect, "expect_legacy": [asked] });
    assert_eq!(told(read(question.clone())).await, [""; 0]);
    let mut more = question;
    more["columns"] = json!(["PLATE", "COLOUR", "DOORS"]);
    let wrong = told(read(more)).await;
    assert!(wrong.len() == 1 && wrong[0].contains("/columns: expected [\"PLATE\",\"COLOUR\",\"DOORS\"]"), "{wrong:?}");
}

#[tokio::test]
async fn a_test_of_a_change_says_what_is_written() {
    let change = |asked: Value| {
        let change = json!({ "operation": "update", "key": "A1", "record": { "colour": "blue", "fuel": "diesel" } });
        json!({ "change": change, "expect_legacy": [asked] })
    };
    let right = json!({ "statement": "update", "columns": ["COLOUR", "FUEL"], "parameters": ["blue", "D", "A1"] });
    assert_eq!(told(change(right)).await, [""; 0]);
    let wrong = told(change(json!({ "parameters": ["blue", "B", "A1"] }))).await;
    assert!(wrong.len() == 1 && wrong[0].contains("/parameters"), "{wrong:?}");
}

#[tokio::test]
async fn a_change_that_fails_is_known_by_its_code() {
    let create = json!({ "operation": "create", "record": { "plate": "A1" } });
    assert_eq!(told(json!({ "change": create, "expect_error": "record_exists" })).await, [""; 0]);
    let update = json!({ "operation": "update", "key": "B2", "record": { "colour": "blue" } });
    assert_eq!(told(json!({ "change": update, "expect_error": "record_absent" })).await, [""; 0]);
    assert_eq!(told(json!({ "change": update, "expect_error": "registry_refused" })).await.len(), 1);
}

#[tokio::test]
async fn a_test_of_rest_says_what_is_requested() {
    let manifest = json!({
        "registry": "cars", "agency": "interior",
        "connector": { "kind": "rest", "url": "https://registry.invalid" },
        "contract": { "v1": { "cars": {
            "schema": { "type": "object", "properties": { "plate": { "type": "string" }, "colour": { "type": "string" } } },
            "key": "plate",
            "from": { "read": { "path": "/cars/{plate}" } },
            "fields": { "plate": "plate", "colour": "colour" },
            "operations": { "read": {} }
        } } },
    });
    let tests = |path: &str| {
        json!([{
            "name": "asks",
            "legacy": [{ "request": { "path": "/cars/A 1" }, "response": { "json": { "plate": "A 1", "colour": "red" } } }],
            "read": "A 1",
            "expect": { "plate": "A 1", "colour": "red" },
            "expect_legacy": [{ "method": "GET", "path": path, "headers": { "accept": "application/json" } }]
        }])
    };
    let results = run_of(rabita_rest::kind(), manifest.clone(), Some(tests("/cars/A 1")), PLAIN).await;
    assert_eq!(failures(&results), [""; 0]);
    let wrong = failures(&run_of(rabita_rest::kind(), manifest, Some(tests("/lorries/A 1")), PLAIN).await);
    assert!(wrong.len() == 1 && wrong[0].contains("/path: expected \"/lorries/A 1\", got \"/cars/A 1\""), "{wrong:?}");
}

#[tokio::test]
async fn coverage_tells_what_no_test_touches_and_counts_only_what_passed() {
    let options = Options { coverage: true, ..PLAIN };
    let results = run(cars(), None, options).await;
    let coverage = results.coverage.expect("it was asked for");
    let told: Vec<(&str, usize, Vec<String>)> =
        coverage.registries[0].parts.iter().map(|part| (part.sort.as_str(), part.total, part.untouched.clone())).collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            ("fields", 5, words(&[])),
            ("operations", 5, words(&["search", "create", "update", "delete"])),
            ("filters", 1, words(&["fuel"])),
            ("faults", 3, words(&["record_absent", "record_exists", "registry_broke_contract"])),
            ("codes", 2, words(&["D"])),
        ]
    );
    assert!((coverage.percent() - 7.0 / 16.0 * 100.0).abs() < 0.01, "{}", coverage.percent());
    let failing = asking(json!({ "read": "A1", "expect": { "plate": "A2" } }));
    let results = run(cars(), Some(failing), options).await;
    assert!(results.coverage.is_some_and(|coverage| coverage.percent() < 0.01), "a test that fails covers nothing");
}
