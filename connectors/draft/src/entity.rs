//! One entity of the draft: its key, its fields and what is not sure of them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rabita_sdk::survey::{Survey, SurveyedColumn, SurveyedEntity, ValueType};
use rabita_sdk::{Legacy, Row, Source};
use serde_json::{Map, Value, json};

use crate::names::{self, Taken};
use crate::profile::{Profile, are_unique};
use crate::propose::{Context, Proposal, of, propose};

/// An entity as it is going to be written.
pub(crate) struct DraftedEntity<'a> {
    pub(crate) surveyed: &'a SurveyedEntity,
    /// Its name in the contract, and the name of its schema.
    pub(crate) name: String,
    pub(crate) schema_name: String,
    pub(crate) key: Vec<Source>,
    pub(crate) fields: Vec<DraftedField>,
    /// Why replies that break the schema are let through.
    pub(crate) observe: Vec<String>,
    pub(crate) unsure: Vec<String>,
    /// Filters that the kind cannot serve.
    pub(crate) no_filters: Vec<String>,
}

/// A field as it is going to be written.
#[derive(Debug, Clone)]
pub(crate) struct DraftedField {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) comment: Option<String>,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) unsure: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    One(Box<Proposal>),
    /// Streamed by itself, as this media type.
    Binary(Option<String>),
    /// A repeated group with fields of its own.
    Group(Vec<DraftedField>),
}

impl DraftedField {
    /// The rule, as the manifest writes it.
    pub(crate) fn rule(&self) -> Value {
        match &self.shape {
            Shape::One(proposal) => match (&proposal.read, proposal.codec.as_slice()) {
                (Some(read), _) => json!({ "from": self.source.as_str(), "read": read }),
                (None, []) => json!(self.source.as_str()),
                (None, [one]) => json!({ "from": self.source.as_str(), "codec": one }),
                (None, several) => json!({ "from": self.source.as_str(), "codec": several }),
            },
            Shape::Binary(media_type) => {
                let media_type = media_type.as_deref().unwrap_or("application/octet-stream");
                json!({ "from": self.source.as_str(), "binary": { "media_type": media_type } })
            }
            Shape::Group(fields) => {
                let fields: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), field.rule())).collect();
                json!({ "each": self.source.as_str(), "fields": fields })
            }
        }
    }

    /// The proposals of this field and of those within it.
    pub(crate) fn proposals(&self) -> Vec<&Proposal> {
        match &self.shape {
            Shape::One(proposal) => vec![proposal.as_ref()],
            Shape::Binary(_) => Vec::new(),
            Shape::Group(fields) => fields.iter().flat_map(Self::proposals).collect(),
        }
    }
}

/// What an entity is drafted by.
pub(crate) struct Drafting<'a> {
    pub(crate) survey: &'a Survey,
    /// The first part of schemas' names.
    pub(crate) domain: &'a str,
    pub(crate) today: Date,
    /// Keys that a person named, by the legacy name of the entity.
    pub(crate) keys: &'a BTreeMap<String, Vec<String>>,
}

