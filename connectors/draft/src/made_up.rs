//! Values out of nothing but types and patterns, where a description has no examples.

use rabita_sdk::survey::{SurveyedColumn, SurveyedEntity, ValueType};
use rabita_sdk::{Legacy, Row};
use regex_syntax::hir::{Hir, HirKind};

/// A row with a value in each column.
pub(crate) fn row(entity: &SurveyedEntity) -> Row {
    let mut row = Row::new();
    for column in &entity.columns {
        row.put(&column.source, value(column));
    }
    row
}

fn value(column: &SurveyedColumn) -> Legacy {
    let value = typed(column);
    match value.to_text() {
        Some(text) if column.as_text => Legacy::Text(text.into_owned()),
        _ => value,
    }
}

fn typed(column: &SurveyedColumn) -> Legacy {
    if let Some(first) = column.closed.as_ref().and_then(|list| list.codes.first()) {
        return match (&column.value, first.code.parse()) {
            (ValueType::Integer { .. }, Ok(number)) => Legacy::Int(number),
            (ValueType::List(_), _) => Legacy::List(vec![first.code.as_str().into()]),
            _ => Legacy::from(first.code.as_str()),
        };
    }
    match (column.pattern.as_deref().and_then(matching), &column.value) {
        (Some(text), ValueType::List(_)) => Legacy::List(vec![Legacy::Text(text)]),
        (Some(text), _) => Legacy::Text(text),
        (None, value) => of_type(value),
    }
}

fn of_type(value: &ValueType) -> Legacy {
    match value {
        ValueType::Boolean => Legacy::Bool(true),
        ValueType::Integer { .. } => Legacy::Int(1),
        ValueType::Decimal { scale, .. } => {
            let scale = scale.unwrap_or(0) as usize;
            Legacy::Text(if scale == 0 { "1".to_owned() } else { format!("1.{}", "5".repeat(scale)) })
        }
        ValueType::Float => Legacy::Float(1.5),
        ValueType::Text { max, .. } => {
            let length = max.unwrap_or(8).clamp(1, 8) as usize;
            Legacy::Text("Example1".chars().take(length).collect())
        }
        ValueType::Date => "2020-02-29".into(),
        ValueType::Time => "13:45:00".into(),
        ValueType::Timestamp { zoned: true } => "2020-02-29T13:45:00Z".into(),
        ValueType::Timestamp { zoned: false } => "2020-02-29T13:45:00".into(),
        ValueType::Uuid => "7d444840-9dc0-41d1-b245-5ffdce74fad2".into(),
        ValueType::List(item) => Legacy::List(vec![of_type(item)]),
        ValueType::Group(columns) => {
            let mut item = Row::new();
            for column in columns {
                item.put(&column.source, self::value(column));
            }
            Legacy::List(vec![Legacy::Group(item)])
        }
        ValueType::Bytes | ValueType::Unknown => Legacy::Null,
    }
}

/// A short text that a pattern matches, if the pattern is of a kind that has an easy one.
pub(crate) fn matching(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, &mut text)?;
    Some(text)
}

fn write(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            let has = |character: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&character));
            let easy = ['A', 'a', '1', '0', '-', ' '].into_iter().find(|character| has(*character));
            text.push(easy.or_else(|| Some(class.ranges().first()?.start()))?);
        }
        HirKind::Class(regex_syntax::hir::Class::Bytes(_)) => return None,
        HirKind::Repetition(repeated) => {
            for _ in 0..repeated.min.min(200) {
                write(&repeated.sub, text)?;
            }
        }
        HirKind::Capture(group) => write(&group.sub, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, text))?,
        HirKind::Alternation(parts) => write(parts.first()?, text)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_text_that_a_pattern_matches() {
        for (pattern, made) in
            [(r"^[A-Z]{2}\-[1-9][0-9]?$", "AA-1"), ("^(NO)?[0-9]{9}$", "111111111"), ("^(a|b)c+$", "ac"), ("^[^,]{3}$", "AAA")]
        {
            assert_eq!(matching(pattern).as_deref(), Some(made), "{pattern}");
        }
    }
}
