//! What an error of sqlx means.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use rabita_sdk::{Call, Failure};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::backend::{Link, Session};
use crate::dialect::Dialect;
use crate::errors::Told;
use crate::fault::{AnyFault, Fault, Moment};

/// An error of sqlx, and the database that it is of.
#[derive(Debug)]
pub struct SqlxFault {
    error: sqlx::Error,
    dialect: Dialect,
}

/// Makes a fault of an error.
pub fn fault(dialect: Dialect) -> impl Fn(sqlx::Error) -> AnyFault {
    move |error| Box::new(SqlxFault { error, dialect })
}

/// A session on a connection that a pool gives within the call's deadline.
pub async fn taken(
    dialect: Dialect,
    call: &Call,
    taking: impl Future<Output = Result<Box<dyn Link>, sqlx::Error>>,
) -> Result<Session, Failure> {
    if call.remaining().is_zero() {
        return Err(Failure::timed_out("the deadline had passed before the database was asked"));
    }
    match tokio::time::timeout_at(call.deadline.into(), AssertUnwindSafe(taking).catch_unwind()).await {
        Ok(Ok(Ok(link))) => Ok(Session::new(link, dialect)),
        Ok(Ok(Err(error))) => Err(fault(dialect)(error).failure(Moment::Reading)),
        // A driver may panic at an answer that is none.
        Ok(Err(_)) => Err(Failure::malformed("the database driver broke off at an answer that does not follow its protocol")),
        Err(_) => Err(Failure::timed_out("the deadline passed while a connection was waited for; nothing was sent")),
    }
}

impl SqlxFault {
    /// An error of the database itself.
    fn told(&self) -> Option<Told<'_>> {
        let sqlx::Error::Database(error) = &self.error else { return None };
        Some(told(&**error))
    }
}

impl Fault for SqlxFault {
    fn failure(&self, moment: Moment) -> Failure {
        if let Some(told) = self.told() {
            return match self.dialect.failure(&told, moment) {
                // A server that goes away at the commit may have done it; one that reports a deadlock has not.
                Failure::Unavailable { detail, .. } if moment == Moment::Committing && !self.dialect.is_rolled_back(&told) => {
                    Failure::Unknown { detail }
                }
                failure => failure,
            };
        }
        driver(&self.error, moment)
    }

    fn can_not_be(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.can_not_be(&told))
    }

    fn is_duplicate(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_duplicate(&told))
    }

    fn is_table_absent(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_table_absent(&told))
    }

    fn is_table_there(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_table_there(&told))
    }

    fn is_outdated(&self) -> bool {
        self.told().is_some_and(|told| told.is_outdated)
    }

    fn spares_connection(&self) -> bool {
        self.told().is_some_and(|told| !told.is_outdated)
            && !matches!(self.failure(Moment::Reading), Failure::Unavailable { .. } | Failure::TimedOut { .. })
    }
}

fn told(error: &dyn DatabaseError) -> Told<'_> {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let mut about = String::new();
        for (what, name) in [("table", error.table()), ("column", error.column()), ("constraint", error.constraint())] {
            if let Some(name) = name {
                about.push_str(&format!(", {what} {name}"));
            }
        }
        let is_outdated = error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery");
        return Told { state: error.code(), number: 0, message: error.message(), about, is_outdated };
    }
    let message = error.message();
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        let (state, number) = (error.code().unwrap_or_default(), error.number().into());
        return Told { state, number, message, about: String::new(), is_outdated: false };
    }
    // SQLite tells a number, in text.
    let number = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
    Told { state: "", number, message, about: String::new(), is_outdated: false }
}

/// What an error means that is not the database's own.
fn driver(error: &sqlx::Error, moment: Moment) -> Failure {
    match error {
        sqlx::Error::Io(error) if moment == Moment::Committing => {
            Failure::Unknown { detail: format!("the connection broke at the commit ({:?})", error.kind()) }
        }
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Failure::unavailable(
            "the connection failed: the server's certificate is not one to trust, or it speaks another protocol",
        ),
        sqlx::Error::Io(error) => Failure::unavailable(format!("the connection failed ({:?})", error.kind())),
        sqlx::Error::Tls(_) => Failure::unavailable("TLS with the database failed: look at `tls` and its certificate"),
        sqlx::Error::PoolTimedOut => Failure::unavailable("no connection to the database in time"),
        sqlx::Error::PoolClosed => Failure::unavailable("the connector is closed"),
        sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) if moment == Moment::Committing => {
            Failure::Unknown { detail: "the connection broke at the commit".into() }
        }
        sqlx::Error::WorkerCrashed => Failure::unavailable("the connection ended"),
        sqlx::Error::Protocol(_) => Failure::malformed("the database's answer does not follow its protocol"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Failure::malformed("a value is not what its column's type says, or not in its encoding")
        }
        sqlx::Error::TypeNotFound { type_name } => Failure::unsupported(format!("the type {type_name} is unknown")),
        sqlx::Error::Configuration(_) => Failure::unavailable("the connection's settings are not usable"),
        _ => Failure::malformed("the database driver failed"),
    }
}
