//! Which idle connections are asked whether they still live before they are used. To ask costs as much as a read, so
//! only those are asked that lay idle for a while, and all that lie idle when one was found broken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A connection that was used so short a time ago is taken to live.
const FRESH: Duration = Duration::from_secs(1);

/// When a connection of a pool last broke.
#[derive(Debug)]
pub struct Doubt {
    opened: Instant,
    /// In nanoseconds after `opened`; zero when none ever did.
    broke: AtomicU64,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { opened: Instant::now(), broke: AtomicU64::new(0) }
    }
}

impl Doubt {
    /// A connection broke, so the others may have too.
    pub fn raise(&self) {
        self.broke.store(self.nanos(Instant::now()), Ordering::Relaxed);
    }

    /// Whether a connection that has been idle for so long has to be asked.
    pub fn asks(&self, idle_for: Duration) -> bool {
        let since = Instant::now().checked_sub(idle_for).map_or(0, |since| self.nanos(since));
        idle_for > FRESH || since <= self.broke.load(Ordering::Relaxed)
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.opened).as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_a_connection_that_lay_idle_for_long_or_since_before_one_broke_and_no_other() {
        let doubt = Doubt { opened: Instant::now() - Duration::from_secs(10), broke: AtomicU64::new(0) };
        assert!(!doubt.asks(Duration::from_millis(500)));
        assert!(doubt.asks(Duration::from_millis(1500)));
        doubt.raise();
        assert!(doubt.asks(Duration::from_millis(500)));
        assert!(!doubt.asks(Duration::ZERO));
    }
}
