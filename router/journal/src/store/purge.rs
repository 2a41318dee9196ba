//! Forgets what was kept for long enough, a little at a time, so that those who write wait for moments only.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use crate::JournalError;
use crate::journal::Retention;
use crate::store::events;

/// So many rows of a kind are forgotten in one step.
const STEP: i64 = 500;
/// So many pages of the file are given back in one step. As many that hold nothing stay, for what comes next.
const PAGES: i64 = 2_000;

/// Forgets a few concluded updates with their idempotency keys, and a few events, that are older than the retention says,
/// within a transaction. Answers whether there may be more.
///
/// # Errors
/// As the store fails.
pub fn purge(connection: &Connection, now: Timestamp, retention: &Retention) -> Result<bool, JournalError> {
    let updates = purge_updates(connection, before(now, retention.updates))?;
    let events = purge_events(connection, before(now, retention.events))?;
    Ok(updates || events)
}

/// Gives pages that hold nothing back to the disk, outside a transaction, where a good part of the file holds nothing.
/// Answers whether there are more.
///
/// # Errors
/// As the store fails.
pub fn shrink(connection: &Connection) -> Result<bool, JournalError> {
    let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let all: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if free <= PAGES || free < all / 4 {
        return Ok(false);
    }
    // The pragma gives a row for each page, and works only as far as they are read.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}

fn purge_updates(connection: &Connection, before: i64) -> Result<bool, JournalError> {
    connection
        .prepare_cached(
            "DELETE FROM claims WHERE (system, idempotency_key, id) IN (
                SELECT system, idempotency_key, id FROM updates INDEXED BY updates_concluded
                WHERE concluded_at IS NOT NULL AND concluded_at < ?1 ORDER BY concluded_at LIMIT ?2
             )",
        )?
        .execute(params![before, STEP])?;
    let gone = connection
        .prepare_cached(
            "DELETE FROM updates WHERE seq IN (
                SELECT seq FROM updates INDEXED BY updates_concluded
                WHERE concluded_at IS NOT NULL AND concluded_at < ?1 ORDER BY concluded_at LIMIT ?2
             )",
        )?
        .execute(params![before, STEP])?;
    Ok(gone > 0)
}

/// Events are forgotten from the oldest on, so that what is kept has no gaps: one that is old enough stays as long as one
/// before it does.
fn purge_events(connection: &Connection, before: i64) -> Result<bool, JournalError> {
    let mut statement = connection.prepare_cached("SELECT seq, at FROM events ORDER BY seq LIMIT ?1")?;
    let mut rows = statement.query([STEP])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        last = Some(row.get(0)?);
    }
    last.map(|seq| events::forget_until(connection, seq)).transpose().map(|done| done.is_some())
}

fn before(now: Timestamp, kept_for: std::time::Duration) -> i64 {
    let kept_for = SignedDuration::try_from(kept_for).unwrap_or(SignedDuration::MAX);
    now.checked_sub(kept_for).unwrap_or(Timestamp::MIN).as_microsecond()
}
