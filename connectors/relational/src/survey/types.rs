//! Declared types, as what all kinds share.

use rabita_sdk::survey::ValueType;

use crate::dialect::Dialect;

/// The values of a declared type, and its labels where the type itself lists them.
pub(super) fn value_type(dialect: Dialect, declared: &str) -> (ValueType, Vec<String>) {
    let lower = declared.to_lowercase();
    if let Some(item) = lower.strip_suffix("[]") {
        return (ValueType::List(Box::new(value_type(dialect, item).0)), Vec::new());
    }
    let (name, options) = lower.split_once('(').map_or((lower.as_str(), ""), |(name, rest)| (name, rest));
    let numbers: Vec<u32> =
        options.split(')').next().unwrap_or_default().split(',').filter_map(|number| number.trim().parse().ok()).collect();
    if !dialect.has_booleans() && name == "enum" {
        return (ValueType::Text { max: None, fixed: false }, listed(declared));
    }
    let value = match dialect.has_times() {
        true => typed(dialect, name.trim(), options, &numbers),
        false => affinity(name.trim(), &numbers),
    };
    (value, Vec::new())
}

fn typed(dialect: Dialect, name: &str, options: &str, numbers: &[u32]) -> ValueType {
    let first = numbers.first().copied();
    match name {
        "boolean" | "bool" => ValueType::Boolean,
        "tinyint" if first == Some(1) => ValueType::Boolean,
        "bit" if first == Some(1) && !dialect.has_booleans() => ValueType::Boolean,
        "tinyint" | "tinyint unsigned" => ValueType::Integer { digits: Some(3) },
        "smallint" | "smallint unsigned" => ValueType::Integer { digits: Some(5) },
        "year" => ValueType::Integer { digits: Some(4) },
        "mediumint" => ValueType::Integer { digits: Some(8) },
        "integer" | "int" | "int unsigned" => ValueType::Integer { digits: Some(10) },
        "bigint" | "bigint unsigned" => ValueType::Integer { digits: Some(19) },
        "numeric" | "decimal" => ValueType::Decimal { precision: first, scale: numbers.get(1).copied().or(first.map(|_| 0)) },
        "real" | "double precision" | "float" | "double" => ValueType::Float,
        "character varying" | "varchar" => ValueType::Text { max: first, fixed: false },
        "character" | "char" | "bpchar" => ValueType::Text { max: first.or(Some(1)), fixed: true },
        "text" | "name" | "citext" | "tinytext" | "mediumtext" | "longtext" => ValueType::Text { max: None, fixed: false },
        "date" => ValueType::Date,
        "timestamp without time zone" | "datetime" => ValueType::Timestamp { zoned: false },
        "timestamp with time zone" => ValueType::Timestamp { zoned: true },
        // `timestamp(3) without time zone`; in MariaDB and MySQL an instant.
        "timestamp" => ValueType::Timestamp { zoned: !dialect.has_booleans() || options.ends_with("with time zone") },
        "time" | "time without time zone" => ValueType::Time,
        "uuid" => ValueType::Uuid,
        "bytea" | "blob" | "tinyblob" | "mediumblob" | "longblob" | "binary" | "varbinary" => ValueType::Bytes,
        _ if name.ends_with("int unsigned") || name.ends_with("int") => ValueType::Integer { digits: None },
        _ => ValueType::Unknown,
    }
}

/// A declared type of SQLite says little; its values tell the rest.
fn affinity(name: &str, numbers: &[u32]) -> ValueType {
    let has = |word: &str| name.contains(word);
    if has("bool") {
        ValueType::Boolean
    } else if has("date") || has("time") {
        ValueType::Unknown
    } else if has("int") {
        ValueType::Integer { digits: None }
    } else if has("char") || has("clob") || has("text") {
        ValueType::Text { max: numbers.first().copied(), fixed: false }
    } else if has("blob") {
        ValueType::Bytes
    } else if has("real") || has("floa") || has("doub") {
        ValueType::Float
    } else if has("dec") || has("num") {
        ValueType::Decimal { precision: numbers.first().copied(), scale: numbers.get(1).copied() }
    } else {
        ValueType::Unknown
    }
}

/// The labels of `enum('a','b')`; a quote within one is doubled.
fn listed(declared: &str) -> Vec<String> {
    let inner = declared.split_once('(').map_or("", |(_, rest)| rest).trim_end_matches(')');
    let mut labels = Vec::new();
    let mut rest = inner;
    while let Some(start) = rest.find('\'') {
        let mut label = String::new();
        let mut characters = rest[start + 1..].char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            if character != '\'' {
                label.push(character);
            } else if characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
                label.push('\'');
            } else {
                end = start + 1 + at + 1;
                break;
            }
        }
        labels.push(label);
        rest = &rest[end..];
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{MySql, Postgres, Sqlite};

    #[test]
    fn reads_declared_types_of_each_database() {
        let (postgres, mysql, sqlite): (Dialect, Dialect, Dialect) = (&Postgres { numbered: true }, &MySql, &Sqlite);
        for (dialect, declared, value) in [
            (postgres, "character varying(24)", ValueType::Text { max: Some(24), fixed: false }),
            (postgres, "character(1)", ValueType::Text { max: Some(1), fixed: true }),
            (postgres, "numeric(10,2)", ValueType::Decimal { precision: Some(10), scale: Some(2) }),
            (postgres, "numeric", ValueType::Decimal { precision: None, scale: None }),
            (postgres, "timestamp(3) with time zone", ValueType::Timestamp { zoned: true }),
            (postgres, "integer[]", ValueType::List(Box::new(ValueType::Integer { digits: Some(10) }))),
            (mysql, "tinyint(1)", ValueType::Boolean),
            (mysql, "int(10) unsigned", ValueType::Integer { digits: Some(10) }),
            (mysql, "datetime", ValueType::Timestamp { zoned: false }),
            (mysql, "timestamp", ValueType::Timestamp { zoned: true }),
            (sqlite, "VARCHAR(20)", ValueType::Text { max: Some(20), fixed: false }),
            (sqlite, "", ValueType::Unknown),
        ] {
            assert_eq!(value_type(dialect, declared).0, value, "{declared}");
        }
        assert_eq!(value_type(mysql, "enum('a','it''s')").1, ["a", "it's"]);
    }
}
