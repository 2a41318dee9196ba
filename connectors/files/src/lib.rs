//! The connector for registries that are delivered as files.
//!
//! An agency drops files; each that is whole and sound becomes an index on disk, from which calls are answered until
//! the next one takes its place. Changes are noted beside the index, so that reads show them at once, and written as
//! files in the agency's own layout.
//!
//! Sits on `rabita-sdk` and knows neither the contract nor any other connector. Start with [`from`] (what a manifest
//! says of an entity), then `layout` (bytes and records), `index` (a drop on disk), `watch` (how a drop comes into
//! force), `connector` (what becomes of a call).

pub mod from;
pub mod layout;
pub mod settings;

mod index;
mod plan;
mod reading;
mod state;

mod report;
mod shared;
mod source;
mod swap;
mod watch;

mod change;
mod feed;
mod outbox;

mod check;
mod connector;
mod double;
mod kind;
mod survey;

pub use kind::kind;
