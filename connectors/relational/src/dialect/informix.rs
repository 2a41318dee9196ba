//! IBM Informix 12.10 and later. Names in quotes need `DELIMIDENT=Y` in the connection.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Folding, Grammar, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;

/// IBM Informix.
#[derive(Debug)]
pub struct Informix;

impl Grammar for Informix {
    fn name(&self) -> &'static str {
        "Informix"
    }

    fn folding(&self) -> Option<Folding> {
        Some(Folding::Lower)
    }

    fn setup(&self, timeout: Duration, _read_only: bool) -> Vec<Setup> {
        vec![Setup::of(&format!("SET LOCK MODE TO WAIT {}", timeout.as_secs().max(1)))]
    }

    fn probe(&self) -> &'static str {
        "SELECT 1 FROM systables WHERE tabid = 1"
    }

    fn cast(&self, mark: &str, column: &Column, _writes: bool) -> String {
        match column.class {
            Class::Decimal => format!("CAST({mark} AS DECIMAL(32, 9))"),
            // Its driver makes a DATE of what ODBC writes; a text would be read by DBDATE.
            Class::Date => format!("TO_DATE({mark}, '%Y-%m-%d')"),
            Class::Timestamp | Class::Instant => format!("CAST({mark} AS DATETIME YEAR TO FRACTION(5))"),
            _ => mark.to_owned(),
        }
    }

    fn time(&self, text: String) -> String {
        text.replacen('T', " ", 1)
    }

    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS LVARCHAR(4000))")
    }

    fn text_mark(&self, mark: &str) -> String {
        self.cast_to_text(mark)
    }

    fn pads_text(&self) -> bool {
        true
    }

    fn limit(&self, query: &mut String, rows: usize) {
        if let Some(rest) = query.strip_prefix("SELECT ") {
            *query = format!("SELECT FIRST {rows} {rest}");
        }
    }

    fn now(&self) -> &'static str {
        "CURRENT YEAR TO FRACTION(5)"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("CURRENT YEAR TO FRACTION(5) - {days} UNITS DAY")
    }

    fn delete_some(&self, table: &str, _key: &str, _most: u32) -> (String, String) {
        (format!("DELETE FROM {table} WHERE "), String::new())
    }

    fn now_text(&self) -> Option<&'static str> {
        Some(
            "SELECT TO_CHAR(DATETIME(1970-01-01 00:00:00) YEAR TO SECOND + TRUNC(DBINFO('utc_current') / 86400) UNITS DAY \
             + MOD(DBINFO('utc_current'), 86400) UNITS SECOND, '%Y-%m-%dT%H:%M:%SZ') FROM systables WHERE tabid = 1",
        )
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE {table} (message_id CHAR(36) NOT NULL PRIMARY KEY, applied_at DATETIME YEAR TO FRACTION(5) DEFAULT CURRENT YEAR TO FRACTION(5) NOT NULL)"
        )
    }
}

/// By its own numbers, which are below zero.
impl Errors for Informix {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.number {
            -213 => Failure::timed_out(format!("{detail}: the statement was stopped")),
            -245..=-243 | -107 | -113 | -143 | -144 | -154 | -233 => {
                Failure::unavailable(format!("{detail}: in the way of other changes"))
            }
            -908 | -930 | -951 | -952 | -25580..=-25500 | -27002 | -27001 | -349 | -329 => Failure::unavailable(detail),
            -201 | -206 | -217 | -274..=-272 | -310 | -674 => Failure::unsupported(detail),
            _ => refused_or_malformed(detail, moment),
        }
    }

    // No number, no date, one out of range.
    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.number, -1213..=-1200 | -1218 | -1267..=-1260 | -1279 | -1226)
    }

    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        matches!(told.number, -239 | -268 | -100)
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        told.number == -206
    }

    fn is_table_there(&self, told: &Told<'_>) -> bool {
        told.number == -310
    }
}
