//! An update in memory: what it waits for, and how long until it is tried again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use rabita_journal::Lease;
use rabita_model::Progress;
use rabita_sdk::manifest::UpdateLimits;

/// An update in memory.
pub(super) struct Held {
    pub lease: Lease,
    not_before: Option<Instant>,
    backoff: Option<ExponentialBackoff>,
    /// Since when this process has it.
    pub since: Instant,
    /// Answers in a row that were none.
    pub malformed: u32,
}

/// What becomes of an update after a try.
pub(super) enum Step {
    /// It is concluded, or another node's.
    Gone,
    /// It waits for a person.
    Parked,
    /// It is tried again after so long.
    Later(Duration),
    /// The registry is left alone for so long.
    Pause(Duration),
}

impl Held {
    /// What was written down before this process had it still holds, but no longer than the longest wait: the clock may
    /// have been set back since.
    pub fn new(lease: Lease, now: Timestamp, limits: &UpdateLimits) -> Self {
        let left = lease.entry.progress.next_at.map(|at| at.duration_since(now));
        let left = left.and_then(|left| Duration::try_from(left).ok()).map(|left| left.min(Duration::from_millis(limits.max_ms)));
        let since = Instant::now();
        Self { lease, not_before: left.map(|left| since + left), backoff: None, since, malformed: 0 }
    }

    /// How long it still has to wait.
    pub fn wait(&self) -> Duration {
        self.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    pub fn progress(&mut self) -> &mut Progress {
        &mut self.lease.entry.progress
    }

    /// Whether it may be applied without the bus knowing: a try of it was not heard of, or was before a person sent it
    /// on its way again.
    pub const fn may_be_applied(&self) -> bool {
        self.lease.entry.progress.is_in_doubt || self.lease.entry.generation > 0
    }

    /// Whether a person has just sent it on its way again, and nothing was tried since.
    pub const fn is_sent_by_a_person(&self) -> bool {
        self.lease.entry.generation > 0 && self.lease.entry.progress.attempts == 0
    }

    /// The time before the next try: doubled each time, with up to half of it left to chance.
    pub fn next_wait(&mut self, limits: &UpdateLimits) -> Duration {
        let made = || {
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(limits.first_ms))
                .with_max_delay(Duration::from_millis(limits.max_ms))
                .with_jitter()
                .without_max_times()
                .build()
        };
        let longest = Duration::from_millis(limits.max_ms);
        self.backoff.get_or_insert_with(made).next().unwrap_or(longest)
    }
}
