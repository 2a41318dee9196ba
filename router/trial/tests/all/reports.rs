//! What is written of results.

use std::path::Path;
use std::process::Command;

use rabita_trial::report::{json, junit, text};
use rabita_trial::{Options, Results};
use serde_json::json;

use super::support::{cars, run};

/// One that passes, one that fails with what XML cannot carry, one that is skipped.
async fn results() -> Results {
    let legacy = json!({ "CARS": [{ "PLATE": "A1", "COLOUR": "<red>&\u{1}" }] });
    let tests = json!([
        { "name": "reads \"a\" <car> & more", "legacy": legacy, "read": "A1", "expect_includes": { "plate": "A1" } },
        { "name": "fails", "legacy": legacy, "read": "A1", "expect": { "plate": "]]>" } },
        { "name": "is of the real registry", "live": true, "read": "A1", "expect_absent": true },
    ]);
    run(cars(), Some(tests), Options { coverage: true, ..Options::default() }).await
}

#[tokio::test]
async fn junit_has_the_shape_that_others_read() {
    let xml = junit::written(&results().await).expect("it is written");
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("results.xml");
    std::fs::write(&file, &xml).expect("it is written");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/junit.xsd");
    let held = Command::new("xmllint").arg("--noout").arg("--schema").arg(schema).arg(&file).output();
    let held = held.expect("xmllint is there: install libxml2-utils, or run deploy/desk setup --servers");
    assert!(held.status.success(), "{}\n{xml}", String::from_utf8_lossy(&held.stderr));
    assert!(xml.contains(r#"tests="3" failures="1" errors="0" skipped="1""#), "{xml}");
    assert!(xml.contains(r#"<testcase name="reads &quot;a&quot; &lt;car&gt; &amp; more" classname="cars""#), "{xml}");
    assert!(xml.contains(r#"<skipped message="runs only with --live"/>"#), "{xml}");
}

#[tokio::test]
async fn json_has_the_form_that_its_schema_describes() {
    let document = json::written(&results().await);
    let validator = jsonschema::validator_for(&json::schema()).expect("it is a schema");
    let wrong: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{document:#}");
    assert_eq!((&document["passed"], &document["failed"], &document["skipped"]), (&json!(1), &json!(1), &json!(1)));
    let cases = &document["suites"][0]["cases"];
    assert_eq!((&cases[0]["verdict"], &cases[0]["origin"]), (&json!("passed"), &json!("written")));
    assert!(cases[1]["why"].as_str().is_some_and(|why| why.starts_with("expected")), "{cases:#}");
    assert!(document["percent"].is_number() && document["coverage"]["registries"][0]["parts"].is_array(), "{document:#}");
}

#[tokio::test]
async fn text_tells_what_passed_what_failed_and_why() {
    let results = results().await;
    let told = text::suite(&results.suites[0]);
    assert!(told.starts_with("ok      cars: reads \"a\" <car> & more\nFAILED  cars: fails\n        expected {"), "{told}");
    assert_eq!(text::sums(&results, false), "1 passed, 1 failed, 1 run only with --live");
}
