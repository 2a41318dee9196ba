//! Legacy rows made up from what codecs know and from what no registry should hold.

use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;
use proptest::prelude::any;
use proptest::sample::{Index, select};
use proptest::strategy::{BoxedStrategy, Strategy};
use rabita_config::Registry;
use rabita_model::{FieldName, Operation};
use rabita_schemas::{RecordSchema, SelectedFields, cut};
use rabita_sdk::codec::{Codec, CodecSpec, json};
use rabita_sdk::codes::{CodeBook, CodeListSpec};
use rabita_sdk::manifest::{Field, OneOrMany};
use rabita_sdk::mapping::Mapping;
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::{Legacy, Row, Source};
use serde::Serialize;
use serde_json::Value;

use super::laws::{repeats, rightly, unharmed};
use super::{Outcome, hostile, records};
use crate::coverage::CodeUse;
use crate::results::{Case, Origin};

/// Days that are written into a format to see what it makes of them; the codec takes those that it can.
const DAYS: [&str; 7] = ["1978", "1978-03", "1978-03-21", "0001-01-01", "1899-12-31", "2024-02-29", "9999-12-31"];
/// The same for moments and times of day.
const MOMENTS: [&str; 6] =
    ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "1999-12-31T23:59:59+04:00", "00:00:00", "12:30:00", "23:59:59"];

/// Makes rows of one entity, and judges what becomes of them.
pub(super) struct Rows<'a> {
    entity: &'a PlannedEntity,
    schema: &'a RecordSchema,
    /// Writes each field that can be written, whatever the contract lets callers write.
    writers: Arc<Vec<Mapping>>,
    /// What the codecs of a source know.
    known: Vec<(Source, Vec<Legacy>)>,
    /// Every source of the record itself.
    sources: Vec<Source>,
}

/// A made-up row.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Made {
    row: Row,
    /// Whether all its values are such as the codecs know.
    known: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn of(registry: &'a Registry, entity: &'a PlannedEntity) -> Self {
        let codes = &registry.plan.codes;
        let mut writers = Vec::new();
        let mut known: Vec<(Source, Vec<Legacy>)> = Vec::new();
        for (name, field) in &entity.manifest.fields {
            let alone: IndexMap<FieldName, Field> = [(name.clone(), field.clone())].into_iter().collect();
            writers.extend(Mapping::of_request(&alone, codes).ok());
            // Of two fields that are made of one source, only what the first one knows is tried.
            known.extend(values_of(field, codes).filter(|(source, _)| known.iter().all(|(own, _)| own != source)));
        }
        let sources = entity.mapping.wanted(&entity.mapping.all()).sources;
        Self { entity, schema: &registry.schemas[entity.index].1, writers: Arc::new(writers), known, sources }
    }

    /// Rows as they should be, rows with a value of each sort that a codec knows, and rows with one that is hostile.
    pub(super) fn strategy(&self) -> BoxedStrategy<Made> {
        let names: Vec<FieldName> = self.entity.mapping.names().cloned().collect();
        let plain = records::of(&cut(self.schema.document(), &names));
        let (known, sources, writers) = (self.known.clone(), self.sources.clone(), Arc::clone(&self.writers));
        let picks = (any::<Index>(), any::<Index>(), 0_u8..4, select(hostile_values()));
        (plain, picks)
            .prop_map(move |(record, (which, value, how, hostile))| {
                let mut made = Made { row: row_of(&writers, &record), known: true };
                match how {
                    0 | 1 if !known.is_empty() => {
                        let (source, values) = which.get(&known);
                        made.row.put(source, value.get(values).clone());
                    }
                    2 if !sources.is_empty() => {
                        made.row.put(which.get(&sources), hostile);
                        made.known = false;
                    }
                    _ => {}
                }
                made
            })
            .boxed()
    }

    /// A row becomes a record, or faults that name fields; of what codecs know, the schema allows what they make.
    pub(super) fn law(&self, made: &Made) -> Outcome {
        let mapping = &self.entity.mapping;
        let all = mapping.all();
        let Some((record, faults)) = unharmed(|| mapping.decode(&made.row, &all)) else {
            return Outcome::Broken("the mapping panicked at the row".to_owned());
        };
        let given = serde_json::to_value(&made.row).unwrap_or_default();
        if !faults.is_empty() {
            return rightly(&faults, self.entity, &given);
        }
        let record = Value::Object(record);
        let wrong = self.schema.partial_faults(&record, &SelectedFields::all());
        let told = wrong.iter().find(|fault| repeats(&fault.message, &given));
        match (told, wrong.iter().find(|fault| fault.code != "required"), made.known) {
            (Some(fault), ..) => Outcome::Broken(format!("the fault at {} repeats the value", fault.pointer)),
            // What is not there, and what nobody vouches for, the bus refuses with the registry to blame.
            (None, None, _) if wrong.is_empty() => Outcome::Held,
            (None, None, _) | (None, Some(_), false) => Outcome::Refused,
            (None, Some(fault), true) if self.is_of_codec(&fault.pointer) => Outcome::Broken(format!(
                "a codec makes of a value that it knows what the schema refuses: {} {} ({})",
                fault.pointer, fault.message, fault.code
            )),
            (None, Some(_), true) => Outcome::Refused,
        }
    }

    /// Whether a field is made of a source whose codec knows its values.
    fn is_of_codec(&self, pointer: &str) -> bool {
        self.entity.manifest.fields.iter().any(|(name, field)| {
            let own = name.pointer();
            let source = match field {
                Field::Source(source) => Some(source),
                Field::Rule(rule) => rule.from.as_ref().and_then(|from| from.as_slice().first()),
            };
            (pointer.starts_with(&own) || own.starts_with(pointer))
                && source.is_some_and(|source| self.known.iter().any(|(known, _)| known == source))
        })
    }
}

