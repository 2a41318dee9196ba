//! What is told of a configuration before it is used: the diagnostics of `rabita check`, word for word, and the schemas
//! by which editors complete. And what the workspace itself is held to: the arrows between its crates.

mod against;
mod arrows;
mod corpus;
mod diagnostics;
mod editors;
mod recorded;
mod trials;

/// The command line, built with these tests.
const RABITA: &str = env!("CARGO_BIN_EXE_rabita-under-test");
