//! What a manifest means: the connector's view of the registry, and the mapping of each of its entities.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use rabita_model::{ActionName, Comparison, Operation, Target};
use serde_json::Value;

use crate::codes::CodeBook;
use crate::finding::token;
use crate::manifest::{ActionSpec, Entity, Field, Manifest, OneOrMany, Rule, SearchBy};
use crate::mapping::Mapping;
use crate::{ActSpec, EntitySpec, FeedSpec, FilterSpec, Finding, RegistrySpec, Source, TableSpec};

/// A compiled manifest.
#[derive(Debug)]
pub struct Plan {
    /// What the connector is opened with.
    pub spec: RegistrySpec,
    /// The entities, in the order of [`RegistrySpec::entities`].
    pub entities: Vec<PlannedEntity>,
    /// The code lists; those in tables of the registry are in the order of [`RegistrySpec::tables`].
    pub codes: CodeBook,
}

/// An entity of one version, compiled.
#[derive(Debug)]
pub struct PlannedEntity {
    /// Its place in [`RegistrySpec::entities`].
    pub index: usize,
    pub target: Target,
    pub manifest: Entity,
    pub mapping: Arc<Mapping>,
    /// The actions, in the order of [`EntitySpec::actions`].
    pub actions: Vec<PlannedAction>,
}

/// A named action, compiled.
#[derive(Debug, Clone)]
pub struct PlannedAction {
    pub name: ActionName,
    pub manifest: ActionSpec,
    /// Encodes the request, as [`Operation::Act`].
    pub request: Arc<Mapping>,
    /// Decodes the reply.
    pub reply: Option<Arc<Mapping>>,
}

