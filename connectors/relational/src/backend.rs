//! What a back end does: it keeps connections to a database, and does on one of them what a call asks.

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure, Legacy, Row, Source};

use crate::column::Column;
use crate::dialect::Dialect;
use crate::fault::{AnyFault, Trouble};
use crate::statement::Statement;

/// The connections to one database.
#[async_trait]
pub trait Pool: Send + Sync {
    /// A connection for one call, taken within its deadline.
    async fn session(&self, call: &Call) -> Result<Session, Failure>;

    /// Closes all connections.
    async fn close(&self);
}

/// One connection, as its driver has it.
#[async_trait]
pub trait Link: Send {
    /// The rows of a query, each value decoded as its column says.
    async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, AnyFault>;

    /// The first row of what an action answers, as far as it is wanted.
    async fn answer(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble>;

    /// Runs a statement with parameters; the number of rows that it changed.
    async fn execute(&mut self, statement: Statement) -> Result<u64, AnyFault>;

    /// Runs a statement without parameters.
    async fn run(&mut self, sql: &str) -> Result<(), AnyFault>;

    /// The columns of a query, which has so many, without running it. It ends with conditions.
    async fn describe(&mut self, query: String, columns: usize) -> Result<Vec<Column>, AnyFault>;

    /// What the database takes the parameters of a statement for, where its dialect binds texts.
    async fn describe_params(&mut self, sql: String) -> Result<Vec<Column>, AnyFault> {
        let _ = sql;
        Ok(Vec::new())
    }

    /// Begins a transaction that changes something.
    async fn begin(&mut self) -> Result<(), AnyFault>;

    /// Begins a transaction that sees the data as they are now, until it ends.
    async fn begin_snapshot(&mut self) -> Result<(), AnyFault>;

    /// Ends a transaction so that what it did holds.
    async fn commit(&mut self) -> Result<(), AnyFault>;

    /// Ends a transaction so that it did nothing.
    async fn rollback(&mut self) -> Result<(), AnyFault>;

    /// Whether the driver reads a binary value in pieces by itself.
    fn streams(&self) -> bool {
        false
    }

    /// Begins to read the one value of the one row of a query: its length, where the driver tells it; none where there
    /// is no row, or no value in it.
    async fn open_value(&mut self, query: Statement, column: &Column) -> Result<Option<Option<u64>>, AnyFault> {
        let _ = (query, column);
        Ok(None)
    }

    /// The next piece of the value that was opened; none at its end.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, AnyFault> {
        Ok(None)
    }

    /// Sees to it that the connection is closed when it is dropped, and not used again.
    fn abandon(&mut self);
}

/// A connection in use. Dropped before [`Session::finish`], in the middle of a statement or a transaction, it is
/// closed and not used again: nobody knows what it would answer next.
pub struct Session {
    link: Box<dyn Link>,
    pub dialect: Dialect,
    finished: bool,
}

impl Session {
    /// A session on a connection that was taken for it.
    pub fn new(link: Box<dyn Link>, dialect: Dialect) -> Self {
        Self { link, dialect, finished: false }
    }

    /// Gives the connection back, to be used again.
    pub fn finish(mut self) {
        self.finished = true;
    }

    /// Gives the connection back after a fault outside a transaction, if it is still good.
    pub fn finish_after(mut self, fault: &AnyFault) {
        self.finished = fault.spares_connection();
    }
}

impl std::ops::Deref for Session {
    type Target = dyn Link;

    fn deref(&self) -> &Self::Target {
        &*self.link
    }
}

impl std::ops::DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.link
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.finished {
            self.link.abandon();
        }
    }
}
