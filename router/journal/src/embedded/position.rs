//! Positions of events: the journal's name and a number.

use rabita_model::Event;
use rusqlite::Connection;

use crate::store::{events as stored, kept};
use crate::{JournalError, Position};

const NAME: &str = "name";

/// The journal's name, drawn when it is new: a position of a journal that is gone is none of the one that follows it.
pub(crate) fn name(connection: &Connection) -> Result<String, JournalError> {
    if let Some(name) = kept::mark(connection, NAME)? {
        return Ok(name);
    }
    let mut name = uuid::Uuid::new_v4().simple().to_string();
    name.truncate(8);
    kept::set_mark(connection, NAME, &name)?;
    Ok(name)
}

pub(crate) fn of(name: &str, seq: i64) -> Position {
    Position(format!("{name}-{seq}"))
}

pub(crate) fn parse(name: &str, position: &Position) -> Result<i64, JournalError> {
    let digits = position.0.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    let seq = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).and_then(|digits| digits.parse().ok());
    seq.ok_or(JournalError::PositionInvalid)
}

/// Some events with their numbers.
pub(crate) struct Found {
    pub(crate) events: Vec<(i64, Event)>,
    pub(crate) has_gap: bool,
}

pub(crate) fn events(connection: &Connection, after: Option<i64>, limit: usize) -> Result<Found, JournalError> {
    let newest = stored::newest(connection)?;
    if after.is_some_and(|after| after > newest) {
        return Err(JournalError::PositionInvalid);
    }
    let forgotten = stored::forgotten(connection)?;
    let events = stored::events_after(connection, after.unwrap_or(0), limit)?;
    Ok(Found { events, has_gap: after.is_some_and(|after| after < forgotten) })
}

/// A number as the count that watchers of news see.
pub(crate) fn count(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
