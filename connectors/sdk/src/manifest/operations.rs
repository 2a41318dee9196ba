//! What can be done with an entity, as the manifest writes it: operations, actions, and the detection of changes.

use indexmap::IndexMap;
use rabita_model::{Comparison, FieldName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Field, SchemaRef};
use crate::Ignore;

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
    /// Events: each change that the bus applied or found is published.
    pub subscribe: Option<SubscribeSpec>,
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
    /// How it is found out whether a change was applied when no answer came.
    #[serde(default)]
    pub confirm: Option<Confirm>,
    /// What is done when no answer came and nothing confirms the change.
    #[serde(default)]
    pub on_unknown: OnUnknown,
}

/// The end of records.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeleteSpec {
    /// How it is found out whether a deletion was applied when no answer came.
    pub confirm: Option<Confirm>,
    /// What is done when no answer came and nothing confirms the deletion.
    pub on_unknown: OnUnknown,
}

/// The events of an entity.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeSpec {}

/// How it is found out whether a change was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// The record is read and compared with what was written.
    Record,
}

/// What is done with a change of which it is unknown whether it was applied, and which the registry does not tell from
/// the first when it is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// It is sent again: it is applied at least once.
    #[default]
    Resend,
    /// It is parked for a person: it is applied at most once.
    Park,
}

/// A named action on a record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// The schema of its request; left out, an empty object.
    #[serde(default = "nothing")]
    pub request: SchemaRef,
    /// The fields of its request, each with the legacy value that it becomes.
    #[serde(default)]
    pub fields: IndexMap<FieldName, Field>,
    /// What it answers; left out, nothing but that it was applied.
    #[serde(default)]
    pub reply: Option<ActionReply>,
    /// How it is done, in the words of the connector's kind.
    #[serde(default)]
    pub from: Value,
    /// The fields of the record, with the values that they have once the action was applied: by these it is found out
    /// whether it was, when no answer came.
    #[serde(default)]
    pub confirm: Option<IndexMap<FieldName, Value>>,
    /// What is done when no answer came and nothing confirms the action.
    #[serde(default)]
    pub on_unknown: OnUnknown,
}

/// What an action answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionReply {
    /// The name of a schema, or the JSON Schema itself.
    pub schema: SchemaRef,
    /// Each field of the reply and what it is made of.
    pub fields: IndexMap<FieldName, Field>,
}

/// The schema of an object without members.
fn nothing() -> SchemaRef {
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    SchemaRef::Inline(schema.as_object().cloned().unwrap_or_default())
}

/// How changes that others make in the registry are found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesSpec {
    /// The registry is asked so often, in milliseconds.
    #[serde(default = "every_ms")]
    #[schemars(range(min = 100, max = 86_400_000))]
    pub every_ms: u64,
    /// The most changes that are fetched at once.
    #[serde(default = "page_max")]
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: u32,
    /// Where the changes are, in the words of the connector's kind.
    pub from: Value,
}

const fn every_ms() -> u64 {
    5_000
}
