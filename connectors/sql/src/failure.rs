//! What an error of a database means. Its own message text is told on only where it can name nothing but tables,
//! columns and types.

use rabita_sdk::Failure;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// What was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A connection was being made, or a record read.
    Reading,
    /// A change, before its commit was sent.
    Changing,
    /// The commit.
    Committing,
}

/// The failure that an error means.
pub(crate) fn failure(error: &sqlx::Error, moment: Moment) -> Failure {
    match error {
        sqlx::Error::Database(error) => match database(&**error, moment) {
            // A server that goes away at the commit may have done it; one that reports a deadlock has not.
            Failure::Unavailable { detail, .. } if moment == Moment::Committing && !is_rolled_back(&**error) => {
                Failure::Unknown { detail }
            }
            failure => failure,
        },
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

/// Whether the error only says that a compared value can't be one of the column's: then no record has it.
pub(crate) fn can_not_be(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return matches!(error.code(), "22P02" | "22007" | "22008" | "22003" | "22021" | "22P05");
    }
    // Incorrect value; a text that the column's character set does not have.
    error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|error| matches!(error.number(), 1292 | 1525 | 1267 | 1366 | 3854))
}

/// Whether a unique index refused a row.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

/// Whether a table is not there.
pub(crate) fn is_table_absent(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    if error.try_downcast_ref::<SqliteError>().is_some() {
        return error.message().starts_with("no such table");
    }
    matches!(error.code().as_deref(), Some("42P01" | "42S02"))
}

/// Whether the tables have changed since a statement was prepared.
pub(crate) fn is_outdated(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|error| error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery"))
}

/// Whether the connection can be used again after the error.
pub(crate) fn spares_connection(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_))
        && !is_outdated(error)
        && !matches!(failure(error, Moment::Reading), Failure::Unavailable { .. } | Failure::TimedOut { .. })
}

fn is_rolled_back(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<SqliteError>().is_some() || error.code().is_some_and(|code| code.starts_with("40"))
}

fn database(error: &dyn DatabaseError, moment: Moment) -> Failure {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return postgres(error, moment);
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql(error, moment);
    }
    sqlite(error, moment)
}

fn postgres(error: &PgDatabaseError, moment: Moment) -> Failure {
    let code = error.code();
    let mut detail = format!("SQLSTATE {code}");
    for (what, name) in [("table", error.table()), ("column", error.column()), ("constraint", error.constraint())] {
        if let Some(name) = name {
            detail.push_str(&format!(", {what} {name}"));
        }
    }
    match code.get(..2).unwrap_or_default() {
        _ if code == "57014" => Failure::timed_out(format!("{detail}: the database stopped the statement")),
        "08" | "53" | "57" | "58" | "XX" => Failure::unavailable(detail),
        _ if matches!(code, "40001" | "40P01" | "55P03" | "25P03") => {
            Failure::unavailable(format!("{detail}: in the way of other changes"))
        }
        _ if code == "25006" => Failure::unsupported(format!("{detail}: the database is read only")),
        "28" | "3D" => Failure::unavailable(format!("{detail}: the database refuses the connection")),
        // Values are bound, so the message of a class 42 error names nothing but what the manifest does.
        "42" => Failure::unsupported(format!("{detail}: {}", error.message())),
        "0A" if is_cached_plan(error) => Failure::unavailable(format!("{detail}: a table has changed")),
        "0A" => Failure::unsupported(detail),
        "22" | "23" | "44" | "P0" if moment != Moment::Reading => Failure::refused(detail),
        _ if moment != Moment::Reading => Failure::refused(detail),
        _ => Failure::malformed(detail),
    }
}

fn is_cached_plan(error: &PgDatabaseError) -> bool {
    error.routine() == Some("RevalidateCachedQuery")
}

fn mysql(error: &MySqlDatabaseError, moment: Moment) -> Failure {
    let detail = format!("error {}, SQLSTATE {}", error.number(), error.code().unwrap_or("unknown"));
    match error.number() {
        1969 | 3024 | 1317 => Failure::timed_out(format!("{detail}: the database stopped the statement")),
        1040
        | 1203
        | 1226
        | 1053
        | 1077..=1079
        | 1129
        | 1130
        | 1045
        | 1049
        | 1698
        | 1927
        | 2006
        | 2013
        | 4031
        | 1205
        | 1213
        | 1020
        | 1021
        | 1037
        | 1041
        | 1158..=1161 => Failure::unavailable(detail),
        1044 | 1054 | 1142 | 1143 | 1146 | 1227 | 1370 | 1109 => Failure::unsupported(format!("{detail}: {}", error.message())),
        1064 | 1052 | 1056 | 1305 | 1247 | 1290 | 1792 | 1836 | 1348 | 1471 | 1235 | 1060 | 1066 => Failure::unsupported(detail),
        _ if moment != Moment::Reading => Failure::refused(detail),
        _ => Failure::malformed(detail),
    }
}

fn sqlite(error: &dyn DatabaseError, moment: Moment) -> Failure {
    let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
    let detail = format!("SQLite error {code}");
    // The low byte is the kind of error, the rest says more about it.
    match code & 0xff {
        // Of the generic error only these messages are sure to hold names alone.
        1 if ["no such", "ambiguous column", "table "].iter().any(|start| error.message().starts_with(start)) => {
            Failure::unsupported(format!("{detail}: {}", error.message()))
        }
        1 => Failure::unsupported(detail),
        5 | 6 | 10 | 13 | 14 | 15 | 26 | 11 => Failure::unavailable(detail),
        9 => Failure::timed_out(format!("{detail}: the statement was stopped")),
        8 | 3 | 23 => Failure::unsupported(format!("{detail}: the database is read only")),
        _ if moment != Moment::Reading => Failure::refused(detail),
        _ => Failure::malformed(detail),
    }
}
