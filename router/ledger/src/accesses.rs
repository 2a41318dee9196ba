//! Who used the data of one person, and for what an agency's registries were used.
//!
//! The index says where to look. What is shown is read from the log, held against the question, and comes with its proof.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rabita_model::{AgencyId, ExchangeId, FieldName, Subject};

use crate::entry::{Entry, Pseudonym};
use crate::error::LedgerError;
use crate::index::batch::persons;
use crate::index::question::{self, Found, Position, Range};
use crate::ledger::{Ledger, blocking};
use crate::log::Checkpoint;
use crate::log::proof::Hash;
use crate::period::KeyName;
use crate::seal::Private;
use crate::vault::Vault;

mod whole;

pub(crate) use whole::Read;
use whole::{Whole, is_part, main};

/// Which part of a long answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// How many at most.
    pub limit: usize,
    /// How many to pass over, for those who number what they show; others go on with the cursor.
    pub offset: usize,
    /// Where the page before ended: [`Accesses::next`].
    pub cursor: Option<String>,
}

/// Some accesses, the newest first.
#[derive(Debug, Clone)]
pub struct Accesses {
    pub accesses: Vec<Access>,
    /// The cursor of what follows, where something does.
    pub next: Option<String>,
    /// How many there are between the page's times, on this page and on others.
    pub total: u64,
    /// What the proofs lead to.
    pub checkpoint: Arc<Checkpoint>,
    /// So many of the newest entries were not looked through yet.
    pub behind: u64,
}

/// One entry, with its proof.
#[derive(Debug, Clone)]
pub struct Access {
    pub index: u64,
    pub leaf: Hash,
    /// The entry's very bytes.
    pub bytes: Bytes,
    pub entry: Entry,
    /// All the fields that the answer gave, those too that stand in entries before it.
    pub fields: Vec<FieldName>,
    /// The user, the case and the consent; `None` where the key is destroyed.
    pub opened: Option<Private>,
    /// That the entry is in the tree of [`Accesses::checkpoint`].
    pub proof: Vec<Hash>,
}

impl Ledger {
    /// Who used the data of a person: over all agencies, and all periods whose keys are kept.
    ///
    /// # Errors
    /// [`LedgerError::Cursor`]; others where the log, the keys or the index cannot be read.
    pub async fn accesses(&self, subject: &Subject, page: &Page) -> Result<Accesses, LedgerError> {
        let (vault, subject, range) = (Arc::clone(&self.vault), subject.clone(), range(page)?);
        let (from, to) = (page.from, page.to);
        let names = blocking(move || pseudonyms(&vault, &subject, from, to)).await?;
        let before = end(page);
        let asked = move |connection: &_| question::of_subject(connection, &names, range, before);
        let (found, total) = self.index.ask(asked).await?;
        self.shown(found, total, page, |_| true).await
    }

    /// What was asked of the registries of an agency, and how its updates ended.
    ///
    /// # Errors
    /// [`LedgerError::Cursor`]; others where the log, the keys or the index cannot be read.
    pub async fn of_agency(&self, owner: &AgencyId, page: &Page) -> Result<Accesses, LedgerError> {
        let (asked_of, range, before) = (owner.clone(), range(page)?, end(page));
        let asked = move |connection: &_| question::of_agency(connection, &asked_of, range, before);
        let (found, total) = self.index.ask(asked).await?;
        let owner = owner.clone();
        self.shown(found, total, page, move |entry| entry.about().is_some_and(|about| about.owner == owner)).await
    }

    /// The entries of an exchange, in the order of the log: what did not fit, the exchange itself, its conclusion.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] where there is none; others where the log, the keys or the index cannot be read.
    pub async fn of_exchange(&self, exchange: ExchangeId) -> Result<Accesses, LedgerError> {
        let found = self.around(exchange).await?;
        if found.is_empty() {
            return Err(LedgerError::Absent);
        }
        let total = found.len() as u64;
        let whole = found.iter().map(|read| Whole::of(read.clone(), &found)).collect();
        self.accesses_to(whole, None, total).await
    }

    /// One entry.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] where there are not so many; others where the log, the keys or the index cannot be read.
    pub async fn entry(&self, index: u64) -> Result<Accesses, LedgerError> {
        let log = Arc::clone(&self.log);
        let read = blocking(move || Read::of(&log, index)).await?;
        let around = if is_part(&read.entry) { self.around_entry(&read.entry).await? } else { Vec::new() };
        self.accesses_to(vec![Whole::of(read, &around)], None, 1).await
    }

