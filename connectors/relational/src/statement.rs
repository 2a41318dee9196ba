//! A statement under construction: text, the parameters bound to it, and what a test can say of it.

use base64::Engine as _;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::column::Column;
use crate::dialect::Dialect;
use crate::plan::Base;

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Param {
    fn shown(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
        }
    }

    /// The same as a text, if it is a number.
    #[must_use]
    pub fn into_text(self) -> Self {
        match self {
            Self::Int(number) => Self::Text(number.to_string()),
            Self::Float(number) => Self::Text(number.to_string()),
            other => other,
        }
    }
}

/// SQL and its parameters. Values get in only by [`Self::value`] and [`Self::text_value`].
#[derive(Debug, Clone)]
pub struct Statement {
    pub dialect: Dialect,
    pub sql: String,
    pub params: Vec<Param>,
    /// The most rows that are wanted of it, whether or not its text can say so.
    pub rows_max: Option<usize>,
    about: Option<About>,
}

/// What a statement that serves a record does.
#[derive(Debug, Clone)]
struct About {
    verb: Verb,
    table: Option<String>,
    columns: Vec<String>,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    /// The SQL of one of the manifest's actions.
    Action,
}

/// A statement that the database was asked. What a test leaves out may be anything.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Verb>,
    /// The table that it begins with, where the manifest names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    /// The columns that are read or written, in order, named as in the manifest.
    #[serde(default)]
    columns: Vec<String>,
    /// The values bound to it, in order. Bytes are { base64: ... }.
    #[serde(default)]
    parameters: Vec<Value>,
    /// The text, as the stand-in is asked: in the words of SQLite.
    #[serde(default)]
    sql: String,
}

impl Statement {
    /// Begins with a text.
    pub fn new(dialect: Dialect, sql: &str) -> Self {
        Self { dialect, sql: sql.to_owned(), params: Vec::new(), rows_max: None, about: None }
    }

    /// Says what it does to a record. What says nothing (a look before a change, the table of ids) is no matter of tests.
    pub(crate) fn about(mut self, verb: Verb, base: &Base, columns: impl IntoIterator<Item = String>) -> Self {
        let table = match base {
            Base::Table(table) => Some(table.clone()),
            Base::Select(_) => None,
        };
        self.about = Some(About { verb, table, columns: columns.into_iter().collect() });
        self
    }

    /// What a test can say of it, if it can.
    pub(crate) fn asked(&self) -> Option<Value> {
        let About { verb, table, columns } = self.about.clone()?;
        let parameters = self.params.iter().map(Param::shown).collect();
        serde_json::to_value(Asked { statement: Some(verb), table, columns, parameters, sql: self.sql.clone() }).ok()
    }

    /// Adds text.
    pub fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter that is compared with a column.
    pub fn value(&mut self, param: Param, column: &Column) -> &mut Self {
        let placeholder = self.bind(param);
        let cast = self.dialect.cast(&placeholder, column, false);
        self.push(&cast)
    }

    /// Adds a parameter that is written to a column.
    pub fn written(&mut self, param: Param, column: &Column) -> &mut Self {
        let placeholder = self.bind(param);
        let cast = self.dialect.cast(&placeholder, column, true);
        self.push(&cast)
    }

    /// Binds a parameter and gives its mark, which is to be pushed exactly once, and in the order of binding.
    pub fn bind(&mut self, param: Param) -> String {
        self.params.push(param);
        self.dialect.mark(self.params.len())
    }

    /// Makes the query answer at most so many rows. Its order has been pushed.
    pub fn limit(&mut self, rows: usize) -> &mut Self {
        self.dialect.limit(&mut self.sql, rows);
        self.rows_max = Some(rows);
        self
    }
}

/// Makes a query of sqlx of a statement, with its parameters.
#[macro_export]
macro_rules! bound {
    ($statement:expr) => {{
        let mut query = sqlx::query(sqlx::AssertSqlSafe($statement.sql));
        for param in $statement.params {
            query = match param {
                $crate::statement::Param::Null => query.bind(None::<String>),
                $crate::statement::Param::Int(number) => query.bind(number),
                $crate::statement::Param::Float(number) => query.bind(number),
                $crate::statement::Param::Text(text) => query.bind(text),
                $crate::statement::Param::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}
pub use bound;
