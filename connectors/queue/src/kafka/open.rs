//! Makes a connection that requests can be sent on: it finds the brokers, and begins to read the topic of replies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connection::{Connection, Dialler};
use super::link::Link;
use super::messages::{Ends, Fetch, code};
use super::records;
use crate::broker::Destination;
use crate::pending::Pending;
use crate::supervisor::Open;
use crate::wire::Address;

/// How a connection is made.
pub(crate) struct Opener {
    pub(super) dialler: Arc<Dialler>,
    pub(super) brokers: Vec<Address>,
    pub(super) reply_topic: String,
    pub(super) fetch_max_bytes: i32,
    /// Where requests go.
    pub(super) destinations: BTreeSet<Destination>,
}

/// So long a broker waits for a reply that it can hand on, before it says that there is none.
const WAIT: Duration = Duration::from_millis(500);
/// So much longer it may take to say so.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that a broker is believed to be silent for a quota's sake.
const THROTTLED_MAX: Duration = Duration::from_secs(30);
/// So often it is looked whether the topic of replies is still divided as it was.
const ROUND: Duration = Duration::from_secs(30);

#[async_trait]
impl Open for Opener {
    type Link = Link;

    async fn open(&self) -> Result<Arc<Link>, String> {
        let ended = CancellationToken::new();
        // What was begun ends with this, also where the attempt is dropped.
        let guard = ended.clone().drop_guard();
        let cluster = Arc::new(Cluster::new(Arc::clone(&self.dialler), self.brokers.clone(), ended.clone()));
        let partitions = cluster.look_up(&self.reply_topic).await?;
        let mut leaders: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions.iter() {
            leaders.entry(partition.leader).or_default().push(partition.number);
        }
        let (pending, why) = (Arc::new(Pending::default()), Arc::new(OnceLock::new()));
        for (leader, led) in leaders {
            let connection = cluster.dial(leader).await?;
            let places = ends(&connection, &self.reply_topic, &led).await?;
            let mut reader = Reader {
                connection,
                topic: self.reply_topic.clone(),
                places,
                most_bytes: self.fetch_max_bytes,
                pending: Arc::clone(&pending),
                throttled: Duration::ZERO,
            };
            // Whoever may look where a topic ends may not have the right to read it.
            reader.fetch(Duration::ZERO).await?;
            tokio::spawn(reader.run(ended.clone(), Arc::clone(&why)));
        }
        let same = same_as(Arc::clone(&cluster), self.reply_topic.clone(), partitions.len(), ended.clone());
        tokio::spawn(same);
        let turn = AtomicUsize::new(0);
        let link = Link { cluster, reply_topic: self.reply_topic.clone(), pending, turn, ended, why };
        guard.disarm();
        Ok(Arc::new(link))
    }
}

async fn ends(connection: &Connection, topic: &str, partitions: &[i32]) -> Result<Vec<(i32, i64)>, String> {
    let found = tokio::time::timeout(PATIENCE, connection.ask(&Ends { topic, partitions })).await;
    let found = found.map_err(|_| "the broker gives no answer")?.map_err(|broke| broke.said())?;
    let place = |partition: &i32| {
        let end = found.iter().find(|end| end.partition == *partition);
        match end {
            Some(end) if end.code == code::NONE => Ok((*partition, end.offset)),
            Some(end) => Err(format!("the broker answers with {} where the topic `{topic}` ends", end.code)),
            None => Err("what came is not an answer of Kafka".to_owned()),
        }
    };
    partitions.iter().map(place).collect()
}

/// Reads what one broker leads of the topic of replies, and hands replies to those who wait for them.
struct Reader {
    connection: Connection,
    topic: String,
    /// Each partition, and the place that is next.
    places: Vec<(i32, i64)>,
    most_bytes: i32,
    pending: Arc<Pending>,
    /// So long the broker says nothing, since it holds the bus to a quota.
    throttled: Duration,
}

impl Reader {
    /// Reads until the connection ends, and says why it did.
    async fn run(mut self, ended: CancellationToken, why: Arc<OnceLock<String>>) {
        let _ends_with_this = ended.clone().drop_guard();
        let failed = async {
            loop {
                if let Err(failed) = self.fetch(WAIT).await {
                    return failed;
                }
            }
        };
        if let Some(failed) = ended.run_until_cancelled(failed).await {
            tracing::debug!(failed, "the topic of replies is read no more");
            let _another_was_first = why.set(failed);
        }
    }

    /// Takes what there is, after waiting so long for something.
    async fn fetch(&mut self, wait: Duration) -> Result<(), String> {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let unpacked_max_bytes = usize::try_from(self.most_bytes).unwrap_or_default().saturating_mul(UNPACKED_RATIO);
        let ask = Fetch { topic: &self.topic, places: &self.places, wait_ms, most_bytes: self.most_bytes };
        let fetched = tokio::time::timeout(wait + PATIENCE + self.throttled, self.connection.ask(&ask)).await;
        let (throttled_ms, fetched) = fetched.map_err(|_| "the broker gives no answer")?.map_err(|broke| broke.said())?;
        let mut past = Vec::new();
        for part in fetched {
            match part.code {
                code::NONE => {}
                code::OFFSET_OUT_OF_RANGE => {
                    past.push(part.partition);
                    continue;
                }
                code::TOPIC_AUTHORIZATION_FAILED => return Err(format!("the user may not read the topic `{}`", self.topic)),
                other => return Err(format!("the broker answers with {other} for the topic `{}`", self.topic)),
            }
            let Some((_, place)) = self.places.iter_mut().find(|(partition, _)| *partition == part.partition) else { continue };
            let pending = &self.pending;
            let next = records::read(part.batches, *place, &part.aborted, unpacked_max_bytes, |record| {
                let correlation = record.correlation.as_deref().and_then(|id| std::str::from_utf8(id).ok());
                pending.deliver(correlation.unwrap_or_default(), record.value.unwrap_or_default());
            });
            *place = next.map_err(|_| "what lies in the topic of replies can't be read")?;
        }
        if !past.is_empty() {
            // What was next there is gone.
            for (partition, end) in ends(&self.connection, &self.topic, &past).await? {
                self.places.iter_mut().filter(|(own, _)| *own == partition).for_each(|(_, place)| *place = end);
            }
        }
        self.throttled = Duration::from_millis(u64::try_from(throttled_ms).unwrap_or_default()).min(THROTTLED_MAX);
        Ok(())
    }
}

/// What was packed may be so many times as long.
const UNPACKED_RATIO: usize = 4;

/// Ends the connection when the topic of replies is divided otherwise than it was: nobody would read what is new.
async fn same_as(cluster: Arc<Cluster>, topic: String, count: usize, ended: CancellationToken) {
    let differs = async {
        loop {
            tokio::time::sleep(ROUND).await;
            if cluster.look_up(&topic).await.is_ok_and(|now| now.len() != count) {
                return;
            }
        }
    };
    if ended.run_until_cancelled(differs).await.is_some() {
        ended.cancel();
    }
}
