//! A pool of connections to one of the databases, and a connection taken from it for one call.

mod doubt;
mod mysql;
mod options;
mod postgres;
mod sqlite;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use rabita_sdk::{Call, Failure, Legacy, Row, Source};
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::{Database, MySqlPool, PgPool, SqlitePool};

use doubt::Doubt;
use options::Address;
pub(crate) use options::{Attached, Pooling, Server, connect, sqlite_file};

use crate::column::Column;
use crate::connector::Trouble;
use crate::dialect::Dialect;
use crate::failure::{Moment, failure, spares_connection};
use crate::statement::Statement;

/// The connections to one database.
#[derive(Debug)]
pub(crate) enum Pool {
    Postgres(PgPool, Server),
    MySql(MySqlPool, Server),
    /// With what a stand-in notes of what it is asked.
    Sqlite(SqlitePool, Option<Notes>),
}

/// What a stand-in was asked, in the form of [`crate::statement::Asked`].
pub(crate) type Notes = Arc<Mutex<Vec<Value>>>;

impl Pool {
    /// How statements are written.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(..) => Dialect::Postgres,
            Self::MySql(..) => Dialect::MySql,
            Self::Sqlite(..) => Dialect::Sqlite,
        }
    }

    /// A connection for one call, taken within its deadline.
    pub(crate) async fn session(&self, call: &Call) -> Result<Session, Failure> {
        let deadline = call.deadline;
        if call.remaining().is_zero() {
            return Err(Failure::timed_out("the deadline had passed before the database was asked"));
        }
        let taking = AssertUnwindSafe(async {
            Ok(match self {
                Self::Postgres(pool, server) => Link::Postgres(acquire(pool, server.address.as_ref()).await?),
                Self::MySql(pool, server) => Link::MySql(acquire(pool, server.address.as_ref()).await?),
                Self::Sqlite(pool, _) => {
                    let stop = Arc::new(AtomicBool::new(false));
                    let mut connection = pool.acquire().await?;
                    sqlite::watch(&mut connection, deadline, Arc::clone(&stop)).await?;
                    Link::Sqlite(connection, stop)
                }
            })
        });
        match tokio::time::timeout_at(deadline.into(), taking.catch_unwind()).await {
            Ok(Ok(Ok(link))) => {
                let (in_use, doubt) = self.server().map(|server| (server.in_use(), Arc::clone(&server.doubt))).unzip();
                let notes = self.notes().cloned();
                Ok(Session { link, dialect: self.dialect(), finished: false, doubt, _in_use: in_use.flatten(), notes })
            }
            Ok(Ok(Err(error))) => Err(failure(&error, Moment::Reading)),
            // A driver may panic at an answer that is none.
            Ok(Err(_)) => Err(Failure::malformed("the database driver broke off at an answer that does not follow its protocol")),
            Err(_) => Err(Failure::timed_out("the deadline passed while a connection was waited for; nothing was sent")),
        }
    }

    const fn server(&self) -> Option<&Server> {
        match self {
            Self::Postgres(_, server) | Self::MySql(_, server) => Some(server),
            Self::Sqlite(..) => None,
        }
    }

    const fn notes(&self) -> Option<&Notes> {
        match self {
            Self::Sqlite(_, notes) => notes.as_ref(),
            Self::Postgres(..) | Self::MySql(..) => None,
        }
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres(pool, _) => pool.close().await,
            Self::MySql(pool, _) => pool.close().await,
            Self::Sqlite(pool, _) => pool.close().await,
        }
    }
}

/// How long the pool tries before we look ourselves whether anything listens.
const PATIENCE: Duration = Duration::from_millis(100);

/// Takes a connection. The pool goes on trying where nothing listens, as if the server were starting; a caller
/// would rather be told at once.
async fn acquire<DB: Database>(pool: &sqlx::Pool<DB>, address: Option<&Address>) -> Result<PoolConnection<DB>, sqlx::Error> {
    tokio::select! {
        biased;
        taken = pool.acquire() => taken,
        error = refusal(pool, address) => Err(error),
    }
}

/// Ends only when the server's address refuses connections.
async fn refusal<DB: Database>(pool: &sqlx::Pool<DB>, address: Option<&Address>) -> sqlx::Error {
    tokio::time::sleep(PATIENCE).await;
    // Where others hold connections, and as many as there may be, we wait for one of theirs.
    let may_connect =
        |address: &&Address| Arc::strong_count(&address.in_use) == 1 || pool.size() < pool.options().get_max_connections();
    if let Some(address) = address.filter(may_connect)
        && let Err(error) = tokio::net::TcpStream::connect((address.host.as_str(), address.port)).await
        && error.kind() == std::io::ErrorKind::ConnectionRefused
    {
        return sqlx::Error::Io(error);
    }
    std::future::pending().await
}

