//! What values tell of a column.

use std::collections::HashSet;

use rabita_sdk::survey::{SurveyedColumn, ValueType};
use rabita_sdk::{GroupSpec, Legacy, Row, Source};

use crate::from::Type;

/// A column by the values that were looked at.
pub(super) fn column(source: &Source, rows: &[Row], as_text: bool) -> SurveyedColumn {
    let values: Vec<&Legacy> = rows.iter().filter_map(|row| row.get(source.as_str())).collect();
    told(source, &values, rows.len(), as_text)
}

/// A repeated group by the items that were looked at.
pub(super) fn group(group: &GroupSpec, rows: &[Row], as_text: bool) -> SurveyedColumn {
    let items: Vec<&Row> = rows
        .iter()
        .filter_map(|row| match row.get(group.name.as_str()) {
            Some(Legacy::List(items)) => Some(items),
            _ => None,
        })
        .flatten()
        .filter_map(|item| if let Legacy::Group(row) = item { Some(row) } else { None })
        .collect();
    let member = |source: &Source| {
        let values: Vec<&Legacy> = items.iter().filter_map(|item| item.get(source.as_str())).collect();
        told(source, &values, items.len(), as_text)
    };
    let value = ValueType::Group(group.sources.iter().map(member).collect());
    SurveyedColumn::new(group.name.as_str(), value, "repeated group")
}

fn told(source: &Source, values: &[&Legacy], records: usize, as_text: bool) -> SurveyedColumn {
    let there: Vec<&&Legacy> = values.iter().filter(|value| !value.is_null()).collect();
    let all = |is: fn(&Legacy) -> bool| !there.is_empty() && there.iter().all(|value| is(value));
    let (value, legacy) = if all(|value| matches!(value, Legacy::Int(_))) {
        (ValueType::Integer { digits: None }, "integer")
    } else if all(|value| matches!(value, Legacy::Int(_) | Legacy::Float(_))) {
        (ValueType::Float, "number")
    } else if all(|value| matches!(value, Legacy::Bool(_))) {
        (ValueType::Boolean, "boolean")
    } else {
        (ValueType::Text { max: None, fixed: false }, "text")
    };
    let mut column = SurveyedColumn::new(source.as_str(), value, legacy);
    let texts: HashSet<_> = there.iter().filter_map(|value| value.to_text()).collect();
    column.as_text = as_text;
    column.nullable = there.len() < records || records == 0;
    column.unique = records > 1 && texts.len() == records;
    column
}

/// A column as a layout describes it.
pub(super) fn described(source: &Source, kind: Type) -> SurveyedColumn {
    let number = |scale: u8| match scale {
        0 => ValueType::Integer { digits: None },
        scale => ValueType::Decimal { precision: None, scale: Some(u32::from(scale)) },
    };
    let (value, legacy) = match kind {
        Type::Text => (ValueType::Text { max: None, fixed: false }, "text"),
        Type::Integer => (number(0), "integer"),
        Type::Base64 | Type::Hex => (ValueType::Bytes, "bytes"),
        Type::Digits(how) => (number(how.scale), "digits"),
        Type::Packed(how) => (number(how.scale), "packed decimal"),
        Type::Zoned(how) => (number(how.scale), "zoned decimal"),
        Type::Binary(how) => (number(how.scale), "binary"),
    };
    SurveyedColumn::new(source.as_str(), value, legacy)
}

/// The first column that has a value of its own in each record.
pub(super) fn key(columns: &[SurveyedColumn]) -> Option<Source> {
    columns.iter().find(|column| column.unique && !column.nullable).map(|column| column.source.clone())
}

/// Whether people would search by it: a text that is no repeated group.
pub(super) fn is_telling(column: &SurveyedColumn) -> bool {
    matches!(column.value, ValueType::Text { .. })
}
