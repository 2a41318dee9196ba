//! Access tokens (RFC 9068): what they say, whether it holds, and the keys of those who issue them.
//!
//! [`Tokens`] is made from [`Options`] and verifies one token at a time; which system a token is of, the core finds. It
//! reads key sets from files and fetches them from their addresses, and keeps what it has verified. It knows no
//! configuration and no HTTP request: the server fills the one and reads the other. It reads no clock on the wall.
//!
//! Start with `tokens.rs`; `issuer.rs` has the life of an issuer's keys.

mod algorithm;
mod claims;
mod error;
mod issuer;
mod jws;
mod key;
mod options;
mod tokens;

pub use algorithm::Algorithm;
pub use error::{OpenError, TokenError};
pub use options::{IssuerOptions, KeySource, Options};
pub use tokens::{AccessToken, Tokens};
