//! A drop comes into force: the index, what becomes of the changes that no drop had shown, and the log of changes, in
//! one transaction.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rabita_sdk::Legacy;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::index::{self, Looking, RECORD, Table, value_of};
use crate::plan::Plan;
use crate::shared::Shared;
use crate::state;

/// An index that is made and not in force yet.
pub struct Ready {
    pub file: String,
    pub identity: String,
    pub rows: u64,
}

/// A difference between two drops.
struct Difference {
    key_bytes: Vec<u8>,
    key: Vec<Legacy>,
    is_gone: bool,
}

/// Brings an index into force, and returns how many changes are shown no longer although no drop showed them.
///
/// # Errors
/// When the state can't be written: all stays as it was.
pub fn swap(shared: &Shared, place: usize, ready: &Ready) -> rusqlite::Result<usize> {
    const LONG: Duration = Duration::from_secs(600);
    let plan = &shared.plans[place];
    let new = index::open(&shared.directory.join(&ready.file))?;
    let mut state = shared.readers.state().connect()?;
    state.busy_timeout(LONG)?;
    let before = state::current(&state, plan)?;
    let old = before.as_ref().map(|before| index::open(&shared.directory.join(&before.file))).transpose()?;
    let differences = match &old {
        Some(old) if plan.has_changes => differences(plan, old, &new)?,
        _ => Vec::new(),
    };
    let _one = shared.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let transaction = state.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut settling = Settling { shared, plan, place, state: &transaction, new: &new, given_up: 0, logged: HashSet::new() };
    settling.settle()?;
    let now = jiff::Timestamp::now();
    for difference in differences.iter().filter(|one| !settling.logged.contains(&one.key_bytes)) {
        state::log(&transaction, plan, &difference.key, difference.is_gone, now.as_second())?;
    }
    let given_up = settling.given_up;
    let rows = ready.rows.cast_signed();
    transaction.execute(
        "INSERT OR REPLACE INTO current (entity, fingerprint, file, identity, rows, accepted_at, previous)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            plan.name,
            plan.fingerprint,
            ready.file,
            ready.identity,
            rows,
            now.to_string(),
            before.as_ref().map(|before| &before.file)
        ],
    )?;
    transaction.execute("DELETE FROM refused WHERE entity = ?", [&plan.name])?;
    transaction.commit()?;
    Ok(given_up)
}

/// A change that no drop had shown; without a digest, the end of a record.
struct Noted {
    key: Vec<u8>,
    digest: Option<i64>,
    base: Option<i64>,
    drops: u32,
    record: String,
}

/// What becomes of the changes that no drop had shown.
struct Settling<'a> {
    shared: &'a Shared,
    plan: &'a Plan,
    place: usize,
    state: &'a Connection,
    new: &'a Connection,
    given_up: usize,
    /// The keys of changed records: what is seen of them is weighed here, and not by the difference of the drops.
    logged: HashSet<Vec<u8>>,
}

impl Settling<'_> {
    fn settle(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT k, gone, d, base, drops, record FROM changed WHERE entity = ? ORDER BY k";
        let mut statement = self.state.prepare(sql)?;
        let noted = statement.query_map([&self.plan.name], |row| {
            let is_gone: bool = row.get(1)?;
            let digest = if is_gone { None } else { Some(row.get(2)?) };
            Ok(Noted { key: row.get(0)?, digest, base: row.get(3)?, drops: row.get(4)?, record: row.get(5)? })
        })?;
        for noted in noted.collect::<Result<Vec<_>, _>>()? {
            self.one(noted)?;
        }
        Ok(())
    }

    fn one(&mut self, noted: Noted) -> rusqlite::Result<()> {
        let Noted { key, digest: changed, base, drops, record } = noted;
        let table = Table::new(RECORD, self.plan);
        let looking = Looking { connection: self.new, table: &table, can_be_gone: false };
        let dropped = looking.one(&key, &self.plan.key)?;
        let now = dropped.as_ref().map(|found| found.digest);
        let overlay = &self.shared.readers.state().overlays[self.place];
        let most = self.shared.outbox.as_ref().map_or(1, |outbox| outbox.given_up_after_drops);
        let is_shown = now == changed;
        let is_overtaken = now != base;
        if !is_shown && !is_overtaken && drops + 1 < most {
            let sql = "UPDATE changed SET drops = drops + 1 WHERE entity = ? AND k = ?";
            self.state.prepare_cached(sql)?.execute(params![self.plan.name, key])?;
        } else {
            state::forget(self.state, self.plan, overlay, &key)?;
            self.given_up += usize::from(!is_shown && !is_overtaken);
            if !is_shown && self.plan.has_changes {
                let told = match dropped {
                    Some(found) => found.values,
                    None => self.plan.key_of(&state::restored(self.plan, &record)),
                };
                state::log(self.state, self.plan, &told, now.is_none(), jiff::Timestamp::now().as_second())?;
            }
        }
        self.logged.insert(key);
        Ok(())
    }
}

