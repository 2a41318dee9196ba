//! One update: put, read, moved on, parked, concluded. And which ones wait, in their order.

use jiff::Timestamp;
use rabita_model::{Conclusion, Entry, Progress, RegistryId, State, SystemId, Update, UpdateId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::JournalError;
use crate::store::row;

/// An update in the form in which it is written. To make it costs more than to write it, so callers make it before they
/// come to the one thread that writes.
#[derive(Debug)]
pub struct Draft {
    pub id: UpdateId,
    pub registry: RegistryId,
    pub system: SystemId,
    pub idempotency_key: String,
    pub digest: String,
    pub accepted_at: Timestamp,
    record: String,
    body: String,
    payload: Option<String>,
}

impl Draft {
    /// Brings an update into form.
    #[must_use]
    pub fn new(mut update: Update) -> Self {
        let payload = update.payload.take().map(|payload| json(&payload));
        let body = json(&update);
        Self {
            id: update.id,
            registry: update.target.registry,
            system: update.system,
            idempotency_key: update.idempotency_key,
            digest: update.digest,
            accepted_at: update.accepted_at,
            record: update.record,
            body,
            payload,
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.body.len() + self.payload.as_ref().map_or(0, String::len) + self.idempotency_key.len()
    }
}

/// How an update stands, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub seq: i64,
    pub registry: RegistryId,
    pub record: String,
    pub state: State,
    pub generation: u32,
}

/// What came of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    Done,
    /// It had been made before, just so.
    Before,
    /// The update is at another generation, or parked, or concluded otherwise. Nothing was done.
    Lost,
    /// There is no such update.
    Absent,
}

/// Puts an update behind all others, waiting. Answers its number; `None` where its id is there already.
///
/// # Errors
/// As the store fails.
pub fn put_update(connection: &Connection, draft: &Draft) -> Result<Option<i64>, JournalError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO updates (id, registry, record, system, idempotency_key, accepted_at, state, generation, body, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    let rows = statement.execute(params![
        draft.id.uuid().as_bytes(),
        draft.registry.as_str(),
        draft.record,
        draft.system.as_str(),
        draft.idempotency_key,
        draft.accepted_at.as_microsecond(),
        draft.body,
        draft.payload,
    ])?;
    Ok((rows == 1).then(|| connection.last_insert_rowid()))
}

/// One update with its payload.
///
/// # Errors
/// As the store fails.
pub fn entry(connection: &Connection, id: UpdateId) -> Result<Option<Entry>, JournalError> {
    let sql = select(row::WHOLE, "WHERE id = ?1");
    one(connection, &sql, params![id.uuid().as_bytes()]).map(|found| found.map(|(_, entry)| entry))
}

/// The update of a number, with its payload.
///
/// # Errors
/// As the store fails.
pub fn entry_at(connection: &Connection, seq: i64) -> Result<Option<Entry>, JournalError> {
    let sql = select(row::WHOLE, "WHERE seq = ?1");
    one(connection, &sql, params![seq]).map(|found| found.map(|(_, entry)| entry))
}

/// How an update stands, without what it holds.
///
/// # Errors
/// As the store fails.
pub fn standing(connection: &Connection, id: UpdateId) -> Result<Option<Standing>, JournalError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, registry, record, state, generation FROM updates WHERE id = ?1")?;
    let mut rows = statement.query(params![id.uuid().as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let registry: String = row.get(1)?;
    Ok(Some(Standing {
        seq: row.get(0)?,
        registry: RegistryId::new(&registry).map_err(|_| crate::store::corrupt("the registry of an update"))?,
        record: row.get(2)?,
        state: row::state(row.get(3)?)?,
        generation: row.get(4)?,
    }))
}

/// Updates of a registry that are on their way and come after a number, in their order, with payloads: at most so many,
/// and no more once they have this many bytes (one at least).
///
/// # Errors
/// As the store fails.
pub fn waiting(
    connection: &Connection,
    registry: &RegistryId,
    after: i64,
    limit: usize,
    bytes: usize,
) -> Result<Vec<(i64, Entry)>, JournalError> {
    let sql = select(row::WHOLE, "INDEXED BY updates_waiting WHERE registry = ?1 AND seq > ?2 AND state < 2 ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![registry.as_str(), after])?;
    let (mut found, mut weight) = (Vec::new(), 0);
    while found.len() < limit && weight < bytes {
        let Some(row) = rows.next()? else { break };
        weight += row.get_ref(6)?.as_str_or_null().ok().flatten().map_or(0, str::len);
        found.push(row::entry(row, true)?);
    }
    Ok(found)
}

/// Whether an update of a record is on its way or parked.
///
/// # Errors
/// As the store fails.
pub fn is_waiting(connection: &Connection, registry: &RegistryId, record: &str) -> Result<bool, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM updates INDEXED BY updates_open WHERE registry = ?1 AND record = ?2 AND state < 3 LIMIT 1",
    )?;
    Ok(statement.exists(params![registry.as_str(), record])?)
}

