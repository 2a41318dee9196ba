//! The mapping: the two-way correspondence of an entity's contract fields and its legacy values.
//!
//! [`Mapping::compile`] makes it from the manifest, once. [`Mapping::decode`] turns a legacy row into a contract
//! record; [`Mapping::encode`], [`Mapping::key`] and [`Mapping::conditions`] go the other way. All of them tell every
//! fault at once, and never a value.

mod compile;
mod patch;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rabita_model::{Comparison, Fault, FieldName, Operation};
use serde_json::{Map, Value};

pub use selection::Selection;

use crate::codec::{Codec, CodecFault, json};
use crate::expression::Expression;
use crate::template::Template;
use crate::{Condition, GroupSpec, Ignore, Legacy, Row, Source, Wanted};

/// The compiled mapping of one entity.
#[derive(Debug)]
pub struct Mapping {
    fields: Vec<FieldMap>,
    key: Vec<usize>,
    filters: HashMap<FieldName, FilterMap>,
    writable: HashMap<Operation, Vec<usize>>,
}

#[derive(Debug)]
struct FieldMap {
    name: FieldName,
    pointer: String,
    members: Vec<String>,
    keep_null: bool,
    rule: RuleMap,
}

#[derive(Debug)]
enum RuleMap {
    Plain { source: Source, codec: Codec },
    Split { source: Source, codec: Codec, template: Template },
    Composed { sources: Vec<Source>, template: Template, codec: Codec },
    Constant(Value),
    Each { group: Source, item: ItemMap },
    Computed { sources: Vec<Source>, read: Expression, write: Vec<(Source, Expression)> },
    Binary { source: Source, media_type: String },
}

#[derive(Debug)]
enum ItemMap {
    Fields(Vec<FieldMap>),
    Scalar { source: Option<Source>, codec: Codec },
}

#[derive(Debug)]
struct FilterMap {
    field: usize,
    comparisons: Vec<Comparison>,
    ignore: Vec<Ignore>,
}

impl Mapping {
    /// The fields' names, in the order of the manifest; binary ones too.
    pub fn names(&self) -> impl Iterator<Item = &FieldName> {
        self.fields.iter().map(|field| &field.name)
    }

    /// The binary fields with their sources and media types.
    pub fn binary(&self) -> impl Iterator<Item = (&FieldName, &Source, &str)> {
        self.fields.iter().filter_map(|field| match &field.rule {
            RuleMap::Binary { source, media_type } => Some((&field.name, source, media_type.as_str())),
            _ => None,
        })
    }

    /// The fields that identify a record.
    pub fn key_fields(&self) -> impl ExactSizeIterator<Item = &FieldName> {
        self.key.iter().map(|at| &self.fields[*at].name)
    }

    /// The filters with their comparisons.
    pub fn filters(&self) -> impl Iterator<Item = (&FieldName, &[Comparison])> {
        self.filters.iter().map(|(name, filter)| (name, filter.comparisons.as_slice()))
    }

    /// Every field that stands in JSON.
    #[must_use]
    pub fn all(&self) -> Selection {
        Selection::of(self.fields.len(), |at| !matches!(self.fields[at].rule, RuleMap::Binary { .. }))
    }

    /// The fields that these names cover; binary ones only where one is named itself.
    ///
    /// # Errors
    /// The names that cover nothing.
    pub fn select(&self, names: &[FieldName]) -> Result<Selection, Vec<FieldName>> {
        let unknown: Vec<_> =
            names.iter().filter(|name| !self.fields.iter().any(|field| name.covers(&field.name))).cloned().collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        Ok(Selection::of(self.fields.len(), |at| names.iter().any(|name| name.covers(&self.fields[at].name))))
    }

    /// The names of selected fields.
    pub fn selected<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a FieldName> {
        self.fields.iter().enumerate().filter(|(at, _)| selection.has(*at)).map(|(_, field)| &field.name)
    }

    /// The legacy values that selected fields are made of.
    #[must_use]
    pub fn wanted(&self, selection: &Selection) -> Wanted {
        let mut wanted = Wanted::default();
        for (at, field) in self.fields.iter().enumerate() {
            if selection.has(at) {
                field.rule.want(&mut wanted);
            }
        }
        wanted
    }

