//! What is told of a drop that was refused: files, lines, columns and what was expected, never a value.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::layout::Fault;

/// A drop that was refused.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    pub registry: &'a str,
    pub entity: &'a str,
    pub files: Vec<&'a str>,
    /// UTC, ISO 8601.
    pub refused_at: String,
    /// How many faults were found; only the first are listed.
    pub faults_found: u64,
    pub faults: Vec<Told<'a>>,
}

/// One fault.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    pub file: &'a str,
    /// The line or record, from 1 on; 0 is the whole file.
    pub line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<&'a str>,
    pub expected: &'a str,
}

impl<'a> Report<'a> {
    /// A report of these faults.
    #[must_use]
    pub fn new(registry: &'a str, entity: &'a str, files: Vec<&'a str>, faults: &'a [(String, Fault)], found: u64) -> Self {
        let told = |(file, fault): &'a (String, Fault)| Told {
            file,
            line: fault.line,
            column: fault.column.as_deref(),
            expected: &fault.expected,
        };
        let refused_at = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
        Self { registry, entity, files, refused_at, faults_found: found, faults: faults.iter().map(told).collect() }
    }

    /// One sentence: the first fault, and how many there are.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Some(first) = self.faults.first() else { return format!("{} was refused", self.files.join(", ")) };
        let line = if first.line > 0 { format!(", line {}", first.line) } else { String::new() };
        let column = first.column.map(|column| format!(", column {column}")).unwrap_or_default();
        let more = if self.faults_found > 1 { format!("; {} faults in all", self.faults_found) } else { String::new() };
        format!("the newest drop was refused: {}{line}{column}: expected {}{more}", first.file, first.expected)
    }

    /// Writes it into a directory, under a name made of the entity's and the first file's.
    ///
    /// # Errors
    /// As the file can't be written.
    pub fn write(&self, directory: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(directory)?;
        let file = self.files.first().copied().unwrap_or("drop");
        let path = directory.join(format!("{}-{file}.refused.json", slug(self.entity)));
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let new = directory.join(format!(".{}.new", slug(self.entity)));
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &path)?;
        Ok(path)
    }
}

/// A name as a part of a file's name.
#[must_use]
pub fn slug(name: &str) -> String {
    name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect()
}
