//! IBM Db2 for Linux, Unix and Windows.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Folding, Grammar, Setup, standard};
use crate::column::Column;
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;

/// IBM Db2.
#[derive(Debug)]
pub struct Db2;

impl Grammar for Db2 {
    fn name(&self) -> &'static str {
        "Db2"
    }

    fn folding(&self) -> Option<Folding> {
        Some(Folding::Upper)
    }

    fn setup(&self, timeout: Duration, _read_only: bool) -> Vec<Setup> {
        vec![Setup::of(&format!("SET CURRENT LOCK TIMEOUT {}", timeout.as_secs().clamp(1, 32_767)))]
    }

    fn probe(&self) -> &'static str {
        "SELECT 1 FROM SYSIBM.SYSDUMMY1"
    }

    fn cast(&self, mark: &str, column: &Column, _writes: bool) -> String {
        standard::cast(mark, column)
    }

    fn text_mark(&self, mark: &str) -> String {
        self.cast_to_text(mark)
    }

    fn pads_text(&self) -> bool {
        true
    }

    fn limit(&self, query: &mut String, rows: usize) {
        query.push_str(&format!(" FETCH FIRST {rows} ROWS ONLY"));
    }

    fn held(&self) -> &'static str {
        " WITH RS USE AND KEEP UPDATE LOCKS"
    }

    fn now(&self) -> &'static str {
        "CURRENT TIMESTAMP"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("CURRENT TIMESTAMP - {days} DAYS")
    }

    fn delete_some(&self, table: &str, _key: &str, most: u32) -> (String, String) {
        (format!("DELETE FROM (SELECT * FROM {table} WHERE "), format!(" FETCH FIRST {most} ROWS ONLY)"))
    }

    fn now_text(&self) -> Option<&'static str> {
        Some(
            "SELECT REPLACE(VARCHAR_FORMAT(CURRENT TIMESTAMP - CURRENT TIMEZONE, 'YYYY-MM-DD HH24:MI:SS.FF6'), ' ', 'T') || 'Z' \
             FROM SYSIBM.SYSDUMMY1",
        )
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE {table} (message_id CHAR(36) NOT NULL PRIMARY KEY, applied_at TIMESTAMP NOT NULL DEFAULT CURRENT TIMESTAMP)"
        )
    }
}

/// By SQLSTATE, which Db2 keeps to, with classes of its own.
impl Errors for Db2 {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.state {
            "57014" | "HYT00" | "HY008" => Failure::timed_out(format!("{detail}: the statement was stopped")),
            "40001" | "57033" => Failure::unavailable(format!("{detail}: in the way of other changes")),
            _ => match told.state.get(..2).unwrap_or_default() {
                "08" | "28" | "40" | "57" | "58" => Failure::unavailable(detail),
                "42" | "0A" | "51" | "55" | "56" => Failure::unsupported(detail),
                _ => refused_or_malformed(detail, moment),
            },
        }
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "42704" | "42S02")
    }

    fn is_table_there(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "42710" | "42S01")
    }
}
