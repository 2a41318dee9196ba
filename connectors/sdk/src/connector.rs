//! The trait that a connector implements, and the one that makes connectors.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_model::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::message::{
    Act, Acted, Applied, BinaryStream, Call, Change, ChangePage, Changes, OpenBinary, Page, Read, RegistrySpec, Search,
};
use crate::survey::{Foreseen, Recognised, Survey, SurveyError, SurveyLimits, SurveySource};
use crate::{Double, Failure, Finding, Ignore, Legacy, Row, Secrets};

/// A connection to one registry. Cheap to share; calls run side by side.
///
/// `connectors/SPEC.md` says what each method must hold; the battery tests it.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What this connector can do for the entity at this place.
    fn capabilities(&self, entity: usize) -> Capabilities;

    /// Whether the registry answers, found out with the least burden on it.
    ///
    /// # Errors
    /// What keeps it from answering.
    async fn probe(&self, call: &Call) -> Result<(), Failure>;

    /// One record, or `None` when there is none.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn read(&self, ask: Read, call: &Call) -> Result<Option<Row>, Failure>;

    /// Several records, in the order of the keys; `None` where there is none. All asks are of the same entity and
    /// want the same.
    ///
    /// The default reads one after the other.
    ///
    /// # Errors
    /// See [`Failure`]; the first one ends the call.
    async fn read_many(&self, asks: Vec<Read>, call: &Call) -> Result<Vec<Option<Row>>, Failure> {
        let mut rows = Vec::with_capacity(asks.len());
        for ask in asks {
            rows.push(self.read(ask, call).await?);
        }
        Ok(rows)
    }

    /// One page of records.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn search(&self, ask: Search, call: &Call) -> Result<Page, Failure>;

    /// One change.
    ///
    /// # Errors
    /// See [`Failure`]. After `TimedOut` and `Unknown` it is open whether the change was applied.
    async fn apply(&self, change: Change, call: &Call) -> Result<Applied, Failure>;

    /// One named action.
    ///
    /// The default can't do any.
    ///
    /// # Errors
    /// See [`Failure`]. After `TimedOut` and `Unknown` it is open whether the action was applied.
    async fn act(&self, act: Act, call: &Call) -> Result<Acted, Failure> {
        let _ = (act, call);
        Err(Failure::unsupported("this kind of connector has no actions"))
    }

    /// Sees to it that a change or action is never applied, unless it has been; tells whether it has been. Only a
    /// connector that stores ids can: it stores the id without the change.
    ///
    /// The default can't.
    ///
    /// # Errors
    /// See [`Failure`]. After any it is open whether the change will be applied.
    async fn forgo(&self, entity: usize, id: Uuid, call: &Call) -> Result<bool, Failure> {
        let _ = (entity, id, call);
        Err(Failure::unsupported("this kind of connector stores no ids"))
    }

    /// Changes that were made in the legacy system since a place.
    ///
    /// The default can't find any.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn changes(&self, ask: Changes, call: &Call) -> Result<ChangePage, Failure> {
        let _ = (ask, call);
        Err(Failure::unsupported("this kind of connector finds no changes"))
    }

    /// One binary value, or `None` when there is no such record or it has none.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn open_binary(&self, ask: OpenBinary, call: &Call) -> Result<Option<BinaryStream>, Failure>;

    /// The rows of a code table, by its place in [`RegistrySpec::tables`]; each row has the table's columns in order.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn table(&self, table: usize, call: &Call) -> Result<Vec<Vec<Legacy>>, Failure>;

    /// Closes the connections; calls under way may fail.
    async fn close(&self);
}

/// What a connector can do for one entity; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// [`Operation::Act`] stands for the entity's actions, [`Operation::Subscribe`] for finding its changes.
    pub operations: BTreeSet<Operation>,
    /// Several keys cost the legacy system one question.
    pub reads_many_at_once: bool,
    /// The legacy system is asked only for what is wanted.
    pub projects: bool,
    /// Differences that a search can overlook.
    pub ignores: Vec<Ignore>,
    /// Serves binary values.
    pub streams_binary: bool,
    /// Changes can depend on a version.
    pub checks_versions: bool,
    /// What becomes of a change that is sent twice.
    pub duplicates: Duplicates,
}

