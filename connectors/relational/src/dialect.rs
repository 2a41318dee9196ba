//! What differs between the databases in the text of a statement. A grammar says of each database what is not so in
//! standard SQL (ISO 9075), which is what a method does that no grammar writes anew.

mod db2;
mod informix;
mod mysql;
mod oracle;
pub mod postgres;
mod sql_server;
mod sqlite;
mod standard;

use std::fmt::Debug;
use std::time::Duration;

use crate::column::{Class, Column};
use crate::errors::Errors;
use crate::survey::Questions;

pub use db2::Db2;
pub use informix::Informix;
pub use mysql::MySql;
pub use oracle::Oracle;
pub use postgres::Postgres;
pub use sql_server::SqlServer;
pub use sqlite::Sqlite;
pub use standard::Standard;

/// A database's way of writing SQL.
pub type Dialect = &'static dyn Grammar;

/// Escapes wildcards in a pattern. A backslash would be read differently from database to database.
const ESCAPE: char = '!';

/// How a value becomes a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binds {
    /// As it is: the database gives a parameter the column's type by itself, and a column can hold values of any type.
    AsIs,
    /// As a value of the column's type.
    Typed,
    /// As the text of a value of the column's type.
    Text,
}

/// How a database reads names that stand without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folding {
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
}

impl Folding {
    /// Whether a name is read as another.
    #[must_use]
    pub fn changes(self, name: &str) -> bool {
        name.chars().any(|character| match self {
            Self::Lower => character.is_uppercase(),
            Self::Upper => character.is_lowercase(),
        })
    }
}

/// A statement that is run on each new connection, and one to run instead where the database does not know it.
#[derive(Debug, Clone)]
pub struct Setup {
    pub sql: String,
    pub or: Option<String>,
}

impl Setup {
    /// A statement without another.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        Self { sql: sql.to_owned(), or: None }
    }
}

/// What one database writes in its own way. An `expression` is SQL, a `mark` the place of a parameter.
pub trait Grammar: Errors + Debug + Sync {
    /// The database's name.
    fn name(&self) -> &'static str;

    /// What is run on each new connection: above all, no statement takes longer than the registry's timeout.
    fn setup(&self, timeout: Duration, read_only: bool) -> Vec<Setup> {
        let _ = (timeout, read_only);
        Vec::new()
    }

    /// Whether [`Grammar::setup`] makes the database stop a statement that takes too long.
    fn stops_statements(&self) -> bool {
        false
    }

