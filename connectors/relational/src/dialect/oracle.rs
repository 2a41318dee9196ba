//! Oracle Database 12c and later. It has no type for whole numbers but `NUMBER`, takes an empty text for null, and reads
//! dates by the session's format, so the format stands beside each.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Binds, Folding, Grammar, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;

/// Oracle Database.
#[derive(Debug)]
pub struct Oracle;

impl Grammar for Oracle {
    fn name(&self) -> &'static str {
        "Oracle"
    }

    fn folding(&self) -> Option<Folding> {
        Some(Folding::Upper)
    }

    fn setup(&self, _timeout: Duration, _read_only: bool) -> Vec<Setup> {
        vec![Setup::of("ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,' TIME_ZONE = 'UTC'")]
    }

    fn probe(&self) -> &'static str {
        "SELECT 1 FROM DUAL"
    }

    // Its driver knows no integers of 64 bits.
    fn binds(&self) -> Binds {
        Binds::Text
    }

    fn has_only_decimals(&self) -> bool {
        true
    }

    fn aliased(&self, table: &str, alias: &str) -> String {
        format!("{table} {}", self.quote(alias))
    }

    // A query with a limit must not have two columns of one name.
    fn listed(&self, place: usize, selected: &str) -> String {
        format!("{selected} AS \"C{place}\"")
    }

    fn selected(&self, expression: &str, column: &Column) -> String {
        match column.class {
            // Its DATE has a time too.
            Class::Date | Class::Timestamp => {
                format!("TO_CHAR(CAST({expression} AS TIMESTAMP), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6')")
            }
            Class::Instant => format!("TO_CHAR(SYS_EXTRACT_UTC({expression}), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6\"Z\"')"),
            Class::Decimal | Class::Float => format!("TO_CHAR({expression}, 'TM9')"),
            _ => expression.to_owned(),
        }
    }

    fn cast(&self, mark: &str, column: &Column, _writes: bool) -> String {
        match column.class {
            Class::Int | Class::Decimal => format!("TO_NUMBER({mark})"),
            Class::Float => format!("TO_BINARY_DOUBLE({mark})"),
            Class::Date => format!("TO_DATE({mark}, 'YYYY-MM-DD')"),
            Class::Timestamp => format!("TO_TIMESTAMP({mark}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF')"),
            Class::Instant => format!("TO_TIMESTAMP_TZ({mark}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF\"Z\"')"),
            _ => mark.to_owned(),
        }
    }

    fn limit(&self, query: &mut String, rows: usize) {
        query.push_str(&format!(" FETCH FIRST {rows} ROWS ONLY"));
    }

    fn now(&self) -> &'static str {
        "SYS_EXTRACT_UTC(SYSTIMESTAMP)"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("SYS_EXTRACT_UTC(SYSTIMESTAMP) - NUMTODSINTERVAL({days}, 'DAY')")
    }

    fn delete_some(&self, table: &str, _key: &str, most: u32) -> (String, String) {
        (format!("DELETE FROM {table} WHERE "), format!(" AND ROWNUM <= {most}"))
    }

    fn now_text(&self) -> Option<&'static str> {
        Some("SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6\"Z\"') FROM DUAL")
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE {table} (message_id CHAR(36) NOT NULL PRIMARY KEY, applied_at TIMESTAMP DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL)"
        )
    }
}

/// By its own numbers (`ORA-00001` is 1).
impl Errors for Oracle {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.number {
            1013 | 3136 => Failure::timed_out(format!("{detail}: the statement was stopped")),
            54 | 60 | 8177 | 30006 => Failure::unavailable(format!("{detail}: in the way of other changes")),
            18
            | 20
            | 28
            | 1012
            | 1017
            | 1033
            | 1034
            | 1089
            | 1090
            | 1092
            | 3113
            | 3114
            | 3135
            | 12154..=12650
            | 28000
            | 28001 => Failure::unavailable(detail),
            16000 | 1456 => Failure::unsupported(format!("{detail}: the database is read only")),
            900..=999 | 1031 | 6550 | 1747 | 17002 => Failure::unsupported(detail),
            _ => refused_or_malformed(detail, moment),
        }
    }

    // No number, no date, one out of range.
    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 1722 | 1426 | 1438 | 1830 | 1839..=1862 | 6502 | 12899)
    }

    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        told.number == 1
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        told.number == 942
    }

    fn is_table_there(&self, told: &Told<'_>) -> bool {
        told.number == 955
    }

    fn is_rolled_back(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 60 | 8177 | 2091)
    }
}
