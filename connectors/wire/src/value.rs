//! Legacy values as JSON, exactly: what is written is read as the same value again.
//!
//! JSON has no bytes, and most of its readers lose the last digit of a number or the difference of `1` and `1.0`. So
//! what JSON cannot say stands in an object whose one member begins with `$`.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_sdk::{Legacy, Row};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A legacy value in its exact form.
#[derive(Debug, Clone, PartialEq)]
pub struct Exact(pub Legacy);

/// A row in its exact form: an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactRow(pub Row);

const BYTES: &str = "$bytes";
const FLOAT: &str = "$float";
const GROUP: &str = "$group";

impl From<Legacy> for Exact {
    fn from(value: Legacy) -> Self {
        Self(value)
    }
}

impl From<Row> for ExactRow {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Out(&self.0).serialize(serializer)
    }
}

impl Serialize for ExactRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        group(&self.0, serializer)
    }
}

/// A value on its way out.
struct Out<'a>(&'a Legacy);

impl Serialize for Out<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Legacy::Null => serializer.serialize_unit(),
            Legacy::Bool(truth) => serializer.serialize_bool(*truth),
            Legacy::Int(number) => serializer.serialize_i64(*number),
            Legacy::Float(number) => tagged(FLOAT, &float(*number), serializer),
            Legacy::Text(text) => serializer.serialize_str(text),
            Legacy::Bytes(bytes) => tagged(BYTES, &STANDARD.encode(bytes), serializer),
            Legacy::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Out(item))?;
                }
                list.end()
            }
            Legacy::Group(row) => group(row, serializer),
        }
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(tag: &str, value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

/// The members of a group as they are, or below `$group` where one of them could be taken for a tag.
fn group<S: Serializer>(row: &Row, serializer: S) -> Result<S::Ok, S::Error> {
    if row.iter().any(|(name, _)| name.starts_with('$')) {
        return tagged(GROUP, &Members(row), serializer);
    }
    Members(row).serialize(serializer)
}

struct Members<'a>(&'a Row);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, &Out(value))?;
        }
        map.end()
    }
}

/// The shortest text that is read as this very number.
fn float(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        number if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        number => number.to_string(),
    }
}

fn read_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

