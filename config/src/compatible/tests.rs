//! What breaks whom, on one manifest and its changes.

use std::path::Path;

use super::compatible;

const MANIFEST: &str = r#"registry: cars
agency: interior
connector: { kind: sql, url: "sqlite:cars.sqlite" }
contract:
  v1:
    cars:
      schema:
        type: object
        additionalProperties: false
        required: [plate, colour]
        properties:
          plate: { type: string, pattern: "^[A-Z0-9]{1,8}$" }
          colour: { type: string, maxLength: 20 }
          fuel: { enum: [petrol, diesel] }
          owner:
            type: object
            additionalProperties: false
            properties: { name: { type: string }, born_on: { type: string, format: date } }
      key: plate
      from: CARS
      version: REV
      fields:
        plate: PLATE
        colour: COLOUR
        fuel: FUEL
        owner.name: OWNER
        owner.born_on: BORN
        photo: { from: PHOTO, binary: { media_type: image/jpeg } }
      operations:
        read: { max_keys: 20 }
        search: { by: { colour: [equals, prefix], fuel: [equals] }, max: 50 }
        create: { fields: [plate, colour, fuel] }
        update: { fields: [colour, fuel] }
        delete: {}
      actions:
        scrap:
          request: { type: object, additionalProperties: false, properties: { reason: { enum: [rust, crash] } } }
          fields: { reason: REASON }
          reply: { schema: { type: object, properties: { decision: { type: string } } }, fields: { decision: NO } }
          from: { sql: "UPDATE CARS SET REASON = :REASON" }
"#;

fn written(directory: &Path, manifest: &str) {
    let registries = directory.join("registries");
    std::fs::create_dir_all(&registries).expect("a scratch directory can be written");
    std::fs::write(registries.join("cars.yaml"), manifest).expect("a scratch directory can be written");
}

/// What is said of the manifest with one text in place of another.
fn told(from: &str, to: &str) -> Vec<String> {
    assert!(MANIFEST.contains(from), "{from}");
    changed(&MANIFEST.replacen(from, to, 1))
}

fn changed(manifest: &str) -> Vec<String> {
    let (old, new) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    written(old.path(), MANIFEST);
    written(new.path(), manifest);
    let report = compatible(new.path(), old.path(), "main").unwrap_or_else(|report| panic!("{report}"));
    report.findings.iter().map(|finding| format!("{}:{} {}", finding.line, finding.column, finding.message)).collect()
}

fn is_told(from: &str, to: &str, expected: &[&str]) {
    let told = told(from, to);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for part in expected {
        assert!(told.iter().any(|one| one.contains(part)), "{part}: {told:#?}");
    }
}

#[test]
fn nothing_is_told_of_a_contract_that_stays_or_grows() {
    assert_eq!(told("registry: cars", "registry: cars"), [""; 0]);
    let more = MANIFEST
        .replace("fuel: { enum: [petrol, diesel] }", "fuel: { enum: [petrol, diesel] }\n          doors: { type: integer }")
        .replace("fuel: FUEL", "fuel: FUEL\n        doors: DOORS")
        .replace("max: 50", "max: 60")
        .replace("delete: {}", "delete: {}\n        subscribe: {}")
        .replace("enum: [rust, crash]", "enum: [rust, crash, theft]");
    assert_eq!(changed(&more), [""; 0]);
}

#[test]
fn a_field_that_is_answered_no_longer_breaks_readers_and_is_shown_where_fields_are_made() {
    is_told(
        "        owner.born_on: BORN\n",
        "",
        &["22:7 v1/cars: `owner.born_on` is answered no longer, which breaks those who read"],
    );
    is_told(
        "        photo: { from: PHOTO, binary: { media_type: image/jpeg } }\n",
        "",
        &["the binary field `photo` is answered"],
    );
    is_told("image/jpeg", "image/png", &["28:16 v1/cars: `photo` has another media type"]);
}

#[test]
fn a_schema_that_lets_more_through_breaks_readers_and_one_that_lets_less_through_breaks_writers() {
    is_told("enum: [petrol, diesel]", "enum: [petrol, diesel, gas]", &["`fuel` can be \"gas\" now, which breaks those who read"]);
    is_told(
        "enum: [petrol, diesel]",
        "enum: [petrol]",
        &["`fuel` is no longer \"diesel\", in what `create` takes", "`fuel` is no longer \"diesel\", in what `update` takes"],
    );
    is_told("required: [plate, colour]", "required: [plate]", &["13:11 v1/cars: `colour` can be absent now"]);
    is_told("required: [plate, colour]", "required: [plate, colour, fuel]", &["`fuel` must be sent, in what `create` takes"]);
    is_told(
        "type: string, maxLength: 20",
        "type: integer",
        &[
            "`colour` can be of the type integer now, which breaks those who read",
            "`colour` `maxLength` lets more through than before, which breaks those who read",
            "`colour` is no longer of the type string, in what `create` takes, which breaks those who write",
            "`colour` is no longer of the type string, in what `update` takes",
        ],
    );
}

