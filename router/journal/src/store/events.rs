//! Events in their order.

use rabita_model::Event;
use rusqlite::{Connection, OptionalExtension, params};

use crate::JournalError;
use crate::store::updates::json;
use crate::store::{corrupt, kept};

/// The mark of the newest event that was forgotten.
pub(crate) const FORGOTTEN: &str = "events_forgotten";

/// Puts an event behind all others. Answers its number; `None` where its id is there already.
///
/// # Errors
/// As the store fails.
pub fn append_event(connection: &Connection, event: &Event) -> Result<Option<i64>, JournalError> {
    let mut statement =
        connection.prepare_cached("INSERT INTO events (id, at, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    let rows = statement.execute(params![event.id.uuid().as_bytes(), event.at.as_microsecond(), json(event)])?;
    Ok((rows == 1).then(|| connection.last_insert_rowid()))
}

/// Events after a number, oldest first, each with its number.
///
/// # Errors
/// As the store fails.
pub fn events_after(connection: &Connection, after: i64, limit: usize) -> Result<Vec<(i64, Event)>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT seq, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_str().map_err(|_| corrupt("an event"))?;
        events.push((row.get(0)?, serde_json::from_str(body).map_err(|_| corrupt("an event"))?));
    }
    Ok(events)
}

/// The number of the newest event that there ever was; 0 before the first.
///
/// # Errors
/// As the store fails.
pub fn newest(connection: &Connection) -> Result<i64, JournalError> {
    let mut statement = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The number of the newest event that was forgotten; 0 while all are there.
///
/// # Errors
/// As the store fails.
pub fn forgotten(connection: &Connection) -> Result<i64, JournalError> {
    kept::mark(connection, FORGOTTEN)?.map_or(Ok(0), |text| text.parse().map_err(|_| corrupt("a mark")))
}

/// Forgets the events up to a number.
///
/// # Errors
/// As the store fails.
pub(super) fn forget_until(connection: &Connection, seq: i64) -> Result<(), JournalError> {
    connection.prepare_cached("DELETE FROM events WHERE seq <= ?1")?.execute([seq])?;
    kept::set_mark(connection, FORGOTTEN, &seq.to_string())
}
