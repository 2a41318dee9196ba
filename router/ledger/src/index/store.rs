//! The file of the index, and the one connection that writes it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::error::LedgerError;
use crate::index::batch::Batch;
use crate::log::Log;
use crate::log::proof::leaf_hash;
use crate::period::KeyName;

/// The form of the tables. A file of another form is built anew.
const FORM: i64 = 1;
/// Other connections hold the file for moments only.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE indexed (origin TEXT NOT NULL, size INTEGER NOT NULL, leaf BLOB NOT NULL);
    CREATE TABLE keys (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE exchanges (exchange BLOB NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (exchange, idx)) WITHOUT ROWID;
    CREATE TABLE subjects (
        key INTEGER NOT NULL, pseudonym BLOB NOT NULL, at INTEGER NOT NULL, idx INTEGER NOT NULL,
        PRIMARY KEY (key, pseudonym, at, idx)
    ) WITHOUT ROWID;
    CREATE TABLE uses (
        owner TEXT NOT NULL, at INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (owner, at, idx)
    ) WITHOUT ROWID;
    CREATE TABLE parts (
        owner TEXT NOT NULL, at INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (owner, at, idx)
    ) WITHOUT ROWID;
    CREATE TABLE counts (
        hour INTEGER NOT NULL, owner TEXT NOT NULL, registry TEXT NOT NULL, version TEXT NOT NULL, entity TEXT NOT NULL,
        operation TEXT NOT NULL, caller TEXT NOT NULL, purpose TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (hour, owner, registry, version, entity, operation, caller, purpose)
    ) WITHOUT ROWID;
";

/// The connection that writes.
pub(super) struct Store(Connection);

impl Store {
    /// Opens an index that fits the log, and says how much of the log it has; or says why it does not fit.
    pub(super) fn open(path: &Path, log: &Log) -> Result<(Self, u64), String> {
        if !path.exists() {
            return Err("there is none".to_owned());
        }
        let store = Self::connect(path).map_err(|error| error.to_string())?;
        let indexed = store.fit(log)?;
        Ok((store, indexed))
    }

    /// Begins anew, in place of what is there.
    pub(super) fn begin(path: &Path, log: &Log) -> Result<Self, LedgerError> {
        let removed = ["", "-wal", "-shm"].iter().try_for_each(|suffix| {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        let fault = |error: String| LedgerError::Index(format!("{}: {error}", path.display()));
        removed.map_err(|error| fault(error.to_string()))?;
        // SQLite gives its other files the mode of this one.
        let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
        made.map_err(|error| fault(error.to_string()))?;
        let make = || -> rusqlite::Result<Self> {
            let store = Self::connect(path)?;
            store.0.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORM}; COMMIT;"))?;
            store.0.execute("INSERT INTO indexed VALUES (?1, 0, x'')", [log.origin()])?;
            Ok(store)
        };
        make().map_err(|error| fault(error.to_string()))
    }

    /// Puts a batch, whole or not at all.
    pub(super) fn put(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        let mut exchanges = transaction.prepare_cached("INSERT OR REPLACE INTO exchanges VALUES (?1, ?2)")?;
        for (exchange, index) in &batch.exchanges {
            exchanges.execute(params![exchange.uuid().as_bytes(), index])?;
        }
        let mut keys = Keys::new(&transaction)?;
        let mut subjects = transaction.prepare_cached("INSERT OR REPLACE INTO subjects VALUES (?1, ?2, ?3, ?4)")?;
        for subject in &batch.subjects {
            subjects.execute(params![keys.id(&subject.key)?, subject.pseudonym.0, subject.at, subject.index])?;
        }
        let mut uses = transaction.prepare_cached("INSERT OR REPLACE INTO uses VALUES (?1, ?2, ?3)")?;
        for used in &batch.uses {
            uses.execute(params![used.owner, used.at, used.index])?;
        }
        let mut parts = transaction.prepare_cached("INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3)")?;
        for part in &batch.parts {
            parts.execute(params![part.owner, part.at, part.index])?;
        }
        let mut counts = transaction.prepare_cached(
            "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (cell, count) in &batch.counts {
            let (owner, registry, version, entity) = (&cell.owner, &cell.registry, &cell.version, &cell.entity);
            let (operation, caller, purpose) = (cell.operation, &cell.caller, &cell.purpose);
            counts.execute(params![cell.hour, owner, registry, version, entity, operation, caller, purpose, count])?;
        }
        let size = i64::try_from(batch.size()).expect("a log has less than 2^63 entries");
        transaction.execute("UPDATE indexed SET size = ?1, leaf = ?2", params![size, batch.leaf()])?;
        drop((exchanges, keys, subjects, uses, parts, counts));
        transaction.commit()
    }

    /// Forgets whom the entries of keys are about.
    pub(super) fn forget(&self, keys: &[KeyName]) -> rusqlite::Result<()> {
        for key in keys {
            self.0.execute("DELETE FROM subjects WHERE key = (SELECT id FROM keys WHERE name = ?1)", [key.to_string()])?;
        }
        Ok(())
    }

    fn connect(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // After a loss of power the newest batches may be gone, each as a whole: it follows the log again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        // What is forgotten is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self(connection))
    }

    /// Holds the index against the log: its form, whose it is, and whether it ends with an entry that the log has there.
    fn fit(&self, log: &Log) -> Result<u64, String> {
        let form: i64 = self.0.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| error.to_string())?;
        if form != FORM {
            return Err(format!("it has form {form}, this program knows form {FORM}"));
        }
        let fault: String = self.0.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| error.to_string())?;
        if fault != "ok" {
            return Err(fault);
        }
        let read = self.0.query_row("SELECT origin, size, leaf FROM indexed", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        });
        let (origin, size, leaf) = read.map_err(|error| error.to_string())?;
        let size = u64::try_from(size).map_err(|_| "it has less than nothing".to_owned())?;
        if origin != log.origin() {
            return Err("it is of another log".to_owned());
        }
        let Some(last) = size.checked_sub(1) else { return Ok(0) };
        match log.entry(last).map_err(|error| error.to_string())? {
            Some(entry) if leaf_hash(&entry)[..] == leaf[..] => Ok(size),
            _ => Err("it has what the log does not have".to_owned()),
        }
    }
}

/// The numbers of the keys' names, which are short and stand in every row.
struct Keys<'a> {
    find: rusqlite::CachedStatement<'a>,
    add: rusqlite::CachedStatement<'a>,
    last: Option<(String, i64)>,
}

impl<'a> Keys<'a> {
    fn new(connection: &'a Connection) -> rusqlite::Result<Self> {
        let find = connection.prepare_cached("SELECT id FROM keys WHERE name = ?1")?;
        let add = connection.prepare_cached("INSERT INTO keys (name) VALUES (?1) RETURNING id")?;
        Ok(Self { find, add, last: None })
    }

    fn id(&mut self, name: &str) -> rusqlite::Result<i64> {
        if let Some((_, id)) = self.last.as_ref().filter(|(last, _)| last == name) {
            return Ok(*id);
        }
        let found = self.find.query_row([name], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => self.add.query_row([name], |row| row.get(0))?,
        };
        self.last = Some((name.to_owned(), id));
        Ok(id)
    }
}

/// Opens the index for one question.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
