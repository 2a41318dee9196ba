//! How codecs are written in a manifest.
//!
//! A codec is a word (`trim`) where it needs no options, else a map of that one word to its options
//! (`{ date: { format: "%Y%m%d" } }`). Options with one that matters most can be given as that alone
//! (`{ date: "%Y%m%d" }`).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::short::{self, OrShort};
use crate::Legacy;

/// One codec of a chain.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum CodecSpec {
    Trim(#[serde(deserialize_with = "short::read")] TrimSpec),
    Pad(PadSpec),
    Case(CaseSpec),
    NullIf(#[serde(deserialize_with = "short::read")] NullIfSpec),
    Codes(#[serde(deserialize_with = "short::read")] CodesSpec),
    Boolean(BooleanSpec),
    Integer(IntegerSpec),
    Digits(#[serde(deserialize_with = "short::read")] DigitsSpec),
    Decimal(DecimalSpec),
    Number(Plain),
    Text(Plain),
    Date(#[serde(deserialize_with = "short::read")] DateSpec),
    Datetime(#[serde(deserialize_with = "short::read")] DateTimeSpec),
    Time(#[serde(deserialize_with = "short::read")] TimeSpec),
    Epoch(#[serde(deserialize_with = "short::read")] EpochSpec),
    Charset(#[serde(deserialize_with = "short::read")] CharsetSpec),
    Base64(Plain),
    Hex(HexSpec),
    Strip(#[serde(deserialize_with = "short::read")] StripSpec),
    Mask(#[serde(deserialize_with = "short::read")] MaskSpec),
    SplitList(#[serde(deserialize_with = "short::read")] ListSpec),
}

impl CodecSpec {
    /// The codec's word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trim(_) => "trim",
            Self::Pad(_) => "pad",
            Self::Case(_) => "case",
            Self::NullIf(_) => "null_if",
            Self::Codes(_) => "codes",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Digits(_) => "digits",
            Self::Decimal(_) => "decimal",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Date(_) => "date",
            Self::Datetime(_) => "datetime",
            Self::Time(_) => "time",
            Self::Epoch(_) => "epoch",
            Self::Charset(_) => "charset",
            Self::Base64(_) => "base64",
            Self::Hex(_) => "hex",
            Self::Strip(_) => "strip",
            Self::Mask(_) => "mask",
            Self::SplitList(_) => "split_list",
        }
    }
}

/// The words of the codecs that need no options.
const BARE: [&str; 8] = ["trim", "integer", "number", "text", "base64", "hex", "decimal", "epoch"];

/// No options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plain {}

/// Takes outer white space away; encodes a text as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrimSpec {
    /// Where white space is taken away.
    #[serde(default)]
    pub side: TextSide,
}

/// Either end of a text, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextSide {
    #[default]
    Both,
    Start,
    End,
}

/// Legacy text filled up to a width, contract text without the filling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PadSpec {
    /// The legacy text's width in characters.
    #[schemars(range(min = 1, max = 1000))]
    pub width: usize,
    /// The character that fills.
    #[serde(default = "zero")]
    pub with: char,
    /// The side that is filled.
    #[serde(default)]
    pub side: Side,
}

/// One end of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    #[default]
    Start,
    End,
}

/// Text in other capitals on the two sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseSpec {
    /// The legacy text's capitals.
    pub legacy: Capitals,
    /// The contract text's capitals.
    pub contract: Capitals,
    /// The language, where it has rules of its own (the dotless i).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// How a text is capitalised; `title` gives each word a capital.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capitals {
    Upper,
    Lower,
    Title,
}

/// A language with rules of its own for capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    Az,
    Tr,
}

/// Legacy values that stand for none. Null is encoded as the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NullIfSpec {
    /// The values: numbers, texts, booleans, `null`, or the word `blank` for any text of nothing but white space.
    #[schemars(schema_with = "scalars")]
    pub values: Vec<Legacy>,
}

/// Legacy codes looked up in a list of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodesSpec {
    /// The list's name under `codes:`.
    pub list: String,
    /// What becomes of a code that is not in the list: `refuse` (the registry is to blame), `keep` (the code itself), or
    /// `null` (not for fields that are written: the code would be lost).
    #[serde(default, deserialize_with = "null_is_a_word")]
    #[schemars(schema_with = "unmapped")]
    pub unmapped: Unmapped,
    /// The kind of legacy value that is encoded to; as the list has it, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacyForm>,
}

/// What becomes of a code that is not in its list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmapped {
    /// The registry is to blame.
    #[default]
    Refuse,
    /// The field is null. Not for fields that are written: the code would be lost.
    Null,
    /// The code itself.
    Keep,
}

