//! Validate: the request against the contract, and its arguments turned into legacy terms. All faults at once.

mod change;

use rabita_model::ask::Key;
use rabita_model::{Code, Comparison, Fault, FieldName, Filter, Refusal, Want};
use rabita_schemas::{FieldShape, JsonType, SelectedFields};
use rabita_sdk::mapping::Selection;
use rabita_sdk::{Condition, Legacy, Source};
use serde_json::{Map, Value};

use super::Permitted;
use crate::registry::Entity;
use crate::seal::Seal;

pub(crate) use change::Draft;

/// Proof that the request satisfies the contract, with its arguments in legacy terms.
pub(crate) struct Validated {
    pub permitted: Permitted,
    pub asked: Asked,
    _made_here: (),
}

/// What is asked of the connector.
pub(crate) enum Asked {
    Read {
        key: Vec<Legacy>,
    },
    ReadMany {
        keys: Vec<Vec<Legacy>>,
    },
    Binary {
        key: Vec<Legacy>,
        source: Source,
        media_type: String,
    },
    Search {
        conditions: Vec<Condition>,
        limit: usize,
        cursor: Option<String>,
        /// What the search is, for its cursor and for those who ask the same.
        search: String,
        /// The fields compared by order. Where one decodes to none, a legacy sentinel lay within the range.
        ranges: Option<Selection>,
    },
    /// Goes to the journal, and from there to the connector.
    Change(Box<Draft>),
}

/// On a page, unless more or fewer are asked for.
const LIMIT_DEFAULT: u32 = 25;

impl Validated {
    /// Validates a permitted request.
    pub fn of(permitted: Permitted, seal: &Seal) -> Result<Self, Refusal> {
        let entity = &permitted.entity;
        let in_url = permitted.ask.in_url;
        if in_url && !entity.manifest.identifiers_in_url {
            return Err(Refusal::new(Code::IdentifierInUrl));
        }
        let mut faults = Faults { in_url, all: Vec::new() };
        let asked = match &permitted.ask.want {
            Want::Read { key } => faults.key(entity, key, "/key").map(|key| Asked::Read { key }),
            Want::ReadMany { keys } => faults.keys(entity, keys),
            Want::Binary { key, field } => faults.binary(entity, key, field),
            Want::Search { filters, limit, cursor } => faults.search(entity, filters, *limit, cursor.as_deref(), seal)?,
            Want::Change(submission) => faults.change(entity, submission, seal)?.map(|draft| Asked::Change(Box::new(draft))),
        };
        match asked {
            Some(asked) if faults.all.is_empty() => Ok(Self { permitted, asked, _made_here: () }),
            _ => Err(Refusal::with_faults(Code::InvalidRequest, faults.all)),
        }
    }
}

impl Validated {
    /// Whether it changes a record.
    pub const fn is_change(&self) -> bool {
        matches!(self.asked, Asked::Change(_))
    }

    /// The change that it is.
    pub fn into_draft(self) -> Result<(Permitted, Draft), Refusal> {
        match self.asked {
            Asked::Change(draft) => Ok((self.permitted, *draft)),
            _ => Err(Refusal::new(Code::Internal).detail("what is no change was taken for one")),
        }
    }
}

struct Faults {
    in_url: bool,
    all: Vec<Fault>,
}

impl Faults {
    fn key(&mut self, entity: &Entity, key: &Key, place: &str) -> Option<Vec<Legacy>> {
        let typed = self.typed_key(entity, key, place)?;
        self.legacy_key(entity, &typed, place)
    }

    /// The key's values as the schema has them.
    fn typed_key(&mut self, entity: &Entity, key: &Key, place: &str) -> Option<Vec<Value>> {
        let Key(values) = key;
        if values.len() != entity.key_fields.len() {
            let names: Vec<&str> = entity.key_fields.iter().map(FieldName::as_str).collect();
            let message = format!("the key has {} part(s): {}", names.len(), names.join(", "));
            self.add(place, "key_parts", message);
            return None;
        }
        let mut record = Map::new();
        let mut typed = Vec::with_capacity(values.len());
        for (field, value) in entity.key_fields.iter().zip(values) {
            let value = typed_value(entity, field, value, self.in_url);
            set(&mut record, field, value.clone());
            typed.push(value);
        }
        let record = Value::Object(record);
        if !entity.schema.partial_is_valid(&record, &entity.key_selected) {
            for fault in entity.schema.partial_faults(&record, &entity.key_selected) {
                self.add(
                    place,
                    fault.code,
                    format!("{} {}", fault.pointer.trim_start_matches('/').replace('/', "."), fault.message),
                );
            }
            return None;
        }
        Some(typed)
    }

    fn legacy_key(&mut self, entity: &Entity, typed: &[Value], place: &str) -> Option<Vec<Legacy>> {
        match entity.mapping.key(typed) {
            Ok(key) => Some(key),
            Err(faults) => {
                faults.into_iter().for_each(|fault| self.add(place, fault.code, fault.message));
                None
            }
        }
    }

