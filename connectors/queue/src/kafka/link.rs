//! A connection that is open, and one request on it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure};
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connection::{Broke, Connection};
use super::messages::{Code, Partition, Produce, Written, code};
use super::partition::partition_of;
use super::records::{CORRELATION, Draft};
use crate::broker::{Destination, Outgoing, lost};
use crate::pending::Pending;
use crate::supervisor;
use crate::wire::Patience;

/// What is read of the topic of replies, and the way to all others.
pub(crate) struct Link {
    pub(super) cluster: Arc<Cluster>,
    pub(super) reply_topic: String,
    pub(super) pending: Arc<Pending>,
    /// Where the next request goes that is about no one record.
    pub(super) turn: AtomicUsize,
    pub(super) ended: CancellationToken,
    /// Why it ended, where it is known.
    pub(super) why: Arc<OnceLock<String>>,
}

/// The header by which Spring's replying templates, and others after them, find the way back.
const REPLY_TOPIC: &str = "kafka_replyTopic";

/// Why there is no reply.
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// A connection broke, or another broker leads by now: the next attempt may go better.
    pub(super) is_passing: bool,
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self { failure, is_passing: false }
    }
}

impl Link {
    /// Sends a request, once, and waits for its reply; whoever calls sees to the deadline.
    pub(super) async fn ask(&self, request: &Outgoing, call: &Call) -> Result<Bytes, Unanswered> {
        let mut expected = self.pending.expect();
        let correlation = expected.id.to_string();
        let handing_over = self.hand_over(request, &correlation, call);
        tokio::pin!(handing_over);
        let mut is_taken = false;
        loop {
            tokio::select! {
                biased;
                reply = &mut expected.reply => return reply.map_err(|_| self.closed(request)),
                taken = &mut handing_over, if !is_taken => {
                    taken?;
                    is_taken = true;
                }
                () = self.ended.cancelled() => return Err(self.closed(request)),
            }
        }
    }

    fn closed(&self, request: &Outgoing) -> Unanswered {
        let why = self.why.get().map_or_else(|| CLOSED.to_owned(), |why| format!("{CLOSED}: {why}"));
        Unanswered { failure: lost(request.changes, &why), is_passing: true }
    }

    /// Whether the topics that the requests go to are there.
    pub(super) async fn probe(&self, destinations: &BTreeSet<Destination>) -> Result<(), Failure> {
        for topic in destinations.iter().map(|to| &to.name).chain([&self.reply_topic]) {
            self.cluster.look_up(topic).await.map_err(Failure::unavailable)?;
        }
        Ok(())
    }

    /// Has a request written to its topic.
    async fn hand_over(&self, request: &Outgoing, correlation: &str, call: &Call) -> Result<(), Unanswered> {
        let topic = request.to.name.as_str();
        let partitions = self.cluster.topic(topic).await.map_err(Failure::unavailable)?;
        let to = self.choose(&partitions, request.record.as_deref());
        let connection = self.cluster.leaving(to.leader).await.map_err(|why| {
            // Another may lead by now.
            self.cluster.forget(topic);
            Unanswered { failure: Failure::unavailable(why), is_passing: true }
        })?;
        let written = match self.produce(&connection, to.number, request, correlation, call).await {
            Ok(written) => written,
            Err(Broke::TooLarge) => return Err(Failure::refused("the request is larger than the bus sends").into()),
            Err(broke) => return Err(Unanswered { failure: lost(request.changes, broke.said()), is_passing: true }),
        };
        match written.code {
            code::NONE => Ok(()),
            code::UNKNOWN_TOPIC_OR_PARTITION | code::LEADER_NOT_AVAILABLE | code::NOT_LEADER_OR_FOLLOWER => {
                self.cluster.forget(topic);
                let why = format!("another broker leads the topic `{topic}` by now");
                // A leader that wrote it before it ceased to be one may have handed it on.
                let failure = if written.offset < 0 { Failure::unavailable(why) } else { lost(request.changes, &why) };
                Err(Unanswered { failure, is_passing: true })
            }
            other => Err(not_taken(other, topic, request.changes).into()),
        }
    }

    async fn produce(
        &self,
        connection: &Connection,
        partition: i32,
        request: &Outgoing,
        correlation: &str,
        call: &Call,
    ) -> Result<Written, Broke> {
        let now = SystemTime::now();
        let time_ms = since_1970(now);
        // Nobody waits for what is carried out later.
        let expires = since_1970(now + call.remaining()).to_string();
        let (message_id, exchange) = (request.message_id.to_string(), call.exchange.to_string());
        let mut headers = vec![
            (CORRELATION, correlation),
            (REPLY_TOPIC, self.reply_topic.as_str()),
            ("message_id", message_id.as_str()),
            ("expires", expires.as_str()),
            ("content-type", "application/json"),
            ("app_id", "rabita"),
            ("x-request-id", exchange.as_str()),
        ];
        headers.extend(call.traceparent.as_ref().map(|parent| ("traceparent", parent.as_str())));
        let draft = Draft { key: request.record.as_deref(), value: &request.body, headers: &headers, time_ms };
        let timeout_ms = i32::try_from(call.remaining().as_millis()).unwrap_or(i32::MAX);
        let batch = draft.batch();
        let mut patience = Patience::with(&connection.life);
        let outcomes = connection.ask(&Produce { topic: &request.to.name, partition, batch: &batch, timeout_ms }).await;
        patience.is_over = true;
        outcomes?.into_iter().find(|written| written.partition == partition).ok_or_else(|| {
            connection.life.ended.cancel();
            Broke::Malformed
        })
    }

    /// The partition of a record is always the same; what is about no one record goes to each in turn.
    fn choose(&self, partitions: &[Partition], record: Option<&str>) -> Partition {
        let place = match record {
            Some(record) => partition_of(record.as_bytes(), partitions.len()),
            None => self.turn.fetch_add(1, Ordering::Relaxed) % partitions.len(),
        };
        partitions[place]
    }
}

fn since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What it means that the broker did not take a request.
fn not_taken(code: Code, topic: &str, changes: bool) -> Failure {
    match code {
        code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE => {
            Failure::refused(format!("the request is larger than the topic `{topic}` takes (max.message.bytes)"))
        }
        code::TOPIC_AUTHORIZATION_FAILED => Failure::unavailable(format!("the user may not write to the topic `{topic}`")),
        code::NOT_ENOUGH_REPLICAS => {
            Failure::unavailable(format!("the topic `{topic}` has too few replicas in sync to take anything"))
        }
        // Among them that it was written and then not copied in time: it may be carried out.
        other => lost(changes, &format!("the broker answers with {other}")),
    }
}

#[async_trait]
impl supervisor::Link for Link {
    fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    async fn close(&self) {
        self.ended.cancel();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

const CLOSED: &str = "the connection to the brokers broke";
