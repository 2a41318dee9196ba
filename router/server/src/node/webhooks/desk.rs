//! What callers ask about their subscriptions. A system sees its own and no other's.

use std::sync::Arc;

use jiff::Timestamp;
use rabita_config::webhooks::Webhooks as Spec;
use rabita_contract::NewSubscription;
use rabita_core::bus::refused;
use rabita_core::{Bus, Evidence};
use rabita_journal::{Journal, Kept};
use rabita_model::{Code, Fault, Refusal, SubscriptionId, SystemId};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::address;
use super::secret::Secret;
use super::stored::{self, Progress, Subscription};

/// Makes, shows and ends subscriptions.
pub(in crate::node) struct Desk {
    bus: Arc<Bus>,
    journal: Arc<dyn Journal>,
    spec: Spec,
    changed: Arc<Notify>,
}

impl Desk {
    pub(super) const fn new(bus: Arc<Bus>, journal: Arc<dyn Journal>, spec: Spec, changed: Arc<Notify>) -> Self {
        Self { bus, journal, spec, changed }
    }

    /// A new subscription, from the next event on. The only answer that holds its secret.
    ///
    /// # Errors
    /// `invalid_request`, what [`Bus::feed`] refuses, `journal_unavailable`.
    pub async fn create(&self, system: SystemId, evidence: &Evidence, wish: NewSubscription) -> Result<Value, Refusal> {
        address::check(&wish.url, &self.spec)?;
        let NewSubscription { url, registry, entity, purpose } = wish;
        let subscription = Subscription {
            id: SubscriptionId::new(Uuid::now_v7()),
            system,
            url,
            purpose,
            registry,
            entity,
            secret: Secret::draw(),
            created_at: Timestamp::now(),
            disabled: None,
        };
        self.bus.feed(&subscription.system, &subscription.interest(), subscription.purpose.as_ref(), Some(evidence))?;
        if self.own(&subscription.system).await?.len() >= self.spec.per_system {
            let message = format!("a system has at most {} subscriptions", self.spec.per_system);
            return Err(Refusal::with_faults(Code::InvalidRequest, vec![Fault::at("", "too_many_subscriptions", message)]));
        }
        let newest = self.journal.newest().await.map_err(refused)?;
        self.publish(vec![subscription.kept(), Progress::new(newest).kept(subscription.id)]).await?;
        let mut told = subscription.told();
        told["secret"] = subscription.secret.expose().into();
        Ok(told)
    }

    /// All of a system's subscriptions.
    ///
    /// # Errors
    /// `journal_unavailable`.
    pub async fn list(&self, system: &SystemId) -> Result<Value, Refusal> {
        let own = self.own(system).await?;
        Ok(json!({ "subscriptions": own.iter().map(Subscription::told).collect::<Vec<_>>() }))
    }

    /// One subscription, and how its deliveries stand.
    ///
    /// # Errors
    /// `subscription_absent`, `journal_unavailable`.
    pub async fn show(&self, system: &SystemId, id: SubscriptionId) -> Result<Value, Refusal> {
        let subscription = self.find(system, id).await?;
        let progress = stored::progress(&*self.journal, id).await.map_err(refused)?;
        let mut told = subscription.told();
        if let Some(Progress { attempts, next_at, missed_at, .. }) = progress {
            told["attempts"] = attempts.into();
            for (name, time) in [("next_at", next_at), ("missed_at", missed_at)] {
                if let Some(time) = time {
                    told[name] = json!(time);
                }
            }
        }
        Ok(told)
    }

    /// Ends a subscription; its dead letters go with it.
    ///
    /// # Errors
    /// `subscription_absent`, `journal_unavailable`.
    pub async fn delete(&self, system: &SystemId, id: SubscriptionId) -> Result<(), Refusal> {
        self.find(system, id).await?;
        stored::forget(&*self.journal, id).await.map_err(refused)?;
        self.changed.notify_one();
        Ok(())
    }

    /// The events that could not be brought, oldest first, without what is in them.
    ///
    /// # Errors
    /// `subscription_absent`, `journal_unavailable`.
    pub async fn dead(&self, system: &SystemId, id: SubscriptionId) -> Result<Value, Refusal> {
        self.find(system, id).await?;
        let dead = stored::dead(&*self.journal, id).await.map_err(refused)?;
        Ok(json!({ "dead": dead.iter().map(stored::Dead::told).collect::<Vec<_>>() }))
    }

    /// Has the dead letters sent again, and the event that waits for its next attempt at once. A disabled subscription
    /// becomes active.
    ///
    /// # Errors
    /// `subscription_absent`, `journal_unavailable`.
    pub async fn replay(&self, system: &SystemId, id: SubscriptionId) -> Result<Value, Refusal> {
        let subscription = Subscription { disabled: None, ..self.find(system, id).await? };
        let wish = Kept { key: stored::replay_key(id), value: Some(json!({ "at": Timestamp::now() })) };
        self.publish(vec![subscription.kept(), wish]).await?;
        Ok(subscription.told())
    }

    async fn own(&self, system: &SystemId) -> Result<Vec<Subscription>, Refusal> {
        let all = stored::subscriptions(&*self.journal).await.map_err(refused)?;
        Ok(all.into_iter().filter(|subscription| subscription.system == *system).collect())
    }

    async fn find(&self, system: &SystemId, id: SubscriptionId) -> Result<Subscription, Refusal> {
        let found = stored::subscription(&*self.journal, id).await.map_err(refused)?;
        found.filter(|subscription| subscription.system == *system).ok_or_else(|| Code::SubscriptionAbsent.into())
    }

    async fn publish(&self, kept: Vec<Kept>) -> Result<(), Refusal> {
        self.journal.publish(Vec::new(), kept).await.map_err(refused)?;
        self.changed.notify_one();
        Ok(())
    }
}
