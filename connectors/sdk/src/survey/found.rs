//! What a survey found.

use std::fmt;

use rabita_model::Comparison;
use serde_json::{Map, Value};

use crate::{Row, Source};

/// What a legacy system said of itself.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The manifest's `connector:`, without `kind`; secrets by reference. [`crate::Kind::settings_schema`] holds.
    pub settings: Map<String, Value>,
    /// What the system calls itself.
    pub title: Option<String>,
    /// What it has records of, in its own order.
    pub entities: Vec<SurveyedEntity>,
    /// Its tables of codes. They are not among the entities.
    pub code_tables: Vec<CodeTable>,
    /// What could not be found out, as sentences. They count and name things, and hold no value of any record.
    pub unsure: Vec<String>,
}

/// Something that the legacy system has records of.
#[derive(Debug, Clone, Default)]
pub struct SurveyedEntity {
    /// As the legacy system names it.
    pub name: String,
    /// What the legacy system says of it, for people.
    pub comment: Option<String>,
    /// The manifest's `from:`. [`crate::Kind::entity_schema`] holds.
    pub from: Value,
    /// Its columns, members, attributes, in the legacy system's own order.
    pub columns: Vec<SurveyedColumn>,
    /// The sources that identify a record; none where nothing said so.
    pub key: Vec<Source>,
    pub references: Vec<Reference>,
    /// About how many records there are.
    pub rows: Option<u64>,
    pub samples: Samples,
    pub offers: Offers,
    /// As [`Survey::unsure`], of this entity.
    pub unsure: Vec<String>,
}

impl SurveyedEntity {
    /// The column of this source.
    #[must_use]
    pub fn column(&self, source: &Source) -> Option<&SurveyedColumn> {
        self.columns.iter().find(|column| column.source == *source)
    }
}

/// A column, a member, an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyedColumn {
    /// Where the value stands in a row, as a manifest names it. In a repeated group, within its item.
    pub source: Source,
    /// What the contract's name is made of, where that is not the source.
    pub name: Option<String>,
    pub value: ValueType,
    /// Whether values come as text whatever their type, as out of XML and delimited files.
    pub as_text: bool,
    /// The type in the legacy system's own words, for people: `character varying(24)`.
    pub legacy_type: String,
    /// What the legacy system says of it, for people.
    pub comment: Option<String>,
    /// Whether it may be without a value.
    pub nullable: bool,
    /// Whether no two records have the same value.
    pub unique: bool,
    /// The values that there can be, where the legacy system says so.
    pub closed: Option<ClosedList>,
    /// A pattern that holds of each text, with both anchors, where the legacy system says so.
    pub pattern: Option<String>,
    /// What its bytes are, where the legacy system or a standard says so.
    pub media_type: Option<String>,
    /// As [`Survey::unsure`], of this column.
    pub unsure: Vec<String>,
}

impl SurveyedColumn {
    /// A column of which nothing else is known; it may be without a value.
    #[must_use]
    pub fn new(source: &str, value: ValueType, legacy_type: &str) -> Self {
        Self {
            source: Source::new(source),
            name: None,
            value,
            as_text: false,
            legacy_type: legacy_type.to_owned(),
            comment: None,
            nullable: true,
            unique: false,
            closed: None,
            pattern: None,
            media_type: None,
            unsure: Vec::new(),
        }
    }
}

/// What values a column has, as they come in a [`Row`].
#[derive(Debug, Clone, PartialEq)]
pub enum ValueType {
    Boolean,
    /// Whole numbers, of so many digits at most.
    Integer {
        digits: Option<u32>,
    },
    /// Numbers that are exact in decimal, as a number or as text: digits in all, and those after the point.
    Decimal {
        precision: Option<u32>,
        scale: Option<u32>,
    },
    Float,
    /// Text of so many characters at most; `fixed`: filled up to them with blanks.
    Text {
        max: Option<u32>,
        fixed: bool,
    },
    /// A day, as ISO 8601 writes it.
    Date,
    /// A time of day, as ISO 8601 writes it.
    Time,
    /// A day with a time, as ISO 8601 writes it; `zoned`: with an offset.
    Timestamp {
        zoned: bool,
    },
    Uuid,
    Bytes,
    /// A plain list of values.
    List(Box<ValueType>),
    /// A repeated group: the source is what `each:` names, the columns are those of one item.
    Group(Vec<SurveyedColumn>),
    /// Something whose form nobody knows; answered as it comes.
    Unknown,
}

/// Values that a column can have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClosedList {
    /// The list's name in the legacy system, where several columns share it.
    pub name: Option<String>,
    pub codes: Vec<ListedCode>,
}

/// A code, and what it means where the legacy system says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCode {
    pub code: String,
    pub meaning: Option<String>,
}

/// Columns whose values are those of columns elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The columns here.
    pub sources: Vec<Source>,
    /// The entity or table of codes there, by [`SurveyedEntity::name`] or [`CodeTable::name`].
    pub to: String,
    /// The columns there, one for each here.
    pub columns: Vec<Source>,
}

/// A small table that says what codes mean.
#[derive(Debug, Clone)]
pub struct CodeTable {
    /// As the legacy system names it.
    pub name: String,
    pub comment: Option<String>,
    /// The `from:` of a code list. [`crate::Kind::entity_schema`] holds.
    pub from: Value,
    /// The column with the code.
    pub code: Source,
    /// The column with what it means.
    pub value: Source,
    /// Its rows, all of them. Codes and their meanings are no personal data.
    pub rows: Vec<Row>,
}

/// What can be done with the records of an entity, as far as the legacy system tells.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    /// A record is found by its key.
    pub read: bool,
    /// Several keys cost the legacy system one question, or at least may be asked at once.
    pub read_many: Option<u32>,
    pub search: Vec<Searchable>,
    /// The most records of one page that the legacy system gives.
    pub search_max: Option<u32>,
    /// The sources that a create may write, and so on; none where it can't be done.
    pub create: Vec<Source>,
    /// The key among them only where the legacy system wants it with the rest of the record.
    pub replace: Vec<Source>,
    pub update: Vec<Source>,
    pub delete: bool,
    /// The source that changes whenever the record does.
    pub version: Option<Source>,
    /// The `from:` of the manifest's `changes:`, where changes of others can be found.
    pub changes: Option<Value>,
}

/// A source that records can be searched by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searchable {
    pub source: Source,
    pub comparisons: Vec<Comparison>,
    /// Whether searching by it costs the legacy system little: it has an index, or is a parameter made for it.
    pub cheap: bool,
}

/// Rows that were read to look at their form. They hold people's data: their debug form tells only how many there are.
#[derive(Clone, Default, PartialEq)]
pub struct Samples(pub Vec<Row>);

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} rows]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_do_not_show_what_they_hold() {
        let rows = Samples(vec![[("SOYAD", "Əliyeva".into())].into_iter().collect()]);
        assert_eq!(format!("{rows:?}"), "[1 rows]");
    }
}
