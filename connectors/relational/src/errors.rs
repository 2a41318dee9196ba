//! What the errors of a database mean. A database says of its own what differs from the standard's SQLSTATE (ISO 9075-2,
//! 24), which is what a method goes by that no database writes anew.

use rabita_sdk::Failure;

use crate::fault::Moment;

/// An error as a database tells it.
#[derive(Debug)]
pub struct Told<'a> {
    /// The five characters of its SQLSTATE; empty where there is none.
    pub state: &'a str,
    /// Its own number; zero where it has none.
    pub number: i32,
    /// Its own words, which may hold values.
    pub message: &'a str,
    /// What it is about, by the names of a table, a column or a constraint.
    pub about: String,
    /// Whether it is that a table has changed since a statement was prepared.
    pub is_outdated: bool,
}

impl Told<'_> {
    /// The error by its SQLSTATE and what it is about.
    pub fn by_state(&self) -> String {
        format!("SQLSTATE {}{}", self.state, self.about)
    }

    /// The error by its number and its SQLSTATE.
    pub fn by_number(&self) -> String {
        format!("error {}, SQLSTATE {}", self.number, if self.state.is_empty() { "unknown" } else { self.state })
    }
}

/// What a database's errors mean.
pub trait Errors {
    /// The failure that an error means.
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.state.get(..2).unwrap_or_default() {
            _ if matches!(told.state, "57014" | "HYT00" | "HY008") => {
                Failure::timed_out(format!("{detail}: the database stopped the statement"))
            }
            _ if matches!(told.state, "25006" | "HYC00" | "IM001") => Failure::unsupported(detail),
            "08" | "28" | "3D" | "40" | "53" | "57" | "58" | "HYT" => Failure::unavailable(detail),
            "0A" | "42" | "37" | "S0" | "IM" => Failure::unsupported(detail),
            _ => refused_or_malformed(detail, moment),
        }
    }

    /// Whether an error only says that a compared value can't be one of the column's.
    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "22001" | "22003" | "22005" | "22007" | "22008" | "22018" | "22021" | "22023")
    }

    /// Whether a unique index refused a row.
    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        told.state == "23505"
    }

    /// Whether a table is not there.
    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "42S02" | "S0002")
    }

    /// Whether a table that was to be made is there.
    fn is_table_there(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "42S01" | "S0001")
    }

    /// Whether an error at a commit says that nothing was done.
    fn is_rolled_back(&self, told: &Told<'_>) -> bool {
        told.state.starts_with("40")
    }
}

/// The failure of an error that is none of the statement's: of its values where something was to be changed, of the
/// data otherwise.
pub fn refused_or_malformed(detail: String, moment: Moment) -> Failure {
    match moment {
        Moment::Reading => Failure::malformed(detail),
        Moment::Changing | Moment::Committing => Failure::refused(detail),
    }
}
