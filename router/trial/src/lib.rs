//! Runs the tests of manifests, and tells what they cover.
//!
//! A test that the manifest has goes through the whole bus, on a stand-in for the registry or on the registry itself
//! ([`stage`]). Others are generated from schemas and codecs ([`generated`]). What all of them together touch of fields,
//! codes, operations and faults is counted by [`coverage`]; [`report`] writes the results as text, JUnit XML and JSON.
//! [`mod@record`] makes a test of a live exchange, with look-alikes.
//!
//! Knows the core, the configuration and the sdk; no connector kind by name, no command line, no wall clock but what it
//! is given. Start with [`run()`].

pub mod results;
pub mod run;
pub mod stage;

pub mod coverage;
pub mod generated;
pub mod record;
pub mod report;
mod watched;

pub use results::{Case, Results, Suite, Verdict};
pub use run::{Options, run};
pub use stage::{Machine, Stage};
