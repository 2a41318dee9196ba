//! Asks a database what it holds: tables, views, keys, foreign keys, comments, and some rows of each.
//!
//! All questions go through the same pool as those of a connector, in sessions that may only read; so samples are what
//! `read` would hand over.

mod catalogue;
mod codes;
mod fixture;
pub mod questions;
mod types;

use std::time::Instant;

use rabita_model::{Comparison, ExchangeId};
use rabita_sdk::survey::{
    ClosedList, ListedCode, Offers, Reference, Samples, Searchable, Survey, SurveyError, SurveyLimits, SurveySource,
    SurveyedColumn, SurveyedEntity, ValueType,
};
use rabita_sdk::{Call, Legacy, Row, Source};
use serde_json::json;

use crate::backend::{Pool, Session};
use crate::column::Column;
use crate::dialect::Dialect;
use crate::fault::{AnyFault, Moment};
use crate::scan::objection;
use crate::statement::Statement;

pub use catalogue::{Catalogue, Foreign, Table, TableColumn};
pub(crate) use fixture::fixture;
pub use questions::Questions;

/// Asks a database, with its connections.
pub struct Surveyor<'a> {
    pub pool: Box<dyn Pool>,
    pub source: &'a SurveySource,
    pub limits: &'a SurveyLimits,
}

