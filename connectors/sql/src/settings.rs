//! The manifest's `connector:` of this kind.

use std::path::PathBuf;
use std::time::Duration;

use rabita_relational::dialect::{Dialect, MySql, Postgres, Sqlite};
use rabita_relational::settings::Once;
use rabita_sdk::{SecretRef, TextOrSecret};
use schemars::JsonSchema;
use serde::Deserialize;

/// How to reach the database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `postgres://host/database`, `mariadb://host/database`, `mysql://host/database` or `sqlite:file`; an SQLite file
    /// is relative to the configuration directory.
    pub url: TextOrSecret,
    /// The database user, where the URL names none.
    pub user: Option<String>,
    /// The database user's password.
    pub password: Option<SecretRef>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// How long to wait for a connection, new or free.
    #[serde(default = "Settings::default_connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
    /// How many connections stay open when nothing is asked.
    #[serde(default)]
    pub idle_connections: u32,
    /// The database is asked to refuse every change.
    #[serde(default)]
    pub read_only: bool,
    /// The table in the registry that makes the effect of a change happen exactly once.
    pub once: Option<Once>,
}

impl Settings {
    const fn default_connect_timeout_ms() -> u64 {
        3000
    }

    pub(crate) const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }
}

/// How the connection is protected. An SQLite file has no connection to protect.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Left out: `disabled` on a loopback address or a local socket, `verify` on any other host.
    pub mode: Option<TlsMode>,
    /// The authority that signed the server's certificate (PEM), relative to the configuration directory; left out, the
    /// public authorities.
    pub ca_file: Option<PathBuf>,
}

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// No TLS.
    Disabled,
    /// TLS with any certificate: no protection against someone in between.
    Required,
    /// TLS, and the certificate is the host's.
    Verify,
}

/// Which database a URL leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Postgres,
    MySql,
    Sqlite,
}

impl Scheme {
    /// The words that a URL can begin with.
    pub(crate) const WORDS: [&'static str; 5] = ["postgres", "postgresql", "mariadb", "mysql", "sqlite"];

    /// How the database writes SQL.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Postgres => &Postgres { numbered: true },
            Self::MySql => &MySql,
            Self::Sqlite => &Sqlite,
        }
    }

    /// The database that a URL leads to, if it is one of ours.
    pub(crate) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mariadb" | "mysql" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}