    fn keys(&mut self, entity: &Entity, keys: &[Key]) -> Option<Asked> {
        let max = entity.manifest.operations.read.as_ref().map_or(1, |read| read.max_keys) as usize;
        if keys.is_empty() || keys.len() > max {
            self.add("/keys", "keys_out_of_range", format!("one call takes from 1 to {max} keys"));
            return None;
        }
        let keys: Vec<Option<Vec<Legacy>>> =
            keys.iter().enumerate().map(|(at, key)| self.key(entity, key, &format!("/keys/{at}"))).collect();
        keys.into_iter().collect::<Option<Vec<_>>>().map(|keys| Asked::ReadMany { keys })
    }

    fn binary(&mut self, entity: &Entity, key: &Key, field: &FieldName) -> Option<Asked> {
        let key = self.key(entity, key, "/key");
        let found = entity.mapping.binary().find(|(name, _, _)| *name == field);
        let Some((_, source, media_type)) = found else {
            self.add("/field", "not_binary", format!("`{field}` is no binary field: it stands in the record"));
            return None;
        };
        Some(Asked::Binary { key: key?, source: source.clone(), media_type: media_type.to_owned() })
    }

    fn search(
        &mut self,
        entity: &Entity,
        filters: &[Filter],
        limit: Option<u32>,
        cursor: Option<&str>,
        seal: &Seal,
    ) -> Result<Option<Asked>, Refusal> {
        let max = entity.manifest.operations.search.as_ref().map_or(1, |search| search.max);
        let limit = limit.unwrap_or(LIMIT_DEFAULT.min(max));
        if limit == 0 || limit > max {
            self.add("/limit", "limit_out_of_range", format!("a page has from 1 to {max} records"));
        }
        if filters.is_empty() {
            let known: Vec<String> = entity.mapping.filters().map(|(name, _)| name.to_string()).collect();
            self.add("/where", "filter_missing", format!("a search needs a filter: {}", known.join(", ")));
        }
        let mut conditions = Vec::new();
        for filter in filters {
            conditions.extend(self.filter(entity, filter).unwrap_or_default());
        }
        if !self.all.is_empty() {
            return Ok(None);
        }
        let search = format!("{} {conditions:?}", entity.target);
        let cursor = cursor.map(|sealed| seal.open(sealed, search.as_bytes())).transpose()?;
        let compares_order = |filter: &&Filter| matches!(filter.comparison, Comparison::From | Comparison::To);
        let ranges: Vec<FieldName> = filters.iter().filter(compares_order).map(|filter| filter.field.clone()).collect();
        let ranges = entity.mapping.select(&ranges).ok().filter(|ranges| !ranges.is_empty());
        Ok(Some(Asked::Search { conditions, limit: limit as usize, cursor, search, ranges }))
    }

    fn filter(&mut self, entity: &Entity, filter: &Filter) -> Option<Vec<Condition>> {
        let Filter { field, comparison, value } = filter;
        let value = typed_value(entity, field, value, self.in_url);
        let place = format!("/where/{field}");
        let conditions = match entity.mapping.conditions(field, *comparison, &value) {
            Ok(conditions) => conditions,
            Err(fault) => {
                self.add(&place, fault.code, fault.message);
                return None;
            }
        };
        // Part of a value need not satisfy what the schema asks of the whole.
        if *comparison != Comparison::Prefix {
            let mut record = Map::new();
            set(&mut record, field, value);
            let selected = SelectedFields::new(std::slice::from_ref(field));
            for fault in entity.schema.partial_faults(&Value::Object(record), &selected) {
                self.add(&place, fault.code, fault.message);
            }
        }
        Some(conditions)
    }

    fn add(&mut self, place: &str, code: &'static str, message: impl Into<String>) {
        let fault = if self.in_url {
            let name = place.trim_start_matches('/').trim_start_matches("where/");
            let name = if name.starts_with("keys") { "key" } else { name };
            Fault::parameter(name, code, message)
        } else {
            Fault::at(place, code, message)
        };
        self.all.push(fault);
    }
}

/// What stands in a URL is text; the schema says what it is text of.
fn typed_value(entity: &Entity, field: &FieldName, value: &Value, in_url: bool) -> Value {
    let (true, Value::String(text)) = (in_url, value) else { return value.clone() };
    entity.schema.field(field).and_then(|shape| parsed(&shape, text)).unwrap_or_else(|| value.clone())
}

fn parsed(shape: &FieldShape<'_>, text: &str) -> Option<Value> {
    if shape.allows(JsonType::String) {
        return None;
    }
    let is_scalar = [JsonType::Integer, JsonType::Number, JsonType::Boolean].into_iter().any(|one| shape.allows(one));
    serde_json::from_str::<Value>(text).ok().filter(|value| is_scalar && (value.is_number() || value.is_boolean()))
}

/// Sets a field of a record, making the objects on the way.
pub(crate) fn set(record: &mut Map<String, Value>, field: &FieldName, value: Value) {
    let members: Vec<&str> = field.members().collect();
    let value = members[1..].iter().rev().fold(value, |inner, member| {
        let mut object = Map::new();
        object.insert((*member).to_owned(), inner);
        Value::Object(object)
    });
    merge(record, members[0], value);
}

fn merge(record: &mut Map<String, Value>, member: &str, value: Value) {
    match (record.get_mut(member), value) {
        (Some(Value::Object(own)), Value::Object(more)) => more.into_iter().for_each(|(name, value)| merge(own, &name, value)),
        (_, value) => {
            record.insert(member.to_owned(), value);
        }
    }
}
