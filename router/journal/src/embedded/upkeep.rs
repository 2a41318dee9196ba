//! What is done between transactions: forgetting, and keeping the files small.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use crate::JournalError;
use crate::embedded::directory::Directory;
use crate::embedded::{Clock, Options};
use crate::store::purge;
use crate::writer::Upkeep;

/// A log longer than this is worked into the file even if those who read have to be waited for.
const LOG_MAX_BYTES: u64 = 64 << 20;
/// The clock may run ahead of the time that passed by this much.
const LEEWAY: Duration = Duration::from_secs(3_600);

/// A little of everything each time.
pub(crate) fn upkeep(directory: &Directory, options: &Options) -> Upkeep {
    let age = Age::begin(options.clock.clone());
    let retention = options.retention.clone();
    let log = directory.log();
    Box::new(move |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut has_more = purge::purge(&transaction, age.now(), &retention)?;
        transaction.commit()?;
        has_more |= purge::shrink(connection)?;
        if !has_more {
            work_in(connection, &log)?;
        }
        Ok(has_more)
    })
}

/// Works the log into the file.
fn work_in(connection: &Connection, log: &Path) -> Result<(), JournalError> {
    let bytes = log.metadata().map_or(0, |found| found.len());
    let how = if bytes > LOG_MAX_BYTES { "RESTART" } else { "PASSIVE" };
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))?;
    Ok(())
}

/// Tells the time by the clock, but no more than what has passed: a clock that jumps ahead must not make the journal
/// forget for what keys were used.
struct Age {
    clock: Clock,
    began: Instant,
    began_at: Timestamp,
}

impl Age {
    fn begin(clock: Clock) -> Self {
        let began_at = clock();
        Self { clock, began: Instant::now(), began_at }
    }

    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed() + LEEWAY).unwrap_or(SignedDuration::MAX);
        let latest = self.began_at.checked_add(passed).unwrap_or(Timestamp::MAX);
        (self.clock)().min(latest)
    }
}