/// The latest update of a record that is parked and comes before a number.
///
/// # Errors
/// As the store fails.
pub fn parked_before(
    connection: &Connection,
    registry: &RegistryId,
    record: &str,
    seq: i64,
) -> Result<Option<UpdateId>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM updates INDEXED BY updates_open
         WHERE registry = ?1 AND record = ?2 AND state < 3 AND state = 2 AND seq < ?3 ORDER BY seq DESC LIMIT 1",
    )?;
    let found = statement.query_row(params![registry.as_str(), record, seq], |row| row.get(0)).optional()?;
    Ok(found.map(row::update_id))
}

/// The updates of a record that are parked, with their numbers, in their order.
///
/// # Errors
/// As the store fails.
pub fn parked_of_record(
    connection: &Connection,
    registry: &RegistryId,
    record: &str,
) -> Result<Vec<(i64, UpdateId)>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id FROM updates INDEXED BY updates_open
         WHERE registry = ?1 AND record = ?2 AND state < 3 AND state = 2 ORDER BY seq",
    )?;
    let rows = statement.query_map(params![registry.as_str(), record], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| row.map(|(seq, id)| (seq, row::update_id(id))).map_err(JournalError::from)).collect()
}

/// Notes how far an update on its way has come, if it is at this generation.
///
/// # Errors
/// As the store fails.
pub fn set_progress(connection: &Connection, id: UpdateId, generation: u32, progress: &Progress) -> Result<Moved, JournalError> {
    let Some(now) = standing(connection, id)? else { return Ok(Moved::Absent) };
    if now.generation != generation || now.state.is_final() || now.state == State::Parked {
        return Ok(Moved::Lost);
    }
    let state = if progress.trouble.is_some() { State::Retrying } else { State::Accepted };
    place(connection, now.seq, state, generation, progress)?;
    Ok(Moved::Done)
}

/// Lays an update that is on its way aside, if it is at this generation.
///
/// # Errors
/// As the store fails.
pub fn park(connection: &Connection, id: UpdateId, generation: u32, progress: &Progress) -> Result<Moved, JournalError> {
    let Some(now) = standing(connection, id)? else { return Ok(Moved::Absent) };
    if now.generation != generation || now.state.is_final() {
        return Ok(Moved::Lost);
    }
    if now.state == State::Parked {
        let same = entry_at(connection, now.seq)?.is_some_and(|entry| entry.progress == *progress);
        return Ok(if same { Moved::Before } else { Moved::Lost });
    }
    place(connection, now.seq, State::Parked, generation, progress)?;
    Ok(Moved::Done)
}

/// Sends a parked update on its way again: a generation on, with a new count of attempts. What may have been applied
/// without the bus knowing stays in doubt. Answers its number; `None` where it is not parked.
///
/// # Errors
/// As the store fails.
pub fn unpark(connection: &Connection, id: UpdateId) -> Result<Option<i64>, JournalError> {
    let Some(now) = standing(connection, id)? else { return Ok(None) };
    if now.state != State::Parked {
        return Ok(None);
    }
    let is_in_doubt = entry_at(connection, now.seq)?.is_some_and(|entry| entry.progress.is_in_doubt);
    let progress = Progress { is_in_doubt, ..Progress::default() };
    place(connection, now.seq, State::Accepted, now.generation + 1, &progress)?;
    Ok(Some(now.seq))
}

/// Ends an update and erases its payload, whether it is on its way or parked; with a generation, if it is at that one and
/// on its way. The first conclusion stays.
///
/// # Errors
/// As the store fails.
pub fn conclude(
    connection: &Connection,
    id: UpdateId,
    generation: Option<u32>,
    conclusion: &Conclusion,
) -> Result<Moved, JournalError> {
    let Some(now) = standing(connection, id)? else { return Ok(Moved::Absent) };
    if now.state.is_final() {
        let same = entry_at(connection, now.seq)?.is_some_and(|entry| entry.conclusion.as_ref() == Some(conclusion));
        return Ok(if same { Moved::Before } else { Moved::Lost });
    }
    if generation.is_some_and(|generation| now.generation != generation || now.state == State::Parked) {
        return Ok(Moved::Lost);
    }
    let mut statement = connection.prepare_cached(
        "UPDATE updates SET state = ?2, code = ?3, concluded_at = ?4, conclusion = ?5, payload = NULL WHERE seq = ?1",
    )?;
    statement.execute(params![
        now.seq,
        row::number(row::concluded(conclusion)),
        conclusion.code.map(rabita_model::Code::as_str),
        conclusion.at.as_microsecond(),
        json(conclusion),
    ])?;
    Ok(Moved::Done)
}

fn place(connection: &Connection, seq: i64, state: State, generation: u32, progress: &Progress) -> Result<(), JournalError> {
    let mut statement =
        connection.prepare_cached("UPDATE updates SET state = ?2, generation = ?3, code = ?4, progress = ?5 WHERE seq = ?1")?;
    let code = progress.trouble.as_ref().map(|trouble| trouble.code.as_str());
    statement.execute(params![seq, row::number(state), generation, code, json(progress)])?;
    Ok(())
}

fn one(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Option<(i64, Entry)>, JournalError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(|row| row::entry(row, true)).transpose()
}

fn select(columns: &str, rest: &str) -> String {
    format!("SELECT {columns} FROM updates {rest}")
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("what the journal keeps has text for keys, so it is JSON")
}
