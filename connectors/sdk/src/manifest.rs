//! The manifest: the YAML file that plugs one registry in. Its form only; [`crate::plan`] says what it means.

mod field;
mod limits;
mod operations;
mod test;

use indexmap::IndexMap;
use rabita_model::{ActionName, AgencyId, EntityName, FieldName, Operation, RegistryId, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use field::{Binary, Field, Rule};
pub use limits::{Breaker, ClockTime, Limits, UpdateLimits, Weekday, Window, Zone};
pub use operations::{
    ActionReply, ActionSpec, ChangesSpec, Confirm, DeleteSpec, FilterRule, FullFilterRule, OnUnknown, Operations, ReadSpec,
    SearchBy, SearchSpec, SubscribeSpec, WriteSpec,
};
pub use test::{ChangeWord, Test, TestChange};

use crate::Source;
use crate::codes::CodeListSpec;

/// One registry: how it is reached, what callers see of it, and the tests of both.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The registry's name in every path, grant, log and metric.
    pub registry: RegistryId,
    /// The agency that owns it.
    pub agency: AgencyId,
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// How the registry is reached: `kind`, and the settings of that kind.
    pub connector: ConnectorSettings,
    /// What the registry can bear.
    #[serde(default)]
    pub limits: Limits,
    /// What callers see: versions, and in each its entities.
    pub contract: IndexMap<Version, IndexMap<EntityName, Entity>>,
    /// Code lists, by the name that codecs use.
    #[serde(default)]
    pub codes: IndexMap<String, CodeListSpec>,
    /// What `rabita connector test` runs.
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// `kind`, and beside it the settings of that kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorSettings {
    /// The kind of legacy technology.
    pub kind: String,
    /// Where the connector runs: left out, within the bus. With `host`, in a host of the agency that dials out to the bus;
    /// the kind's own settings stand in the host's copy of the manifest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// The settings that the kind defines.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// Where a connector runs, if not within the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Host,
}

/// One entity of the contract and where it comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// The name of a schema (`civil/person/v1`), or the JSON Schema itself.
    pub schema: SchemaRef,
    /// The field that identifies a record, or several in the order in which a URL gives them.
    pub key: OneOrMany<FieldName>,
    /// Where the records are, in the words of the connector's kind.
    #[serde(default)]
    pub from: Value,
    /// Each field of the contract and what it is made of.
    pub fields: IndexMap<FieldName, Field>,
    /// What can be done with it.
    pub operations: Operations,
    /// Named actions on its records, such as `revoke`, each with a request of its own.
    #[serde(default)]
    pub actions: IndexMap<ActionName, ActionSpec>,
    /// How changes that others make in the registry are found.
    #[serde(default)]
    pub changes: Option<ChangesSpec>,
    /// The field with the personal number of the person whom a record is about. The ledger keeps a pseudonym of it, so
    /// that this person can see who used the record; it is asked of the registry for that even where it is not released.
    #[serde(default)]
    pub subject: Option<FieldName>,
    /// The source that changes whenever the record does.
    #[serde(default)]
    pub version: Option<Source>,
    /// Whether identifiers and filters may stand in a URL. If not, only `POST .../query` is served.
    #[serde(default = "yes")]
    pub identifiers_in_url: bool,
    /// Whether a reply that breaks the schema is refused (`enforce`) or let through, counted and marked (`observe`).
    #[serde(default)]
    pub replies: Replies,
    /// Whether answers may come from the bus's memory.
    #[serde(default)]
    pub cache: Option<Cache>,
}

impl Entity {
    /// Whether the entity can do this.
    #[must_use]
    pub fn offers(&self, operation: Operation) -> bool {
        let Operations { read, search, create, replace, update, delete, subscribe } = &self.operations;
        match operation {
            Operation::Read => read.is_some(),
            Operation::Search => search.is_some(),
            Operation::Create => create.is_some(),
            Operation::Replace => replace.is_some(),
            Operation::Update => update.is_some(),
            Operation::Delete => delete.is_some(),
            Operation::Act => !self.actions.is_empty(),
            Operation::Subscribe => subscribe.is_some(),
        }
    }

    /// What is done after an outcome of this operation that nobody knows; for [`Operation::Act`] see [`ActionSpec`].
    #[must_use]
    pub fn on_unknown(&self, operation: Operation) -> (OnUnknown, Option<Confirm>) {
        let write = |spec: &Option<WriteSpec>| spec.as_ref().map(|spec| (spec.on_unknown, spec.confirm));
        let found = match operation {
            Operation::Create => write(&self.operations.create),
            Operation::Replace => write(&self.operations.replace),
            Operation::Update => write(&self.operations.update),
            Operation::Delete => self.operations.delete.as_ref().map(|spec| (spec.on_unknown, spec.confirm)),
            Operation::Read | Operation::Search | Operation::Act | Operation::Subscribe => None,
        };
        found.unwrap_or_default()
    }
}

const fn yes() -> bool {
    true
}

/// A schema by name, or in place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SchemaRef {
    Name(String),
    Inline(Map<String, Value>),
}

/// What becomes of a reply that breaks the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Replies {
    #[default]
    Enforce,
    Observe,
}

/// For how long the bus may remember an answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// An answer is given again for so long.
    #[schemars(range(min = 1))]
    pub ttl_ms: u64,
    /// For so long after that it is given only when the registry fails.
    #[serde(default)]
    pub stale_if_error_ms: u64,
    /// So many answers are kept.
    #[serde(default = "cache_entries")]
    #[schemars(range(min = 1))]
    pub entries: u64,
}

const fn cache_entries() -> u64 {
    10_000
}

/// One thing, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
