//! What one system may see and call, from its grants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use rabita_model::catalogue::{ActionEntry, Catalogue, Cut, Entry};
use rabita_model::{ActionName, Comparison, FieldName, Operation, Purpose, SystemId};
use rabita_sdk::mapping::Selection;

use crate::access::{Granted, Grants};
use crate::changing::Action;
use crate::registry::{Entities, Entity, Registry};

pub(super) fn of(system: &SystemId, grants: &Grants, entities: &Entities, today: Date) -> Catalogue {
    let mut entries: Vec<Entry> = grants
        .of(system)
        .filter_map(|holdings| {
            let (registry, entity) = entities.get(&holdings.shape.target)?;
            let grants = holdings.grants.iter().map(Arc::as_ref);
            let current: Vec<&Granted> = grants.filter(|grant| grant.until.is_none_or(|until| today <= until)).collect();
            (!current.is_empty()).then(|| entry(registry, entity, &current))
        })
        .collect();
    entries.sort_by(|a, b| (&a.registry, a.version, &a.entity).cmp(&(&b.registry, b.version, &b.entity)));
    Catalogue { system: system.clone(), entities: entries, transparency: Default::default() }
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
        binary: binary.map(|(name, _, media_type)| (name.clone(), media_type.to_owned())).collect(),
        purposes: purposes(grants),
        filters: filters.map(|(name, comparisons)| (name.clone(), sorted(comparisons))).collect(),
        writes: writes(entity, grants, &operations),
        events: operations.contains(&Operation::Subscribe).then(|| {
            let granted = granted_for(Operation::Subscribe, grants);
            cut(entity, granted.map_or_else(Vec::new, |granted| names(entity, &granted.and(&entity.all))))
        }),
        actions: actions(entity, grants),
        effect: operations
            .iter()
            .any(|operation| operation.is_change())
            .then(|| entity.changing.effect(&entity.manifest.operations)),
        operations,
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

/// The fields granted for an operation; `None` where none of the grants is for it.
fn granted_for(operation: Operation, grants: &[&Granted]) -> Option<Selection> {
    let selections = grants.iter().filter(|grant| grant.operations.contains(&operation)).map(|grant| grant.selection.clone());
    selections.reduce(|all, more| all.or(&more))
}

/// What may be written: the operation's fields, as far as they are granted for it. A whole record has its key too.
fn writes(entity: &Entity, grants: &[&Granted], operations: &[Operation]) -> BTreeMap<Operation, Cut> {
    let mut writes = BTreeMap::new();
    for (operation, fields) in &entity.changing.writes {
        let granted = granted_for(*operation, grants).filter(|_| operations.contains(operation));
        let written = entity.mapping.select(fields).ok().zip(granted).map(|(fields, granted)| fields.and(&granted));
        let Some(mut written) = written else { continue };
        if *operation != Operation::Update
            && let Ok(key) = entity.mapping.select(&entity.key_fields)
        {
            written = written.or(&key);
        }
        writes.insert(*operation, cut(entity, names(entity, &written)));
    }
    writes
}

fn actions(entity: &Entity, grants: &[&Granted]) -> Vec<ActionEntry> {
    let granted = |name: &ActionName| grants.iter().any(|grant| grant.covers(Operation::Act, Some(name)));
    let actions = entity.changing.actions.iter().filter(|action| granted(&action.planned.name));
    let entry = |action: &Action| ActionEntry {
        name: action.planned.name.clone(),
        title: action.planned.manifest.title.clone(),
        request: Arc::clone(action.schemas.request.document()),
        reply: action.schemas.reply.as_ref().map(|reply| Arc::clone(reply.document())),
    };
    actions.map(entry).collect()
}

fn names(entity: &Entity, selection: &Selection) -> Vec<FieldName> {
    entity.mapping.selected(selection).cloned().collect()
}

fn cut(entity: &Entity, fields: Vec<FieldName>) -> Cut {
    Cut { document: Arc::new(rabita_schemas::cut(entity.schema.document(), &fields)), fields }
}

/// The granted operations that the entity offers.
fn operations(entity: &Entity, grants: &[&Granted]) -> Vec<Operation> {
    let granted: BTreeSet<Operation> = grants.iter().flat_map(|grant| grant.operations.iter().copied()).collect();
    granted.into_iter().filter(|operation| entity.manifest.offers(*operation)).collect()
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
