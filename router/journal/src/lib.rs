//! The journal: the durable, ordered store of updates, outcomes and events.
//!
//! [`Journal`] is the one interface that the core knows; `router/journal/SPEC.md` says in MUST and SHOULD what an engine
//! holds, and the battery tests it. Two engines: the embedded one in a directory of the node, and Apache Kafka for many
//! nodes. Only this crate links the Kafka client.
//!
//! Depends on `rabita-model` alone; it knows neither registries nor HTTP. Start with [`journal`](mod@journal).

#[cfg(feature = "battery")]
pub mod battery;
pub mod embedded;
pub mod journal;
pub mod kafka;
mod readers;
mod store;
mod writer;

pub use embedded::Embedded;
pub use journal::{
    Accepted, Acted, Claim, Depth, EventPage, Filter, Journal, JournalError, Kept, Lease, OperatorAct, Page, Position, Retention,
    Verb,
};
pub use kafka::Kafka;
