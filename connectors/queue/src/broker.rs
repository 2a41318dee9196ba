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
    pub(crate) body: Vec<u8>,
    /// Whether it changes a record: what breaks after it left is then `Unknown`.
    pub(crate) changes: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Destination {
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
}

/// A broker that carries requests, and brings each reply to its request.
#[async_trait]
pub(crate) trait Broker: Send + Sync {
    /// Sends a request, once, and waits for its reply.
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

/// The failure after a request left and nobody knows what became of it.
pub(crate) fn lost(changes: bool, detail: &str) -> Failure {
    if changes { Failure::Unknown { detail: detail.to_owned() } } else { Failure::unavailable(detail) }
}
