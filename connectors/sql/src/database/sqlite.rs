//! SQLite: a value has a type of its own, whatever its column says; the column's type only guides comparisons.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rabita_sdk::{Legacy, Row, Source};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Executor as _, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _, ValueRef as _,
};

use super::bound;
use crate::act::wanted_of;
use crate::column::{Class, Column, marked};
use crate::connector::Trouble;
use crate::statement::Statement;

type Connection = PoolConnection<Sqlite>;

/// How many steps of its machine SQLite takes between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 5_000;

/// Makes statements on the connection stop at the deadline, or when nobody waits for them any more.
pub(super) async fn watch(connection: &mut Connection, deadline: Instant, stop: Arc<AtomicBool>) -> Result<(), sqlx::Error> {
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || !stop.load(Ordering::Relaxed) && Instant::now() < deadline);
    Ok(())
}

pub(super) async fn fetch(
    connection: &mut Connection,
    statement: Statement,
    columns: &[Column],
) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    rows.iter().map(|row| columns.iter().enumerate().map(|(at, column)| value(row, at, column)).collect()).collect()
}

/// The first row of what an action answers.
pub(super) async fn answer(connection: &mut Connection, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let names = row.columns().iter().map(|column| column.name()).collect();
    Ok(Some(wanted_of(names, wanted, |at| Ok(value(row, at, &Column::new(Class::Other, ""))?))?))
}

pub(super) async fn execute(connection: &mut Connection, statement: Statement) -> Result<u64, sqlx::Error> {
    Ok(bound!(statement).execute(&mut **connection).await?.rows_affected())
}

pub(super) async fn describe(connection: &mut Connection, sql: String) -> Result<Vec<Column>, sqlx::Error> {
    let prepared = (&mut **connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
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

fn value(row: &SqliteRow, at: usize, column: &Column) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    let name = raw.type_info().name().to_owned();
    Ok(match &*name {
        "INTEGER" | "BOOLEAN" => match <i64 as Decode<Sqlite>>::decode(raw).map_err(of_column)? {
            number @ (0 | 1) if column.class == Class::Bool => Legacy::Bool(number == 1),
            number => Legacy::Int(number),
        },
        "REAL" => Legacy::Float(<f64 as Decode<Sqlite>>::decode(raw).map_err(of_column)?),
        "BLOB" => Legacy::Bytes(<Vec<u8> as Decode<Sqlite>>::decode(raw).map_err(of_column)?),
        _ => marked(<String as Decode<Sqlite>>::decode(raw).map_err(of_column)?),
    })
}
