//! What an entity's `from:` says: the calls of the service that serve its operations.

use std::collections::BTreeMap;

use rabita_model::Operation;
use rabita_sdk::Ignore;
use rabita_sdk::paging::Paging;
use rabita_sdk::reply::Status;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// An entity's calls, one for each operation that is offered.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    #[serde(default)]
    pub read: Option<ReadCall>,
    #[serde(default)]
    pub search: Option<SearchCall>,
    #[serde(default)]
    pub create: Option<ChangeCall>,
    #[serde(default)]
    pub replace: Option<ChangeCall>,
    #[serde(default)]
    pub update: Option<ChangeCall>,
    #[serde(default)]
    pub delete: Option<ChangeCall>,
    /// Elements below the record that are lists even when there is one or none, as dotted paths (`aliases.alias`).
    /// Groups of the mapping (`each:`) need not be named.
    #[serde(default)]
    pub repeated: Vec<String>,
    /// Calls that bring binary values (Base64), by source: as the record itself, or as an element of the source's name
    /// below it. A binary value that is not named here is taken from the record that `read` brings.
    #[serde(default)]
    pub binary: BTreeMap<String, ReadCall>,
}

/// A call that brings one record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadCall {
    /// The operation's SOAPAction.
    #[serde(default)]
    pub action: String,
    /// The request's element, as a template.
    pub request: Value,
    pub response: RecordResponse,
}

/// Where in an answer a record is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordResponse {
    /// The element in the answer's body. Any other is no answer.
    pub element: String,
    /// The record below that element, as a dotted path; the element itself when not given. When it is not there, is
    /// nil or is empty, there is no such record.
    #[serde(default)]
    pub record: Option<String>,
    #[serde(default)]
    pub status: Option<Status>,
}

/// A call that brings several records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchCall {
    /// The operation's SOAPAction.
    #[serde(default)]
    pub action: String,
    /// The request's element, as a template.
    pub request: Value,
    pub response: RecordsResponse,
    #[serde(default)]
    pub paging: Paging,
    /// Differences that the service overlooks by itself when it compares text.
    #[serde(default)]
    pub ignores: Vec<Ignore>,
}

/// Where in an answer records are, and what it says about more of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsResponse {
    /// The element in the answer's body. Any other is no answer.
    pub element: String,
    /// The repeated element below it that is a record, as a dotted path.
    pub records: String,
    /// Where the cursor of the next page is (`paging: cursor`). The last page has none.
    #[serde(default)]
    pub next: Option<String>,
    /// Where the number of all records found is. Without it a page that is not full is the last.
    #[serde(default)]
    pub total: Option<String>,
    #[serde(default)]
    pub status: Option<Status>,
}

/// A call that changes a record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCall {
    /// The operation's SOAPAction.
    #[serde(default)]
    pub action: String,
    /// The request's element, as a template.
    pub request: Value,
    /// What an answer looks like. Without it any answer that is no fault, or an empty one, means that it is done.
    #[serde(default)]
    pub response: Option<ChangeResponse>,
}

/// What an answer to a change looks like.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeResponse {
    /// The element in the answer's body. Any other is no answer.
    pub element: String,
    #[serde(default)]
    pub status: Option<Status>,
}

/// A call that does a named action.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionCall {
    /// The operation's SOAPAction.
    #[serde(default)]
    pub action: String,
    /// The request's element, as a template.
    pub request: Value,
    /// What an answer looks like. Without it any answer that is no fault, or an empty one, means that it is done.
    #[serde(default)]
    pub response: Option<ActionResponse>,
}

/// What an answer to a named action looks like.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionResponse {
    /// The element in the answer's body. Any other is no answer.
    pub element: String,
    /// The reply below that element, as a dotted path; the element itself when not given.
    #[serde(default)]
    pub reply: String,
    #[serde(default)]
    pub status: Option<Status>,
}

impl Origin {
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
