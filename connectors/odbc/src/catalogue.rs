//! What a driver says of a database's tables, for databases whose own catalogue is not asked: `SQLTables`, `SQLColumns`,
//! `SQLPrimaryKeys` and `SQLForeignKeys`. The places of their columns are the interface's (ODBC 3.8, API reference).

use odbc_api::Cursor;
use rabita_relational::fault::AnyFault;
use rabita_relational::survey::{Catalogue, Foreign, Table, TableColumn};
use rabita_sdk::survey::ValueType;

use crate::value;
use crate::worker::Attached;

/// Schemas of the databases' own.
const OWN: [&str; 12] = [
    "sys",
    "information_schema",
    "system",
    "xdb",
    "mdsys",
    "ctxsys",
    "outln",
    "sysibm",
    "syscat",
    "sysstat",
    "informix",
    "pg_catalog",
];

/// Everything that the driver tells.
pub(crate) fn read(attached: &Attached) -> Result<Catalogue, AnyFault> {
    let mut catalogue = Catalogue::default();
    for row in tables(attached)? {
        let [_, schema, name, kind, comment] = row.as_slice() else { continue };
        if OWN.iter().any(|own| schema.eq_ignore_ascii_case(own)) {
            continue;
        }
        if [schema, name].iter().any(|name| name.contains('.')) {
            catalogue.unsure.push(format!("{name}: names with a dot in them cannot be given in a manifest, and were left out"));
            continue;
        }
        let mut table = Table {
            name: qualified(schema, name),
            is_view: kind.eq_ignore_ascii_case("VIEW"),
            comment: Some(comment.clone()).filter(|comment| !comment.is_empty()),
            ..Table::default()
        };
        table.columns = columns(attached, schema, name)?;
        // Not every driver knows keys.
        match (keys(attached, schema, name), references(attached, schema, name)) {
            (Ok(key), Ok(references)) => {
                table.indexed = key.first().cloned().into_iter().collect();
                table.key = key;
                table.references = references;
            }
            _ => catalogue.unsure.push(format!("{}: the driver does not tell its keys", table.name)),
        }
        catalogue.tables.push(table);
    }
    if !catalogue.tables.is_empty() {
        let why = "the driver is not asked which columns have an index: name in `search` those that do";
        catalogue.unsure.push(why.to_owned());
    }
    Ok(catalogue)
}

fn qualified(schema: &str, table: &str) -> String {
    if schema.is_empty() { table.to_owned() } else { format!("{schema}.{table}") }
}

fn tables(attached: &Attached) -> Result<Vec<Vec<String>>, AnyFault> {
    let mut handle = value::allocate(attached)?;
    let mut cursor = handle.tables_cursor("", "", "", "TABLE,VIEW").map_err(|error| attached.fault(error))?;
    texts(attached, &mut cursor, &[1, 2, 3, 4, 5])
}

fn columns(attached: &Attached, schema: &str, table: &str) -> Result<Vec<TableColumn>, AnyFault> {
    let mut handle = value::allocate(attached)?;
    let cursor = handle.columns_cursor("", &pattern(schema), &pattern(table), "");
    let mut cursor = cursor.map_err(|error| attached.fault(error))?;
    // Table, column, type, name of the type, size, digits, nullable, remarks. A pattern may have found more than one table.
    let rows = texts(attached, &mut cursor, &[2, 3, 4, 5, 6, 7, 9, 11, 12])?;
    let mut columns = Vec::new();
    for row in rows {
        let [own_schema, own_table, name, code, declared, size, digits, nullable, comment] = row.as_slice() else { continue };
        if own_table != table || own_schema != schema || name.contains('.') {
            continue;
        }
        columns.push(TableColumn {
            name: name.clone(),
            declared: if size.is_empty() { declared.clone() } else { format!("{declared}({size})") },
            value: value_type(code.parse().unwrap_or(0), size.parse().ok(), digits.parse().ok()),
            not_null: nullable == "0",
            comment: Some(comment.clone()).filter(|comment| !comment.is_empty()),
            labels: Vec::new(),
        });
    }
    Ok(columns)
}

