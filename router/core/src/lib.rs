//! The stages of a message, from a caller's evidence to an answer.
//!
//! [`Bus::exchange`] reads as the list of stages; each stage takes what the one before it made, and only that stage can
//! make it: [`stage::Authenticated`], [`stage::Permitted`], [`stage::Validated`]. Behind them stand a [`registry`] for
//! each manifest, with its connector, bulkhead, breaker, memory and flights.
//!
//! Knows the sdk and the configuration; no connector kind, no HTTP, no environment. The day comes from a [`Clock`].

pub mod bus;
pub mod stage;

pub mod breaker;
pub mod caller;
pub mod flight;
pub mod health;
pub mod limit;
pub mod memory;
pub mod registry;
pub mod seal;

pub use bus::{Answer, Body, Bus, Exchange, Received, Timing, Trail};
pub use caller::Evidence;
pub use health::Health;
pub use limit::LimitState;

/// What day it is. Only the binary reads the wall clock.
pub trait Clock: Send + Sync {
    /// Today in UTC.
    fn today(&self) -> jiff::civil::Date;
}
