//! How many updates there are that have not ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rabita_model::RegistryId;

use crate::Depth;
use crate::embedded::Shared;

/// The counts, right after each commit.
#[derive(Debug)]
pub(super) struct Counts {
    max: u64,
    /// On their way, parked, or about to be accepted.
    pending: AtomicU64,
    parked: Mutex<HashMap<RegistryId, u64>>,
}

impl Counts {
    pub(super) fn new(max: u64, depths: &[Depth]) -> Self {
        let pending = depths.iter().map(|depth| depth.waiting + depth.parked).sum();
        let parked = depths.iter().map(|depth| (depth.registry.clone(), depth.parked)).collect();
        Self { max, pending: AtomicU64::new(pending), parked: Mutex::new(parked) }
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// So many have ended.
    pub(super) fn ended(&self, count: u64) {
        self.pending.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn parked(&self, registry: &RegistryId, count: u64) {
        *self.by_registry().entry(registry.clone()).or_default() += count;
    }

    pub(super) fn unparked(&self, registry: &RegistryId, count: u64) {
        if let Some(parked) = self.by_registry().get_mut(registry) {
            *parked = parked.saturating_sub(count);
        }
    }

    /// Whether a registry has parked updates.
    pub(super) fn has_parked(&self, registry: &RegistryId) -> bool {
        self.by_registry().get(registry).is_some_and(|parked| *parked > 0)
    }

    fn by_registry(&self) -> std::sync::MutexGuard<'_, HashMap<RegistryId, u64>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that wait, given back unless it is kept.
#[derive(Debug)]
pub(super) struct Place {
    shared: Option<Arc<Shared>>,
}

impl Place {
    /// A place, if there is one.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let counts = &shared.counts;
        let room = |pending: u64| (pending < counts.max).then_some(pending + 1);
        let taken = counts.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        taken.is_ok().then(|| Self { shared: Some(Arc::clone(shared)) })
    }

    /// An update has it now.
    pub(super) fn keep(mut self) {
        self.shared = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.counts.ended(1);
        }
    }
}
