//! Entries as they are written: compact JSON, the members in the order of the types here, those that say nothing left out.
//!
//! A member that this program does not know is passed over, so that a later program may add some to version 1.

use jiff::Timestamp;
use rabita_model::{AgencyId, BasisId, Code, ExchangeId, FieldName, Purpose, SystemId, UpdateId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{About, Credential, FileDigest, KeyedDigest, Pseudonym, Sealed, ToldBy};
use crate::period::KeyName;

/// What is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// A request and its answer.
    Exchange(Box<ExchangeEntry>),
    /// Events of a registry were brought to a system.
    Events(Box<ExchangeEntry>),
    /// What did not fit into the entry of an exchange.
    More(MoreEntry),
    /// An update ended.
    Conclusion(Box<ConclusionEntry>),
    /// The configuration in force is another one.
    Configuration(ConfigurationEntry),
    /// An operator did something.
    Act(ActEntry),
}

/// What an entry is, by the member `kind`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Exchange,
    Events,
    More,
    Conclusion,
    Configuration,
    Act,
}

/// All of an entry that tells how the rest is to be read.
#[derive(Deserialize)]
struct Tag {
    kind: Kind,
}

/// Bytes that are no entry which this program can read. Says where, never what: the bytes may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no entry of version 1 (column {column})")]
pub struct UnreadableEntry {
    pub column: usize,
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// Where the bytes are no entry of version 1, or of a kind that this program does not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, UnreadableEntry> {
        Self::read(bytes).map_err(|error| UnreadableEntry { column: error.column() })
    }

    /// The index reads every entry here. Serde reads a tagged type by laying all its members aside first, which takes longer
    /// than to pass over them twice.
    fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        let Tag { kind } = serde_json::from_slice(bytes)?;
        Ok(match kind {
            Kind::Exchange => Self::Exchange(serde_json::from_slice(bytes)?),
            Kind::Events => Self::Events(serde_json::from_slice(bytes)?),
            Kind::More => Self::More(serde_json::from_slice(bytes)?),
            Kind::Conclusion => Self::Conclusion(serde_json::from_slice(bytes)?),
            Kind::Configuration => Self::Configuration(serde_json::from_slice(bytes)?),
            Kind::Act => Self::Act(serde_json::from_slice(bytes)?),
        })
    }

    /// The bytes that the log holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, self).expect("these types have text keys only, and memory takes every byte");
        bytes
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => entry.at,
            Self::More(entry) => entry.at,
            Self::Conclusion(entry) => entry.at,
            Self::Configuration(entry) => entry.at,
            Self::Act(entry) => entry.at,
        }
    }

    /// The exchange that it belongs to.
    #[must_use]
    pub fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => Some(entry.exchange),
            Self::More(entry) => Some(entry.exchange),
            Self::Conclusion(entry) => Some(entry.exchange),
            Self::Configuration(_) | Self::Act(_) => None,
        }
    }

    /// The registry, entity and operation, where it is about one.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => entry.about.as_ref(),
            Self::Conclusion(entry) => Some(&entry.about),
            Self::More(_) | Self::Configuration(_) | Self::Act(_) => None,
        }
    }

    /// The key of its pseudonyms, where it has any.
    #[must_use]
    pub fn key(&self) -> Option<&KeyName> {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => Some(&entry.key),
            Self::More(entry) => Some(&entry.key),
            Self::Conclusion(entry) => Some(&entry.key),
            Self::Configuration(_) | Self::Act(_) => None,
        }
    }

    /// What stands for whom it is about, in this exchange.
    #[must_use]
    pub fn subjects(&self) -> &[Pseudonym] {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => &entry.subjects,
            Self::More(entry) => &entry.subjects,
            Self::Conclusion(entry) => &entry.subjects,
            Self::Configuration(_) | Self::Act(_) => &[],
        }
    }

    /// Whom it is about, sealed: with which key, of which exchange.
    #[must_use]
    pub fn persons(&self) -> Option<(&KeyName, ExchangeId, &Sealed)> {
        match self {
            Self::Exchange(entry) | Self::Events(entry) => Some((&entry.key, entry.exchange, entry.persons.as_ref()?)),
            Self::More(entry) => Some((&entry.key, entry.exchange, entry.persons.as_ref()?)),
            Self::Conclusion(entry) => Some((&entry.key, entry.exchange, entry.persons.as_ref()?)),
            Self::Configuration(_) | Self::Act(_) => None,
        }
    }
}

