//! The messages of the wire contract, as JSON. `connectors/wire/SPEC.md` says what they mean.
//!
//! A reader passes over members that it does not know: a later version adds members and calls, and takes none away.

use std::collections::BTreeMap;

use rabita_model::{Comparison, Operation};
use rabita_sdk::{Capabilities, Duplicates, Ignore, Source};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::value::{Exact, ExactRow};
use crate::version::Versions;

/// `describe`: the bus says which versions it speaks, and asks what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Describe {
    pub wire: Versions,
}

/// What there is behind a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// The version that is spoken from now on.
    pub wire: u16,
    /// The name of this program among those that serve the same registries.
    pub instance: String,
    /// What it is, for operators: name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    pub registries: Vec<RegistryDescription>,
}

/// One registry that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryDescription {
    pub registry: String,
    pub entities: Vec<EntityDescription>,
}

/// One entity that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntityDescription {
    pub entity: String,
    pub capabilities: CapabilitiesMessage,
    /// Of a program that has a manifest: a digest of each part of it that both sides must have alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<BTreeMap<String, String>>,
}

/// What can be done with an entity. What is left out cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilitiesMessage {
    /// `act` stands for its actions, `subscribe` for finding the changes of others.
    pub operations: Vec<Operation>,
    #[serde(default)]
    pub reads_many_at_once: bool,
    #[serde(default)]
    pub projects: bool,
    #[serde(default)]
    pub ignores: Vec<Ignore>,
    #[serde(default)]
    pub streams_binary: bool,
    #[serde(default)]
    pub checks_versions: bool,
    #[serde(default)]
    pub duplicates: Duplicates,
}

/// `welcome`: what the bus made of the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// Whether the connection is used. If not, the bus ends it after this.
    pub accepted: bool,
    /// For the operator of whatever dialled: what is not used, and why. One text for each.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// `probe`, and the answer to it and to `welcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// The values that are wanted of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WantedMessage {
    pub sources: Vec<Source>,
    #[serde(default)]
    pub groups: Vec<GroupMessage>,
}

/// A repeated group that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMessage {
    pub name: Source,
    pub sources: Vec<Source>,
}

/// `read`: one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadMessage {
    pub entity: String,
    pub key: Vec<Exact>,
    pub wanted: WantedMessage,
}

/// The record, or null where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowAnswer {
    pub row: Option<ExactRow>,
}

/// `read_many`: several records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadManyMessage {
    pub entity: String,
    pub keys: Vec<Vec<Exact>>,
    pub wanted: WantedMessage,
}

/// One for each key, in the order of the keys; null where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsAnswer {
    pub rows: Vec<Option<ExactRow>>,
}

/// `search`: one page of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchMessage {
    pub entity: String,
    /// All must hold.
    pub conditions: Vec<ConditionMessage>,
    pub wanted: WantedMessage,
    /// So many records at most.
    #[schemars(range(min = 1))]
    pub limit: usize,
    /// The `next` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionMessage {
    pub source: Source,
    pub comparison: Comparison,
    pub value: Exact,
    #[serde(default)]
    pub ignore: Vec<Ignore>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PageAnswer {
    pub rows: Vec<ExactRow>,
    /// Opaque; null on the last page.
    #[serde(default)]
    pub next: Option<String>,
}

/// `apply`: one change of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeMessage {
    pub entity: String,
    /// The same change sent twice has the same id.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    pub change: ChangeWord,
    pub key: Vec<Exact>,
    pub values: ExactRow,
    /// Apply only if the record's version has this value. Left out, at any version.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Exact")]
    pub expected_version: Option<Exact>,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeWord {
    Create,
    Replace,
    Update,
    Delete,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedAnswer {
    pub applied: AppliedWord,
}

/// How a change ended, where the legacy system took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppliedWord {
    /// Done now.
    Done,
    /// This very change was done before, or forgone; nothing was done now.
    Before,
    /// There is no such record.
    Absent,
    /// The record is not at the expected version, or one to create is there already.
    Conflict,
}

/// `act`: one named action on one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActMessage {
    pub entity: String,
    pub action: String,
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    pub key: Vec<Exact>,
    pub values: ExactRow,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Exact")]
    pub expected_version: Option<Exact>,
}

