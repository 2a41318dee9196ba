//! A drop as an index on disk: an SQLite database that is written once and then only read.
//!
//! Each value that is kept has a column of its own, so a read takes no more than is wanted. The index over the keys and
//! those over what searches compare are made after the rows, by sorting on disk: memory stays bounded however many
//! records there are.

mod build;
mod look;
mod query;
mod value;

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};

pub use build::{Building, Built, RECORD, build};
pub use look::{Found, Looking};
pub use query::{Query, Table};
pub use value::{digest, key_bytes, to_sql, value_of};

/// Opens an index to read.
///
/// # Errors
/// As SQLite tells.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    // Nobody writes it any more, so it needs no locks.
    let uri = format!("file:{}?immutable=1", escaped(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Makes a connection ready for the queries of an index.
///
/// # Errors
/// As SQLite tells.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    value::add_functions(connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)
}

/// So many statements stay prepared: several wants of each entity.
const STATEMENTS: usize = 64;

/// What a connection keeps of a file in memory, beside what the operating system keeps.
const CACHE_KIB: i64 = 4096;

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// Ends what a connection does when the time is over.
pub fn until(connection: &Connection, deadline: Instant) -> rusqlite::Result<()> {
    const STEPS: i32 = 1000;
    connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline))
}
