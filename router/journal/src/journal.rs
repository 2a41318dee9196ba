//! The interface that both engines have.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rabita_model::{Code, Conclusion, Entry, Event, Progress, RegistryId, State, SystemId, Trouble, Update, UpdateId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The durable, ordered store of updates, outcomes and events. Cheap to share; calls run side by side.
///
/// Whatever changes the journal is durable when the call returns without an error. After an error of
/// [`JournalError::Unavailable`] it is open whether it was done; the same call again does it once.
#[async_trait]
pub trait Journal: Send + Sync {
    // --- for callers

    /// What a system used an idempotency key for. As new as the newest acceptance by any node.
    async fn claim(&self, system: &SystemId, idempotency_key: &str) -> Result<Option<Claim>, JournalError>;

    /// Takes an update on, unless its system used the idempotency key before.
    ///
    /// # Errors
    /// [`JournalError::Full`], [`JournalError::Unavailable`].
    async fn accept(&self, update: Update) -> Result<Accepted, JournalError>;

    /// One update, and how it stands.
    async fn entry(&self, id: UpdateId) -> Result<Option<Entry>, JournalError>;

    /// Whether an update of this record ([`Update::record`]) is not concluded.
    async fn is_waiting(&self, registry: &RegistryId, record: &str) -> Result<bool, JournalError>;

    /// Updates in the order of acceptance.
    async fn entries(&self, filter: &Filter) -> Result<Page, JournalError>;

    /// Waits until an update is parked or concluded. Never returns before; the caller sets the time.
    async fn settled(&self, id: UpdateId) -> Result<Entry, JournalError>;

    // --- for delivery

    /// Waits for the next update of a registry that this node has to deliver.
    ///
    /// Each update is given once in the life of a process, in the order of acceptance for each record; after a restart,
    /// or when this node takes over from another, those that are not concluded are given again. One that was parked is
    /// given again when a person sends it on its way. Dropping the future loses nothing.
    async fn take(&self, registry: &RegistryId) -> Result<Lease, JournalError>;

    /// Notes how far an update has come.
    ///
    /// # Errors
    /// [`JournalError::Lost`] when another node has the update now.
    async fn progress(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError>;

    /// Ends an update and publishes its events, both or neither. The payload is forgotten.
    ///
    /// # Errors
    /// [`JournalError::Lost`] when another node has the update now.
    async fn conclude(&self, lease: &Lease, conclusion: Conclusion, events: Vec<Event>) -> Result<(), JournalError>;

    /// Lays an update aside for a person.
    ///
    /// # Errors
    /// [`JournalError::Lost`] when another node has the update now.
    async fn park(&self, lease: &Lease, progress: Progress) -> Result<(), JournalError>;

    // --- for operators

    /// Sends parked updates on their way again or discards them, and records the act. Answers for each id.
    ///
    /// A retry takes with it what is parked behind the same record. An update whose record has an earlier parked one
    /// that is not among these answers [`Acted::Behind`].
    async fn act(&self, act: OperatorAct) -> Result<Vec<(UpdateId, Acted)>, JournalError>;

    /// The operators' acts, newest first.
    async fn acts(&self, limit: usize) -> Result<Vec<OperatorAct>, JournalError>;

    /// How many updates wait, by registry. Only registries with some.
    async fn depths(&self) -> Result<Vec<Depth>, JournalError>;

    // --- for events

    /// Events after a position, oldest first; from the oldest kept where no position is given.
    ///
    /// # Errors
    /// [`JournalError::PositionInvalid`] when the position is not of this journal.
    async fn events(&self, after: Option<&Position>, limit: usize) -> Result<EventPage, JournalError>;

    /// The position after the newest event.
    async fn newest(&self) -> Result<Position, JournalError>;

    /// Changes whenever there are new events.
    fn news(&self) -> watch::Receiver<u64>;

    /// Publishes events and keeps values, all or nothing. For what changes past the updates: detection, webhooks.
    async fn publish(&self, events: Vec<Event>, kept: Vec<Kept>) -> Result<(), JournalError>;

    /// The kept values whose keys begin so, by key.
    async fn kept(&self, prefix: &str) -> Result<Vec<(String, Value)>, JournalError>;

    /// Whether a duty that only one node may have is this node's at the moment.
    fn holds(&self, duty: &str) -> bool;

    // --- for the node

    /// Whether it can take updates on; if not, why, for operators.
    fn health(&self) -> Result<(), String>;

    /// Writes what is under way and gives back what it holds.
    async fn close(&self);
}

/// What came of an acceptance.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// The update is the journal's now.
    New,
    /// The system used the key before. The update was not taken on.
    Known(Claim),
}

