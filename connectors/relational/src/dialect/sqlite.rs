//! SQLite.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Binds, Grammar, Pieces, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;
use crate::survey::{Questions, questions};

/// SQLite.
#[derive(Debug)]
pub struct Sqlite;

impl Grammar for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    // They are text, as ISO 8601 writes it.
    fn has_times(&self) -> bool {
        false
    }

    fn setup(&self, timeout: Duration, read_only: bool) -> Vec<Setup> {
        let mut setup = vec![Setup::of(&format!("PRAGMA busy_timeout = {}", timeout.as_millis()))];
        if read_only {
            setup.push(Setup::of("PRAGMA query_only = ON"));
        }
        setup
    }

    // A transaction that begins with a read can't always go on to write.
    fn begin(&self) -> Option<&'static str> {
        Some("BEGIN IMMEDIATE")
    }

    fn binds(&self) -> Binds {
        Binds::AsIs
    }

    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS text)")
    }

    // A column without a type compares `5` and `'5'` as different: its value and ours are made text.
    fn compares_by_text(&self, column: &Column) -> bool {
        column.class == Class::Other
    }

    // LIKE overlooks the case of ASCII letters.
    fn begins(&self, expression: &str, mark: &str) -> String {
        format!("instr({expression}, {mark}) = 1")
    }

    fn prefix_value(&self, prefix: &str) -> String {
        prefix.to_owned()
    }

    // A transaction that changes something holds the whole database.
    fn held(&self) -> &'static str {
        ""
    }

    fn limit(&self, query: &mut String, rows: usize) {
        query.push_str(&format!(" LIMIT {rows}"));
    }

    fn pieces(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn catalogue(&self) -> Option<&'static Questions> {
        Some(&questions::SQLITE)
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("datetime('now', '-{days} days')")
    }

    fn now_text(&self) -> Option<&'static str> {
        Some("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (message_id TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
    }
}

impl Pieces for Sqlite {
    fn length(&self, expression: &str) -> String {
        format!("length(CAST({expression} AS BLOB))")
    }

    fn part(&self, expression: &str, _column: &Column, from: &str, count: usize) -> String {
        format!("substr(CAST({expression} AS BLOB), {from}, {count})")
    }
}

/// The number holds the kind of error in its low byte, and more about it in the others.
impl Errors for Sqlite {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = format!("SQLite error {}", told.number);
        match told.number & 0xff {
            // Of the generic error only these messages are sure to hold names alone.
            1 if ["no such", "ambiguous column", "table "].iter().any(|start| told.message.starts_with(start)) => {
                Failure::unsupported(format!("{detail}: {}", told.message))
            }
            1 => Failure::unsupported(detail),
            5 | 6 | 10 | 13 | 14 | 15 | 26 | 11 => Failure::unavailable(detail),
            9 => Failure::timed_out(format!("{detail}: the statement was stopped")),
            8 | 3 | 23 => Failure::unsupported(format!("{detail}: the database is read only")),
            _ => refused_or_malformed(detail, moment),
        }
    }

    fn can_not_be(&self, _told: &Told<'_>) -> bool {
        false
    }

    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        told.number & 0xff == 19 && told.message.contains("UNIQUE constraint failed")
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        told.message.starts_with("no such table")
    }

    fn is_rolled_back(&self, _told: &Told<'_>) -> bool {
        true
    }
}
