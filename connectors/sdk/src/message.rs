//! The messages between the router and a connector: legacy terms only, and nothing of HTTP's contract side.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use rabita_model::{ActionName, Comparison, ExchangeId, Operation, RegistryId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Failure, Legacy, Row, Source};

/// What goes with every message. Dropping the future of a call cancels it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The exchange this belongs to, for the legacy system's logs.
    pub exchange: ExchangeId,
    /// When the answer must be there. A connector never works past it.
    pub deadline: Instant,
    /// The `traceparent` (W3C Trace Context) to hand on where the legacy protocol has a place for it.
    pub traceparent: Option<String>,
}

impl Call {
    /// The time left, zero when the deadline has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// The legacy values that are wanted of an entity. A connector that can asks the legacy system for no others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Wanted {
    /// Values of the record itself.
    pub sources: Vec<Source>,
    /// Values of its repeated groups; a group stands in the row under its name, as a list of groups.
    pub groups: Vec<GroupSpec>,
}

/// A repeated group: its name in the manifest (`each:`), and the values of each of its items.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupSpec {
    pub name: Source,
    pub sources: Vec<Source>,
}

/// Asks for one record.
#[derive(Debug, Clone)]
pub struct Read {
    /// The entity's place in [`RegistrySpec::entities`].
    pub entity: usize,
    /// The key: one legacy value for each of [`EntitySpec::key`], in that order.
    pub key: Vec<Legacy>,
    pub wanted: Wanted,
}

/// Asks for one page of records.
#[derive(Debug, Clone)]
pub struct Search {
    pub entity: usize,
    /// All must hold.
    pub conditions: Vec<Condition>,
    pub wanted: Wanted,
    /// How many records at most, from 1 on.
    pub limit: usize,
    /// Where the page begins: the `next` of the page before.
    pub cursor: Option<String>,
}

/// One condition of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub source: Source,
    pub comparison: Comparison,
    pub value: Legacy,
    pub ignore: Vec<Ignore>,
}

/// A difference that a search overlooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ignore {
    /// Upper and lower case.
    Case,
    /// Blanks before and after the text.
    OuterSpaces,
}

/// One page of a search.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The records, in an order that stays the same from page to page.
    pub rows: Vec<Row>,
    /// The opaque beginning of the next page; `None` on the last.
    pub next: Option<String>,
}

/// Asks for a change of one record.
#[derive(Debug, Clone)]
pub struct Change {
    pub entity: usize,
    /// Names the change: the same change sent twice has the same id.
    pub id: uuid::Uuid,
    pub kind: ChangeKind,
    /// The key, as in [`Read::key`].
    pub key: Vec<Legacy>,
    /// The new legacy values by source. Empty for a delete; for a create it holds the key's values too.
    pub values: Row,
    /// Apply only if [`EntitySpec::version`] has this value.
    pub expected_version: Option<Legacy>,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    Create,
    Replace,
    Update,
    Delete,
}

impl ChangeKind {
    /// The operation of the contract that this serves.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Replace => Operation::Replace,
            Self::Update => Operation::Update,
            Self::Delete => Operation::Delete,
        }
    }
}

/// How a change ended, when the legacy system took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Done now.
    Done,
    /// This very change had been done before; nothing was done now. Only a connector that stores ids answers so.
    Before,
    /// There is no such record to change.
    Absent,
    /// The record is not at the expected version, or a record to create is there already.
    Conflict,
}

/// Asks for a named action on one record.
#[derive(Debug, Clone)]
pub struct Act {
    pub entity: usize,
    /// The action's place in [`EntitySpec::actions`].
    pub action: usize,
    /// Names the action: the same one sent twice has the same id.
    pub id: uuid::Uuid,
    /// The key, as in [`Read::key`].
    pub key: Vec<Legacy>,
    /// The legacy values of the action's request, by source.
    pub values: Row,
    /// Act only if [`EntitySpec::version`] has this value.
    pub expected_version: Option<Legacy>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    pub applied: Applied,
    /// What the legacy system answered; none where it was not done now.
    pub reply: Option<Row>,
}

/// Asks for changes that were made in the legacy system, by whomever.
#[derive(Debug, Clone)]
pub struct Changes {
    pub entity: usize,
    /// Where to go on: the `since` of the page before. Without it, no changes are given, only the place that is now.
    pub since: Option<String>,
    pub wanted: Wanted,
    /// How many changes at most, from 1 on.
    pub limit: usize,
}

