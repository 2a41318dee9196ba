//! Holds a draft against what was sampled, and mends it where it does not hold.

use std::collections::BTreeMap;

use rabita_schemas::{Library, RecordSchema};
use rabita_sdk::mapping::Mapping;
use rabita_sdk::{Legacy, Row};
use serde_json::{Map, Value, json};

use crate::entity::{DraftedEntity, DraftedField, Shape};
use crate::propose::{Proposal, of};
use crate::schema;

/// Of the sampled records, so many in a hundred may hold a value that no codec of their field takes; of more, the codec
/// is wrong.
const AT_MOST: usize = 5;

/// What the samples came to.
#[derive(Default)]
struct Findings {
    /// Fields by how many records they could not be decoded in.
    undecoded: BTreeMap<String, usize>,
    /// Fields by how many records broke their schema.
    broken: BTreeMap<String, usize>,
    /// Required fields that some record is without.
    absent: BTreeMap<String, usize>,
}

/// Mends an entity; whether it had to be. Its rows that nothing is wrong with are told by [`Sound`] afterwards.
pub(crate) fn mend(entity: &mut DraftedEntity<'_>, mapping: &Mapping) -> bool {
    let Some(schema) = compiled(entity) else { return without_patterns(entity) };
    let rows = &entity.surveyed.samples.0;
    let mut found = Findings::default();
    for row in rows {
        look(entity, mapping, &schema, row, &mut found);
    }
    let total = rows.len();
    let mut mended = false;
    for (name, count) in &found.absent {
        let Some(field) = field(entity, name) else { continue };
        mended |= std::mem::replace(&mut field.required, false);
        let why = format!("required by the registry, and without a value in {} sampled records", of(*count, total));
        if !found.undecoded.contains_key(name)
            && entity_key_is_not(entity, name)
            && let Some(field) = self::field(entity, name)
        {
            add(&mut field.unsure, why);
        }
    }
    for (name, count) in found.undecoded {
        mended |= mend_codec(entity, &name, count, total);
    }
    for (name, count) in found.broken {
        mended |= loosen(entity, &name, count, total);
    }
    mended
}

/// Patterns of other notations may be none of ours.
fn without_patterns(entity: &mut DraftedEntity<'_>) -> bool {
    let mut mended = false;
    for field in &mut entity.fields {
        if let Shape::One(proposal) = &mut field.shape
            && proposal.schema.shift_remove("pattern").is_some()
        {
            add(&mut field.unsure, "the pattern that the registry describes it by cannot be used here".to_owned());
            mended = true;
        }
    }
    mended
}

fn entity_key_is_not(entity: &DraftedEntity<'_>, name: &str) -> bool {
    !entity.fields.iter().any(|field| field.name == name && entity.key.contains(&field.source))
}

fn look(entity: &DraftedEntity<'_>, mapping: &Mapping, schema: &RecordSchema, row: &Row, found: &mut Findings) {
    let (record, faults) = mapping.decode(row, &mapping.all());
    for fault in faults {
        if let Some(name) = named(entity, &fault.pointer) {
            *found.undecoded.entry(name).or_insert(0) += 1;
        }
    }
    let absent = entity.fields.iter().filter(|field| field.required && value_of(&record, &field.name).is_none());
    for field in absent {
        *found.absent.entry(field.name.clone()).or_insert(0) += 1;
    }
    for fault in schema.faults(&Value::Object(record.clone())) {
        if let Some(name) = named(entity, &fault.pointer).filter(|name| value_of(&record, name).is_some()) {
            *found.broken.entry(name).or_insert(0) += 1;
        }
    }
}

/// Tells rows that nothing is wrong with.
pub(crate) struct Sound(Option<RecordSchema>);

impl Sound {
    /// For an entity as it is now.
    pub(crate) fn of(entity: &DraftedEntity<'_>) -> Self {
        Self(compiled(entity))
    }

    /// The record of a row, if nothing is wrong with it.
    pub(crate) fn record(&self, mapping: &Mapping, row: &Row) -> Option<Map<String, Value>> {
        let (record, faults) = mapping.decode(row, &mapping.all());
        let schema = self.0.as_ref().filter(|_| faults.is_empty())?;
        let record = Value::Object(record);
        if !schema.is_valid(&record) {
            return None;
        }
        if let Value::Object(record) = record { Some(record) } else { None }
    }
}

