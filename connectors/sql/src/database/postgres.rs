//! PostgreSQL: describes columns from its catalogue, binds text and casts it, reads text wherever that loses nothing.

use std::collections::HashMap;

use rabita_sdk::{Legacy, Row, Source};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgRow, PgTypeInfo, Postgres};
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Either, Executor as _, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _,
    ValueRef as _,
};

use super::{bound, to_be_cast};
use crate::act::wanted_of;
use crate::column::{Class, Column};
use crate::connector::Trouble;
use crate::statement::Statement;

type Connection = PoolConnection<Postgres>;

pub(super) async fn fetch(
    connection: &mut Connection,
    statement: Statement,
    columns: &[Column],
) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    rows.iter().map(|row| columns.iter().enumerate().map(|(at, column)| value(row, at, column)).collect()).collect()
}

pub(super) async fn execute(connection: &mut Connection, statement: Statement) -> Result<u64, sqlx::Error> {
    Ok(bound!(statement).execute(&mut **connection).await?.rows_affected())
}

pub(super) async fn describe(connection: &mut Connection, sql: String) -> Result<Vec<Column>, sqlx::Error> {
    let prepared = (&mut **connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
    let oids: Vec<u32> = prepared.columns().iter().map(|column| oid(column.type_info())).collect();
    types(connection, &oids).await
}

pub(super) async fn describe_params(connection: &mut Connection, sql: String) -> Result<Vec<Column>, sqlx::Error> {
    let prepared = (&mut **connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
    let oids: Vec<u32> = match prepared.parameters() {
        Some(Either::Left(types)) => types.iter().map(oid).collect(),
        _ => Vec::new(),
    };
    types(connection, &oids).await
}

/// The first row of what an action answers. Nothing casts its columns for us, so they are of types that we decode
/// without loss.
pub(super) async fn answer(connection: &mut Connection, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
    let rows = bound!(statement).fetch_all(&mut **connection).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let columns = row.columns();
    let decoded = wanted_of(columns.iter().map(|column| column.name()).collect(), wanted, |at| {
        let class = class(oid(columns[at].type_info()).into(), "", "");
        if !matches!(class, Class::Bool | Class::Int | Class::Float | Class::Text | Class::Bytes) {
            return Err(to_be_cast(columns[at].name(), columns[at].type_info().name()).into());
        }
        Ok(value(row, at, &Column::new(class, ""))?)
    })?;
    Ok(Some(decoded))
}

fn oid(info: &PgTypeInfo) -> u32 {
    info.oid().map_or(0, |oid| oid.0)
}

async fn types(connection: &mut Connection, oids: &[u32]) -> Result<Vec<Column>, sqlx::Error> {
    let list = oids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    // Without a type modifier: `bpchar` and not `character`, which would mean one character.
    let names = "SELECT CAST(t.oid AS int8), pg_catalog.format_type(t.oid, -1), CAST(t.typtype AS text), CAST(t.typcategory AS text) \
                 FROM pg_catalog.pg_type t WHERE t.oid = ANY (CAST($1 AS oid[]))";
    let rows = sqlx::query(names).bind(format!("{{{list}}}")).fetch_all(&mut **connection).await?;
    let mut types = HashMap::new();
    for row in rows {
        let (oid, name, kind, category): (i64, String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        types.insert(oid, Column { class: class(oid, &kind, &category), type_name: name });
    }
    Ok(oids.iter().map(|oid| types.get(&i64::from(*oid)).cloned().unwrap_or_else(Column::text)).collect())
}

/// The numbers of the built-in types never change (`pg_type.dat`).
fn class(oid: i64, kind: &str, category: &str) -> Class {
    match oid {
        16 => Class::Bool,
        20 | 21 | 23 => Class::Int,
        700 | 701 => Class::Float,
        1700 => Class::Decimal,
        25 | 1042 | 1043 | 19 => Class::Text,
        17 => Class::Bytes,
        1082 => Class::Date,
        1114 => Class::Timestamp,
        1184 => Class::Instant,
        2950 => Class::Uuid,
        114 | 3802 => Class::Json,
        _ if category == "A" => Class::Array,
        _ if kind == "c" => Class::Composite,
        _ => Class::Other,
    }
}

fn value(row: &PgRow, at: usize, column: &Column) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    let name = raw.type_info().name().to_owned();
    Ok(match &*name {
        "BOOL" => Legacy::Bool(<bool as Decode<Postgres>>::decode(raw).map_err(of_column)?),
        "INT2" => Legacy::Int(<i16 as Decode<Postgres>>::decode(raw).map_err(of_column)?.into()),
        "INT4" => Legacy::Int(<i32 as Decode<Postgres>>::decode(raw).map_err(of_column)?.into()),
        "INT8" => Legacy::Int(<i64 as Decode<Postgres>>::decode(raw).map_err(of_column)?),
        // By way of its shortest text, so that 0.1 does not become 0.10000000149.
        "FLOAT4" => column.meaning(<f32 as Decode<Postgres>>::decode(raw).map_err(of_column)?.to_string()),
        "FLOAT8" => Legacy::Float(<f64 as Decode<Postgres>>::decode(raw).map_err(of_column)?),
        "BYTEA" => Legacy::Bytes(<Vec<u8> as Decode<Postgres>>::decode(raw).map_err(of_column)?),
        _ => column.meaning(<String as Decode<Postgres>>::decode(raw).map_err(of_column)?),
    })
}
