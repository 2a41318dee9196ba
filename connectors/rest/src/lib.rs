//! The connector for registries behind JSON over HTTP.
//!
//! Sits on `rabita-http`, which sends and reads; here a manifest's words become requests, and answers become rows. It
//! must not know the contract's fields, nor any other connector. A record is what the manifest's dotted path finds in
//! an answer; a page of a search is cut to what was asked for, whatever the registry's own pages are like, so that no
//! record is lost or told twice.
//!
//! Start with [`from`] (what a manifest says of an entity), then `connector` (what becomes of a call).

pub mod from;
pub mod settings;

mod action;
mod answer;
mod change;
mod check;
mod connector;
mod feed;
mod kind;
mod paging;
mod path;
mod plan;
mod search;
mod survey;

pub use kind::kind;
