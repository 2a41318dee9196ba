//! The manifest's `connector:` of this kind.

use std::collections::BTreeMap;
use std::time::Duration;

use rabita_relational::dialect::{Db2, Dialect, Informix, MySql, Oracle, Postgres, SqlServer, Sqlite, Standard};
use rabita_relational::settings::Once;
use rabita_sdk::{SecretRef, TextOrSecret};
use schemars::JsonSchema;
use serde::Deserialize;

/// How to reach the database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The driver: its library by an absolute path, or its name in `odbcinst.ini`.
    pub driver: Option<String>,
    /// Instead of a driver, a data source that `odbc.ini` describes.
    pub dsn: Option<String>,
    /// The driver's own keywords, such as `Server` and `Database`.
    #[serde(default)]
    pub keywords: BTreeMap<String, TextOrSecret>,
    /// The database user.
    pub user: Option<String>,
    /// The database user's password.
    pub password: Option<SecretRef>,
    /// How the database writes SQL; left out, what it says that it is.
    pub dialect: Option<Word>,
    /// Statements that are run on each new connection.
    #[serde(default)]
    pub setup: Vec<String>,
    /// How long to wait for a connection, new or free.
    #[serde(default = "Settings::default_connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
    /// Every change is refused.
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

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// SQL as the standard has it, and no more.
    Standard,
    /// Microsoft SQL Server 2012 and later.
    SqlServer,
    /// Oracle Database 12c and later.
    Oracle,
    /// IBM Db2 for Linux, Unix and Windows.
    Db2,
    /// IBM Informix 12.10 and later, with `DELIMIDENT`.
    Informix,
    /// PostgreSQL.
    Postgres,
    /// MariaDB and MySQL.
    Mariadb,
    /// SQLite.
    Sqlite,
}

impl Word {
    /// How the database writes SQL.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Standard => &Standard,
            Self::SqlServer => &SqlServer,
            Self::Oracle => &Oracle,
            Self::Db2 => &Db2,
            Self::Informix => &Informix,
            Self::Postgres => &Postgres { numbered: false },
            Self::Mariadb => &MySql,
            Self::Sqlite => &Sqlite,
        }
    }

    /// The dialect of a database by the name that its driver gives it.
    pub(crate) fn of_database(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let known = [
            ("sql server", Self::SqlServer),
            ("oracle", Self::Oracle),
            ("db2", Self::Db2),
            ("informix", Self::Informix),
            ("postgresql", Self::Postgres),
            ("mariadb", Self::Mariadb),
            ("mysql", Self::Mariadb),
            ("sqlite", Self::Sqlite),
        ];
        known.into_iter().find(|(own, _)| name.contains(own)).map_or(Self::Standard, |(_, word)| word)
    }
}
