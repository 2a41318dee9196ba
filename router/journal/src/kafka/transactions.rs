//! Writes what has to be written together: outcomes, events, kept values, and the offsets that fence them.
//!
//! One thread takes all orders that wait and writes them in one transaction, so that its cost is shared. The offsets of
//! the partitions that the updates came from are part of it, with the node's seat in the group (KIP-447): the brokers
//! refuse the whole when the node has no such seat any more, however sure it is itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError, RDKafkaError};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::JournalError;
use crate::kafka::client::{self, Context, unavailable};
use crate::kafka::held::Part;
use crate::kafka::message::Record;
use crate::kafka::{Shared, health, member, reason, view};

/// So many orders go into one transaction at most.
const BATCH: usize = 500;
/// So long one step of a transaction may take before it is asked for again.
const STEP: Duration = Duration::from_secs(5);
/// So long a transaction as a whole may take to be decided.
const DECISION: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(200);

/// Records to be written, all or none.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) records: Vec<Record>,
    pub(super) fence: Option<Fence>,
    /// Where they were written, or why they were not.
    pub(super) reply: oneshot::Sender<Written>,
}

/// For each record its partition and the offset after it.
pub(super) type Written = Result<Vec<(Part, i64)>, JournalError>;

/// The partition that the node must have for what it writes to count.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    pub(super) part: Part,
    pub(super) lost: CancellationToken,
}

/// Why a transaction was not made.
enum Failed {
    /// The node's seat is not what it was.
    Seat,
    /// It was given up, and another may be begun.
    Aborted(JournalError),
    /// The client is of no use any more. Whether the transaction was made is open.
    Broken(JournalError),
}

/// Writes until the engine ends.
pub(super) fn run(shared: &Arc<Shared>, receiver: &Receiver<Order>) -> Result<(), JournalError> {
    let mut producer = None;
    loop {
        let orders = match receiver.recv_timeout(IDLE) {
            Ok(first) => std::iter::once(first).chain(receiver.try_iter().take(BATCH - 1)).collect(),
            Err(RecvTimeoutError::Timeout) if !shared.ended.is_cancelled() => Vec::new(),
            Err(_) => return Ok(()),
        };
        if producer.is_none() {
            // Made before it is needed, since to begin takes a moment.
            match begin(shared, &shared.node) {
                Ok(begun) => {
                    producer = Some(begun);
                    shared.health.well(health::Part::Transactions);
                }
                Err(error) => {
                    shared.health.trouble(health::Part::Transactions, reason(&error));
                    refuse(orders, &error);
                    shared.pause(PAUSE);
                    continue;
                }
            }
        }
        if let Some(made) = &producer
            && !settle(shared, made, orders)
        {
            producer = None;
        }
    }
}

/// A client that may write transactions under this id; whoever did before cannot any more.
pub(super) fn begin(shared: &Shared, id: &str) -> Result<FutureProducer<Context>, JournalError> {
    let producer = client::transactor(&shared.options, id)?;
    producer.init_transactions(STEP).map_err(|error| unavailable(&error))?;
    Ok(producer)
}

/// Writes records in a transaction of its own, with a client of its own. Blocks.
pub(super) fn write_alone(shared: &Shared, producer: &FutureProducer<Context>, records: Vec<Record>) -> Written {
    let (reply, _) = oneshot::channel();
    let orders = [Order { records, fence: None, reply }];
    match transact(shared, producer, &orders) {
        Ok(written) => Ok(written.into_iter().flatten().collect()),
        Err(Failed::Seat) => Err(JournalError::Unavailable("another node is doing the same".to_owned())),
        Err(Failed::Aborted(error) | Failed::Broken(error)) => Err(error),
    }
}

fn refuse(orders: Vec<Order>, error: &JournalError) {
    for order in orders {
        let _ = order.reply.send(Err(error.clone()));
    }
}

/// Writes the orders and answers them. Answers whether the client is of use still.
fn settle(shared: &Arc<Shared>, producer: &FutureProducer<Context>, mut orders: Vec<Order>) -> bool {
    let began = Instant::now();
    loop {
        orders = without_lost(orders);
        if orders.is_empty() {
            return true;
        }
        match transact(shared, producer, &orders) {
            Ok(written) => {
                metrics::histogram!("rabita_journal_batch_size").record(to_f64(orders.len()));
                for (order, written) in orders.into_iter().zip(written) {
                    let _ = order.reply.send(Ok(written));
                }
                return true;
            }
            // The seat changes also when nothing is lost: a node came or went. Whether something is lost, the group
            // tells within the time after which it gives up a node.
            Err(Failed::Seat) if began.elapsed() < shared.options.session * 2 && !shared.ended.is_cancelled() => {
                std::thread::sleep(PAUSE);
            }
            Err(Failed::Seat) => {
                refuse(orders, &JournalError::Lost);
                return true;
            }
            Err(Failed::Aborted(error)) => {
                refuse(orders, &error);
                return true;
            }
            Err(Failed::Broken(error)) => {
                tracing::warn!(%error, "a client for transactions is given up");
                refuse(orders, &error);
                return false;
            }
        }
    }
}

