//! What is done from time to time: deleting the updates that are concluded from their topics, and counting.
//!
//! Topics of updates are kept without a limit of time, so that nothing unconcluded is ever lost. The holder of a partition
//! deletes what is before its oldest update that is not concluded; parked ones are among those.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::topic_partition_list::Offset;
use rusqlite::Connection;

use crate::JournalError;
use crate::kafka::Shared;
use crate::kafka::client::{self, Context, unavailable};
use crate::kafka::held::Part;
use crate::kafka::topics::Topics;
use crate::kafka::view;
use crate::store::listing;

const EVERY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);

/// Trims until the engine ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut trimmed = HashMap::new();
    let mut admin = None;
    while !shared.ended.is_cancelled() {
        if let Err(error) = count(&shared).await {
            tracing::warn!(%error, "what waits cannot be counted");
        }
        if let Err(error) = trim(&shared, &mut admin, &mut trimmed).await {
            tracing::debug!(%error, "concluded updates stay in their topics for now");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shared.ended.cancelled() => {}
        }
    }
}

async fn count(shared: &Shared) -> Result<(), JournalError> {
    let depths = shared.readers.read(listing::depths).await?;
    shared.pending.store(depths.iter().map(|depth| depth.waiting + depth.parked).sum(), Ordering::Relaxed);
    Ok(())
}

async fn trim(
    shared: &Shared,
    admin: &mut Option<AdminClient<Context>>,
    trimmed: &mut HashMap<Part, i64>,
) -> Result<(), JournalError> {
    let topics: &Topics = shared.topics()?;
    let parts: Vec<(Part, i64)> = shared
        .held
        .all_ready()
        .into_iter()
        .filter(|(topic, _)| *topic != topics.duties.name)
        .map(|part| {
            // Read before the lowest is: what comes in between is beyond it.
            let reached = shared.positions.of(&part);
            (part, reached)
        })
        .collect();
    let lowest = shared.readers.read(move |connection| keepers(connection, parts)).await?;
    let new: Vec<(Part, i64)> =
        lowest.into_iter().filter(|(part, offset)| trimmed.get(part).copied().unwrap_or(0) < *offset).collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in &new {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(|error| unavailable(&error))?;
    }
    let client = match admin {
        Some(client) => client,
        None => {
            let made = client::config(&shared.options).create_with_context(Context);
            admin.insert(made.map_err(|error| unavailable(&error))?)
        }
    };
    let how = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    client.delete_records(&list, &how).await.map_err(|error| unavailable(&error))?;
    trimmed.extend(new);
    Ok(())
}

/// For each partition the offset before which nothing is needed any more.
fn keepers(connection: &Connection, parts: Vec<(Part, i64)>) -> Result<Vec<(Part, i64)>, JournalError> {
    parts
        .into_iter()
        .map(|(part, reached)| {
            let lowest = view::lowest(connection, &part.0, part.1)?;
            Ok((part, lowest.map_or(reached, |lowest| lowest.min(reached))))
        })
        .collect()
}
