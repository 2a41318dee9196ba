//! Reading: the changes that no drop shows yet, above the index in force, as both were at one moment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rabita_sdk::Failure;
use rusqlite::Connection;

use crate::index::{self, Found, Looking, Query, RECORD, Table};
use crate::plan::Plan;
use crate::state::{self, State};

/// What is read with: connections that go from call to call.
pub struct Readers {
    directory: PathBuf,
    state: State,
    drops: Vec<Table>,
    idle: Mutex<Vec<Reader>>,
}

/// Connections to the state and to the indexes in force.
struct Reader {
    state: Connection,
    /// By the entity's place: the index's file, and the connection to it.
    indexes: HashMap<usize, (String, Connection)>,
}

/// An entity as it is at one moment.
pub struct View<'a> {
    overlay: Looking<'a>,
    drop: Looking<'a>,
}

/// Why nothing was read.
pub enum Trouble {
    /// No drop has been accepted yet.
    NoDrop,
    Sql(rusqlite::Error),
    Failure(Failure),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Readers {
    /// Readers of the state and the indexes in a directory.
    #[must_use]
    pub fn new(directory: &Path, state: State, plans: &[Plan]) -> Self {
        let drops = plans.iter().map(|plan| Table::new(RECORD, plan)).collect();
        Self { directory: directory.to_owned(), state, drops, idle: Mutex::default() }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Looks at an entity; nothing that is done meanwhile is seen.
    ///
    /// # Errors
    /// What `look` fails with, or that there is no drop.
    pub fn view<R>(
        &self,
        entity: usize,
        plan: &Plan,
        deadline: Instant,
        look: impl FnOnce(&View<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => Reader { state: self.state.connect()?, indexes: HashMap::new() },
        };
        index::until(&reader.state, deadline)?;
        reader.state.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        let result = {
            let Reader { state, indexes } = &mut reader;
            let transaction = state.transaction()?;
            self.view_within(&transaction, indexes, entity, plan, deadline, look)
        };
        // One that failed may be at fault itself.
        if !matches!(result, Err(Trouble::Sql(_))) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
        result
    }

    /// Looks at an entity within a transaction of the state.
    ///
    /// # Errors
    /// As [`Self::view`].
    pub fn view_within<R>(
        &self,
        state: &Connection,
        indexes: &mut HashMap<usize, (String, Connection)>,
        entity: usize,
        plan: &Plan,
        deadline: Instant,
        look: impl FnOnce(&View<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let current = state::current(state, plan)?.ok_or(Trouble::NoDrop)?;
        if indexes.get(&entity).is_none_or(|(file, _)| *file != current.file) {
            indexes.insert(entity, (current.file.clone(), index::open(&self.directory.join(&current.file))?));
        }
        let Some((_, drop)) = indexes.get(&entity) else { return Err(Trouble::NoDrop) };
        index::until(drop, deadline)?;
        let overlay = Looking { connection: state, table: &self.state.overlays[entity], can_be_gone: true };
        look(&View { overlay, drop: Looking { connection: drop, table: &self.drops[entity], can_be_gone: false } })
    }

    /// Closes connections that nobody uses.
    pub fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl View<'_> {
    /// The record of a key, with the values at these places.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn one(&self, key: &[u8], places: &[usize]) -> rusqlite::Result<Option<Found>> {
        match self.overlay.one(key, places)? {
            Some(found) => Ok(Some(found).filter(|found| !found.is_gone)),
            None => self.drop.one(key, places),
        }
    }

    /// The digest of a record in the drop itself.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn base(&self, key: &[u8]) -> rusqlite::Result<Option<i64>> {
        Ok(self.drop.one(key, &[])?.map(|found| found.digest))
    }

    /// The first records that satisfy a query, in the order of their keys.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn some(
        &self,
        query: impl Fn(&Table) -> Result<Query, Failure>,
        places: &[usize],
        count: usize,
    ) -> Result<Vec<Found>, Trouble> {
        let mut changed = Vec::new();
        self.overlay.each(&query(self.overlay.table)?, places, |found| {
            if !found.is_gone {
                changed.push(found);
            }
            Ok(changed.len() < count)
        })?;
        let mut dropped = Vec::new();
        self.drop.each(&query(self.drop.table)?, places, |found| {
            // What is changed is found among the changes, or no longer.
            if self.overlay.one(&found.key, &[])?.is_none() {
                dropped.push(found);
            }
            Ok(dropped.len() < count)
        })?;
        let mut all = changed;
        all.extend(dropped);
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.truncate(count);
        Ok(all)
    }
}

/// What a failure of SQLite's means to a caller.
#[must_use]
pub fn failure(error: &rusqlite::Error, deadline: Instant) -> Failure {
    use rusqlite::ErrorCode;
    let code = error.sqlite_error_code();
    if code == Some(ErrorCode::OperationInterrupted) || Instant::now() >= deadline {
        return Failure::timed_out("the deadline passed while the index was asked");
    }
    match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Failure::unavailable("the index is damaged: stop the node, move the index's directory away, start it")
        }
        Some(ErrorCode::DiskFull) => Failure::unavailable("the disk of the index is full"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::unavailable("another program has the index locked"),
        Some(code) => Failure::unavailable(format!("the index can't be read: {code:?}")),
        None => Failure::malformed("the index holds what it can't hold"),
    }
}
