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

impl Trouble {
    /// The same, with what its statement was for.
    pub(crate) fn placed(self, place: impl FnOnce() -> String) -> Self {
        match self {
            Self::Database(fault) => Self::Database(placed(place(), fault)),
            failure @ Self::Failure(_) => failure,
        }
    }
}

/// A fault with what its statement was for.
pub(crate) fn placed(place: String, fault: AnyFault) -> AnyFault {
    Box::new(Placed { place, fault })
}

#[derive(Debug)]
struct Placed {
    place: String,
    fault: AnyFault,
}

impl Fault for Placed {
    fn failure(&self, moment: Moment) -> Failure {
        match self.fault.failure(moment) {
            Failure::Unsupported { detail } => Failure::Unsupported { detail: format!("{}: {detail}", self.place) },
            failure => failure,
        }
    }

    fn can_not_be(&self) -> bool {
        self.fault.can_not_be()
    }

    fn is_duplicate(&self) -> bool {
        self.fault.is_duplicate()
    }

    fn is_table_absent(&self) -> bool {
        self.fault.is_table_absent()
    }

    fn is_table_there(&self) -> bool {
        self.fault.is_table_there()
    }

    fn is_outdated(&self) -> bool {
        self.fault.is_outdated()
    }

    fn spares_connection(&self) -> bool {
        self.fault.spares_connection()
    }
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
