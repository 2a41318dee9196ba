//! What each node tells of each update, once everything has come to rest.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use crate::bus::Caller;
use crate::faults::client::look;
use crate::faults::log::{Log, Look};

/// Questions at a time.
const AT_ONCE: usize = 16;

type Updates = [(String, String)];

/// Waits until every node says of every update that it has ended, or until no other one has ended for so long.
pub(super) async fn wait_until_settled(nodes: &[Caller], updates: &Updates, log: &Log, patience: Duration) {
    for node in nodes {
        let mut open: Vec<&str> = updates.iter().map(|(_, id)| id.as_str()).collect();
        let (mut fewest, mut since) = (open.len(), Instant::now());
        while !open.is_empty() && since.elapsed() < patience {
            let asked = stream::iter(open).map(|id| async move {
                let has_ended = look(node, id, log).await.is_some_and(|seen| seen.outcome.is_some());
                (!has_ended).then_some(id)
            });
            open = asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
            if open.len() < fewest {
                (fewest, since) = (open.len(), Instant::now());
            }
            if !open.is_empty() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Writes down what every node says of every update.
pub(super) async fn look_at_all(nodes: &[Caller], updates: &Updates, log: &Log, at: Look) {
    for (number, node) in nodes.iter().enumerate() {
        let looks = stream::iter(updates).for_each_concurrent(AT_ONCE, |(update, id)| async move {
            // Many questions at once may be too many.
            for _ in 0..50 {
                if let Some(seen) = look(node, id, log).await {
                    log.write(seen.line(update.clone(), id.clone(), number, at));
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        looks.await;
    }
}
