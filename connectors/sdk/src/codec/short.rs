//! Short forms in YAML: a codec's bare word, and an option's main word instead of all its options.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::spec::{
    CharsetSpec, CodesSpec, DateSpec, DateTimeSpec, DigitsSpec, EpochSpec, LegacyForm, ListSpec, MaskSpec, NullIfSpec, StripSpec,
    TimeSpec, TrimSpec, Unmapped, utc,
};
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

/// Implements the short form that is one text.
macro_rules! short_text {
    ($spec:ident, $expected:literal, $text:ident => $make:expr) => {
        impl Short for $spec {
            const EXPECTED: &'static str = $expected;

            fn from_short(short: Legacy) -> Option<Self> {
                let Legacy::Text($text) = short else { return None };
                Some($make)
            }

            fn short_schema() -> Schema {
                json_schema!({ "type": "string", "minLength": 1 })
            }
        }
    };
}

short_text!(CodesSpec, "the name of a code list, or options", list => Self { list, unmapped: Unmapped::default(), legacy: None });
short_text!(DateSpec, "a date format, or options", format => Self { format, ..Self::default() });
short_text!(DateTimeSpec, "a date and time format, or options", format => Self {
    format, zone: utc(), pivot: None, months: None, legacy: LegacyForm::default(),
});
short_text!(TimeSpec, "a time format, or options", format => Self { format, legacy: LegacyForm::default() });
short_text!(CharsetSpec, "the name of a character encoding, or options", actual => Self { actual, declared: None });
short_text!(StripSpec, "a prefix, or options", prefix => Self { prefix, suffix: String::new() });
short_text!(MaskSpec, "a mask", mask => Self { mask });
short_text!(ListSpec, "a separator, or options", separator => Self { separator });

impl Short for TrimSpec {
    const EXPECTED: &'static str = "both, start or end, or options";

    fn from_short(short: Legacy) -> Option<Self> {
        Some(Self { side: word(&short)? })
    }

    fn short_schema() -> Schema {
        json_schema!({ "enum": ["both", "start", "end"] })
    }
}

impl Short for EpochSpec {
    const EXPECTED: &'static str = "seconds or milliseconds, or options";

    fn from_short(short: Legacy) -> Option<Self> {
        Some(Self { unit: word(&short)? })
    }

    fn short_schema() -> Schema {
        json_schema!({ "enum": ["seconds", "milliseconds"] })
    }
}

impl Short for DigitsSpec {
    const EXPECTED: &'static str = "a number of digits, or options";

    fn from_short(short: Legacy) -> Option<Self> {
        let Legacy::Int(width) = short else { return None };
        Some(Self { width: usize::try_from(width).ok()? })
    }

    fn short_schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 18 })
    }
}

impl Short for NullIfSpec {
    const EXPECTED: &'static str = "a value or a list of values";

    fn from_short(short: Legacy) -> Option<Self> {
        Some(match short {
            Legacy::List(values) => Self { values },
            value => Self { values: vec![value] },
        })
    }

    fn short_schema() -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "null", "array"],
            "minItems": 1,
            "items": { "type": ["string", "number", "boolean", "null"] },
        })
    }
}

fn word<T: serde::de::DeserializeOwned>(short: &Legacy) -> Option<T> {
    let Legacy::Text(text) = short else { return None };
    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = text.as_str().into_deserializer();
    T::deserialize(word).ok()
}