    /// Reads what the index found, as the page asks.
    async fn shown(
        &self,
        mut found: Vec<Found>,
        total: u64,
        page: &Page,
        is_asked_for: impl Fn(&Entry) -> bool + Send + 'static,
    ) -> Result<Accesses, LedgerError> {
        let shown = page.offset.saturating_add(page.limit);
        let has_more = found.len() > shown;
        found.truncate(shown);
        let next = found.last().filter(|_| has_more).map(|last| cursor(last.at));
        found.drain(..page.offset.min(found.len()));
        let (log, vault) = (Arc::clone(&self.log), Arc::clone(&self.vault));
        let read = move || {
            let read = found.into_iter().map(|found| {
                let read = Read::of(&log, found.at.index)?;
                if found.is_in(&read.entry, &vault)? && is_asked_for(&read.entry) { Ok(read) } else { Err(LedgerError::Absent) }
            });
            read.collect::<Result<Vec<_>, _>>()
        };
        let mut whole = Vec::new();
        for read in self.held(blocking(read).await)? {
            if !is_part(&read.entry) {
                whole.push(Whole::of(read, &[]));
                continue;
            }
            let around = self.around_entry(&read.entry).await?;
            whole.extend(main(read, &around).map(|read| Whole::of(read, &around)));
        }
        self.accesses_to(whole, next, total).await
    }

    async fn accesses_to(&self, whole: Vec<Whole>, next: Option<String>, total: u64) -> Result<Accesses, LedgerError> {
        let checkpoint = self.log.checkpoint();
        let (log, vault, size) = (Arc::clone(&self.log), Arc::clone(&self.vault), checkpoint.size);
        let accesses = blocking(move || whole.into_iter().map(|whole| whole.show(&log, &vault, size)).collect()).await?;
        Ok(Accesses { accesses, next, total, checkpoint, behind: self.behind() })
    }

    /// The entries of an exchange, in the order of the log.
    async fn around(&self, exchange: ExchangeId) -> Result<Vec<Read>, LedgerError> {
        let indices = self.index.ask(move |connection| question::of_exchange(connection, exchange)).await?;
        let log = Arc::clone(&self.log);
        let read = move || {
            let read = indices.into_iter().map(|index| {
                let read = Read::of(&log, index)?;
                if read.entry.exchange() == Some(exchange) { Ok(read) } else { Err(LedgerError::Absent) }
            });
            read.collect::<Result<Vec<_>, _>>()
        };
        self.held(blocking(read).await)
    }

    async fn around_entry(&self, entry: &Entry) -> Result<Vec<Read>, LedgerError> {
        match entry.exchange() {
            Some(exchange) => self.around(exchange).await,
            None => Ok(Vec::new()),
        }
    }

    /// What the index should not have found shows that it is wrong: it is built anew.
    fn held<T>(&self, read: Result<T, LedgerError>) -> Result<T, LedgerError> {
        if !matches!(read, Err(LedgerError::Absent | LedgerError::Unreadable { .. })) {
            return read;
        }
        let reason = "it finds what was not asked for";
        self.index.doubt(&reason);
        Err(LedgerError::Index(reason.to_owned()))
    }
}

impl Found {
    /// Whether this entry is what was found, or the index is wrong.
    fn is_in(&self, entry: &Entry, vault: &Vault) -> Result<bool, LedgerError> {
        let is_named = match &self.named {
            Some((key, person)) => entry.key() == Some(key) && persons(vault, entry)?.contains(person),
            None => true,
        };
        Ok(is_named && entry.at().as_microsecond() == self.at.at)
    }
}

/// What stands for a person, for each key that is kept.
fn pseudonyms(
    vault: &Vault,
    subject: &Subject,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Vec<(KeyName, Pseudonym)>, LedgerError> {
    let mut pseudonyms = Vec::new();
    for name in vault.within(from, to) {
        match vault.for_reading(&name) {
            Ok(keys) => pseudonyms.push((name, keys.person(subject))),
            // Destroyed in this moment.
            Err(LedgerError::Forgotten(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pseudonyms)
}

fn range(page: &Page) -> Result<Range, LedgerError> {
    let from = page.from.map_or(i64::MIN, Timestamp::as_microsecond);
    let mut before = Position { at: end(page), index: 0 };
    if let Some(cursor) = &page.cursor {
        before = before.min(position(cursor).ok_or(LedgerError::Cursor)?);
    }
    Ok(Range { from, before, limit: page.offset.saturating_add(page.limit).saturating_add(1) })
}

fn end(page: &Page) -> i64 {
    page.to.map_or(i64::MAX, Timestamp::as_microsecond)
}

/// A position as text. It holds a time and an index, nothing else.
fn cursor(at: Position) -> String {
    format!("{}.{}", at.at, at.index)
}

fn position(cursor: &str) -> Option<Position> {
    let (at, index) = cursor.split_once('.')?;
    Some(Position { at: at.parse().ok()?, index: index.parse().ok()? })
}
