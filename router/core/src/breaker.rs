//! A circuit breaker: after failures in a row a registry is given a pause, then one call tries whether it is well.
//!
//! Our own rather than a tower layer: a delivery is no tower service, what counts as a failure is [`Failure`]'s
//! judgement, and the refusal has to say when the pause ends.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rabita_sdk::Failure;

/// The state of one registry's circuit.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures_max: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Calls go through; so many failed in a row.
    Closed { failures: u32 },
    /// No call goes through until then.
    Open { until: Instant },
    /// One call is trying, since then.
    Trying { since: Instant },
}

/// The leave to make a call. It must be given its end; dropped without one, the call was cancelled and says nothing.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    ended: bool,
}

impl Breaker {
    pub const fn new(failures_max: u32, pause: Duration) -> Self {
        Self { failures_max, pause, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Asks for leave to call; else how long the pause still is.
    pub fn enter(&self, now: Instant) -> Result<Leave<'_>, Duration> {
        let mut state = self.lock();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(until - now),
            // A trial that never ended must not keep the circuit open for ever.
            State::Trying { since } if now < since + self.pause => return Err(since + self.pause - now),
            State::Open { .. } | State::Trying { .. } => {
                *state = State::Trying { since: now };
                true
            }
        };
        Ok(Leave { breaker: self, is_trial, ended: false })
    }

    /// Whether calls are refused at this moment.
    pub fn is_open(&self, now: Instant) -> bool {
        match *self.lock() {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::Trying { .. } => true,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// The call ended: well, or with a failure.
    pub fn end(mut self, failure: Option<&Failure>, now: Instant) {
        self.ended = true;
        let mut state = self.breaker.lock();
        let is_ill = failure.is_some_and(Failure::is_ill_health);
        *state = match (is_ill, *state) {
            (false, State::Closed { .. }) => State::Closed { failures: 0 },
            (false, _) if self.is_trial => State::Closed { failures: 0 },
            (true, State::Closed { failures }) if failures + 1 < self.breaker.failures_max => {
                State::Closed { failures: failures + 1 }
            }
            (true, State::Closed { .. } | State::Trying { .. }) => State::Open { until: now + self.breaker.pause },
            (_, other) => other,
        };
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.is_trial && !self.ended {
            let mut state = self.breaker.lock();
            if let State::Trying { since } = *state {
                *state = State::Open { until: since };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.enter(now).expect("leave").end(Some(&Failure::timed_out("slow")), now);
    }

    #[test]
    fn opens_after_failures_in_a_row_and_closes_after_a_trial_that_succeeds() {
        let breaker = Breaker::new(2, PAUSE);
        let start = Instant::now();
        fail(&breaker, start);
        breaker.enter(start).expect("leave").end(None, start);
        fail(&breaker, start);
        assert!(!breaker.is_open(start), "a success in between begins the count anew");
        fail(&breaker, start);
        assert_eq!(breaker.enter(start).expect_err("open"), PAUSE);
        let later = start + PAUSE;
        let trial = breaker.enter(later).expect("one trial");
        assert!(breaker.enter(later).is_err(), "and only one");
        trial.end(None, later);
        assert!(breaker.enter(later).is_ok());
    }

    #[test]
    fn a_trial_that_fails_opens_it_again_and_one_that_is_cancelled_leaves_room_for_the_next() {
        let breaker = Breaker::new(1, PAUSE);
        let start = Instant::now();
        fail(&breaker, start);
        let later = start + PAUSE;
        fail(&breaker, later);
        assert!(breaker.is_open(later));
        drop(breaker.enter(later + PAUSE).expect("a trial"));
        assert!(breaker.enter(later + PAUSE).is_ok());
    }

    #[test]
    fn a_refusal_or_a_malformed_answer_is_no_ill_health() {
        let breaker = Breaker::new(1, PAUSE);
        let now = Instant::now();
        breaker.enter(now).expect("leave").end(Some(&Failure::refused("no")), now);
        breaker.enter(now).expect("leave").end(Some(&Failure::malformed("html")), now);
        assert!(!breaker.is_open(now));
    }
}
