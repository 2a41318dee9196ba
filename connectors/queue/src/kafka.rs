//! Requests over Apache Kafka: each is written to its topic, and the topic of replies is read.
//!
//! The topic of replies is read from where it ends when the connection is made, on all its partitions, by whoever asks:
//! a reply for another bus, or another node of this one, is passed over. No group is joined and nothing is committed.
//!
//! The few requests of Kafka's protocol that this takes are spoken here. `DECISIONS.md` says why no client does it.

mod cluster;
mod codec;
mod connection;
mod link;
mod manifest;
mod messages;
mod open;
mod partition;
mod records;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use rabita_sdk::{Call, Failure};

use crate::broker::{Broker, Destination, Outgoing, within};
use crate::supervisor::Supervisor;

use link::Link;
pub(crate) use manifest::{check, destination, opener};
use open::Opener;

/// A cluster of Apache Kafka.
pub(crate) struct Kafka {
    links: Supervisor<Link>,
    destinations: BTreeSet<Destination>,
}

impl Kafka {
    /// Prepares the connection; the first call makes it.
    pub(crate) fn new(opener: Opener) -> Self {
        Self { destinations: opener.destinations.clone(), links: Supervisor::start(opener) }
    }
}

/// A question leaves on one connection and its reply comes on another: each may break once.
const CONNECTIONS: usize = 2;

#[async_trait]
impl Broker for Kafka {
    async fn ask(&self, request: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        within(call, async {
            // A question may be asked again: one that met connections which were breaking does not fail for it.
            let mut again = if request.changes { 0 } else { CONNECTIONS };
            loop {
                match self.links.link().await?.ask(&request, call).await {
                    Err(unanswered) if unanswered.is_passing && again > 0 => again -= 1,
                    asked => return asked.map_err(|unanswered| unanswered.failure),
                }
            }
        })
        .await
    }

    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        within(call, async { self.links.link().await?.probe(&self.destinations).await }).await
    }

    async fn close(&self) {
        self.links.close().await;
    }
}
