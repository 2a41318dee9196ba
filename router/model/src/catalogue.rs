//! What one system may see and call: the source of `/bus/catalogue` and `/bus/openapi.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{AgencyId, Comparison, EntityName, FieldName, Operation, Purpose, RegistryId, SystemId, Version};

/// Everything that one system may call, and no more.
#[derive(Debug, Clone, Serialize)]
pub struct Catalogue {
    pub system: SystemId,
    pub entities: Vec<Entry>,
}

/// An entity as one system may see it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub registry: RegistryId,
    pub agency: AgencyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub version: Version,
    pub entity: EntityName,
    /// The name of the entity's schema; served under `/bus/schemas/`.
    pub schema: String,
    /// The fields that identify a record, in the order in which a URL gives them.
    pub key: Vec<FieldName>,
    /// The permitted operations.
    pub operations: Vec<Operation>,
    /// The permitted fields.
    pub fields: Vec<FieldName>,
    /// The permitted binary fields with their media types.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub binary: BTreeMap<FieldName, String>,
    /// The purposes of which one has to be given; empty when none is asked for.
    pub purposes: Vec<Purpose>,
    /// The search filters, where search is permitted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<FieldName, Vec<Comparison>>,
    /// The greatest number of records on one page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_max: Option<u32>,
    /// The greatest number of keys in one call.
    pub keys_max: u32,
    /// Whether identifiers may stand in the URL; else only `POST .../query` is served.
    pub identifiers_in_url: bool,
    /// For how long an answer may come from the bus's cache, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl_ms: Option<u64>,
    /// The day after which the grant ends (`YYYY-MM-DD`), where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The versions of the code lists in use.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, String>,
    /// The whole record's JSON Schema, cut down to the permitted fields.
    #[serde(skip)]
    pub document: Arc<Value>,
}
