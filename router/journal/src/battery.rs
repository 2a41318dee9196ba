//! The behaviour that every engine shows.
//!
//! An engine implements [`Subject`]: it says how to open a journal, and how to open it again after its process was
//! killed. [`battery!`](crate::battery!) then makes one test of each behaviour; `router/journal/SPEC.md` names the one
//! that holds each rule. A behaviour learns that something did not come by asking for what comes after it: nothing waits
//! for a time to pass.

pub mod behaviours;
pub mod sample;
pub mod subject;

mod suite;

pub use subject::{Subject, soon};
pub use suite::BEHAVIOURS;
