//! Makes a connection that requests can be sent on: it finds the brokers, and begins to read the topic of replies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connection::{Connection, Dialler};
use super::link::{CORRELATION, Link};
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
/// So often it is looked whether the topic of replies is still divided as it was.
const ROUND: Duration = Duration::from_secs(30);

#[async_trait]
impl Open for Opener {
    type Link = Link;

    async fn open(&self) -> Result<Arc<Link>, String> {
        let cluster = Arc::new(Cluster::new(Arc::clone(&self.dialler), self.brokers.clone()));
        let partitions = cluster.look_up(&self.reply_topic).await?;
        let mut leaders: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions.iter() {
            leaders.entry(partition.leader).or_default().push(partition.number);
        }
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let pending = Arc::new(Pending::default());
        for (leader, led) in leaders {
            let connection = cluster.dial(leader).await?;
            let places = ends(&connection, &self.reply_topic, &led).await?;
            let reader = Reader {
                connection,
                topic: self.reply_topic.clone(),
                places,
                most_bytes: self.fetch_max_bytes,
                pending: Arc::clone(&pending),
                ended: ended.clone(),
            };
            tokio::spawn(reader.run());
        }
        let same = same_as(Arc::clone(&cluster), self.reply_topic.clone(), partitions.len(), ended.clone());
        tokio::spawn(same);
        let turn = AtomicUsize::new(0);
        let link = Link { cluster, reply_topic: self.reply_topic.clone(), pending, turn, ended };
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
    ended: CancellationToken,
}

impl Reader {
    async fn run(mut self) {
        let ended = self.ended.clone();
        let _ends_with_this = ended.clone().drop_guard();
        if let Some(Err(why)) = ended.run_until_cancelled(self.read()).await {
            tracing::debug!(why, "the topic of replies is read no more");
        }
    }

    async fn read(&mut self) -> Result<std::convert::Infallible, String> {
        let wait_ms = i32::try_from(WAIT.as_millis()).unwrap_or(i32::MAX);
        let unpacked_max_bytes = usize::try_from(self.most_bytes).unwrap_or_default().saturating_mul(UNPACKED_RATIO);
        loop {
            let ask = Fetch { topic: &self.topic, places: &self.places, wait_ms, most_bytes: self.most_bytes };
            let fetched = tokio::time::timeout(WAIT + PATIENCE, self.connection.ask(&ask)).await;
            let fetched = fetched.map_err(|_| "the broker gives no answer")?.map_err(|broke| broke.said())?;
            let mut is_past = false;
            for part in fetched {
                match part.code {
                    code::NONE => {}
                    code::OFFSET_OUT_OF_RANGE => {
                        is_past = true;
                        continue;
                    }
                    other => return Err(format!("the broker answers with {other}")),
                }
                let Some((_, place)) = self.places.iter_mut().find(|(partition, _)| *partition == part.partition) else {
                    continue;
                };
                let found = records::read(part.batches, *place, &part.aborted, unpacked_max_bytes);
                let found = found.map_err(|_| "what lies in the topic of replies can't be read")?;
                *place = found.next;
                found.records.into_iter().for_each(|record| self.deliver(record));
            }
            if is_past {
                // What was next is gone, and what was there before the connection is of no interest.
                let partitions: Vec<i32> = self.places.iter().map(|(partition, _)| *partition).collect();
                self.places = ends(&self.connection, &self.topic, &partitions).await?;
            }
        }
    }

    fn deliver(&self, record: records::Record) {
        let correlation = record.headers.iter().find(|(name, _)| name == CORRELATION);
        let correlation = correlation.and_then(|(_, value)| std::str::from_utf8(value.as_ref()?).ok());
        self.pending.deliver(correlation.unwrap_or_default(), record.value.unwrap_or_default());
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
