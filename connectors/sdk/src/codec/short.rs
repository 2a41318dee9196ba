//! Short forms in YAML: a codec's bare word, and an option's main word instead of all its options.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Legacy;

/// Options that have a short form.
pub(super) trait Short: DeserializeOwned + JsonSchema {
    /// What is expected, for error texts: `a date format or its options`.
    const EXPECTED: &'static str;

    /// The options of a short form; `None` when it is of the wrong kind.
    fn from_short(short: Legacy) -> Option<Self>;

    /// The JSON Schema of the short form.
    fn short_schema() -> Schema;
}

/// Reads options in their short or long form.
pub(super) fn read<'de, D: Deserializer<'de>, T: Short>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(ShortOrLong(PhantomData))
}

/// The JSON Schema of options that have a short form.
pub(super) struct OrShort<T>(PhantomData<T>);

impl<T: Short> JsonSchema for OrShort<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}OrShort", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // An `if` instead of an `anyOf`, so that a validator names what is wrong with the form that was chosen.
        json_schema!({
            "if": { "type": "object" },
            "then": generator.subschema_for::<T>(),
            "else": T::short_schema(),
        })
    }
}

struct ShortOrLong<T>(PhantomData<T>);

impl<T: Short> ShortOrLong<T> {
    fn short<E: serde::de::Error>(short: Legacy) -> Result<T, E> {
        let kind = short.kind();
        T::from_short(short).ok_or_else(|| E::custom(format_args!("expected {}, found {kind}", T::EXPECTED)))
    }
}

impl<'de, T: Short> Visitor<'de> for ShortOrLong<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        Self::short(Legacy::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<T, E> {
        Self::short(Legacy::Bool(truth))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        Self::short(Legacy::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        Self::short(i64::try_from(number).map_or_else(|_| Legacy::Text(number.to_string()), Legacy::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        Self::short(Legacy::Float(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        Self::short(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        Self::short(Legacy::deserialize(SeqAccessDeserializer::new(items))?)
    }

    fn visit_map<A: MapAccess<'de>>(self, options: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(options))
    }
}
