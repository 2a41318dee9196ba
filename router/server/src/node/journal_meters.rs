//! The metrics of the journal: how many updates wait, for how long, and whether it takes more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use metrics::{Gauge, gauge};
use rabita_journal::{Depth, Journal};
use rabita_model::RegistryId;

/// How often they are set. A scrape shows what was true at most so long ago.
const EVERY: Duration = Duration::from_secs(5);

/// Sets the metrics until dropped.
pub(super) async fn run(journal: Arc<dyn Journal>) {
    let mut meters = Meters::new();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        meters.healthy.set(f64::from(u8::from(journal.health().is_ok())));
        // What cannot be counted keeps its last value; the journal is not healthy then.
        if let Ok(depths) = journal.depths().await {
            meters.set(&depths, Timestamp::now());
        }
    }
}

struct Meters {
    healthy: Gauge,
    registries: BTreeMap<RegistryId, Meter>,
}

/// Of one registry.
struct Meter {
    waiting: Gauge,
    parked: Gauge,
    oldest: Gauge,
}

impl Meters {
    fn new() -> Self {
        Self { healthy: gauge!("rabita_journal_healthy"), registries: BTreeMap::new() }
    }

    fn set(&mut self, depths: &[Depth], now: Timestamp) {
        for depth in depths {
            let meter = self.registries.entry(depth.registry.clone()).or_insert_with_key(Meter::new);
            meter.waiting.set(count(depth.waiting));
            meter.parked.set(count(depth.parked));
            meter.oldest.set(depth.oldest.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0)));
        }
        // A registry whose updates are all done is no longer among the depths, and must not keep its last figures.
        for (registry, meter) in &self.registries {
            if !depths.iter().any(|depth| depth.registry == *registry) {
                meter.waiting.set(0.0);
                meter.parked.set(0.0);
                meter.oldest.set(0.0);
            }
        }
    }
}

impl Meter {
    fn new(registry: &RegistryId) -> Self {
        let registry = registry.to_string();
        Self {
            waiting: gauge!("rabita_journal_waiting", "registry" => registry.clone()),
            parked: gauge!("rabita_journal_parked", "registry" => registry.clone()),
            oldest: gauge!("rabita_journal_oldest_seconds", "registry" => registry),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float; beyond 2^53 updates its last digits do not matter")]
const fn count(updates: u64) -> f64 {
    updates as f64
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_registry_whose_updates_are_done_falls_to_zero() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let rendered = recorder.handle();
        let registry = RegistryId::new("population").expect("a registry");
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let depth = Depth { registry, waiting: 3, parked: 2, oldest: Some(now - SignedDuration::from_secs(90)) };
        metrics::with_local_recorder(&recorder, || {
            let mut meters = Meters::new();
            meters.set(&[depth], now);
            let told = rendered.render();
            for line in
                ["waiting{registry=\"population\"} 3", "parked{registry=\"population\"} 2", "seconds{registry=\"population\"} 90"]
            {
                assert!(told.contains(line), "{line}: {told}");
            }
            meters.set(&[], now);
            let told = rendered.render();
            assert_eq!(told.matches("{registry=\"population\"} 0").count(), 3, "{told}");
        });
    }
}
