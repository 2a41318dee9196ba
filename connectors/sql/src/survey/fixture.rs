//! A test's `legacy:` out of rows: the tables that they stand in.

use base64::Engine as _;
use rabita_sdk::survey::Foreseen;
use rabita_sdk::{Legacy, Row};
use serde_json::{Map, Value, json};

use crate::origin::Origin;

/// The rows of each table.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let mut tables = Map::new();
    let own: Vec<Value> = foreseen.rows.iter().map(row).collect();
    tables.insert(table_of(&foreseen.entity.from)?, Value::Array(own));
    for (table, rows) in foreseen.tables {
        tables.insert(table_of(&table.from)?, rows.iter().map(row).collect());
    }
    Some(Value::Object(tables))
}

fn table_of(from: &Value) -> Option<String> {
    match serde_json::from_value(from.clone()).ok()? {
        Origin::Table(table) => Some(table),
        Origin::Tables(tables) => Some(tables.table),
        Origin::Select(_) => None,
    }
}

fn row(row: &Row) -> Value {
    Value::Object(row.iter().map(|(name, value)| (name.to_owned(), cell(value))).collect())
}

fn cell(value: &Legacy) -> Value {
    match value {
        Legacy::Bytes(bytes) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}
