//! An entry as it is read from the log, with what belongs to it and does not stand in it.

use bytes::Bytes;
use rabita_model::FieldName;

use crate::accesses::Access;
use crate::entry::{Entry, MoreEntry};
use crate::error::LedgerError;
use crate::log::Log;
use crate::log::proof::leaf_hash;
use crate::seal::Private;
use crate::vault::Vault;

/// An entry of the log.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) index: u64,
    pub(crate) bytes: Bytes,
    pub(crate) entry: Entry,
}

impl Read {
    pub(crate) fn of(log: &Log, index: u64) -> Result<Self, LedgerError> {
        let bytes = log.entry(index)?.ok_or(LedgerError::Absent)?;
        let entry = Entry::parse(&bytes).map_err(|error| LedgerError::Unreadable { index, error })?;
        Ok(Self { index, bytes, entry })
    }
}

/// An entry with what stands before it because it did not fit.
pub(super) struct Whole {
    read: Read,
    fields: Vec<FieldName>,
}

impl Whole {
    pub(super) fn of(read: Read, around: &[Read]) -> Self {
        let (Entry::Exchange(exchange) | Entry::Events(exchange)) = &read.entry else { return Self { read, fields: Vec::new() } };
        let mut fields = exchange.fields.clone();
        for part in around {
            if let Entry::More(more) = &part.entry
                && is_main(&read.entry, more)
            {
                fields.extend_from_slice(&more.fields);
            }
        }
        Self { read, fields }
    }

    pub(super) fn show(self, log: &Log, vault: &Vault, size: u64) -> Result<Access, LedgerError> {
        let Self { read: Read { index, bytes, entry }, fields } = self;
        let proof = log.inclusion(index, size)?.ok_or(LedgerError::Absent)?;
        let opened = opened(vault, &entry)?;
        Ok(Access { index, leaf: leaf_hash(&bytes), bytes, entry, fields, opened, proof })
    }
}

/// The entry that did not take all of what it is about, where that is what was found. `None` where there is none: the node
/// ended before it wrote it, so it answered nothing.
pub(super) fn main(found: Read, around: &[Read]) -> Option<Read> {
    match &found.entry {
        Entry::More(more) => around.iter().find(|read| is_main(&read.entry, more)).cloned(),
        _ => Some(found),
    }
}

/// Whether more entries have to be read to show this one.
pub(super) fn is_part(entry: &Entry) -> bool {
    match entry {
        Entry::More(_) => true,
        Entry::Exchange(entry) | Entry::Events(entry) => entry.fields_total.is_some(),
        Entry::Conclusion(_) | Entry::Configuration(_) | Entry::Act(_) => false,
    }
}

/// Whether this is the entry that did not take all.
fn is_main(entry: &Entry, more: &MoreEntry) -> bool {
    match entry {
        Entry::Exchange(_) | Entry::Events(_) => more.update.is_none(),
        Entry::Conclusion(entry) => more.update == Some(entry.update),
        Entry::More(_) | Entry::Configuration(_) | Entry::Act(_) => false,
    }
}

fn opened(vault: &Vault, entry: &Entry) -> Result<Option<Private>, LedgerError> {
    let (Entry::Exchange(exchange) | Entry::Events(exchange)) = entry else { return Ok(Some(Private::default())) };
    let Some(sealed) = &exchange.sealed else { return Ok(Some(Private::default())) };
    match vault.for_reading(&exchange.key) {
        Ok(keys) => Ok(keys.of(exchange.exchange).open(sealed)),
        Err(LedgerError::Forgotten(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
