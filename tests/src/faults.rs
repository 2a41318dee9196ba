//! Trials of the bus as a black box: killed at any moment, under load, it loses no update and applies none twice.
//!
//! A trial ([`trial`]) starts a real PostgreSQL, the `rabita` program and callers, kills the program again and again, and
//! disturbs what it rests on. The callers keep a log; a trigger in PostgreSQL keeps a list of changes. The [`checker`]
//! holds the one against the other. It reads nothing else, and shares no code with the bus.
//!
//! `tests/faults/run` runs long trials, `tests/tests/faults/` short ones.

pub mod checker;
mod client;
mod dice;
mod disturb;
pub mod effects;
pub mod entries;
pub mod log;
mod registry;
mod subject;
pub mod trial;

pub use dice::Dice;
pub use trial::{Mode, Options, Plant};
