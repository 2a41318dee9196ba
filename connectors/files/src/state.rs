//! What is known beside the drops: which index is in force, the changes that no drop shows yet, the ids of changes,
//! what waits to be written, and the log of changes.
//!
//! One SQLite database, so that a reader finds index and changes of one moment, and a change is there whole or not at
//! all. Several processes may have it open; the one that holds the lock (`shared.rs`) makes indexes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rabita_sdk::{Legacy, OpenError};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};

use crate::index::{self, Table};
use crate::plan::Plan;

/// The database's file in the directory of the index.
pub const FILE: &str = "state.db";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS current (entity TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL, file TEXT NOT NULL,
        identity TEXT NOT NULL, rows INTEGER NOT NULL, accepted_at TEXT NOT NULL, previous TEXT) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS refused (entity TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL, identity TEXT NOT NULL,
        told TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changed (entity TEXT, k BLOB, gone INTEGER NOT NULL, d INTEGER NOT NULL, base INTEGER,
        drops INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (entity, k)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS once (id BLOB PRIMARY KEY, at INTEGER NOT NULL, forgone INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS once_by_age ON once (at);
    CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT NOT NULL, key TEXT NOT NULL,
        gone INTEGER NOT NULL, at INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS log_by_entity ON log (entity, seq);
    CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT NOT NULL, id TEXT NOT NULL,
        at TEXT NOT NULL, body BLOB NOT NULL, file TEXT);
";

/// The state's database, and the tables of changes in it: one for each entity, in the same columns as its index.
pub struct State {
    path: PathBuf,
    pub overlays: Vec<Table>,
}

impl State {
    /// Opens the state in this directory, making it where it is not.
    ///
    /// # Errors
    /// When it can't be made, or belongs to another registry.
    pub fn open(directory: &Path, registry: &str, plans: &[Plan]) -> Result<Self, OpenError> {
        let wrong = |what: &str| OpenError(format!("the index in {}: {what}", directory.display()));
        std::fs::create_dir_all(directory).map_err(|error| wrong(&format!("the directory can't be made: {}", error.kind())))?;
        let overlays = plans.iter().enumerate().map(|(at, plan)| Table::new(format!("overlay_{at}"), plan)).collect();
        let state = Self { path: directory.join(FILE), overlays };
        state.prepare(registry, plans).map_err(|error| match error {
            Prepare::Sql(error) => wrong(&format!("{error}; move the directory away to have it made anew")),
            Prepare::Other(registry) => wrong(&format!("it belongs to the registry `{registry}`: give each its own")),
        })?;
        Ok(state)
    }

    /// A connection to it.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        index::prepare(&connection)?;
        // What is said to be done is on disk.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;")?;
        Ok(connection)
    }

    fn prepare(&self, registry: &str, plans: &[Plan]) -> Result<(), Prepare> {
        let mut connection = self.connect()?;
        connection.busy_timeout(Duration::from_secs(10))?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        match meta(&transaction, "registry")? {
            None => {
                set_meta(&transaction, "registry", registry)?;
                set_meta(&transaction, "epoch", &uuid::Uuid::now_v7().simple().to_string())?;
            }
            Some(owner) if owner == registry => {}
            Some(owner) => return Err(Prepare::Other(owner)),
        }
        for (plan, overlay) in plans.iter().zip(&self.overlays) {
            self.prepare_overlay(&transaction, plan, overlay)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The table of changes has the columns of the manifest: with another manifest it is made anew, out of what was
    /// noted of each change by name.
    fn prepare_overlay(&self, state: &Transaction<'_>, plan: &Plan, overlay: &Table) -> rusqlite::Result<()> {
        let told = format!("{}:{}", plan.name, plan.fingerprint);
        if meta(state, &overlay.name)?.as_deref() == Some(&told) {
            return Ok(());
        }
        let name = &overlay.name;
        state.execute_batch(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (k BLOB PRIMARY KEY, gone, d{}) WITHOUT ROWID",
            overlay.columns()
        ))?;
        let mut noted = state.prepare("SELECT k, gone, d, record FROM changed WHERE entity = ?")?;
        let mut rows = noted.query([&plan.name])?;
        while let Some(row) = rows.next()? {
            let record: String = row.get(3)?;
            let values = restored(plan, &record);
            put(state, overlay, row.get(0)?, row.get(1)?, row.get(2)?, &values)?;
        }
        for index in overlay.indexes() {
            state.execute_batch(&index)?;
        }
        set_meta(state, name, &told)
    }
}

enum Prepare {
    Sql(rusqlite::Error),
    Other(String),
}

impl From<rusqlite::Error> for Prepare {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// A word of the state's own.
pub fn meta(state: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    state.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

fn set_meta(state: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    state.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", [name, value]).map(drop)
}

/// The index in force of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The index's file in the directory.
    pub file: String,
    /// What tells the drop from others.
    pub identity: String,
    pub rows: u64,
}

/// The index in force, if it was made by this manifest.
pub fn current(state: &Connection, plan: &Plan) -> rusqlite::Result<Option<Current>> {
    let mut statement = state.prepare_cached("SELECT file, identity, rows FROM current WHERE entity = ? AND fingerprint = ?")?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Current { file: row.get(0)?, identity: row.get(1)?, rows: row.get::<_, i64>(2)?.cast_unsigned() })
    };
    statement.query_row(rusqlite::params![plan.name, plan.fingerprint], row).optional()
}

/// A change that no drop shows yet.
pub struct Changed<'a> {
    pub key: &'a [u8],
    pub is_gone: bool,
    /// What is kept of the record, as it is after the change.
    pub values: &'a [Legacy],
    pub digest: i64,
    /// The digest of the record in the drop in force; none where it has no such record.
    pub base: Option<i64>,
}

