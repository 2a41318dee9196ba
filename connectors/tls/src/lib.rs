//! The client's side of TLS for connectors: whose certificates hold, and the bus's own, from files and secrets.
//!
//! Sits on the sdk; `rabita-http` and the kinds that speak TLS by themselves sit on it. A kind has a `tls` of its own in its
//! settings, with what is peculiar to it, and hands over what all have in common as [`Files`]. It must not know what is
//! spoken inside. Start with [`Files::client_config`].

mod files;
mod version;

pub use files::{Files, provider};
pub use version::TlsVersion;
