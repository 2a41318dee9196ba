//! The client against servers that answer well, badly, late, and not at all.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "all/auth.rs"]
mod auth;
#[path = "all/double.rs"]
mod double;
#[path = "all/raw.rs"]
mod raw;
#[path = "all/support.rs"]
mod support;
#[path = "all/tls.rs"]
mod tls;
#[path = "all/transport.rs"]
mod transport;