/// A connection in use. Dropped before [`Session::finish`], in the middle of a statement or a transaction, it is
/// closed and not used again: nobody knows what it would answer next.
pub(crate) struct Session {
    link: Link,
    pub(crate) dialect: Dialect,
    finished: bool,
    doubt: Option<Arc<Doubt>>,
    _in_use: Option<Arc<()>>,
    notes: Option<Notes>,
}

enum Link {
    Postgres(PoolConnection<sqlx::Postgres>),
    MySql(PoolConnection<sqlx::MySql>),
    Sqlite(PoolConnection<sqlx::Sqlite>, Arc<AtomicBool>),
}

impl Session {
    /// The rows of a query, each value decoded as its column says.
    pub(crate) async fn fetch(&mut self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, sqlx::Error> {
        self.note(&statement);
        match &mut self.link {
            Link::Postgres(connection) => postgres::fetch(connection, statement, columns).await,
            Link::MySql(connection) => mysql::fetch(connection, statement, columns).await,
            Link::Sqlite(connection, _) => sqlite::fetch(connection, statement, columns).await,
        }
    }

    /// The first row of what an action answers, as far as it is wanted.
    pub(crate) async fn answer(&mut self, statement: Statement, wanted: &[Source]) -> Result<Option<Row>, Trouble> {
        self.note(&statement);
        match &mut self.link {
            Link::Postgres(connection) => postgres::answer(connection, statement, wanted).await,
            Link::MySql(connection) => mysql::answer(connection, statement, wanted).await,
            Link::Sqlite(connection, _) => sqlite::answer(connection, statement, wanted).await,
        }
    }

    /// What the database takes the parameters of a statement for. Only PostgreSQL tells.
    pub(crate) async fn describe_params(&mut self, sql: String) -> Result<Vec<Column>, sqlx::Error> {
        match &mut self.link {
            Link::Postgres(connection) => postgres::describe_params(connection, sql).await,
            Link::MySql(_) | Link::Sqlite(..) => Ok(Vec::new()),
        }
    }

    /// Runs a statement with parameters; the number of rows that it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        self.note(&statement);
        match &mut self.link {
            Link::Postgres(connection) => postgres::execute(connection, statement).await,
            Link::MySql(connection) => mysql::execute(connection, statement).await,
            Link::Sqlite(connection, _) => sqlite::execute(connection, statement).await,
        }
    }

    /// Runs a statement without parameters, such as one that begins or ends a transaction.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let raw = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        match &mut self.link {
            Link::Postgres(connection) => raw.execute(&mut **connection).await.map(drop),
            Link::MySql(connection) => raw.execute(&mut **connection).await.map(drop),
            Link::Sqlite(connection, _) => raw.execute(&mut **connection).await.map(drop),
        }
    }

    /// The columns of a query, without running it.
    pub(crate) async fn describe(&mut self, sql: String) -> Result<Vec<Column>, sqlx::Error> {
        match &mut self.link {
            Link::Postgres(connection) => postgres::describe(connection, sql).await,
            Link::MySql(connection) => mysql::describe(connection, sql).await,
            Link::Sqlite(connection, _) => sqlite::describe(connection, sql).await,
        }
    }

    fn note(&self, statement: &Statement) {
        if let (Some(notes), Some(asked)) = (&self.notes, self.notes.as_ref().and_then(|_| statement.asked())) {
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        }
    }

    /// Gives the connection back, to be used again.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }

    /// Gives the connection back after an error outside a transaction, if it is still good.
    pub(crate) fn finish_after(mut self, error: &sqlx::Error) {
        self.finished = spares_connection(error);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Some(doubt) = &self.doubt {
            doubt.raise();
        }
        match &mut self.link {
            Link::Postgres(connection) => connection.close_on_drop(),
            Link::MySql(connection) => connection.close_on_drop(),
            Link::Sqlite(connection, stop) => {
                stop.store(true, Ordering::Relaxed);
                connection.close_on_drop();
            }
        }
    }
}

/// The column of an action's answer has a type that would not arrive as it is.
fn to_be_cast(column: &str, kind: &str) -> Failure {
    let cast = "cast it to text in the action's SQL";
    Failure::unsupported(format!("the column {column} of what the action answers has the type {kind}: {cast}"))
}

/// Binds the parameters of a statement to a query.
macro_rules! bound {
    ($statement:expr) => {{
        let mut query = sqlx::query(sqlx::AssertSqlSafe($statement.sql));
        for param in $statement.params {
            query = match param {
                $crate::statement::Param::Null => query.bind(None::<String>),
                $crate::statement::Param::Int(number) => query.bind(number),
                $crate::statement::Param::Float(number) => query.bind(number),
                $crate::statement::Param::Text(text) => query.bind(text),
                $crate::statement::Param::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}
use bound;
