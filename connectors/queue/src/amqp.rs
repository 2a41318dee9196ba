//! Requests over AMQP 0-9-1: one connection, one channel with confirms, and a reply queue of the connection's own.
//!
//! The reply queue is exclusive and named by the broker, so it ends with the connection, and no other bus sees what comes
//! to it. (RabbitMQ's direct reply-to would spare the queue; other brokers do not have it.)

mod kit;
mod link;
mod manifest;
mod open;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure};

use crate::broker::{Broker, Destination, Outgoing, within};
use crate::supervisor::Supervisor;

use link::Link;
pub(crate) use manifest::{check, destination, opener};
use open::Opener;

/// A broker that speaks AMQP 0-9-1.
pub(crate) struct Amqp {
    links: Supervisor<Link>,
    destinations: BTreeSet<Destination>,
}

impl Amqp {
    /// Prepares the connection; the first call makes it.
    pub(crate) fn new(opener: Opener) -> Self {
        Self { destinations: opener.destinations.clone(), links: Supervisor::start(opener) }
    }
}

#[async_trait]
impl Broker for Amqp {
    async fn ask(&self, request: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        within(call, async { self.links.link().await?.ask(&request, call).await }).await
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        within(call, async { self.links.link().await?.probe(&self.destinations).await }).await
    }

    async fn close(&self) {
        self.links.close().await;
    }
}
