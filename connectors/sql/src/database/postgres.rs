//! PostgreSQL: describes columns from its catalogue, binds text and casts it, reads text wherever that loses nothing.

use async_trait::async_trait;
use rabita_sdk::{Legacy, Row, Source};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgRow, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Either, Executor as _, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _,
    ValueRef as _,
};

use super::{InUse, to_be_cast};
use rabita_relational::backend::Link;
use rabita_relational::column::{Class, Column};
use rabita_relational::dialect::postgres::{self, class};
use rabita_relational::dialect::{Dialect, Postgres};
use rabita_relational::fault::{AnyFault, Trouble};
use rabita_relational::sqlx_fault::fault;
use rabita_relational::statement::{Statement, bound};
use rabita_relational::wanted_of;

const DIALECT: Dialect = &Postgres { numbered: true };

/// A connection to PostgreSQL.
pub(super) struct PostgresLink {
    pub(super) connection: PoolConnection<sqlx::Postgres>,
    pub(super) in_use: InUse,
}

#[async_trait]
impl Link for PostgresLink {
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
        self.columns(sql).await
    }

    async fn describe_params(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        self.params(sql).await
    }

    async fn begin(&mut self) -> Result<(), AnyFault> {
        self.run("BEGIN").await
    }

    async fn begin_snapshot(&mut self) -> Result<(), AnyFault> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
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

impl PostgresLink {
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
            let class = class(oid(columns[at].type_info()), "", "");
            if !matches!(class, Class::Bool | Class::Int | Class::Float | Class::Text | Class::Bytes) {
                return Err(to_be_cast(columns[at].name(), columns[at].type_info().name()).into());
            }
            Ok(value(row, at, &Column::new(class, "")).map_err(fault(DIALECT))?)
        })?;
        Ok(Some(decoded))
    }

    async fn columns(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        let prepared = (&mut *self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await.map_err(fault(DIALECT))?;
        let oids: Vec<i64> = prepared.columns().iter().map(|column| oid(column.type_info())).collect();
        self.types(&oids).await
    }

    async fn params(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        let prepared = (&mut *self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await.map_err(fault(DIALECT))?;
        let oids: Vec<i64> = match prepared.parameters() {
            Some(Either::Left(types)) => types.iter().map(oid).collect(),
            _ => Vec::new(),
        };
        self.types(&oids).await
    }

    async fn types(&mut self, oids: &[i64]) -> Result<Vec<Column>, AnyFault> {
        let columns = [Column::int(), Column::int(), Column::text(), Column::text(), Column::text()];
        let rows = self.fetch(Statement::new(DIALECT, &postgres::types(oids)), &columns).await?;
        Ok(postgres::columns(oids, rows))
    }
}

fn oid(info: &PgTypeInfo) -> i64 {
    info.oid().map_or(0, |oid| oid.0.into())
}

fn value(row: &PgRow, at: usize, column: &Column) -> Result<Legacy, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Legacy::Null);
    }
    let of_column = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    let name = raw.type_info().name().to_owned();
    Ok(match &*name {
        "BOOL" => Legacy::Bool(<bool as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?),
        "INT2" => Legacy::Int(<i16 as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?.into()),
        "INT4" => Legacy::Int(<i32 as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?.into()),
        "INT8" => Legacy::Int(<i64 as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?),
        // By way of its shortest text, so that 0.1 does not become 0.10000000149.
        "FLOAT4" => column.meaning(<f32 as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?.to_string()),
        "FLOAT8" => Legacy::Float(<f64 as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?),
        "BYTEA" => Legacy::Bytes(<Vec<u8> as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?),
        _ => column.meaning(<String as Decode<sqlx::Postgres>>::decode(raw).map_err(of_column)?),
    })
}
