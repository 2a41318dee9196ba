//! Opens the file, and makes its tables where it is new.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::JournalError;

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the loss of power: for what is the truth.
    Full,
    /// It survives the end of the process. After a loss of power the newest commits may be gone, each as a whole: for
    /// what can be built anew.
    View,
}

/// The form of the tables. A file of a newer form is refused.
const FORM: i64 = 1;

/// In pages of 4 KiB: how long the write-ahead log becomes before it is worked into the file.
const CHECKPOINT_PAGES: i64 = 4_096;
/// What is left of the log once it was longer, in bytes.
const LOG_MAX_BYTES: i64 = 64 << 20;
const STATEMENTS: usize = 64;

const TABLES: &str = "
    CREATE TABLE marks (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE claims (
        system TEXT NOT NULL, idempotency_key TEXT NOT NULL, id BLOB NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (system, idempotency_key)
    ) WITHOUT ROWID;
    CREATE TABLE updates (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        registry TEXT NOT NULL,
        record TEXT NOT NULL,
        system TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        accepted_at INTEGER NOT NULL,
        state INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        code TEXT,
        concluded_at INTEGER,
        progress TEXT,
        conclusion TEXT,
        body TEXT NOT NULL,
        payload TEXT
    );
    CREATE INDEX updates_waiting ON updates (registry) WHERE state < 2;
    CREATE INDEX updates_open ON updates (registry, record, state) WHERE state < 3;
    CREATE INDEX updates_odd ON updates (state) WHERE state <> 0 AND state <> 3;
    CREATE INDEX updates_system ON updates (system);
    CREATE INDEX updates_concluded ON updates (concluded_at) WHERE concluded_at IS NOT NULL;
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE acts (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
";

/// Opens the file for writing and makes its tables where there are none. There is one such connection.
///
/// # Errors
/// [`JournalError::Corrupt`] where it is no store of this form; else as the disk fails.
pub fn open(path: &Path, durability: Durability) -> Result<Connection, JournalError> {
    let connection = Connection::open(path)?;
    // What is set before the first table cannot be set after it.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::View => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_MAX_BYTES)?;
    // What was erased is overwritten wherever that costs no writing of its own.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    settle_in(&connection)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    match connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
        0 => make(&connection)?,
        FORM => {}
        other => return Err(JournalError::Corrupt(format!("the store has form {other}, this program knows form {FORM}"))),
    }
    Ok(connection)
}

/// Opens the file for reading, beside the one that writes.
///
/// # Errors
/// As the disk fails.
pub fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn settle_in(connection: &Connection) -> Result<(), JournalError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Another connection holds the file for moments only, when the log is worked in.
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn make(connection: &Connection) -> Result<(), JournalError> {
    let script = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORM}; COMMIT;");
    connection.execute_batch(&script).map_err(|error| {
        // A half-made transaction must not stay open on a connection that is given up.
        let _ = connection.execute_batch("ROLLBACK");
        crate::store::fault(&error)
    })
}
