//! A stand-in for offline tests: the files of a test's `legacy:`, in a directory of their own.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_sdk::{Legacy, OpenError, RegistrySpec, Row, SecretRef, SecretText, Secrets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::plans;
use crate::layout::Writer;

/// A test's `legacy:`: what files hold, by their names.
pub type Fixture = BTreeMap<String, Content>;

/// What a file holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Content {
    /// Its text, which is written in UTF-8.
    Text(String),
    /// Its bytes.
    Bytes(Bytes),
    /// Its records, each value by its column; they are written in the layout of the entity that reads the file.
    Rows(#[schemars(with = "Vec<serde_json::Map<String, Value>>")] Vec<Row>),
}

/// The bytes of a file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    pub base64: String,
}

/// A file of changes that a stand-in was given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenFile {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it holds, where that is text in UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it holds, as Base64, where it is no such text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// The directory of a stand-in in which files of changes are.
pub const OUTGOING: &str = "outgoing";

/// The files of changes that a stand-in was given, in their order.
pub fn written_files(directory: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let file = |name: String| {
        let content = std::fs::read(directory.join(&name)).unwrap_or_default();
        let file = match String::from_utf8(content) {
            Ok(text) => WrittenFile { file: Some(name), text: Some(text), base64: None },
            Err(other) => WrittenFile { file: Some(name), text: None, base64: Some(STANDARD.encode(other.as_bytes())) },
        };
        serde_json::to_value(file).unwrap_or_default()
    };
    names.into_iter().map(file).collect()
}

/// The registry with a stand-in's directories in the place of its own.
pub fn prepared(mut spec: RegistrySpec, fixture: &Value) -> Result<(RegistrySpec, tempfile::TempDir), OpenError> {
    let files: Fixture =
        serde_json::from_value(fixture.clone()).map_err(|wrong| OpenError(format!("`legacy` is a map of files: {wrong}")))?;
    let directory = tempfile::tempdir().map_err(|error| OpenError(format!("no directory for a stand-in: {}", error.kind())))?;
    let root = directory.path();
    let unwritten = |error: std::io::Error| OpenError(format!("a file of `legacy` can't be written: {}", error.kind()));
    for name in ["drops", OUTGOING] {
        std::fs::create_dir(root.join(name)).map_err(unwritten)?;
    }
    for (name, content) in &files {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(OpenError(format!("`legacy`: `{name}` is no name of a file")));
        }
        let bytes = match content {
            Content::Text(text) => text.clone().into_bytes(),
            Content::Bytes(bytes) => {
                let decoded = STANDARD.decode(&bytes.base64);
                decoded.map_err(|_| OpenError(format!("`legacy`: the bytes of `{name}` are no Base64")))?
            }
            Content::Rows(rows) => written(&spec, name, rows)?,
        };
        std::fs::write(root.join("drops").join(name), bytes).map_err(unwritten)?;
    }
    // What a test says nothing of is there and holds nothing, where it can be written so.
    for plan in plans(&spec)?.iter().filter(|plan| !files.keys().any(|name| plan.matches(name))) {
        let name = plan.files.as_str().replace(['*', '?'], "0");
        if let Some(writer) = plan.layout.writer().filter(|_| plan.matches(&name)) {
            let mut bytes = Vec::new();
            writer.begin(None, &mut bytes);
            std::fs::write(root.join("drops").join(name), bytes).map_err(unwritten)?;
        }
    }
    spec.settings = json!({
        "source": { "directory": root.join("drops") },
        "index": root.join("index"),
        "arrival": { "poll_ms": 50, "settle_ms": 0, "shrink_max_percent": 100 },
        "outgoing": { "to": { "directory": root.join(OUTGOING) } },
    });
    Ok((spec, directory))
}

/// Records in the layout of the entity, or the table of codes, that reads the file.
fn written(spec: &RegistrySpec, name: &str, rows: &[Row]) -> Result<Vec<u8>, OpenError> {
    let plans = plans(spec)?;
    let plan = plans.iter().find(|plan| plan.matches(name));
    let plan = plan.ok_or_else(|| OpenError(format!("`legacy`: no entity reads a file named `{name}`")))?;
    let writer = plan.layout.writer().ok_or_else(|| {
        let remedy = "give its text, or name all `columns` of the format";
        OpenError(format!("`legacy`: records can't be written in the layout of `{name}`: {remedy}"))
    })?;
    let mut bytes = Vec::new();
    writer.begin(None, &mut bytes);
    for row in rows {
        record(writer, row, &mut bytes).map_err(|wrong| OpenError(format!("`legacy`: a record of `{name}`: {wrong}")))?;
    }
    Ok(bytes)
}

fn record(writer: &dyn Writer, row: &Row, into: &mut Vec<u8>) -> Result<(), String> {
    if let Some((name, _)) = row.iter().find(|(name, _)| !writer.columns().iter().any(|own| own.as_str() == *name)) {
        return Err(format!("there is no column `{name}`"));
    }
    let values: Vec<Legacy> =
        writer.columns().iter().map(|column| row.get(column.as_str()).cloned().unwrap_or_default()).collect();
    writer.write(None, &values, into).map_err(|unfit| format!("`{}` {}", unfit.column, unfit.why))
}

/// A stand-in asks for no credentials.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _secret: &SecretRef) -> Result<SecretText, String> {
        Err("a stand-in is given no secrets".to_owned())
    }
}
