//! What entities, actions and code tables are called on the wire, and where they stand in a registry's specification.

use rabita_sdk::{EntitySpec, RegistrySpec};

/// The kind whose manifests name what a connector in another program has.
pub const WIRE: &str = "wire";

/// The names of one registry, in the order of its specification.
#[derive(Debug, Clone)]
pub struct Names {
    pub entities: Vec<EntityNames>,
    pub tables: Vec<String>,
}

/// The names of one entity.
#[derive(Debug, Clone)]
pub struct EntityNames {
    pub entity: String,
    pub actions: Vec<String>,
}

impl Names {
    /// The names in a manifest of this kind. Of `wire` they are what `from` says: the connector's own names. Of every
    /// other kind, where both sides have the manifest, they are the manifest's: `v1/persons`.
    #[must_use]
    pub fn of(spec: &RegistrySpec, kind: &str) -> Self {
        let is_wire = kind == WIRE;
        let said = |from: &serde_json::Value, own: &str| match from.as_str() {
            Some(name) if is_wire => name.to_owned(),
            _ => own.to_owned(),
        };
        let entity = |entity: &EntitySpec| EntityNames {
            entity: said(&entity.from, &entity.name),
            actions: entity.actions.iter().map(|action| said(&action.from, action.name.as_str())).collect(),
        };
        Self {
            entities: spec.entities.iter().map(entity).collect(),
            tables: spec.tables.iter().map(|table| said(&table.from, &table.name)).collect(),
        }
    }

    /// The place of an entity.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.entities.iter().position(|own| own.entity == name)
    }

    /// The place of a code table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|own| own == name)
    }
}
