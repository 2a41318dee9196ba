//! What follows a change once it is durable, and how the store's words become the journal's.

use rabita_model::{Event, UpdateId};
use rusqlite::Connection;
use tokio::sync::watch;

use crate::embedded::counts::Counts;
use crate::embedded::lines::Lines;
use crate::embedded::position;
use crate::embedded::settling::Settling;
use crate::store::events;
use crate::store::operate::Operated;
use crate::store::updates::Moved;
use crate::{Accepted, Claim, JournalError};

/// What the thread that writes tells once a change is durable.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) lines: Lines,
    pub(super) settling: Settling,
    pub(super) counts: Counts,
    pub(super) news: watch::Sender<u64>,
}

/// What came of an attempt to park.
pub(super) enum Parked {
    Now,
    /// It was parked before, just so.
    Before,
    /// There is nobody to wait behind: it is given out again.
    Again,
}

impl Shared {
    /// Tells of events up to a number.
    pub(super) fn announce(&self, newest: Option<i64>) {
        if let Some(newest) = newest.map(position::count) {
            self.news.send_if_modified(|known| std::mem::replace(known, newest.max(*known)) < newest);
        }
    }

    /// Follows an operator's act.
    pub(super) fn moved(&self, operated: &Operated) {
        for sent in &operated.sent {
            self.counts.unparked(&sent.registry, 1);
            self.lines.of(&sent.registry).again(sent.seq);
        }
        for discarded in &operated.discarded {
            self.counts.unparked(&discarded.registry, 1);
            self.counts.ended(1);
            self.settling.tell(discarded.id);
        }
    }
}

/// What a known key is answered with: an update that is accepted a second time was accepted.
pub(super) fn taken(claim: Claim, id: UpdateId) -> Accepted {
    if claim.id == id { Accepted::New } else { Accepted::Known(claim) }
}

/// Whether a move was made now or before; an error where the update is no longer the holder's.
pub(super) fn held(moved: Moved) -> Result<bool, JournalError> {
    match moved {
        Moved::Done => Ok(true),
        Moved::Before => Ok(false),
        Moved::Lost | Moved::Absent => Err(JournalError::Lost),
    }
}

/// Appends events and answers the number of the last.
pub(super) fn append(connection: &Connection, published: &[Event]) -> Result<Option<i64>, JournalError> {
    let mut newest = None;
    for event in published {
        newest = events::append_event(connection, event)?.or(newest);
    }
    Ok(newest)
}