    /// The contract record of a legacy row, with the selected fields, and all that is wrong with it. A field at fault
    /// is left out.
    #[must_use]
    pub fn decode(&self, row: &Row, selection: &Selection) -> (Map<String, Value>, Vec<Fault>) {
        let mut record = Map::new();
        let mut faults = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            if selection.has(at) {
                field.decode(row, "", &mut record, &mut faults);
            }
        }
        (record, faults)
    }

    /// Whether each of the selected fields has a value in a legacy row. One that cannot be decoded has: what is wrong
    /// with it is told when the record is made.
    #[must_use]
    pub fn has_all(&self, row: &Row, selection: &Selection) -> bool {
        let fields = self.fields.iter().enumerate().filter(|(at, _)| selection.has(*at));
        fields.map(|(_, field)| field.decode_one(row)).all(|value| value.as_ref().map_or(true, |value| !value.is_null()))
    }

    /// The legacy key of a record's contract key.
    ///
    /// # Errors
    /// What is wrong with the key's values, each at its field.
    pub fn key(&self, values: &[Value]) -> Result<Vec<Legacy>, Vec<Fault>> {
        if values.len() != self.key.len() {
            let names: Vec<_> = self.key_fields().map(FieldName::as_str).collect();
            return Err(vec![Fault::at("/key", "key_parts", format!("a key has the parts {}", names.join(", ")))]);
        }
        let mut faults = Vec::new();
        let mut key = Vec::with_capacity(values.len());
        for (at, value) in self.key.iter().zip(values) {
            let field = &self.fields[*at];
            match field.encode_plain(value) {
                Ok(value) => key.push(value),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(key) } else { Err(faults) }
    }

    /// The legacy conditions of a filter.
    ///
    /// # Errors
    /// What is wrong with it: no such filter, no such comparison, a value that the field cannot have.
    pub fn conditions(&self, name: &FieldName, comparison: Comparison, value: &Value) -> Result<Vec<Condition>, Fault> {
        let pointer = format!("/where/{name}");
        let Some(filter) = self.filters.get(name) else {
            let known: Vec<_> = self.filters.keys().map(FieldName::as_str).collect();
            let mut message = format!("`{name}` is no filter of this entity");
            if let Some(likely) = crate::finding::likely(name.as_str(), known) {
                message = format!("{message}; did you mean `{likely}`?");
            }
            return Err(Fault::at(pointer, "unknown_filter", message));
        };
        if !filter.comparisons.contains(&comparison) {
            let known: Vec<_> = filter.comparisons.iter().map(|c| c.as_str()).collect();
            let message = format!("`{name}` can be compared by {} only", known.join(", "));
            return Err(Fault::at(pointer, "comparison_unsupported", message));
        }
        let field = &self.fields[filter.field];
        let condition =
            |source: &Source, value| Condition { source: source.clone(), comparison, value, ignore: filter.ignore.clone() };
        match &field.rule {
            RuleMap::Composed { template, codec, .. } => {
                let at = |fault: CodecFault| Fault::at(&pointer, fault.code, fault.message);
                let text = codec.encode(&json::from_json(value)).map_err(at)?;
                let Some(text) = text.to_text() else {
                    return Err(Fault::at(pointer, "type", "a value to compare with"));
                };
                let parts = template.split(&text).map_err(at)?;
                Ok(parts.into_iter().map(|(source, value)| condition(&Source::new(&source), value)).collect())
            }
            _ => {
                let legacy = field.encode_condition(comparison, value).map_err(|fault| Fault { pointer, ..fault })?;
                if legacy.is_null() {
                    return Err(Fault::at(format!("/where/{name}"), "type", "a filter compares with a value, not with null"));
                }
                Ok(vec![condition(field.plain_source(), legacy)])
            }
        }
    }

    /// The legacy values of a record, or of a part of one: only what is given, and only what the operation may write.
    ///
    /// # Errors
    /// Every field that cannot be written, with its JSON Pointer.
    pub fn encode(&self, record: &Map<String, Value>, operation: Operation) -> Result<Row, Vec<Fault>> {
        let writable = self.writable.get(&operation).map_or(&[][..], Vec::as_slice);
        let mut faults = Vec::new();
        self.refuse_unknown(record, "", writable, &mut faults);
        let mut row = Row::new();
        for at in writable {
            let field = &self.fields[*at];
            if let Some(value) = value_at(record, &field.members) {
                field.encode(value, record, &mut row, &mut faults);
            }
        }
        if faults.is_empty() { Ok(row) } else { Err(faults) }
    }

    fn refuse_unknown(&self, part: &Map<String, Value>, path: &str, writable: &[usize], faults: &mut Vec<Fault>) {
        for (member, value) in part {
            let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
            let pointer = format!("/{}", path.replace('.', "/"));
            let own = self.fields.iter().position(|field| field.name.as_str() == path);
            let within =
                self.fields.iter().any(|field| field.name.as_str().strip_prefix(&path).is_some_and(|r| r.starts_with('.')));
            match (own, value) {
                (Some(at), _) if writable.contains(&at) || self.key.contains(&at) => {}
                (Some(_), _) => faults.push(Fault::at(pointer, "not_writable", "this field cannot be written")),
                (None, Value::Object(inner)) if within => self.refuse_unknown(inner, &path, writable, faults),
                (None, Value::Null) if within => {}
                (None, _) => faults.push(Fault::at(pointer, "unknown_field", "the contract has no such field")),
            }
        }
    }
}

