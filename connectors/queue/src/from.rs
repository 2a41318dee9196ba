//! What an entity's `from:` says: the requests that serve its operations, and where in the replies records are.
//!
//! A dotted path leads from a reply's root to a member; the empty one means the whole reply.

use std::collections::BTreeMap;

use rabita_model::Operation;
use rabita_sdk::paging::Paging;
use rabita_sdk::reply::{AbsentRecords, Status};
use rabita_sdk::{Ignore, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entity's calls, one for each operation that is offered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct From {
    pub read: Option<ReadCall>,
    pub search: Option<SearchCall>,
    pub create: Option<ChangeCall>,
    pub replace: Option<ChangeCall>,
    pub update: Option<ChangeCall>,
    pub delete: Option<ChangeCall>,
    /// Calls that bring binary values (Base64), by source. One that is not named here is taken from the record that `read`
    /// brings.
    pub binary: BTreeMap<Source, BinaryCall>,
}

/// Where a request goes, where it is not where the connector's settings say.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct To {
    /// AMQP: the exchange.
    pub exchange: Option<String>,
    /// AMQP: the routing key; with the default exchange it names the queue.
    pub routing_key: Option<String>,
    /// Kafka: the topic.
    pub topic: Option<String>,
}

/// A call that brings one record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadCall {
    #[serde(default)]
    pub to: To,
    /// The request, as a template.
    pub request: Value,
    #[serde(default)]
    pub response: RecordResponse,
}

/// Where in a reply a record is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordResponse {
    /// The record. When null stands there, there is no such record.
    pub record: String,
    pub status: Option<Status>,
}

/// A call that brings several records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchCall {
    #[serde(default)]
    pub to: To,
    /// The request, as a template.
    pub request: Value,
    #[serde(default)]
    pub response: RecordsResponse,
    #[serde(default)]
    pub paging: Paging,
    /// Differences that the registry overlooks by itself when it compares text.
    #[serde(default)]
    pub ignores: Vec<Ignore>,
}

/// Where in a reply records are, and what it says about more of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsResponse {
    /// The list of records.
    pub records: String,
    /// What it means that there is no list.
    pub absent_records: AbsentRecords,
    /// Where the cursor of the next page is (`paging: cursor`). The last page has none.
    pub next: Option<String>,
    /// Where the number of all records found is. Without it a page that is not full is the last.
    pub total: Option<String>,
    pub status: Option<Status>,
}

/// A call that changes a record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCall {
    #[serde(default)]
    pub to: To,
    /// The request, as a template.
    pub request: Value,
    #[serde(default)]
    pub response: ChangeResponse,
}

/// What a reply to a change says. Without a status any reply that is JSON means that it is done.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeResponse {
    pub status: Option<Status>,
}

/// A call that does a named action.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionCall {
    #[serde(default)]
    pub to: To,
    /// The request, as a template.
    pub request: Value,
    #[serde(default)]
    pub response: ActionResponse,
}

/// What a reply to a named action says.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActionResponse {
    /// The action's own reply.
    pub reply: String,
    pub status: Option<Status>,
}

/// A call that brings a binary value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BinaryCall {
    #[serde(default)]
    pub to: To,
    /// The request, as a template.
    pub request: Value,
    #[serde(default)]
    pub response: BinaryResponse,
}

/// Where in a reply a binary value is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BinaryResponse {
    /// The value, in Base64. When null stands there, or nothing, there is none.
    pub data: String,
    /// Its media type.
    pub media_type: Option<String>,
    pub status: Option<Status>,
}

impl From {
    /// The call that serves an operation which changes records.
    pub(crate) const fn change(&self, operation: Operation) -> Option<&ChangeCall> {
        match operation {
            Operation::Create => self.create.as_ref(),
            Operation::Replace => self.replace.as_ref(),
            Operation::Update => self.update.as_ref(),
            Operation::Delete => self.delete.as_ref(),
            Operation::Read | Operation::Search | Operation::Act | Operation::Subscribe => None,
        }
    }
}
