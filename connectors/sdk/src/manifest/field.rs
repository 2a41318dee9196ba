//! What a field of the contract is made of, as the manifest writes it.

use indexmap::IndexMap;
use rabita_model::FieldName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OneOrMany;
use crate::Source;
use crate::codec::CodecSpec;

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
