//! The connector kind `sql`: registries in PostgreSQL, MariaDB, MySQL and SQLite.
//!
//! Sits on `rabita-relational`, which writes the statements, and speaks to the databases through sqlx. It must not know
//! what a manifest says of tables, the contract, codecs or the router.
//!
//! Start with [`settings`] (how a database is reached); `database` holds the pools, and what each driver does.

pub mod settings;

mod check;
mod kind;

mod survey;

mod database;

#[cfg(test)]
mod tests;

pub use kind::kind;
