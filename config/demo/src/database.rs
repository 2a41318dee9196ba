//! Filling a SQLite file: rows in bulk, in one transaction, since a file of ten thousand citizens is made at each start.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Cell {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The rows of one table.
pub(crate) struct Table {
    /// `INSERT INTO NAME (COLUMN, ...) `, up to the values.
    pub(crate) insert: &'static str,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// SQLite takes 32,766 values in one statement; this stays well below for the widest table.
const ROWS_AT_ONCE: usize = 200;

/// Makes a database file with these tables.
pub(crate) async fn fill(file: &Path, definition: &'static str, tables: Vec<Table>) -> Result<(), sqlx::Error> {
    // Whoever finds half a file makes it anew, so nothing has to reach the disk before the end.
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Off)
        .statement_cache_capacity(4)
        .disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(definition).execute(&mut *transaction).await?;
    for table in tables {
        for rows in table.rows.chunks(ROWS_AT_ONCE) {
            insert(&mut transaction, table.insert, rows).await?;
        }
    }
    transaction.commit().await?;
    connection.close().await
}

async fn insert(connection: &mut SqliteConnection, head: &'static str, rows: &[Vec<Cell>]) -> Result<(), sqlx::Error> {
    let mut statement = QueryBuilder::<Sqlite>::new(head);
    statement.push_values(rows, |mut values, row| {
        for cell in row {
            match cell.clone() {
                Cell::Null => values.push_bind(None::<i64>),
                Cell::Int(number) => values.push_bind(number),
                Cell::Text(text) => values.push_bind(text),
                Cell::Blob(bytes) => values.push_bind(bytes),
            };
        }
    });
    statement.build().execute(connection).await?;
    Ok(())
}
