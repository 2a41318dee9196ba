//! Which updates are given out next: a line for each registry.
//!
//! A line goes through the store by number and has a few updates ahead in memory. What is sent on its way again after it
//! was given out stands in a list of numbers, and comes first.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rabita_model::{Entry, RegistryId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::embedded::counts::Counts;
use crate::readers::Readers;
use crate::store::updates;
use crate::{JournalError, Lease};

/// So many updates are ahead in memory, and no more once their payloads have so many bytes.
const AHEAD: usize = 128;
const AHEAD_BYTES: usize = 1 << 20;

/// The lines of all registries.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Mutex<HashMap<RegistryId, Arc<Line>>>,
}

impl Lines {
    /// The line of a registry.
    pub(super) fn of(&self, registry: &RegistryId) -> Arc<Line> {
        let mut lines = self.lines();
        if let Some(line) = lines.get(registry) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line {
            registry: registry.clone(),
            turn: tokio::sync::Mutex::default(),
            stock: Mutex::default(),
            news: Notify::new(),
        });
        lines.insert(registry.clone(), Arc::clone(&line));
        line
    }

    /// Tells whoever waits that there is something new.
    pub(super) fn wake(&self, registry: &RegistryId) {
        if let Some(line) = self.lines().get(registry) {
            line.news.notify_one();
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<RegistryId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of one registry is given out next.
#[derive(Debug)]
pub(super) struct Line {
    registry: RegistryId,
    /// One at a time looks what comes next.
    turn: tokio::sync::Mutex<()>,
    stock: Mutex<Stock>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Stock {
    /// Up to here the store was gone through.
    cursor: i64,
    /// Read and not yet given out.
    ahead: VecDeque<(i64, Entry)>,
    /// To be given out again.
    again: BTreeSet<i64>,
    /// About to be sent on their way again: their transaction is not committed yet, or nobody was told.
    expected: BTreeSet<i64>,
}

/// What comes next.
enum Next {
    Again(i64),
    Ahead {
        seq: i64,
        record: String,
    },
    /// Nothing is at hand; the store may have more after this number.
    After(i64),
}

impl Line {
    /// Waits for the next update. Nothing is taken off the line before the moment in which it is answered, so dropping
    /// the future loses nothing.
    pub(super) async fn next(&self, readers: &Readers, counts: &Counts) -> Result<Lease, JournalError> {
        let _turn = self.turn.lock().await;
        loop {
            let next = self.stock().peek();
            match next {
                Next::Again(seq) => {
                    if let Some(lease) = self.give_again(readers, seq).await? {
                        return Ok(lease);
                    }
                }
                Next::Ahead { seq, record } => {
                    let behind = if counts.has_parked(&self.registry) {
                        let registry = self.registry.clone();
                        let question = move |connection: &_| updates::parked_before(connection, &registry, &record, seq);
                        readers.read(question).await?
                    } else {
                        None
                    };
                    let (seq, entry) = self.stock().ahead.pop_front().expect("only who has the turn takes from the stock");
                    return Ok(lease(seq, entry, behind));
                }
                Next::After(cursor) => {
                    let registry = self.registry.clone();
                    let question = move |connection: &_| updates::waiting(connection, &registry, cursor, AHEAD, AHEAD_BYTES);
                    let found = readers.read(question).await?;
                    if found.is_empty() && !self.stock().has_some() {
                        self.news.notified().await;
                    }
                    self.stock().fill(found);
                }
            }
        }
    }

    /// An update is about to be sent on its way again.
    pub(super) fn expect(&self, seq: i64) {
        self.stock().expected.insert(seq);
    }

    /// An update is on its way again.
    pub(super) fn again(&self, seq: i64) {
        let mut stock = self.stock();
        stock.expected.remove(&seq);
        stock.again.insert(seq);
        drop(stock);
        self.news.notify_one();
    }

    /// An update that was given out before, if it is still on its way.
    async fn give_again(&self, readers: &Readers, seq: i64) -> Result<Option<Lease>, JournalError> {
        let registry = self.registry.clone();
        let question = move |connection: &_| {
            let Some(entry) = updates::entry_at(connection, seq)? else { return Ok(None) };
            let behind = updates::parked_before(connection, &registry, &entry.update.record, seq)?;
            Ok(Some((entry, behind)))
        };
        let found = readers.read(question).await?;
        self.stock().again.remove(&seq);
        let found = found.filter(|(entry, _)| !entry.is_parked && entry.conclusion.is_none());
        Ok(found.map(|(entry, behind)| lease(seq, entry, behind)))
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    fn peek(&mut self) -> Next {
        while let Some(seq) = self.again.first().copied() {
            if seq <= self.cursor {
                return Next::Again(seq);
            }
            // The line has not come there yet, and will.
            self.again.pop_first();
        }
        match self.ahead.front() {
            Some((seq, entry)) => Next::Ahead { seq: *seq, record: entry.update.record.clone() },
            None => Next::After(self.cursor),
        }
    }

    fn has_some(&self) -> bool {
        !self.again.is_empty() || !self.ahead.is_empty()
    }

    /// Takes in what was read after the cursor. What comes as one that is given out again does not come here too.
    fn fill(&mut self, found: Vec<(i64, Entry)>) {
        for (seq, entry) in found {
            self.cursor = seq;
            if !self.again.contains(&seq) && !self.expected.contains(&seq) {
                self.ahead.push_back((seq, entry));
            }
        }
    }
}

fn lease(seq: i64, entry: Entry, behind: Option<rabita_model::UpdateId>) -> Lease {
    Lease { entry, behind, lost: CancellationToken::new(), ticket: u64::try_from(seq).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use rabita_model::{Entry, Update};

    use super::{Next, Stock};

    fn read(seqs: &[i64]) -> Vec<(i64, Entry)> {
        let update: Update = serde_json::from_value(serde_json::json!({
            "id": "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e",
            "target": { "registry": "population", "version": "v1", "entity": "persons" },
            "operation": "update",
            "record": "0",
            "system": "portal",
            "idempotency_key": "a",
            "digest": "0",
            "exchange": "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e",
            "accepted_at": "2026-01-01T00:00:00Z",
        }))
        .expect("an update");
        seqs.iter().map(|seq| (*seq, Entry::new(update.clone()))).collect()
    }

    /// What is given out next, without what is read for it.
    fn given(stock: &mut Stock) -> Option<i64> {
        match stock.peek() {
            Next::Again(seq) => {
                stock.again.remove(&seq);
                Some(seq)
            }
            Next::Ahead { .. } => stock.ahead.pop_front().map(|(seq, _)| seq),
            Next::After(_) => None,
        }
    }

    #[test]
    fn an_update_sent_again_while_the_line_is_read_comes_once() {
        let mut stock = Stock::default();
        stock.expected.insert(2);
        // The store has it on its way already, and nobody was told yet.
        stock.fill(read(&[1, 2, 3]));
        assert_eq!((given(&mut stock), given(&mut stock), given(&mut stock)), (Some(1), Some(3), None));
        stock.expected.remove(&2);
        stock.again.insert(2);
        assert_eq!((given(&mut stock), given(&mut stock)), (Some(2), None));
    }

    #[test]
    fn an_update_sent_again_that_the_line_has_not_come_to_comes_once_and_in_its_turn() {
        let mut stock = Stock::default();
        stock.again.insert(2);
        assert_eq!(given(&mut stock), None, "the line comes there");
        stock.fill(read(&[1, 2]));
        assert_eq!((given(&mut stock), given(&mut stock), given(&mut stock)), (Some(1), Some(2), None));
    }

    #[test]
    fn what_is_sent_again_comes_before_what_is_new_and_in_its_order() {
        let mut stock = Stock::default();
        stock.fill(read(&[1, 2, 3, 4]));
        assert_eq!((given(&mut stock), given(&mut stock), given(&mut stock)), (Some(1), Some(2), Some(3)));
        stock.again.extend([3, 1]);
        assert_eq!((given(&mut stock), given(&mut stock), given(&mut stock)), (Some(1), Some(3), Some(4)));
    }
}