impl RuleMap {
    fn want(&self, wanted: &mut Wanted) {
        let mut want = |source: &Source| {
            if !wanted.sources.contains(source) {
                wanted.sources.push(source.clone());
            }
        };
        match self {
            Self::Plain { source, .. } | Self::Split { source, .. } => want(source),
            Self::Composed { sources, .. } | Self::Computed { sources, .. } => sources.iter().for_each(want),
            Self::Each { group, item } => {
                let mut inner = Wanted::default();
                match item {
                    ItemMap::Fields(fields) => fields.iter().for_each(|field| field.rule.want(&mut inner)),
                    ItemMap::Scalar { source, .. } => inner.sources.extend(source.clone()),
                }
                match wanted.groups.iter_mut().find(|known| known.name == *group) {
                    Some(known) => {
                        for source in inner.sources {
                            if !known.sources.contains(&source) {
                                known.sources.push(source);
                            }
                        }
                    }
                    None => wanted.groups.push(GroupSpec { name: group.clone(), sources: inner.sources }),
                }
            }
            // A binary value is asked for by itself.
            Self::Constant(_) | Self::Binary { .. } => {}
        }
    }
}

impl FieldMap {
    fn decode(&self, row: &Row, prefix: &str, record: &mut Map<String, Value>, faults: &mut Vec<Fault>) {
        if let RuleMap::Each { group, item } = &self.rule {
            let list = self.decode_items(row.find(group), item, prefix, faults);
            insert(record, &self.members, Value::Array(list));
            return;
        }
        match self.decode_one(row) {
            Ok(Value::Null) if !self.keep_null => {}
            Ok(value) => insert(record, &self.members, value),
            Err(fault) => faults.push(Fault::at(format!("{prefix}{}", self.pointer), fault.code, fault.message)),
        }
    }

    fn decode_one(&self, row: &Row) -> Result<Value, CodecFault> {
        let value = |source: &Source| row.find(source).cloned().unwrap_or_default();
        match &self.rule {
            RuleMap::Plain { source, codec } => json::to_json(codec.decode(value(source))?),
            RuleMap::Split { source, codec, template } => {
                let text = codec.decode(value(source))?;
                let Some(text) = text.to_text() else { return Ok(Value::Null) };
                let mut object = Map::new();
                for (name, part) in template.split(&text)? {
                    object.insert(name, json::to_json(part)?);
                }
                Ok(Value::Object(object))
            }
            RuleMap::Composed { template, codec, .. } => {
                let text = template.compose(|name| row.find(&Source::new(name)).cloned())?;
                text.map_or(Ok(Value::Null), |text| json::to_json(codec.decode(Legacy::Text(text))?))
            }
            RuleMap::Constant(constant) => Ok(constant.clone()),
            RuleMap::Computed { sources, read, .. } => {
                let mut legacy = Row::with_capacity(sources.len());
                for source in sources {
                    legacy.push(source.shared(), value(source));
                }
                json::to_json(read.evaluate(Legacy::Group(legacy))?)
            }
            RuleMap::Binary { .. } | RuleMap::Each { .. } => Ok(Value::Null),
        }
    }

