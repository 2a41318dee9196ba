//! How the values of an entity's sources are disguised: by what the mapping and the schema say of them.

mod ways;

use std::collections::BTreeSet;
use std::sync::Arc;

use rabita_config::Registry;
use rabita_draft::lookalike::{Disguise, LookAlikes, tells};
use rabita_schemas::{RecordSchema, SelectedFields};
use rabita_sdk::mapping::Mapping;
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::survey::CodeTable;
use rabita_sdk::{Legacy, Row, Source};
use serde_json::Value;

use ways::{Reader, Sources, sources_of};

/// How many look-alikes of a value are tried until the contract takes one: a pattern may leave out letters.
const ATTEMPTS: u8 = 64;

/// Makes look-alikes of an entity's rows.
pub(super) struct Disguised {
    mapping: Arc<Mapping>,
    schema: RecordSchema,
    own: Sources,
    /// One for each attempt.
    looks: Vec<LookAlikes>,
    groups: Vec<Group>,
    /// Each field of the record itself, and what it is made of.
    fields: Vec<(String, Vec<Source>)>,
    /// How many days moments are moved by.
    days: i64,
}

/// A repeated group.
struct Group {
    name: Source,
    /// Where its list stands in a record.
    pointer: String,
    sources: Sources,
    looks: Vec<LookAlikes>,
}

impl Disguised {
    pub(super) fn new(registry: &Registry, entity: &PlannedEntity, key: &[u8; 32], rows: &[Row]) -> Self {
        let schema = &registry.schemas[entity.index].1;
        let reader = Reader { codes: &registry.plan.codes, schema };
        let mut own = reader.sources(&entity.manifest.fields, "");
        let keys = &registry.plan.spec.entities[entity.index].key;
        for source in keys.iter().chain(&entity.manifest.version) {
            own.ways.entry(source.clone()).or_insert(Disguise::Keep);
        }
        let (mut groups, mut fields) = (Vec::new(), Vec::new());
        for (name, field) in &entity.manifest.fields {
            match reader.group(name, field) {
                Some((group, sources)) => {
                    let items: Vec<Row> = rows.iter().flat_map(|row| items(row, &group)).collect();
                    let looks = look_alikes(key, &sources, &items);
                    groups.push(Group { name: group, pointer: name.pointer(), sources, looks });
                }
                None => fields.push((name.pointer(), sources_of(field))),
            }
        }
        let looks = look_alikes(key, &own, rows);
        let days = 30 + i64::from(key[0]);
        Self { mapping: Arc::clone(&entity.mapping), schema: RecordSchema::clone(schema), own, looks, groups, fields, days }
    }