    /// Asks whether the database answers.
    fn probe(&self) -> &'static str {
        "SELECT 1"
    }

    /// Begins a transaction, where that is not left to the driver.
    fn begin(&self) -> Option<&'static str> {
        None
    }

    /// Whether whole numbers are decimals without a fraction.
    fn has_only_decimals(&self) -> bool {
        false
    }

    /// Whether there is a type for truth, and not only one for bits.
    fn has_booleans(&self) -> bool {
        true
    }

    /// Asks for the numbers of the types of a query's columns in the catalogue, where the driver has no names for them.
    fn column_types(&self, query: &str, columns: usize) -> Option<String> {
        let _ = (query, columns);
        None
    }

    /// How names without quotes are read, where that is not as they are written.
    fn folding(&self) -> Option<Folding> {
        None
    }

    /// Whether columns can be of a type for times.
    fn has_times(&self) -> bool {
        true
    }

    /// The mark of the parameter at this place, counted from 1. Each mark stands in the text exactly once.
    fn mark(&self, place: usize) -> String {
        let _ = place;
        "?".to_owned()
    }

    /// How values become parameters.
    fn binds(&self) -> Binds {
        Binds::Typed
    }

    /// Whether the database says what it takes each parameter of a statement for.
    fn types_parameters(&self) -> bool {
        false
    }

    /// An identifier, exactly as written.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// The name of a table, with its schema where it has one.
    fn quote_table(&self, name: &str) -> String {
        name.split('.').map(|part| self.quote(part)).collect::<Vec<_>>().join(".")
    }

    /// A table with its alias.
    fn aliased(&self, table: &str, alias: &str) -> String {
        format!("{table} AS {}", self.quote(alias))
    }

    /// A selected column at its place in a query.
    fn listed(&self, place: usize, selected: &str) -> String {
        let _ = place;
        selected.to_owned()
    }

    /// A column as it has to be selected so that its value arrives in a form we decode without loss.
    fn selected(&self, expression: &str, column: &Column) -> String {
        let _ = column;
        expression.to_owned()
    }

    /// A parameter's cast to the column's type. The parameter is cast and not the column, so that indexes serve.
    fn cast(&self, mark: &str, column: &Column, writes: bool) -> String {
        let _ = (column, writes);
        mark.to_owned()
    }

    /// A parameter that is a text, whatever stands around it.
    fn text_mark(&self, mark: &str) -> String {
        mark.to_owned()
    }

    /// An expression as text, for what only text can do.
    fn as_text(&self, expression: &str, column: &Column) -> String {
        if column.class == Class::Text { expression.to_owned() } else { self.cast_to_text(expression) }
    }

    /// An expression that is no text, as text.
    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS VARCHAR(4000))")
    }

    /// A time as a parameter is written, given as ISO 8601 has it.
    fn time(&self, text: String) -> String {
        text
    }

    /// A text without blanks around it.
    fn trimmed(&self, expression: &str) -> String {
        format!("TRIM({expression})")
    }

    /// Whether the column's values are compared by their texts.
    fn compares_by_text(&self, column: &Column) -> bool {
        let _ = column;
        false
    }

    /// Whether `=` overlooks blanks at the end of a text, as LIKE does not.
    fn pads_text(&self) -> bool {
        false
    }

    /// The condition that a text begins with the parameter that [`Grammar::prefix_value`] made.
    fn begins(&self, expression: &str, mark: &str) -> String {
        format!("{expression} LIKE {mark} ESCAPE '{ESCAPE}'")
    }

    /// The parameter for [`Grammar::begins`].
    fn prefix_value(&self, prefix: &str) -> String {
        format!("{}%", self.pattern(prefix))
    }

    /// A pattern that only this text matches.
    fn pattern(&self, text: &str) -> String {
        let mut pattern = String::with_capacity(text.len() + 1);
        for character in text.chars() {
            if character == ESCAPE || self.wildcards().contains(&character) {
                pattern.push(ESCAPE);
            }
            pattern.push(character);
        }
        pattern
    }

    /// What LIKE takes for more than itself.
    fn wildcards(&self) -> &'static [char] {
        &['%', '_']
    }

    /// Makes a query answer at most so many rows, where that can be said in it.
    fn limit(&self, query: &mut String, rows: usize) {
        let _ = (query, rows);
    }

    /// A table, with its alias, whose rows nobody else may change before the transaction ends.
    fn held_table(&self, table: String) -> String {
        table
    }

    /// What stands at the end of a query whose rows nobody else may change before the transaction ends.
    fn held(&self) -> &'static str {
        " FOR UPDATE"
    }

    /// What stands before and after the assignments of an update of a table, given with its alias if it has one.
    fn update(&self, table: &str, alias: Option<&str>) -> (String, String) {
        let _ = alias;
        (format!("UPDATE {table} SET "), String::new())
    }

    /// The beginning of a statement that deletes rows of a table, given with its alias if it has one, and by the name
    /// that it goes by.
    fn delete(&self, table: &str, alias: Option<&str>, qualifier: &str) -> String {
        let _ = (alias, qualifier);
        format!("DELETE FROM {table}")
    }

    /// How a binary value is read in pieces, for drivers that can't do it by themselves.
    fn pieces(&self) -> Option<&dyn Pieces> {
        None
    }

    /// What is asked of the database's catalogue in a survey, where that is known.
    fn catalogue(&self) -> Option<&'static Questions> {
        None
    }

    /// The database's time, for a version column.
    fn now(&self) -> &'static str;

    /// A time so many days ago, to compare with the time of [`Grammar::once_table`].
    fn days_ago(&self, days: u32) -> String;

    /// What stands before and after the condition of a statement that deletes at most so many rows.
    fn delete_some(&self, table: &str, key: &str, most: u32) -> (String, String) {
        (format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE "), format!(" LIMIT {most})"))
    }

    /// Asks for the database's time in UTC, as text; none where there is no one way to.
    fn now_text(&self) -> Option<&'static str>;

    /// The statement that creates the table of the ids of changes, whose name is quoted.
    fn once_table(&self, table: &str) -> String;
}

/// How a binary value is read in pieces by statements.
pub trait Pieces {
    /// The length of a binary or text value in bytes.
    fn length(&self, expression: &str) -> String;

    /// Some bytes of a binary value; `from` marks the place of the first one, counted from 1.
    fn part(&self, expression: &str, column: &Column, from: &str, count: usize) -> String;
}