/// The row that a record is written to, field by field; what cannot be written is left out.
fn row_of(writers: &[Mapping], record: &Value) -> Row {
    let mut row = Row::new();
    for writer in writers {
        let names: Vec<&FieldName> = writer.names().collect();
        let Some(members) = record.as_object() else { continue };
        let selected: Vec<FieldName> = names.into_iter().cloned().collect();
        let part = SelectedFields::new(&selected).project(&Value::Object(members.clone()));
        let written = part.as_object().and_then(|part| writer.encode(part, Operation::Act).ok());
        // By its sources: several can lie in one group of the row.
        for source in writer.wanted(&writer.all()).sources {
            if let Some(value) = written.as_ref().and_then(|written| written.find(&source)) {
                row.put(&source, value.clone());
            }
        }
    }
    row
}

/// What no registry should hold, and some do.
fn hostile_values() -> Vec<Legacy> {
    let texts = hostile::TEXTS.iter().map(|text| Legacy::Text((*text).to_owned()));
    let others = [
        Legacy::Null,
        Legacy::Bool(true),
        Legacy::Int(i64::MIN),
        Legacy::Int(0),
        Legacy::Int(99_999_999),
        Legacy::Float(f64::NAN),
        Legacy::Float(1e300),
        Legacy::Bytes(vec![0xC3, 0x28, 0xFF]),
        Legacy::List(vec![Legacy::Null]),
        Legacy::Group(Row::new()),
    ];
    texts.chain(others).collect()
}

/// The source of a field whose codecs know their values, with these values as the registry has them.
fn values_of(field: &Field, codes: &CodeBook) -> Option<(Source, Vec<Legacy>)> {
    let Field::Rule(rule) = field else { return None };
    let (Some(OneOrMany::One(source)), Some(chain)) = (&rule.from, &rule.codec) else { return None };
    let chain = chain.as_slice();
    let mut values = Vec::new();
    for (at, spec) in chain.iter().enumerate() {
        let Ok(before) = Codec::compile(&chain[..at], codes) else { continue };
        values.extend(known_to(spec, codes).iter().filter_map(|value| before.encode(value).ok()));
    }
    (!values.is_empty()).then(|| (source.clone(), values))
}

/// The values that a codec takes, as far as it lists or describes them.
fn known_to(spec: &CodecSpec, codes: &CodeBook) -> Vec<Legacy> {
    match spec {
        CodecSpec::Codes(spec) => match codes.get(&spec.list).map(|list| list.spec()) {
            Some(CodeListSpec::Inline(list)) => list.values.keys().map(|code| Legacy::Text(code.clone())).collect(),
            Some(CodeListSpec::File(_) | CodeListSpec::Table(_)) => {
                let list = codes.get(&spec.list);
                let values = list.map(|list| list.values()).unwrap_or_default();
                values.iter().filter_map(|value| list?.encode(value).ok().flatten()).collect()
            }
            None => Vec::new(),
        },
        CodecSpec::Boolean(spec) => spec.truths.iter().chain(&spec.falsehoods).cloned().collect(),
        CodecSpec::Date(_) => formatted(spec, &DAYS, codes),
        CodecSpec::Datetime(_) | CodecSpec::Time(_) | CodecSpec::Epoch(_) => formatted(spec, &MOMENTS, codes),
        _ => Vec::new(),
    }
}

/// Contract values in a codec's own format, those that it can write.
fn formatted(spec: &CodecSpec, values: &[&str], codes: &CodeBook) -> Vec<Legacy> {
    let Ok(codec) = Codec::compile(std::slice::from_ref(spec), codes) else { return Vec::new() };
    values.iter().filter_map(|value| codec.encode(&Legacy::Text((*value).to_owned())).ok()).collect()
}

/// Each use of a code list: every meaning is a value that the schema allows in the field.
pub(super) fn codes(registry: &Registry) -> Vec<Case> {
    crate::coverage::code_uses(registry).iter().filter_map(|used| meanings(registry, used)).collect()
}

fn meanings(registry: &Registry, used: &CodeUse) -> Option<Case> {
    let began = Instant::now();
    let values = used.list.values();
    let entity = registry.plan.entities.get(used.entity)?;
    let field = FieldName::new(&used.field).ok()?;
    let shape = registry.schemas[used.entity].1.field(&field)?;
    let allowed = shape.keyword("enum").and_then(Value::as_array);
    let refused: Vec<String> = values
        .into_iter()
        .filter_map(|value| json::to_json(value).ok())
        .filter(|value| allowed.is_some_and(|allowed| !allowed.contains(value)))
        .map(|value| value.to_string())
        .collect();
    let name = crate::stage::name_of(entity);
    let what = format!("{name}: the schema allows in `{field}` each meaning of the code list `{}`", used.list.name());
    let result = if refused.is_empty() {
        Ok(())
    } else {
        Err(format!("the schema does not list {}: a registry that has such a code breaks its contract", refused.join(", ")))
    };
    Some(Case::new(&what, Some(&name), Origin::Generated, result.into(), began.elapsed()))
}