/// The version of an entry's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Form {
    #[default]
    V1,
}

impl TryFrom<u8> for Form {
    type Error = &'static str;
    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number == 1 { Ok(Self::V1) } else { Err("this is not version 1") }
    }
}

impl From<Form> for u8 {
    fn from(Form::V1: Form) -> Self {
        1
    }
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeEntry {
    pub v: Form,
    pub at: Timestamp,
    pub exchange: ExchangeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Who says on whose behalf; on whose is in `sealed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_by: Option<ToldBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The key of what follows, as `AGENCY/PERIOD`.
    pub key: KeyName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Pseudonym>,
    /// What stands for the same persons in every exchange of this key, in the order of `subjects`, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<Sealed>,
    /// How many subjects there are, where entries before it hold the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects_total: Option<u32>,
    /// The user, the case, the consent and the caller's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldName>,
    /// How many fields there are, where entries before it hold the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_total: Option<u32>,
    pub records: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateId>,
    pub request: KeyedDigest,
    /// Absent where the answer was a stream, which was on its way when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<KeyedDigest>,
    pub status: u16,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The name of the key with which the caller signed. Its signature is in `sealed`: whoever had it could try persons' numbers
    /// in the request until one fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}

/// A system and its agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub system: SystemId,
    pub agency: AgencyId,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered as asked, or the record had not changed.
    Allowed,
    /// The caller asked for what it does not get.
    Refused,
    /// The bus or the registry failed.
    Failed,
}

/// What does not fit into the entry of an exchange, or of a conclusion. It is written before that entry, so that an entry
/// which stands in the log is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoreEntry {
    pub v: Form,
    pub at: Timestamp,
    pub exchange: ExchangeId,
    /// The update, where it belongs to a conclusion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateId>,
    pub key: KeyName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Pseudonym>,
    /// What stands for the same persons in every exchange of this key, in the order of `subjects`, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldName>,
}

/// How an update ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConclusionEntry {
    pub v: Form,
    pub at: Timestamp,
    pub update: UpdateId,
    /// The exchange that submitted it.
    pub exchange: ExchangeId,
    pub caller: Caller,
    pub about: About,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    pub key: KeyName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Pseudonym>,
    /// What stands for the same persons in every exchange of this key, in the order of `subjects`, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<Sealed>,
    /// How many subjects there are, where entries before it hold the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects_total: Option<u32>,
    pub outcome: rabita_model::Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    pub attempts: u32,
}

/// The configuration in force. A long one is written as several, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationEntry {
    pub v: Form,
    pub at: Timestamp,
    /// Which of how many, from 1.
    pub part: u32,
    pub parts: u32,
    pub files: Vec<FileDigest>,
    pub changed: Vec<String>,
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActEntry {
    pub v: Form,
    pub at: Timestamp,
    pub operator: String,
    pub act: String,
    pub detail: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACT: &str = r#""v":1,"at":"2026-11-24T11:00:00Z","operator":"ayten","act":"ledger show","detail":{"kind":"no matter"}"#;

    #[test]
    fn the_kind_of_an_entry_is_told_once_wherever_it_stands() {
        let first = Entry::parse(format!(r#"{{"kind":"act",{ACT}}}"#).as_bytes()).expect("an entry");
        assert_eq!(Entry::parse(format!(r#"{{{ACT},"kind":"act"}}"#).as_bytes()), Ok(first.clone()));
        assert_eq!(Entry::parse(&first.to_bytes()), Ok(first));
        for wrong in [
            format!("{{{ACT}}}"),
            format!(r#"{{"kind":"act",{ACT},"kind":"act"}}"#),
            format!(r#"{{"kind":"act",{ACT},"act":"ledger forget"}}"#),
            format!(r#"{{"kind":"more",{ACT}}}"#),
            format!(r#"{{"kind":"deed",{ACT}}}"#),
            format!(r#"{{"kind":"act",{ACT}}} "x""#),
            format!(r#"["act",{{{ACT}}}]"#),
        ] {
            assert!(Entry::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
