//! SQLite: a value has a type of its own, whatever its column says; the column's type only guides comparisons.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use rabita_sdk::{Call, Failure, Legacy, Row, Source};
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Executor as _, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _, ValueRef as _,
};

use crate::act::wanted_of;
use crate::backend::{Link, Pool, Session};
use crate::column::{Class, Column, marked};
use crate::dialect::{Dialect, Sqlite};
use crate::fault::{AnyFault, Trouble};
use crate::sqlx_fault::{fault, taken};
use crate::statement::{Statement, bound};

const DIALECT: Dialect = &Sqlite;

/// How many steps of its machine SQLite takes between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 5_000;

#[async_trait]
impl Pool for SqlitePool {
    async fn session(&self, call: &Call) -> Result<Session, Failure> {
        session(self, call, None).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

/// What a stand-in was asked, in the form of [`crate::statement::Asked`].
pub type Notes = Arc<Mutex<Vec<Value>>>;

/// The database of a stand-in, which notes what it is asked.
pub struct StandIn {
    pub pool: SqlitePool,
    pub notes: Notes,
}

#[async_trait]
impl Pool for StandIn {
    async fn session(&self, call: &Call) -> Result<Session, Failure> {
        session(&self.pool, call, Some(&self.notes)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

async fn session(pool: &SqlitePool, call: &Call, notes: Option<&Notes>) -> Result<Session, Failure> {
    let deadline = call.deadline;
    taken(DIALECT, call, async move {
        let stop = Arc::new(AtomicBool::new(false));
        let mut connection = pool.acquire().await?;
        watch(&mut connection, deadline, Arc::clone(&stop)).await?;
        Ok(Box::new(SqliteLink { connection, stop, notes: notes.cloned() }) as Box<dyn Link>)
    })
    .await
}

/// A connection to a file, or to a database in memory.
struct SqliteLink {
    connection: PoolConnection<sqlx::Sqlite>,
    stop: Arc<AtomicBool>,
    notes: Option<Notes>,
}

#[async_trait]
impl Link for SqliteLink {
    async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
        self.note(&statement);
        self.rows(statement, columns).await.map_err(fault(DIALECT))
    }

    async fn answer(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        self.note(&statement);
        self.first(statement, wanted).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, AnyFault> {
        self.note(&statement);
        let done = bound!(statement).execute(&mut *self.connection).await.map_err(fault(DIALECT))?;
        Ok(done.rows_affected())
    }

    async fn run(&mut self, sql: &str) -> Result<(), AnyFault> {
        let raw = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        raw.execute(&mut *self.connection).await.map(drop).map_err(fault(DIALECT))
    }

    async fn describe(&mut self, sql: String, _columns: usize) -> Result<Vec<Column>, AnyFault> {
        self.columns(sql).await.map_err(fault(DIALECT))
    }

    async fn begin(&mut self) -> Result<(), AnyFault> {
        self.run("BEGIN IMMEDIATE").await
    }

    async fn begin_snapshot(&mut self) -> Result<(), AnyFault> {
        self.run("BEGIN").await
    }

    async fn commit(&mut self) -> Result<(), AnyFault> {
        self.run("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), AnyFault> {
        self.run("ROLLBACK").await
    }

    fn abandon(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.connection.close_on_drop();
    }
}

impl SqliteLink {
    fn note(&self, statement: &Statement) {
        if let (Some(notes), Some(asked)) = (&self.notes, self.notes.as_ref().and_then(|_| statement.asked())) {
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        }
    }

    async fn rows(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
        let rows = bound!(statement).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| columns.iter().enumerate().map(|(at, column)| value(row, at, column)).collect()).collect()
    }

    /// The first row of what an action answers.
    async fn first(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        let rows = bound!(statement).fetch_all(&mut *self.connection).await.map_err(fault(DIALECT))?;
        let Some(row) = rows.first() else { return Ok(None) };
        let names = row.columns().iter().map(|column| column.name()).collect();
        let any = Column::new(Class::Other, "");
        Ok(Some(wanted_of::<Trouble>(names, wanted, |at| Ok(value(row, at, &any).map_err(fault(DIALECT))?))?))
    }

    async fn columns(&mut self, sql: String) -> Result<Vec<Column>, sqlx::Error> {
        let prepared = (&mut *self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
        Ok(prepared
            .columns()
            .iter()
            .map(|column| {
                let name = column.type_info().name();
                let class = match name {
                    "INTEGER" => Class::Int,
                    "TEXT" => Class::Text,
                    "REAL" => Class::Float,
                    "BLOB" => Class::Bytes,
                    "BOOLEAN" => Class::Bool,
                    _ => Class::Other,
                };
                Column::new(class, name)
            })
            .collect())
    }
}

/// Makes statements on the connection stop at the deadline, or when nobody waits for them any more.
async fn watch(
    connection: &mut PoolConnection<sqlx::Sqlite>,
    deadline: Instant,
    stop: Arc<AtomicBool>,
) -> Result<(), sqlx::Error> {
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || !stop.load(Ordering::Relaxed) && Instant::now() < deadline);
    Ok(())
}

fn value(row: &SqliteRow, at: usize, column: &Column) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    let name = raw.type_info().name().to_owned();
    Ok(match &*name {
        "INTEGER" | "BOOLEAN" => match <i64 as Decode<sqlx::Sqlite>>::decode(raw).map_err(of_column)? {
            number @ (0 | 1) if column.class == Class::Bool => Legacy::Bool(number == 1),
            number => Legacy::Int(number),
        },
        "REAL" => Legacy::Float(<f64 as Decode<sqlx::Sqlite>>::decode(raw).map_err(of_column)?),
        "BLOB" => Legacy::Bytes(<Vec<u8> as Decode<sqlx::Sqlite>>::decode(raw).map_err(of_column)?),
        _ => marked(<String as Decode<sqlx::Sqlite>>::decode(raw).map_err(of_column)?),
    })
}
