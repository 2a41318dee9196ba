//! What the topics hold: JSON. A consumer of the topics may read it; only nodes write it.

use rabita_model::{Conclusion, Entry, Event, Progress, SystemId, Update, UpdateId};
use serde::{Deserialize, Serialize};

use crate::kafka::topics::{Kind, Topics};
use crate::store::updates::json;
use crate::{Kept, OperatorAct};

/// A system uses an idempotency key. The first claim in the log is the one that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claimed {
    pub(super) system: SystemId,
    pub(super) idempotency_key: String,
    pub(super) id: UpdateId,
    pub(super) digest: String,
}

/// How an update moved on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "moved", rename_all = "snake_case")]
pub(super) enum Outcome {
    Progress {
        id: UpdateId,
        generation: u32,
        progress: Progress,
    },
    /// It is on its way again, at this generation.
    Unparked {
        id: UpdateId,
        generation: u32,
        progress: Progress,
    },
    Concluded(Box<Concluded>),
}

/// An update that ended. Everything but its payload is in here, since its own message is deleted some time after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Concluded {
    pub(super) update: Update,
    pub(super) generation: u32,
    pub(super) progress: Progress,
    pub(super) conclusion: Conclusion,
}

/// A message to be written.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) key: String,
    /// None takes back what the key had before.
    pub(super) body: Option<String>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Record {
    pub(super) fn claimed(topics: &Topics, claimed: &Claimed) -> Self {
        let key = format!("{}/{}", claimed.system, claimed.idempotency_key);
        let partition = topics.claims.partition(&key);
        Self { topic: topics.claims.name.clone(), partition, key, body: Some(json(claimed)), headers: Vec::new() }
    }

    pub(super) fn outcome(topics: &Topics, id: UpdateId, outcome: &Outcome) -> Self {
        let key = id.to_string();
        let partition = topics.outcomes.partition(&key);
        Self { topic: topics.outcomes.name.clone(), partition, key, body: Some(json(outcome)), headers: Vec::new() }
    }

    pub(super) fn concluded(topics: &Topics, mut entry: Entry, conclusion: Conclusion) -> Self {
        entry.update.payload = None;
        let Entry { update, generation, progress, .. } = entry;
        let id = update.id;
        let concluded = Concluded { update, generation, progress, conclusion };
        Self::outcome(topics, id, &Outcome::Concluded(Box::new(concluded)))
    }

    /// A parked update without its payload, which stays in the topic of updates.
    pub(super) fn parked(topics: &Topics, mut entry: Entry) -> Self {
        entry.update.payload = None;
        Self::single(&topics.parked.name, entry.update.id.to_string(), Some(json(&entry)))
    }

    /// An update that is parked no longer.
    pub(super) fn not_parked(topics: &Topics, id: UpdateId) -> Self {
        Self::single(&topics.parked.name, id.to_string(), None)
    }

    /// An event as a CloudEvent in the binary content mode of its Kafka protocol binding: what is about it in headers,
    /// itself in the body.
    pub(super) fn event(topics: &Topics, event: &Event) -> Self {
        let key = format!("{}/{}", event.target.registry, event.target.entity);
        let mut record = Self::single(&topics.events.name, key, Some(json(event)));
        record.headers = vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", event.id.to_string()),
            ("ce_source", event.source()),
            ("ce_type", event.kind()),
            ("ce_time", event.at.to_string()),
            ("content-type", "application/json".to_owned()),
        ];
        record.headers.extend(event.update.map(|id| ("ce_rabitaupdate", id.to_string())));
        record.headers.extend(event.traceparent.clone().map(|trace| ("ce_traceparent", trace)));
        record
    }

    pub(super) fn kept(topics: &Topics, kept: &Kept) -> Self {
        Self::single(&topics.kept.name, kept.key.clone(), kept.value.as_ref().map(json))
    }

    pub(super) fn act(topics: &Topics, act: &OperatorAct) -> Self {
        Self::single(&topics.acts.name, String::new(), Some(json(act)))
    }

    fn single(topic: &str, key: String, body: Option<String>) -> Self {
        Self { topic: topic.to_owned(), partition: 0, key, body, headers: Vec::new() }
    }
}

/// A message that was read.
#[derive(Debug)]
pub(super) enum Message {
    Claimed(Claimed),
    Accepted(Box<Update>),
    Outcome(Outcome),
    Parked(Box<Entry>),
    Event(Box<Event>),
    Kept(Kept),
    Act(OperatorAct),
    /// It says that something is no longer there, which is known from elsewhere.
    Nothing,
}

impl Message {
    /// Understands a message; `None` where no node wrote it.
    pub(super) fn read(kind: Kind, key: &str, body: Option<&[u8]>) -> Option<Self> {
        let Some(body) = body else {
            return Some(match kind {
                Kind::Kept => Self::Kept(Kept { key: key.to_owned(), value: None }),
                _ => Self::Nothing,
            });
        };
        match kind {
            Kind::Claims => serde_json::from_slice(body).map(Self::Claimed),
            Kind::Updates => serde_json::from_slice(body).map(Self::Accepted),
            Kind::Outcomes => serde_json::from_slice(body).map(Self::Outcome),
            Kind::Parked => serde_json::from_slice(body).map(Self::Parked),
            Kind::Events => serde_json::from_slice(body).map(Self::Event),
            Kind::Kept => serde_json::from_slice(body).map(|value| Self::Kept(Kept { key: key.to_owned(), value: Some(value) })),
            Kind::Acts => serde_json::from_slice(body).map(Self::Act),
            Kind::Duties => Ok(Self::Nothing),
        }
        .ok()
    }
}
