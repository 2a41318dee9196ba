//! What the parts of an open connector share: the plans, the index's directory, the source, and what is known of each
//! entity.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rabita_sdk::Failure;
use rusqlite::Connection;
use tokio::sync::{Notify, watch};

use crate::outbox::Outbox;
use crate::plan::Plan;
use crate::reading::{self, Readers, Trouble, View};
use crate::settings::Arrival;
use crate::source::Origin;

/// What an open connector consists of.
pub struct Shared {
    pub registry: String,
    /// The entities, then the code tables.
    pub plans: Vec<Plan>,
    pub arrival: Arrival,
    /// The directory of the index.
    pub directory: PathBuf,
    /// The directory of reports on refused drops.
    pub reports: PathBuf,
    pub readers: Readers,
    pub origin: Box<dyn Origin>,
    pub outbox: Option<Outbox>,
    /// What is known of each plan.
    pub phases: watch::Sender<Vec<Phase>>,
    /// Changes are made one after the other, with this.
    pub writing: std::sync::Mutex<Option<Writer>>,
    /// Has the source looked at now.
    pub poke: Notify,
    /// Nobody needs the connector any more.
    pub is_over: Arc<AtomicBool>,
}

/// The connections that changes are made with.
pub struct Writer {
    pub state: Connection,
    /// As in a reader.
    pub indexes: HashMap<usize, (String, Connection)>,
}

/// What is known of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The source has not been looked at yet, or its first drop is being indexed.
    Starting,
    /// There is nothing to answer from, and why.
    Nothing(String),
    /// There is an index. The doubt says what became of a newer drop, or of the source.
    Served { doubt: Option<Doubt> },
}

/// Why what is served may be old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The source does not answer.
    Away(String),
    /// The newest drop was refused.
    Refused(String),
}

impl Shared {
    /// The plan of an entity, or of a code table by its place after them.
    ///
    /// # Errors
    /// `Unsupported` where there is none.
    pub fn plan(&self, place: usize) -> Result<&Plan, Failure> {
        self.plans.get(place).ok_or_else(|| Failure::unsupported("there is no such entity"))
    }

    /// Notes what is known of a plan.
    pub fn tell(&self, place: usize, phase: Phase) {
        self.phases.send_if_modified(|phases| {
            let Some(known) = phases.get_mut(place).filter(|known| **known != phase) else { return false };
            match &phase {
                Phase::Nothing(why) => tracing::warn!(registry = self.registry, entity = self.plans[place].name, why, "no drop"),
                Phase::Served { doubt: Some(Doubt::Away(why) | Doubt::Refused(why)) } => {
                    tracing::warn!(registry = self.registry, entity = self.plans[place].name, why, "served from an older drop");
                }
                Phase::Served { doubt: None } => {
                    tracing::info!(registry = self.registry, entity = self.plans[place].name, "served from the newest drop");
                }
                Phase::Starting => {}
            }
            *known = phase;
            true
        });
    }

    /// Waits until it is known whether there is something to answer from.
    pub async fn known(&self, place: usize) -> Phase {
        let mut phases = self.phases.subscribe();
        let known = phases.wait_for(|phases| phases.get(place) != Some(&Phase::Starting)).await;
        // The sender lives as long as this.
        known.ok().and_then(|phases| phases.get(place).cloned()).unwrap_or(Phase::Starting)
    }

    /// Looks at an entity, or says why there is nothing to look at.
    ///
    /// # Errors
    /// As the look, or as the index can't be read.
    pub fn view<R>(
        &self,
        place: usize,
        deadline: Instant,
        look: impl FnOnce(&View<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Failure> {
        let plan = self.plan(place)?;
        self.readers.view(place, plan, deadline, look).map_err(|trouble| self.failure(place, trouble, deadline))
    }

    /// What a trouble means to a caller.
    pub fn failure(&self, place: usize, trouble: Trouble, deadline: Instant) -> Failure {
        match trouble {
            Trouble::Failure(failure) => failure,
            Trouble::Sql(error) => reading::failure(&error, deadline),
            Trouble::NoDrop => Failure::unavailable(match self.phases.borrow().get(place) {
                Some(Phase::Nothing(why)) => why.clone(),
                _ => "no drop has been accepted yet".to_owned(),
            }),
        }
    }

    /// Whether the connector is no longer needed.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}
