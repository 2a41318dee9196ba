//! What the connector asks of a broker, whichever it is.

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure};
use uuid::Uuid;

/// A request on its way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) to: Destination,
    /// The id of a change or an action, by which the registry tells one sent twice from two; another request's own.
    pub(crate) message_id: Uuid,
    /// The record that it is about, where it is about one.
    pub(crate) record: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether it changes a record: what breaks after it left is then `Unknown`.
    pub(crate) changes: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Destination {
    /// The exchange of AMQP; the empty one is the default exchange. Kafka has none.
    pub(crate) exchange: String,
    /// The routing key of AMQP, the topic of Kafka.
    pub(crate) name: String,
}

/// A broker that carries requests, and brings each reply to its request.
#[async_trait]
pub(crate) trait Broker: Send + Sync {
    /// Sends a request, a change once at most, and waits for its reply.
    ///
    /// # Errors
    /// When there is none. `Unavailable` means that the request did not leave, or reached nobody.
    async fn ask(&self, request: Outgoing, call: &Call) -> Result<Bytes, Failure>;

    /// Whether the broker answers and has what the requests go to.
    ///
    /// # Errors
    /// What is missing.
    async fn probe(&self, call: &Call) -> Result<(), Failure>;

    /// Closes the connection.
    async fn close(&self);
}

/// Why there is no connection, when the broker does not say it.
pub(crate) const NOT_IN_TIME: &str = "no connection within connect_timeout_ms";

/// Ends what is under way with the call's deadline.
///
/// # Errors
/// `TimedOut` at the deadline; before, what the work says.
pub(crate) async fn within<T>(call: &Call, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::timed_out("the deadline passed");
    tokio::time::timeout_at(call.deadline.into(), work).await.unwrap_or_else(|_| Err(late()))
}

/// The failure after a request left and nobody knows what became of it.
pub(crate) fn lost(changes: bool, detail: &str) -> Failure {
    if changes { Failure::Unknown { detail: detail.to_owned() } } else { Failure::unavailable(detail) }
}
