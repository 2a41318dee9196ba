//! What is indexed of some entries that follow each other.

use std::collections::HashMap;

use rabita_model::ExchangeId;

use crate::entry::{About, Entry, Outcome, Pseudonym};
use crate::error::LedgerError;
use crate::log::proof::{Hash, leaf_hash};
use crate::period::Keeper;
use crate::vault::Vault;

const HOUR_S: i64 = 3_600;

/// What is indexed of the entries from one index to before another.
#[derive(Default)]
pub(super) struct Batch {
    size: u64,
    leaf: Hash,
    pub(super) exchanges: Vec<(ExchangeId, i64)>,
    pub(super) subjects: Vec<Subject>,
    pub(super) uses: Vec<Use>,
    /// Of what stands in an entry before that of its exchange.
    pub(super) parts: Vec<Use>,
    pub(super) counts: HashMap<Cell, i64>,
    is_empty: bool,
}

/// What stands for a person whom an entry is about. In the order of its members the file has it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) key: String,
    pub(super) pseudonym: Pseudonym,
    pub(super) at: i64,
    pub(super) index: i64,
}

/// An exchange with a registry of an agency.
pub(super) struct Use {
    pub(super) owner: String,
    pub(super) at: i64,
    pub(super) index: i64,
}

/// What is counted together.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Cell {
    /// The hour, in hours since 1970.
    pub(super) hour: i64,
    pub(super) owner: String,
    pub(super) registry: String,
    pub(super) version: String,
    pub(super) entity: String,
    pub(super) operation: &'static str,
    /// The agency that asked.
    pub(super) caller: String,
    /// Empty where none was named.
    pub(super) purpose: String,
}

impl Batch {
    /// Nothing yet of the entries from this one on.
    pub(super) fn after(size: u64) -> Self {
        Self { size, is_empty: true, ..Self::default() }
    }

    /// Puts what lies together in the file together, where the log has it in any order.
    pub(super) fn sort(&mut self) {
        self.subjects.sort_unstable();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The size of the log up to its end.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The leaf of its last entry.
    pub(super) fn leaf(&self) -> &Hash {
        &self.leaf
    }

    pub(super) fn add(&mut self, bytes: &[u8], vault: &Vault) -> Result<(), LedgerError> {
        let index = i64::try_from(self.size).expect("a log has less than 2^63 entries");
        self.size += 1;
        self.leaf = leaf_hash(bytes);
        self.is_empty = false;
        // An entry of a later program can be read from the log, not found by the index.
        let Ok(entry) = Entry::parse(bytes) else { return Ok(()) };
        let at = entry.at().as_microsecond();
        if let Some(exchange) = entry.exchange() {
            self.exchanges.push((exchange, index));
        }
        for person in persons(vault, &entry)? {
            let key = entry.key().map(ToString::to_string).unwrap_or_default();
            self.subjects.push(Subject { key, pseudonym: person, at, index });
        }
        if let Some(about) = entry.about() {
            self.uses.push(Use { owner: about.owner.to_string(), at, index });
        } else if let Entry::More(more) = &entry
            && let Keeper::Agency(owner) = &more.key.keeper
        {
            self.parts.push(Use { owner: owner.to_string(), at, index });
        }
        if let Entry::Exchange(exchange) | Entry::Events(exchange) = &entry
            && exchange.outcome == Outcome::Allowed
            && let Some(about) = &exchange.about
        {
            let purpose = exchange.purpose.as_ref().map(ToString::to_string).unwrap_or_default();
            let hour = exchange.at.as_second().div_euclid(HOUR_S);
            let caller = exchange.caller.as_ref().map(|caller| caller.agency.to_string()).unwrap_or_default();
            *self.counts.entry(Cell::new(about, caller, purpose, hour)).or_default() += 1;
        }
        Ok(())
    }
}

/// What stands for whom an entry is about; nothing where the key is destroyed.
pub(crate) fn persons(vault: &Vault, entry: &Entry) -> Result<Vec<Pseudonym>, LedgerError> {
    let Some((name, exchange, sealed)) = entry.persons() else { return Ok(Vec::new()) };
    match vault.for_reading(name) {
        // What does not open was sealed with a key that is kept nowhere.
        Ok(keys) => Ok(keys.open_persons(exchange, sealed).unwrap_or_default()),
        Err(LedgerError::Forgotten(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Cell {
    fn new(about: &About, caller: String, purpose: String, hour: i64) -> Self {
        Self {
            hour,
            owner: about.owner.to_string(),
            registry: about.target.registry.to_string(),
            version: about.target.version.to_string(),
            entity: about.target.entity.to_string(),
            operation: about.operation.as_str(),
            caller,
            purpose,
        }
    }
}
