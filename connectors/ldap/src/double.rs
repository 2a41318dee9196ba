//! A stand-in for a registry's directory: a test's entries, asked in LDAP through a connection within the process. So a
//! test runs the whole connector.
//!
//! It compares as most directories do: text without case and without outer and double blanks, numbers as numbers. It
//! numbers its changes, and knows nothing of access, object classes or size limits.

mod answer;
mod asked;
mod compare;
mod fixture;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::link::{Bounds, Link};
use crate::protocol::Entry;

/// How much of what one side wrote the other need not have read yet.
const PIPE: usize = 64 * 1024;

/// The stand-in's entries. Clones share them.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Mutex<State>>);

pub(super) struct State {
    entries: Vec<Entry>,
    /// What the entries hold, as descriptions of a schema.
    schema: Vec<String>,
    /// How many changes were made.
    changes: u32,
    /// What was asked so far.
    asked: Vec<asked::Question>,
}

impl Directory {
    /// A directory that holds a test's `legacy:`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of_fixture(fixture: &Value) -> Result<Self, String> {
        let (entries, schema) = fixture::entries(fixture)?;
        let mut state = State { entries: Vec::new(), schema, changes: 0, asked: Vec::new() };
        entries.into_iter().for_each(|entry| state.put(entry));
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// A connection to it.
    pub(crate) fn link(&self, bounds: Bounds) -> Link {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        // Ends with the connection.
        tokio::spawn(answer::serve(self.clone(), theirs));
        Link::on(Box::new(ours), bounds)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.with(|state| state.asked.iter().map(|one| serde_json::to_value(one).unwrap_or_default()).collect())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The schema of a question of a test's `expect_legacy:`.
pub(crate) fn asked_schema() -> Value {
    schemars::schema_for!(asked::Question).to_value()
}

/// The schema of a test's `legacy:`.
pub(crate) fn fixture_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Entries",
        "description": "The entries of the directory: dn, objectClass, and each attribute with its value or a list of them. Bytes are { base64: ... } or { hex: ... }.",
        "type": "array",
        "items": {
            "type": "object",
            "required": ["dn", "objectClass"],
            "properties": { "dn": { "type": "string", "minLength": 1 } },
        },
    })
}