impl Plan {
    /// Compiles a manifest. `directory` is what relative files are relative to; `today` says which codes hold.
    ///
    /// # Errors
    /// Everything wrong with codes and mappings, with pointers into the manifest.
    pub fn compile(manifest: &Manifest, directory: &Path, today: Date) -> Result<Self, Vec<Finding>> {
        let codes = CodeBook::load(&manifest.codes, directory, today)
            .map_err(|findings| findings.into_iter().map(|finding| finding.under("/codes")).collect::<Vec<_>>())?;
        let mut entities = Vec::new();
        let mut specs = Vec::new();
        let mut findings = Vec::new();
        for (version, contract) in &manifest.contract {
            for (name, entity) in contract {
                let pointer = format!("/contract/{version}/{}", token(name.as_str()));
                match compile_entity(entity, &codes) {
                    Ok((mapping, actions)) => {
                        specs.push(entity_spec(&format!("{version}/{name}"), &pointer, entity, &mapping, &actions));
                        let target = Target { registry: manifest.registry.clone(), version: *version, entity: name.clone() };
                        let (mapping, manifest) = (Arc::new(mapping), entity.clone());
                        entities.push(PlannedEntity { index: entities.len(), target, manifest, mapping, actions });
                    }
                    Err(wrong) => findings.extend(wrong.into_iter().map(|finding| finding.under(&pointer))),
                }
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let spec = RegistrySpec {
            registry: manifest.registry.clone(),
            settings: Value::Object(manifest.connector.settings.clone()),
            entities: specs,
            tables: tables(&codes),
            timeout: Duration::from_millis(manifest.limits.timeout_ms),
            concurrency: manifest.limits.concurrency,
            directory: directory.to_owned(),
        };
        Ok(Self { spec, entities, codes })
    }
}

/// The mappings of an entity and of its actions, or everything that is wrong with any of them.
fn compile_entity(entity: &Entity, codes: &CodeBook) -> Result<(Mapping, Vec<PlannedAction>), Vec<Finding>> {
    let mut findings = Vec::new();
    let mut keep = |made: Result<Mapping, Vec<Finding>>, place: &str| {
        made.map_err(|wrong| findings.extend(wrong.into_iter().map(|finding| finding.under(place)))).ok()
    };
    let mapping = keep(Mapping::compile(entity, codes), "");
    let mut actions = Vec::with_capacity(entity.actions.len());
    for (name, action) in &entity.actions {
        let place = format!("/actions/{}", token(name.as_str()));
        let request = keep(Mapping::of_request(&action.fields, codes), &place).map(Arc::new);
        let reply = action.reply.as_ref().map(|reply| keep(Mapping::of_reply(&reply.fields, codes), &format!("{place}/reply")));
        let (Some(request), reply) = (request, reply.map(|made| made.map(Arc::new))) else { continue };
        let reply = reply.flatten();
        actions.push(PlannedAction { name: name.clone(), manifest: action.clone(), request, reply });
    }
    match mapping {
        Some(mapping) if findings.is_empty() => Ok((mapping, actions)),
        _ => Err(findings),
    }
}

fn tables(codes: &CodeBook) -> Vec<TableSpec> {
    codes
        .iter()
        .filter_map(|list| {
            let table = list.in_registry()?;
            Some(TableSpec {
                name: list.name().to_owned(),
                pointer: format!("/codes/{}/from", token(list.name())),
                from: table.from.clone(),
                columns: table.columns(),
            })
        })
        .collect()
}

fn entity_spec(name: &str, pointer: &str, entity: &Entity, mapping: &Mapping, actions: &[PlannedAction]) -> EntitySpec {
    let key_names: Vec<_> = mapping.key_fields().cloned().collect();
    let key = key_names.iter().filter_map(|name| entity.fields.get(name)).filter_map(source_of).cloned().collect();
    let mut places = Vec::new();
    for (field, rule) in &entity.fields {
        place(rule, &format!("{pointer}/fields/{}", token(field.as_str())), &mut places);
    }
    EntitySpec {
        name: name.to_owned(),
        pointer: format!("{pointer}/from"),
        from: entity.from.clone(),
        key,
        wanted: mapping.wanted(&mapping.all()),
        binary: mapping.binary().map(|(_, source, _)| source.clone()).collect(),
        filters: filters(pointer, entity),
        operations: Operation::ALL.into_iter().filter(|operation| entity.offers(*operation)).collect(),
        written: written(pointer, entity),
        version: entity.version.clone(),
        places,
        actions: actions.iter().map(|action| act_spec(pointer, action)).collect(),
        changes: entity
            .changes
            .as_ref()
            .map(|changes| FeedSpec { pointer: format!("{pointer}/changes/from"), from: changes.from.clone() }),
    }
}

fn act_spec(pointer: &str, action: &PlannedAction) -> ActSpec {
    let pointer = format!("{pointer}/actions/{}", token(action.name.as_str()));
    let mut values = Vec::new();
    for (field, rule) in &action.manifest.fields {
        let place = format!("{pointer}/fields/{}", token(field.as_str()));
        values.extend(targets_of(rule).into_iter().map(|source| (source, place.clone())));
    }
    ActSpec {
        name: action.name.clone(),
        pointer: format!("{pointer}/from"),
        from: action.manifest.from.clone(),
        values,
        reply: action.reply.as_ref().map(|reply| reply.wanted(&reply.all())),
    }
}

fn filters(pointer: &str, entity: &Entity) -> Vec<FilterSpec> {
    let Some(search) = &entity.operations.search else { return Vec::new() };
    let mut filters = Vec::new();
    for (at, (name, comparisons, ignore)) in search.by.rules().into_iter().enumerate() {
        let pointer = match search.by {
            SearchBy::Equals(_) => format!("{pointer}/operations/search/by/{at}"),
            SearchBy::Each(_) => format!("{pointer}/operations/search/by/{}", token(name.as_str())),
        };
        let comparisons: BTreeSet<Comparison> = comparisons.into_iter().collect();
        for source in entity.fields.get(&name).map(sources_of).unwrap_or_default() {
            let (comparisons, ignore, pointer) = (comparisons.clone(), ignore.clone(), pointer.clone());
            filters.push(FilterSpec { source, comparisons, ignore, pointer });
        }
    }
    filters
}

fn written(pointer: &str, entity: &Entity) -> Vec<(Operation, Source, String)> {
    let offered = &entity.operations;
    let mut written = Vec::new();
    for (operation, spec) in
        [(Operation::Create, &offered.create), (Operation::Replace, &offered.replace), (Operation::Update, &offered.update)]
    {
        for (at, name) in spec.iter().flat_map(|spec| spec.fields.iter().enumerate()) {
            let place = format!("{pointer}/operations/{operation}/fields/{at}");
            for (_, field) in entity.fields.iter().filter(|(own, _)| name.covers(own)) {
                written.extend(targets_of(field).into_iter().map(|source| (operation, source, place.clone())));
            }
        }
    }
    written
}

fn source_of(field: &Field) -> Option<&Source> {
    match field {
        Field::Source(source) => Some(source),
        Field::Rule(rule) => match &rule.from {
            Some(OneOrMany::One(source)) => Some(source),
            _ => None,
        },
    }
}

/// The sources that a field is read from, without those of repeated groups.
fn sources_of(field: &Field) -> Vec<Source> {
    match field {
        Field::Source(source) => vec![source.clone()],
        Field::Rule(rule) => match &rule.compose {
            Some(template) => composed(template),
            None => rule.from.as_ref().map_or_else(Vec::new, |from| from.as_slice().to_vec()),
        },
    }
}

/// The sources that a field is written to.
fn targets_of(field: &Field) -> Vec<Source> {
    match field {
        Field::Rule(rule) if rule.read.is_some() => rule.write.iter().flatten().map(|(source, _)| source.clone()).collect(),
        _ => sources_of(field),
    }
}

fn composed(template: &str) -> Vec<Source> {
    crate::template::Template::parse(template).map_or_else(|_| Vec::new(), |t| t.names().map(Source::new).collect())
}

/// Notes where in the manifest each source is named.
fn place(field: &Field, pointer: &str, places: &mut Vec<(Source, String)>) {
    match field {
        Field::Source(source) => places.push((source.clone(), pointer.to_owned())),
        Field::Rule(rule) => place_rule(rule, pointer, places),
    }
}

fn place_rule(rule: &Rule, pointer: &str, places: &mut Vec<(Source, String)>) {
    match &rule.from {
        Some(OneOrMany::One(source)) => places.push((source.clone(), format!("{pointer}/from"))),
        Some(OneOrMany::Many(sources)) => {
            places.extend(sources.iter().enumerate().map(|(at, source)| (source.clone(), format!("{pointer}/from/{at}"))));
        }
        None => {}
    }
    if let Some(template) = &rule.compose {
        places.extend(composed(template).into_iter().map(|source| (source, format!("{pointer}/compose"))));
    }
    if let Some(group) = &rule.each {
        places.push((group.clone(), format!("{pointer}/each")));
    }
    for (source, _) in rule.write.iter().flatten() {
        places.push((source.clone(), format!("{pointer}/write/{}", token(source.as_str()))));
    }
}
