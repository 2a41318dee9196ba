//! Makes a pool from the settings. No connection is opened here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Database, Executor as _};

use super::Pool;
use super::doubt::Doubt;
use crate::settings::{Scheme, Settings, TlsMode};

/// A database's server: where it listens, and what is known of the connections to it.
#[derive(Debug)]
pub(crate) struct Server {
    /// None for a socket in the file system.
    pub(crate) address: Option<Address>,
    pub(crate) doubt: Arc<Doubt>,
}

impl Server {
    /// A share of what tells that sessions are under way.
    pub(crate) fn in_use(&self) -> Option<Arc<()>> {
        self.address.as_ref().map(|address| Arc::clone(&address.in_use))
    }
}

/// Where a server listens, and a token that each session on it holds a share of.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) in_use: Arc<()>,
}

impl Address {
    fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, in_use: Arc::new(()) }
    }
}

/// What a pool needs beside the settings.
pub(crate) struct Pooling<'a> {
    /// The URL, looked up.
    pub(crate) url: &'a str,
    /// The password, looked up.
    pub(crate) password: Option<&'a str>,
    /// The most connections.
    pub(crate) connections: usize,
    /// The longest that a statement may take.
    pub(crate) timeout: Duration,
    /// What relative file names are relative to.
    pub(crate) directory: &'a Path,
}

/// A database in memory that all connections of a stand-in share, with databases attached as schemas.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) schemas: Vec<String>,
}