/// The kind of a legacy value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LegacyForm {
    #[default]
    Text,
    Integer,
}

/// Legacy values that stand for true and for false; the first of each is encoded to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BooleanSpec {
    /// The values for true.
    #[serde(rename = "true", deserialize_with = "one_or_more")]
    #[schemars(schema_with = "scalar_or_scalars")]
    pub truths: Vec<Legacy>,
    /// The values for false.
    #[serde(rename = "false", deserialize_with = "one_or_more")]
    #[schemars(schema_with = "scalar_or_scalars")]
    pub falsehoods: Vec<Legacy>,
    /// Overlooks upper and lower case.
    #[serde(default)]
    pub ignore_case: bool,
}

/// Legacy digits in a text, contract integer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegerSpec {
    /// The digits of the legacy text, filled up with zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 18))]
    pub width: Option<usize>,
}

/// Legacy integer, contract text of digits with leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigitsSpec {
    /// The digits of the contract text.
    #[schemars(range(min = 1, max = 18))]
    pub width: usize,
}

/// A decimal number.
///
/// With `scale` and no `separator`, the legacy value is a whole number with an implied point (12345 is 123.45).
/// Otherwise it is a text with a separator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecimalSpec {
    /// The digits after the point, always that many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 18))]
    pub scale: Option<usize>,
    /// What stands between whole and fraction in the legacy text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// What stands between thousands in the legacy text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<char>,
    /// Where a negative legacy text has its sign.
    #[serde(default)]
    pub sign: Sign,
    /// The digits of a legacy text with an implied point, filled up with zeros; without it, the legacy value is an
    /// integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 38))]
    pub width: Option<usize>,
    /// What the contract value is.
    #[serde(default, rename = "as")]
    pub contract: NumberForm,
}

/// Where the sign of a negative number stands; `parentheses` are around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    #[default]
    Leading,
    Trailing,
    Parentheses,
}

/// What a contract has for a number: `text` keeps every digit; of a `number` those are refused that JSON can't hold
/// exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberForm {
    #[default]
    Text,
    Number,
}

/// Legacy date in a format of its own, contract date in ISO 8601.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DateSpec {
    /// `%Y` year, `%y` year in two digits, `%m` month, `%d` day, `%j` day of the year, `%b` month's name, `%%`;
    /// `%-m` and `%-d` without leading zeros. Everything else stands for itself.
    #[schemars(length(min = 2))]
    pub format: String,
    /// Zeros stand for unknown parts: 19780300 is `1978-03`, 19780000 is `1978`, all zeros are null.
    #[serde(default)]
    pub partial: bool,
    /// The first two-digit year of the last century: with 30, 29 is 2029 and 30 is 1930.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub pivot: Option<u8>,
    /// The twelve names for `%b`; English ones (Jan) when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 12))]
    pub months: Option<Vec<String>>,
    /// The kind of legacy value that is encoded to. Both kinds decode.
    #[serde(default)]
    pub legacy: LegacyForm,
}

/// Legacy date and time in a format and time zone of its own, contract date and time in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DateTimeSpec {
    /// As a date's, with `%H` hour, `%M` minute, `%S` second, `%f` fraction (`%3f`: always three digits).
    #[schemars(length(min = 2))]
    pub format: String,
    /// The legacy value's time zone: `UTC`, a name as `Asia/Baku`, or an offset as `+04:00`.
    #[serde(default = "utc")]
    pub zone: String,
    /// See the date's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub pivot: Option<u8>,
    /// See the date's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 12))]
    pub months: Option<Vec<String>>,
    /// The kind of legacy value that is encoded to. Both kinds decode.
    #[serde(default)]
    pub legacy: LegacyForm,
}

/// Legacy time of day in a format of its own, contract time `13:45:00`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    /// `%H` hour, `%M` minute, `%S` second, `%f` fraction. Everything else stands for itself.
    #[schemars(length(min = 2))]
    pub format: String,
    /// The kind of legacy value that is encoded to. Both kinds decode.
    #[serde(default)]
    pub legacy: LegacyForm,
}

/// Legacy count since 1970, contract date and time in RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochSpec {
    /// What is counted.
    #[serde(default)]
    pub unit: EpochUnit,
}

/// What a count since 1970 counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    #[default]
    Seconds,
    Milliseconds,
}

