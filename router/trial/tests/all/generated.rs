//! Generated tests: they hold where a manifest is right, and find where it is not.

use rabita_trial::{Options, Verdict};
use serde_json::json;

use super::support::{cars, failures, run};

const GENERATED: Options = Options { live: false, coverage: false, cases: 60, seed: 7 };

#[tokio::test]
async fn what_is_right_holds_whatever_is_written_and_read() {
    let results = run(cars(), Some(json!([])), GENERATED).await;
    assert_eq!(failures(&results), [""; 0]);
    let names: Vec<&str> = results.suites[0].cases.iter().map(|case| case.name.as_str()).collect();
    let expected = [
        "what `create` writes",
        "what `update` writes",
        "what `create` makes in the stand-in",
        "legacy rows become",
        "each meaning",
    ];
    for (name, part) in names.iter().zip(expected) {
        assert!(name.contains(part), "{names:?}");
    }
    assert!(!names[0].contains(": 0 held") && !names[2].contains(": 0 held") && !names[3].contains(": 0 held"), "{names:?}");
}

#[tokio::test]
async fn rows_of_aliased_tables_are_made_whole() {
    let mut manifest = cars();
    let cars = &mut manifest["contract"]["v1"]["cars"];
    cars["from"] = json!({ "table": "CARS", "as": "c" });
    cars["fields"]["plate"] = json!("c.PLATE");
    cars["fields"]["doors"] = json!("c.DOORS");
    cars["fields"]["fuel"]["from"] = json!("c.FUEL");
    let results = run(manifest, Some(json!([])), GENERATED).await;
    assert_eq!(failures(&results), [""; 0]);
    let rows = results.suites[0].cases.iter().find(|case| case.name.contains("legacy rows")).expect("it is among them");
    assert!(!rows.name.contains(": 0 held"), "{}", rows.name);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_cases() {
    let told = async |seed| {
        let results = run(cars(), Some(json!([])), Options { seed, cases: 20, ..GENERATED }).await;
        results.suites[0].cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(3).await, told(3).await);
}

#[tokio::test]
async fn an_expression_that_does_not_come_back_is_found_shown_small_and_can_be_tried_again() {
    let mut manifest = cars();
    let cars = &mut manifest["contract"]["v1"]["cars"];
    cars["fields"]["colour"] = json!({
        "from": "COLOUR", "read": "legacy.COLOUR", "write": { "COLOUR": "record.colour + '!'" }
    });
    let wrong = failures(&run(manifest.clone(), Some(json!([])), GENERATED).await);
    assert!(
        wrong.iter().any(|why| why.contains("what comes back is not what was given") && why.contains("/colour")),
        "{wrong:#?}"
    );
    let again = wrong[0].rsplit("--seed ").next().and_then(|rest| rest.split(' ').next()).expect("it tells the seed");
    let seed = again.parse().expect("a number");
    let once = failures(&run(manifest, Some(json!([])), Options { seed, cases: 1, ..GENERATED }).await);
    assert!(!once.is_empty(), "one case of that seed shows it again");
}

#[tokio::test]
async fn a_meaning_that_the_schema_does_not_list_is_found() {
    let mut manifest = cars();
    manifest["codes"]["fuels"]["E"] = json!("electric");
    let wrong = failures(&run(manifest, Some(json!([])), GENERATED).await);
    assert!(wrong.iter().any(|why| why.contains("the schema does not list \"electric\"")), "{wrong:#?}");
}

#[tokio::test]
async fn a_date_that_the_codec_knows_and_the_schema_refuses_is_found() {
    let mut manifest = cars();
    manifest["contract"]["v1"]["cars"]["fields"]["built_on"]["codec"]["date"]["partial"] = json!(true);
    let wrong = failures(&run(manifest, Some(json!([])), GENERATED).await);
    assert!(
        wrong.iter().any(|why| why.contains("a codec makes of a value that it knows what the schema refuses: /built_on")),
        "{wrong:#?}"
    );
}

#[tokio::test]
async fn nothing_is_generated_of_the_real_registry() {
    let results = run(cars(), None, Options { live: true, ..GENERATED }).await;
    let cases = &results.suites[0].cases;
    assert!(cases.len() == 1 && matches!(cases[0].verdict, Verdict::Skipped { .. }));
}
