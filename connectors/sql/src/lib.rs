//! The connector kind `sql`: registries in PostgreSQL, MariaDB, MySQL and SQLite.
//!
//! Sits on `rabita-sdk` and speaks to the databases through sqlx. A manifest names tables and columns; this crate
//! writes the statements: identifiers are quoted, values are always bound parameters, and only what the manifest's
//! author wrote as SQL (`on`, `where`, `select`) passes through as it is. It must not know the contract, codecs or
//! the router.
//!
//! Start with [`settings`] and [`origin`] (what a manifest can say), then `plan` (an entity made ready), `read` and
//! `change` (the statements). `database` holds what differs from one database to another.

pub mod origin;
pub mod settings;

mod kind;

mod survey;

mod action;
mod check;
mod plan;
mod scan;

mod act;
mod binary;
mod change;
mod connector;
mod feed;
mod groups;
mod once;
mod read;
mod record;
mod search;
mod transaction;

mod column;
mod database;
mod dialect;
mod double;
mod failure;
mod statement;

#[cfg(test)]
mod tests;

pub use kind::kind;