/// The columns of the primary key, in their order.
fn keys(attached: &Attached, schema: &str, table: &str) -> Result<Vec<String>, AnyFault> {
    let mut handle = value::allocate(attached)?;
    let schema = Some(schema).filter(|schema| !schema.is_empty());
    let mut cursor = handle.primary_keys_cursor(None, schema, table).map_err(|error| attached.fault(error))?;
    let mut rows = texts(attached, &mut cursor, &[4, 5])?;
    rows.sort_by_key(|row| row[1].parse::<u32>().unwrap_or(u32::MAX));
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()).collect())
}

fn references(attached: &Attached, schema: &str, table: &str) -> Result<Vec<Foreign>, AnyFault> {
    let mut handle = value::allocate(attached)?;
    let cursor = handle.foreign_keys_cursor("", "", "", "", schema, table);
    let mut cursor = cursor.map_err(|error| attached.fault(error))?;
    let mut references: Vec<Foreign> = Vec::new();
    // Of the table there: schema, name, column; here: column, place; the constraint.
    for row in texts(attached, &mut cursor, &[2, 3, 4, 8, 9, 12])? {
        let [to_schema, to, of, own, place, constraint] = row.as_slice() else { continue };
        match references.last_mut() {
            // A place after the first goes on with the same key, also where the key has no name.
            Some(last) if place != "1" && last.constraint == *constraint => {
                last.columns.push(own.clone());
                last.of.push(of.clone());
            }
            _ => references.push(Foreign {
                constraint: constraint.clone(),
                columns: vec![own.clone()],
                table: qualified(to_schema, to),
                of: vec![of.clone()],
            }),
        }
    }
    Ok(references)
}

/// Some columns of each row as texts, by their places; null is the empty text.
fn texts(attached: &Attached, cursor: &mut impl Cursor, places: &[u16]) -> Result<Vec<Vec<String>>, AnyFault> {
    let told = |error| attached.fault(error);
    let mut rows = Vec::new();
    while let Some(mut row) = cursor.next_row().map_err(told)? {
        let mut texts = Vec::with_capacity(places.len());
        for place in places {
            let mut units = Vec::new();
            row.get_wide_text(*place, &mut units).map_err(told)?;
            texts.push(String::from_utf16_lossy(&units));
        }
        rows.push(texts);
    }
    Ok(rows)
}

/// A name as a pattern. An underscore stands for any character, which the escape of a driver would tell; what else it finds
/// is left out by its name.
fn pattern(name: &str) -> String {
    name.replace('%', "_")
}

/// What a type of SQL means, by its number in `sql.h` and `sqlext.h`; below -150 those of SQL Server.
fn value_type(code: i32, size: Option<u32>, digits: Option<u32>) -> ValueType {
    match code {
        -7 => ValueType::Boolean,
        -6 => ValueType::Integer { digits: Some(3) },
        5 => ValueType::Integer { digits: Some(5) },
        4 => ValueType::Integer { digits: Some(10) },
        -5 => ValueType::Integer { digits: Some(19) },
        2 | 3 => ValueType::Decimal { precision: size, scale: digits },
        6..=8 => ValueType::Float,
        1 | -8 => ValueType::Text { max: size, fixed: true },
        12 | -9 => ValueType::Text { max: size.filter(|size| *size > 0), fixed: false },
        -1 | -10 => ValueType::Text { max: None, fixed: false },
        -4..=-2 => ValueType::Bytes,
        9 | 91 => ValueType::Date,
        10 | 92 | -154 => ValueType::Time,
        11 | 93 => ValueType::Timestamp { zoned: false },
        -155 => ValueType::Timestamp { zoned: true },
        -11 => ValueType::Uuid,
        _ => ValueType::Unknown,
    }
}
