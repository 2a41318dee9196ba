//! Finds the small tables that say what codes mean.
//!
//! Wrongly taken for one, a table of people would lend its names to tests. So it has to have a short code for its key,
//! one or two texts beside it, and other tables that use the code.

use std::collections::BTreeSet;

use rabita_sdk::survey::{CodeTable, SurveyError, ValueType};
use rabita_sdk::{Legacy, Row, Source};
use serde_json::json;

use super::catalogue::{Table, TableColumn};
use super::{Surveyor, selected};
use crate::dialect::Dialect;
use crate::statement::Statement;

/// A code of text is so long at most.
const CODE_LENGTH: u32 = 8;
const COLUMNS: usize = 8;
const TEXTS: usize = 2;

/// Words that a table or a key of whole numbers has in its name when it is one of codes.
const HINTS: [&str; 10] = ["code", "kod", "type", "typ", "status", "kind", "category", "lookup", "ref_", "lut"];

/// The tables of codes, with their rows.
pub(super) async fn find(surveyor: &Surveyor<'_>, dialect: Dialect, tables: &[Table]) -> Result<Vec<CodeTable>, SurveyError> {
    let mut found = Vec::new();
    for table in tables {
        if let Some((code, texts)) = columns(table, tables) {
            found.push(read(surveyor, dialect, table, code, &texts).await?);
        }
    }
    Ok(found)
}

/// The columns of the code and of the texts beside it, where the table is one of codes.
fn columns<'a>(table: &'a Table, tables: &[Table]) -> Option<(&'a TableColumn, Vec<&'a TableColumn>)> {
    let [key] = table.key.as_slice() else { return None };
    let code = table.columns.iter().find(|column| column.name == *key)?;
    let rows = table.count?;
    let hinted = |name: &str| HINTS.iter().any(|hint| name.to_lowercase().contains(hint));
    let is_short = match &code.value {
        ValueType::Text { max, .. } => max.is_some_and(|max| max <= CODE_LENGTH),
        ValueType::Integer { digits: Some(digits) } if *digits <= 5 => true,
        ValueType::Integer { .. } => rows <= 1000 && (hinted(&table.name) || hinted(key)),
        _ => false,
    };
    let texts: Vec<&TableColumn> =
        table.columns.iter().filter(|column| column.name != *key && matches!(column.value, ValueType::Text { .. })).collect();
    let is_small =
        rows > 0 && table.columns.len() <= COLUMNS && (1..=TEXTS).contains(&texts.len()) && table.references.is_empty();
    if !is_short || !is_small || !is_used(table, key, tables) {
        return None;
    }
    Some((code, texts))
}

/// Whether another table uses the code: by a foreign key, or by a column whose name ends in the key's.
fn is_used(table: &Table, key: &str, tables: &[Table]) -> bool {
    let key = key.to_lowercase();
    tables.iter().filter(|other| other.name != table.name).any(|other| {
        other.references.iter().any(|reference| reference.table == table.name)
            || other.columns.iter().any(|column| {
                let name = column.name.to_lowercase();
                name == key || name.strip_suffix(&key).is_some_and(|rest| rest.ends_with('_'))
            })
    })
}

/// The rows. Of several texts the one that tells the codes apart best is the meaning.
async fn read(
    surveyor: &Surveyor<'_>,
    dialect: Dialect,
    table: &Table,
    code: &TableColumn,
    texts: &[&TableColumn],
) -> Result<CodeTable, SurveyError> {
    let names: Vec<&str> = std::iter::once(code).chain(texts.iter().copied()).map(|column| column.name.as_str()).collect();
    let quoted: Vec<String> = names.iter().map(|name| dialect.quote(name)).collect();
    let from = dialect.quote_table(&table.name);
    let columns = surveyor.describe(&quoted, &from).await?;
    let selected = selected(dialect, &quoted, &columns);
    let sql = format!("SELECT {} FROM {from} ORDER BY {}", selected.join(", "), quoted[0]);
    let mut statement = Statement::new(dialect, &sql);
    statement.limit(surveyor.limits.codes);
    let rows = surveyor.ask(statement, &columns).await?;
    let distinct = |at: usize| {
        rows.iter().filter_map(|row| row[at].to_text()).filter(|text| !text.trim().is_empty()).collect::<BTreeSet<_>>().len()
    };
    // The last of the best would be the one that `max_by_key` takes.
    let meaning = (1..names.len()).rev().max_by_key(|at| distinct(*at)).unwrap_or(1);
    let pair = |row: &Vec<Legacy>| [0, meaning].into_iter().map(|at| (names[at], row[at].clone())).collect::<Row>();
    Ok(CodeTable {
        name: table.name.clone(),
        comment: table.comment.clone(),
        from: json!(table.name),
        code: Source::new(names[0]),
        value: Source::new(names[meaning]),
        rows: rows.iter().map(pair).collect(),
    })
}
