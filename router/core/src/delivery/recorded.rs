//! How an update ended is recorded before it is concluded: nothing is concluded that nobody can tell of later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use rabita_journal::Lease;
use rabita_ledger::entry::{About, ConclusionFact};
use rabita_ledger::{Fact, Ledger, LedgerError};
use rabita_model::Conclusion;

use super::attempt::Post;
use crate::release::subject_changed;

/// Where what happened is recorded.
#[async_trait]
pub trait Recorder: Send + Sync {
    /// Records a fact; durable when it returns.
    ///
    /// # Errors
    /// When it could not be recorded.
    async fn record(&self, fact: Fact) -> Result<(), LedgerError>;
}

#[async_trait]
impl Recorder for Ledger {
    async fn record(&self, fact: Fact) -> Result<(), LedgerError> {
        Self::record(self, fact).await.map(|_| ())
    }
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

impl Post {
    /// Records how an update ended, however long that takes; `false` when the update is another node's meanwhile. After a
    /// crash between this and the journal's word the end is recorded twice, and never not at all.
    pub(super) async fn record(&self, lease: &Lease, conclusion: &Conclusion) -> bool {
        let Some(ledger) = &self.ledger else { return true };
        let fact = Fact::Conclusion(Box::new(self.fact(lease, conclusion)));
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).with_jitter().without_max_times();
        for pause in pauses.build() {
            match ledger.record(fact.clone()).await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::warn!(update = %lease.entry.update.id, %error, "the ledger does not take an outcome");
                }
            }
            tokio::select! {
                () = lease.lost.cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
        }
        false
    }

    fn fact(&self, lease: &Lease, conclusion: &Conclusion) -> ConclusionFact {
        let update = &lease.entry.update;
        let access = self.access.load();
        let shape = access.shapes.get(&update.target).map(Arc::clone);
        let change = update.payload.as_ref().map(|payload| &payload.change);
        let subject = shape.zip(change).and_then(|(shape, change)| subject_changed(&shape, change));
        ConclusionFact {
            at: conclusion.at,
            update: update.id,
            exchange: update.exchange,
            caller: (update.system.clone(), access.agency_of(&update.system)),
            about: About {
                target: update.target.clone(),
                owner: self.registry.agency.clone(),
                operation: update.operation,
                action: update.action.clone(),
            },
            purpose: update.purpose.clone(),
            subjects: subject.into_iter().collect(),
            outcome: conclusion.outcome,
            code: conclusion.code,
            attempts: conclusion.attempts,
        }
    }
}
