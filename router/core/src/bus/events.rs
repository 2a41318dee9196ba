//! Events: who may see which, and the detection of others' changes.

use std::sync::Arc;

use rabita_model::{Purpose, Refusal, SystemId};
use tokio::task::JoinSet;

use super::Bus;
use crate::detect;
use crate::feed::{Feed, Interest};

impl Bus {
    /// What of the events a system may see.
    ///
    /// # Errors
    /// `not_permitted`, and, where only that is missing, `grant_expired`, `purpose_missing` or `purpose_not_permitted`.
    pub fn feed(&self, system: &SystemId, interest: &Interest, purpose: Option<&Purpose>) -> Result<Feed, Refusal> {
        Feed::of((&self.grants, &self.entities), Arc::clone(&self.clock), system, interest, purpose)
    }

    /// Detects what others change in the registries, until the set is dropped. What was not published then is detected
    /// again.
    pub fn detect(&self) -> JoinSet<()> {
        self.journal.as_ref().map_or_else(JoinSet::new, |journal| detect::begin(&self.registries, journal, self.new_id))
    }
}
