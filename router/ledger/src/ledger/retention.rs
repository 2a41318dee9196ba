//! Destroys the keys that their agencies no longer keep, every hour. Another rule counts once it has stood for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rabita_model::AgencyId;
use tokio::sync::Notify;

use crate::index::Index;
use crate::ledger::Clock;
use crate::vault::{Tombstone, Vault};

const EVERY: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(100);
/// The clock may run ahead of the time that passed by this much.
const LEEWAY: Duration = Duration::from_secs(3_600);

/// The rule, and the time by which it is applied.
#[derive(Clone)]
pub(super) struct Retention {
    rule: Arc<Mutex<Rule>>,
    stands: Duration,
    changed: Arc<Notify>,
    clock: Clock,
    began: Instant,
    began_at: Timestamp,
}

/// After how many months the keys of each agency are destroyed.
struct Rule {
    in_force: BTreeMap<AgencyId, u32>,
    /// The next one, and since when it stands.
    next: Option<(BTreeMap<AgencyId, u32>, Instant)>,
}

impl Retention {
    pub(super) fn new(clock: Clock, keep_months: BTreeMap<AgencyId, u32>, stands: Duration) -> Self {
        let (began, began_at) = (Instant::now(), clock());
        let rule = Arc::new(Mutex::new(Rule { in_force: keep_months, next: None }));
        Self { rule, stands, changed: Arc::default(), clock, began, began_at }
    }

    pub(super) fn set(&self, keep_months: BTreeMap<AgencyId, u32>) {
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        // A reload that changes nothing of it does not put it off.
        if rule.next.as_ref().map_or(&rule.in_force, |(next, _)| next) != &keep_months {
            rule.next = Some((keep_months, Instant::now()));
            self.changed.notify_one();
        }
    }

    /// The time by the clock, but no more than what has passed since the start: a key cannot be brought back, so a clock
    /// that jumps ahead must not destroy any.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed() + LEEWAY).unwrap_or(SignedDuration::MAX);
        let latest = self.began_at.checked_add(passed).unwrap_or(Timestamp::MAX);
        (self.clock)().min(latest)
    }

    /// Applies the rule until it is given up.
    pub(super) async fn keep(self, vault: Arc<Vault>, index: Arc<Index>) {
        loop {
            let (this, vault, index) = (self.clone(), Arc::clone(&vault), Arc::clone(&index));
            // An error would say that a thread ended early; then the next hour tries again.
            let _ = tokio::task::spawn_blocking(move || this.apply(&vault, &index)).await;
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(self.stands.clamp(SOON, EVERY)) => {}
            }
        }
    }

    /// The rule in force: the next one, where it has stood for long enough.
    fn rule(&self) -> BTreeMap<AgencyId, u32> {
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((next, since)) = rule.next.take() {
            if since.elapsed() >= self.stands {
                rule.in_force = next;
            } else {
                rule.next = Some((next, since));
            }
        }
        rule.in_force.clone()
    }

    fn apply(&self, vault: &Vault, index: &Index) {
        let now = self.now();
        let rule = self.rule();
        for key in vault.outlived(now, &rule) {
            let destroyed = vault.destroy(&key, Tombstone { at: now, why: "retention".to_owned() });
            match destroyed.and_then(|_| index.forget(&key)) {
                Ok(()) => tracing::info!(%key, "a pseudonym key of the ledger was destroyed: its agency keeps it no longer"),
                Err(error) => tracing::error!(%key, %error, "a pseudonym key of the ledger could not be destroyed"),
            }
        }
    }
}