/// Legacy bytes in a character encoding, or legacy text that the driver took for another encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharsetSpec {
    /// The encoding that the bytes really have: a name as `windows-1254`, `utf-16le`, `koi8-r`.
    pub actual: String,
    /// The encoding that the driver took them for. With it the legacy value is text, without it bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
}

/// Legacy bytes and contract text of hexadecimal digits, or the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HexSpec {
    /// Whether the digits that are written are A to F rather than a to f.
    #[serde(default)]
    pub upper: bool,
}

/// Legacy text with something before or after it that the contract has not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StripSpec {
    /// What stands before.
    #[serde(default)]
    pub prefix: String,
    /// What stands after.
    #[serde(default)]
    pub suffix: String,
}

/// Legacy text with signs between its characters that the contract has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskSpec {
    /// `#` a digit, `@` a letter, `*` any character, `\` before a character that stands for itself; all others stand
    /// for themselves.
    #[schemars(length(min = 1))]
    pub mask: String,
}

/// Legacy text with separators, contract list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSpec {
    /// What stands between two items.
    #[schemars(length(min = 1))]
    pub separator: String,
}

const fn zero() -> char {
    '0'
}

pub(super) fn utc() -> String {
    "UTC".to_owned()
}

/// YAML reads the word `null` as no value.
fn null_is_a_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Unmapped, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(Unmapped::Null))
}

fn unmapped(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["refuse", "keep", "null", null], "default": "refuse" })
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Legacy>, D::Error> {
    Ok(match Legacy::deserialize(deserializer)? {
        Legacy::List(values) => values,
        value => vec![value],
    })
}

fn scalar(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "number", "boolean", "null"] })
}

fn scalars(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "minItems": 1, "items": scalar(generator) })
}

fn scalar_or_scalars(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "number", "boolean", "null", "array"],
        "minItems": 1,
        "items": { "type": ["string", "number", "boolean", "null"] },
    })
}

impl Serialize for CodecSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for CodecSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrMap)
    }
}

struct WordOrMap;

impl<'de> Visitor<'de> for WordOrMap {
    type Value = CodecSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a codec: a word as `trim`, or a map of one word to its options as `{ date: \"%Y%m%d\" }`")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<CodecSpec, E> {
        let no_options = MapDeserializer::<_, E>::new(std::iter::empty::<(&str, &str)>());
        let entry = std::iter::once((word, no_options));
        CodecSpec::deserialize(MapAccessDeserializer::new(MapDeserializer::new(entry)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CodecSpec, A::Error> {
        CodecSpec::deserialize(MapAccessDeserializer::new(map))
    }
}

impl JsonSchema for CodecSpec {
    fn schema_name() -> Cow<'static, str> {
        "Codec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let codecs = json_schema!({
            "trim": generator.subschema_for::<OrShort<TrimSpec>>(),
            "pad": generator.subschema_for::<PadSpec>(),
            "case": generator.subschema_for::<CaseSpec>(),
            "null_if": generator.subschema_for::<OrShort<NullIfSpec>>(),
            "codes": generator.subschema_for::<OrShort<CodesSpec>>(),
            "boolean": generator.subschema_for::<BooleanSpec>(),
            "integer": generator.subschema_for::<IntegerSpec>(),
            "digits": generator.subschema_for::<OrShort<DigitsSpec>>(),
            "decimal": generator.subschema_for::<DecimalSpec>(),
            "number": generator.subschema_for::<Plain>(),
            "text": generator.subschema_for::<Plain>(),
            "date": generator.subschema_for::<OrShort<DateSpec>>(),
            "datetime": generator.subschema_for::<OrShort<DateTimeSpec>>(),
            "time": generator.subschema_for::<OrShort<TimeSpec>>(),
            "epoch": generator.subschema_for::<OrShort<EpochSpec>>(),
            "charset": generator.subschema_for::<OrShort<CharsetSpec>>(),
            "base64": generator.subschema_for::<Plain>(),
            "hex": generator.subschema_for::<HexSpec>(),
            "strip": generator.subschema_for::<OrShort<StripSpec>>(),
            "mask": generator.subschema_for::<OrShort<MaskSpec>>(),
            "split_list": generator.subschema_for::<OrShort<ListSpec>>(),
        });
        json_schema!({
            "description": "A codec: its word, or a map of its word to its options.",
            "if": { "type": "string" },
            "then": { "enum": BARE },
            "else": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
                "properties": codecs,
            },
        })
    }
}
