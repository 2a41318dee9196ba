//! A stand-in for a registry's database: a test's tables in an SQLite database in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use rabita_sdk::{RegistrySpec, Source};
use serde_json::{Map, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, SqlitePool};

use crate::column::JSON_MARK;
use crate::dialect::{Dialect, Grammar as _, Sqlite};
use crate::origin::Origin;
use crate::plan::{Base, Plan, Relation, join_name};
use crate::scan::{Token, tokens};
use crate::settings::Once;
use crate::statement::Param;

/// A pool on a database that holds the fixture.
pub(crate) async fn pool(spec: &RegistrySpec, once: Option<&Once>, fixture: &Value) -> Result<SqlitePool, String> {
    let mut tables = Tables::of_fixture(fixture)?;
    tables.add_what_entities_name(spec);
    let mut schemas: Vec<String> = tables
        .0
        .keys()
        .map(String::as_str)
        .chain(once.map(|once| once.table.as_str()))
        .filter_map(schema)
        .map(str::to_owned)
        .collect();
    schemas.sort();
    schemas.dedup();
    let attached = Attached { name: format!("rabita-{}", uuid::Uuid::new_v4()), schemas };
    let pool = attached.pool(spec.concurrency.min(8), spec.timeout);
    for (name, table) in &tables.0 {
        table.create(&pool, name).await.map_err(|error| format!("the fixture's table {name} can't be made: {error}"))?;
    }
    Ok(pool)
}

/// A database in memory that all connections of a stand-in share, with databases attached as schemas.
#[derive(Debug, Clone)]
struct Attached {
    name: String,
    schemas: Vec<String>,
}

