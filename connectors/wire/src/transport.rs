//! What carries messages: a connection that a host dialled, or an address that the bus calls.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use rabita_model::RegistryId;
use rabita_sdk::{Call, Failure};

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The registry that it is for; none for what is about the connection.
    pub registry: Option<RegistryId>,
    /// The name of the call: `read`.
    pub call: &'static str,
    /// The place of the entity that it is about, in the bus's specification.
    pub entity: Option<usize>,
    /// The message as JSON.
    pub body: Bytes,
    /// Whether it changes a record: what breaks after it was sent is then `Unknown`, and it is sent once.
    pub changes: bool,
}

impl Outgoing {
    /// The path that it is sent to, below the address of whoever serves.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.registry {
            Some(registry) => format!("/{registry}/{}", self.call),
            None => format!("/{}", self.call),
        }
    }
}

/// An answer whose body is on its way.
pub struct Streaming {
    /// None where there is nothing to stream.
    pub body: Option<Chunks>,
    pub length: Option<u64>,
    pub media_type: Option<String>,
}

/// Bytes as they come.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// Carries messages to whoever serves a registry, and their answers back.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a message and reads the answer to its end.
    ///
    /// # Errors
    /// The failure that was answered, or what kept an answer from coming.
    async fn send(&self, ask: Outgoing, call: &Call) -> Result<Bytes, Failure>;

    /// Sends a message and hands over the answer as it comes.
    ///
    /// # Errors
    /// As [`Self::send`]; what breaks within the answer comes in the stream.
    async fn stream(&self, ask: Outgoing, call: &Call) -> Result<Streaming, Failure>;

    /// Finds out whether the registry answers, by whichever ways there are to it.
    ///
    /// # Errors
    /// What keeps it from answering.
    async fn probe(&self, call: &Call) -> Result<(), Failure>;

    /// Ends the connections.
    async fn close(&self);
}

/// The headers that go with a message, in the version that is spoken.
#[must_use]
pub fn headers(wire: u16, call: &Call) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(5);
    // What is left, rounded up: a call with time left must not look as if it had none.
    let left = u64::try_from(call.remaining().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(WIRE, HeaderValue::from(wire));
    headers.insert(DEADLINE, HeaderValue::from(left));
    headers
}

/// The header with the version of a message.
pub const WIRE: HeaderName = HeaderName::from_static("rabita-wire");
/// The header with the time that is left for a call, in milliseconds: clocks need not agree.
pub const DEADLINE: HeaderName = HeaderName::from_static("rabita-deadline-ms");
/// The header with the exchange that a call belongs to.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The failure that a body tells; of a body that tells none, that there was no answer.
#[must_use]
pub fn failure(status: u16, body: &[u8], changes: bool) -> Failure {
    if let Ok(message) = serde_json::from_slice::<crate::message::FailureMessage>(body) {
        return message.into();
    }
    no_answer(format!("status {status} without a failure that this version knows"), changes)
}

/// What came is no answer: of a change it is then unknown what became of it.
#[must_use]
pub fn no_answer(detail: impl Into<String>, changes: bool) -> Failure {
    let detail = detail.into();
    if changes { Failure::Unknown { detail } } else { Failure::Malformed { detail } }
}
