//! What `check` finds before anything runs.

use std::collections::BTreeSet;

use rabita_model::{Comparison, Operation};
use rabita_sdk::{Finding, Ignore, RegistrySpec};
use serde_json::{Value, json};

use crate::support::spec;

fn found(spec: &RegistrySpec) -> Vec<Finding> {
    rabita_rest::kind().check(spec)
}

fn pointers(spec: &RegistrySpec) -> Vec<String> {
    found(spec).into_iter().map(|finding| finding.pointer).collect()
}

fn good() -> Value {
    json!({
        "read": { "path": "/u/{nr}" },
        "search": { "path": "/u", "filters": { "name": { "equals": "name", "prefix": "nameStart" } }, "records": "items",
            "paging": { "page": { "param": "page", "size_param": "size", "total_pages": "pages" } } },
        "update": { "path": "/u/{nr}" },
    })
}

fn settings() -> Value {
    json!({ "url": "https://registry.test/api" })
}

#[test]
fn has_nothing_to_say_about_what_is_right() {
    assert_eq!(found(&spec(settings(), good())), Vec::new());
}

#[test]
fn a_place_in_a_path_names_a_source_of_the_key() {
    let mut from = good();
    from["read"]["path"] = "/u/{nrr}".into();
    let findings = found(&spec(settings(), from.clone()));
    assert_eq!(findings[0].pointer, "/contract/v1/units/from/read/path");
    assert_eq!(findings[0].message, "there is no source in the key named `nrr`; there is nr".replace("; there is nr", ""));
    assert_eq!(findings[0].instead.as_deref(), Some("nr"));
    from["read"]["path"] = "/u".into();
    from["search"]["path"] = "/u/{nr}".into();
    let expected = ["/contract/v1/units/from/search/path", "/contract/v1/units/from/read/path"];
    assert_eq!(pointers(&spec(settings(), from)), expected);
}

#[test]
fn every_filter_and_comparison_has_a_parameter() {
    let mut spec = spec(settings(), good());
    spec.entities[0].filters[0].comparisons = BTreeSet::from(Comparison::ALL);
    assert_eq!(pointers(&spec), ["/contract/v1/units/from/search/filters/name"; 2]);
    spec.entities[0].filters[0].source = rabita_sdk::Source::new("nam");
    let findings = found(&spec);
    assert_eq!((findings[0].pointer.as_str(), findings[0].instead.as_deref()), ("/contract/v1/units/filters/name", Some("name")));
}

#[test]
fn a_difference_is_overlooked_only_where_the_registry_does_so() {
    let mut spec = spec(settings(), good());
    spec.entities[0].filters[0].ignore = vec![Ignore::Case];
    assert_eq!(pointers(&spec), ["/contract/v1/units/filters/name"]);
    spec.entities[0].from["search"]["ignores"] = json!(["case"]);
    assert_eq!(found(&spec), Vec::new());
}

#[test]
fn what_is_offered_is_described() {
    let mut spec = spec(settings(), good());
    spec.entities[0].operations.insert(Operation::Delete);
    spec.entities[0].binary = vec![rabita_sdk::Source::new("photo")];
    assert_eq!(pointers(&spec), ["/contract/v1/units/from", "/contract/v1/units/from/binary"]);
    spec.entities[0].from["delete"] = json!({ "path": "/u/{nr}" });
    spec.entities[0].from["binary"] = json!({ "photo": { "path": "/u/{nr}/photo" } });
    assert_eq!(found(&spec), Vec::new());
}

#[test]
fn paging_says_one_thing_and_finds_it_beside_the_list() {
    let paged = |records: &str, paging: Value| {
        let mut from = good();
        from["search"]["records"] = records.into();
        from["search"]["paging"] = paging;
        pointers(&spec(settings(), from))
    };
    let at = "/contract/v1/units/from/search/paging";
    assert_eq!(paged("items", json!({ "link": {} })), [format!("{at}/link")]);
    assert_eq!(paged("items", json!({ "link": { "header": true, "body": "next" } })), [format!("{at}/link")]);
    assert_eq!(paged("", json!({ "cursor": { "param": "c", "next": "next" } })), [format!("{at}/cursor/next")]);
    assert_eq!(paged("", json!({ "link": { "header": true } })), Vec::<String>::new());
}

#[test]
fn settings_are_checked_with_their_places() {
    let bad = json!({ "url": "ftp://x", "tls": { "cert_file": "c.pem" }, "auth": { "api_key": { "value": { "env": "K" } } },
        "headers": { "Host": "x" }, "errors": { "40x": "absent" }, "idempotency_header": "a b", "probe": { "path": "x" } });
    let mut expected = ["url", "tls/cert_file", "auth/api_key", "headers/Host", "errors/40x", "idempotency_header", "probe/path"]
        .map(|key| format!("/connector/{key}"));
    let mut found = pointers(&spec(bad, good()));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(pointers(&spec(json!({ "url": "http://x", "urll": 1 }), good())), ["/connector"]);
}

#[test]
fn the_schemas_name_every_key_and_no_other_is_taken() {
    let kind = rabita_rest::kind();
    let settings = kind.settings_schema();
    for key in ["url", "tls", "auth", "headers", "errors", "idempotency_header", "probe", "response_max_bytes"] {
        assert!(settings["properties"].get(key).is_some(), "{key}");
    }
    assert_eq!((&settings["additionalProperties"], &settings["required"]), (&json!(false), &json!(["url"])));
    assert_eq!(kind.entity_schema()["additionalProperties"], json!(false));
    assert_eq!(kind.fixture_schema()["type"], "array");
    assert_eq!(kind.name(), "rest");
}
