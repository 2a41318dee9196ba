//! What field a column becomes: its codec, what its schema says, how its values are disguised, and what is not sure.
//!
//! A codec is proposed by trying it on what was sampled. What only the samples say is never a constraint without a
//! word of doubt; what the legacy system declares is.

mod codes;
mod numbers;
mod texts;
mod times;

use indexmap::IndexMap;
use jiff::civil::Date;
use rabita_sdk::codec::{Codec, CodecSpec};
use rabita_sdk::codes::CodeBook;
use rabita_sdk::survey::{CodeTable, Survey, SurveyedColumn, SurveyedEntity, ValueType};
use rabita_sdk::{Legacy, Source};
use serde_json::{Map, Value, json};

use crate::lookalike::Disguise;
use crate::profile::Profile;

pub(crate) use codes::{List, ListOf, table_spec};

/// What a column becomes.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    /// The chain, as the manifest writes it.
    pub(crate) codec: Vec<Value>,
    /// The expression that makes the field, where no codec can.
    pub(crate) read: Option<String>,
    /// The field's JSON Schema.
    pub(crate) schema: Map<String, Value>,
    pub(crate) unsure: Vec<String>,
    pub(crate) disguise: Disguise,
    /// Values that stand for none.
    pub(crate) sentinels: Vec<String>,
    /// The code list that the codec looks things up in.
    pub(crate) list: Option<List>,
    /// Whether the registry's values have blanks around them that it takes for a part of them when it compares.
    pub(crate) has_outer_spaces: bool,
}

impl Proposal {
    pub(crate) fn new(codec: Vec<Value>, schema: Value) -> Self {
        let schema = if let Value::Object(members) = schema { members } else { Map::new() };
        Self {
            codec,
            read: None,
            schema,
            unsure: Vec::new(),
            disguise: Disguise::Characters,
            sentinels: Vec::new(),
            list: None,
            has_outer_spaces: false,
        }
    }

    fn unsure(mut self, why: impl Into<String>) -> Self {
        self.unsure.push(why.into());
        self
    }

    fn disguised(mut self, disguise: Disguise) -> Self {
        self.disguise = disguise;
        self
    }

    /// Puts codecs before those that are there.
    fn after(mut self, codec: &[Value], sentinels: &[String]) -> Self {
        self.codec.splice(0..0, codec.iter().cloned());
        self.sentinels.extend_from_slice(sentinels);
        self
    }
}

/// What a proposal is made in view of.
pub(crate) struct Context<'a> {
    pub(crate) survey: &'a Survey,
    pub(crate) entity: &'a SurveyedEntity,
    /// The key's columns.
    pub(crate) key: &'a [Source],
    /// The entity's name in the contract.
    pub(crate) name: &'a str,
    pub(crate) today: Date,
}

impl Context<'_> {
    fn is_key(&self, column: &SurveyedColumn) -> bool {
        self.key.contains(&column.source)
    }

    /// Whether a column identifies a record by itself.
    fn identifies(&self, column: &SurveyedColumn) -> bool {
        column.unique || (self.key.len() == 1 && self.is_key(column))
    }
}

/// What a column becomes; `None` for what has no place in a record.
pub(crate) fn propose(context: &Context<'_>, column: &SurveyedColumn, profile: &Profile<'_>) -> Option<Proposal> {
    if let Some(proposal) = codes::closed(context, column, profile) {
        return Some(proposal);
    }
    if let Some(proposal) = codes::referenced(context, column, profile) {
        return Some(proposal);
    }
    let mut proposal = match &column.value {
        value if column.as_text => as_text(context, column, value, profile)?,
        ValueType::Boolean if profile.all_integers() => numbers::flag(),
        ValueType::Boolean => Proposal::new(Vec::new(), json!({ "type": "boolean" })),
        // A driver hands exact numbers over as text where they could lose digits.
        ValueType::Integer { .. } if !profile.all_text() => numbers::integer(context, column, profile),
        ValueType::Integer { .. } => Proposal::new(vec![json!("integer")], json!({ "type": "integer" })),
        ValueType::Decimal { scale, .. } => numbers::decimal(*scale, profile),
        ValueType::Float if profile.all_text() => Proposal::new(vec![json!("number")], json!({ "type": "number" })),
        ValueType::Float => Proposal::new(Vec::new(), json!({ "type": "number" })),
        ValueType::Text { max, fixed } if !profile.all_integers() => texts::text(context, column, profile, *max, *fixed),
        ValueType::Text { .. } => numbers::integer(context, column, profile),
        ValueType::Date => times::date(profile),
        ValueType::Time => times::time(profile),
        ValueType::Timestamp { zoned } => times::timestamp(*zoned, profile),
        ValueType::Uuid => Proposal::new(Vec::new(), json!({ "type": "string", "format": "uuid" })),
        ValueType::List(item) => list(context, column, item, profile)?,
        ValueType::Unknown if profile.all_text() => texts::text(context, column, profile, None, false),
        ValueType::Unknown if profile.all_integers() => numbers::integer(context, column, profile),
        ValueType::Bytes | ValueType::Group(_) | ValueType::Unknown => return None,
    };
    proposal.unsure.extend(column.unsure.iter().cloned());
    Some(proposal)
}

