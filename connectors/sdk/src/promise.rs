//! What a manifest promises of a connector that runs elsewhere.

use std::collections::BTreeSet;

use rabita_model::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Capabilities, Duplicates, RegistrySpec};

/// What a manifest says of a connector that runs elsewhere, so that it is known while that is away. Whatever turns up
/// with less is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Promise {
    /// What becomes of a change that is sent twice: `detected` where the connector stores ids with its changes,
    /// `handed_on` where the id goes to the registry, `applied` where nothing tells the second from the first.
    pub duplicates: Duplicates,
    /// Whether changes can depend on the value of an entity's `version`.
    pub checks_versions: bool,
}

impl Default for Promise {
    fn default() -> Self {
        Self { duplicates: Duplicates::Applied, checks_versions: true }
    }
}

impl Promise {
    /// What is relied on of one entity: what the manifest offers, and this.
    #[must_use]
    pub fn of(self, spec: &RegistrySpec, entity: usize) -> Capabilities {
        let entity = spec.entities.get(entity);
        let mut operations: BTreeSet<Operation> = entity.map(|entity| entity.operations.clone()).unwrap_or_default();
        if entity.is_none_or(|entity| entity.actions.is_empty()) {
            operations.remove(&Operation::Act);
        }
        // Events of the bus's own changes need nothing of the connector.
        if entity.is_none_or(|entity| entity.changes.is_none()) {
            operations.remove(&Operation::Subscribe);
        }
        Capabilities {
            checks_versions: self.checks_versions && entity.is_some_and(|entity| entity.version.is_some()),
            streams_binary: entity.is_some_and(|entity| !entity.binary.is_empty()),
            operations,
            reads_many_at_once: true,
            // A question names what is wanted; whether less is asked of the legacy system is the other side's business.
            projects: false,
            ignores: entity.map(|entity| entity.filters.iter().flat_map(|f| f.ignore.clone()).collect()).unwrap_or_default(),
            duplicates: self.duplicates,
        }
    }
}