fn compiled(entity: &DraftedEntity<'_>) -> Option<RecordSchema> {
    RecordSchema::compile(&schema::document(entity), &Library::shipped()).ok()
}

/// The value of a field in a record.
pub(crate) fn value_of<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = name.split('.');
    let first = record.get(members.next()?)?;
    members.try_fold(first, |value, member| value.get(member))
}

/// The field that a pointer leads into.
fn named(entity: &DraftedEntity<'_>, pointer: &str) -> Option<String> {
    let leads = |field: &&DraftedField| {
        let own = format!("/{}", field.name.replace('.', "/"));
        pointer == own || pointer.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
    };
    entity.fields.iter().find(leads).map(|field| field.name.clone())
}

fn field<'a>(entity: &'a mut DraftedEntity<'_>, name: &str) -> Option<&'a mut DraftedField> {
    entity.fields.iter_mut().find(|field| field.name == name)
}

fn add(unsure: &mut Vec<String>, why: String) {
    if !unsure.contains(&why) {
        unsure.push(why);
    }
}

/// A codec that refuses few values stays, and such replies are let through; one that refuses more goes.
fn mend_codec(entity: &mut DraftedEntity<'_>, name: &str, count: usize, total: usize) -> bool {
    if count * 100 <= total * AT_MOST {
        let why = format!("{} sampled records have a {name} that its codec does not take", of(count, total));
        let is_new = !entity.observe.contains(&why);
        if is_new {
            entity.observe.push(why);
        }
        return false;
    }
    let rows: Vec<Row> = entity.surveyed.samples.0.clone();
    let Some(field) = field(entity, name) else { return false };
    match &mut field.shape {
        Shape::One(proposal) => {
            **proposal = as_it_is(&rows, &field.source, proposal);
            add(
                &mut field.unsure,
                format!("{} sampled values did not fit what it was taken for: answered as they are", of(count, total)),
            );
            true
        }
        Shape::Group(_) | Shape::Binary(_) => {
            let name = name.to_owned();
            entity.fields.retain(|field| field.name != name);
            entity
                .unsure
                .push(format!("{name} was left out: its items could not be mapped in {} sampled records", of(count, total)));
            true
        }
    }
}

fn as_it_is(rows: &[Row], source: &rabita_sdk::Source, before: &Proposal) -> Proposal {
    let mut types: Vec<&str> = rows
        .iter()
        .filter_map(|row| match row.find(source)? {
            Legacy::Bool(_) => Some("boolean"),
            Legacy::Int(_) => Some("integer"),
            Legacy::Float(_) => Some("number"),
            Legacy::Text(_) => Some("string"),
            Legacy::List(_) => Some("array"),
            Legacy::Group(_) => Some("object"),
            Legacy::Null | Legacy::Bytes(_) => None,
        })
        .collect();
    types.sort_unstable();
    types.dedup();
    let mut proposal = Proposal::new(Vec::new(), json!({ "type": types }));
    proposal.disguise = before.disguise.clone();
    proposal
}

/// Takes constraints away that sampled values break.
fn loosen(entity: &mut DraftedEntity<'_>, name: &str, count: usize, total: usize) -> bool {
    let rows: Vec<Row> = entity.surveyed.samples.0.clone();
    let Some(field) = field(entity, name) else { return false };
    let Shape::One(proposal) = &mut field.shape else { return false };
    let constraints: Vec<String> =
        proposal.schema.keys().filter(|key| !matches!(key.as_str(), "type" | "items")).cloned().collect();
    if constraints.is_empty() {
        **proposal = as_it_is(&rows, &field.source, proposal);
        add(&mut field.unsure, format!("{} sampled values are of another type than declared", of(count, total)));
        return true;
    }
    let is_enum = constraints.iter().any(|key| key == "enum");
    proposal.schema.retain(|key, _| matches!(key.as_str(), "type" | "items"));
    if is_enum {
        **proposal = as_it_is(&rows, &field.source, proposal);
    }
    let why = format!("{} sampled values break {}, which was taken away", of(count, total), constraints.join(", "));
    add(&mut field.unsure, why);
    true
}
