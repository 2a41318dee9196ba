//! Events: who may see which, and the detection of others' changes.

use std::sync::Arc;

use rabita_model::{Purpose, Refusal, SystemId};
use tokio::task::JoinSet;

use super::Bus;
use crate::caller::Evidence;
use crate::detect;
use crate::feed::{Feed, Interest};

impl Bus {
    /// What of the events a system may see. Without evidence, the feed is one that was let in before: what grants demand
    /// of a request was held against the one that asked for it.
    ///
    /// # Errors
    /// `not_permitted`, and, where only that is missing, `grant_expired`, `outside_hours`, `purpose_missing`,
    /// `purpose_not_permitted`, `signature_missing`, `binding_missing` or `consent_missing`.
    pub fn feed(
        &self,
        system: &SystemId,
        interest: &Interest,
        purpose: Option<&Purpose>,
        evidence: Option<&Evidence>,
    ) -> Result<Feed, Refusal> {
        Feed::of(&self.access, Arc::clone(&self.clock), system, interest, purpose, evidence)
    }

    /// Detects what others change in the registries, until the set is dropped. What was not published then is detected
    /// again.
    pub fn detect(&self) -> JoinSet<()> {
        self.stores.journal.as_ref().map_or_else(JoinSet::new, |journal| detect::begin(&self.registries, journal, self.new_id))
    }
}
