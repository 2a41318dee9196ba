//! Which updates of a registry are given out next: those of the partitions that are this node's.
//!
//! The line goes through the view in the order of acceptance. When a partition becomes this node's, or an update is on
//! its way again, it goes back, and passes over what was given out already.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rabita_model::{Entry, RegistryId, UpdateId};
use tokio::sync::Notify;

use crate::kafka::held::{Held, Part};
use crate::kafka::topics::Topic;
use crate::readers::Readers;
use crate::store::updates;
use crate::{JournalError, Lease};

/// So many updates are ahead in memory, and no more once their payloads have so many bytes.
const AHEAD: usize = 128;
const AHEAD_BYTES: usize = 1 << 20;

/// The lines of all registries.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<HashMap<RegistryId, Arc<Line>>>);

impl Lines {
    /// The line of a registry.
    pub(super) fn of(&self, registry: &RegistryId) -> Arc<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(registry.clone()).or_default())
    }
}

/// What of one registry is given out next.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// One at a time looks what comes next.
    turn: tokio::sync::Mutex<()>,
    stock: Mutex<Stock>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Stock {
    /// Up to here the view was gone through.
    cursor: i64,
    /// Read and not yet looked at.
    ahead: VecDeque<(i64, Entry)>,
    /// Given out: at which generation, and of which partition.
    given: HashMap<UpdateId, (u32, i32)>,
    /// How often the line went back. What was read before it did is not to be taken in.
    turns: u64,
}

/// The first in the line.
struct First {
    seq: i64,
    id: UpdateId,
    generation: u32,
    record: String,
}

impl Line {
    /// Waits for the next update. Nothing is taken off the line before the moment in which it is answered, so dropping
    /// the future loses nothing.
    pub(super) async fn next(
        &self,
        registry: &RegistryId,
        topic: &Topic,
        held: &Held,
        readers: &Readers,
    ) -> Result<Lease, JournalError> {
        let _turn = self.turn.lock().await;
        loop {
            let (first, turns) = self.first();
            let Some(first) = first else {
                self.fill(registry, readers).await?;
                continue;
            };
            let part: Part = (topic.name.clone(), topic.partition(&first.record));
            let Some(lost) = held.lost(&part).filter(|_| !self.is_given(&first)) else {
                self.pass(turns);
                continue;
            };
            let (of, record, seq) = (registry.clone(), first.record.clone(), first.seq);
            let behind = readers.read(move |connection| updates::parked_before(connection, &of, &record, seq)).await?;
            let mut stock = self.stock();
            // Lost or gone back in between: the same is looked at anew.
            if stock.turns != turns || lost.is_cancelled() {
                continue;
            }
            let Some((seq, entry)) = stock.ahead.pop_front() else { continue };
            stock.given.insert(first.id, (first.generation, part.1));
            return Ok(Lease { entry, behind, lost, ticket: u64::try_from(seq).unwrap_or(0) });
        }
    }

    /// There is something new at the end.
    pub(super) fn wake(&self) {
        self.news.notify_one();
    }

    /// Goes back so far that this number comes again.
    pub(super) fn again(&self, seq: i64) {
        let mut stock = self.stock();
        stock.cursor = stock.cursor.min(seq - 1);
        stock.ahead.clear();
        stock.turns += 1;
        drop(stock);
        self.wake();
    }

    /// The update is parked or concluded.
    pub(super) fn settled(&self, id: UpdateId) {
        self.stock().given.remove(&id);
    }

    /// What was given out of the partition is another's to give out.
    pub(super) fn lost(&self, partition: i32) {
        self.stock().given.retain(|_, (_, of)| *of != partition);
    }

    fn first(&self) -> (Option<First>, u64) {
        let stock = self.stock();
        let first = stock.ahead.front().map(|(seq, entry)| First {
            seq: *seq,
            id: entry.update.id,
            generation: entry.generation,
            record: entry.update.record.clone(),
        });
        (first, stock.turns)
    }

    fn is_given(&self, first: &First) -> bool {
        self.stock().given.get(&first.id).is_some_and(|(generation, _)| *generation == first.generation)
    }

    fn pass(&self, turns: u64) {
        let mut stock = self.stock();
        if stock.turns == turns {
            stock.ahead.pop_front();
        }
    }

    /// Reads on, and waits where there is nothing.
    async fn fill(&self, registry: &RegistryId, readers: &Readers) -> Result<(), JournalError> {
        let (cursor, turns) = {
            let stock = self.stock();
            (stock.cursor, stock.turns)
        };
        let of = registry.clone();
        let question = move |connection: &_| updates::waiting(connection, &of, cursor, AHEAD, AHEAD_BYTES);
        let found = readers.read(question).await?;
        if found.is_empty() && self.stock().turns == turns {
            self.news.notified().await;
            return Ok(());
        }
        let mut stock = self.stock();
        if stock.turns == turns {
            stock.cursor = found.last().map_or(cursor, |(seq, _)| *seq);
            stock.ahead.extend(found);
        }
        Ok(())
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
