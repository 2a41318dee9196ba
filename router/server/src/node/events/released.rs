//! Records what events bring to a system: once it has left the bus it is released data like any answer, so it is in the
//! ledger first. Where the ledger cannot be written nothing leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rabita_core::feed::Feed;
use rabita_ledger::entry::{Answered, ExchangeFact};
use rabita_ledger::{Fact, Ledger, LedgerError};
use rabita_model::update::patched_fields;
use rabita_model::{Code, Event, ExchangeId, FieldName, Refusal, Subject};
use serde_json::Value;

use crate::machine::new_exchange;

/// Where releases are recorded; nowhere on a node that keeps no ledger.
#[derive(Clone)]
pub(in crate::node) struct Releases(Option<Arc<Ledger>>);

/// Events of one entity that leave together for one system.
pub(in crate::node) struct Release {
    /// An exchange of its own: what it brings can be asked for and proved by itself.
    pub exchange: ExchangeId,
    fact: ExchangeFact,
    subjects: BTreeSet<Subject>,
    fields: BTreeSet<FieldName>,
}

impl Releases {
    pub const fn new(ledger: Option<Arc<Ledger>>) -> Self {
        Self(ledger)
    }

    /// Refuses to begin what could not be recorded.
    ///
    /// # Errors
    /// `ledger_unavailable`.
    pub fn check(&self) -> Result<(), Refusal> {
        let Some(ledger) = &self.0 else { return Ok(()) };
        ledger.health().map_err(|why| Refusal::new(Code::LedgerUnavailable).detail(why))
    }

    /// Records a release of these bytes. It is durable once this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: the bytes must not leave.
    pub async fn record(&self, release: Release, bytes: &[u8]) -> Result<(), LedgerError> {
        let Some(ledger) = &self.0 else { return Ok(()) };
        ledger.record(release.fact(bytes)).await.map(|_| ())
    }
}

impl Release {
    /// A release of an event as its receiver sees it; more of the same entity can go with it.
    pub fn of(feed: &Feed, event: &Event, shown: &Value) -> Self {
        let account = feed.account(event);
        let exchange = new_exchange();
        let fact = ExchangeFact {
            at: Timestamp::now(),
            exchange,
            caller: Some(account.caller),
            credential: None,
            user: None,
            user_by: None,
            purpose: account.purpose,
            basis: account.basis,
            case: None,
            consent: None,
            about: Some(account.about),
            service: None,
            subjects: Vec::new(),
            fields: Vec::new(),
            records: 1,
            update: None,
            request: Vec::new(),
            answer: Answered::Streamed,
            status: http::StatusCode::OK.as_u16(),
            code: None,
            signature: None,
        };
        Self { exchange, fact, subjects: account.subjects.into_iter().collect(), fields: fields(shown) }
    }

    /// Whether an event is of the same entity, and so can go with it.
    pub fn is_of(&self, event: &Event) -> bool {
        self.fact.about.as_ref().is_some_and(|about| about.target == event.target)
    }

    /// Takes one more event of the same entity in.
    pub fn take_in(&mut self, feed: &Feed, event: &Event, shown: &Value) {
        self.subjects.extend(feed.account(event).subjects);
        self.fields.extend(fields(shown));
        self.fact.records += 1;
    }

    fn fact(self, bytes: &[u8]) -> Fact {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, bytes).as_ref());
        let Self { fact, subjects, fields, .. } = self;
        Fact::Events(Box::new(ExchangeFact {
            subjects: subjects.into_iter().collect(),
            fields: fields.into_iter().collect(),
            answer: Answered::Digest(sha256),
            ..fact
        }))
    }
}

/// The fields that an event tells of: those with a value in it, and those of which it says that they changed.
fn fields(shown: &Value) -> BTreeSet<FieldName> {
    let data = &shown["data"];
    let changed = data["changed"].as_array().into_iter().flatten().filter_map(|name| FieldName::new(name.as_str()?).ok());
    let with_values = [&data["key"], &data["record"]].into_iter().filter_map(Value::as_object).flat_map(patched_fields);
    changed.chain(with_values).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_releases_the_fields_of_its_key_its_record_and_its_changes() {
        let shown = json!({ "type": "rabita.people.v1.persons.updated", "data": {
            "key": { "pin": "5ZJBKH7" }, "changed": ["name.family", "photo"], "record": { "name": { "family": "Əliyeva" } },
        }});
        let names: Vec<String> = fields(&shown).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["name.family", "photo", "pin"]);
        assert!(fields(&json!({ "data": { "changed": [], "record": {} } })).is_empty());
    }
}
