//! MariaDB and MySQL: everything but text and bytes is read as text, which keeps zero dates and exact decimals.

use async_trait::async_trait;
use rabita_sdk::{Legacy, Row, Source};
use sqlx::mysql::{MySqlRow, MySqlTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Executor as _, Row as _, SqlSafeStr as _, Statement as _, Type, TypeInfo as _,
    ValueRef as _,
};

use super::{InUse, to_be_cast};
use rabita_relational::backend::Link;
use rabita_relational::column::{Class, Column};
use rabita_relational::dialect::{Dialect, MySql};
use rabita_relational::fault::{AnyFault, Trouble};
use rabita_relational::sqlx_fault::fault;
use rabita_relational::statement::{Statement, bound};
use rabita_relational::wanted_of;

const DIALECT: Dialect = &MySql;

/// A connection to MariaDB or MySQL.
pub(super) struct MySqlLink {
    pub(super) connection: PoolConnection<sqlx::MySql>,
    pub(super) in_use: InUse,
}

#[async_trait]
impl Link for MySqlLink {
    async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
        self.rows(statement, columns).await.map_err(fault(DIALECT))
    }

    async fn answer(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        self.first(statement, wanted).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, AnyFault> {
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
        self.run("START TRANSACTION").await
    }

    async fn begin_snapshot(&mut self) -> Result<(), AnyFault> {
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT").await
    }

    async fn commit(&mut self) -> Result<(), AnyFault> {
        self.run("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), AnyFault> {
        self.run("ROLLBACK").await
    }

    fn abandon(&mut self) {
        self.in_use.doubt.raise();
        self.connection.close_on_drop();
    }
}

impl MySqlLink {
    async fn rows(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
        let rows = bound!(statement).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| columns.iter().enumerate().map(|(at, column)| value(row, at, column)).collect()).collect()
    }

    /// The first row of what an action answers. Nothing casts its columns for us, so they are of types that we decode
    /// without loss.
    async fn first(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        let rows = bound!(statement).fetch_all(&mut *self.connection).await.map_err(fault(DIALECT))?;
        let Some(row) = rows.first() else { return Ok(None) };
        let columns = row.columns();
        let decoded = wanted_of::<Trouble>(columns.iter().map(|column| column.name()).collect(), wanted, |at| {
            let info = columns[at].type_info();
            let column = described(info);
            match (info.name(), column.class) {
                ("YEAR", _) | (_, Class::Bits | Class::Date | Class::Timestamp | Class::Instant | Class::Other) => {
                    Err(to_be_cast(columns[at].name(), info.name()).into())
                }
                (_, Class::Int) => Ok(integer(row, at).map_err(fault(DIALECT))?),
                _ => Ok(value(row, at, &column).map_err(fault(DIALECT))?),
            }
        })?;
        Ok(Some(decoded))
    }

    async fn columns(&mut self, sql: String) -> Result<Vec<Column>, sqlx::Error> {
        let prepared = (&mut *self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
        Ok(prepared.columns().iter().map(|column| described(column.type_info())).collect())
    }
}

fn integer(row: &MySqlRow, at: usize) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    if raw.type_info().name().contains("UNSIGNED") {
        let number = <u64 as Decode<sqlx::MySql>>::decode(raw).map_err(of_column)?;
        return Ok(i64::try_from(number).map_or_else(|_| Legacy::Text(number.to_string()), Legacy::Int));
    }
    <i64 as Decode<sqlx::MySql>>::decode(raw).map(Legacy::Int).map_err(of_column)
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
        _ if <String as Type<sqlx::MySql>>::compatible(info) => Class::Text,
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
        ("FLOAT", _) => column.meaning(<f32 as Decode<sqlx::MySql>>::decode(raw).map_err(of_column)?.to_string()),
        ("DOUBLE", _) => Legacy::Float(<f64 as Decode<sqlx::MySql>>::decode(raw).map_err(of_column)?),
        (_, Class::Bytes) => Legacy::Bytes(<Vec<u8> as Decode<sqlx::MySql>>::decode(raw).map_err(of_column)?),
        _ => {
            let bytes = <Vec<u8> as Decode<sqlx::MySql>>::decode(raw).map_err(of_column)?;
            column.meaning(String::from_utf8(bytes).map_err(|_| of_column("not UTF-8".into()))?)
        }
    })
}
