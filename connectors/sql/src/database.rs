//! The pools of connections to PostgreSQL, MariaDB and MySQL.

mod mysql;
mod options;
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_sdk::{Call, Failure};
use sqlx::pool::PoolConnection;
use sqlx::{Database, MySqlPool, PgPool};

use mysql::MySqlLink;
use options::{Address, Server};
pub(crate) use options::{Pooling, connect, sqlite_file};
use postgres::PostgresLink;
use rabita_relational::doubt::Doubt;

use rabita_relational::backend::{Link, Pool, Session};
use rabita_relational::dialect::{MySql, Postgres};
use rabita_relational::sqlx_fault::taken;

/// The connections to PostgreSQL.
struct PostgresPool {
    pool: PgPool,
    server: Server,
}

/// The connections to MariaDB or MySQL.
struct MariadbPool {
    pool: MySqlPool,
    server: Server,
}

#[async_trait]
impl Pool for PostgresPool {
    async fn session(&self, call: &Call) -> Result<Session, Failure> {
        taken(&Postgres { numbered: true }, call, async {
            let connection = acquire(&self.pool, self.server.address.as_ref()).await?;
            Ok(Box::new(PostgresLink { connection, in_use: InUse::of(&self.server) }) as Box<dyn Link>)
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Pool for MariadbPool {
    async fn session(&self, call: &Call) -> Result<Session, Failure> {
        taken(&MySql, call, async {
            let connection = acquire(&self.pool, self.server.address.as_ref()).await?;
            Ok(Box::new(MySqlLink { connection, in_use: InUse::of(&self.server) }) as Box<dyn Link>)
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// What a connection in use holds of its server.
struct InUse {
    doubt: Arc<Doubt>,
    _share: Option<Arc<()>>,
}

impl InUse {
    fn of(server: &Server) -> Self {
        Self { doubt: Arc::clone(&server.doubt), _share: server.in_use() }
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

/// The column of an action's answer has a type that would not arrive as it is.
fn to_be_cast(column: &str, kind: &str) -> Failure {
    let cast = "cast it to text in the action's SQL";
    Failure::unsupported(format!("the column {column} of what the action answers has the type {kind}: {cast}"))
}
