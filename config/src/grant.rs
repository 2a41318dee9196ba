//! `grants/*.yaml`: what systems may do with a registry. The file belongs to the agency that owns the registry.

use rabita_model::{ActionName, EntityName, FieldName, Operation, Purpose, RegistryId, SystemId, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The grants of one registry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    pub registry: RegistryId,
    pub grants: Vec<Grant>,
}

/// What one system may do with one entity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub system: SystemId,
    /// The version of the contract.
    pub version: Version,
    pub entity: EntityName,
    #[schemars(length(min = 1))]
    pub operations: Vec<Operation>,
    /// The actions that `act` covers; left out, all of the entity's.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub actions: Option<Vec<ActionName>>,
    /// The fields, each covering what lies within it, or `all`.
    pub fields: FieldsGranted,
    /// The purposes of which a request has to name one, or `any`.
    pub purposes: PurposesGranted,
    /// The last day on which it holds, `YYYY-MM-DD` in UTC.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub until: Option<jiff::civil::Date>,
    /// A limit of its own, within the system's.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub requests_per_second: Option<u32>,
}

/// The fields of a grant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldsGranted {
    All(All),
    Some(Vec<FieldName>),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum All {
    All,
}

/// The purposes of a grant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PurposesGranted {
    Any(Any),
    Some(Vec<Purpose>),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Any {
    Any,
}