impl Drafting<'_> {
    /// The draft of an entity, or why there is none.
    pub(crate) fn entity<'a>(&self, entity: &'a SurveyedEntity, taken: &mut Taken) -> Result<DraftedEntity<'a>, String> {
        let mut unsure = entity.unsure.clone();
        let key = self.key(entity, &mut unsure)?;
        let name = taken.take(&names::word(&entity.name));
        let context = Context { survey: self.survey, entity, key: &key, name: &name, today: self.today };
        let mut names = Taken::default();
        let mut left_out = Vec::new();
        let mut fields: Vec<DraftedField> = Vec::new();
        for column in &entity.columns {
            match field(&context, column, &entity.samples.0, &mut names) {
                Some(field) => fields.push(field),
                None => left_out.push(column.source.as_str()),
            }
        }
        if let Some(missing) =
            key.iter().find(|source| !fields.iter().any(|f| f.source == **source && matches!(f.shape, Shape::One(_))))
        {
            return Err(format!("its key {missing} cannot be a field"));
        }
        for field in &mut fields {
            field.required |= key.contains(&field.source);
        }
        if !left_out.is_empty() {
            unsure.push(format!("left out, since a record has no place for what they hold: {}", left_out.join(", ")));
        }
        let schema_name = format!("{}/{}/v1", self.domain, names::slug(&name));
        Ok(DraftedEntity {
            surveyed: entity,
            name,
            schema_name,
            key,
            fields,
            observe: Vec::new(),
            unsure,
            no_filters: Vec::new(),
        })
    }

    /// What identifies a record: as a person says, as the legacy system says, or as the samples do.
    fn key(&self, entity: &SurveyedEntity, unsure: &mut Vec<String>) -> Result<Vec<Source>, String> {
        let rows = &entity.samples.0;
        if let Some(named) = self.keys.get(&entity.name) {
            let key: Vec<Source> = named.iter().map(|name| Source::new(name)).collect();
            if let Some(missing) = key.iter().find(|source| entity.column(source).is_none()) {
                return Err(format!("it has no {missing}, which was named as its key"));
            }
            if !are_unique(rows, &key) {
                unsure.push(
                    "sampled records share the key that was named: `read` refuses a key that several records have".to_owned(),
                );
            }
            return Ok(key);
        }
        if !entity.key.is_empty() {
            return Ok(entity.key.clone());
        }
        if let Some(unique) = entity.columns.iter().find(|column| column.unique && !column.nullable) {
            return Ok(vec![unique.source.clone()]);
        }
        let scalar = |column: &&SurveyedColumn| {
            matches!(column.value, ValueType::Integer { .. } | ValueType::Text { .. } | ValueType::Uuid)
        };
        let differs = |column: &&SurveyedColumn| {
            let profile = Profile::of(rows, &column.source);
            profile.filled() == rows.len() && profile.distinct().len() == rows.len()
        };
        let found = entity.columns.iter().filter(scalar).find(differs).filter(|_| rows.len() >= 20);
        let found = found.ok_or_else(|| "nothing in it identifies a record: name its key".to_owned())?;
        unsure.push(format!(
            "nothing says what identifies a record; {} differs in {} sampled ones",
            found.source,
            of(rows.len(), rows.len())
        ));
        Ok(vec![found.source.clone()])
    }
}

fn field(context: &Context<'_>, column: &SurveyedColumn, rows: &[Row], taken: &mut Taken) -> Option<DraftedField> {
    let shape = match &column.value {
        ValueType::Bytes => Shape::Binary(column.media_type.clone()),
        ValueType::Group(columns) => Shape::Group(group(context, column, columns, rows)?),
        _ => Shape::One(Box::new(propose(context, column, &Profile::of(rows, &column.source))?)),
    };
    let name = taken.take(&names::field(column.name.as_deref().unwrap_or(column.source.as_str())));
    let unsure = match &shape {
        Shape::One(proposal) => proposal.unsure.clone(),
        Shape::Binary(None) => vec!["nothing says what media type these bytes are".to_owned()],
        Shape::Binary(Some(_)) | Shape::Group(_) => column.unsure.clone(),
    };
    let required = !column.nullable && !matches!(shape, Shape::Binary(_));
    Some(DraftedField { name, source: column.source.clone(), comment: column.comment.clone(), shape, required, unsure })
}

fn group(context: &Context<'_>, column: &SurveyedColumn, columns: &[SurveyedColumn], rows: &[Row]) -> Option<Vec<DraftedField>> {
    let items: Vec<Row> = rows.iter().flat_map(|row| items_of(row, &column.source)).cloned().collect();
    let mut taken = Taken::default();
    let plain = columns.iter().filter(|column| !matches!(column.value, ValueType::Group(_) | ValueType::Bytes));
    let fields: Vec<DraftedField> = plain.filter_map(|column| field(context, column, &items, &mut taken)).collect();
    (!fields.is_empty()).then_some(fields)
}

/// The items of a repeated group in a row.
pub(crate) fn items_of<'a>(row: &'a Row, source: &Source) -> Vec<&'a Row> {
    match row.find(source) {
        Some(Legacy::List(items)) => {
            items.iter().filter_map(|item| if let Legacy::Group(item) = item { Some(item) } else { None }).collect()
        }
        _ => Vec::new(),
    }
}
