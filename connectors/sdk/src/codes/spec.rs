//! How code lists are written in a manifest.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use indexmap::IndexMap;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::table::{CodeRow, CodeTable};
use crate::codec::{CodecFault, DateFormat};
use crate::finding::token;
use crate::{Finding, Legacy, Source};

/// A code list: a map of codes to values, or options with one of `values`, `file` and `from`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CodeListSpec {
    Inline(InlineCodes),
    File(FileCodes),
    Table(TableCodes),
}

impl CodeListSpec {
    /// The version that the manifest gives the list.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Inline(codes) => codes.version.as_deref(),
            Self::File(codes) => codes.version.as_deref(),
            Self::Table(codes) => codes.version.as_deref(),
        }
    }

    /// To how many digits legacy integers are filled up before they are looked up.
    #[must_use]
    pub const fn width(&self) -> Option<usize> {
        match self {
            Self::Inline(codes) => codes.width,
            Self::File(codes) => codes.width,
            Self::Table(codes) => codes.width,
        }
    }
}

/// Codes in the manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InlineCodes {
    /// The list's version, for those who read the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The contract value of each code.
    #[schemars(schema_with = "inline_map")]
    pub values: IndexMap<String, Legacy>,
    /// Legacy integers are filled up with zeros to so many digits before they are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 18))]
    pub width: Option<usize>,
}

/// Codes in a CSV file with a line of column names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileCodes {
    /// The list's version, for those who read the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The file, relative to the configuration directory.
    pub file: PathBuf,
    /// The column with the code.
    pub code: String,
    /// The column with the contract value.
    pub value: String,
    /// The column with the first day on which a code is in force; empty: always was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// The column with the first day on which a code is no longer in force; empty: still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// The format of the days, as of the codec `date`; `%Y-%m-%d` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
    /// What stands between columns; a comma when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// The file's character encoding; UTF-8 when not given. A byte order mark tells UTF-8 and UTF-16 by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Legacy integers are filled up with zeros to so many digits before they are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 18))]
    pub width: Option<usize>,
}

/// Codes in a table of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableCodes {
    /// The list's version, for those who read the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the table is, in the form of an entity's `from`.
    pub from: Value,
    /// The code.
    pub code: Source,
    /// The contract value.
    pub value: Source,
    /// The first day on which a code is in force; null or empty: always was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Source>,
    /// The first day on which a code is no longer in force; null or empty: still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Source>,
    /// The format of the days, as of the codec `date`; `%Y-%m-%d` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
    /// How often the table is read anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000))]
    pub refresh_ms: Option<u64>,
    /// Legacy integers are filled up with zeros to so many digits before they are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 18))]
    pub width: Option<usize>,
}

impl InlineCodes {
    pub(super) fn table(&self, today: Date) -> Result<CodeTable, Vec<Finding>> {
        let mut findings = Vec::new();
        if self.values.is_empty() {
            findings.push(Finding::new("", "a code list has at least one code"));
        }
        for (code, value) in &self.values {
            if matches!(value, Legacy::List(_) | Legacy::Group(_) | Legacy::Bytes(_)) {
                findings.push(Finding::new(
                    format!("/{}", token(code)),
                    format!("a code stands for a scalar, this is {}", value.kind()),
                ));
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let rows = self.values.iter().map(|(code, value)| CodeRow::new(code.as_str().into(), value.clone())).collect();
        CodeTable::from_rows(rows, today).map_err(|disagreement| vec![disagreement.finding("")])
    }
}

impl TableCodes {
    /// What the schema can't say.
    pub(super) fn check(&self) -> Result<(), Vec<Finding>> {
        days(self.date_format.as_deref()).map(|_| ()).map_err(|finding| vec![finding])
    }

    /// A row of the table, with the columns of [`Self::columns`].
    pub(super) fn row(&self, row: Vec<Legacy>) -> Result<CodeRow, CodecFault> {
        let format = days(self.date_format.as_deref()).map_err(|finding| CodecFault::new("bad_date", finding.message))?;
        let mut cells = row.into_iter();
        let mut next = || cells.next().unwrap_or_default();
        let (code, value) = (next(), next());
        Ok(CodeRow {
            code,
            value,
            valid_from: if self.valid_from.is_some() { format.first_day(next())? } else { None },
            valid_until: if self.valid_until.is_some() { format.first_day(next())? } else { None },
        })
    }
}

/// The format of a list's days.
pub(super) fn days(format: Option<&str>) -> Result<DateFormat, Finding> {
    DateFormat::of_days(format.unwrap_or("%Y-%m-%d")).map_err(|message| Finding::new("/date_format", message))
}

/// The options of which one must be there, else the map is the list itself.
const KINDS: [&str; 3] = ["values", "file", "from"];

impl<'de> Deserialize<'de> for CodeListSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CodesOrOptions)
    }
}

struct CodesOrOptions;

impl<'de> Visitor<'de> for CodesOrOptions {
    type Value = CodeListSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of codes to values, or options with one of `values`, `file` and `from`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CodeListSpec, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a code is there twice"));
            }
        }
        from_members(members).map_err(serde::de::Error::custom)
    }
}

fn from_members(members: serde_json::Map<String, Value>) -> Result<CodeListSpec, serde_json::Error> {
    // A list with a code of such a name is written under `values`.
    let kind = KINDS.into_iter().find(|kind| members.get(*kind).is_some_and(|member| *kind != "values" || member.is_object()));
    let options = Value::Object(members);
    match kind {
        Some("values") => serde_json::from_value(options).map(CodeListSpec::Inline),
        Some("file") => serde_json::from_value(options).map(CodeListSpec::File),
        Some(_) => serde_json::from_value(options).map(CodeListSpec::Table),
        None => {
            let values = serde_json::from_value(options)?;
            Ok(CodeListSpec::Inline(InlineCodes { version: None, values, width: None }))
        }
    }
}

impl JsonSchema for CodeListSpec {
    fn schema_name() -> Cow<'static, str> {
        "CodeList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A map of codes to values, or options with one of `values`, `file` and `from`.",
            "type": "object",
            "minProperties": 1,
            "if": { "required": ["values"], "properties": { "values": { "type": "object" } } },
            "then": generator.subschema_for::<InlineCodes>(),
            "else": {
                "if": { "required": ["file"] },
                "then": generator.subschema_for::<FileCodes>(),
                "else": {
                    "if": { "required": ["from"] },
                    "then": generator.subschema_for::<TableCodes>(),
                    "else": inline_map(generator),
                },
            },
        })
    }
}

fn inline_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
    })
}