    fn decode_items(&self, items: Option<&Legacy>, item: &ItemMap, prefix: &str, faults: &mut Vec<Fault>) -> Vec<Value> {
        // One item alone may come without its list: XML cannot tell the two apart.
        let items = match items {
            None | Some(Legacy::Null) => &[][..],
            Some(Legacy::List(items)) => items,
            Some(one) => std::slice::from_ref(one),
        };
        let mut list = Vec::with_capacity(items.len());
        for (at, legacy) in items.iter().enumerate() {
            let place = format!("{prefix}{}/{at}", self.pointer);
            match (item, legacy) {
                (ItemMap::Fields(fields), Legacy::Group(row)) => {
                    let mut object = Map::new();
                    fields.iter().for_each(|field| field.decode(row, &place, &mut object, faults));
                    list.push(Value::Object(object));
                }
                (ItemMap::Fields(_), other) => {
                    faults.push(Fault::at(place, "type", format!("the registry gave {} where a group was due", other.kind())));
                }
                (ItemMap::Scalar { source, codec }, legacy) => {
                    let value = match (source, legacy) {
                        (Some(source), Legacy::Group(row)) => row.find(source).cloned().unwrap_or_default(),
                        _ => legacy.clone(),
                    };
                    match codec.decode(value).and_then(json::to_json) {
                        Ok(value) => list.push(value),
                        Err(fault) => faults.push(Fault::at(place, fault.code, fault.message)),
                    }
                }
            }
        }
        list
    }

    fn plain_source(&self) -> &Source {
        match &self.rule {
            RuleMap::Plain { source, .. } => source,
            _ => unreachable!("compile lets only plain and composed fields be keys and filters"),
        }
    }

    fn encode_condition(&self, comparison: Comparison, value: &Value) -> Result<Legacy, Fault> {
        match (&self.rule, comparison, value) {
            // The beginning of a value is no value, so it has no way back to be held to.
            (RuleMap::Plain { codec, .. }, Comparison::Prefix, Value::String(prefix)) => {
                codec.encode_prefix(prefix).map_err(|fault| Fault::at(&self.pointer, fault.code, fault.message))
            }
            _ => self.encode_plain(value),
        }
    }

    fn encode_plain(&self, value: &Value) -> Result<Legacy, Fault> {
        match &self.rule {
            RuleMap::Plain { codec, .. } => {
                codec.encode(&json::from_json(value)).map_err(|fault| Fault::at(&self.pointer, fault.code, fault.message))
            }
            _ => unreachable!("compile lets only plain fields be encoded alone"),
        }
    }

    fn encode(&self, value: &Value, record: &Map<String, Value>, row: &mut Row, faults: &mut Vec<Fault>) {
        if let Err(fault) = self.encode_into(value, record, row) {
            faults.push(Fault::at(&self.pointer, fault.code, fault.message));
        }
    }

    fn encode_into(&self, value: &Value, record: &Map<String, Value>, row: &mut Row) -> Result<(), CodecFault> {
        match &self.rule {
            RuleMap::Plain { source, codec } => row.put(source, codec.encode(&json::from_json(value))?),
            RuleMap::Split { source, codec, template } => {
                let object = json::from_json(value);
                let text = template.compose(|name| match &object {
                    Legacy::Group(parts) => parts.get(name).cloned(),
                    _ => None,
                })?;
                row.put(source, codec.encode(&text.map_or(Legacy::Null, Legacy::Text))?);
            }
            RuleMap::Composed { sources, template, codec } => match codec.encode(&json::from_json(value))?.to_text() {
                Some(text) => {
                    for (name, part) in template.split(&text)? {
                        row.put(&Source::new(&name), part);
                    }
                }
                None => sources.iter().for_each(|source| row.put(source, Legacy::Null)),
            },
            RuleMap::Computed { write, .. } => {
                let record: Row = record.iter().map(|(name, value)| (name.as_str(), json::from_json(value))).collect();
                for (source, expression) in write {
                    row.put(source, expression.evaluate(Legacy::Group(record.clone()))?);
                }
            }
            RuleMap::Constant(constant) if constant == value => {}
            RuleMap::Constant(_) | RuleMap::Each { .. } | RuleMap::Binary { .. } => {
                return Err(CodecFault::new("not_writable", "this field cannot be written"));
            }
        }
        Ok(())
    }
}

fn insert(record: &mut Map<String, Value>, members: &[String], value: Value) {
    let Some((last, way)) = members.split_last() else { return };
    let mut object = record;
    for member in way {
        let next = object.entry(member.as_str()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = next else { return };
        object = inner;
    }
    object.insert(last.clone(), value);
}

/// The value at a path; null where something on the way is null.
fn value_at<'a>(record: &'a Map<String, Value>, members: &[String]) -> Option<&'a Value> {
    let (first, rest) = members.split_first()?;
    match record.get(first)? {
        value if rest.is_empty() => Some(value),
        Value::Object(inner) => value_at(inner, rest),
        null @ Value::Null => Some(null),
        _ => None,
    }
}
