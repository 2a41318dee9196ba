//! An event: a fact that is published after a record changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ActionName, EventId, FieldName, Target, UpdateId};

/// A change that happened. It holds everything that is known; what of it a subscriber sees, its grants say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub target: Target,
    #[serde(flatten)]
    pub happened: Happened,
    /// When it was known to the bus.
    pub at: Timestamp,
    /// The key fields of the record, nested as in the record.
    pub key: Map<String, Value>,
    /// The fields that were written, or, where a registry's own change was detected, all that were read.
    pub changed: Vec<FieldName>,
    /// The values of the changed fields after the change, nested as in the record; empty for a deletion.
    pub record: Map<String, Value>,
    /// The update that made it; none where the registry was changed past the bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Event {
    /// Its `type` as a CloudEvent: `rabita.population.v1.persons.updated`.
    #[must_use]
    pub fn kind(&self) -> String {
        let target = &self.target;
        format!("rabita.{}.{}.{}.{}", target.registry, target.version, target.entity, self.happened.word())
    }

    /// Its `source` as a CloudEvent: `/api/population/v1/persons`.
    #[must_use]
    pub fn source(&self) -> String {
        format!("/api/{}", self.target)
    }
}

/// What happened to the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "happened", content = "action", rename_all = "lowercase")]
pub enum Happened {
    Created,
    Replaced,
    Updated,
    Deleted,
    /// An action was applied.
    Acted(ActionName),
    /// The registry was changed past the bus, and says no more than that.
    Changed,
}

impl Happened {
    /// The last word of the event's type: `created`, `acted.revoke`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Created => "created".to_owned(),
            Self::Replaced => "replaced".to_owned(),
            Self::Updated => "updated".to_owned(),
            Self::Deleted => "deleted".to_owned(),
            Self::Acted(action) => format!("acted.{action}"),
            Self::Changed => "changed".to_owned(),
        }
    }
}
