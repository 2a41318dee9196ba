//! Asks the brokers where the topics end, for all that want to know at once; and so finds out whether they answer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::oneshot;

use crate::JournalError;
use crate::kafka::client::{self, Context, unavailable};
use crate::kafka::held::Part;
use crate::kafka::topics::Topics;
use crate::kafka::{Shared, health, reason};

/// So often the brokers are asked when nobody wants to know.
const EVERY: Duration = Duration::from_secs(1);
/// So long they may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);

/// Where the partitions end: the offset after the last message, committed or not.
pub(super) type Ends = Arc<Vec<(Part, i64)>>;
/// One who wants to know.
pub(super) type Asked = oneshot::Sender<Result<Ends, JournalError>>;

/// Asks until the engine ends.
pub(super) fn run(shared: &Shared, topics: &Topics, receiver: &Receiver<Asked>) -> Result<(), JournalError> {
    let mut asker = client::asker(&shared.options)?;
    // The first is asked for at once: with its answer the engine is well.
    let mut wait = Duration::ZERO;
    while !shared.ended.is_cancelled() {
        let mut asked = match receiver.recv_timeout(std::mem::replace(&mut wait, EVERY)) {
            Ok(first) => vec![first],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // Whoever asks from here on wants an answer that is newer than this one.
        asked.extend(receiver.try_iter());
        let ends = ends(shared, &mut asker, topics);
        match &ends {
            Ok(_) => shared.health.well(health::Part::Brokers),
            Err(error) => shared.health.trouble(health::Part::Brokers, reason(error)),
        }
        for asked in asked {
            // Who does not wait any more needs no answer.
            let _ = asked.send(ends.clone());
        }
    }
    Ok(())
}

/// A partition may have another leader than the client knows, and the client does not look again by itself: it is asked
/// again for a moment, by one that knows nothing yet.
fn ends(shared: &Shared, asker: &mut BaseConsumer<Context>, topics: &Topics) -> Result<Ends, JournalError> {
    let began = Instant::now();
    loop {
        let ends = offsets(asker, topics, Offset::End).map(Arc::new);
        if ends.is_ok() {
            return ends;
        }
        *asker = client::asker(&shared.options)?;
        if began.elapsed() > PATIENCE || shared.ended.is_cancelled() {
            return ends;
        }
        shared.pause(AGAIN);
    }
}

/// Where the partitions of all topics that are read begin or end.
pub(super) fn offsets(asker: &BaseConsumer<Context>, topics: &Topics, which: Offset) -> Result<Vec<(Part, i64)>, JournalError> {
    let mut list = TopicPartitionList::new();
    for topic in topics.read() {
        for partition in 0..topic.partitions {
            list.add_partition_offset(&topic.name, partition, which).map_err(|error| unavailable(&error))?;
        }
    }
    // The two places stand in this question for times, and are answered for each broker at once.
    let found = asker.offsets_for_times(list, PATIENCE).map_err(|error| unavailable(&error))?;
    found
        .elements()
        .iter()
        .map(|element| {
            element.error().map_err(|error| unavailable(&error))?;
            let part = (element.topic().to_owned(), element.partition());
            match element.offset() {
                Offset::Offset(offset) => Ok((part, offset)),
                _ => Err(JournalError::Unavailable(format!("the brokers do not tell the place in {} {}", part.0, part.1))),
            }
        })
        .collect()
}
