//! `consents:` of `rabita.yaml`: the registry, plugged in like any other, where a person's consent is looked up.

use rabita_model::{EntityName, FieldName, RegistryId, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a person's consent is looked up: an entity whose key is the consent's reference.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentSpec {
    pub registry: RegistryId,
    pub version: Version,
    pub entity: EntityName,
    /// The field with the personal number of whoever consented.
    pub subject: FieldName,
    /// The field with the system or the agency that may use it; left out, any may.
    #[serde(default)]
    pub grantee: Option<FieldName>,
    /// The field with the purpose, or a list of them; left out, it is for any.
    #[serde(default)]
    pub purpose: Option<FieldName>,
    /// The field with the registry, or a list of them; left out, it is for any.
    #[serde(default)]
    pub about: Option<FieldName>,
    /// The field with the first day, or the time, from which it holds.
    #[serde(default)]
    pub from: Option<FieldName>,
    /// The field with the last day, or the time, until which it holds.
    #[serde(default)]
    pub until: Option<FieldName>,
    /// A field that must have a certain value: `{ field: status, equals: given }`.
    #[serde(default)]
    pub status: Option<ConsentStatus>,
}

/// A field of a consent that must have a certain value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentStatus {
    pub field: FieldName,
    pub equals: Value,
}
