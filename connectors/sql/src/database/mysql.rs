//! MariaDB and MySQL: everything but text and bytes is read as text, which keeps zero dates and exact decimals.

use rabita_sdk::{Legacy, Row, Source};
use sqlx::mysql::{MySql, MySqlRow, MySqlTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Executor as _, Row as _, SqlSafeStr as _, Statement as _, Type, TypeInfo as _,
    ValueRef as _,
};

use super::{bound, to_be_cast};
use crate::act::wanted_of;
use crate::column::{Class, Column};
use crate::connector::Trouble;
use crate::statement::Statement;

type Connection = PoolConnection<MySql>;

pub(super) async fn fetch(
    connection: &mut Connection,
    statement: Statement,
    columns: &[Column],
) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    rows.iter().map(|row| columns.iter().enumerate().map(|(at, column)| value(row, at, column)).collect()).collect()
}

/// The first row of what an action answers. Nothing casts its columns for us, so they are of types that we decode
/// without loss.
pub(super) async fn answer(connection: &mut Connection, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let columns = row.columns();
    let decoded = wanted_of(columns.iter().map(|column| column.name()).collect(), wanted, |at| {
        let info = columns[at].type_info();
        let column = described(info);
        match (info.name(), column.class) {
            ("YEAR", _) | (_, Class::Bits | Class::Date | Class::Timestamp | Class::Instant | Class::Other) => {
                Err(to_be_cast(columns[at].name(), info.name()).into())
            }
            (_, Class::Int) => Ok(integer(row, at)?),
            _ => Ok(value(row, at, &column)?),
        }
    })?;
    Ok(Some(decoded))
}

fn integer(row: &MySqlRow, at: usize) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    if raw.type_info().name().contains("UNSIGNED") {
        let number = <u64 as Decode<MySql>>::decode(raw).map_err(of_column)?;
        return Ok(i64::try_from(number).map_or_else(|_| Legacy::Text(number.to_string()), Legacy::Int));
    }
    <i64 as Decode<MySql>>::decode(raw).map(Legacy::Int).map_err(of_column)
}

pub(super) async fn execute(connection: &mut Connection, statement: Statement) -> Result<u64, sqlx::Error> {
    Ok(bound!(statement).execute(&mut **connection).await?.rows_affected())
}

pub(super) async fn describe(connection: &mut Connection, sql: String) -> Result<Vec<Column>, sqlx::Error> {
    let prepared = (&mut **connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
    Ok(prepared.columns().iter().map(|column| described(column.type_info())).collect())
}

fn described(info: &MySqlTypeInfo) -> Column {
    let name = info.name();
    let class = match name {
        "FLOAT" | "DOUBLE" => Class::Float,
        "DECIMAL" => Class::Decimal,
        "DATE" => Class::Date,
        "DATETIME" => Class::Timestamp,
        "TIMESTAMP" => Class::Instant,
        "JSON" => Class::Json,
        "BIT" => Class::Bits,
        "TIME" => Class::Other,
        "BOOLEAN" | "YEAR" => Class::Int,
        _ if name.contains("INT") => Class::Int,
        // Text in a binary collation (`utf8mb4_bin`) is text; only the collation `binary` means bytes.
        _ if <String as Type<MySql>>::compatible(info) => Class::Text,
        "ENUM" | "SET" => Class::Text,
        "GEOMETRY" => Class::Bytes,
        _ => Class::Bytes,
    };
    Column::new(class, &name.to_ascii_lowercase())
}

fn value(row: &MySqlRow, at: usize, column: &Column) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    let name = raw.type_info().name().to_owned();
    Ok(match (&*name, column.class) {
        ("FLOAT", _) => column.meaning(<f32 as Decode<MySql>>::decode(raw).map_err(of_column)?.to_string()),
        ("DOUBLE", _) => Legacy::Float(<f64 as Decode<MySql>>::decode(raw).map_err(of_column)?),
        (_, Class::Bytes) => Legacy::Bytes(<Vec<u8> as Decode<MySql>>::decode(raw).map_err(of_column)?),
        _ => {
            let bytes = <Vec<u8> as Decode<MySql>>::decode(raw).map_err(of_column)?;
            column.meaning(String::from_utf8(bytes).map_err(|_| of_column("not UTF-8".into()))?)
        }
    })
}
