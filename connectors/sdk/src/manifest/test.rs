//! The tests of a manifest.

use rabita_model::{ActionName, FieldName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// Exactly these questions go to the legacy system, in this order, each described in the words of the connector's
    /// kind as far as it matters. Holds on the stand-in alone.
    #[serde(default)]
    pub expect_legacy: Option<Vec<Value>>,
    /// At least these questions go to the legacy system, in this order.
    #[serde(default)]
    pub expect_legacy_includes: Option<Vec<Value>>,
}

/// A change in a test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestChange {
    /// `create`, `replace`, `update`, `delete` or `act`.
    pub operation: ChangeWord,
    /// The record's key.
    #[serde(default)]
    pub key: Option<Value>,
    /// The fields to write.
    #[serde(default)]
    pub record: Map<String, Value>,
    /// For `act`: the action.
    #[serde(default)]
    pub action: Option<ActionName>,
    /// For `act`: the action's request.
    #[serde(default)]
    pub input: Map<String, Value>,
    /// For `act`: exactly this is the action's reply.
    #[serde(default)]
    pub expect_reply: Option<Value>,
}

/// The operations that change a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeWord {
    Create,
    Replace,
    Update,
    Delete,
    Act,
}
