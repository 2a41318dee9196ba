//! The stages of a message, from a caller's evidence to an answer.
//!
//! [`Bus::exchange`] reads as the list of stages; each stage takes what the one before it made, and only that stage can
//! make it: [`stage::Authenticated`], [`stage::Permitted`], [`stage::Validated`]. Behind them stand a [`registry`] for
//! each manifest, with its connector, bulkhead, breaker, memory and flights. Who may do what is compiled into [`access`],
//! which is swapped whole; what of a fetched record a caller may see is decided in [`release`].
//!
//! A change leaves them for the journal ([`bus::Submitted`]), out of which [`delivery`] brings it to its registry.
//!
//! Knows the sdk, the configuration, the journal's interface and the ledger's facts; no connector kind, no journal engine,
//! no HTTP, no environment. The time comes from a [`Clock`].

pub mod access;
pub mod bus;
pub mod delivery;
pub mod stage;

pub mod breaker;
pub mod caller;
pub mod changing;
pub mod consent;
pub mod detect;
pub mod feed;
pub mod flight;
pub mod health;
pub mod limit;
pub mod memory;
pub mod registry;
pub mod release;
pub mod seal;
pub mod update;
pub mod whole;

pub use access::Access;
pub use bus::{Answer, Body, Bus, Exchange, Received, Stores, SwapError, Timing, Trail};
pub use caller::{Caller, Certificate, Evidence, Token};
pub use delivery::Recorder;
pub use health::Health;
pub use limit::LimitState;
pub use stage::user;

/// What time it is. Only the binary reads the wall clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> jiff::Timestamp;

    /// Today in UTC.
    fn today(&self) -> jiff::civil::Date {
        jiff::tz::TimeZone::UTC.to_datetime(self.now()).date()
    }
}
