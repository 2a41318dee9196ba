//! Makes a pool from the settings. No connection is opened here.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Database, Executor as _};

use super::{MariadbPool, PostgresPool};
use crate::settings::{Scheme, Settings, TlsMode};
use rabita_relational::backend::Pool;
use rabita_relational::dialect::{Grammar as _, MySql, Postgres};
use rabita_relational::doubt::Doubt;
use rabita_relational::kind::Bounds;

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
    /// What the connections keep to; relative file names are relative to its directory.
    pub(crate) bounds: &'a Bounds<'a>,
}

/// A pool that connects when it is first asked.
pub(crate) fn connect(settings: &Settings, pooling: &Pooling<'_>) -> Result<Box<dyn Pool>, String> {
    let scheme = Scheme::of(pooling.url)
        .ok_or_else(|| format!("the URL begins with none of {}", Scheme::WORDS.map(|word| format!("{word}:")).join(", ")))?;
    Ok(match scheme {
        Scheme::Postgres => {
            let (options, address) = postgres_options(settings, pooling)?;
            let doubt = Arc::new(Doubt::default());
            let pool = postgres(settings, pooling, options, &doubt);
            Box::new(PostgresPool { pool, server: Server { address, doubt } })
        }
        Scheme::MySql => {
            let (options, address) = mysql_options(settings, pooling)?;
            let doubt = Arc::new(Doubt::default());
            let pool = mysql(settings, pooling, options, &doubt);
            Box::new(MariadbPool { pool, server: Server { address, doubt } })
        }
        Scheme::Sqlite => Box::new(sqlite(settings, pooling)?),
    })
}

fn pool<DB: Database>(settings: &Settings, pooling: &Pooling<'_>) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(u32::try_from(pooling.bounds.connections.max(1)).unwrap_or(u32::MAX))
        .min_connections(settings.idle_connections.min(u32::try_from(pooling.bounds.connections).unwrap_or(u32::MAX)))
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
    let setup = Postgres { numbered: true }.setup(pooling.bounds.timeout, settings.read_only);
    let setup = setup.into_iter().map(|step| step.sql).collect::<Vec<_>>().join("; ");
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
    let setup = MySql.setup(pooling.bounds.timeout, settings.read_only);
    doubting(pool::<sqlx::MySql>(settings, pooling), doubt)
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move {
                for step in setup {
                    match (connection.execute(AssertSqlSafe(step.sql)).await, step.or) {
                        (Err(_), Some(other)) => connection.execute(AssertSqlSafe(other)).await.map(drop)?,
                        (done, _) => done.map(drop)?,
                    }
                }
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

fn sqlite(settings: &Settings, pooling: &Pooling<'_>) -> Result<sqlx::SqlitePool, String> {
    let file = sqlite_file(pooling.url).ok_or("the URL is not of the form sqlite:FILE")?;
    let options = SqliteConnectOptions::new()
        .filename(pooling.bounds.directory.join(file))
        .create_if_missing(false)
        .read_only(settings.read_only)
        .busy_timeout(pooling.bounds.timeout);
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
    let pem = std::fs::read(pooling.bounds.directory.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Some(pem))
}
