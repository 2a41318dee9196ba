//! A statement under construction: text, and the parameters bound to it.

use crate::column::Column;
use crate::dialect::Dialect;

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Param {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// SQL and its parameters. Values get in only by [`Self::value`] and [`Self::text_value`].
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) dialect: Dialect,
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
}

impl Statement {
    /// Begins with a text.
    pub(crate) fn new(dialect: Dialect, sql: &str) -> Self {
        Self { dialect, sql: sql.to_owned(), params: Vec::new() }
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
