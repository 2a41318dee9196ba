//! Finding the changes of others: the difference between two drops, record by record, and the changes of the bus.

use std::time::Instant;

use rabita_sdk::{ChangePage, Changes, Detected, Failure, Legacy};
use rusqlite::Connection;

use crate::reading;
use crate::shared::Shared;
use crate::state;

impl Shared {
    /// Some changes since a place, or the place that is now. Blocks.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn changes(&self, place: usize, ask: &Changes, deadline: Instant) -> Result<ChangePage, Failure> {
        let plan = self.plan(place)?;
        if !plan.has_changes {
            return Err(Failure::unsupported("this entity has no `changes`"));
        }
        // Without a drop there is no place yet from which changes could be told.
        self.view(place, deadline, |_| Ok(()))?;
        let read = |state: &Connection| page(state, &plan.name, ask);
        let state = self.readers.state().connect().map_err(|error| reading::failure(&error, deadline))?;
        read(&state).map_err(|error| reading::failure(&error, deadline))?
    }
}

fn page(state: &Connection, entity: &str, ask: &Changes) -> rusqlite::Result<Result<ChangePage, Failure>> {
    let epoch = state::meta(state, "epoch")?.unwrap_or_default();
    let named = |seq: i64| format!("{epoch}.{seq}");
    let Some(since) = &ask.since else {
        let last: i64 = state.query_row("SELECT coalesce(max(seq), 0) FROM log", [], |row| row.get(0))?;
        return Ok(Ok(ChangePage { changes: Vec::new(), since: named(last), has_more: false }));
    };
    let place = since.split_once('.').filter(|(own, _)| *own == epoch).and_then(|(_, seq)| seq.parse::<i64>().ok());
    let Some(mut last) = place else {
        return Ok(Err(Failure::refused("the place is none of this index, which may have been made anew")));
    };
    let limit = ask.limit.max(1);
    let mut statement =
        state.prepare_cached("SELECT seq, key, gone FROM log WHERE entity = ? AND seq > ? ORDER BY seq LIMIT ?")?;
    let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = statement.query(rusqlite::params![entity, last, asked])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        if changes.len() == limit {
            return Ok(Ok(ChangePage { changes, since: named(last), has_more: true }));
        }
        last = row.get(0)?;
        let key: Vec<Legacy> = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
        changes.push(Detected::Key { key, is_gone: row.get(2)? });
    }
    Ok(Ok(ChangePage { changes, since: named(last), has_more: false }))
}