impl Attached {
    /// The pool of a stand-in.
    fn pool(&self, connections: usize, timeout: Duration) -> SqlitePool {
        let options = memory(&self.name).busy_timeout(timeout);
        let attach: Vec<String> = self
            .schemas
            .iter()
            .map(|schema| format!("ATTACH DATABASE 'file:/{}-{schema}?vfs=memdb' AS {}", self.name, Sqlite.quote(schema)))
            .collect();
        SqlitePoolOptions::new()
            .max_connections(u32::try_from(connections.max(2)).unwrap_or(2))
            // The data are gone when the last connection is.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(timeout)
            .after_connect(move |connection, _| {
                let attach = attach.clone();
                Box::pin(async move {
                    for statement in attach {
                        connection.execute(AssertSqlSafe(statement)).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options)
    }
}

/// Options for a database in memory that several connections share.
fn memory(name: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(format!("/{name}")).vfs("memdb").create_if_missing(true)
}

/// The schema of a table that has one; `main` is SQLite's own.
fn schema(table: &str) -> Option<&str> {
    table.split_once('.').map(|(schema, _)| schema).filter(|schema| !schema.eq_ignore_ascii_case("main"))
}

struct Tables(BTreeMap<String, Table>);

#[derive(Default)]
struct Table {
    /// Each column with its type, in the order in which they were found.
    columns: Vec<(String, &'static str)>,
    rows: Vec<Vec<(String, Param)>>,
}

impl Tables {
    fn of_fixture(fixture: &Value) -> Result<Self, String> {
        let mut tables = BTreeMap::new();
        for (name, rows) in fixture.as_object().into_iter().flatten() {
            let mut table = Table::default();
            let rows = rows.as_array().ok_or_else(|| format!("the fixture's {name} is no list of rows"))?;
            for row in rows {
                let row = row.as_object().ok_or_else(|| format!("a row of the fixture's {name} is no object"))?;
                table.add_row(row).map_err(|error| format!("the fixture's {name}: {error}"))?;
            }
            tables.insert(name.clone(), table);
        }
        Ok(Self(tables))
    }

    /// Adds tables and columns that entities name and no row has: a test tells only what matters to it.
    fn add_what_entities_name(&mut self, spec: &RegistrySpec) {
        for entity in &spec.entities {
            let Ok(origin) = serde_json::from_value::<Origin>(entity.from.clone()) else { continue };
            let plan = Plan::new(entity.clone(), &origin);
            let sources = plan.sources().into_iter().chain(plan.written_sources());
            self.add_relation(&plan.relation, sources);
            if let (Base::Select(_), Some(target)) = (&plan.relation.base, &plan.target) {
                self.add_relation(target, plan.written_sources());
            }
            for (name, group) in &plan.groups {
                let order = group.order_by.iter().map(|order| Source::new(crate::groups::ordering(order).0));
                self.add_relation(&group.relation, plan.group_sources(name).into_iter().chain(order));
            }
        }
        for table in &spec.tables {
            let Ok(origin) = serde_json::from_value::<Origin>(table.from.clone()) else { continue };
            self.add_relation(&Relation::of(&origin), table.columns.iter().cloned());
        }
    }

    fn add_relation(&mut self, relation: &Relation, sources: impl IntoIterator<Item = Source>) {
        let Base::Table(base) = &relation.base else { return };
        let mut by_name = vec![(relation.qualifier().to_owned(), base.clone())];
        by_name.extend(relation.joins.iter().map(|join| (join_name(join).to_owned(), join.table.clone())));
        for (_, table) in &by_name {
            self.0.entry(table.clone()).or_default();
        }
        for source in sources {
            if let Ok((qualifier, column)) = relation.resolve(source.as_str()) {
                self.add_column(&by_name, qualifier, column);
            }
        }
        for condition in relation.filter.iter().chain(relation.joins.iter().map(|join| &join.on)) {
            self.add_named_in(condition, relation, &by_name);
        }
    }

    fn add_column(&mut self, by_name: &[(String, String)], qualifier: &str, column: &str) {
        let Some((_, table)) = by_name.iter().find(|(name, _)| name.eq_ignore_ascii_case(qualifier)) else { return };
        self.0.entry(table.clone()).or_default().add_column(column, "");
    }

    /// Columns that a condition names: `alias.column` anywhere, bare words where there is one table alone.
    fn add_named_in(&mut self, condition: &str, relation: &Relation, by_name: &[(String, String)]) {
        let tokens = tokens(condition).unwrap_or_default();
        for (at, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            match (tokens.get(at + 1), tokens.get(at + 2)) {
                (Some(Token::Mark('.')), Some(Token::Word(column))) => self.add_column(by_name, word, column),
                (Some(Token::Mark('(')), _) => {}
                // A keyword becomes a column too, which nobody reads.
                _ if relation.joins.is_empty()
                    && at.checked_sub(1).and_then(|before| tokens.get(before)) != Some(&Token::Mark('.')) =>
                {
                    self.add_column(by_name, relation.qualifier(), word);
                }
                _ => {}
            }
        }
    }
}

impl Table {
    fn add_row(&mut self, row: &Map<String, Value>) -> Result<(), String> {
        let mut values = Vec::with_capacity(row.len());
        for (name, value) in row {
            let (param, affinity) = param(value).map_err(|error| format!("{name}: {error}"))?;
            self.add_column(name, affinity);
            values.push((name.clone(), param));
        }
        self.rows.push(values);
        Ok(())
    }

    /// Adds a column, or makes it take values of another type too.
    fn add_column(&mut self, name: &str, affinity: &'static str) {
        match self.columns.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            None => self.columns.push((name.to_owned(), affinity)),
            Some((_, own)) if own.is_empty() => *own = affinity,
            Some((_, own)) if !affinity.is_empty() && *own != affinity => *own = MIXED,
            Some(_) => {}
        }
    }

    async fn create(&self, pool: &SqlitePool, name: &str) -> Result<(), sqlx::Error> {
        let dialect: Dialect = &Sqlite;
        let table = dialect.quote_table(name);
        let mut columns: Vec<String> =
            self.columns.iter().map(|(name, affinity)| format!("{} {affinity}", dialect.quote(name))).collect();
        if columns.is_empty() {
            columns.push(dialect.quote("nothing"));
        }
        sqlx::query(AssertSqlSafe(format!("CREATE TABLE {table} ({})", columns.join(", ")))).execute(pool).await?;
        for row in &self.rows {
            let names: Vec<String> = row.iter().map(|(name, _)| dialect.quote(name)).collect();
            let marks: Vec<String> = (1..=row.len()).map(|at| format!("?{at}")).collect();
            let sql = if row.is_empty() {
                format!("INSERT INTO {table} DEFAULT VALUES")
            } else {
                format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), marks.join(", "))
            };
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (_, param) in row {
                query = match param.clone() {
                    Param::Null => query.bind(None::<String>),
                    Param::Int(number) => query.bind(number),
                    Param::Float(number) => query.bind(number),
                    Param::Text(text) => query.bind(text),
                    Param::Bytes(bytes) => query.bind(bytes),
                };
            }
            query.execute(pool).await?;
        }
        Ok(())
    }
}

/// A type without affinity, which is yet not empty.
const MIXED: &str = "BLOB_OR_OTHER";

/// A fixture's value, and the type of a column that takes it.
fn param(value: &Value) -> Result<(Param, &'static str), String> {
    Ok(match value {
        Value::Null => (Param::Null, ""),
        Value::Bool(truth) => (Param::Int((*truth).into()), "BOOLEAN"),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => (Param::Int(number), "INTEGER"),
            (None, Some(number)) => (Param::Float(number), "REAL"),
            (None, None) => (Param::Text(number.to_string()), "TEXT"),
        },
        Value::String(text) => (Param::Text(text.clone()), "TEXT"),
        Value::Object(members) if members.len() == 1 && members.contains_key("base64") => {
            let text = members["base64"].as_str().ok_or("base64 is no text")?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| "the base64 can't be read")?;
            (Param::Bytes(bytes), "BLOB")
        }
        Value::Object(members) if members.len() == 1 && members.contains_key("hex") => {
            (Param::Bytes(unhex(members["hex"].as_str().ok_or("hex is no text")?).ok_or("the hex can't be read")?), "BLOB")
        }
        Value::Array(_) | Value::Object(_) => (Param::Text(format!("{JSON_MARK}{value}")), "TEXT"),
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
