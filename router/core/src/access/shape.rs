//! The shape of an entity: as much of it as grants are weighed by, known without asking its registry.

use std::sync::Arc;

use rabita_config::Registry;
use rabita_model::{AgencyId, FieldName, Target};
use rabita_sdk::manifest::Entity as Manifest;
use rabita_sdk::mapping::{Mapping, Selection};

/// One entity.
pub(crate) struct Shape {
    pub target: Target,
    /// The agency that owns its registry.
    pub owner: AgencyId,
    pub manifest: Manifest,
    pub mapping: Arc<Mapping>,
    /// Every field that stands in JSON.
    pub all: Selection,
    pub none: Selection,
    /// Where the personal number of the person stands whom a record is about.
    pub subject: Option<SubjectField>,
}

/// The field with the subject.
pub(crate) struct SubjectField {
    pub name: FieldName,
    pub selection: Selection,
    /// Its place in the key, where it is part of it.
    pub in_key: Option<usize>,
}

impl Shape {
    /// The entities of a registry.
    pub fn all(registry: &Registry) -> impl Iterator<Item = Self> {
        registry.plan.entities.iter().map(|planned| {
            let mapping = Arc::clone(&planned.mapping);
            let all = mapping.all();
            let subject = planned.manifest.subject.as_ref().and_then(|name| {
                let selection = mapping.select(std::slice::from_ref(name)).ok()?;
                let in_key = mapping.key_fields().position(|own| own == name);
                Some(SubjectField { name: name.clone(), selection, in_key })
            });
            Self {
                target: planned.target.clone(),
                owner: registry.manifest.agency.clone(),
                manifest: planned.manifest.clone(),
                none: all.without(&all),
                mapping,
                all,
                subject,
            }
        })
    }

    /// The fields of the mapping that a field lies within or around, such as `address` for `address.district`.
    pub fn touched<'a>(&self, fields: impl IntoIterator<Item = &'a FieldName>) -> Selection {
        let fields: Vec<&FieldName> = fields.into_iter().collect();
        let near = |own: &&FieldName| fields.iter().any(|field| own.covers(field) || field.covers(own));
        let touched: Vec<FieldName> = self.mapping.names().filter(near).cloned().collect();
        self.mapping.select(&touched).unwrap_or_else(|_| self.none.clone())
    }

    /// The names of selected fields, in the order of the manifest.
    pub fn names(&self, selection: &Selection) -> Vec<FieldName> {
        self.mapping.selected(selection).cloned().collect()
    }
}