/// What becomes of a change that is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// The connector stores the id with the change: the second is answered with [`Applied::Before`].
    Detected,
    /// The id goes to the legacy system, which is said to detect it.
    HandedOn,
    /// Nothing tells the second from the first.
    #[default]
    Applied,
}

/// A kind of legacy technology: checks settings and opens connectors.
#[async_trait]
pub trait Kind: Send + Sync {
    /// The word in `connector: { kind: ... }`.
    fn name(&self) -> &'static str;

    /// The JSON Schema (2020-12) of the manifest's `connector:`, without its `kind`.
    fn settings_schema(&self) -> Value;

    /// The JSON Schema (2020-12) of an entity's `from:`.
    fn entity_schema(&self) -> Value;

    /// The JSON Schema (2020-12) of an action's `from:`; `None` for a kind that has no actions.
    fn action_schema(&self) -> Option<Value> {
        None
    }

    /// The JSON Schema (2020-12) of the `from:` of an entity's `changes:`; `None` for a kind that finds no changes.
    fn changes_schema(&self) -> Option<Value> {
        None
    }

    /// The JSON Schema (2020-12) of a test's `legacy:`.
    fn fixture_schema(&self) -> Value;

    /// The JSON Schema (2020-12) of one question that goes to the legacy system, as a test's `expect_legacy:` describes
    /// it: no member is required, for what a test leaves out may be anything. `None` for a kind whose stand-in cannot tell
    /// what it was asked; a test that says what must be asked is then refused.
    fn asked_schema(&self) -> Option<Value> {
        None
    }

    /// A test's `legacy:` with which the stand-in holds no record, and stores those that are made in it. `None` for a kind
    /// whose stand-in only answers what is foreseen.
    fn empty_fixture(&self) -> Option<Value> {
        None
    }

    /// Everything wrong with a registry that the schemas can't say. The schemas hold when this is called.
    fn check(&self, spec: &RegistrySpec) -> Vec<Finding>;

    /// Opens a connector. Does not need the registry: one that is down is found by [`Connector::probe`].
    ///
    /// # Errors
    /// When a secret or a file is missing or unusable.
    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError>;

    /// Opens a connector on a stand-in for the legacy system that holds a test's `legacy:`. Nothing of the settings
    /// that leads to the real one is used.
    ///
    /// # Errors
    /// When the stand-in can't be made from it.
    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError>;

    /// Whether an address is of this kind, as far as its form and the beginning of what is there tell.
    ///
    /// The default never is.
    fn recognises(&self, source: &SurveySource) -> Recognised {
        let _ = source;
        Recognised::No
    }

    /// Asks the legacy system what it holds, without changing anything in it.
    ///
    /// The default can't.
    ///
    /// # Errors
    /// See [`SurveyError`].
    async fn survey(&self, source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        let _ = (source, secrets, limits);
        Err(SurveyError::Unaskable)
    }

    /// A test's `legacy:` that holds made-up rows, so that a stand-in answers a question by them.
    ///
    /// The default has none: such a test is not drafted.
    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        let _ = foreseen;
        None
    }
}

/// Why a connector can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);

/// The kinds that a binary was built with.
#[derive(Clone, Default)]
pub struct Kinds(Vec<Arc<dyn Kind>>);

impl Kinds {
    /// Takes the kinds.
    #[must_use]
    pub fn new(kinds: Vec<Arc<dyn Kind>>) -> Self {
        Self(kinds)
    }

    /// The kind of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Kind>> {
        self.0.iter().find(|kind| kind.name() == name)
    }

    /// All kinds.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.0.iter()
    }
}
