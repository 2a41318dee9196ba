//! The tests of a draft: on rows that look like real ones and are nobody's.

use std::collections::{BTreeMap, BTreeSet};

use rabita_sdk::mapping::Mapping;
use rabita_sdk::survey::{CodeTable, Foreseen, Question, Survey, ValueType};
use rabita_sdk::{Kind, Legacy, Row, Source};
use serde_json::{Map, Value, json};

use crate::entity::{DraftedEntity, DraftedField, Shape, items_of};
use crate::lookalike::{Disguise, LookAlikes};
use crate::propose::ListOf;
use crate::verify::{Sound, value_of};
use crate::{made_up, operations};

/// Rows of the samples that are tried for a test, at most.
const TRIED: usize = 40;

/// What tests are made by.
pub(crate) struct Trials<'a> {
    pub(crate) kind: &'a dyn Kind,
    pub(crate) survey: &'a Survey,
    /// The secret that look-alikes depend on.
    pub(crate) seed: &'a [u8],
}

/// A made-up row and the record that it becomes.
struct Made {
    row: Row,
    record: Map<String, Value>,
}

impl Trials<'_> {
    /// The tests of an entity.
    pub(crate) fn of(&self, entity: &DraftedEntity<'_>, mapping: &Mapping) -> Vec<Value> {
        let mut tests = Vec::new();
        let rows = self.rows(entity, mapping);
        let reads = entity.surveyed.offers.read;
        if let (Some(fullest), true) = (rows.first(), reads) {
            tests.extend(self.read(entity, fullest, "reads a record with most of its fields, made up"));
            if let Some(barest) = rows.last().filter(|barest| barest.record != fullest.record) {
                tests.extend(self.read(entity, barest, "reads a record with few of its fields, made up"));
            }
        }
        tests.extend(rows.first().and_then(|made| self.search(entity, made)));
        if reads {
            tests.extend(rows.first().and_then(|made| self.absent(entity, mapping, made)));
        }
        tests
    }

    /// Made-up rows, the fullest first.
    fn rows(&self, entity: &DraftedEntity<'_>, mapping: &Mapping) -> Vec<Made> {
        let samples = &entity.surveyed.samples.0;
        let disguised = Disguised::new(self.seed, entity);
        let sound = Sound::of(entity);
        let mut real: Vec<&Row> = samples.iter().collect();
        let filled =
            |row: &&Row| entity.fields.iter().filter(|f| row.find(&f.source).is_some_and(|value| !value.is_null())).count();
        real.sort_by_key(|row| std::cmp::Reverse(filled(row)));
        let half = TRIED / 2;
        let tried = if real.len() > TRIED { [&real[..half], &real[real.len() - half..]].concat() } else { real };
        let mut made: Vec<Made> = tried
            .into_iter()
            .filter(|row| sound.record(mapping, row).is_some())
            .filter_map(|row| {
                let row = disguised.row(row)?;
                let record = sound.record(mapping, &row)?;
                Some(Made { row, record })
            })
            .collect();
        if made.is_empty() {
            let row = made_up::row(entity.surveyed);
            made.extend(sound.record(mapping, &row).map(|record| Made { row, record }));
        }
        made
    }

    fn read(&self, entity: &DraftedEntity<'_>, made: &Made, name: &str) -> Option<Value> {
        let key: Vec<Legacy> = entity.key.iter().map(|source| made.row.find(source).cloned()).collect::<Option<_>>()?;
        let legacy = self.fixture(entity, Question::Read(&key), std::slice::from_ref(&made.row))?;
        let key = self.key_of(entity, &made.record)?;
        Some(json!({
            "name": format!("{}: {name}", entity.name), "entity": self.target(entity), "legacy": legacy, "read": key, "expect": made.record,
        }))
    }

    fn search(&self, entity: &DraftedEntity<'_>, made: &Made) -> Option<Value> {
        let filters = operations::filters(entity);
        let equals = |filter: &Value| {
            let compared = filter.get("compare").unwrap_or(filter).as_array();
            compared.is_some_and(|words| words.contains(&json!("equals")))
        };
        filters.iter().filter(|(_, comparisons)| equals(comparisons)).find_map(|(name, _)| {
            let field = entity.fields.iter().find(|field| field.name == *name)?;
            let wanted = value_of(&made.record, name)?.clone();
            let legacy = made.row.find(&field.source).filter(|value| !value.is_null())?;
            let legacy = self.fixture(entity, Question::Search(&field.source, legacy), std::slice::from_ref(&made.row))?;
            let mut asked: Vec<String> = self.key_names(entity);
            if !asked.contains(name) {
                asked.push(name.clone());
            }
            let mut expected = Map::new();
            for field in &asked {
                put(&mut expected, field, value_of(&made.record, field)?.clone());
            }
            Some(json!({
                "name": format!("{}: finds a record by its {name}, made up", entity.name), "entity": self.target(entity), "legacy": legacy,
                "search": { name: wanted }, "fields": asked, "expect": [expected],
            }))
        })
    }

    /// A key that no sampled record has. Whether none has it is known when the registry is asked.
    fn absent(&self, entity: &DraftedEntity<'_>, mapping: &Mapping, made: &Made) -> Option<Value> {
        let mut row = made.row.clone();
        let part = entity.key.iter().find(|source| !is_kept(entity, source)).or(entity.key.first())?;
        let used: BTreeSet<String> =
            entity.surveyed.samples.0.iter().filter_map(|row| row.find(part)?.to_text().map(|text| text.into_owned())).collect();
        let another = another(row.find(part)?, &used, entity.surveyed.column(part).map(|column| &column.value))?;
        row.put(part, another);
        let (record, _) = mapping.decode(&row, &mapping.all());
        let read = self.key_of(entity, &record)?;
        let key: Vec<Legacy> = entity.key.iter().map(|source| row.find(source).cloned()).collect::<Option<_>>()?;
        let legacy = self.fixture(entity, Question::Read(&key), &[])?;
        Some(json!({
            "name": format!("{}: a key that nobody has", entity.name), "entity": self.target(entity), "live": true, "legacy": legacy,
            "read": read, "expect_absent": true,
        }))
    }

    fn target(&self, entity: &DraftedEntity<'_>) -> String {
        format!("v1/{}", entity.name)
    }

    fn key_names(&self, entity: &DraftedEntity<'_>) -> Vec<String> {
        let name = |source: &Source| entity.fields.iter().find(|field| field.source == *source).map(|field| field.name.clone());
        entity.key.iter().filter_map(name).collect()
    }

    fn key_of(&self, entity: &DraftedEntity<'_>, record: &Map<String, Value>) -> Option<Value> {
        let parts: Vec<Value> =
            self.key_names(entity).iter().map(|name| value_of(record, name).cloned()).collect::<Option<_>>()?;
        match parts.as_slice() {
            [one] => Some(one.clone()),
            _ => Some(Value::Array(parts)),
        }
    }

    fn fixture(&self, entity: &DraftedEntity<'_>, question: Question<'_>, rows: &[Row]) -> Option<Value> {
        let tables: Vec<(&CodeTable, Vec<Row>)> = self
            .survey
            .code_tables
            .iter()
            .enumerate()
            .filter_map(|(at, table)| Some((table, codes_in(entity, at, table, rows)?)))
            .collect();
        let foreseen = Foreseen { settings: &self.survey.settings, entity: entity.surveyed, question, rows, tables: &tables };
        self.kind.fixture(&foreseen)
    }
}

