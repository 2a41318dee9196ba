//! The manifest: the YAML file that plugs one registry in. Its form only; [`crate::plan`] says what it means.

use indexmap::IndexMap;
use rabita_model::{AgencyId, Comparison, EntityName, FieldName, Operation, RegistryId, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codec::CodecSpec;
use crate::codes::CodeListSpec;
use crate::{Ignore, Source};

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
    /// The settings that the kind defines.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// What a registry can bear. Nothing above these reaches it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls per second that reach the registry, over all systems together. Without it, only `concurrency` bounds them.
    #[schemars(range(min = 1))]
    pub requests_per_second: Option<u32>,
    /// How many calls may come at once after a pause. Without it, one second's worth.
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// Calls under way at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: usize,
    /// Calls that may wait for a place; one more is refused at once.
    #[schemars(range(max = 100_000))]
    pub queue: usize,
    /// The longest that a call may take, waiting included.
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
    /// When a failing registry is given a pause.
    pub breaker: Breaker,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: None,
            burst: None,
            concurrency: 16,
            queue: 64,
            timeout_ms: 5_000,
            breaker: Breaker::default(),
        }
    }
}

/// When a failing registry is given a pause.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After so many failures in a row no call is made.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// For so long; then one call tries whether the registry is well.
    #[schemars(range(min = 1))]
    pub open_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, open_ms: 5_000 }
    }
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

/// A field of the contract: the name of its source, or a rule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Field {
    Source(Source),
    Rule(Box<Rule>),
}

/// What a field is made of. Which members go together is in the guide to manifests.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The legacy value; for `read`, all the values that the expression uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<OneOrMany<Source>>,
    /// How the legacy value is turned into the field and back: one codec or several, in the order of reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<OneOrMany<CodecSpec>>,
    /// The legacy text taken apart into members of this field: `"{family} {given}"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The field put together from several legacy values: `"{YEAR:4}-{MONTH:2}-{DAY:2}"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose: Option<String>,
    /// The same value in every record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// A list with an item for each member of this repeated group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Source>,
    /// The fields of each item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<IndexMap<FieldName, Field>>,
    /// The item itself, where it is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Field>,
    /// A CEL expression over `legacy` that makes the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// A CEL expression over `record` for each source that the field is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<IndexMap<Source, String>>,
    /// The field is bytes, streamed by themselves and never inside JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<Binary>,
    /// Whether no value is answered as `null` rather than left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_null: bool,
}

/// A binary field.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// Its media type: `image/jpeg`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$"))]
    pub media_type: String,
}

/// What can be done with an entity; what is not named can't be done.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// Records by key.
    pub read: Option<ReadSpec>,
    /// Records by filters.
    pub search: Option<SearchSpec>,
    /// New records.
    pub create: Option<WriteSpec>,
    /// Whole records in place of others.
    pub replace: Option<WriteSpec>,
    /// Some fields of records.
    pub update: Option<WriteSpec>,
    /// The end of records.
    pub delete: Option<DeleteSpec>,
}

impl Operations {
    /// Whether the entity can do this.
    #[must_use]
    pub const fn offers(&self, operation: Operation) -> bool {
        match operation {
            Operation::Read => self.read.is_some(),
            Operation::Search => self.search.is_some(),
            Operation::Create => self.create.is_some(),
            Operation::Replace => self.replace.is_some(),
            Operation::Update => self.update.is_some(),
            Operation::Delete => self.delete.is_some(),
        }
    }
}

/// Records by key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadSpec {
    /// The most keys in one call.
    #[schemars(range(min = 1, max = 1000))]
    pub max_keys: u32,
}

impl Default for ReadSpec {
    fn default() -> Self {
        Self { max_keys: 50 }
    }
}

/// Records by filters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSpec {
    /// The fields that can be searched by.
    pub by: SearchBy,
    /// The most records on one page.
    #[serde(default = "page_max")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max: u32,
}

const fn page_max() -> u32 {
    100
}

/// The fields that can be searched by: a list, each for equal values; or each with its comparisons.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SearchBy {
    Equals(Vec<FieldName>),
    Each(IndexMap<FieldName, FilterRule>),
}

impl SearchBy {
    /// The fields in order, each with its comparisons and what they overlook.
    pub fn rules(&self) -> Vec<(FieldName, Vec<Comparison>, Vec<Ignore>)> {
        match self {
            Self::Equals(fields) => fields.iter().map(|f| (f.clone(), vec![Comparison::Equals], vec![])).collect(),
            Self::Each(rules) => rules
                .iter()
                .map(|(field, rule)| match rule {
                    FilterRule::Comparisons(compare) => (field.clone(), compare.clone(), vec![]),
                    FilterRule::Full(full) => (field.clone(), full.compare.clone(), full.ignore.clone()),
                })
                .collect(),
        }
    }
}

/// How one field can be compared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FilterRule {
    Comparisons(Vec<Comparison>),
    Full(FullFilterRule),
}

/// How one field can be compared, and what a comparison overlooks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullFilterRule {
    #[serde(default = "equals_only")]
    pub compare: Vec<Comparison>,
    #[serde(default)]
    pub ignore: Vec<Ignore>,
}

fn equals_only() -> Vec<Comparison> {
    vec![Comparison::Equals]
}

/// An operation that writes fields.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteSpec {
    /// The fields that it may write.
    pub fields: Vec<FieldName>,
}

/// An operation without arguments.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSpec {}

/// One test of a manifest: on a stand-in that holds `legacy`, or against the real registry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What is shown, as a sentence.
    pub name: String,
    /// The entity, as `v1/persons`; may be left out where the contract has only one.
    #[serde(default)]
    pub entity: Option<String>,
    /// What the stand-in holds, in the words of the connector's kind. A test without it runs only with `--live`.
    #[serde(default)]
    pub legacy: Option<Value>,
    /// Whether the test also holds of the real registry, and runs with `--live`.
    #[serde(default)]
    pub live: bool,
    /// A change to make before anything is asked.
    #[serde(default)]
    pub change: Option<TestChange>,
    /// The key to read; several as a list of keys.
    #[serde(default)]
    pub read: Option<Value>,
    /// The filters to search by, as in the `where` of a query.
    #[serde(default)]
    pub search: Option<Map<String, Value>>,
    /// The fields to ask for; all without it.
    #[serde(default)]
    pub fields: Option<Vec<FieldName>>,
    /// Exactly this is answered: the record, or the list of records.
    #[serde(default)]
    pub expect: Option<Value>,
    /// At least this is in the answer; members that are not named may be there.
    #[serde(default)]
    pub expect_includes: Option<Value>,
    /// There is no such record.
    #[serde(default)]
    pub expect_absent: bool,
    /// The exchange is refused with this code.
    #[serde(default)]
    pub expect_error: Option<String>,
}

/// A change in a test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestChange {
    /// `create`, `replace`, `update` or `delete`.
    pub operation: ChangeWord,
    /// The record's key.
    #[serde(default)]
    pub key: Option<Value>,
    /// The fields to write.
    #[serde(default)]
    pub record: Map<String, Value>,
}

/// The operations that change a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeWord {
    Create,
    Replace,
    Update,
    Delete,
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