/// One page of changes, in the order in which they were made.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePage {
    pub changes: Vec<Detected>,
    /// Opaque: where the next page begins.
    pub since: String,
    /// Whether there are more changes already.
    pub has_more: bool,
}

/// A change that was made in the legacy system.
#[derive(Debug, Clone, PartialEq)]
pub enum Detected {
    /// The record as it is now; what was wanted, and the key.
    Row(Row),
    /// The record's key alone.
    Key { key: Vec<Legacy>, is_gone: bool },
}

/// Asks for one binary value.
#[derive(Debug, Clone)]
pub struct OpenBinary {
    pub entity: usize,
    pub key: Vec<Legacy>,
    pub source: Source,
}

/// A binary value on its way.
pub struct BinaryStream {
    /// Its length in bytes, where the legacy system tells.
    pub length: Option<u64>,
    /// Its media type, where the legacy system tells.
    pub media_type: Option<String>,
    pub chunks: Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>,
}

/// A registry as its connector sees it: the manifest without contract and codecs.
#[derive(Debug, Clone)]
pub struct RegistrySpec {
    pub registry: RegistryId,
    /// The manifest's `connector:` without `kind`, in the form of [`crate::Kind::settings_schema`].
    pub settings: Value,
    pub entities: Vec<EntitySpec>,
    /// Tables of codes that the connector has to read, in the order of the manifest.
    pub tables: Vec<TableSpec>,
    /// The longest that one call may take.
    pub timeout: Duration,
    /// The most calls that are under way at once.
    pub concurrency: usize,
    /// What relative file names are relative to.
    pub directory: PathBuf,
}

/// An entity as its connector sees it.
#[derive(Debug, Clone)]
pub struct EntitySpec {
    /// `v1/persons`, for error texts.
    pub name: String,
    /// Where `from` stands in the manifest, as a JSON Pointer, for findings.
    pub pointer: String,
    /// The manifest's `from:`, in the form of [`crate::Kind::entity_schema`].
    pub from: Value,
    /// The sources that identify a record.
    pub key: Vec<Source>,
    /// Everything that can be wanted or changed, with its place in the manifest for findings.
    pub wanted: Wanted,
    /// The places in the manifest of the sources in `wanted`, as JSON Pointers, for findings.
    pub places: Vec<(Source, String)>,
    /// Binary values, each read by itself.
    pub binary: Vec<Source>,
    pub filters: Vec<FilterSpec>,
    pub operations: BTreeSet<Operation>,
    /// The sources that each operation which changes records may write, with their places in the manifest.
    pub written: Vec<(Operation, Source, String)>,
    /// The source that changes whenever the record does.
    pub version: Option<Source>,
    /// The named actions, in the order of the manifest.
    pub actions: Vec<ActSpec>,
    /// Where changes are found that others made.
    pub changes: Option<FeedSpec>,
}

/// A named action as its connector sees it.
#[derive(Debug, Clone)]
pub struct ActSpec {
    pub name: ActionName,
    /// Where its `from` stands in the manifest, as a JSON Pointer.
    pub pointer: String,
    /// The action's `from:`, in the form of [`crate::Kind::action_schema`].
    pub from: Value,
    /// The sources that its request is made of, with their places in the manifest.
    pub values: Vec<(Source, String)>,
    /// What is wanted of its answer; none where it answers nothing.
    pub reply: Option<Wanted>,
}

/// Where an entity's changes are found.
#[derive(Debug, Clone)]
pub struct FeedSpec {
    /// Where its `from` stands in the manifest, as a JSON Pointer.
    pub pointer: String,
    /// The `from:` of `changes:`, in the form of [`crate::Kind::changes_schema`].
    pub from: Value,
}

/// A source that a search can compare.
#[derive(Debug, Clone)]
pub struct FilterSpec {
    pub source: Source,
    pub comparisons: BTreeSet<Comparison>,
    pub ignore: Vec<Ignore>,
    /// Where it stands in the manifest, as a JSON Pointer.
    pub pointer: String,
}

/// A table of codes in the registry itself.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The code list's name in the manifest.
    pub name: String,
    /// Where its `from` stands in the manifest, as a JSON Pointer.
    pub pointer: String,
    /// As an entity's `from`.
    pub from: Value,
    /// The columns to read, in this order.
    pub columns: Vec<Source>,
}
