//! The node and its commands: what the `rabita` binary is made of.
//!
//! The only crate that reads the environment, the command line and the wall clock, and the only one that knows every
//! connector kind. [`node`] runs a configuration: listeners, exchanges, the admin listener, telemetry. [`command`] is
//! the command line around it.
//!
//! Start with [`node::Node::start`], then `node/exchange.rs` for the life of one request.

pub mod command;
pub mod kinds;
pub mod machine;
pub mod node;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
