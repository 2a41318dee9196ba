//! What one system may see and call, from its grants.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use rabita_model::catalogue::{Catalogue, Entry};
use rabita_model::{Comparison, FieldName, Operation, Purpose, SystemId};
use rabita_sdk::mapping::Selection;

use crate::registry::{Entities, Entity, Registry};
use crate::stage::{Granted, Grants};

pub(super) fn of(system: &SystemId, grants: &Grants, entities: &Entities, today: Date) -> Catalogue {
    let mut entries: Vec<Entry> = grants
        .of(system)
        .filter_map(|(target, grants)| {
            let (registry, entity) = entities.get(target)?;
            let current: Vec<&Granted> = grants.iter().filter(|grant| grant.until.is_none_or(|until| today <= until)).collect();
            (!current.is_empty()).then(|| entry(registry, entity, &current))
        })
        .collect();
    entries.sort_by(|a, b| (&a.registry, a.version, &a.entity).cmp(&(&b.registry, b.version, &b.entity)));
    Catalogue { system: system.clone(), entities: entries }
}

fn entry(registry: &Registry, entity: &Entity, grants: &[&Granted]) -> Entry {
    let granted: Selection = grants[1..].iter().fold(grants[0].selection.clone(), |all, grant| all.or(&grant.selection));
    let fields: Vec<FieldName> = entity.mapping.selected(&granted.and(&entity.all)).cloned().collect();
    let all_granted: BTreeSet<&FieldName> = entity.mapping.selected(&granted).collect();
    let operations = operations(entity, grants);
    let reads = operations.contains(&Operation::Read);
    let binary = entity.mapping.binary().filter(|(name, _, _)| reads && all_granted.contains(name));
    let searches = operations.contains(&Operation::Search);
    let search = entity.manifest.operations.search.as_ref().filter(|_| searches);
    let filters = entity.mapping.filters().filter(|(name, _)| searches && all_granted.contains(name));
    Entry {
        registry: registry.id.clone(),
        agency: registry.agency.clone(),
        title: entity.manifest.title.clone().or_else(|| registry.title.clone()),
        version: entity.target.version,
        entity: entity.target.entity.clone(),
        schema: entity.schema_name.clone(),
        key: entity.key_fields.clone(),
        operations,
        binary: binary.map(|(name, _, media_type)| (name.clone(), media_type.to_owned())).collect(),
        purposes: purposes(grants),
        filters: filters.map(|(name, comparisons)| (name.clone(), sorted(comparisons))).collect(),
        page_max: search.map(|search| search.max),
        keys_max: entity.manifest.operations.read.as_ref().map_or(1, |read| read.max_keys),
        identifiers_in_url: entity.manifest.identifiers_in_url,
        cache_ttl_ms: entity.manifest.cache.as_ref().map(|cache| cache.ttl_ms),
        until: until(grants),
        codes: entity.code_versions.iter().cloned().collect(),
        document: Arc::new(rabita_schemas::cut(entity.schema.document(), &fields)),
        fields,
    }
}

/// The granted operations that the entity offers and the bus serves.
fn operations(entity: &Entity, grants: &[&Granted]) -> Vec<Operation> {
    // The contract has no changes yet, whatever manifests and grants say.
    let serves = |operation: Operation| matches!(operation, Operation::Read | Operation::Search);
    let granted: BTreeSet<Operation> = grants.iter().flat_map(|grant| grant.operations.iter().copied()).collect();
    granted.into_iter().filter(|operation| serves(*operation) && entity.manifest.operations.offers(*operation)).collect()
}

/// The purposes of which one has to be given; none when one of the grants asks for none.
fn purposes(grants: &[&Granted]) -> Vec<Purpose> {
    let all: Option<Vec<&Vec<Purpose>>> = grants.iter().map(|grant| grant.purposes.as_ref()).collect();
    let all: BTreeSet<Purpose> = all.into_iter().flatten().flatten().cloned().collect();
    all.into_iter().collect()
}

/// The last day of the grant that holds longest; none when one of them does not end.
fn until(grants: &[&Granted]) -> Option<String> {
    let all: Option<Vec<Date>> = grants.iter().map(|grant| grant.until).collect();
    all?.into_iter().max().map(|date| date.to_string())
}

fn sorted(comparisons: &[Comparison]) -> Vec<Comparison> {
    let set: BTreeSet<Comparison> = comparisons.iter().copied().collect();
    set.into_iter().collect()
}
