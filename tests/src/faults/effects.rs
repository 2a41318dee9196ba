//! What happened in the registry, as PostgreSQL's own trigger wrote it down.

use std::path::Path;

use super::log::Operation;

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Its place in the order of changes. Changes of one row come one after the other.
    pub serial: u64,
    /// Microseconds since 1970.
    pub at_us: u64,
    pub kind: Kind,
    /// The key of the record.
    pub record: String,
    /// The text that was written: the name of the update. None for a row that went.
    pub update: Option<String>,
}

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Inserted,
    Updated,
    Deleted,
}

impl Kind {
    /// What an update does to its row.
    #[must_use]
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::Inserted,
            Operation::Replace | Operation::Update => Self::Updated,
            Operation::Delete => Self::Deleted,
        }
    }
}

/// Reads the list that the trigger made: `serial microseconds INSERT|UPDATE|DELETE key text`, a row each.
///
/// # Panics
/// When it is no such list.
#[must_use]
pub fn read(path: &Path) -> Vec<Effect> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    text.lines().map(|line| parse(line).unwrap_or_else(|| panic!("no effect: {line}"))).collect()
}

fn parse(line: &str) -> Option<Effect> {
    let mut words = line.split(' ');
    let serial = words.next()?.parse().ok()?;
    let at_us = words.next()?.parse().ok()?;
    let kind = match words.next()? {
        "INSERT" => Kind::Inserted,
        "UPDATE" => Kind::Updated,
        "DELETE" => Kind::Deleted,
        _ => return None,
    };
    let record = words.next()?.to_owned();
    let update = Some(words.next()?.to_owned()).filter(|_| kind != Kind::Deleted);
    Some(Effect { serial, at_us, kind, record, update })
}
