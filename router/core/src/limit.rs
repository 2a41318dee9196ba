//! Rate limits: governor's, with what callers are told of them.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use rabita_model::{Code, Refusal};

/// How one limit stands, for `RateLimit` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState {
    /// Whose limit: `system`, `grant` or `registry`.
    pub name: &'static str,
    /// Requests per second.
    pub quota: u32,
    /// How many may come at once now.
    pub remaining: u32,
    /// Until more may come, in whole seconds.
    pub reset_s: u64,
}

/// A limit that is used up, and how it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exceeded(pub LimitState);

impl From<Exceeded> for Refusal {
    fn from(Exceeded(state): Exceeded) -> Self {
        let refusal = Self::new(Code::RateLimited).retry_after(Duration::from_secs(state.reset_s));
        refusal.detail(format!("the limit of the {}", state.name))
    }
}

/// One limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    name: &'static str,
    quota: u32,
    burst: u32,
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
}

impl Limiter {
    /// A limit of so many per second; `burst` is one second's worth where it is not given.
    pub fn new(name: &'static str, per_second: u32, burst: Option<u32>) -> Self {
        let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = burst.and_then(NonZeroU32::new).unwrap_or(rate);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self { name, quota: rate.get(), burst: burst.get(), limiter: RateLimiter::direct(quota).with_middleware() }
    }

    /// Whether another is for as many.
    pub const fn is_alike(&self, other: &Self) -> bool {
        self.quota == other.quota && self.burst == other.burst
    }

    /// Takes one from the limit.
    pub fn take(&self) -> Result<LimitState, Exceeded> {
        match self.limiter.check() {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                Ok(LimitState { name: self.name, quota: self.quota, remaining, reset_s: 1 })
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let reset_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(Exceeded(LimitState { name: self.name, quota: self.quota, remaining: 0, reset_s: reset_s.max(1) }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_burst_and_says_when_to_come_again() {
        let limiter = Limiter::new("system", 1, Some(2));
        assert_eq!(limiter.take().map(|state| state.remaining).ok(), Some(1));
        assert_eq!(limiter.take().map(|state| state.remaining).ok(), Some(0));
        let exceeded = limiter.take().expect_err("beyond");
        let state = exceeded.0;
        assert_eq!(Refusal::from(exceeded).retry_after, Some(Duration::from_secs(1)));
        assert_eq!((state.remaining, state.reset_s), (0, 1));
    }
}
