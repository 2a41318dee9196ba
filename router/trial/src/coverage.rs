//! What tests touch: fields, codes, operations, filters and faults of each entity. Only what passed counts.
//!
//! A field is touched when a record that was answered or written has a value there. A code is touched when a legacy row
//! that came or went has it. A fault is touched when a test expects it.

mod codes;
mod told;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rabita_config::Registry;
use rabita_model::Operation;
use rabita_sdk::Row;
use rabita_sdk::manifest::Test;
use rabita_sdk::plan::PlannedEntity;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::watched::{Seen, Watch};
pub(crate) use codes::{CodeUse, uses as code_uses};

/// What the tests of all registries touch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    pub registries: Vec<RegistryCoverage>,
}

/// What the tests of one registry touch.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryCoverage {
    pub registry: String,
    pub parts: Vec<Part>,
}

/// Things of one sort, and which of them no test touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub sort: Sort,
    /// `v1/persons`; for codes, the name of the list.
    pub of: String,
    /// How many there are.
    pub total: usize,
    pub untouched: Vec<String>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    Fields,
    Codes,
    Operations,
    Filters,
    Faults,
}

impl Sort {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::Codes => "codes",
            Self::Operations => "operations",
            Self::Filters => "filters",
            Self::Faults => "faults",
        }
    }
}

impl Coverage {
    /// How much of all is touched, in percent; all of nothing is everything.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a manifest has far fewer than 2^52 things")]
    pub fn percent(&self) -> f64 {
        let parts = || self.registries.iter().flat_map(|registry| &registry.parts);
        let total: usize = parts().map(|part| part.total).sum();
        let untouched: usize = parts().map(|part| part.untouched.len()).sum();
        if total == 0 { 100.0 } else { (total - untouched) as f64 / total as f64 * 100.0 }
    }
}

/// A thing that can be touched: its sort, what it is of, and its name.
type Thing = (Sort, String, String);

/// Notes what is touched. What a test touches counts once it has passed.
pub(crate) struct Touched {
    notes: Arc<Mutex<Notes>>,
    uses: Arc<Vec<CodeUse>>,
    names: Arc<Vec<Named>>,
}

/// What a watched connector knows of an entity only by its place.
struct Named {
    entity: String,
    actions: Vec<String>,
}

#[derive(Default)]
struct Notes {
    now: BTreeSet<Thing>,
    /// Rows whose codes are looked up when the lists are there.
    rows: Vec<(usize, Row)>,
    all: BTreeSet<Thing>,
}

impl Touched {
    pub(crate) fn new(registry: &Registry) -> Self {
        let names = registry.plan.entities.iter().map(|entity| Named {
            entity: crate::stage::name_of(entity),
            actions: entity.actions.iter().map(|action| action.name.to_string()).collect(),
        });
        Self { notes: Arc::default(), uses: Arc::new(code_uses(registry)), names: Arc::new(names.collect()) }
    }

    /// A test begins.
    pub(crate) fn begin(&self) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.now.clear();
        notes.rows.clear();
    }

    /// A test ends; what it touched counts if it passed.
    pub(crate) fn end(&self, test: &Test, passed: bool) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = std::mem::take(&mut notes.now);
        let rows = std::mem::take(&mut notes.rows);
        if !passed {
            return;
        }
        for (entity, row) in &rows {
            let found = self.uses.iter().filter(|used| used.entity == *entity).flat_map(|used| used.codes_in(row));
            now.extend(found.map(|(list, code)| (Sort::Codes, list, code)));
        }
        let only = self.names.first().map(|named| named.entity.clone()).unwrap_or_default();
        let entity = test.entity.clone().unwrap_or(only);
        let absent = test.expect_absent.then(|| "record_absent".to_owned());
        now.extend(test.expect_error.clone().or(absent).map(|code| (Sort::Faults, entity, code)));
        notes.all.extend(now);
    }

    /// A record, or a list of them, that was answered or written.
    pub(crate) fn record(&self, entity: &PlannedEntity, record: &Value) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let records = match record {
            Value::Array(records) => records.iter().collect(),
            one => vec![one],
        };
        for members in records.into_iter().filter_map(Value::as_object) {
            for name in entity.mapping.names() {
                if name.value_in(members).is_some_and(|value| !value.is_null()) {
                    notes.now.insert((Sort::Fields, crate::stage::name_of(entity), name.to_string()));
                }
            }
        }
    }

    /// What watches the connector.
    pub(crate) fn watch(&self) -> Watch {
        let (notes, names) = (Arc::clone(&self.notes), Arc::clone(&self.names));
        Arc::new(move |seen| {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            let name = |entity: usize| names.get(entity).map(|named| named.entity.clone()).unwrap_or_default();
            match seen {
                Seen::Asked { entity, operation, action } => {
                    let action = action.and_then(|at| names.get(entity)?.actions.get(at).cloned());
                    notes.now.insert((Sort::Operations, name(entity), action.unwrap_or_else(|| operation.to_string())));
                }
                Seen::Compared { entity, source, comparison } => {
                    notes.now.insert((Sort::Filters, name(entity), format!("{source} {}", comparison.as_str())));
                }
                Seen::Binary { entity, source } => {
                    notes.now.insert((Sort::Fields, name(entity), source.to_string()));
                }
                Seen::Row { entity, row } => notes.rows.push((entity, row)),
            }
        })
    }

    /// What was touched of a registry.
    pub(crate) fn told(&self, registry: &Registry) -> RegistryCoverage {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = told::things(registry, &self.uses).into_iter().map(|things| things.part(&notes.all));
        RegistryCoverage {
            registry: registry.manifest.registry.to_string(),
            parts: parts.filter(|part| part.total > 0).collect(),
        }
    }
}

/// Whether an operation can be tested by a test of a manifest.
const fn is_tested(operation: Operation) -> bool {
    !matches!(operation, Operation::Act | Operation::Subscribe)
}
