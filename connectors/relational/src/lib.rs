//! What connectors to relational databases share: the tables of a manifest, the statements, their transactions, the
//! table of ids, and a stand-in for offline tests.
//!
//! Sits on `rabita-sdk`, below the connectors `sql` and `odbc`. A manifest names tables and columns; this crate writes
//! the statements: identifiers are quoted, values are always bound parameters, and only what the manifest's author wrote
//! as SQL (`on`, `where`, `select`) passes through as it is. It must not know how a database is reached, the contract,
//! codecs or the router.
//!
//! Start with [`origin`] (what a manifest can say), then `plan` (an entity made ready), `read` and `change` (the
//! statements). [`backend`] is what a connector brings of its own; [`dialect`] and [`errors`] hold what differs from one
//! database to another.

pub mod backend;
pub mod kind;
pub mod origin;
pub mod settings;
pub mod survey;

pub mod column;
pub mod dialect;
pub mod doubt;
pub mod errors;
pub mod fault;
pub mod sqlite;
pub mod sqlx_fault;
pub mod statement;

mod action;
mod check;
mod plan;
mod scan;

mod act;
mod binary;
mod change;
mod connector;
mod described;
mod feed;
mod groups;
mod once;
mod read;
mod record;
mod search;
mod transaction;

mod double;

pub use act::wanted_of;