/// What an idempotency key was used for.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub id: UpdateId,
    /// [`Update::digest`] of the first use.
    pub digest: String,
}

/// An update that this node delivers.
#[derive(Debug, Clone)]
pub struct Lease {
    pub entry: Entry,
    /// An earlier update of the same record that is parked: this one must not overtake it.
    pub behind: Option<UpdateId>,
    /// Cancelled when another node has the update now.
    pub lost: CancellationToken,
    /// The engine's own mark of where it came from.
    pub ticket: u64,
}

/// Which updates are listed. What is not given does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    pub registry: Option<RegistryId>,
    pub system: Option<SystemId>,
    pub state: Option<State>,
    /// The code of what came in the way, or why it was not applied.
    pub code: Option<Code>,
    /// Accepted before.
    pub before: Option<Timestamp>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// One record: [`Update::record`].
    pub record: Option<String>,
    /// Begins after this page: [`Page::next`].
    pub cursor: Option<String>,
    /// At most so many; 100 where it is 0.
    pub limit: usize,
}

/// Some updates. Their payloads are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub updates: Vec<Entry>,
    /// Where the next page begins; `None` on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What an operator does with parked updates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorAct {
    pub verb: Verb,
    pub ids: Vec<UpdateId>,
    /// Who does it, as they say.
    pub operator: String,
    /// Why, as they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// What can be done with parked updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Sends it on its way again, with a new count of attempts.
    Retry,
    /// Ends it: refused, with the code `update_discarded`.
    Discard,
}

/// What came of an operator's act on one update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Acted {
    Done,
    /// There is no such update.
    Absent,
    /// It is not parked.
    NotParked {
        state: State,
    },
    /// An earlier update of the same record is parked: retry or discard that one first, or both together.
    Behind {
        id: UpdateId,
    },
}

/// How many updates of one registry wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Depth {
    pub registry: RegistryId,
    /// On their way.
    pub waiting: u64,
    pub parked: u64,
    /// When the oldest that is on its way was accepted.
    pub oldest: Option<Timestamp>,
}

/// A place in the sequence of events. Opaque; printable ASCII without blanks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub String);

/// Some events, each with its position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    pub events: Vec<(Position, Event)>,
    /// The position asked for is older than the oldest event that is kept: some were missed.
    pub has_gap: bool,
}

/// A value to keep under a key, or, without a value, to forget.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub key: String,
    pub value: Option<Value>,
}

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk is full, or as many updates wait as the configuration allows. Nothing was done.
    #[error("the journal is full: {0}")]
    Full(String),
    /// The disk or the brokers fail.
    #[error("the journal is unavailable: {0}")]
    Unavailable(String),
    /// Another node has the update now, or it is concluded.
    #[error("the update is no longer this node's")]
    Lost,
    /// The position is not one of this journal.
    #[error("the position is not one of this journal")]
    PositionInvalid,
    /// What is stored cannot be read.
    #[error("the journal holds what it did not write: {0}")]
    Corrupt(String),
}

/// For how long things are kept. Of an update that is not concluded nothing is ever forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Concluded updates and their idempotency keys.
    pub updates: Duration,
    /// Events.
    pub events: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { updates: Duration::from_secs(7 * 86_400), events: Duration::from_secs(7 * 86_400) }
    }
}

/// [`Trouble`] of an update that must not overtake a parked one.
#[must_use]
pub fn behind(id: UpdateId) -> Trouble {
    Trouble { code: Code::UpdateBehind, detail: Some(format!("behind {id}")) }
}
