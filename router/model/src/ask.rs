//! What a caller asks for, once it is read off the wire: the same for every transport.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Change, EntityName, FieldName, Operation, Purpose, RegistryId, Version};

/// A parsed request. Its words have the right form; nothing says yet that they name anything, or are permitted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The entity asked.
    pub target: Target,
    /// What of it.
    pub want: Want,
    /// The fields asked for, each covering what lies within it; `None` for all that the grant permits.
    pub fields: Option<Vec<FieldName>>,
    /// Why. A grant may name the purposes for which it holds.
    pub purpose: Option<Purpose>,
    /// The official or citizen on whose behalf, as the caller names them.
    pub user: Option<String>,
    /// The case or application this belongs to, as the caller names it.
    pub case: Option<String>,
    /// The person's consent, by the reference that the consent registry knows it by.
    pub consent: Option<String>,
    /// Whether identifiers or filter values stood in the URL.
    pub in_url: bool,
}

/// An entity of one version of a registry's contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    pub registry: RegistryId,
    pub version: Version,
    pub entity: EntityName,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.registry, self.version, self.entity)
    }
}

/// The operation with its arguments.
#[derive(Debug, Clone)]
pub enum Want {
    /// One record.
    Read { key: Key },
    /// Several records, answered in the order of the keys.
    ReadMany { keys: Vec<Key> },
    /// One binary field of one record.
    Binary { key: Key, field: FieldName },
    /// Records by filters.
    Search { filters: Vec<Filter>, limit: Option<u32>, cursor: Option<String> },
    /// A change of one record.
    Change(Box<Submission>),
}

impl Want {
    /// The operation that a grant has to permit.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Read { .. } | Self::ReadMany { .. } | Self::Binary { .. } => Operation::Read,
            Self::Search { .. } => Operation::Search,
            Self::Change(submission) => submission.change.operation(),
        }
    }
}

/// A change as its caller submits it.
#[derive(Debug, Clone)]
pub struct Submission {
    pub change: Change,
    /// Where its record, patch or input stands in the request's body, as a JSON Pointer: `""` for the whole body.
    pub within: &'static str,
    /// The caller's name for the change: the same key of the same system is the same change.
    pub idempotency_key: String,
    /// The version on which the change rests.
    pub if_match: Option<IfMatch>,
    /// How long the caller waits for the outcome.
    pub wait: Wait,
    /// The latest time at which the change may be applied.
    pub apply_until: Option<Timestamp>,
}

/// On which version of a record a change rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Any: the record is there.
    Any,
    /// The one with this entity tag, without its quotes.
    Tag(String),
}

/// How long a caller waits for the outcome of its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// As long as the node waits by itself.
    #[default]
    Unsaid,
    /// `Prefer: wait=N`.
    For(Duration),
    /// `Prefer: respond-async`: not at all.
    Not,
}

/// What identifies a record, as the caller wrote it: one value for each key field, in the order of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub Vec<Value>);

/// One condition of a search. All of a search's conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub field: FieldName,
    pub comparison: Comparison,
    /// The value in the contract's terms. From a URL it is text, which the entity's schema gives its type.
    pub value: Value,
}

/// How a filter compares.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// The same value.
    Equals,
    /// Text that begins so.
    Prefix,
    /// This value or a later one.
    From,
    /// This value or an earlier one.
    To,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: [Self; 4] = [Self::Equals, Self::Prefix, Self::From, Self::To];

    /// The word in configuration and requests: `birth_date[from]`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::Prefix => "prefix",
            Self::From => "from",
            Self::To => "to",
        }
    }
}