/// What the records of two indexes differ in, in the order of their keys: both are read once from end to end.
fn differences(plan: &Plan, old: &Connection, new: &Connection) -> rusqlite::Result<Vec<Difference>> {
    let sql = format!("SELECT k, d, n FROM {RECORD} INDEXED BY by_key ORDER BY k");
    let (mut olds, mut news) = (old.prepare(&sql)?, new.prepare(&sql)?);
    let (mut olds, mut news) = (olds.query([])?, news.query([])?);
    type Entry = (Vec<u8>, i64, i64);
    let entry = |row: Option<&rusqlite::Row<'_>>| -> rusqlite::Result<Option<Entry>> {
        row.map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).transpose()
    };
    let (mut a, mut b) = (entry(olds.next()?)?, entry(news.next()?)?);
    let mut found = Vec::new();
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(found),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, ..)), Some((b, ..))) => a.cmp(b),
        };
        let is_same = order.is_eq() && a.as_ref().map(|a| a.1) == b.as_ref().map(|b| b.1);
        if !is_same {
            let (from, entry) = if order.is_lt() { (old, &a) } else { (new, &b) };
            if let Some((key, _, number)) = entry {
                let values = key_values(plan, from, *number)?;
                found.push(Difference { key_bytes: key.clone(), key: values, is_gone: order.is_lt() });
            }
        }
        if order.is_le() {
            a = entry(olds.next()?)?;
        }
        if order.is_ge() {
            b = entry(news.next()?)?;
        }
    }
}

fn key_values(plan: &Plan, from: &Connection, number: i64) -> rusqlite::Result<Vec<Legacy>> {
    let columns: Vec<String> = plan.key.iter().map(|place| format!("c{place}")).collect();
    let sql = format!("SELECT {} FROM {RECORD} WHERE n = ?", columns.join(", "));
    let found = from
        .prepare_cached(&sql)?
        .query_row([number], |row| (0..columns.len()).map(|at| value_of(row.get_ref(at)?)).collect::<Result<Vec<_>, _>>());
    Ok(found.optional()?.unwrap_or_default())
}

/// Removes the indexes that are no longer in force, but for the ones before: a call may still read them.
///
/// # Errors
/// When the directory or the state can't be read.
pub fn sweep(shared: &Shared) -> Result<(), String> {
    let state = shared.readers.state().connect().map_err(|error| error.to_string())?;
    let mut used: HashMap<String, ()> = HashMap::new();
    let mut statement = state.prepare("SELECT file, previous FROM current").map_err(|error| error.to_string())?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)));
    for row in rows.map_err(|error| error.to_string())? {
        let (file, previous) = row.map_err(|error| error.to_string())?;
        used.insert(file, ());
        used.extend(previous.map(|previous| (previous, ())));
    }
    let entries = std::fs::read_dir(&shared.directory).map_err(|error| error.kind().to_string())?;
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.ends_with(INDEX) && !used.contains_key(&name) {
            // One that can't be removed now is removed at the next drop.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The end of the names of indexes.
pub const INDEX: &str = ".index";
