//! The questions that the index answers: with indices, which the log is then asked for.

use rabita_model::{AgencyId, ExchangeId};
use rusqlite::{Connection, params};

use crate::entry::Pseudonym;
use crate::period::KeyName;

/// Where an entry stands among those of a question: by time, and by index where times are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// In microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) index: u64,
}

/// Which of the entries that a question finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// From this time on.
    pub(crate) from: i64,
    /// Before this position.
    pub(crate) before: Position,
    pub(crate) limit: usize,
}

/// An entry that was found.
pub(crate) struct Found {
    pub(crate) at: Position,
    /// Whom it must be about: what stands for them, and with which key.
    pub(crate) named: Option<(KeyName, Pseudonym)>,
}

/// The entries that bear an exchange's id, in the order of the log.
pub(crate) fn of_exchange(connection: &Connection, exchange: ExchangeId) -> rusqlite::Result<Vec<u64>> {
    let mut question = connection.prepare_cached("SELECT idx FROM exchanges WHERE exchange = ?1 ORDER BY idx")?;
    let found = question.query_map([exchange.uuid().as_bytes()], |row| row.get::<_, i64>(0))?;
    found.map(|index| index.map(i64::unsigned_abs)).collect()
}

/// The entries with one of these pseudonyms, newest first, and how many there are from the range's time on until `to`.
pub(crate) fn of_subject(
    connection: &Connection,
    names: &[(KeyName, Pseudonym)],
    range: Range,
    to: i64,
) -> rusqlite::Result<(Vec<Found>, u64)> {
    let mut key = connection.prepare_cached("SELECT id FROM keys WHERE name = ?1")?;
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM subjects WHERE key = ?1 AND pseudonym = ?2 AND at >= ?3 AND at < ?4")?;
    let mut find = connection.prepare_cached(
        "SELECT at, idx FROM subjects WHERE key = ?1 AND pseudonym = ?2 AND at >= ?3 AND (at, idx) < (?4, ?5)
         ORDER BY at DESC, idx DESC LIMIT ?6",
    )?;
    let (mut found, mut total) = (Vec::new(), 0);
    for (name, pseudonym) in names {
        let Some(id) = key.query_map([name.to_string()], |row| row.get::<_, i64>(0))?.next().transpose()? else { continue };
        total += count.query_row(params![id, pseudonym.0, range.from, to], |row| row.get::<_, i64>(0))?.unsigned_abs();
        let (before, limit) = (range.before, number(range.limit as u64));
        let positions = find.query_map(params![id, pseudonym.0, range.from, before.at, number(before.index), limit], position)?;
        for position in positions {
            found.push(Found { at: position?, named: Some((name.clone(), pseudonym.clone())) });
        }
    }
    found.sort_unstable_by_key(|found| std::cmp::Reverse(found.at));
    found.truncate(range.limit);
    Ok((found, total))
}

/// The entries about registries of one agency, newest first, and how many there are.
pub(crate) fn of_agency(connection: &Connection, owner: &AgencyId, range: Range, to: i64) -> rusqlite::Result<(Vec<Found>, u64)> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM uses WHERE owner = ?1 AND at >= ?2 AND at < ?3")?;
    let total = count.query_row(params![owner.as_str(), range.from, to], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let mut find = connection.prepare_cached(
        "SELECT at, idx FROM uses WHERE owner = ?1 AND at >= ?2 AND (at, idx) < (?3, ?4) ORDER BY at DESC, idx DESC LIMIT ?5",
    )?;
    let (before, limit) = (range.before, number(range.limit as u64));
    let found = find.query_map(params![owner.as_str(), range.from, before.at, number(before.index), limit], position)?;
    let found = found.map(|at| at.map(|at| Found { at, named: None }));
    Ok((found.collect::<rusqlite::Result<_>>()?, total))
}

/// All entries about registries of one agency from before a time, in the order of the log.
pub(crate) fn all_of_agency(connection: &Connection, owner: &AgencyId, to: i64) -> rusqlite::Result<Vec<u64>> {
    let mut find = connection.prepare_cached(
        "SELECT idx FROM uses WHERE owner = ?1 AND at < ?2 UNION SELECT idx FROM parts WHERE owner = ?1 AND at < ?2 ORDER BY idx",
    )?;
    let found = find.query_map(params![owner.as_str(), to], |row| row.get::<_, i64>(0))?;
    found.map(|index| index.map(i64::unsigned_abs)).collect()
}

/// A count of the exchanges that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    /// In hours since 1970.
    pub(crate) hour: i64,
    pub(crate) owner: String,
    /// Registry, version, entity, operation.
    pub(crate) service: [String; 4],
    /// The agency that asked.
    pub(crate) caller: String,
    pub(crate) purpose: String,
    pub(crate) count: u64,
}

/// The counts of some hours.
pub(crate) fn counts(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<Vec<Counted>> {
    let mut find = connection.prepare_cached(
        "SELECT hour, owner, registry, version, entity, operation, caller, purpose, count FROM counts WHERE hour >= ?1 AND hour < ?2",
    )?;
    let found = find.query_map([from, to], |row| {
        Ok(Counted {
            hour: row.get(0)?,
            owner: row.get(1)?,
            service: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
            caller: row.get(6)?,
            purpose: row.get(7)?,
            count: row.get::<_, i64>(8)?.unsigned_abs(),
        })
    })?;
    found.collect()
}

fn position(row: &rusqlite::Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position { at: row.get(0)?, index: row.get::<_, i64>(1)?.unsigned_abs() })
}

/// SQLite's numbers have a sign.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
