//! Connectors in an agency's network: real hosts dial in to a real node, are refused, are killed, and stand in for each
//! other. What a connector in a host does for its registry is the battery's business: `tests/tests/battery/host.rs`.

mod door;
mod world;

mod admission;
mod copies;
mod failover;
mod python;
mod secrets;
mod versions;

/// The command line, built with these tests.
const RABITA: &str = env!("CARGO_BIN_EXE_rabita-under-test");
