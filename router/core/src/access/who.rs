//! Who can see a field, or any field of a pattern.

use rabita_model::{AgencyId, EntityName, FieldName, RegistryId, SystemId, Version};
use serde::Serialize;

use super::{Access, Terms};

/// A system that holds a grant of what was asked about.
#[derive(Debug, Clone, Serialize)]
pub struct Holder {
    pub system: SystemId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyId>,
    pub registry: RegistryId,
    pub version: Version,
    pub entity: EntityName,
    /// Those of the fields asked about that the grant covers.
    pub fields: Vec<FieldName>,
    #[serde(flatten)]
    pub terms: Terms,
}

/// `registry/version/entity.field`, each part a word or `*`; without a field, any.
struct Pattern<'a> {
    registry: &'a str,
    version: &'a str,
    entity: &'a str,
    field: &'a str,
}

impl<'a> Pattern<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let (registry, version, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (entity, field) = rest.split_once('.').unwrap_or((rest, ANY));
        Some(Self { registry, version, entity, field })
    }
}

const ANY: &str = "*";

impl Access {
    /// Every grant through which a field can be seen or written, ended ones left out by nobody but the reader: `until`
    /// says so. The pattern is `registry/version/entity.field`, with `*` for any of a part: `population/v1/persons.pin`,
    /// `population/*/*.name`. In the order of targets and systems; empty for what is not of this configuration.
    #[must_use]
    pub fn who(&self, pattern: &str) -> Vec<Holder> {
        let Some(pattern) = Pattern::of(pattern) else { return Vec::new() };
        let is = |part: &str, word: &str| part == ANY || part == word;
        let field = FieldName::new(pattern.field).ok();
        let mut holders = Vec::new();
        for (system, holdings) in self.grants.all() {
            let target = &holdings.shape.target;
            let is_meant = is(pattern.registry, target.registry.as_str())
                && is(pattern.version, &target.version.to_string())
                && is(pattern.entity, target.entity.as_str());
            if !is_meant {
                continue;
            }
            for granted in &holdings.grants {
                let fields = holdings.shape.mapping.selected(&granted.selection);
                let near = |own: &&FieldName| {
                    pattern.field == ANY || field.as_ref().is_some_and(|field| own.covers(field) || field.covers(own))
                };
                let fields: Vec<FieldName> = fields.filter(near).cloned().collect();
                if fields.is_empty() {
                    continue;
                }
                let known = self.systems.get(system);
                holders.push(Holder {
                    system: system.clone(),
                    title: known.and_then(|known| known.title.clone()),
                    agency: known.map(|known| known.agency.clone()),
                    registry: target.registry.clone(),
                    version: target.version,
                    entity: target.entity.clone(),
                    fields,
                    terms: Terms::of(granted),
                });
            }
        }
        // Grants of one system for one entity keep their order.
        holders
            .sort_by(|a, b| (&a.registry, a.version, &a.entity, &a.system).cmp(&(&b.registry, b.version, &b.entity, &b.system)));
        holders
    }
}
