//! Microsoft SQL Server 2012 and later.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Grammar, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;

/// Microsoft SQL Server.
#[derive(Debug)]
pub struct SqlServer;

impl Grammar for SqlServer {
    fn name(&self) -> &'static str {
        "SQL Server"
    }

    fn setup(&self, timeout: Duration, _read_only: bool) -> Vec<Setup> {
        // An error ends the whole transaction, and nobody waits for a lock for ever.
        vec![Setup::of("SET XACT_ABORT ON"), Setup::of(&format!("SET LOCK_TIMEOUT {}", timeout.as_millis()))]
    }

    fn quote(&self, name: &str) -> String {
        format!("[{}]", name.replace(']', "]]"))
    }

    fn selected(&self, expression: &str, column: &Column) -> String {
        match column.class {
            // As ISO 8601 writes it.
            Class::Timestamp => format!("CONVERT(varchar(33), {expression}, 126)"),
            Class::Instant => format!("CONVERT(varchar(40), SWITCHOFFSET({expression}, 0), 126)"),
            Class::Date => format!("CONVERT(varchar(10), {expression}, 23)"),
            Class::Uuid => format!("LOWER(CONVERT(varchar(36), {expression}))"),
            Class::Other => format!("CONVERT(nvarchar(max), {expression})"),
            _ => expression.to_owned(),
        }
    }

    fn cast(&self, mark: &str, column: &Column, _writes: bool) -> String {
        match column.class {
            Class::Decimal => format!("CAST({mark} AS decimal(38, 9))"),
            Class::Date => format!("CAST({mark} AS date)"),
            Class::Timestamp => format!("CAST({mark} AS datetime2)"),
            Class::Instant => format!("CAST({mark} AS datetimeoffset)"),
            Class::Uuid => format!("CAST({mark} AS uniqueidentifier)"),
            Class::Bytes => format!("CAST({mark} AS varbinary(max))"),
            _ => mark.to_owned(),
        }
    }

    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS nvarchar(max))")
    }

    fn pads_text(&self) -> bool {
        true
    }

    fn trimmed(&self, expression: &str) -> String {
        format!("LTRIM(RTRIM({expression}))")
    }

    fn wildcards(&self) -> &'static [char] {
        &['%', '_', '[']
    }

    fn limit(&self, query: &mut String, rows: usize) {
        // Every query of ours begins with SELECT; OFFSET would need an order.
        if let Some(rest) = query.strip_prefix("SELECT ") {
            *query = format!("SELECT TOP ({rows}) {rest}");
        }
    }

    fn held_table(&self, table: String) -> String {
        format!("{table} WITH (UPDLOCK, ROWLOCK)")
    }

    fn held(&self) -> &'static str {
        ""
    }

    fn update(&self, table: &str, alias: Option<&str>) -> (String, String) {
        match alias {
            None => (format!("UPDATE {table} SET "), String::new()),
            Some(alias) => (format!("UPDATE {} SET ", self.quote(alias)), format!(" FROM {table}")),
        }
    }

    fn delete(&self, table: &str, alias: Option<&str>, _qualifier: &str) -> String {
        match alias {
            None => format!("DELETE FROM {table}"),
            Some(alias) => format!("DELETE {} FROM {table}", self.quote(alias)),
        }
    }

    fn now(&self) -> &'static str {
        "SYSUTCDATETIME()"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("DATEADD(day, -{days}, SYSUTCDATETIME())")
    }

    fn delete_some(&self, table: &str, _key: &str, most: u32) -> (String, String) {
        (format!("DELETE TOP ({most}) FROM {table} WHERE "), String::new())
    }

    fn now_text(&self) -> Option<&'static str> {
        Some("SELECT CONVERT(varchar(33), SYSUTCDATETIME(), 126) + 'Z'")
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE {table} (message_id CHAR(36) NOT NULL PRIMARY KEY, applied_at DATETIME2 NOT NULL DEFAULT SYSUTCDATETIME())"
        )
    }
}

impl Errors for SqlServer {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.number {
            // Deadlock, lock timeout, a change of what a snapshot saw.
            1205 | 1222 | 3960 => Failure::unavailable(format!("{detail}: in the way of other changes")),
            // Too many sessions, no log space, shutting down, failing over, no such database, no such login.
            701 | 802 | 921 | 9001 | 9002 | 6005 | 983 | 976 | 40197 | 40501 | 40613 | 4060 | 18456 => {
                Failure::unavailable(detail)
            }
            3906 => Failure::unsupported(format!("{detail}: the database is read only")),
            102 | 105 | 156 | 207 | 208 | 209 | 229 | 230 | 262 | 2812 | 4104 => Failure::unsupported(detail),
            _ if matches!(told.state, "HYT00" | "HY008" | "S1T00") => {
                Failure::timed_out(format!("{detail}: the statement was stopped"))
            }
            _ if told.state.starts_with("08") => Failure::unavailable(detail),
            _ => refused_or_malformed(detail, moment),
        }
    }

    // A conversion that failed, a number out of range.
    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 220 | 232 | 241 | 242 | 244 | 245 | 248 | 295 | 8114 | 8115 | 8169)
    }

    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 2601 | 2627)
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        told.number == 208
    }

    fn is_table_there(&self, told: &Told<'_>) -> bool {
        told.number == 2714
    }

    fn is_rolled_back(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 1205 | 1222 | 3960)
    }
}
