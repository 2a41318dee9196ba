//! The connector kind `ldap`: registries in LDAP directories.
//!
//! Sits on `rabita-sdk` and speaks LDAP (RFC 4511) itself, over the BER codec of the `lber` crate: an answer is bounded
//! in bytes, depth and pieces before anything is made of it, and a call that is dropped ends what the directory does for
//! it. It must not know the contract, codecs or the router. No filter and no name is made of text: values go into pieces
//! of their own.
//!
//! Start with [`settings`] and [`origin`] (what a manifest can say), then `plan` (an entity made ready), `read`, `search`
//! and `change` (the questions). `link` is one connection, `protocol` what goes over it, `double` the stand-in,
//! `survey` what a directory says of itself.

pub mod origin;
pub mod settings;

mod kind;

mod check;
mod dn;
mod plan;
mod schema;

mod change;
mod connector;
mod feed;
mod read;
mod search;
mod values;

mod failure;
mod link;
mod pool;
mod protocol;
mod tls;

mod double;
mod survey;

pub use kind::kind;