/// The rows of a table of codes that made-up rows use; `None` for a table that the entity does not use.
fn codes_in(entity: &DraftedEntity<'_>, at: usize, table: &CodeTable, rows: &[Row]) -> Option<Vec<Row>> {
    let looks_up = |field: &&DraftedField| {
        field.proposals().iter().any(|proposal| proposal.list.as_ref().is_some_and(|list| list.of == ListOf::Table(at)))
    };
    let fields: Vec<&DraftedField> = entity.fields.iter().filter(looks_up).collect();
    if fields.is_empty() {
        return None;
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    for value in fields.iter().flat_map(|field| rows.iter().filter_map(|row| row.find(&field.source))) {
        used.extend(value.to_text().map(|text| text.trim().to_owned()));
    }
    let is_used = |row: &&Row| row.find(&table.code).and_then(Legacy::to_text).is_some_and(|code| used.contains(code.trim()));
    let bare = |row: &Row| -> Row {
        [&table.code, &table.value]
            .into_iter()
            .map(|source| (source.as_str(), row.find(source).cloned().unwrap_or_default()))
            .collect()
    };
    Some(table.rows.iter().filter(is_used).map(bare).collect())
}

fn is_kept(entity: &DraftedEntity<'_>, source: &Source) -> bool {
    let field = entity.fields.iter().find(|field| field.source == *source);
    field.is_some_and(|field| field.proposals().iter().all(|proposal| proposal.disguise == Disguise::Keep))
}

/// A value of the same form that is not among those that are used.
fn another(value: &Legacy, used: &BTreeSet<String>, declared: Option<&ValueType>) -> Option<Legacy> {
    match value {
        Legacy::Int(number) => {
            let most = match declared {
                Some(ValueType::Integer { digits: Some(digits) }) if *digits < 6 => 32_767,
                Some(ValueType::Integer { digits: Some(digits) }) if *digits < 11 => 2_147_483_647,
                _ => i64::MAX,
            };
            // As many digits, and among the last of them, where the numbers that are given out have not got to.
            let width = u32::try_from(number.to_string().len()).ok()?;
            let top = 10_i64.checked_pow(width).map_or(most, |next| (next - 1).min(most));
            (0..1000).map(|step| top - step).find(|number| !used.contains(&number.to_string())).map(Legacy::Int)
        }
        Legacy::Text(text) => {
            let turned = |step: u32| -> String {
                text.chars()
                    .map(|character| match character {
                        '0'..='9' => char::from_digit((character.to_digit(10).unwrap_or(0) + step) % 10, 10).unwrap_or('9'),
                        'a'..='y' | 'A'..='Y' if step > 4 => char::from_u32(u32::from(character) + 1).unwrap_or(character),
                        other => other,
                    })
                    .collect()
            };
            (1..10).map(turned).find(|other| other != text && !used.contains(other)).map(Legacy::Text)
        }
        _ => None,
    }
}

fn put(record: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            record.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = record.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Look-alikes of an entity's rows, and of its groups' items.
struct Disguised<'a> {
    own: LookAlikes,
    groups: Vec<(&'a Source, LookAlikes)>,
}

impl<'a> Disguised<'a> {
    fn new(seed: &[u8], entity: &'a DraftedEntity<'_>) -> Self {
        let rows = &entity.surveyed.samples.0;
        let groups = entity
            .fields
            .iter()
            .filter_map(|field| match &field.shape {
                Shape::Group(fields) => {
                    let items: Vec<Row> = rows.iter().flat_map(|row| items_of(row, &field.source)).cloned().collect();
                    Some((&field.source, look_alikes(seed, fields, &items)))
                }
                _ => None,
            })
            .collect();
        Self { own: look_alikes(seed, &entity.fields, rows), groups }
    }

    fn row(&self, row: &Row) -> Option<Row> {
        let mut made = self.own.row(row)?;
        for (source, looks) in &self.groups {
            if row.find(source).is_none() {
                continue;
            }
            let items = items_of(row, source).into_iter().map(|item| looks.row(item).map(Legacy::Group));
            made.put(source, Legacy::List(items.collect::<Option<_>>()?));
        }
        Some(made)
    }
}

fn look_alikes(seed: &[u8], fields: &[DraftedField], rows: &[Row]) -> LookAlikes {
    let mut disguises = BTreeMap::new();
    let mut sentinels = BTreeSet::new();
    for field in fields {
        if let Shape::One(proposal) = &field.shape {
            disguises.insert(field.source.clone(), proposal.disguise.clone());
            sentinels.extend(proposal.sentinels.iter().cloned());
        }
    }
    LookAlikes::new(seed, disguises, sentinels, rows)
}
