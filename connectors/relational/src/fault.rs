//! What a database, or the driver that speaks to it, says went wrong.

use std::fmt::Debug;

use rabita_sdk::Failure;

/// What was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A connection was being made, or a record read.
    Reading,
    /// A change, before its commit was sent.
    Changing,
    /// The commit.
    Committing,
}

/// What a database or its driver says. Its own message text is told on only where it can name nothing but tables,
/// columns and types.
pub trait Fault: Debug + Send + Sync {
    /// The failure that it means.
    fn failure(&self, moment: Moment) -> Failure;

    /// Whether it only says that a compared value can't be one of the column's: then no record has it.
    fn can_not_be(&self) -> bool;

    /// Whether a unique index refused a row.
    fn is_duplicate(&self) -> bool;

    /// Whether a table is not there.
    fn is_table_absent(&self) -> bool;

    /// Whether a table that was to be made is there.
    fn is_table_there(&self) -> bool;

    /// Whether the tables have changed since a statement was prepared.
    fn is_outdated(&self) -> bool {
        false
    }

    /// Whether the connection can be used again.
    fn spares_connection(&self) -> bool;
}

/// A fault of whichever driver.
pub type AnyFault = Box<dyn Fault>;

/// What went wrong on a connection.
#[derive(Debug)]
pub enum Trouble {
    /// The database or the driver said so.
    Database(AnyFault),
    /// We say so; the connection is sound.
    Failure(Failure),
}

impl From<AnyFault> for Trouble {
    fn from(fault: AnyFault) -> Self {
        Self::Database(fault)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
