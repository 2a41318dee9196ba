//! Tables of codes that stand as files beside a sample.
//!
//! Only a file that says of itself that it holds codes is taken for one: what stands in a table of codes comes into
//! tests as it is, and a list of people has a first column of its own values and names in the second, too.

use std::collections::HashSet;
use std::path::Path;

use rabita_sdk::survey::{CodeTable, SurveyLimits};
use rabita_sdk::{Legacy, Row, Source};
use serde_json::json;

use super::{guess, head, pattern, rows, stem};
use crate::from::Format;
use crate::layout::{self, Selection};

/// So many files are looked at.
const FILES: usize = 200;
/// A table of codes has so many columns at most, and a code so many characters.
const COLUMNS: usize = 8;
const CODE: usize = 12;
/// Larger files are no tables of codes.
const BYTES: u64 = 4 << 20;

/// Words by which the name of a file, or that of its first column, speaks of codes.
const WORDS: [&str; 9] = ["code", "kod", "cod", "tabel", "table", "tablo", "lookup", "codelist", "list"];

/// The tables of codes in the directory of a sample.
pub(super) fn code_tables(sample: &Path, own: &str, limits: &SurveyLimits) -> Vec<CodeTable> {
    let directory = sample.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let own = glob::Pattern::new(own).ok();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let is_of_text = |name: &str| {
        name.rsplit_once('.').is_some_and(|(_, end)| ["csv", "tsv", "txt"].iter().any(|own| end.eq_ignore_ascii_case(own)))
    };
    names.retain(|name| is_of_text(name) && !own.as_ref().is_some_and(|own| own.matches(name)));
    names.sort();
    names.iter().take(FILES).filter_map(|name| code_table(&directory.join(name), name, limits)).collect()
}

/// The table of codes in a file, where it is one.
fn code_table(path: &Path, name: &str, limits: &SurveyLimits) -> Option<CodeTable> {
    if !path.metadata().ok().is_some_and(|file| file.is_file() && file.len() <= BYTES) {
        return None;
    }
    let guessed = guess::text(&head(path).ok()?).ok()?;
    let [code, others @ ..] = guessed.columns.as_slice() else { return None };
    let has_header = guessed.names.len() == guessed.columns.len();
    if !has_header || others.is_empty() || guessed.columns.len() > COLUMNS || !(speaks(name) || speaks(code.as_str())) {
        return None;
    }
    let format: Format = serde_json::from_value(guessed.format.clone()).ok()?;
    let (layout, _) = layout::compile(&format, Path::new(".")).ok()?;
    let selection = Selection { columns: guessed.columns.clone(), groups: Vec::new() };
    let found = rows(&*layout, path, &selection, limits.codes + 1).ok()?;
    if found.is_empty() || found.len() > limits.codes || !are_codes(&found, code) {
        return None;
    }
    let value = others.iter().find(|column| are_words(&found, column))?.clone();
    let from = json!({ "file": pattern(name), "format": guessed.format });
    Some(CodeTable { name: stem(name), comment: None, from, code: code.clone(), value, rows: found })
}

fn speaks(name: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

fn texts<'a>(rows: &'a [Row], column: &Source) -> Vec<&'a str> {
    let text = |row: &'a Row| match row.get(column.as_str()) {
        Some(Legacy::Text(text)) => text.trim(),
        _ => "",
    };
    rows.iter().map(text).collect()
}

/// Each another one, and short.
fn are_codes(rows: &[Row], column: &Source) -> bool {
    let mut seen = HashSet::new();
    texts(rows, column).into_iter().all(|text| !text.is_empty() && text.chars().count() <= CODE && seen.insert(text))
}

/// There in each row, with letters in nearly all.
fn are_words(rows: &[Row], column: &Source) -> bool {
    let texts = texts(rows, column);
    let with_letters = texts.iter().filter(|text| text.chars().any(char::is_alphabetic)).count();
    texts.iter().all(|text| !text.is_empty()) && with_letters * 10 >= texts.len() * 9
}
