//! An entity's `from:`: the tables its records come from.
//!
//! Names of tables and columns are written exactly as the database stores them, upper and lower case included: every
//! one is quoted. (PostgreSQL stores names that were created without quotes in lower case.) A name with a dot in it
//! can't be given, except that a table can have its schema before it.
//!
//! What `on`, `where` and `select` say is the agency's own SQL and reaches the database unchanged; no value of a
//! request ever does but as a bound parameter.
//!
//! What the databases do differently:
//! - A search that overlooks case uses the database's `lower()`. SQLite's knows only ASCII letters.
//! - Whether `equals` tells upper from lower case is the column's collation's business.
//! - MariaDB, MySQL and SQLite know no booleans: they are read as 0 and 1. (A column of an SQLite file that is declared
//!   `BOOLEAN` is read as a boolean.) JSON columns are read as values, except in MariaDB, where they are text.
//! - A `FLOAT` of MariaDB or MySQL equals nothing that is written in decimal: search it by a range.
//! - Pages follow the key: where the key is not unique, which `read` reports, a search can pass over a row.

use std::collections::BTreeMap;

use rabita_sdk::manifest::Zone;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where an entity's records, or a code table's rows, come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Origin {
    /// A table or view: `CITIZENS`, `registry.citizens`.
    Table(#[schemars(length(min = 1))] String),
    /// A table with joins, conditions and groups.
    Tables(Tables),
    /// A query of one's own.
    Select(Select),
}

/// A table with what belongs to it. A source is `column` of this table or `alias.column`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// The table or view.
    #[schemars(length(min = 1))]
    pub table: String,
    /// Its alias; left out, its own name.
    #[serde(rename = "as")]
    pub alias: Option<String>,
    /// Tables joined to it.
    #[serde(default)]
    pub joins: Vec<Join>,
    /// An SQL condition that holds for every record.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Repeated groups by name.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// What a change does to the version column when the change itself gives it no value.
    #[serde(default)]
    pub bump: Bump,
}

/// A hand-written query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// One `SELECT`, without a semicolon. Its columns are the sources.
    #[schemars(length(min = 1))]
    pub select: String,
    /// Its alias.
    #[serde(rename = "as")]
    pub alias: Option<String>,
    /// Repeated groups by name.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// The table that changes are written to; it has the key's columns under the same names.
    pub into: Option<String>,
    /// What a change does to the version column when the change itself gives it no value.
    #[serde(default)]
    pub bump: Bump,
}

/// A joined table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The table or view.
    #[schemars(length(min = 1))]
    pub table: String,
    /// Its alias; left out, its own name.
    #[serde(rename = "as")]
    pub alias: Option<String>,
    /// Whether a record without a row of it is left out.
    #[serde(default)]
    pub kind: JoinKind,
    /// The SQL condition that joins.
    #[schemars(length(min = 1))]
    pub on: String,
}

/// Whether a record without a row of the joined table is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// It stays, with nulls.
    #[default]
    Left,
    /// It is left out.
    Inner,
}

/// A repeated group: the rows of another table that belong to a record. All groups of a page cost one question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The table or view.
    #[schemars(length(min = 1))]
    pub table: String,
    /// Its alias; left out, its own name.
    #[serde(rename = "as")]
    pub alias: Option<String>,
    /// Which of its rows belong to a record: its column, and the record's source that is the same.
    #[schemars(length(min = 1))]
    pub on: BTreeMap<String, String>,
    /// Tables joined to it.
    #[serde(default)]
    pub joins: Vec<Join>,
    /// An SQL condition that holds for every row.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Sources in whose order the rows stand; `column desc` for the last first.
    #[serde(default)]
    pub order_by: Vec<String>,
}

/// What a change does to the version column when the change itself gives it no value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// Nothing: the database does it.
    #[default]
    None,
    /// Adds one to an integer.
    Increment,
    /// Sets it to the database's time.
    Timestamp,
}

/// How a named action is done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionFrom {
    /// One statement, without a semicolon; `:NAME` is a value of the request or of the key. The first row that it
    /// answers is the reply.
    #[schemars(length(min = 1))]
    pub sql: String,
}

/// Where changes are found that others made.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The source that says when, or in what order, a record was changed last: a time or a number that only grows.
    #[schemars(length(min = 1))]
    pub column: String,
    /// Changes are told when they are so old, so that none is passed over whose transaction ends late. Left out: 2000
    /// for a time, 0 for anything else.
    #[schemars(range(max = 86_400_000))]
    pub lag_ms: Option<u64>,
    /// The time zone of a column that holds times without one, by its name in the IANA database; left out, UTC.
    pub zone: Option<Zone>,
}
