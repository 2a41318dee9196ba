//! What connectors that speak HTTP share: a client made from settings, and a stand-in server for offline tests.
//!
//! Sits between `rabita-sdk` and the connectors for REST and SOAP. It knows connections, TLS, credentials, deadlines
//! and what a broken exchange means for a change; it must not know what a body says. It follows no redirect, reads no
//! answer beyond `response_max_bytes` (counted after decompression), and repeats nothing that changes a record, save
//! after the registry itself said that it did not take the credentials.
//!
//! Start with [`client`]; [`settings`] is what a manifest says, and how a connector adds keys of its own to it.

pub mod client;
pub mod double;
pub mod incoming;
pub mod settings;
pub mod tls;

mod credentials;
mod token;
mod transport;

pub use client::{Client, Outgoing, Streaming};
pub use incoming::Incoming;
pub use settings::Settings;
