//! Loads a configuration directory, and tells everything that is wrong with it at once.
//!
//! A directory holds `rabita.yaml` (the node), `agencies.yaml` (agencies, purposes, groups of systems),
//! `transparency.yaml` (who sees what of the ledger), `registries/*.yaml` (manifests), `systems/*.yaml`, `grants/*.yaml`
//! and `grants/{agency}/*.yaml`, and what these name: `schemas/`, `codes/`, certificates, keys, secrets. Structure is
//! checked against the JSON Schemas that editors use too ([`schema`]), meaning by [`load`]. The result is a
//! [`Country`], or a [`Report`] with file, line and column of each finding.
//!
//! Knows the sdk and the schemas, no connector kind by name: kinds come as values. Reads files, no environment.

pub mod compatible;
pub mod consent;
pub mod country;
pub mod document;
pub mod grant;
pub mod hosts;
pub mod identity;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod node;
pub mod report;
pub mod schema;
pub mod signing;
pub mod system;
pub mod transparency;
pub mod webhooks;

pub use compatible::compatible;
pub use country::{ActionSchemas, CountedFile, Country, Registry};
pub use hosts::HostConfiguration;
pub use load::{Loaded, LoadedHost, is_host, load, load_host};
pub use report::{Located, Report, Severity};
