//! A ledger in a scratch directory, and facts to record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::accesses::{Accesses, Page};
use rabita_ledger::entry::{About, Answered, ConclusionFact, Credential, CredentialKind, ExchangeFact, Fact, ToldBy};
use rabita_ledger::{Ledger, Options, Period};
use rabita_model::{
    AgencyId, EntityName, ExchangeId, FieldName, Operation, Outcome, Purpose, RegistryId, Subject, SystemId, Target, UpdateId,
    Version,
};
use tempfile::TempDir;
use uuid::Uuid;

pub const NOON: &str = "2026-11-24T12:00:00Z";

/// A ledger that can be closed and opened again.
pub struct Kept {
    directory: TempDir,
    key: Arc<SigningKey>,
}

impl Kept {
    pub fn new() -> Self {
        let (key, _) = SigningKey::generate("log", Algorithm::Ed25519).expect("a key");
        Self { directory: TempDir::new().expect("a directory"), key: Arc::new(key) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("ledger").join(name)
    }

    pub fn options(&self) -> Options {
        Options {
            directory: self.path(""),
            origin: "bus.example/node".to_owned(),
            key: Arc::clone(&self.key),
            period: Period::Month,
            keep_months: BTreeMap::new(),
            rule_stands: std::time::Duration::ZERO,
            clock: Arc::new(|| at(NOON)),
        }
    }

    pub fn open(&self) -> Ledger {
        Ledger::open(self.options()).expect("a ledger")
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::new(id).expect("an agency")
}

pub fn person(number: &str) -> Subject {
    Subject::new(number)
}

pub fn exchange_id(number: u128) -> ExchangeId {
    ExchangeId::new(Uuid::from_u128(number))
}

pub fn update_id(number: u128) -> UpdateId {
    UpdateId::new(Uuid::from_u128(number))
}

pub fn about(owner: &str) -> About {
    About {
        target: Target {
            registry: RegistryId::new(&format!("{owner}-registry")).expect("a registry"),
            version: Version::new("v1").expect("a version"),
            entity: EntityName::new("persons").expect("an entity"),
        },
        owner: agency(owner),
        operation: Operation::Read,
        action: None,
    }
}

/// What was asked in every exchange here.
pub const REQUEST: &[u8] = b"GET /api/interior-registry/v1/persons/5ZJBKH7\nrabita-purpose: birth-registration\n\n";
/// What was answered.
pub const ANSWER: &[u8] = br#"{"pin":"5ZJBKH7"}"#;

/// A read of one person's record of an agency's registry.
pub fn read(number: u128, owner: &str, subject: &str, when: &str) -> ExchangeFact {
    ExchangeFact {
        at: at(when),
        exchange: exchange_id(number),
        caller: Some((SystemId::new("portal").expect("a system"), agency("asan"))),
        credential: Some(Credential { by: CredentialKind::Certificate, sha256: "ab".repeat(32), issuer: None }),
        user: Some("official-17".to_owned()),
        user_by: Some(ToldBy::Assertion),
        purpose: Some(Purpose::new("birth-registration").expect("a purpose")),
        basis: None,
        case: Some("CASE-0815".to_owned()),
        consent: Some("CONSENT-4711".to_owned()),
        about: Some(about(owner)),
        service: None,
        subjects: vec![person(subject)],
        fields: vec![FieldName::new("pin").expect("a field"), FieldName::new("name.family").expect("a field")],
        records: 1,
        update: None,
        request: REQUEST.to_vec(),
        answer: Answered::Digest(rabita_ledger::seal::sha256(ANSWER)),
        status: 200,
        code: None,
        signature: None,
    }
}

pub fn exchange(fact: ExchangeFact) -> Fact {
    Fact::Exchange(Box::new(fact))
}

/// The end of the update that an exchange submitted.
pub fn conclusion(number: u128, owner: &str, subject: &str, when: &str) -> Fact {
    Fact::Conclusion(Box::new(ConclusionFact {
        at: at(when),
        update: update_id(number),
        exchange: exchange_id(number),
        caller: (SystemId::new("portal").expect("a system"), agency("asan")),
        about: about(owner),
        purpose: None,
        subjects: vec![person(subject)],
        outcome: Outcome::Applied,
        code: None,
        attempts: 1,
    }))
}

pub fn page(limit: usize) -> Page {
    Page { from: None, to: None, limit, offset: 0, cursor: None }
}

/// Which entries were found.
pub fn indices(accesses: &Accesses) -> Vec<u64> {
    accesses.accesses.iter().map(|access| access.index).collect()
}