/// Notes a change.
pub fn note(state: &Connection, plan: &Plan, overlay: &Table, changed: &Changed<'_>) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO changed (entity, k, gone, d, base, drops, record) VALUES (?, ?, ?, ?, ?, 0, ?)";
    let record = noted(plan, changed.values);
    let Changed { key, is_gone, digest, base, .. } = changed;
    state.prepare_cached(sql)?.execute(rusqlite::params![plan.name, key, is_gone, digest, base, record])?;
    put(state, overlay, key.to_vec(), *is_gone, *digest, changed.values)
}

/// Forgets a change: a drop shows it, or something newer.
pub fn forget(state: &Connection, plan: &Plan, overlay: &Table, key: &[u8]) -> rusqlite::Result<()> {
    state.prepare_cached("DELETE FROM changed WHERE entity = ? AND k = ?")?.execute(rusqlite::params![plan.name, key])?;
    state.prepare_cached(&format!("DELETE FROM {} WHERE k = ?", overlay.name))?.execute([key]).map(drop)
}

fn put(state: &Connection, overlay: &Table, key: Vec<u8>, is_gone: bool, digest: i64, values: &[Legacy]) -> rusqlite::Result<()> {
    let nothing = vec![Legacy::Null; overlay.width];
    let values = if is_gone { nothing.as_slice() } else { values };
    let sql =
        format!("INSERT OR REPLACE INTO {} (k, gone, d{}) VALUES (?, ?, ?{})", overlay.name, overlay.columns(), overlay.marks());
    let head = [Value::Blob(key), Value::Integer(i64::from(is_gone)), Value::Integer(digest)];
    let all = head.into_iter().chain(values.iter().map(index::to_sql)).chain(overlay.texts(values));
    state.prepare_cached(&sql)?.execute(params_from_iter(all)).map(drop)
}

/// A record by the names of its columns, as it is noted with a change. Bytes are marked, since JSON knows none.
fn noted(plan: &Plan, values: &[Legacy]) -> String {
    let one = |(source, value): (&rabita_sdk::Source, &Legacy)| match value {
        Legacy::Bytes(_) => serde_json::json!([source.as_str(), { "bytes": value }]),
        value => serde_json::json!([source.as_str(), value]),
    };
    serde_json::Value::from_iter(plan.kept.columns.iter().zip(values).map(one)).to_string()
}

/// What was noted of a record, as what is kept now.
pub fn restored(plan: &Plan, record: &str) -> Vec<Legacy> {
    use base64::Engine as _;
    let noted: Vec<(String, Legacy)> = serde_json::from_str(record).unwrap_or_default();
    let bytes = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).map_or(Legacy::Null, Legacy::Bytes);
    let value = |value: &Legacy| match value {
        Legacy::Group(group) => match group.get("bytes") {
            Some(Legacy::Text(text)) => bytes(text),
            _ => value.clone(),
        },
        value => value.clone(),
    };
    let find = |name: &str| noted.iter().find(|(own, _)| own == name).map_or(Legacy::Null, |(_, found)| value(found));
    let groups = plan.kept.groups.iter().map(|_| Legacy::List(Vec::new()));
    plan.kept.columns.iter().map(|source| find(source.as_str())).chain(groups).collect()
}

/// Adds to the log of changes.
pub fn log(state: &Connection, plan: &Plan, key: &[Legacy], is_gone: bool, at: i64) -> rusqlite::Result<()> {
    let key = serde_json::to_string(key).unwrap_or_default();
    let mut statement = state.prepare_cached("INSERT INTO log (entity, key, gone, at) VALUES (?, ?, ?, ?)")?;
    statement.execute(rusqlite::params![plan.name, key, is_gone, at]).map(drop)
}
