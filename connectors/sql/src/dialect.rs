//! What differs between the databases in the text of a statement.

use crate::column::{Class, Column};
use crate::settings::Scheme;

/// A database's way of writing SQL.
pub(crate) type Dialect = Scheme;

/// Escapes `%` and `_` in a pattern. A backslash would be read differently from database to database.
const ESCAPE: char = '!';

impl Dialect {
    /// An identifier, exactly as written.
    pub(crate) fn quote(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// The name of a table, with its schema where it has one.
    pub(crate) fn quote_table(self, name: &str) -> String {
        name.split('.').map(|part| self.quote(part)).collect::<Vec<_>>().join(".")
    }

    /// A column as it has to be selected so that its value arrives in a form we decode without loss.
    pub(crate) fn selected(self, expression: &str, column: &Column) -> String {
        match (self, column.class) {
            (Self::Sqlite, _) => expression.to_owned(),
            (Self::Postgres, Class::Bool | Class::Int | Class::Float | Class::Text | Class::Bytes) => expression.to_owned(),
            (Self::Postgres, Class::Array | Class::Composite) => format!("CAST(to_json({expression}) AS text)"),
            (Self::Postgres, _) => format!("CAST({expression} AS text)"),
            (Self::MySql, Class::Text | Class::Bytes | Class::Float) => expression.to_owned(),
            (Self::MySql, Class::Bits) => format!("CAST(CAST({expression} AS UNSIGNED) AS CHAR)"),
            (Self::MySql, _) => format!("CAST({expression} AS CHAR)"),
        }
    }

    /// A parameter's cast to the column's type. The parameter is cast and not the column, so that indexes serve.
    pub(crate) fn cast(self, placeholder: &str, column: &Column, writes: bool) -> String {
        match (self, column.class) {
            (Self::Postgres, Class::Bytes) => placeholder.to_owned(),
            // An integer out of the column's range is no error when it is only compared.
            (Self::Postgres, Class::Int) if !writes => format!("CAST({placeholder} AS int8)"),
            (Self::Postgres, _) => format!("CAST({placeholder} AS {})", column.type_name),
            (Self::MySql, Class::Decimal) if !writes => format!("CAST({placeholder} AS DECIMAL(65,30))"),
            _ => placeholder.to_owned(),
        }
    }

    /// An expression as text, for what only text can do.
    pub(crate) fn as_text(self, expression: &str, column: &Column) -> String {
        match self {
            _ if column.class == Class::Text => expression.to_owned(),
            Self::MySql => format!("CAST({expression} AS CHAR)"),
            Self::Postgres | Self::Sqlite => format!("CAST({expression} AS text)"),
        }
    }

    /// The condition that a text begins with the parameter that [`Self::prefix_value`] made.
    pub(crate) fn begins(self, expression: &str, placeholder: &str) -> String {
        match self {
            // LIKE of SQLite overlooks the case of ASCII letters.
            Self::Sqlite => format!("substr({expression}, 1, length({placeholder})) = {placeholder}"),
            Self::Postgres | Self::MySql => format!("{expression} LIKE {placeholder} ESCAPE '{ESCAPE}'"),
        }
    }

    /// The parameter for [`Self::begins`].
    pub(crate) fn prefix_value(self, prefix: &str) -> String {
        if self == Self::Sqlite {
            return prefix.to_owned();
        }
        format!("{}%", self.pattern(prefix))
    }

    /// A pattern that only this text matches.
    pub(crate) fn pattern(self, text: &str) -> String {
        let mut pattern = String::with_capacity(text.len() + 1);
        for character in text.chars() {
            if matches!(character, '%' | '_' | ESCAPE) {
                pattern.push(ESCAPE);
            }
            pattern.push(character);
        }
        pattern
    }

    /// The length of a binary or text value in bytes.
    pub(crate) fn length(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("length(CAST({expression} AS BLOB))"),
            Self::Postgres => format!("CAST(octet_length({expression}) AS int8)"),
            Self::MySql => format!("CAST(OCTET_LENGTH({expression}) AS CHAR)"),
        }
    }

    /// Some bytes of a binary value; `from` is the parameter with the place of the first one, counted from 1.
    pub(crate) fn part(self, expression: &str, column: &Column, from: &str, count: usize) -> String {
        let bytes = match (self, column.class) {
            (Self::Sqlite, _) => format!("CAST({expression} AS BLOB)"),
            (_, Class::Bytes) => expression.to_owned(),
            (Self::Postgres, _) => format!("convert_to(CAST({expression} AS text), 'UTF8')"),
            (Self::MySql, _) => format!("CAST({expression} AS BINARY)"),
        };
        match self {
            Self::Sqlite => format!("substr({bytes}, {from}, {count})"),
            Self::Postgres => format!("substring({bytes} FROM CAST({from} AS int4) FOR {count})"),
            Self::MySql => format!("SUBSTRING({bytes}, {from}, {count})"),
        }
    }

    /// The database's time, for a version column.
    pub(crate) const fn now(self) -> &'static str {
        match self {
            Self::Postgres => "clock_timestamp()",
            Self::MySql => "CURRENT_TIMESTAMP(6)",
            Self::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }

    /// A time so many days ago, to compare with the time of [`Self::once_table`].
    pub(crate) fn days_ago(self, days: u32) -> String {
        match self {
            Self::Postgres => format!("now() - INTERVAL '{days} days'"),
            Self::MySql => format!("CURRENT_TIMESTAMP - INTERVAL {days} DAY"),
            Self::Sqlite => format!("datetime('now', '-{days} days')"),
        }
    }

    /// What stands before and after the condition of a statement that deletes at most so many rows.
    pub(crate) fn delete_some(self, table: &str, key: &str, most: u32) -> (String, String) {
        match self {
            Self::MySql => (format!("DELETE FROM {table} WHERE "), format!(" LIMIT {most}")),
            Self::Postgres | Self::Sqlite => {
                (format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE "), format!(" LIMIT {most})"))
            }
        }
    }

    /// The database's time in UTC, as text.
    pub(crate) const fn now_text(self) -> &'static str {
        match self {
            Self::Postgres => "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
            Self::MySql => "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')",
            Self::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }

    /// Begins a transaction that changes something.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::MySql => "START TRANSACTION",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Begins a transaction that sees the data as they are now, until it ends.
    pub(crate) const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::MySql => "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            Self::Sqlite => "BEGIN",
        }
    }

    /// The statement that creates the table of the ids of changes.
    pub(crate) fn once_table(self, table: &str) -> String {
        let table = self.quote_table(table);
        match self {
            Self::Postgres => format!(
                "CREATE TABLE IF NOT EXISTS {table} (message_id char(36) PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            ),
            Self::MySql => format!(
                "CREATE TABLE IF NOT EXISTS {table} (message_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
            ),
            Self::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS {table} (message_id TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
            ),
        }
    }
}
