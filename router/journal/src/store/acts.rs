//! What operators did.

use rusqlite::Connection;

use crate::store::corrupt;
use crate::store::updates::json;
use crate::{JournalError, OperatorAct};

/// So many of the newest are kept.
const ACTS_MAX: i64 = 10_000;

/// Records an act.
///
/// # Errors
/// As the store fails.
pub fn record_act(connection: &Connection, act: &OperatorAct) -> Result<(), JournalError> {
    connection.prepare_cached("INSERT INTO acts (body) VALUES (?1)")?.execute([json(act)])?;
    let oldest = connection.last_insert_rowid() - ACTS_MAX;
    connection.prepare_cached("DELETE FROM acts WHERE seq <= ?1")?.execute([oldest])?;
    Ok(())
}

/// The acts, newest first.
///
/// # Errors
/// As the store fails.
pub fn acts(connection: &Connection, limit: usize) -> Result<Vec<OperatorAct>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT body FROM acts ORDER BY seq DESC LIMIT ?1")?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(|_| corrupt("an act"))?;
        acts.push(serde_json::from_str(body).map_err(|_| corrupt("an act"))?);
    }
    Ok(acts)
}
