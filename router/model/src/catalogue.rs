//! What one system may see and call: the source of `/bus/catalogue` and `/bus/openapi.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{ActionName, AgencyId, Comparison, EntityName, FieldName, Operation, Purpose, RegistryId, SystemId, Version};

/// Everything that one system may call, and no more.
#[derive(Debug, Clone, Serialize)]
pub struct Catalogue {
    pub system: SystemId,
    pub entities: Vec<Entry>,
    /// What of the ledger it may ask.
    pub transparency: Transparency,
}

/// What of the ledger one system may ask, beside what every system may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Transparency {
    /// The purposes of which one has to be given to ask who used a person's data; empty where it may not ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Purpose>,
    /// The agencies of whose registries it may ask who used them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agencies: Vec<AgencyId>,
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
    /// For each permitted one of create, replace and update, what this system may write.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<Operation, Cut>,
    /// What of an event this system sees, where it may subscribe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Cut>,
    /// The permitted actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionEntry>,
    /// What holds for a change when an attempt's outcome is unknown, where changes are permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
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

/// Some fields of an entity. In the catalogue it is their list.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The fields, in the order of the manifest.
    pub fields: Vec<FieldName>,
    /// The whole record's JSON Schema, cut down to them.
    pub document: Arc<Value>,
}

impl Serialize for Cut {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

/// A named action as one system may call it.
#[derive(Debug, Clone, Serialize)]
pub struct ActionEntry {
    pub name: ActionName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The JSON Schema of what is sent with it, self-contained.
    #[serde(skip)]
    pub request: Arc<Value>,
    /// The JSON Schema of what it answers, self-contained; none where it answers nothing of its own.
    #[serde(skip)]
    pub reply: Option<Arc<Value>>,
}

/// How often a change takes effect when the bus did not hear what came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The registry keeps the update's id with the change: a second attempt does nothing.
    ExactlyOnce,
    /// The bus looks whether the change is there before it tries again.
    Confirmed,
    /// The bus tries again, and the registry may apply the change twice.
    AtLeastOnce,
}
