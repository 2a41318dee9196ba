//! The database's own description of its tables.

use rabita_sdk::Legacy;
use rabita_sdk::survey::{SurveyError, ValueType};

use super::{Questions, Surveyor, types};
use crate::column::Column;
use crate::dialect::Dialect;
use crate::statement::Statement;

/// What the catalogue says.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub tables: Vec<Table>,
    pub unsure: Vec<String>,
}

/// A table or a view.
#[derive(Debug, Default)]
pub struct Table {
    /// As a manifest names it: with its schema where that is not the usual one.
    pub name: String,
    pub is_view: bool,
    pub comment: Option<String>,
    /// About how many rows the database thinks there are.
    pub estimate: Option<u64>,
    /// How many there are, where they are few.
    pub count: Option<u64>,
    pub columns: Vec<TableColumn>,
    pub key: Vec<String>,
    /// Columns that are unique by themselves.
    pub unique: Vec<String>,
    /// Columns that an index begins with.
    pub indexed: Vec<String>,
    pub references: Vec<Foreign>,
}

/// A column of a table.
#[derive(Debug)]
pub struct TableColumn {
    pub name: String,
    pub declared: String,
    pub value: ValueType,
    pub not_null: bool,
    pub comment: Option<String>,
    /// The values of an enumerated type.
    pub labels: Vec<String>,
}

/// A foreign key.
#[derive(Debug)]
pub struct Foreign {
    /// What tells its columns from those of another.
    pub constraint: String,
    pub columns: Vec<String>,
    pub table: String,
    pub of: Vec<String>,
}

/// Reads the catalogue.
pub(super) async fn read(surveyor: &Surveyor<'_>, dialect: Dialect) -> Result<Catalogue, SurveyError> {
    let Some(questions) = dialect.catalogue() else {
        return Err(SurveyError::Unsuitable(format!("{} does not say by SQL what it holds", dialect.name())));
    };
    let asking = Asking { surveyor, dialect, questions };
    let usual = asking.texts(questions.usual_schema, 1).await?.into_iter().flatten().next().unwrap_or_default();
    let mut catalogue = Catalogue { tables: Vec::new(), unsure: Vec::new() };
    let labels = labels(asking).await?;
    for row in asking.texts(questions.columns, 10).await? {
        let [schema, table, kind, comment, estimate, column, declared, not_null, said, _] = row.as_slice() else { continue };
        if [schema, table, column].iter().any(|name| name.contains('.')) {
            let why = format!("{table}: names with a dot in them cannot be given in a manifest, and were left out");
            if !catalogue.unsure.contains(&why) {
                catalogue.unsure.push(why);
            }
            continue;
        }
        let name = qualified(&usual, schema, table);
        if catalogue.tables.last().is_none_or(|last| last.name != name) {
            let estimate = estimate.parse().ok();
            let comment = Some(comment.clone()).filter(|text| !text.is_empty() && text != "VIEW");
            catalogue.tables.push(Table { name, is_view: kind == "v", comment, estimate, ..Table::default() });
        }
        let Some(last) = catalogue.tables.last_mut() else { continue };
        let own = labels.iter().filter(|(of, _)| of == declared).map(|(_, label)| label.clone()).collect();
        let (value, listed) = types::value_type(dialect, declared);
        last.columns.push(TableColumn {
            name: column.clone(),
            declared: declared.clone(),
            value,
            not_null: not_null == "true",
            comment: Some(said.clone()).filter(|text| !text.is_empty()),
            labels: if listed.is_empty() { own } else { listed },
        });
    }
    add_keys(asking, &usual, &mut catalogue.tables).await?;
    add_references(asking, &usual, &mut catalogue.tables).await?;
    Ok(catalogue)
}

fn qualified(usual: &str, schema: &str, table: &str) -> String {
    if schema == usual { table.to_owned() } else { format!("{schema}.{table}") }
}

async fn add_keys(asking: Asking<'_>, usual: &str, tables: &mut [Table]) -> Result<(), SurveyError> {
    // Each index with its columns, in their order.
    let mut indexes: Vec<(String, String, String, Vec<String>)> = Vec::new();
    for row in asking.texts(asking.questions.keys, 6).await? {
        let [schema, table, index, sort, column, _] = row.as_slice() else { continue };
        let name = qualified(usual, schema, table);
        match indexes.last_mut() {
            Some((of, own, _, columns)) if *of == name && own == index => columns.push(column.clone()),
            _ => indexes.push((name, index.clone(), sort.clone(), vec![column.clone()])),
        }
    }
    for (name, _, sort, columns) in indexes {
        let Some(table) = tables.iter_mut().find(|table| table.name == name) else { continue };
        if let Some(first) = columns.first()
            && !table.indexed.contains(first)
        {
            table.indexed.push(first.clone());
        }
        match (sort.as_str(), columns.as_slice()) {
            ("P", _) => table.key = columns,
            ("U", [one]) => table.unique.push(one.clone()),
            _ => {}
        }
    }
    Ok(())
}

async fn add_references(asking: Asking<'_>, usual: &str, tables: &mut [Table]) -> Result<(), SurveyError> {
    for row in asking.texts(asking.questions.references, 7).await? {
        let [schema, table, constraint, column, to_schema, to_table, to_column] = row.as_slice() else { continue };
        let name = qualified(usual, schema, table);
        let to = qualified(usual, to_schema, to_table);
        // SQLite leaves out what is the key.
        let to_key = tables.iter().find(|table| table.name == to).and_then(|table| table.key.first().cloned());
        let of = if to_column.is_empty() { to_key.unwrap_or_default() } else { to_column.clone() };
        let Some(table) = tables.iter_mut().find(|table| table.name == name) else { continue };
        match table.references.iter_mut().find(|reference| reference.constraint == *constraint) {
            Some(reference) => {
                reference.columns.push(column.clone());
                reference.of.push(of);
            }
            None => table.references.push(Foreign {
                constraint: constraint.clone(),
                columns: vec![column.clone()],
                table: to,
                of: vec![of],
            }),
        }
    }
    Ok(())
}

/// The values of enumerated types, by the type's name.
async fn labels(asking: Asking<'_>) -> Result<Vec<(String, String)>, SurveyError> {
    let Some(sql) = asking.questions.labels else { return Ok(Vec::new()) };
    let rows = asking.texts(sql, 2).await?;
    Ok(rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(|[of, label]| (of, label)).collect())
}

/// What asks a database's catalogue.
#[derive(Clone, Copy)]
struct Asking<'a> {
    surveyor: &'a Surveyor<'a>,
    dialect: Dialect,
    questions: &'static Questions,
}

impl Asking<'_> {
    /// Rows of so many texts; null is the empty text.
    async fn texts(&self, sql: &str, width: usize) -> Result<Vec<Vec<String>>, SurveyError> {
        let columns = vec![Column::text(); width];
        let rows = self.surveyor.ask(Statement::new(self.dialect, sql), &columns).await?;
        let text = |value: &Legacy| value.to_text().map(std::borrow::Cow::into_owned).unwrap_or_default();
        Ok(rows.iter().map(|row| row.iter().map(text).collect()).collect())
    }
}
