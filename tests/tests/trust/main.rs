//! An adversary's list: who pretends to be another, or asks for more than was given, gets nothing.
//!
//! Everything is seen from outside: over TLS, with certificates and tokens that were made to be refused, each beside one
//! that is taken.

mod http2;
mod issuer;
mod raw;
mod wire;

mod certificates;
mod consents;
mod events;
mod exhaustion;
mod explained;
mod injection;
mod leaks;
mod ledger;
mod paths;
mod provider;
mod reload;
mod rotation;
mod signatures;
mod smuggling;
mod stamps;
mod tokens;
mod transparency;
mod unwritable;

#[path = "transparency/lines.rs"]
mod lines;
#[path = "../bus/people.rs"]
#[expect(dead_code, reason = "the file is shared with tests of the bus")]
mod people;