/// What comes as text, whatever its type.
fn as_text(context: &Context<'_>, column: &SurveyedColumn, value: &ValueType, profile: &Profile<'_>) -> Option<Proposal> {
    Some(match value {
        ValueType::Boolean => {
            let codec = json!({ "boolean": { "true": ["true", "1"], "false": ["false", "0"] } });
            Proposal::new(vec![codec], json!({ "type": "boolean" })).disguised(Disguise::Keep)
        }
        ValueType::Integer { .. } => Proposal::new(vec![json!("integer")], json!({ "type": "integer" })),
        ValueType::Decimal { scale, .. } => numbers::decimal(*scale, profile),
        ValueType::Float => Proposal::new(vec![json!("number")], json!({ "type": "number" })),
        ValueType::Date if profile.filled() == 0 => times::day_with_zone(column.source.as_str()),
        ValueType::Date => times::date(profile),
        ValueType::Time => times::time(profile),
        ValueType::Timestamp { zoned: false } if profile.filled() == 0 => Proposal::new(Vec::new(), json!({ "type": "string" }))
            .unsure("times may come with a zone or without one: answered as they are")
            .disguised(Disguise::Day("%Y-%m-%d".into())),
        ValueType::Timestamp { zoned } => times::timestamp(*zoned, profile),
        ValueType::Uuid => Proposal::new(Vec::new(), json!({ "type": "string", "format": "uuid" })),
        ValueType::List(item) => list(context, column, item, profile)?,
        ValueType::Text { max, fixed } => texts::text(context, column, profile, *max, *fixed),
        ValueType::Unknown => texts::text(context, column, profile, None, false),
        ValueType::Bytes | ValueType::Group(_) => return None,
    })
}

fn list(context: &Context<'_>, column: &SurveyedColumn, item: &ValueType, profile: &Profile<'_>) -> Option<Proposal> {
    let items = profile.values.iter().filter_map(|value| match value {
        Legacy::List(items) => Some(items.iter()),
        _ => None,
    });
    let profile = Profile::of_values(profile.rows, items.flatten());
    let mut single = SurveyedColumn::new(column.source.as_str(), item.clone(), &column.legacy_type);
    single.as_text = column.as_text;
    single.closed = column.closed.clone();
    single.pattern = column.pattern.clone();
    let mut proposal = propose(context, &single, &profile)?;
    let item = Value::Object(std::mem::take(&mut proposal.schema));
    proposal.schema = Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), item)]);
    Some(proposal)
}

/// What came of trying a chain on values.
pub(crate) struct Tried {
    /// What each became; `None` where the chain refused it.
    pub(crate) decoded: Vec<Option<Legacy>>,
}

impl Tried {
    /// Tries a chain that needs no code list.
    pub(crate) fn on(codec: &[Value], values: &[&Legacy]) -> Option<Self> {
        Self::with(codec, values, &CodeBook::default())
    }

    pub(crate) fn with(codec: &[Value], values: &[&Legacy], codes: &CodeBook) -> Option<Self> {
        let specs: Vec<CodecSpec> =
            codec.iter().map(|spec| serde_json::from_value(spec.clone())).collect::<Result<_, _>>().ok()?;
        let chain = Codec::compile(&specs, codes).ok()?;
        Some(Self { decoded: values.iter().map(|value| chain.decode((*value).clone()).ok()).collect() })
    }

    pub(crate) fn refused(&self) -> usize {
        self.decoded.iter().filter(|value| value.is_none()).count()
    }

    /// The texts that came out, without those that became null.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.decoded.iter().filter_map(|value| match value {
            Some(Legacy::Text(text)) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// A book with one table of codes, as the registry would hand it over.
pub(crate) fn book(name: &str, spec: &Value, table: Option<&CodeTable>, today: Date) -> Option<CodeBook> {
    let spec = serde_json::from_value(spec.clone()).ok()?;
    let book = CodeBook::load(&IndexMap::from([(name.to_owned(), spec)]), std::path::Path::new("."), today).ok()?;
    if let Some(table) = table {
        book.get(name)?.load(code_rows(table), today).ok()?;
    }
    Some(book)
}

/// The rows of a table of codes, code and meaning.
pub(crate) fn code_rows(table: &CodeTable) -> Vec<Vec<Legacy>> {
    let cell = |row: &rabita_sdk::Row, source: &Source| row.find(source).cloned().unwrap_or_default();
    table.rows.iter().map(|row| vec![cell(row, &table.code), cell(row, &table.value)]).collect()
}

/// `3 of 200`, for a word of doubt.
pub(crate) fn of(part: usize, whole: usize) -> String {
    if part == whole { format!("all {whole}") } else { format!("{part} of {whole}") }
}
