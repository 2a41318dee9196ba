//! Reads all topics into the view.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::JournalError;
use crate::kafka::Shared;
use crate::kafka::client::{self, Context, unavailable};
use crate::kafka::held::Part;
use crate::kafka::message::Message;
use crate::kafka::topics::{Kind, Topics};
use crate::kafka::view::{self, Applied, Read};
use crate::kafka::{health, rounds};

/// At most so many messages are taken in at once,
const BATCH: usize = 1_000;
/// and no more once they have so many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// So long one waits for the first. The end of a transaction is no message, and is noticed after so long.
const WAIT: Duration = Duration::from_millis(10);

/// Reads until the engine ends.
pub(super) fn run(shared: &Arc<Shared>, topics: &Topics) -> Result<(), JournalError> {
    let consumer = begin(shared, topics)?;
    shared.health.well(health::Part::Follower);
    while !shared.ended.is_cancelled() {
        let (batch, weight) = collect(shared, &consumer);
        let has_read = !batch.is_empty();
        if has_read {
            take_in(shared, batch, weight)?;
        }
        if has_read || shared.positions.is_awaited() {
            shared.positions.advance(consumed(&consumer)?);
        }
    }
    Ok(())
}

/// A consumer that goes on where the view ends.
fn begin(shared: &Shared, topics: &Topics) -> Result<BaseConsumer<Context>, JournalError> {
    let asker = client::asker(&shared.options)?;
    let first = rounds::offsets(&asker, topics, Offset::Beginning)?;
    let events = topics.events.name.clone();
    let question = move |connection: &rusqlite::Connection| {
        let mut starts = Vec::new();
        for ((topic, partition), first) in &first {
            let reached = view::reached(connection, topic, *partition)?;
            starts.push(((topic.clone(), *partition), reached.unwrap_or(*first).max(*first), *first));
        }
        Ok(starts)
    };
    let starts = shared.runtime.block_on(shared.readers.read(question))?;
    if let Some((_, _, first)) = starts.iter().find(|((topic, _), ..)| *topic == events) {
        let gone = *first;
        let note = move |connection: &rusqlite::Connection| view::note_forgotten(connection, gone);
        shared.runtime.block_on(shared.writer.write(0, note, |()| {}))?;
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), start, _) in &starts {
        list.add_partition_offset(topic, *partition, Offset::Offset(*start)).map_err(|error| unavailable(&error))?;
    }
    let consumer = client::reader(&shared.options, &shared.node)?;
    consumer.assign(&list).map_err(|error| unavailable(&error))?;
    shared.positions.advance(starts.into_iter().map(|(part, start, _)| (part, start)));
    Ok(consumer)
}

/// What is there to be read, and about how many bytes it has.
fn collect(shared: &Shared, consumer: &BaseConsumer<Context>) -> (Vec<Read>, usize) {
    let (mut batch, mut weight) = (Vec::new(), 0);
    let mut wait = WAIT;
    while batch.len() < BATCH && weight < BATCH_BYTES {
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                weight += message.payload_len();
                batch.push(understand(shared, &message));
                wait = Duration::ZERO;
            }
            // The client tries again by itself; whether the brokers answer is found out elsewhere.
            Some(Err(error)) => tracing::debug!(%error, "reading the topics"),
            None => break,
        }
    }
    (batch, weight)
}

fn understand(shared: &Shared, message: &BorrowedMessage<'_>) -> Read {
    let (topic, partition, offset) = (message.topic().to_owned(), message.partition(), message.offset());
    let key = message.key().map(String::from_utf8_lossy).unwrap_or_default();
    let kind = Kind::of(&shared.options.prefix, &topic);
    let understood = kind.and_then(|kind| Message::read(kind, &key, message.payload()));
    let message = understood.unwrap_or_else(|| {
        tracing::error!(topic, partition, offset, "a message that no node wrote is passed over");
        metrics::counter!("rabita_journal_unreadable_total").increment(1);
        Message::Nothing
    });
    Read { topic, partition, offset, message }
}

/// Brings the batch into the view, however long the disk refuses it.
fn take_in(shared: &Arc<Shared>, batch: Vec<Read>, weight: usize) -> Result<(), JournalError> {
    let batch = Arc::new(batch);
    loop {
        let (reads, told) = (Arc::clone(&batch), Arc::clone(shared));
        let work = move |connection: &rusqlite::Connection| view::apply(connection, &reads);
        let after = move |applied: &Applied| tell(&told, applied);
        match shared.runtime.block_on(shared.writer.write(weight, work, after)) {
            Ok(_) => return Ok(()),
            Err(error) if shared.ended.is_cancelled() => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the view cannot be written");
                shared.pause(Duration::from_secs(1));
            }
        }
    }
}

/// Tells those who wait for what was read.
fn tell(shared: &Arc<Shared>, applied: &Applied) {
    for (registry, seq) in &applied.again {
        shared.lines.of(registry).again(*seq);
    }
    for (registry, id) in &applied.settled {
        shared.lines.of(registry).settled(*id);
        shared.settling.tell(*id);
    }
    for registry in applied.accepted.iter().collect::<HashSet<_>>() {
        shared.lines.of(registry).wake();
    }
    if let Some(newest) = applied.newest.and_then(|seq| u64::try_from(seq).ok()) {
        shared.news.send_if_modified(|known| std::mem::replace(known, newest.max(*known)) < newest);
    }
    for id in &applied.forlorn {
        let (shared, id) = (Arc::clone(shared), *id);
        shared.runtime.clone().spawn(async move { shared.fetch(id).await });
    }
}

/// How far the consumer has come, the ends of transactions among it.
fn consumed(consumer: &BaseConsumer<Context>) -> Result<Vec<(Part, i64)>, JournalError> {
    let position = consumer.position().map_err(|error| unavailable(&error))?;
    let elements = position.elements();
    Ok(elements
        .iter()
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
            _ => None,
        })
        .collect())
}
