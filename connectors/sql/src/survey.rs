//! Asks a database what it holds: tables, views, keys, foreign keys, comments, and some rows of each.
//!
//! All questions go through the same pool as those of a connector, in sessions that may only read; so samples are what
//! `read` would hand over.

mod catalogue;
mod codes;
mod fixture;
mod types;

use std::time::Instant;

use rabita_model::{Comparison, ExchangeId};
use rabita_sdk::survey::{
    ClosedList, ListedCode, Offers, Recognised, Reference, Samples, Searchable, Survey, SurveyError, SurveyLimits, SurveySource,
    SurveyedColumn, SurveyedEntity, ValueType,
};
use rabita_sdk::{Call, Legacy, Row, Secrets, Source};
use serde_json::{Value, json};

use crate::column::Column;
use crate::database::{Pool, Pooling, Session, connect};
use crate::dialect::Dialect;
use crate::failure::{Moment, failure};
use crate::scan::objection;
use crate::settings::{Scheme, Settings};
use crate::statement::Statement;

use catalogue::Table;
pub(crate) use fixture::fixture;

/// Whether an address is one of a database.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if source.has_scheme(&Scheme::WORDS) || source.head.starts_with(b"SQLite format 3\0") {
        Recognised::Surely
    } else {
        Recognised::No
    }
}

/// The survey.
pub(crate) async fn survey(source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let written = settings(source)?;
    let unsuitable = |error: serde_json::Error| SurveyError::Unsuitable(format!("the settings of the connector: {error}"));
    let mut settings: Settings = serde_json::from_value(Value::Object(written.clone())).map_err(unsuitable)?;
    settings.read_only = true;
    let url = secrets.text(&settings.url).map_err(SurveyError::Unsuitable)?;
    let password = settings.password.as_ref().map(|password| secrets.resolve(password)).transpose();
    let password = password.map_err(SurveyError::Unsuitable)?;
    let pooling = Pooling {
        url: url.expose(),
        password: password.as_ref().map(rabita_sdk::SecretText::expose),
        connections: 2,
        timeout: limits.question,
        directory: &source.directory,
    };
    let surveyor = Surveyor { pool: connect(&settings, &pooling).map_err(SurveyError::Unsuitable)?, source, limits };
    let asked = tokio::time::timeout(limits.whole, surveyor.survey()).await;
    surveyor.pool.close().await;
    let too_long = || SurveyError::Unreachable("the survey took longer than it may: name the tables that are wanted".to_owned());
    let mut survey = asked.unwrap_or_else(|_| Err(too_long()))?;
    survey.settings = written;
    Ok(survey)
}

/// The manifest's `connector:`. Nothing but reading is asked of the registry until somebody wants more.
fn settings(source: &SurveySource) -> Result<serde_json::Map<String, Value>, SurveyError> {
    let mut settings = serde_json::Map::new();
    let url = match (&source.address, &source.path) {
        (rabita_sdk::TextOrSecret::Text(_), Some(path)) => json!(format!("sqlite:{}", path.display())),
        (rabita_sdk::TextOrSecret::Text(text), None) if has_password(text) => {
            return Err(SurveyError::Unsuitable(
                "the address holds a password: put the whole address into an environment variable and name that, or give \
                 the password by reference as a setting (`password.env=NAME`)"
                    .to_owned(),
            ));
        }
        (address, _) => json!(address),
    };
    settings.insert("url".to_owned(), url);
    settings.extend(source.settings.clone());
    settings.entry("read_only").or_insert(json!(true));
    Ok(settings)
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

struct Surveyor<'a> {
    pool: Pool,
    source: &'a SurveySource,
    limits: &'a SurveyLimits,
}

