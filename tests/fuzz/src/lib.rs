//! What faces the outside, given whatever an attacker could send: a target for each parser.
//!
//! A [`Target`] takes bytes and must come to an end without a panic; some hold a law besides, such as that what was read
//! prints as it was. The fuzzer (`main.rs`, by the feature `libfuzzer`) finds bytes that lead to new code; the test in
//! `tests/corpus.rs` gives each target what was found worth keeping, with every run of the tests.
//!
//! Knows the crates that it tries from outside only. Start with `http.rs`.

#![forbid(unsafe_code)]

mod configuration;
mod files;
mod http;
mod identity;
mod ledger;
mod queue;
mod replies;

/// A parser, and what it is given.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name, and that of the corpus' directory.
    pub name: &'static str,
    /// Gives it these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 21] = [
    Target { name: "request", run: http::request },
    Target { name: "signed_request", run: http::signed_request },
    Target { name: "certificate", run: identity::certificate },
    Target { name: "token", run: identity::token },
    Target { name: "claims", run: identity::claims },
    Target { name: "key_set", run: identity::key_set },
    Target { name: "note", run: ledger::note },
    Target { name: "tiles", run: ledger::tiles },
    Target { name: "entry", run: ledger::entry },
    Target { name: "bundle", run: ledger::bundle },
    Target { name: "archive", run: ledger::archive },
    Target { name: "stamp", run: ledger::stamp },
    Target { name: "cursor", run: configuration::cursor },
    Target { name: "condition", run: configuration::condition },
    Target { name: "configuration", run: configuration::document },
    Target { name: "rest", run: replies::rest },
    Target { name: "soap", run: replies::soap },
    Target { name: "ldap", run: replies::ldap },
    Target { name: "queue", run: queue::reply },
    Target { name: "files", run: files::drop },
    Target { name: "copybook", run: files::copybook },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