impl Attached {
    /// The pool of a stand-in.
    pub(crate) fn pool(&self, connections: usize, timeout: Duration) -> sqlx::SqlitePool {
        let options = memory(&self.name).busy_timeout(timeout);
        let attach: Vec<String> = self
            .schemas
            .iter()
            .map(|schema| format!("ATTACH DATABASE 'file:/{}-{schema}?vfs=memdb' AS {}", self.name, Scheme::Sqlite.quote(schema)))
            .collect();
        SqlitePoolOptions::new()
            .max_connections(u32::try_from(connections.max(2)).unwrap_or(2))
            // The data are gone when the last connection is.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(timeout)
            .after_connect(move |connection, _| {
                let attach = attach.clone();
                Box::pin(async move {
                    for statement in attach {
                        connection.execute(AssertSqlSafe(statement)).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options)
    }
}

/// Options for a database in memory that several connections share.
pub(crate) fn memory(name: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(format!("/{name}")).vfs("memdb").create_if_missing(true)
}

/// A pool that connects when it is first asked.
pub(crate) fn connect(settings: &Settings, pooling: &Pooling<'_>) -> Result<Pool, String> {
    let scheme = Scheme::of(pooling.url)
        .ok_or_else(|| format!("the URL begins with none of {}", Scheme::WORDS.map(|word| format!("{word}:")).join(", ")))?;
    Ok(match scheme {
        Scheme::Postgres => {
            let (options, address) = postgres_options(settings, pooling)?;
            let doubt = Arc::new(Doubt::new());
            Pool::Postgres(postgres(settings, pooling, options, &doubt), Server { address, doubt })
        }
        Scheme::MySql => {
            let (options, address) = mysql_options(settings, pooling)?;
            let doubt = Arc::new(Doubt::new());
            Pool::MySql(mysql(settings, pooling, options, &doubt), Server { address, doubt })
        }
        Scheme::Sqlite => Pool::Sqlite(sqlite(settings, pooling)?, None),
    })
}

fn pool<DB: Database>(settings: &Settings, pooling: &Pooling<'_>) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(u32::try_from(pooling.connections.max(1)).unwrap_or(u32::MAX))
        .min_connections(settings.idle_connections.min(u32::try_from(pooling.connections).unwrap_or(u32::MAX)))
        .acquire_timeout(settings.connect_timeout())
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(Duration::from_secs(1800))
}

/// Asks idle connections whether they live only where there is doubt.
fn doubting<DB: Database>(options: PoolOptions<DB>, doubt: &Arc<Doubt>) -> PoolOptions<DB> {
    let doubt = Arc::clone(doubt);
    options.test_before_acquire(false).before_acquire(move |connection, about| {
        let is_due = doubt.asks(about.idle_for);
        Box::pin(async move {
            if is_due {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

/// The host's part of a refusal to parse a URL holds the URL, with a password perhaps: so it is not told on.
const BAD_URL: &str = "the URL is not of the form scheme://user@host:port/database";

fn postgres_options(settings: &Settings, pooling: &Pooling<'_>) -> Result<(PgConnectOptions, Option<Address>), String> {
    let mut options: PgConnectOptions = pooling.url.parse().map_err(|_| BAD_URL.to_owned())?;
    if let Some(user) = &settings.user {
        options = options.username(user);
    }
    if let Some(password) = pooling.password {
        options = options.password(password);
    }
    let local = options.get_socket().is_some() || is_local(options.get_host());
    options = match tls_mode(settings, local) {
        TlsMode::Disabled => options.ssl_mode(PgSslMode::Disable),
        TlsMode::Required => options.ssl_mode(PgSslMode::Require),
        TlsMode::Verify => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let Some(pem) = authority(settings, pooling)? {
        options = options.ssl_root_cert_from_pem(pem);
    }
    let on_socket = options.get_socket().is_some() || options.get_host().starts_with('/');
    let address = (!on_socket).then(|| Address::new(options.get_host(), options.get_port()));
    Ok((options.application_name("rabita"), address))
}

fn postgres(settings: &Settings, pooling: &Pooling<'_>, options: PgConnectOptions, doubt: &Arc<Doubt>) -> sqlx::PgPool {
    let timeout = pooling.timeout.as_millis();
    let setup = format!(
        "SET statement_timeout = {timeout}; SET idle_in_transaction_session_timeout = {}; SET default_transaction_read_only = {}",
        timeout * 2,
        if settings.read_only { "on" } else { "off" },
    );
    doubting(pool::<sqlx::Postgres>(settings, pooling), doubt)
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(setup)).await.map(drop) })
        })
        .connect_lazy_with(options)
}

fn mysql_options(settings: &Settings, pooling: &Pooling<'_>) -> Result<(MySqlConnectOptions, Option<Address>), String> {
    let url = pooling.url.replacen("mariadb:", "mysql:", 1);
    let mut options: MySqlConnectOptions = url.parse().map_err(|_| BAD_URL.to_owned())?;
    if let Some(user) = &settings.user {
        options = options.username(user);
    }
    if let Some(password) = pooling.password {
        options = options.password(password);
    }
    let local = options.get_socket().is_some() || is_local(options.get_host());
    options = match tls_mode(settings, local) {
        TlsMode::Disabled => options.ssl_mode(MySqlSslMode::Disabled),
        TlsMode::Required => options.ssl_mode(MySqlSslMode::Required),
        TlsMode::Verify => options.ssl_mode(MySqlSslMode::VerifyIdentity),
    };
    if let Some(pem) = authority(settings, pooling)? {
        options = options.ssl_ca_from_pem(pem);
    }
    let address = options.get_socket().is_none().then(|| Address::new(options.get_host(), options.get_port()));
    Ok((options.charset("utf8mb4"), address))
}

fn mysql(settings: &Settings, pooling: &Pooling<'_>, options: MySqlConnectOptions, doubt: &Arc<Doubt>) -> sqlx::MySqlPool {
    let (timeout, read_only) = (pooling.timeout, settings.read_only);
    doubting(pool::<sqlx::MySql>(settings, pooling), doubt)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // Without it a value that does not fit would be cut without a word.
                connection.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')").await?;
                let seconds = timeout.as_secs().max(1);
                connection.execute(AssertSqlSafe(format!("SET SESSION innodb_lock_wait_timeout = {seconds}"))).await?;
                // MariaDB stops every statement; MySQL knows another name, and stops only queries.
                let mariadb = format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64());
                if connection.execute(AssertSqlSafe(mariadb)).await.is_err() {
                    let mysql = format!("SET SESSION max_execution_time = {}", timeout.as_millis());
                    connection.execute(AssertSqlSafe(mysql)).await?;
                }
                if read_only {
                    connection.execute("SET SESSION TRANSACTION READ ONLY").await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

fn sqlite(settings: &Settings, pooling: &Pooling<'_>) -> Result<sqlx::SqlitePool, String> {
    let file = sqlite_file(pooling.url).ok_or("the URL is not of the form sqlite:FILE")?;
    let options = SqliteConnectOptions::new()
        .filename(pooling.directory.join(file))
        .create_if_missing(false)
        .read_only(settings.read_only)
        .busy_timeout(pooling.timeout);
    // Asking whether a connection still lives costs as much as a read, and a file does not hang up.
    Ok(pool::<sqlx::Sqlite>(settings, pooling).test_before_acquire(false).connect_lazy_with(options))
}

/// The file of an SQLite URL.
pub(crate) fn sqlite_file(url: &str) -> Option<&str> {
    let file = url.strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file);
    (!file.is_empty() && !file.contains('?') && file != ":memory:").then_some(file)
}

fn tls_mode(settings: &Settings, local: bool) -> TlsMode {
    settings.tls.mode.unwrap_or(if local { TlsMode::Disabled } else { TlsMode::Verify })
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.starts_with('/') || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn authority(settings: &Settings, pooling: &Pooling<'_>) -> Result<Option<Vec<u8>>, String> {
    let Some(file) = &settings.tls.ca_file else { return Ok(None) };
    let pem = std::fs::read(pooling.directory.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Some(pem))
}
