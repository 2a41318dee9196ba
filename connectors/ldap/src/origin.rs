//! An entity's `from:`: where in the directory its entries are.
//!
//! A source is the name of an attribute, options included (`cn;lang-az`, `userCertificate;binary`), or `dn`, the entry's
//! own name. An attribute with several values is read by `each`, or is named in `lists`.

use std::collections::{BTreeMap, BTreeSet};

use rabita_sdk::{Ignore, Source};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where an entity's records, or a code table's rows, are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The entry below which they are: `ou=officials,o=agency`.
    #[schemars(length(min = 1))]
    pub base: String,
    /// How far below.
    #[serde(default)]
    pub scope: ScopeWord,
    /// The object class that makes an entry one of them.
    #[schemars(length(min = 1))]
    pub class: String,
    /// What else does, as a filter (RFC 4515): `(employeeType=active)`.
    pub filter: Option<String>,
    /// Attributes that are bytes, where the directory's schema does not say so.
    #[serde(default)]
    pub binary: BTreeSet<Source>,
    /// Attributes that come as a list, be it one value or several, and are written as one.
    #[serde(default)]
    pub lists: BTreeSet<Source>,
    /// Differences that the directory itself overlooks when it compares the attributes that can be searched by.
    #[serde(default)]
    pub ignores: Vec<Ignore>,
    /// What a change does to the version when the change itself gives it no value.
    #[serde(default)]
    pub bump: Bump,
    /// What new entries are like; without it none can be created.
    pub create: Option<Create>,
}

/// How far below the base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeWord {
    /// Directly.
    #[default]
    One,
    /// At any depth, the base included.
    Subtree,
    /// The base alone.
    Base,
}

/// What a change does to the version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// Nothing: the directory does it, as with `entryCSN`.
    #[default]
    None,
    /// Adds one to an integer (RFC 4525); a new entry begins with 1.
    Increment,
}

/// What new entries are like. A template has `{source}` for each value of the change or the key that it takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The entry's name below the base: `uid={uid}`, `uid={uid},ou={departmentNumber}`.
    #[schemars(length(min = 1))]
    pub rdn: String,
    /// All object classes of a new entry.
    #[schemars(length(min = 1))]
    pub classes: Vec<String>,
    /// Attributes that the classes demand and no field gives, as templates: `cn: "{givenName} {sn}"`.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// Where changes are found that others made.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// A change that comes to light so much later than a younger one is still told. At least as long as a change is
    /// under way in the directory, and on its way between directories that replicate.
    #[serde(default = "Feed::default_late_ms")]
    #[schemars(range(max = 86_400_000))]
    pub late_ms: u64,
}

impl Feed {
    pub(crate) const fn default_late_ms() -> u64 {
        2000
    }
}
