//! Loads a configuration directory, and tells everything that is wrong with it at once.
//!
//! A directory holds `rabita.yaml` (the node), `agencies.yaml` (agencies and purposes), `registries/*.yaml`
//! (manifests), `systems/*.yaml`, `grants/*.yaml`, and what these name: `schemas/`, `codes/`, secrets. Structure is
//! checked against the JSON Schemas that editors use too ([`schema`]), meaning by [`load`]. The result is a
//! [`Country`], or a [`Report`] with file, line and column of each finding.
//!
//! Knows the sdk and the schemas, no connector kind by name: kinds come as values. Reads files, no environment.

pub mod country;
pub mod document;
pub mod grant;
pub mod journal;
pub mod load;
pub mod node;
pub mod report;
pub mod schema;
pub mod system;
pub mod webhooks;

pub use country::{ActionSchemas, Country, Registry};
pub use load::{Loaded, load};
pub use report::{Located, Report, Severity};
