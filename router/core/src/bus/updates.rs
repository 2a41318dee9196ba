//! What a system is told of its updates.

use rabita_journal::{Filter, Journal, Page};
use rabita_model::{Code, Entry, Refusal, UpdateId};

use super::Bus;
use super::submit::refused;
use crate::caller::Evidence;

impl Bus {
    /// The journal, where this configuration has use for one.
    pub(crate) fn journal(&self) -> Result<&dyn Journal, Refusal> {
        let none = || Refusal::new(Code::JournalUnavailable).detail("the node has no journal");
        self.stores.journal.as_deref().ok_or_else(none)
    }

    /// One update of the system that the evidence is of.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`, `rate_limited`, `update_absent`, `journal_unavailable`.
    pub async fn update(&self, evidence: &Evidence, id: UpdateId) -> Result<Entry, Refusal> {
        let caller = self.authenticated(evidence)?;
        caller.caller().limiter.take()?;
        // A node without changes has had no updates.
        let Some(journal) = &self.stores.journal else { return Err(Code::UpdateAbsent.into()) };
        let entry = journal.entry(id).await.map_err(refused)?;
        entry.filter(|entry| entry.update.system == caller.caller().id).ok_or_else(|| Code::UpdateAbsent.into())
    }

    /// Updates of the system that the evidence is of, in the order of acceptance; the filter's own system counts for
    /// nothing.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`, `rate_limited`, `cursor_invalid`, `journal_unavailable`.
    pub async fn updates(&self, evidence: &Evidence, filter: Filter) -> Result<Page, Refusal> {
        let caller = self.authenticated(evidence)?;
        caller.caller().limiter.take()?;
        let Some(journal) = &self.stores.journal else { return Ok(Page::default()) };
        journal.entries(&Filter { system: Some(caller.caller().id.clone()), ..filter }).await.map_err(refused)
    }
}
