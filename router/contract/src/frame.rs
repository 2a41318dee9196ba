//! What goes with every answer and problem, beside its body.
//!
//! - `Rabita-Exchange`: the exchange's id.
//! - `Server-Timing`: `bus;dur=` and, where a registry was asked, `registry;dur=`, in milliseconds.
//! - `Age` when the answer is the cache's; `Rabita-Stale: true` when it is older than it should be because the
//!   registry can't be reached; `Rabita-Observed: n` when n faults of the registry were let through in `observe` mode.
//! - `Rabita-Update`: the update's id, wherever the request was a change that was accepted; `Idempotency-Replayed: true`
//!   when it was accepted under the same key before.
//! - `RateLimit-Policy` and `RateLimit`, one item for each limit, as structured fields of the IETF draft
//!   `ratelimit-headers`.
//!
//! `traceparent` is not sent back: the exchange's id is what a caller quotes.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, Method};
use rabita_model::{ExchangeId, UpdateId};

use crate::conditional::IfNoneMatch;
use crate::request::allowed;

const EXCHANGE: HeaderName = HeaderName::from_static("rabita-exchange");
const UPDATE: HeaderName = HeaderName::from_static("rabita-update");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const STALE: HeaderName = HeaderName::from_static("rabita-stale");
const OBSERVED: HeaderName = HeaderName::from_static("rabita-observed");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What of a request shapes the answer. Taken from the head before it is parsed, so that a problem has it too.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The answer's head is wanted without its body.
    pub head_only: bool,
    /// What the caller has already. Absent for any method but `GET` and `HEAD`.
    pub if_none_match: IfNoneMatch,
    /// The methods that the path serves, for `Allow`.
    pub allow: &'static str,
    /// The body was to be a patch, for `Accept-Patch`.
    pub is_patch: bool,
}

impl Asked {
    /// Takes it from a request's head.
    #[must_use]
    pub fn of(head: &Parts) -> Self {
        let head_only = head.method == Method::HEAD;
        let is_read = head_only || head.method == Method::GET;
        Self {
            head_only,
            if_none_match: if is_read { IfNoneMatch::of(&head.headers) } else { IfNoneMatch::Absent },
            // Where an entity is asked for, these two are always served.
            allow: if is_read && !head.uri.path().starts_with("/bus/") { "" } else { allowed(head.uri.path()) },
            is_patch: head.method == Method::PATCH,
        }
    }
}

/// What goes with an answer.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub exchange: ExchangeId,
    /// The time that the bus took, without the registry's.
    pub bus: Duration,
    /// The time that the registry took, where it was asked.
    pub registry: Option<Duration>,
    /// How old the cached answer is, where it is one.
    pub age: Option<Duration>,
    /// The cached answer is older than it should be.
    pub is_stale: bool,
    /// How many faults of the registry were let through.
    pub observed: usize,
    /// The update that the request made or repeats, or that it asks about.
    pub update: Option<UpdateId>,
    /// The update was accepted under the same idempotency key before.
    pub is_replayed: bool,
    /// Where the caller stands with its limits.
    pub limits: &'a [RateLimit<'a>],
}

/// Where a caller stands with one limit.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit<'a> {
    /// The policy's name, such as `system`: letters, digits and `-`.
    pub policy: &'a str,
    /// How many requests a window has.
    pub quota: u64,
    /// The window's length in seconds.
    pub window_s: u64,
    /// How many requests are left.
    pub remaining: u64,
    /// In how many seconds there are more.
    pub reset_s: u64,
}

impl Frame<'_> {
    /// A frame with nothing but the exchange.
    #[must_use]
    pub const fn new(exchange: ExchangeId) -> Self {
        Self {
            exchange,
            bus: Duration::ZERO,
            registry: None,
            age: None,
            is_stale: false,
            observed: 0,
            update: None,
            is_replayed: false,
            limits: &[],
        }
    }

    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        // All texts share one buffer, so that a header costs no allocation of its own.
        let mut line = Line(String::with_capacity(224));
        let exchange = line.write(format_args!("{}", self.exchange));
        let timing = line.timing(self.bus, self.registry);
        let update = self.update.map(|update| line.write(format_args!("{update}")));
        let age = self.age.map(|age| line.write(format_args!("{}", age.as_secs())));
        let observed = (self.observed > 0).then(|| line.write(format_args!("{}", self.observed)));
        let limits = (!self.limits.is_empty()).then(|| (line.policies(self.limits), line.standing(self.limits)));
        let text = Bytes::from(line.0);
        let mut insert = |name, range: std::ops::Range<usize>| {
            // Only a policy's name could spoil a value, and then the header is better left out.
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(range)) {
                headers.insert(name, value);
            }
        };
        insert(EXCHANGE, exchange);
        insert(SERVER_TIMING, timing);
        if let Some(update) = update {
            insert(UPDATE, update);
        }
        if let Some(age) = age {
            insert(AGE, age);
        }
        if let Some(observed) = observed {
            insert(OBSERVED, observed);
        }
        if let Some((policies, standing)) = limits {
            insert(RATE_LIMIT_POLICY, policies);
            insert(RATE_LIMIT, standing);
        }
        if self.is_replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if self.is_stale {
            headers.insert(STALE, HeaderValue::from_static("true"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
}

/// Header values one after the other in one text.
struct Line(String);

impl Line {
    fn write(&mut self, text: std::fmt::Arguments<'_>) -> std::ops::Range<usize> {
        let start = self.0.len();
        let _ = self.0.write_fmt(text);
        start..self.0.len()
    }

    fn timing(&mut self, bus: Duration, registry: Option<Duration>) -> std::ops::Range<usize> {
        let parts = |time: Duration| (time.as_micros() / 1000, time.as_micros() % 1000);
        let (bus_ms, bus_us) = parts(bus);
        match registry.map(parts) {
            None => self.write(format_args!("bus;dur={bus_ms}.{bus_us:03}")),
            Some((ms, us)) => self.write(format_args!("bus;dur={bus_ms}.{bus_us:03}, registry;dur={ms}.{us:03}")),
        }
    }

    fn policies(&mut self, limits: &[RateLimit<'_>]) -> std::ops::Range<usize> {
        self.list(limits, |line, limit| line.write(format_args!("\"{}\";q={};w={}", limit.policy, limit.quota, limit.window_s)))
    }

    fn standing(&mut self, limits: &[RateLimit<'_>]) -> std::ops::Range<usize> {
        self.list(limits, |line, limit| {
            line.write(format_args!("\"{}\";r={};t={}", limit.policy, limit.remaining, limit.reset_s))
        })
    }

    fn list(
        &mut self,
        limits: &[RateLimit<'_>],
        item: impl Fn(&mut Self, &RateLimit<'_>) -> std::ops::Range<usize>,
    ) -> std::ops::Range<usize> {
        let start = self.0.len();
        for (index, limit) in limits.iter().enumerate() {
            if index > 0 {
                self.0.push_str(", ");
            }
            item(self, limit);
        }
        start..self.0.len()
    }
}
