//! Values that are kept under keys, and the engine's own marks.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::store::corrupt;
use crate::store::updates::json;
use crate::{JournalError, Kept};

/// Keeps a value, or forgets it.
///
/// # Errors
/// As the store fails.
pub fn keep(connection: &Connection, kept: &Kept) -> Result<(), JournalError> {
    match &kept.value {
        Some(value) => connection
            .prepare_cached(
                "INSERT INTO kept (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![kept.key, json(value)])?,
        None => connection.prepare_cached("DELETE FROM kept WHERE key = ?1")?.execute([&kept.key])?,
    };
    Ok(())
}

/// The values whose keys begin so, by key.
///
/// # Errors
/// As the store fails.
pub fn kept(connection: &Connection, prefix: &str) -> Result<Vec<(String, Value)>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM kept WHERE key >= ?1 ORDER BY key")?;
    let mut rows = statement.query([prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        // Keys are in the order of their bytes, so those that begin alike stand together.
        if !key.starts_with(prefix) {
            break;
        }
        let value = row.get_ref(1)?.as_str().map_err(|_| corrupt("a kept value"))?;
        found.push((key, serde_json::from_str(value).map_err(|_| corrupt("a kept value"))?));
    }
    Ok(found)
}

/// A mark of the engine itself.
///
/// # Errors
/// As the store fails.
pub fn mark(connection: &Connection, key: &str) -> Result<Option<String>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT value FROM marks WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets a mark of the engine itself.
///
/// # Errors
/// As the store fails.
pub fn set_mark(connection: &Connection, key: &str, value: &str) -> Result<(), JournalError> {
    connection
        .prepare_cached("INSERT INTO marks (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
        .execute([key, value])?;
    Ok(())
}
