//! The whole bus in one process: a configuration that a test writes, real TLS, a registry that misbehaves on demand.
//!
//! A test makes a [`Country`], gives it [`Manifest`]s of registries (behind them an [`Upstream`]) and grants, starts it,
//! and calls it as a system with that system's certificate: a [`Caller`]. Where a process of its own is the point (its
//! log, its signals, its end), [`Program`] runs the command line on the same directory.
//!
//! Knows the bus from outside only: HTTP, the configuration's files, the command line. Start with `country.rs`.

mod authority;
mod caller;
mod collector;
mod country;
mod hosting;
mod manifest;
mod program;
mod upstream;

pub use authority::{Authority, Identity, holds_within};
pub use caller::{Answer, Caller, Speaks};
pub use collector::Collector;
pub use country::{Bus, Country};
pub use hosting::{HostDirectory, people_manifest};
pub use manifest::{GRANT_ALL, Manifest, of_persons};
pub use program::Program;
pub use upstream::{Mood, Seen, Upstream, five};
