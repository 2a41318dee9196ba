//! Finds the small tables that say what codes mean.
//!
//! Wrongly taken for one, a table of people would lend its names to tests. So it has to have a short code for its key,
//! one or two texts beside it, and other tables that use the code.

use rabita_sdk::survey::{CodeTable, SurveyError, ValueType};
use rabita_sdk::{Row, Source};
use serde_json::json;

use super::Surveyor;
use super::catalogue::{Table, TableColumn};
use crate::statement::Statement;

/// A code of text is so long at most.
const CODE_LENGTH: u32 = 8;
const COLUMNS: usize = 8;
const TEXTS: usize = 2;

/// Words that a table or a key of whole numbers has in its name when it is one of codes.
const HINTS: [&str; 10] = ["code", "kod", "type", "typ", "status", "kind", "category", "lookup", "ref_", "lut"];

/// The tables of codes, with their rows.
pub(super) async fn find(surveyor: &Surveyor<'_>, tables: &[Table]) -> Result<Vec<CodeTable>, SurveyError> {
    let mut found = Vec::new();
    for table in tables {
        if let Some((code, meaning)) = columns(table, tables) {
            found.push(read(surveyor, table, code, meaning).await?);
        }
    }
    Ok(found)
}

/// The columns of code and meaning, where the table is one of codes.
fn columns<'a>(table: &'a Table, tables: &[Table]) -> Option<(&'a TableColumn, &'a TableColumn)> {
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
    let length = |column: &&&TableColumn| match column.value {
        ValueType::Text { max, .. } => max.unwrap_or(u32::MAX),
        _ => 0,
    };
    // The long text, of which the other is the short form.
    let meaning = texts.iter().filter(|column| column.not_null).max_by_key(length).or_else(|| texts.iter().max_by_key(length))?;
    Some((code, meaning))
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

async fn read(
    surveyor: &Surveyor<'_>,
    table: &Table,
    code: &TableColumn,
    meaning: &TableColumn,
) -> Result<CodeTable, SurveyError> {
    let dialect = surveyor.pool.dialect();
    let quoted = [dialect.quote(&code.name), dialect.quote(&meaning.name)];
    let from = dialect.quote_table(&table.name);
    let columns = surveyor.describe(format!("SELECT {} FROM {from}", quoted.join(", "))).await?;
    let selected: Vec<String> = quoted.iter().zip(&columns).map(|(name, column)| dialect.selected(name, column)).collect();
    let sql = format!("SELECT {} FROM {from} ORDER BY {} LIMIT {}", selected.join(", "), quoted[0], surveyor.limits.codes);
    let rows = surveyor.ask(Statement::new(dialect, &sql), &columns).await?;
    let names = [code.name.as_str(), meaning.name.as_str()];
    Ok(CodeTable {
        name: table.name.clone(),
        comment: table.comment.clone(),
        from: json!(table.name),
        code: Source::new(&code.name),
        value: Source::new(&meaning.name),
        rows: rows.into_iter().map(|row| names.into_iter().zip(row).collect::<Row>()).collect(),
    })
}
