//! What `check` says of a manifest.

use rabita_sdk::RegistrySpec;
use serde_json::{Value, json};

use crate::support::spec;

fn said(settings: &Value, from: &Value, change: impl FnOnce(&mut RegistrySpec)) -> Vec<String> {
    let mut spec = spec(std::env::temp_dir(), settings, from);
    change(&mut spec);
    rabita_files::kind().check(&spec).into_iter().map(|finding| format!("{}: {}", finding.pointer, finding.message)).collect()
}

fn holds(said: &[String], place: &str, words: &str) {
    assert!(said.iter().any(|one| one.starts_with(place) && one.contains(words)), "{said:#?} has no `{words}` at {place}");
}

const FROM: &str = "/contract/v1/people/from";

#[test]
fn nothing_is_wrong_with_the_registry_of_these_tests() {
    assert_eq!(said(&json!({}), &json!({}), |_| {}), [""; 0]);
}

#[test]
fn names_what_is_missing_for_changes() {
    let found = said(&json!({ "outgoing": null }), &json!({}), |_| {});
    holds(&found, "/connector", "nothing says where changes go: add `outgoing`");
    let found = said(&json!({}), &json!({ "write": null }), |_| {});
    holds(&found, FROM, "nothing says how it is written: add `write`");
    let found = said(&json!({}), &json!({ "format": { "delimited": { "columns": [] } } }), |_| {});
    holds(&found, FROM, "this layout can only be read");
    let found = said(&json!({}), &json!({ "write": { "name": "people-{date}.csv" } }), |_| {});
    holds(&found, &format!("{FROM}/write/name"), "put `{number}` or `{id}` into it");
    let found = said(&json!({}), &json!({ "write": { "name": "people-{number}.csv" } }), |_| {});
    holds(&found, &format!("{FROM}/write/name"), "would be taken for a drop");
    let found = said(&json!({}), &json!({ "write": { "operation": { "create": "U" } } }), |_| {});
    holds(&found, &format!("{FROM}/write/operation"), "have to differ");
}

#[test]
fn finds_sources_that_no_column_is_and_encodings_that_are_none() {
    let found = said(&json!({}), &json!({}), |spec| spec.entities[0].key = vec![rabita_sdk::Source::new("pni")]);
    holds(&found, FROM, "there is no column `pni`");
    let found = said(&json!({}), &json!({ "format": { "delimited": { "encoding": "cp-1254" } } }), |_| {});
    holds(&found, &format!("{FROM}/format/delimited/encoding"), "no such encoding");
    let packed = json!({ "format": { "delimited": { "types": { "rev": { "packed": {} } } } } });
    holds(&said(&json!({}), &packed, |_| {}), &format!("{FROM}/format/delimited/types/rev"), "at fixed places only");
}

#[test]
fn finds_a_host_key_that_is_none_and_a_server_without_credential() {
    let found = said(&json!({}), &json!({}), |spec| {
        spec.settings["source"] = json!({ "sftp": { "host": "h", "user": "u", "host_key": "no key", "path": "/x" } });
    });
    holds(&found, "/connector/source/sftp/host_key", "no public key");
    holds(&found, "/connector/source/sftp", "either `key` or `password`");
}
