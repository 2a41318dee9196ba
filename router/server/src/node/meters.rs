//! The metrics of exchanges. A handle of each is kept: to find one by its labels costs more than to count.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use rabita_core::Trail;
use rabita_model::{Operation, SystemId, Target};

/// The meters of a node, by what they are labelled with.
#[derive(Default)]
pub(super) struct Meters(RwLock<HashMap<Labels, Meter>>);

/// Whose exchange, where the configuration knows the caller and the target, and how it ended.
type Labels = (Option<(SystemId, Target, Operation)>, &'static str);

#[derive(Clone)]
struct Meter {
    exchanges: Counter,
    seconds: Histogram,
}

impl Meters {
    /// Counts an exchange that ended with this code.
    pub fn count(&self, trail: Option<&Trail>, code: &'static str, taken: Duration) {
        // A name that no configuration has is no label: a caller could make as many as it likes.
        let known = trail.filter(|trail| trail.is_known);
        let known = known.and_then(|trail| Some((trail.system.clone()?, trail.target.clone(), trail.operation)));
        let labels = (known, code);
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&labels).cloned();
        let meter = kept.unwrap_or_else(|| {
            let mut meters = self.0.write().unwrap_or_else(PoisonError::into_inner);
            meters.entry(labels).or_insert_with_key(|(known, code)| Meter::new(known.as_ref(), code)).clone()
        });
        meter.seconds.record(taken.as_secs_f64());
        meter.exchanges.increment(1);
    }
}

impl Meter {
    fn new(known: Option<&(SystemId, Target, Operation)>, code: &'static str) -> Self {
        let (system, registry, entity, operation) = known.map_or_else(Default::default, |(system, target, operation)| {
            (system.to_string(), target.registry.to_string(), target.entity.to_string(), operation.as_str())
        });
        Self {
            seconds: histogram!("rabita_exchange_seconds", "registry" => registry.clone(), "operation" => operation),
            exchanges: counter!(
                "rabita_exchanges_total",
                "system" => system, "registry" => registry, "entity" => entity, "operation" => operation, "code" => code
            ),
        }
    }
}
