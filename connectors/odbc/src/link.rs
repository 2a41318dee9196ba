//! What a call does on a connection.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rabita_relational::backend::Link;
use rabita_relational::column::Column;
use rabita_relational::dialect::{Dialect, postgres};
use rabita_relational::fault::{AnyFault, Trouble};
use rabita_relational::statement::Statement;
use rabita_sdk::{Legacy, Row, Source};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::fault::OdbcFault;
use crate::pool::Shared;
use crate::value;
use crate::worker::Worker;

/// A connection in use.
pub(crate) struct OdbcLink {
    /// None once it was given back or given up.
    worker: Option<Worker>,
    dialect: Dialect,
    shared: Arc<Shared>,
    pieces: Option<mpsc::Receiver<Result<Bytes, AnyFault>>>,
    _turn: OwnedSemaphorePermit,
}

impl OdbcLink {
    pub(crate) fn new(worker: Worker, turn: OwnedSemaphorePermit, shared: Arc<Shared>) -> Self {
        Self { dialect: worker.dialect, worker: Some(worker), shared, pieces: None, _turn: turn }
    }

    fn worker(&self) -> Result<&Worker, AnyFault> {
        self.worker.as_ref().ok_or_else(|| OdbcFault::gone(self.dialect) as AnyFault)
    }

    /// PostgreSQL tells by the numbers of types in its catalogue what ODBC has no types for.
    async fn postgres_types(&mut self, oids: Vec<i64>) -> Result<Vec<Column>, AnyFault> {
        let columns = [Column::int(), Column::int(), Column::text(), Column::text(), Column::text()];
        let rows = self.fetch(Statement::new(self.dialect, &postgres::types(&oids)), &columns).await?;
        Ok(postgres::columns(&oids, rows))
    }
}

#[async_trait]
impl Link for OdbcLink {
    async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault> {
        let columns = columns.to_vec();
        self.worker()?.run(move |attached| value::fetch(attached, &statement, &columns)).await
    }

    async fn answer(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        let wanted = wanted.to_vec();
        Ok(self.worker()?.run(move |attached| value::answer(attached, &statement, &wanted)).await?)
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, AnyFault> {
        self.worker()?.run(move |attached| value::execute(attached, &statement)).await
    }

    async fn run(&mut self, sql: &str) -> Result<(), AnyFault> {
        let sql = sql.to_owned();
        self.worker()?.run(move |attached| value::run(attached, &sql)).await
    }

    async fn describe(&mut self, query: String, columns: usize) -> Result<Vec<Column>, AnyFault> {
        if let Some(sql) = self.dialect.column_types(&query, columns) {
            let rows = self.fetch(Statement::new(self.dialect, &sql), &vec![Column::int(); columns]).await?;
            return self.postgres_types(numbers(rows)).await;
        }
        self.worker()?.run(move |attached| value::describe(attached, &format!("{query} AND 1 = 0"))).await
    }

    async fn describe_params(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        self.run(&format!("PREPARE rabita_parameters AS {sql}")).await?;
        let asked = self.fetch(Statement::new(self.dialect, postgres::PARAMETER_TYPES), &[Column::int()]).await;
        self.run("DEALLOCATE rabita_parameters").await?;
        let oids = asked?.into_iter().flat_map(|row| numbers(vec![row])).collect();
        self.postgres_types(oids).await
    }

    async fn begin(&mut self) -> Result<(), AnyFault> {
        match self.dialect.begin() {
            Some(sql) => self.run(sql).await,
            None => self.worker()?.run(|attached| value::autocommit(attached, false)).await,
        }
    }

    async fn begin_snapshot(&mut self) -> Result<(), AnyFault> {
        self.begin().await
    }

    async fn commit(&mut self) -> Result<(), AnyFault> {
        match self.dialect.begin() {
            Some(_) => self.run("COMMIT").await,
            None => self.worker()?.run(value::commit).await,
        }
    }

    async fn rollback(&mut self) -> Result<(), AnyFault> {
        match self.dialect.begin() {
            Some(_) => self.run("ROLLBACK").await,
            None => self.worker()?.run(value::rollback).await,
        }
    }

    fn streams(&self) -> bool {
        true
    }

    async fn open_value(&mut self, statement: Statement, column: &Column) -> Result<Option<Option<u64>>, AnyFault> {
        let (opening, opened) = oneshot::channel();
        // One piece waits while the reader has the one before.
        let (sender, receiver) = mpsc::channel(1);
        let column = column.clone();
        self.worker()?.send(move |attached| value::stream(attached, &statement, &column, opening, &sender))?;
        self.pieces = Some(receiver);
        opened.await.map_err(|_| OdbcFault::gone(self.dialect) as AnyFault)?
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, AnyFault> {
        match &mut self.pieces {
            Some(pieces) => pieces.recv().await.transpose(),
            None => Ok(None),
        }
    }

    fn abandon(&mut self) {
        self.worker = None;
        self.shared.raise_doubt();
    }
}

impl Drop for OdbcLink {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.shared.give_back(worker);
        }
    }
}

/// The whole numbers of a row.
fn numbers(rows: Vec<Vec<Legacy>>) -> Vec<i64> {
    let number = |value: Legacy| match value {
        Legacy::Int(number) => number,
        _ => 0,
    };
    rows.into_iter().flatten().map(number).collect()
}