#[test]
fn a_key_that_is_another_or_narrower_breaks_everyone() {
    is_told("key: plate", "key: colour", &["19:12 v1/cars: the key is `colour` in place of `plate`, which breaks everyone"]);
    let told = told("{1,8}", "{8}");
    assert!(told.iter().any(|one| one.contains("the key `plate`") && one.contains("everyone")), "{told:#?}");
}

#[test]
fn operations_filters_bounds_and_actions_that_are_withdrawn_are_told() {
    is_told("        delete: {}\n", "", &["the operation `delete` is withdrawn, which breaks those who write"]);
    is_told("colour: [equals, prefix]", "colour: [equals]", &["the filter `colour` can no longer be compared by prefix"]);
    is_told(", fuel: [equals] }", " }", &["the filter `fuel` is withdrawn"]);
    is_told("max_keys: 20", "max_keys: 10", &["there can be 10 keys in one call where 20 could be"]);
    is_told("max: 50", "max: 5", &["there can be 5 records on a page where 50 could be"]);
    is_told("fields: [colour, fuel]", "fields: [colour]", &["`fuel` can no longer be written by `update`"]);
    is_told("      version: REV\n", "", &["records have no version any more"]);
    is_told(
        "      from: CARS\n",
        "      from: CARS\n      identifiers_in_url: false\n",
        &["21:27 v1/cars: identifiers may no longer"],
    );
    is_told("enum: [rust, crash]", "enum: [rust]", &["in the request of the action `scrap`"]);
    is_told("decision: { type: string }", "decision: { type: [string, 'null'] }", &["in the reply of the action `scrap`"]);
    is_told("scrap:", "crush:", &["the action `scrap` is withdrawn"]);
}

#[test]
fn an_entity_a_version_or_a_registry_that_is_withdrawn_is_told_once() {
    is_told("    cars:", "    lorries:", &["the entity `v1/cars` is withdrawn"]);
    is_told("  v1:", "  v2:", &["4:1 the version `v1` is withdrawn"]);
    is_told("registry: cars", "registry: lorries", &["the registry `cars` is withdrawn"]);
}

#[test]
fn the_remedy_is_the_next_version() {
    let told = told("        delete: {}\n", "");
    assert!(told[0].ends_with("take it back, or put the change into a new version `v2` beside `v1`"), "{told:?}");
}

#[test]
fn a_schema_in_a_file_of_its_own_is_shown_there() {
    let (old, new) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let schema = |place: &Path, text: &str| {
        let folder = place.join("schemas/roads/car/v1");
        std::fs::create_dir_all(&folder).expect("a scratch directory can be written");
        std::fs::write(folder.join("schema.json"), text).expect("a scratch directory can be written");
    };
    let start = MANIFEST.find("      schema:\n").expect("it is there");
    let end = MANIFEST.find("      key: plate").expect("it is there");
    let manifest = format!("{}      schema: roads/car/v1\n{}", &MANIFEST[..start], &MANIFEST[end..]);
    let text = |fuels: &str| {
        format!(
            "{{\n  \"properties\": {{\n    \"plate\": {{}},\n    \"colour\": {{}},\n    \"fuel\": {{ \"enum\": {fuels} }},\n    \"owner\": {{ \"properties\": {{ \"name\": {{}}, \"born_on\": {{}} }} }}\n  }}\n}}\n"
        )
    };
    written(old.path(), &manifest);
    written(new.path(), &manifest);
    schema(old.path(), &text("[1, 2]"));
    schema(new.path(), &text("[1, 2, 3]"));
    let report = compatible(new.path(), old.path(), "main").unwrap_or_else(|report| panic!("{report}"));
    let shown = report.to_string();
    assert!(
        shown.starts_with("schemas/roads/car/v1/schema.json:5:5: error[contract_broken]: v1/cars: `fuel` can be 3 now"),
        "{shown}"
    );
    assert!(shown.contains("5 |     \"fuel\": { \"enum\": [1, 2, 3] }"), "{shown}");
}

#[test]
fn an_earlier_configuration_that_cannot_be_read_is_said_to_be_that_one() {
    let (old, new) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    written(old.path(), "registry: [");
    written(new.path(), MANIFEST);
    let Err(report) = compatible(new.path(), old.path(), "main") else { panic!("it was read") };
    assert!(report.to_string().starts_with("main:registries/cars.yaml:"), "{report}");
}