impl Surveyor<'_> {
    async fn survey(&self) -> Result<Survey, SurveyError> {
        let mut survey = Survey::default();
        let catalogue = catalogue::read(self).await?;
        if let Some(narrow) = &self.source.narrow
            && let Some(objection) = objection(narrow)
        {
            return Err(SurveyError::Unsuitable(format!("the condition cannot be used: {objection}")));
        }
        let mut tables = catalogue.tables;
        survey.unsure.extend(catalogue.unsure);
        for table in &mut tables {
            table.count = self.count(table).await?;
        }
        let code_tables = codes::find(self, &tables).await?;
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
            survey.entities.push(self.entity(table).await?);
        }
        survey.code_tables = code_tables;
        Ok(survey)
    }

    async fn entity(&self, table: &Table) -> Result<SurveyedEntity, SurveyError> {
        let rows = self.samples(table).await?;
        let columns: Vec<SurveyedColumn> = table.columns.iter().map(|column| surveyed(table, column)).collect();
        let search = columns.iter().filter_map(|column| searchable(table, column)).collect();
        let sources = |names: &[String]| names.iter().map(|name| Source::new(name)).collect::<Vec<_>>();
        let writable: Vec<Source> = if table.is_view { Vec::new() } else { columns.iter().map(|c| c.source.clone()).collect() };
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
                replace: writable.clone(),
                update: writable,
                delete: !table.is_view,
                ..Offers::default()
            },
            columns,
            unsure: Vec::new(),
        })
    }

    /// The number of rows, where there are not too many to count them.
    async fn count(&self, table: &Table) -> Result<Option<u64>, SurveyError> {
        let dialect = self.pool.dialect();
        let most = self.limits.codes + 1;
        let counted = dialect.selected("count(*)", &Column::int());
        let sql = format!("SELECT {counted} FROM (SELECT 1 FROM {} LIMIT {most}) counted", dialect.quote_table(&table.name));
        let rows = self.ask(Statement::new(dialect, &sql), &[Column::int()]).await?;
        let count = rows.first().and_then(|row| row.first()).and_then(Legacy::to_text).and_then(|text| text.parse().ok());
        Ok(count.filter(|count: &u64| usize::try_from(*count).is_ok_and(|count| count < most)))
    }

    /// Some rows, from more than one place of the table where that costs little.
    async fn samples(&self, table: &Table) -> Result<Vec<Row>, SurveyError> {
        let dialect = self.pool.dialect();
        let names: Vec<&str> =
            table.columns.iter().filter(|column| column.value != ValueType::Bytes).map(|column| column.name.as_str()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let quoted: Vec<String> = names.iter().map(|name| dialect.quote(name)).collect();
        let from = dialect.quote_table(&table.name);
        let columns = self.describe(format!("SELECT {} FROM {from}", quoted.join(", "))).await?;
        let selected: Vec<String> = quoted.iter().zip(&columns).map(|(name, column)| dialect.selected(name, column)).collect();
        let condition = self.source.narrow.as_ref().map_or_else(String::new, |narrow| format!(" WHERE ({narrow})"));
        let wanted = self.limits.samples;
        let is_larger = table.count.is_none_or(|count| count > wanted as u64) && !table.is_view && condition.is_empty();
        let mut parts = Vec::new();
        match (dialect, table.key.as_slice()) {
            (Dialect::Postgres, _) if is_larger => {
                parts.push((format!(" TABLESAMPLE {}", share(table, wanted)), String::new(), wanted))
            }
            (_, [key]) if is_larger => {
                let key = dialect.quote(key);
                parts.push((String::new(), format!(" ORDER BY {key}"), wanted.div_ceil(2)));
                parts.push((String::new(), format!(" ORDER BY {key} DESC"), wanted / 2));
            }
            _ => parts.push((String::new(), String::new(), wanted)),
        }
        let mut rows = Vec::new();
        for (sample, order, limit) in parts {
            let sql = format!("SELECT {} FROM {from}{sample}{condition}{order} LIMIT {limit}", selected.join(", "));
            let found = self.ask(Statement::new(dialect, &sql), &columns).await?;
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

    async fn describe(&self, sql: String) -> Result<Vec<Column>, SurveyError> {
        let mut session = self.session().await?;
        match session.describe(sql).await {
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

fn unreachable(error: &sqlx::Error) -> SurveyError {
    SurveyError::Unreachable(failure(error, Moment::Reading).to_string())
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

#[cfg(test)]
mod tests;
