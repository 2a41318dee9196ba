//! What can be done with an entity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operation of an entity, as a grant and a manifest name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// One record, or several, by key.
    Read,
    /// Records by the filters that the manifest declares.
    Search,
    /// A new record.
    Create,
    /// A whole record in place of another.
    Replace,
    /// Some fields of a record (RFC 7396).
    Update,
    /// The end of a record.
    Delete,
    /// A named action on a record.
    Act,
    /// The events of the entity.
    Subscribe,
}

impl Operation {
    /// Every operation, in the order of the contract's table.
    pub const ALL: [Self; 8] =
        [Self::Read, Self::Search, Self::Create, Self::Replace, Self::Update, Self::Delete, Self::Act, Self::Subscribe];

    /// Whether it changes a record.
    #[must_use]
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::Update | Self::Delete | Self::Act)
    }

    /// The word in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Search => "search",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Act => "act",
            Self::Subscribe => "subscribe",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
