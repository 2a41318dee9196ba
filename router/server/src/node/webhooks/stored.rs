//! What the journal keeps of subscriptions, and under which keys.

use jiff::Timestamp;
use rabita_core::feed::Interest;
use rabita_journal::{Journal, JournalError, Kept, Position};
use rabita_model::{EntityName, Event, EventId, Purpose, RegistryId, SubscriptionId, SystemId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::secret::Secret;

/// A system's wish to be sent events: `subscription/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::node) struct Subscription {
    pub id: SubscriptionId,
    pub system: SystemId,
    /// Where to. Part of it may be the receiver's secret, so it stands in no log.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityName>,
    pub(super) secret: Secret,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
}

/// Why nothing is sent any more, until a replay is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Disabled {
    pub at: Timestamp,
    pub reason: DisabledBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::node) enum DisabledBy {
    /// The receiver answered 410.
    Gone,
    /// Too many events in a row could not be brought.
    Failing,
}

/// How far a subscription has come: `webhook/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Everything up to here was brought, passed over or laid aside.
    pub position: Position,
    /// The event after it that is being brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// How often that was tried.
    #[serde(default)]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Dead letters since an event was brought.
    #[serde(default)]
    pub dead_in_row: u32,
    /// When events were last found to be gone before they could be brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
}

impl Progress {
    pub const fn new(position: Position) -> Self {
        Self { position, event: None, attempts: 0, next_at: None, dead_in_row: 0, missed_at: None }
    }

    /// The event at hand is done with, in whatever way.
    pub fn pass(&mut self, position: Position) {
        self.position = position;
        (self.event, self.attempts, self.next_at) = (None, 0, None);
    }
}

/// An event that could not be brought: `dead/{id}/{event}`. Held whole: what of it may be seen is decided when it is
/// sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Dead {
    pub event: Event,
    pub attempts: u32,
    /// When it was laid aside.
    pub at: Timestamp,
    pub why: String,
}

impl Subscription {
    /// Which events it is of.
    pub fn interest(&self) -> Interest {
        Interest { registry: self.registry.clone(), entity: self.entity.clone() }
    }

    /// What its system is told of it, without the secret.
    pub fn told(&self) -> Value {
        let mut told = json!({ "id": self.id, "url": self.url, "created_at": self.created_at });
        let more = [
            ("registry", self.registry.as_ref().map(RegistryId::as_str)),
            ("entity", self.entity.as_ref().map(EntityName::as_str)),
            ("purpose", self.purpose.as_ref().map(Purpose::as_str)),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                told[name] = value.into();
            }
        }
        told["state"] = if self.disabled.is_some() { "disabled" } else { "active" }.into();
        if let Some(Disabled { at, reason }) = &self.disabled {
            told["disabled_at"] = json!(at);
            told["reason"] = json!(reason);
        }
        told
    }

    pub fn kept(&self) -> Kept {
        keep(subscription_key(self.id), self)
    }
}

impl Progress {
    pub fn kept(&self, id: SubscriptionId) -> Kept {
        keep(progress_key(id), self)
    }
}

impl Dead {
    pub fn kept(&self, id: SubscriptionId) -> Kept {
        keep(dead_key(id, self.event.id), self)
    }

    /// What the subscription's system is told of it.
    pub fn told(&self) -> Value {
        let event = &self.event;
        json!({
            "event": event.id,
            "type": event.kind(),
            "time": event.at,
            "attempts": self.attempts,
            "at": self.at,
            "why": self.why,
        })
    }
}

fn keep(key: String, value: &impl Serialize) -> Kept {
    Kept { key, value: Some(serde_json::to_value(value).expect("ids, words, times and JSON are JSON")) }
}

/// What all subscriptions' keys begin with.
pub(super) const SUBSCRIPTIONS: &str = "subscription/";
/// What the keys of all wishes for a replay begin with.
pub(super) const REPLAYS: &str = "replay/";

pub(super) fn subscription_key(id: SubscriptionId) -> String {
    format!("{SUBSCRIPTIONS}{id}")
}

/// Where the progress is kept, and the duty to bring the subscription's events.
pub(super) fn progress_key(id: SubscriptionId) -> String {
    format!("webhook/{id}")
}

pub(super) fn replay_key(id: SubscriptionId) -> String {
    format!("{REPLAYS}{id}")
}

fn dead_prefix(id: SubscriptionId) -> String {
    format!("dead/{id}/")
}

pub(super) fn dead_key(id: SubscriptionId, event: EventId) -> String {
    format!("{}{event}", dead_prefix(id))
}

/// All subscriptions, by id. What cannot be read is passed over: a newer node may have written it.
pub(super) async fn subscriptions(journal: &dyn Journal) -> Result<Vec<Subscription>, JournalError> {
    let kept = journal.kept(SUBSCRIPTIONS).await?;
    Ok(kept.into_iter().filter_map(|(_, value)| serde_json::from_value(value).ok()).collect())
}

pub(super) async fn subscription(journal: &dyn Journal, id: SubscriptionId) -> Result<Option<Subscription>, JournalError> {
    one(journal, &subscription_key(id)).await
}

pub(super) async fn progress(journal: &dyn Journal, id: SubscriptionId) -> Result<Option<Progress>, JournalError> {
    one(journal, &progress_key(id)).await
}

pub(super) async fn is_replay_asked(journal: &dyn Journal, id: SubscriptionId) -> Result<bool, JournalError> {
    Ok(one::<Value>(journal, &replay_key(id)).await?.is_some())
}

/// A subscription's dead letters, oldest event first.
pub(super) async fn dead(journal: &dyn Journal, id: SubscriptionId) -> Result<Vec<Dead>, JournalError> {
    // An event's id begins with its time, so the order of the keys is the order of the events.
    let kept = journal.kept(&dead_prefix(id)).await?;
    Ok(kept.into_iter().filter_map(|(_, value)| serde_json::from_value(value).ok()).collect())
}

/// Forgets all that is kept of a subscription.
pub(super) async fn forget(journal: &dyn Journal, id: SubscriptionId) -> Result<(), JournalError> {
    let mut keys = vec![subscription_key(id), progress_key(id), replay_key(id)];
    keys.extend(journal.kept(&dead_prefix(id)).await?.into_iter().map(|(key, _)| key));
    let gone = keys.into_iter().map(|key| Kept { key, value: None }).collect();
    journal.publish(Vec::new(), gone).await
}

async fn one<T: for<'de> Deserialize<'de>>(journal: &dyn Journal, key: &str) -> Result<Option<T>, JournalError> {
    let kept = journal.kept(key).await?;
    let own = kept.into_iter().find(|(own, _)| own == key);
    Ok(own.and_then(|(_, value)| serde_json::from_value(value).ok()))
}
