//! Operators' acts.
//!
//! Two nodes may act on the same update at once, so acts are done one after the other: who acts takes over the one
//! client for acts, which makes the brokers refuse what the one before has not committed, and then reads all that was.

use std::sync::Arc;

use rabita_model::{Entry, UpdateId};
use rusqlite::Connection;

use crate::kafka::message::{Outcome, Record};
use crate::kafka::topics::Topics;
use crate::kafka::transactions::{self, Fence};
use crate::kafka::{PATIENCE, Shared};
use crate::store::operate::{Operated, operate};
use crate::store::updates;
use crate::{Acted, JournalError, OperatorAct};

/// The id under which acts are written.
const ID: &str = "operators";

impl Shared {
    /// As [`crate::Journal::act`].
    pub(super) async fn act(self: &Arc<Self>, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError> {
        let topics = self.topics()?;
        self.health.check()?;
        let shared = Arc::clone(self);
        let begun = self.blocking(move || transactions::begin(&shared, ID)).await?;
        self.current(|_| true).await?;
        let trial = act.clone();
        let (operated, entries) = self.writer.write(0, move |connection| try_out(connection, &trial), |_| {}).await?;
        let mut records: Vec<Record> = entries.into_iter().flat_map(|entry| moved(topics, entry)).collect();
        records.push(Record::act(topics, &act));
        let shared = Arc::clone(self);
        let ends = self.blocking(move || transactions::write_alone(&shared, &begun, records)).await?;
        self.positions.reach(&ends, PATIENCE).await?;
        Ok(operated.answers)
    }

    /// Sends an update on its way that is parked behind one that is parked no longer, if it is this node's.
    pub(super) async fn fetch(&self, id: UpdateId) {
        let Ok(Some(mut entry)) = self.readers.read(move |connection| updates::entry(connection, id)).await else { return };
        let Some(fence) = self.fence_of(&entry) else { return };
        if !entry.is_parked {
            return;
        }
        entry.generation += 1;
        entry.is_parked = false;
        entry.progress = rabita_model::Progress { is_in_doubt: entry.progress.is_in_doubt, ..Default::default() };
        let Ok(topics) = self.topics() else { return };
        if let Err(error) = self.order(moved(topics, entry), Some(fence)).await {
            tracing::warn!(update = %id, %error, "an update stays parked behind one that is not");
        }
    }

    fn fence_of(&self, entry: &Entry) -> Option<Fence> {
        let part = self.part_of(&entry.update).ok()?;
        let lost = self.held.lost(&part)?;
        Some(Fence { part, lost })
    }
}

/// What the act will do, and the updates as they will be. Nothing is changed.
fn try_out(connection: &Connection, act: &OperatorAct) -> Result<(Operated, Vec<Entry>), JournalError> {
    connection.execute_batch("SAVEPOINT act")?;
    let tried = operate(connection, act).and_then(|operated| {
        let moved = operated.sent.iter().chain(&operated.discarded);
        let entries: Result<Vec<Option<Entry>>, _> = moved.map(|moved| updates::entry(connection, moved.id)).collect();
        Ok((operated, entries?.into_iter().flatten().collect()))
    });
    connection.execute_batch("ROLLBACK TO act; RELEASE act")?;
    tried
}

/// What tells of an update that was parked and is on its way again, or concluded.
fn moved(topics: &Topics, entry: Entry) -> [Record; 2] {
    let id = entry.update.id;
    let outcome = match entry.conclusion.clone() {
        Some(conclusion) => Record::concluded(topics, entry, conclusion),
        None => Record::outcome(topics, id, &Outcome::Unparked { id, generation: entry.generation, progress: entry.progress }),
    };
    [outcome, Record::not_parked(topics, id)]
}
