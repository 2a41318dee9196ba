//! MariaDB and MySQL.

use std::time::Duration;

use rabita_sdk::Failure;

use super::{Grammar, Pieces, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;
use crate::survey::{Questions, questions};

/// MariaDB and MySQL.
#[derive(Debug)]
pub struct MySql;

impl Grammar for MySql {
    fn name(&self) -> &'static str {
        "MariaDB and MySQL"
    }

    fn setup(&self, timeout: Duration, read_only: bool) -> Vec<Setup> {
        let mut setup = vec![
            // Without it a value that does not fit would be cut without a word.
            Setup::of("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"),
            Setup::of("SET SESSION time_zone = '+00:00'"),
            Setup::of(&format!("SET SESSION innodb_lock_wait_timeout = {}", timeout.as_secs().max(1))),
            // MariaDB stops every statement; MySQL knows another name, and stops only queries.
            Setup {
                sql: format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64()),
                or: Some(format!("SET SESSION max_execution_time = {}", timeout.as_millis())),
            },
        ];
        if read_only {
            setup.push(Setup::of("SET SESSION TRANSACTION READ ONLY"));
        }
        setup
    }

    fn stops_statements(&self) -> bool {
        true
    }

    fn has_booleans(&self) -> bool {
        false
    }

    fn quote(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn selected(&self, expression: &str, column: &Column) -> String {
        match column.class {
            Class::Text | Class::Bytes | Class::Float => expression.to_owned(),
            Class::Bits => format!("CAST(CAST({expression} AS UNSIGNED) AS CHAR)"),
            _ => format!("CAST({expression} AS CHAR)"),
        }
    }

    fn cast(&self, mark: &str, column: &Column, writes: bool) -> String {
        match column.class {
            Class::Decimal if !writes => format!("CAST({mark} AS DECIMAL(65,30))"),
            _ => mark.to_owned(),
        }
    }

    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS CHAR)")
    }

    fn pads_text(&self) -> bool {
        true
    }

    // MariaDB before 11.6 takes an alias only in this form.
    fn delete(&self, table: &str, _alias: Option<&str>, qualifier: &str) -> String {
        format!("DELETE {} FROM {table}", self.quote(qualifier))
    }

    fn limit(&self, query: &mut String, rows: usize) {
        query.push_str(&format!(" LIMIT {rows}"));
    }

    fn pieces(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn catalogue(&self) -> Option<&'static Questions> {
        Some(&questions::MYSQL)
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP(6)"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("CURRENT_TIMESTAMP - INTERVAL {days} DAY")
    }

    fn delete_some(&self, table: &str, _key: &str, most: u32) -> (String, String) {
        (format!("DELETE FROM {table} WHERE "), format!(" LIMIT {most}"))
    }

    fn now_text(&self) -> Option<&'static str> {
        Some("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')")
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (message_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
    }
}

impl Pieces for MySql {
    fn length(&self, expression: &str) -> String {
        format!("CAST(OCTET_LENGTH({expression}) AS CHAR)")
    }

    fn part(&self, expression: &str, column: &Column, from: &str, count: usize) -> String {
        let bytes = match column.class {
            Class::Bytes => expression.to_owned(),
            _ => format!("CAST({expression} AS BINARY)"),
        };
        format!("SUBSTRING({bytes}, {from}, {count})")
    }
}

impl Errors for MySql {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_number();
        match told.number {
            1969 | 3024 | 1317 => Failure::timed_out(format!("{detail}: the database stopped the statement")),
            1040
            | 1203
            | 1226
            | 1053
            | 1077..=1079
            | 1129
            | 1130
            | 1045
            | 1049
            | 1698
            | 1927
            | 2006
            | 2013
            | 4031
            | 1205
            | 1213
            | 1020
            | 1021
            | 1037
            | 1041
            | 1158..=1161 => Failure::unavailable(detail),
            1044 | 1054 | 1142 | 1143 | 1146 | 1227 | 1370 | 1109 => Failure::unsupported(format!("{detail}: {}", told.message)),
            1064 | 1052 | 1056 | 1305 | 1247 | 1290 | 1792 | 1836 | 1348 | 1471 | 1235 | 1060 | 1066 => {
                Failure::unsupported(detail)
            }
            _ => refused_or_malformed(detail, moment),
        }
    }

    // Incorrect value; a text that the column's character set does not have.
    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 1292 | 1525 | 1267 | 1366 | 3854)
    }

    fn is_duplicate(&self, told: &Told<'_>) -> bool {
        matches!(told.number, 1022 | 1062 | 1169 | 1586 | 1859)
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        told.number == 1146
    }
}
