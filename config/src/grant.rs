//! `grants/*.yaml` and `grants/{agency}/*.yaml`: what systems may do with a registry. The file belongs to the agency that
//! owns the registry; in a folder of that agency it can be given to its people alone.

use rabita_model::{ActionName, EntityName, FieldName, GroupId, Operation, Purpose, RegistryId, SystemId, Version};
use rabita_sdk::manifest::{ClockTime, Weekday, Zone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The grants of one registry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    pub registry: RegistryId,
    pub grants: Vec<Grant>,
}

/// What one system, or each of a group, may do with one entity. All conditions must hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The system. Either this or `group` is given.
    #[serde(default)]
    pub system: Option<SystemId>,
    /// A group of systems, of `agencies.yaml`.
    #[serde(default)]
    pub group: Option<GroupId>,
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
    /// Which records: an expression in CEL over `record` (the record in the contract's terms), `caller` (the attributes of
    /// the system) and `today`. A record for which it is not true is, to the caller, not there.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub rows: Option<String>,
    /// When it holds; left out, always.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub hours: Vec<Hours>,
    /// The request must be signed (RFC 9421) with a key of the system.
    #[serde(default)]
    pub signature: Option<Required>,
    /// The person's consent must be named, and hold.
    #[serde(default)]
    pub consent: Option<Required>,
    /// The caller must show an access token that is bound to its client certificate (RFC 8705).
    #[serde(default)]
    pub binding: Option<Required>,
}

/// Hours at which a grant holds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// On these days; left out, on every day.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub days: Option<Vec<Weekday>>,
    /// From this time of day, `HH:MM`.
    pub from: ClockTime,
    /// Until this time of day, `HH:MM`; earlier than `from`, it is on the next day.
    pub to: ClockTime,
    /// The time zone, such as `Asia/Baku`.
    pub zone: Zone,
}

/// The word `required`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Required {
    Required,
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
