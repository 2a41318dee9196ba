//! What the manifest's `connector:` says beside the settings that every connector over HTTP has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The keys of `connector: { kind: rest, ... }` that are REST's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// What statuses mean where they mean something else than usual.
    #[serde(default)]
    pub errors: Errors,
    /// The header that carries the id of a change, by which the registry tells a change sent twice from two changes.
    #[serde(default)]
    pub idempotency_header: Option<String>,
    /// What is asked to find out whether the registry answers; without it, any answer at the base address will do.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// What statuses mean, and where a reason stands that callers may see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("propertyNames" = { "pattern": "^([1-5][0-9]{2}|refused_code)$" }))]
pub struct Errors {
    /// The dotted path, in the body of a refusal, of a reason code that callers may see.
    #[serde(default)]
    pub refused_code: Option<String>,
    #[serde(flatten)]
    pub statuses: BTreeMap<String, Meaning>,
}

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// It was done.
    Ok,
    /// There is no such record.
    Absent,
    /// The record is not at the expected version, or is there already.
    Conflict,
    /// The registry said no, and will again.
    Refused,
    /// The registry can't work now; nothing was changed.
    Unavailable,
    /// It is open whether a change was applied.
    Unknown,
    /// This is no answer.
    Malformed,
}

/// What is asked to find out whether the registry answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Answered with a 2xx status when all is well.
    pub path: String,
}