    /// The look-alike of a row, other ones tried for what the contract does not take; `None` where a value cannot be given
    /// another. One value always becomes the same.
    pub(super) fn row(&self, row: &Row) -> Option<Row> {
        let mut made = self.looks[0].row(row)?;
        self.own.move_moments(&mut made, self.days)?;
        let mut lists: Vec<Vec<Row>> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let items = items(row, &group.name);
            lists.push(items.iter().map(|item| group.item(item, 0, self.days)).collect::<Option<_>>()?);
        }
        for attempt in 1..usize::from(ATTEMPTS) {
            self.put_lists(row, &mut made, &lists);
            let faults = self.faults(&made);
            if faults.is_empty() {
                return Some(made);
            }
            for pointer in &faults {
                self.again(row, pointer, attempt, &mut made, &mut lists);
            }
        }
        Some(made)
    }

    fn put_lists(&self, row: &Row, made: &mut Row, lists: &[Vec<Row>]) {
        let asked = self.groups.iter().zip(lists).filter(|(group, _)| row.find(&group.name).is_some());
        for (group, items) in asked {
            made.put(&group.name, Legacy::List(items.iter().cloned().map(Legacy::Group).collect()));
        }
    }

    /// The places of a record that the contract does not take; what is not there is no matter of look-alikes.
    fn faults(&self, made: &Row) -> Vec<String> {
        let (record, faults) = self.mapping.decode(made, &self.mapping.all());
        let wrong = self.schema.partial_faults(&Value::Object(record), &SelectedFields::all());
        let wrong = wrong.into_iter().filter(|fault| fault.code != "required");
        faults.into_iter().chain(wrong).map(|fault| fault.pointer).collect()
    }

    /// Gives the values at a place other look-alikes.
    fn again(&self, row: &Row, pointer: &str, attempt: usize, made: &mut Row, lists: &mut [Vec<Row>]) {
        for (group, list) in self.groups.iter().zip(lists) {
            let rest = pointer.strip_prefix(&group.pointer).and_then(|rest| rest.strip_prefix('/'));
            let at = rest.and_then(|rest| rest.split('/').next()).and_then(|at| at.parse::<usize>().ok());
            if let Some((at, item)) = at.and_then(|at| Some((at, items(row, &group.name).into_iter().nth(at)?)))
                && let (Some(own), Some(other)) = (list.get_mut(at), group.item(&item, attempt, self.days))
            {
                *own = other;
            }
        }
        let Some(mut other) = self.looks[attempt].row(row) else { return };
        if self.own.move_moments(&mut other, self.days).is_none() {
            return;
        }
        let fields = self.fields.iter().filter(|(own, _)| pointer.starts_with(own.as_str()) || own.starts_with(pointer));
        for source in fields.flat_map(|(_, sources)| sources) {
            if let Some(value) = other.find(source) {
                made.put(source, value.clone());
            }
        }
    }

    /// Whether a value that was to be disguised still stands somewhere in a test. `open` are the texts that may: codes, and
    /// what they mean.
    pub(super) fn betrayed(&self, rows: &[Row], open: &BTreeSet<String>, test: &Value) -> bool {
        let test = test.to_string();
        let stands = |sources: &Sources, row: &Row| {
            let hidden = sources.ways.iter().filter(|(_, how)| **how != Disguise::Keep).map(|(source, _)| source);
            hidden.filter_map(|source| row.find(source)?.to_text()).any(|text| {
                let text = text.trim();
                let shown = Value::from(text).to_string();
                tells(text) && !open.contains(text) && !sources.sentinels.contains(text) && test.contains(shown.trim_matches('"'))
            })
        };
        rows.iter().any(|row| {
            let in_group = |group: &Group| items(row, &group.name).iter().any(|item| stands(&group.sources, item));
            stands(&self.own, row) || self.groups.iter().any(in_group)
        })
    }
}

impl Group {
    fn item(&self, item: &Row, attempt: usize, days: i64) -> Option<Row> {
        let mut made = self.looks[attempt].row(item)?;
        self.sources.move_moments(&mut made, days)?;
        Some(made)
    }
}

/// Look-alikes for each attempt.
fn look_alikes(key: &[u8; 32], sources: &Sources, rows: &[Row]) -> Vec<LookAlikes> {
    (0..ATTEMPTS)
        .map(|attempt| {
            let mut key = *key;
            key[30] ^= attempt;
            LookAlikes::new(&key, sources.ways.clone(), sources.sentinels.clone(), rows)
        })
        .collect()
}

/// The items of a group in a row.
fn items(row: &Row, group: &Source) -> Vec<Row> {
    let items = match row.find(group) {
        Some(Legacy::List(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    items
        .iter()
        .filter_map(|item| match item {
            Legacy::Group(row) => Some(row.clone()),
            _ => None,
        })
        .collect()
}

/// The rows of a table of codes that rows use; one at least, so that the table is there.
pub(super) fn codes_in(table: &CodeTable, rows: &[Row]) -> Vec<Row> {
    let mut used = BTreeSet::new();
    for row in rows {
        collect(&Legacy::Group(row.clone()), &mut used);
    }
    let is_used = |row: &&Row| row.find(&table.code).and_then(Legacy::to_text).is_some_and(|code| used.contains(code.trim()));
    let found: Vec<Row> = table.rows.iter().filter(is_used).cloned().collect();
    if found.is_empty() { table.rows.iter().take(1).cloned().collect() } else { found }
}

/// What codes are and mean: it stands in a test as it is, and points to nobody.
pub(super) fn open_texts(tables: &[CodeTable]) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        collect(&Legacy::Group(row.clone()), &mut texts);
    }
    texts
}

fn collect(value: &Legacy, used: &mut BTreeSet<String>) {
    match value {
        Legacy::List(items) => items.iter().for_each(|item| collect(item, used)),
        Legacy::Group(row) => row.iter().for_each(|(_, value)| collect(value, used)),
        scalar => used.extend(scalar.to_text().map(|text| text.trim().to_owned())),
    }
}
