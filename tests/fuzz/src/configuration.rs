//! What an administrator of an agency writes, and the cursors that callers bring back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use jiff::civil::date;
use rabita_config::document::Document;
use rabita_core::seal::Seal;
use rabita_sdk::condition::Condition;
use serde_json::{Value, json};

static SEAL: LazyLock<Seal> = LazyLock::new(Seal::random);

/// Opens a cursor that was made up, and one that was not.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(SEAL.open(text, b"a search").is_err(), "a cursor that was made up was taken");
    let sealed = SEAL.seal(text, b"a search");
    assert_eq!(SEAL.open(&sealed, b"a search").ok().as_deref(), Some(text));
    assert!(SEAL.open(&sealed, b"another search").is_err(), "a cursor of another search was taken");
}

/// Compiles a row condition, and holds a record against it: the first line is the one, the rest the other.
pub fn condition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (expression, record) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(condition) = Condition::compile(expression) else { return };
    let record: Value = serde_json::from_str(record).unwrap_or(Value::Null);
    let caller = BTreeMap::from([("district".to_owned(), json!("baku")), ("level".to_owned(), json!(3))]);
    let today = date(2026, 11, 24);
    let first = condition.admits(&record, &caller, today);
    assert_eq!(first, condition.admits(&record, &caller, today), "a condition says one thing of one record");
}

/// Reads a document of the configuration.
pub fn document(data: &[u8]) {
    let Ok(text) = String::from_utf8(data.to_vec()) else { return };
    match Document::read(Path::new("grants/people.yaml"), text) {
        Ok(document) => {
            let _ = document.locate("/grants/0/fields", true);
        }
        Err(located) => drop(located.to_string()),
    }
}
