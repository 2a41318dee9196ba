//! What SQLite says, in the journal's words. Never a value of a row.

use rusqlite::{Error, ErrorCode};

use crate::JournalError;

/// A failure of SQLite as the journal's.
pub(crate) fn fault(error: &Error) -> JournalError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full("no room on the disk".to_owned()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => JournalError::Corrupt(error.to_string()),
        Some(_) => JournalError::Unavailable(error.to_string()),
        // Not SQLite but the row: a column of another type than was written.
        None => JournalError::Corrupt("a column of another type".to_owned()),
    }
}

/// A row that cannot be read. `what` names the column and never its value.
pub(crate) fn corrupt(what: &str) -> JournalError {
    JournalError::Corrupt(format!("{what} cannot be read"))
}

impl From<Error> for JournalError {
    fn from(error: Error) -> Self {
        fault(&error)
    }
}
