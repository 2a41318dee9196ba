//! The log line of an exchange, and its count: one of each, whatever came of it.

use std::time::{Duration, Instant};

use rabita_core::Trail;
use rabita_model::{Blame, ExchangeId, Refusal};

use super::Meters;

/// What the log line of an exchange says.
pub(super) struct Line<'a> {
    pub meters: &'a Meters,
    pub exchange: ExchangeId,
    pub started: Instant,
    pub system: Option<&'a str>,
    pub trail: Option<&'a Trail>,
    pub purpose: Option<&'a str>,
}

impl Line<'_> {
    /// Writes the line, and counts the exchange.
    pub fn end(&self, refusal: Option<&Refusal>) {
        match refusal {
            None => self.answered(),
            Some(refusal) => self.refused(refusal),
        }
    }

    fn answered(&self) {
        self.count("ok");
        tracing::info!(
            exchange = %self.exchange,
            system = self.system,
            target_entity = self.trail.map(|trail| tracing::field::display(&trail.target)),
            operation = self.trail.map(|trail| trail.operation.as_str()),
            purpose = self.purpose,
            us = self.micros(),
            registry_us = self.trail.map(|trail| as_micros(trail.timing.registry)),
            "exchange"
        );
    }

    /// The one place where a refusal is logged.
    fn refused(&self, refusal: &Refusal) {
        self.count(refusal.code.as_str());
        // A name that no configuration has may be anything: a key in a registry's place.
        let known = self.trail.filter(|trail| trail.is_known);
        tracing::info!(
            exchange = %self.exchange,
            system = self.system,
            target_entity = known.map(|trail| tracing::field::display(&trail.target)),
            operation = self.trail.map(|trail| trail.operation.as_str()),
            purpose = self.purpose,
            us = self.micros(),
            registry_us = self.trail.map(|trail| as_micros(trail.timing.registry)),
            code = refusal.code.as_str(),
            detail = refusal.detail.as_deref(),
            faults = self.faults(refusal),
            "exchange refused"
        );
    }

    /// What kinds of faults there are, and in which places of a registry's reply. The places in a request are left out:
    /// their names are the caller's, and a caller's mistake can be a value in a name's place.
    fn faults(&self, refusal: &Refusal) -> Option<String> {
        let of_registry = refusal.code.blame() == Blame::Registry;
        let told = refusal.faults.iter().map(|fault| match &fault.parameter {
            None if of_registry => format!("{} {}", fault.pointer, fault.code),
            _ => fault.code.to_owned(),
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn count(&self, code: &'static str) {
        self.meters.count(self.trail, code, self.started.elapsed());
    }

    fn micros(&self) -> u64 {
        as_micros(self.started.elapsed())
    }
}

/// Notices a caller who leaves before the answer: the registry may have been asked all the same.
pub(super) struct Leaves<'a> {
    meters: &'a Meters,
    exchange: ExchangeId,
    started: Instant,
    stayed: bool,
}

impl<'a> Leaves<'a> {
    pub fn of(meters: &'a Meters, exchange: ExchangeId, started: Instant) -> Self {
        Self { meters, exchange, started, stayed: false }
    }

    pub fn stayed(mut self) {
        self.stayed = true;
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if !self.stayed {
            self.meters.count(None, "caller_left", self.started.elapsed());
            tracing::info!(exchange = %self.exchange, us = as_micros(self.started.elapsed()), "the caller left before the answer");
        }
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
