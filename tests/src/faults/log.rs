//! What the callers of a trial wrote down: what they meant to do, what they were answered, what they saw later.
//!
//! One JSON object for each line, only ever appended to. The checker reads nothing else of the callers.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One line: something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Microseconds since 1970.
    pub at_us: u64,
    #[serde(flatten)]
    pub what: What,
}

/// Something that happened. An update is named by the text that it writes, which no other update writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A caller is about to send an update.
    Intended(Intention),
    /// The bus took it on, or said that it had. Told for each answer, the first and any repetition.
    Acknowledged { update: String, id: String, outcome: Option<Outcome> },
    /// The bus refused it at the door: it is to have no effect.
    Declined { update: String, status: u16, code: String },
    /// The caller gave up without an answer: it may have an effect, at most one.
    Abandoned { update: String },
    /// How it ended, as a node told later. No outcome where it had not ended; no id known to the node is `absent`.
    Observed { update: String, id: String, outcome: Option<Outcome>, absent: bool, node: usize, look: Look },
    /// A program was killed.
    Killed { who: String },
    /// The bus refused an update for want of a journal or a ledger, and the caller tries again.
    Unavailable { update: String, code: String },
    /// A whole answer came, with this exchange's id and this receipt, as the headers have them.
    Answered { exchange: String, status: u16, receipt: Option<String> },
    /// A node showed this checkpoint of its ledger.
    Checkpoint { note: String },
    /// A ledger was verified by the command for that, while its node was dead; what was found.
    Verified { node: usize, finding: Option<String> },
}

/// What an update is meant to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intention {
    pub update: String,
    /// The key of its record.
    pub record: String,
    pub operation: Operation,
    /// Whether its caller alone writes the record, and sent it after the update before was acknowledged or given up.
    pub is_ordered: bool,
    /// Whether it has a latest time, and may expire.
    pub may_expire: bool,
}

/// What is done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Replace,
    Update,
    Delete,
}

/// The end of an update, in the bus's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Outcome {
    /// `applied`, `refused`, `conflicted`, `expired`.
    pub state: String,
    /// Why, where it was not applied.
    pub code: Option<String>,
}

/// When somebody looked at an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// While updates were sent and programs killed.
    Underway,
    /// When everything had come to rest: it has to have ended.
    Settled,
    /// After every node was killed once more: it has to be as it was.
    Later,
}

/// A log that is written by many.
#[derive(Debug)]
pub struct Log(Mutex<BufWriter<File>>);

impl Log {
    /// Begins an empty one.
    ///
    /// # Panics
    /// When the file cannot be made.
    #[must_use]
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        Self(Mutex::new(BufWriter::new(file)))
    }

    /// Appends what happened now.
    ///
    /// # Panics
    /// When the disk does not take it: a trial without its log proves nothing.
    pub fn write(&self, what: What) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The time is taken under the lock, so that lines stand in the order of their times.
        let line = Line { at_us: now_us(), what };
        serde_json::to_writer(&mut *file, &line).expect("a line can be written");
        file.write_all(b"\n").and_then(|()| file.flush()).expect("a line can be written");
    }
}

/// Reads a log.
///
/// # Panics
/// When it is no log.
#[must_use]
pub fn read(path: &Path) -> Vec<Line> {
    let file = File::open(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let lines = BufReader::new(file).lines().map(|line| line.expect("text"));
    lines.map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("no line of a log ({error}): {line}"))).collect()
}

/// Microseconds since 1970.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_was_written_is_read_in_the_same_order() {
        let scratch = Scratch::new("log");
        let file = scratch.path().join("log");
        let (log, update, id) = (Log::create(&file), "u1".to_owned(), "id".to_owned());
        let outcome = Outcome { state: "refused".to_owned(), code: Some("record_absent".to_owned()) };
        let lines = [
            What::Intended(Intention {
                update: update.clone(),
                record: "r".to_owned(),
                operation: Operation::Update,
                is_ordered: true,
                may_expire: false,
            }),
            What::Acknowledged { update: update.clone(), id: id.clone(), outcome: None },
            What::Observed { update, id, outcome: Some(outcome), absent: false, node: 1, look: Look::Later },
            What::Killed { who: "node 0".to_owned() },
        ];
        for line in &lines {
            log.write(line.clone());
        }
        let found = read(&file);
        assert!(found.is_sorted_by_key(|line| line.at_us) && found[0].at_us > 0);
        assert_eq!(found.into_iter().map(|line| line.what).collect::<Vec<_>>(), lines);
    }
}
