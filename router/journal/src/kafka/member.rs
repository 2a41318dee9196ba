//! The node's seat in the group among which the partitions of updates and duties are divided.
//!
//! The group divides, and its generation fences transactions; messages are not read by it but by the follower, so all
//! partitions are paused. A partition is given out from once the view has all that its holder before wrote.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata, Rebalance};
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use crate::JournalError;
use crate::kafka::client::{self, Context, unavailable};
use crate::kafka::held::Part;
use crate::kafka::topics::Topics;
use crate::kafka::{Shared, health};

const POLL: Duration = Duration::from_millis(100);
/// So long a question about offsets may take.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// What the group tells the node.
pub(super) struct Seat {
    shared: Arc<Shared>,
}

/// The client that is the member.
pub(super) type Member = BaseConsumer<Seat>;

impl ClientContext for Seat {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Context.error(error, reason);
    }
}

impl ConsumerContext for Seat {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            for part in parts(list) {
                self.shared.lose(&part);
            }
        }
    }

    fn post_rebalance(&self, member: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if let Err(error) = member.pause(list) {
                tracing::warn!(%error, "partitions cannot be paused");
            }
            let gained: Vec<_> = parts(list).map(|part| (part.clone(), self.shared.held.gain(part))).collect();
            if !gained.is_empty() {
                let shared = Arc::clone(&self.shared);
                self.shared.runtime.spawn(async move { make_ready(&shared, &gained).await });
            }
        }
    }
}

/// Sits in the group until the engine ends.
pub(super) fn run(shared: &Arc<Shared>, topics: &Topics) -> Result<(), JournalError> {
    let member = Arc::new(client::member(&shared.options, Seat { shared: Arc::clone(shared) })?);
    member.subscribe(&topics.divided()).map_err(|error| unavailable(&error))?;
    shared.set_member(Some(Arc::clone(&member)));
    shared.health.well(health::Part::Member);
    while !shared.ended.is_cancelled() {
        // A message is one that was fetched before its partition was paused. The follower has it.
        if let Some(Err(error)) = member.poll(POLL) {
            tracing::debug!(%error, "the group");
        }
    }
    shared.set_member(None);
    shared.held.lose_all();
    // With the last holder of the client goes the seat, and the others are told.
    drop(member);
    Ok(())
}

/// What a transaction shows of the node's seat.
pub(super) fn metadata(shared: &Shared) -> Option<ConsumerGroupMetadata> {
    shared.member()?.group_metadata()
}

/// Gives the partitions free once the view has all that their holders before wrote.
async fn make_ready(shared: &Arc<Shared>, gained: &[(Part, CancellationToken)]) {
    while let Err(error) = catch_up(shared, gained).await {
        tracing::debug!(%error, "the view is not as new as the partitions that were gained");
        if shared.ended.is_cancelled() || gained.iter().all(|(_, lost)| lost.is_cancelled()) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for (part, lost) in gained {
        shared.held.ready(part, lost);
    }
    tracing::info!(partitions = gained.len(), "this node delivers for more partitions");
    shared.go_back(gained.iter().map(|(part, _)| part));
}

async fn catch_up(shared: &Arc<Shared>, gained: &[(Part, CancellationToken)]) -> Result<(), JournalError> {
    let list: TopicPartitionList = {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), _) in gained {
            list.add_partition(topic, *partition);
        }
        list
    };
    let member = shared.member().ok_or_else(|| JournalError::Unavailable("it has no seat in the group".to_owned()))?;
    // Answered only when no transaction of the holder before is under way any more.
    let asked = tokio::task::spawn_blocking(move || member.committed_offsets(list, PATIENCE).map(|_| ()));
    let asked = asked.await.map_err(|_| JournalError::Unavailable("a question to the brokers was given up".to_owned()))?;
    asked.map_err(|error| unavailable(&error))?;
    shared.current(|_| true).await
}

fn parts(list: &TopicPartitionList) -> impl Iterator<Item = Part> {
    let parts: Vec<Part> = list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
    parts.into_iter()
}