impl<'de> Deserialize<'de> for ExactRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(AnyValue)? {
            Legacy::Group(row) => Ok(Self(row)),
            other => Err(D::Error::custom(format_args!("a row is an object, and not {}", other.kind()))),
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Legacy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a legacy value")
    }

    fn visit_unit<E>(self) -> Result<Legacy, E> {
        Ok(Legacy::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Legacy, E> {
        Ok(Legacy::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Legacy, E> {
        Ok(Legacy::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Legacy, E> {
        i64::try_from(number).map(Legacy::Int).map_err(|_| E::custom("an integer of more than 64 bits is sent as text"))
    }

    /// Not the form that we write, but a value that is meant.
    fn visit_f64<E>(self, number: f64) -> Result<Legacy, E> {
        Ok(Legacy::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Legacy, E> {
        Ok(Legacy::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Legacy, E> {
        Ok(Legacy::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Legacy, A::Error> {
        let mut list = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Legacy::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Legacy, A::Error> {
        let Some(first) = members.next_key::<String>()? else { return Ok(Legacy::Group(Row::new())) };
        if !first.starts_with('$') {
            let value = members.next_value::<Exact>()?.0;
            return rest(Row::from_iter([(first, value)]), members, false);
        }
        let value = match first.as_str() {
            BYTES => {
                let bytes = STANDARD.decode(members.next_value::<String>()?);
                Legacy::Bytes(bytes.map_err(|_| A::Error::custom("`$bytes` holds no Base64 (RFC 4648, 4, with padding)"))?)
            }
            FLOAT => {
                let number = read_float(&members.next_value::<String>()?);
                Legacy::Float(number.ok_or_else(|| A::Error::custom("`$float` holds no number"))?)
            }
            GROUP => Legacy::Group(members.next_value::<Untagged>()?.0),
            _ => {
                return Err(A::Error::custom(
                    "there are `$bytes`, `$float` and `$group`, and no other members that begin with `$`",
                ));
            }
        };
        match members.next_key::<String>()? {
            None => Ok(value),
            Some(_) => Err(A::Error::custom("beside a member that begins with `$` there is no other")),
        }
    }
}

/// The members of a group after the first. Of two with one name the first holds.
fn rest<'de, A: MapAccess<'de>>(mut row: Row, mut members: A, any_name: bool) -> Result<Legacy, A::Error> {
    while let Some(name) = members.next_key::<Arc<str>>()? {
        if !any_name && name.starts_with('$') {
            return Err(A::Error::custom("a group with a member that begins with `$` stands below `$group`"));
        }
        let Exact(value) = members.next_value()?;
        row.push(name, value);
    }
    Ok(Legacy::Group(row))
}

/// A group whose members can have any names.
struct Untagged(Row);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyMembers;

        impl<'de> Visitor<'de> for AnyMembers {
            type Value = Legacy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the members of a group")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Legacy, A::Error> {
                rest(Row::new(), members, true)
            }
        }

        match deserializer.deserialize_map(AnyMembers)? {
            Legacy::Group(row) => Ok(Self(row)),
            _ => Err(D::Error::custom("the members of a group are an object")),
        }
    }
}

impl JsonSchema for Exact {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Self>();
        let row = generator.subschema_for::<ExactRow>();
        json_schema!({
            "description": "A legacy value. Exact decimals, dates and times are text.",
            "anyOf": [
                { "type": ["null", "boolean", "string"] },
                { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
                { "type": "array", "items": value },
                { "type": "object", "properties": { BYTES: { "type": "string", "contentEncoding": "base64" } }, "required": [BYTES], "additionalProperties": false },
                { "type": "object", "properties": { FLOAT: { "type": "string" } }, "required": [FLOAT], "additionalProperties": false },
                row
            ]
        })
    }
}

impl JsonSchema for ExactRow {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Row".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Exact>();
        json_schema!({
            "description": "Named legacy values. Where a name begins with `$`, all of them stand below `$group`.",
            "anyOf": [
                { "type": "object", "propertyNames": { "pattern": r"^([^$]|$)" }, "additionalProperties": value },
                { "type": "object", "properties": { GROUP: { "type": "object", "additionalProperties": value } }, "required": [GROUP], "additionalProperties": false }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &Legacy) -> String {
        serde_json::to_string(&Exact(value.clone())).expect("JSON")
    }

    fn read(text: &str) -> Result<Legacy, String> {
        serde_json::from_str::<Exact>(text).map(|exact| exact.0).map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_of_value_has_one_form() {
        let group = Row::from_iter([("b", Legacy::Int(1)), ("a", Legacy::Null)]);
        let tagged = Row::from_iter([("$x", Legacy::Bool(true))]);
        for (value, text) in [
            (Legacy::Null, "null"),
            (Legacy::Int(i64::MIN), "-9223372036854775808"),
            (Legacy::Float(1.0), r#"{"$float":"1"}"#),
            (Legacy::Float(0.1 + 0.2), r#"{"$float":"0.30000000000000004"}"#),
            (Legacy::Float(f64::NEG_INFINITY), r#"{"$float":"-Infinity"}"#),
            (Legacy::Text("1.50".into()), r#""1.50""#),
            (Legacy::Bytes(vec![0, 255]), r#"{"$bytes":"AP8="}"#),
            (Legacy::List(vec![Legacy::Bool(false), Legacy::Group(Row::new())]), "[false,{}]"),
            (Legacy::Group(group), r#"{"b":1,"a":null}"#),
            (Legacy::Group(tagged), r#"{"$group":{"$x":true}}"#),
        ] {
            assert_eq!(written(&value), text);
            assert_eq!(read(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused_and_told() {
        for text in [
            "18446744073709551615",
            r#"{"$bytes":"A"}"#,
            r#"{"$bytes":"AA==","x":1}"#,
            r#"{"$float":"one"}"#,
            r#"{"$float":"1e999"}"#,
            r#"{"$date":"2020-01-01"}"#,
            r#"{"x":1,"$bytes":"AA=="}"#,
            r#"{"$group":1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("1.5"), Ok(Legacy::Float(1.5)), "a number with a fraction is meant as one");
    }

    fn any_value() -> impl Strategy<Value = Legacy> {
        let float = any::<f64>().prop_filter("NaN is not the same as itself", |number| !number.is_nan());
        let scalar = prop_oneof![
            Just(Legacy::Null),
            any::<bool>().prop_map(Legacy::Bool),
            any::<i64>().prop_map(Legacy::Int),
            float.prop_map(Legacy::Float),
            any::<String>().prop_map(Legacy::Text),
            any::<Vec<u8>>().prop_map(Legacy::Bytes),
        ];
        scalar.prop_recursive(4, 32, 6, |inner| {
            let names = prop_oneof![r"[a-z.@#]{0,5}", r"\$[a-z]{0,6}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Legacy::List),
                prop::collection::btree_map(names, inner, 0..6).prop_map(|members| Legacy::Group(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_read_as_what_was_written(value in any_value()) {
            prop_assert_eq!(read(&written(&value)), Ok(value));
        }
    }
}
