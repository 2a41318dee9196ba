//! The ledger: the append-only, tamper-evident record of every exchange.
//!
//! Two layers. Below, [`log`](mod@log) is a Merkle tree log as RFC 9162 and C2SP tlog-tiles have it: bytes in, receipts,
//! checkpoints, tiles and proofs out. Above, [`ledger`] turns a [`Fact`] into an [`Entry`] without personal data in clear,
//! keeps the keys of its pseudonyms and finds entries again.
//!
//! `router/ledger/SPEC.md` says what holds. It knows neither registries nor HTTP. Start with [`entry`].

pub mod accesses;
pub mod archive;
pub mod entry;
pub mod error;
pub mod evidence;
mod hold;
mod index;
pub mod ledger;
pub mod log;
pub mod period;
pub mod seal;
pub mod stamp;
pub mod statistics;
pub mod vault;

pub use entry::{Entry, Fact};
pub use error::LedgerError;
pub use ledger::{Ledger, Options, Receipt};
pub use period::Period;