/// How it ended, and what the legacy system answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActedAnswer {
    pub applied: AppliedWord,
    #[serde(default)]
    pub reply: Option<ExactRow>,
}

/// `forgo`: sees to it that a change is never applied, unless it has been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgoMessage {
    pub entity: String,
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
}

/// Whether it has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgoAnswer {
    pub was_applied: bool,
}

/// `changes`: what changed in the legacy system since a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesMessage {
    pub entity: String,
    /// Null asks for the place that is now, and no changes.
    #[serde(default)]
    pub since: Option<String>,
    pub wanted: WantedMessage,
    #[schemars(range(min = 1))]
    pub limit: usize,
}

/// One page of changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesAnswer {
    pub changes: Vec<DetectedMessage>,
    /// Opaque: where the next page begins.
    pub since: String,
    pub has_more: bool,
}

/// One change: the record as it is now, or its key alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectedMessage {
    Row(ExactRow),
    Key(Vec<Exact>),
    /// The key of a record that is no more.
    Gone(Vec<Exact>),
}

/// `open_binary`: one binary value. The answer is its bytes; 204 where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BinaryMessage {
    pub entity: String,
    pub key: Vec<Exact>,
    pub source: Source,
}

/// `table`: the rows of a table of codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableMessage {
    pub table: String,
    pub columns: Vec<Source>,
}

/// Each row with the columns in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableAnswer {
    pub rows: Vec<Vec<Exact>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureMessage {
    pub failure: FailureWord,
    /// For operators: the step, and the legacy system's own code. Never a value of a request or a record.
    #[serde(default)]
    pub detail: String,
    /// Of a refusal: a code that callers may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of `unavailable`: when it is worth to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Of `version`: what is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<Versions>,
}

/// How a call can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureWord {
    /// The legacy system understood, and said no.
    Refused,
    /// It cannot be reached, or cannot work now. Nothing was changed.
    Unavailable,
    /// The deadline passed. Of a change it is unknown whether it was applied.
    TimedOut,
    /// It is unknown whether a change was applied.
    Unknown,
    /// The legacy system answered with something that is no answer.
    Malformed,
    /// This is not served.
    Unsupported,
    /// None of the versions is spoken.
    Version,
}

/// A value that is there, null included; the default is one that was left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Exact>, D::Error> {
    Exact::deserialize(deserializer).map(Some)
}

impl From<Capabilities> for CapabilitiesMessage {
    fn from(can: Capabilities) -> Self {
        Self {
            operations: can.operations.into_iter().collect(),
            reads_many_at_once: can.reads_many_at_once,
            projects: can.projects,
            ignores: can.ignores,
            streams_binary: can.streams_binary,
            checks_versions: can.checks_versions,
            duplicates: can.duplicates,
        }
    }
}

/// The JSON Schemas of all messages: for each call its name, its request and its answer.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema, Schema)> {
    let bytes = schemars::json_schema!({ "description": "No JSON: the bytes of the value, or status 204.", "not": {} });
    vec![
        ("describe", schema_for!(Describe), schema_for!(Description)),
        ("welcome", schema_for!(Welcome), schema_for!(Nothing)),
        ("probe", schema_for!(Nothing), schema_for!(Nothing)),
        ("read", schema_for!(ReadMessage), schema_for!(RowAnswer)),
        ("read_many", schema_for!(ReadManyMessage), schema_for!(RowsAnswer)),
        ("search", schema_for!(SearchMessage), schema_for!(PageAnswer)),
        ("apply", schema_for!(ChangeMessage), schema_for!(AppliedAnswer)),
        ("act", schema_for!(ActMessage), schema_for!(ActedAnswer)),
        ("forgo", schema_for!(ForgoMessage), schema_for!(ForgoAnswer)),
        ("changes", schema_for!(ChangesMessage), schema_for!(ChangesAnswer)),
        ("open_binary", schema_for!(BinaryMessage), bytes),
        ("table", schema_for!(TableMessage), schema_for!(TableAnswer)),
    ]
}
