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
pub(crate) enum Param {
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
}

/// SQL and its parameters. Values get in only by [`Self::value`] and [`Self::text_value`].
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) dialect: Dialect,
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
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
pub(crate) enum Verb {
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
pub(crate) struct Asked {
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
    pub(crate) fn new(dialect: Dialect, sql: &str) -> Self {
        Self { dialect, sql: sql.to_owned(), params: Vec::new(), about: None }
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
    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter that is compared with a column.
    pub(crate) fn value(&mut self, param: Param, column: &Column) -> &mut Self {
        let placeholder = self.bind(param);
        let cast = self.dialect.cast(&placeholder, column, false);
        self.push(&cast)
    }

    /// Adds a parameter that is written to a column.
    pub(crate) fn written(&mut self, param: Param, column: &Column) -> &mut Self {
        let placeholder = self.bind(param);
        let cast = self.dialect.cast(&placeholder, column, true);
        self.push(&cast)
    }

    /// Binds a parameter and gives its place in the text, which is to be pushed exactly once.
    pub(crate) fn bind(&mut self, param: Param) -> String {
        self.params.push(param);
        match self.dialect {
            Dialect::Postgres => format!("${}", self.params.len()),
            // Numbered, so that one parameter can stand in two places.
            Dialect::Sqlite => format!("?{}", self.params.len()),
            Dialect::MySql => "?".to_owned(),
        }
    }
}
