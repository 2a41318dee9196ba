//! The connector kind `odbc`: registries in any database that has an ODBC driver, such as SQL Server, Oracle, DB2 and
//! Informix.
//!
//! Sits on `rabita-relational`, which writes the statements, and speaks to the databases through a driver manager that is
//! built in (unixODBC). A driver blocks, so each connection has a thread of its own, and a call waits for that thread no
//! longer than its deadline. It must not know what a manifest says of tables, the contract, codecs or the router.
//!
//! Start with [`settings`] (how a database is reached), then `pool` and `worker` (the connections and their threads);
//! `link` is what a connection does, `value` how values go in and out.

pub mod settings;

mod catalogue;
mod check;
mod kind;
mod survey;

mod fault;
mod link;
mod pool;
mod value;
mod worker;

pub use kind::kind;
