//! Values in SQLite: texts and numbers as they are, all else as bytes with a first byte that says what.

use std::hash::Hasher as _;

use rabita_sdk::{Ignore, Legacy};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error};
use siphasher::sip::SipHasher13;

const BYTES: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// Groups and lists, as JSON.
const NESTED: u8 = 3;

/// A value as SQLite takes it.
#[must_use]
pub fn to_sql(value: &Legacy) -> Value {
    match value {
        Legacy::Null => Value::Null,
        Legacy::Bool(truth) => Value::Blob(vec![if *truth { TRUE } else { FALSE }]),
        Legacy::Int(number) => Value::Integer(*number),
        // SQLite takes what is no number for null.
        Legacy::Float(number) if number.is_nan() => Value::Null,
        Legacy::Float(number) => Value::Real(*number),
        Legacy::Text(text) => Value::Text(text.clone()),
        Legacy::Bytes(bytes) => Value::Blob([&[BYTES], bytes.as_slice()].concat()),
        Legacy::List(_) | Legacy::Group(_) => {
            let mut blob = vec![NESTED];
            // Values are JSON but for bytes, which become text: groups hold none.
            blob.extend(serde_json::to_vec(value).unwrap_or_default());
            Value::Blob(blob)
        }
    }
}

/// The value in a column.
pub fn value_of(value: ValueRef<'_>) -> Result<Legacy, Error> {
    let damaged = || Error::InvalidColumnType(0, "value".to_owned(), rusqlite::types::Type::Blob);
    Ok(match value {
        ValueRef::Null => Legacy::Null,
        ValueRef::Integer(number) => Legacy::Int(number),
        ValueRef::Real(number) => Legacy::Float(number),
        ValueRef::Text(text) => Legacy::Text(std::str::from_utf8(text).map_err(|_| damaged())?.to_owned()),
        ValueRef::Blob(blob) => match blob.split_first() {
            Some((&BYTES, bytes)) => Legacy::Bytes(bytes.to_vec()),
            Some((&FALSE, [])) => Legacy::Bool(false),
            Some((&TRUE, [])) => Legacy::Bool(true),
            Some((&NESTED, json)) => serde_json::from_slice(json).map_err(|_| damaged())?,
            _ => return Err(damaged()),
        },
    })
}

/// The bytes by which a record is found and ordered: the texts of its key. `None` where a part has none.
#[must_use]
pub fn key_bytes(key: &[Legacy]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (at, part) in key.iter().enumerate() {
        let text = part.to_text()?;
        if at == 0 && key.len() == 1 {
            bytes.extend_from_slice(text.as_bytes());
            continue;
        }
        // Parts end with a zero byte, so that no two keys have the same bytes, and keep the order of their parts.
        for byte in text.bytes() {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(0xff);
            }
        }
        bytes.extend([0, 1]);
    }
    Some(bytes)
}

/// What tells a record from another version of it.
#[must_use]
pub fn digest(values: &[Value]) -> i64 {
    let mut hasher = SipHasher13::new();
    for value in values {
        match value {
            Value::Null => hasher.write_u8(0),
            Value::Integer(number) => {
                hasher.write_u8(1);
                hasher.write_i64(*number);
            }
            Value::Real(number) => {
                hasher.write_u8(2);
                hasher.write_u64(number.to_bits());
            }
            Value::Text(text) => {
                hasher.write_u8(3);
                hasher.write_usize(text.len());
                hasher.write(text.as_bytes());
            }
            Value::Blob(bytes) => {
                hasher.write_u8(4);
                hasher.write_usize(bytes.len());
                hasher.write(bytes);
            }
        }
    }
    hasher.finish().cast_signed()
}

/// A text without the differences to overlook.
#[must_use]
pub fn folded(text: &str, ignore: &[Ignore]) -> String {
    let text = if ignore.contains(&Ignore::OuterSpaces) { text.trim_matches(' ') } else { text };
    if ignore.contains(&Ignore::Case) { text.to_lowercase() } else { text.to_owned() }
}

/// The differences as a number, for SQL.
#[must_use]
pub fn mask(ignore: &[Ignore]) -> i64 {
    i64::from(ignore.contains(&Ignore::Case)) | i64::from(ignore.contains(&Ignore::OuterSpaces)) << 1
}

/// Adds `folded(value, mask)` and `begins(value, mask, prefix)` to what SQL of this connection knows.
pub fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8;
    connection.create_scalar_function("folded", 2, flags, folded_argument)?;
    connection.create_scalar_function("begins", 3, flags, |context| {
        let prefix: String = context.get(2)?;
        Ok(folded_argument(context)?.is_some_and(|text| text.starts_with(&prefix)))
    })
}

fn folded_argument(context: &Context<'_>) -> Result<Option<String>, Error> {
    let mask: i64 = context.get(1)?;
    let bits = [(1, Ignore::Case), (2, Ignore::OuterSpaces)];
    let ignore: Vec<Ignore> = bits.into_iter().filter(|(bit, _)| mask & bit != 0).map(|(_, ignore)| ignore).collect();
    Ok(value_of(context.get_raw(0))?.to_text().map(|text| folded(&text, &ignore)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_parts_keep_their_order_and_are_never_the_same() {
        let key = |parts: &[&str]| key_bytes(&parts.iter().map(|part| Legacy::from(*part)).collect::<Vec<_>>()).expect("a key");
        let ordered = [key(&["a", "b"]), key(&["a", "c"]), key(&["a\0", "b"]), key(&["ab", ""]), key(&["b", "a"])];
        assert!(ordered.is_sorted());
        assert_ne!(key(&["a", "b\0"]), key(&["a\0b", ""]));
        assert_eq!(key_bytes(&[Legacy::Int(5)]), key_bytes(&[Legacy::from("5")]));
        assert_eq!(key_bytes(&[Legacy::Null]), None);
    }

    #[test]
    fn values_come_back_as_they_were_put_in() {
        let group = Legacy::Group([("a", Legacy::Int(1)), ("b", Legacy::Null)].into_iter().collect());
        let all = [
            Legacy::Null,
            Legacy::Bool(true),
            Legacy::Int(-3),
            Legacy::Float(0.5),
            Legacy::from("Ə\0x"),
            Legacy::Bytes(vec![0, 3, 255]),
            Legacy::Bytes(Vec::new()),
            Legacy::List(vec![group]),
        ];
        for value in all {
            let stored = to_sql(&value);
            assert_eq!(value_of(ValueRef::from(&stored)).expect("a value"), value);
        }
    }
}