impl Surveyor<'_> {
    /// The survey without its settings, within its time; the connections are closed after it. A catalogue can be given
    /// where the driver knows one, and is asked of the database itself otherwise.
    ///
    /// # Errors
    /// See [`SurveyError`].
    pub async fn survey(self, catalogue: Option<Catalogue>) -> Result<Survey, SurveyError> {
        let asked = tokio::time::timeout(self.limits.whole, self.look(catalogue)).await;
        self.pool.close().await;
        let too_long =
            || SurveyError::Unreachable("the survey took longer than it may: name the tables that are wanted".to_owned());
        asked.unwrap_or_else(|_| Err(too_long()))
    }

    async fn look(&self, catalogue: Option<Catalogue>) -> Result<Survey, SurveyError> {
        let mut survey = Survey::default();
        let session = self.session().await?;
        let dialect = session.dialect;
        session.finish();
        let catalogue = match catalogue {
            Some(catalogue) => catalogue,
            None => catalogue::read(self, dialect).await?,
        };
        if let Some(narrow) = &self.source.narrow
            && let Some(objection) = objection(narrow)
        {
            return Err(SurveyError::Unsuitable(format!("the condition cannot be used: {objection}")));
        }
        let mut tables = catalogue.tables;
        survey.unsure.extend(catalogue.unsure);
        for table in &mut tables {
            table.count = self.count(dialect, table).await?;
        }
        let code_tables = codes::find(self, dialect, &tables).await?;
        let is_codes = |table: &Table| code_tables.iter().any(|codes| codes.name == table.name) && self.source.only.is_empty();
        let wanted: Vec<&Table> = tables.iter().filter(|table| self.source.wants(&table.name) && !is_codes(table)).collect();
        if let Some(missing) = self.source.only.iter().find(|name| !tables.iter().any(|table| wants_by(name, &table.name))) {
            let known: Vec<&str> = tables.iter().map(|table| table.name.as_str()).take(40).collect();
            return Err(SurveyError::Unsuitable(format!("there is no table {missing}; there is {}", known.join(", "))));
        }
        if wanted.len() > self.limits.entities {
            survey.unsure.push(format!("of {} tables only the first {} were looked at", wanted.len(), self.limits.entities));
        }
        for table in wanted.into_iter().take(self.limits.entities) {
            survey.entities.push(self.entity(dialect, table).await?);
        }
        survey.code_tables = code_tables;
        Ok(survey)
    }

    async fn entity(&self, dialect: Dialect, table: &Table) -> Result<SurveyedEntity, SurveyError> {
        let rows = self.samples(dialect, table).await?;
        let columns: Vec<SurveyedColumn> = table.columns.iter().map(|column| surveyed(table, column)).collect();
        let search = columns.iter().filter_map(|column| searchable(table, column)).collect();
        let sources = |names: &[String]| names.iter().map(|name| Source::new(name)).collect::<Vec<_>>();
        let writable: Vec<Source> = if table.is_view { Vec::new() } else { columns.iter().map(|c| c.source.clone()).collect() };
        let beside_key: Vec<Source> =
            writable.iter().filter(|source| !table.key.iter().any(|key| *key == source.as_str())).cloned().collect();
        let from = match &self.source.narrow {
            Some(narrow) => json!({ "table": table.name, "where": narrow }),
            None => json!(table.name),
        };
        Ok(SurveyedEntity {
            name: table.name.clone(),
            comment: table.comment.clone(),
            from,
            key: sources(&table.key),
            references: table
                .references
                .iter()
                .map(|reference| Reference {
                    sources: sources(&reference.columns),
                    to: reference.table.clone(),
                    columns: sources(&reference.of),
                })
                .collect(),
            rows: table.estimate.or(table.count),
            samples: Samples(rows),
            offers: Offers {
                read: true,
                read_many: Some(50),
                search,
                create: writable.clone(),
                replace: beside_key.clone(),
                update: beside_key,
                delete: !table.is_view,
                ..Offers::default()
            },
            columns,
            unsure: Vec::new(),
        })
    }

    /// The number of rows, where there are not too many to count them.
    async fn count(&self, dialect: Dialect, table: &Table) -> Result<Option<u64>, SurveyError> {
        let most = self.limits.codes + 1;
        let mut some = Statement::new(dialect, &format!("SELECT 1 AS one FROM {}", dialect.quote_table(&table.name)));
        let whole = some.sql.len();
        some.limit(most);
        if some.sql.len() == whole {
            // The database is not told where to stop, so we do.
            let found = self.ask(some, &[Column::int()]).await?.len();
            return Ok(u64::try_from(found).ok().filter(|_| found < most));
        }
        let counted = dialect.aliased(&format!("({})", some.sql), "counted");
        let sql = format!("SELECT {} FROM {counted}", dialect.selected("COUNT(*)", &Column::int()));
        let rows = self.ask(Statement::new(dialect, &sql), &[Column::int()]).await?;
        let count = rows.first().and_then(|row| row.first()).and_then(Legacy::to_text).and_then(|text| text.parse().ok());
        Ok(count.filter(|count: &u64| usize::try_from(*count).is_ok_and(|count| count < most)))
    }

    /// Some rows, from more than one place of the table where that costs little.
    async fn samples(&self, dialect: Dialect, table: &Table) -> Result<Vec<Row>, SurveyError> {
        let names: Vec<&str> =
            table.columns.iter().filter(|column| column.value != ValueType::Bytes).map(|column| column.name.as_str()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let quoted: Vec<String> = names.iter().map(|name| dialect.quote(name)).collect();
        let from = dialect.quote_table(&table.name);
        let columns = self.describe(&quoted, &from).await?;
        let selected = selected(dialect, &quoted, &columns);
        let condition = self.source.narrow.as_ref().map_or_else(String::new, |narrow| format!(" WHERE ({narrow})"));
        let wanted = self.limits.samples;
        let is_larger = table.count.is_none_or(|count| count > wanted as u64) && !table.is_view && condition.is_empty();
        let mut parts = Vec::new();
        let takes_samples = dialect.catalogue().is_some_and(|questions| questions.takes_samples);
        match (takes_samples, table.key.as_slice()) {
            (true, _) if is_larger => parts.push((format!(" TABLESAMPLE {}", share(table, wanted)), String::new(), wanted)),
            (_, [key]) if is_larger => {
                let key = dialect.quote(key);
                parts.push((String::new(), format!(" ORDER BY {key}"), wanted.div_ceil(2)));
                parts.push((String::new(), format!(" ORDER BY {key} DESC"), wanted / 2));
            }
            _ => parts.push((String::new(), String::new(), wanted)),
        }
        let mut rows = Vec::new();
        for (sample, order, limit) in parts {
            let sql = format!("SELECT {} FROM {from}{sample}{condition}{order}", selected.join(", "));
            let mut statement = Statement::new(dialect, &sql);
            statement.limit(limit);
            let found = self.ask(statement, &columns).await?;
            rows.extend(found.into_iter().map(|row| names.iter().copied().zip(row).collect::<Row>()));
        }
        Ok(rows)
    }

    /// Asks one question, in a session of its own.
    async fn ask(&self, statement: Statement, columns: &[Column]) -> Result<Vec<Vec<Legacy>>, SurveyError> {
        let mut session = self.session().await?;
        match session.fetch(statement, columns).await {
            Ok(rows) => {
                session.finish();
                Ok(rows)
            }
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// The columns of a table.
    async fn describe(&self, names: &[String], from: &str) -> Result<Vec<Column>, SurveyError> {
        let mut session = self.session().await?;
        match session.describe(format!("SELECT {} FROM {from} WHERE 1 = 1", names.join(", ")), names.len()).await {
            Ok(columns) => {
                session.finish();
                Ok(columns)
            }
            Err(error) => Err(unreachable(&error)),
        }
    }

    async fn session(&self) -> Result<Session, SurveyError> {
        let deadline = Instant::now() + self.limits.question;
        let call = Call { exchange: ExchangeId::new(uuid::Uuid::new_v4()), deadline, traceparent: None };
        self.pool.session(&call).await.map_err(|failure| SurveyError::Unreachable(failure.to_string()))
    }
}

/// Columns as they are selected.
fn selected(dialect: Dialect, names: &[String], columns: &[Column]) -> Vec<String> {
    let each = names.iter().zip(columns).enumerate();
    each.map(|(place, (name, column))| dialect.listed(place, &dialect.selected(name, column))).collect()
}

fn unreachable(error: &AnyFault) -> SurveyError {
    SurveyError::Unreachable(error.failure(Moment::Reading).to_string())
}

fn wants_by(wanted: &str, table: &str) -> bool {
    wanted == table || table.rsplit_once('.').is_some_and(|(_, short)| short == wanted)
}

/// The share of a table that has as many rows as are wanted, half as many again since chance decides.
fn share(table: &Table, wanted: usize) -> String {
    let rows = table.estimate.filter(|rows| *rows > 0).or(table.count);
    let Some(rows) = rows else { return "BERNOULLI (10) REPEATABLE (7)".to_owned() };
    let hundredths = (wanted as u64 * 15_000 / rows.max(1)).clamp(1, 10_000);
    let method = if rows > 2_000_000 { "SYSTEM" } else { "BERNOULLI" };
    format!("{method} ({}.{:02}) REPEATABLE (7)", hundredths / 100, hundredths % 100)
}

fn surveyed(table: &Table, column: &catalogue::TableColumn) -> SurveyedColumn {
    let unique = table.unique.contains(&column.name) || table.key == [column.name.clone()];
    let closed = (!column.labels.is_empty()).then(|| ClosedList {
        name: None,
        codes: column.labels.iter().map(|label| ListedCode { code: label.clone(), meaning: None }).collect(),
    });
    SurveyedColumn {
        comment: column.comment.clone(),
        nullable: !column.not_null,
        unique,
        closed,
        ..SurveyedColumn::new(&column.name, column.value.clone(), &column.declared)
    }
}

/// What a column can be searched by; cheap where an index begins with it.
fn searchable(table: &Table, column: &SurveyedColumn) -> Option<Searchable> {
    let comparisons = match column.value {
        ValueType::Text { .. } => vec![Comparison::Equals, Comparison::Prefix],
        ValueType::Integer { .. } | ValueType::Decimal { .. } | ValueType::Date | ValueType::Timestamp { .. } => {
            vec![Comparison::Equals, Comparison::From, Comparison::To]
        }
        ValueType::Boolean | ValueType::Uuid | ValueType::Unknown => vec![Comparison::Equals],
        _ => return None,
    };
    let cheap = table.indexed.iter().any(|name| *name == column.source.as_str());
    Some(Searchable { source: column.source.clone(), comparisons, cheap })
}
