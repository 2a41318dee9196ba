//! Updates by a filter, page by page; and how many wait.

use std::fmt::Write as _;

use jiff::Timestamp;
use rabita_model::{Entry, RegistryId, State};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::store::{corrupt, row};
use crate::{Depth, Filter, JournalError, Page};

/// How long a page is where no length is asked for, and the longest.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// Updates in their order, without payloads.
///
/// # Errors
/// [`JournalError::PositionInvalid`] where the cursor is none; else as the store fails.
pub fn entries(connection: &Connection, filter: &Filter) -> Result<Page, JournalError> {
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE_MAX) };
    let (sql, parameters) = question(filter, limit + 1)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    let mut found: Vec<(i64, Entry)> = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::entry(row, false)?);
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(seq, _)| seq.to_string());
    Ok(Page { updates: found.into_iter().map(|(_, entry)| entry).collect(), next })
}

/// The question that answers a filter. Its text depends on which conditions there are and not on what they say, but for
/// the state: only a state that stands in the text lets SQLite use the indices that hold some states alone.
fn question(filter: &Filter, limit: usize) -> Result<(String, Vec<Value>), JournalError> {
    let after: i64 = match &filter.cursor {
        Some(cursor) => cursor.parse().map_err(|_| JournalError::PositionInvalid)?,
        None => 0,
    };
    let mut sql = format!("SELECT {} FROM updates WHERE seq > ?1", row::COLUMNS);
    let mut parameters = vec![Value::Integer(after)];
    let mut narrow = |condition: &str, value: Value| {
        parameters.push(value);
        write!(sql, " AND {condition} ?{}", parameters.len()).expect("a String takes all text");
    };
    let text = |text: &str| Value::Text(text.to_owned());
    if let Some(registry) = &filter.registry {
        narrow("registry =", text(registry.as_str()));
    }
    if let Some(system) = &filter.system {
        narrow("system =", text(system.as_str()));
    }
    if let Some(record) = &filter.record {
        narrow("record =", text(record));
    }
    if let Some(code) = filter.code {
        narrow("code =", text(code.as_str()));
    }
    if let Some(before) = filter.before {
        narrow("accepted_at <", Value::Integer(before.as_microsecond()));
    }
    if let Some(since) = filter.since {
        narrow("accepted_at >=", Value::Integer(since.as_microsecond()));
    }
    match filter.state {
        Some(state @ State::Accepted) => write!(sql, " AND state < 2 AND state = {}", row::number(state)),
        Some(state @ State::Applied) => write!(sql, " AND state = {}", row::number(state)),
        Some(state) => write!(sql, " AND state <> 0 AND state <> 3 AND state = {}", row::number(state)),
        None => Ok(()),
    }
    .expect("a String takes all text");
    write!(sql, " ORDER BY seq LIMIT {limit}").expect("a String takes all text");
    Ok((sql, parameters))
}

/// How many updates are on their way and parked, by registry, in the order of their names.
///
/// # Errors
/// As the store fails.
pub fn depths(connection: &Connection) -> Result<Vec<Depth>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT registry, SUM(state < 2), SUM(state = 2) FROM updates INDEXED BY updates_open
         WHERE state < 3 GROUP BY registry ORDER BY registry",
    )?;
    let mut rows = statement.query([])?;
    let mut depths = Vec::new();
    while let Some(row) = rows.next()? {
        let registry: String = row.get(0)?;
        depths.push(Depth {
            oldest: oldest(connection, &registry)?,
            registry: RegistryId::new(&registry).map_err(|_| corrupt("the registry of an update"))?,
            waiting: count(row.get(1)?),
            parked: count(row.get(2)?),
        });
    }
    Ok(depths)
}

/// When the oldest update that is on its way was accepted.
fn oldest(connection: &Connection, registry: &str) -> Result<Option<Timestamp>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT accepted_at FROM updates INDEXED BY updates_waiting
         WHERE registry = ?1 AND state < 2 ORDER BY seq LIMIT 1",
    )?;
    let at: Option<i64> = statement.query_row([registry], |row| row.get(0)).optional()?;
    at.map(|at| Timestamp::from_microsecond(at).map_err(|_| corrupt("the time of an update"))).transpose()
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
