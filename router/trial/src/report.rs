//! Results, written down: for a person, for whatever reads JUnit XML, and as JSON.

pub mod json;
pub mod junit;
pub mod text;
