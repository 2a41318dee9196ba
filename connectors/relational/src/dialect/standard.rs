//! SQL as the standard has it, for databases that no grammar is written for. Only what all of them are likely to know is
//! used: how many rows a query answers is left to the driver, and the database's time is not asked for.

use super::Grammar;
use crate::column::{Class, Column};
use crate::errors::Errors;

/// Standard SQL.
#[derive(Debug)]
pub struct Standard;

impl Grammar for Standard {
    fn name(&self) -> &'static str {
        "standard SQL"
    }

    fn cast(&self, mark: &str, column: &Column, _writes: bool) -> String {
        cast(mark, column)
    }

    fn text_mark(&self, mark: &str) -> String {
        self.cast_to_text(mark)
    }

    fn pads_text(&self) -> bool {
        true
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("CURRENT_TIMESTAMP - INTERVAL '{days}' DAY")
    }

    fn delete_some(&self, table: &str, _key: &str, _most: u32) -> (String, String) {
        (format!("DELETE FROM {table} WHERE "), String::new())
    }

    fn now_text(&self) -> Option<&'static str> {
        None
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE {table} (message_id CHAR(36) NOT NULL PRIMARY KEY, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
        )
    }
}

impl Errors for Standard {}

/// A parameter's cast by the column's class, where the database can't tell the type from what stands around it.
pub(super) fn cast(mark: &str, column: &Column) -> String {
    match column.class {
        Class::Decimal => format!("CAST({mark} AS DECIMAL(31, 9))"),
        Class::Date => format!("CAST({mark} AS DATE)"),
        Class::Timestamp | Class::Instant => format!("CAST({mark} AS TIMESTAMP)"),
        _ => mark.to_owned(),
    }
}
