//! What an entity's changes need to know, compiled once: the fields that each may write, its actions, its version.

use std::collections::HashMap;

use rabita_config::ActionSchemas;
use rabita_model::catalogue::Effect;
use rabita_model::{ActionName, FieldName, Operation};
use rabita_schemas::{RecordSchema, SelectedFields};
use rabita_sdk::manifest::{Operations, WriteSpec};
use rabita_sdk::plan::{PlannedAction, PlannedEntity};
use rabita_sdk::{Capabilities, Connector, Duplicates, Source};

/// The changes of one entity.
pub(crate) struct Changing {
    /// The legacy version, where the entity has one, offers changes, and its connector can have them depend on it.
    pub version: Option<Source>,
    /// For each operation that writes fields: those fields.
    pub writes: HashMap<Operation, Vec<FieldName>>,
    /// The same with the key's, as schemas take them.
    pub written: HashMap<Operation, SelectedFields>,
    /// The fields that every whole record has.
    pub required: Vec<FieldName>,
    pub actions: Vec<Action>,
    /// What becomes of a change that is sent twice.
    pub duplicates: Duplicates,
}

/// One named action.
pub(crate) struct Action {
    pub planned: PlannedAction,
    pub schemas: ActionSchemas,
}

impl Changing {
    pub fn new(planned: &PlannedEntity, schema: &RecordSchema, schemas: &[ActionSchemas], connector: &dyn Connector) -> Self {
        let offered = &planned.manifest.operations;
        let key: Vec<FieldName> = planned.mapping.key_fields().cloned().collect();
        let writes: HashMap<Operation, Vec<FieldName>> =
            specs(offered).map(|(operation, spec)| (operation, spec.fields.clone())).collect();
        let with_key = |fields: &Vec<FieldName>| SelectedFields::new(&[fields.as_slice(), key.as_slice()].concat());
        let written = writes.iter().map(|(operation, fields)| (*operation, with_key(fields))).collect();
        let actions = planned.actions.iter().zip(schemas);
        let actions: Vec<Action> =
            actions.map(|(planned, schemas)| Action { planned: planned.clone(), schemas: schemas.clone() }).collect();
        let Capabilities { checks_versions, duplicates, .. } = connector.capabilities(planned.index);
        let changes = !writes.is_empty() || offered.delete.is_some() || !actions.is_empty();
        Self {
            version: planned.manifest.version.clone().filter(|_| changes && checks_versions),
            writes,
            written,
            required: schema.required(),
            actions,
            duplicates,
        }
    }

    /// The action of this name, with its place.
    pub fn action(&self, name: &ActionName) -> Option<(usize, &Action)> {
        self.actions.iter().enumerate().find(|(_, action)| action.planned.name == *name)
    }

    /// What holds of a change whose outcome stays unknown for a while.
    pub fn effect(&self, offered: &Operations) -> Effect {
        match self.duplicates {
            Duplicates::Detected => Effect::ExactlyOnce,
            Duplicates::HandedOn | Duplicates::Applied => {
                let confirmed = specs(offered).all(|(_, spec)| spec.confirm.is_some())
                    && offered.delete.as_ref().is_none_or(|delete| delete.confirm.is_some())
                    && self.actions.iter().all(|action| action.planned.manifest.confirm.is_some());
                if confirmed { Effect::Confirmed } else { Effect::AtLeastOnce }
            }
        }
    }
}

/// The operations that write fields.
pub(crate) fn specs(offered: &Operations) -> impl Iterator<Item = (Operation, &WriteSpec)> {
    [(Operation::Create, &offered.create), (Operation::Replace, &offered.replace), (Operation::Update, &offered.update)]
        .into_iter()
        .filter_map(|(operation, spec)| Some((operation, spec.as_ref()?)))
}