fn without_lost(orders: Vec<Order>) -> Vec<Order> {
    let is_lost = |order: &Order| order.fence.as_ref().is_some_and(|fence| fence.lost.is_cancelled());
    let (lost, kept) = orders.into_iter().partition(is_lost);
    refuse(lost, &JournalError::Lost);
    kept
}

fn transact(shared: &Shared, producer: &FutureProducer<Context>, orders: &[Order]) -> Result<Vec<Vec<(Part, i64)>>, Failed> {
    producer.begin_transaction().map_err(|error| Failed::Broken(unavailable(&error)))?;
    let sent = send(producer, orders).and_then(|sent| fence(shared, producer, orders).map(|()| sent));
    let sent = match sent.and_then(|sent| commit(producer).map(|()| sent)) {
        Ok(sent) => sent,
        Err(error) => return Err(give_up(producer, &error)),
    };
    // What was committed was delivered, so there is nothing to wait for.
    sent.into_iter().map(|order| order.into_iter().map(|sent| delivered(shared, sent)).collect()).collect()
}

type Sent = (String, DeliveryFuture);

fn send(producer: &FutureProducer<Context>, orders: &[Order]) -> Result<Vec<Vec<Sent>>, KafkaError> {
    let one = |record: &Record| {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let message = FutureRecord::to(&record.topic).partition(record.partition).key(&record.key).headers(headers);
        let message = match &record.body {
            Some(body) => message.payload(body),
            None => message,
        };
        producer.send_result(message).map(|sent| (record.topic.clone(), sent)).map_err(|(error, _)| error)
    };
    orders.iter().map(|order| order.records.iter().map(one).collect()).collect()
}

/// Makes the offsets of the partitions concerned, and so the node's seat, part of the transaction.
fn fence(shared: &Shared, producer: &FutureProducer<Context>, orders: &[Order]) -> Result<(), KafkaError> {
    let mut parts: Vec<&Part> = orders.iter().filter_map(|order| order.fence.as_ref()).map(|fence| &fence.part).collect();
    parts.sort_unstable();
    parts.dedup();
    if parts.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for part in parts {
        let (topic, partition) = part.clone();
        let question = move |connection: &rusqlite::Connection| view::lowest(connection, &topic, partition);
        let lowest = shared.runtime.block_on(shared.readers.read(question)).ok().flatten();
        let offset = lowest.unwrap_or_else(|| shared.positions.of(part));
        list.add_partition_offset(&part.0, part.1, Offset::Offset(offset))?;
    }
    let Some(seat) = member::metadata(shared) else { return Err(KafkaError::Canceled) };
    again(|| producer.send_offsets_to_transaction(&list, &seat, STEP))
}

fn commit(producer: &FutureProducer<Context>) -> Result<(), KafkaError> {
    again(|| producer.commit_transaction(STEP))
}

/// Does a step again as long as the client says that it may.
fn again(step: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let began = Instant::now();
    loop {
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && began.elapsed() < DECISION => {}
            // All messages are on their way still; the commit waits for them.
            Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) if began.elapsed() < DECISION => {}
            done => return done,
        }
    }
}

/// Ends a transaction that cannot be made.
fn give_up(producer: &FutureProducer<Context>, error: &KafkaError) -> Failed {
    let why = unavailable(error);
    let transaction = match error {
        KafkaError::Transaction(error) => Some(error),
        _ => None,
    };
    if transaction.is_some_and(RDKafkaError::is_fatal) {
        return Failed::Broken(why);
    }
    // An undecided commit cannot be given up: who begins anew finds out what became of it.
    if transaction.is_some_and(|error| error.is_retriable() && !error.txn_requires_abort()) {
        return Failed::Broken(why);
    }
    match again(|| producer.abort_transaction(STEP)) {
        Err(_) => Failed::Broken(why),
        Ok(()) if is_of_seat(error) => Failed::Seat,
        Ok(()) => Failed::Aborted(why),
    }
}

/// Whether the brokers, or the node itself, say that the node's seat is not what it was.
fn is_of_seat(error: &KafkaError) -> bool {
    match error {
        KafkaError::Canceled => true,
        KafkaError::Transaction(error) => matches!(
            error.code(),
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::RebalanceInProgress
        ),
        _ => false,
    }
}

fn delivered(shared: &Shared, (topic, sent): Sent) -> Result<(Part, i64), Failed> {
    match shared.runtime.block_on(sent) {
        Ok(Ok(delivery)) => Ok(((topic, delivery.partition), delivery.offset + 1)),
        Ok(Err((error, _))) => Err(Failed::Aborted(unavailable(&error))),
        Err(_) => Err(Failed::Broken(JournalError::Unavailable("a client was given up".to_owned()))),
    }
}

/// A count for a metric, which takes no other numbers. A batch is small.
fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
