//! PostgreSQL: parameters are texts, cast to their column's type.

use std::collections::HashMap;
use std::time::Duration;

use rabita_sdk::{Failure, Legacy};

use super::{Binds, Folding, Grammar, Pieces, Setup};
use crate::column::{Class, Column};
use crate::errors::{Errors, Told, refused_or_malformed};
use crate::fault::Moment;
use crate::survey::{Questions, questions};

/// PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    /// Whether parameters are numbered, as they are in its own protocol and not in ODBC.
    pub numbered: bool,
}

impl Grammar for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn folding(&self) -> Option<Folding> {
        Some(Folding::Lower)
    }

    fn mark(&self, place: usize) -> String {
        if self.numbered { format!("${place}") } else { "?".to_owned() }
    }

    fn setup(&self, timeout: Duration, read_only: bool) -> Vec<Setup> {
        let timeout = timeout.as_millis();
        vec![
            Setup::of(&format!("SET statement_timeout = {timeout}")),
            Setup::of(&format!("SET idle_in_transaction_session_timeout = {}", timeout * 2)),
            Setup::of(&format!("SET default_transaction_read_only = {}", if read_only { "on" } else { "off" })),
        ]
    }

    fn stops_statements(&self) -> bool {
        true
    }

    // One row of nulls, and what each would be.
    fn column_types(&self, query: &str, columns: usize) -> Option<String> {
        let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
        let types: Vec<String> = names.iter().map(|name| format!("CAST(CAST(pg_typeof(q.{name}) AS oid) AS int8)")).collect();
        Some(format!(
            "SELECT {} FROM (SELECT 1) AS o LEFT JOIN ({query} AND 1 = 0) AS q({}) ON TRUE",
            types.join(", "),
            names.join(", ")
        ))
    }

    fn binds(&self) -> Binds {
        Binds::Text
    }

    fn types_parameters(&self) -> bool {
        true
    }

    fn selected(&self, expression: &str, column: &Column) -> String {
        match column.class {
            Class::Bool | Class::Int | Class::Float | Class::Text | Class::Bytes => expression.to_owned(),
            Class::Array | Class::Composite => format!("CAST(to_json({expression}) AS text)"),
            _ => format!("CAST({expression} AS text)"),
        }
    }

    fn cast(&self, mark: &str, column: &Column, writes: bool) -> String {
        match column.class {
            Class::Bytes if self.numbered => mark.to_owned(),
            // An integer out of the column's range is no error when it is only compared.
            Class::Int if !writes => format!("CAST({mark} AS int8)"),
            _ => format!("CAST({mark} AS {})", column.type_name),
        }
    }

    fn text_mark(&self, mark: &str) -> String {
        self.cast_to_text(mark)
    }

    fn cast_to_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS text)")
    }

    fn limit(&self, query: &mut String, rows: usize) {
        query.push_str(&format!(" LIMIT {rows}"));
    }

    fn pieces(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn catalogue(&self) -> Option<&'static Questions> {
        Some(&questions::POSTGRES)
    }

    fn now(&self) -> &'static str {
        "clock_timestamp()"
    }

    fn days_ago(&self, days: u32) -> String {
        format!("now() - INTERVAL '{days} days'")
    }

    fn now_text(&self) -> Option<&'static str> {
        Some("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    }

    fn once_table(&self, table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (message_id char(36) PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    }
}

impl Pieces for Postgres {
    fn length(&self, expression: &str) -> String {
        format!("CAST(octet_length({expression}) AS int8)")
    }

    fn part(&self, expression: &str, column: &Column, from: &str, count: usize) -> String {
        let bytes = match column.class {
            Class::Bytes => expression.to_owned(),
            _ => format!("convert_to(CAST({expression} AS text), 'UTF8')"),
        };
        format!("substring({bytes} FROM CAST({from} AS int4) FOR {count})")
    }
}

impl Errors for Postgres {
    fn failure(&self, told: &Told<'_>, moment: Moment) -> Failure {
        let detail = told.by_state();
        match told.state.get(..2).unwrap_or_default() {
            _ if told.state == "57014" => Failure::timed_out(format!("{detail}: the database stopped the statement")),
            "08" | "53" | "57" | "58" | "XX" => Failure::unavailable(detail),
            _ if matches!(told.state, "40001" | "40P01" | "55P03" | "25P03") => {
                Failure::unavailable(format!("{detail}: in the way of other changes"))
            }
            _ if told.state == "25006" => Failure::unsupported(format!("{detail}: the database is read only")),
            "28" | "3D" => Failure::unavailable(format!("{detail}: the database refuses the connection")),
            // Values are bound, so the message of a class 42 error names nothing but what the manifest does.
            "42" => Failure::unsupported(format!("{detail}: {}", told.message)),
            "0A" if told.is_outdated => Failure::unavailable(format!("{detail}: a table has changed")),
            "0A" => Failure::unsupported(detail),
            _ => refused_or_malformed(detail, moment),
        }
    }

    fn can_not_be(&self, told: &Told<'_>) -> bool {
        matches!(told.state, "22P02" | "22007" | "22008" | "22003" | "22021" | "22P05")
    }

    fn is_table_absent(&self, told: &Told<'_>) -> bool {
        // A driver may have its own word for it.
        matches!(told.state, "42P01" | "42S02")
    }
}

/// Asks what the parameters of the statement are taken for that was prepared as `rabita_parameters`.
pub const PARAMETER_TYPES: &str = "SELECT CAST(t.oid AS int8) FROM pg_catalog.pg_prepared_statements s, \
     unnest(CAST(s.parameter_types AS oid[])) WITH ORDINALITY AS t(oid, place) WHERE s.name = 'rabita_parameters' ORDER BY t.place";

/// Asks for the types of these numbers. Without a type modifier: `bpchar` and not `character`, which would mean one
/// character. A domain is the type that it rests on.
#[must_use]
pub fn types(oids: &[i64]) -> String {
    let list = oids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    format!(
        "SELECT CAST(d.oid AS int8), CAST(t.oid AS int8), pg_catalog.format_type(t.oid, -1), CAST(t.typtype AS text), CAST(t.typcategory AS text) \
         FROM pg_catalog.pg_type d JOIN pg_catalog.pg_type t ON t.oid = CASE d.typbasetype WHEN 0 THEN d.oid ELSE d.typbasetype END \
         WHERE d.oid IN ({})",
        if list.is_empty() { "0" } else { &list }
    )
}

/// The columns of these numbers, out of the rows that [`types`] asks for.
#[must_use]
pub fn columns(oids: &[i64], rows: Vec<Vec<Legacy>>) -> Vec<Column> {
    let mut types: HashMap<i64, Column> = HashMap::new();
    for row in rows {
        if let [Legacy::Int(own), Legacy::Int(oid), Legacy::Text(name), Legacy::Text(kind), Legacy::Text(category)] = &row[..] {
            types.insert(*own, Column::new(class(*oid, kind, category), name));
        }
    }
    oids.iter().map(|oid| types.get(oid).cloned().unwrap_or_else(Column::text)).collect()
}

/// The numbers of the built-in types never change (`pg_type.dat`).
#[must_use]
pub fn class(oid: i64, kind: &str, category: &str) -> Class {
    match oid {
        16 => Class::Bool,
        20 | 21 | 23 => Class::Int,
        700 | 701 => Class::Float,
        1700 => Class::Decimal,
        25 | 1042 | 1043 | 19 => Class::Text,
        17 => Class::Bytes,
        1082 => Class::Date,
        1114 => Class::Timestamp,
        1184 => Class::Instant,
        2950 => Class::Uuid,
        114 | 3802 => Class::Json,
        _ if category == "A" => Class::Array,
        _ if kind == "c" => Class::Composite,
        _ => Class::Other,
    }
}
