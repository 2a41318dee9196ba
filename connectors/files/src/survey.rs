//! Finds out what a file is by looking at a piece of it: delimiter, encoding, header, places, and what a copybook says.
//!
//! Whatever was guessed is said among what is unsure; nothing but the file is looked at.

mod beside;
mod fixture;
mod guess;
mod tell;
mod xml;

use std::path::Path;

use rabita_model::Comparison;
use rabita_sdk::survey::{
    Offers, Recognised, Samples, Searchable, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedColumn, SurveyedEntity,
};
use rabita_sdk::{GroupSpec, Legacy, Row, Source};
use serde_json::{Map, Value, json};

pub(crate) use fixture::fixture;

use crate::from::{Copybook, Format, Text};
use crate::layout::{self, Selection};

/// So much of a file is looked at.
const HEAD: u64 = 4 << 20;

/// Whether an address is a file of this kind.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if !source.path.as_deref().is_some_and(Path::is_file) {
        return Recognised::No;
    }
    if source.has_ending(&["csv", "tsv", "jsonl", "ndjson", "xlsx", "xlsb", "ods", "cpy", "cob", "cbl"]) {
        return Recognised::Surely;
    }
    if source.has_ending(&["txt", "dat", "fix", "asc", "xls", "xml"]) { Recognised::Perhaps } else { Recognised::No }
}

/// Looks at a file.
pub(crate) fn survey(source: &SurveySource, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let path = source.path.as_deref().filter(|path| path.is_file());
    let path = path.ok_or_else(|| SurveyError::Unsuitable("give the name of a file: a sample, or a copybook".to_owned()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut survey = Survey { settings: source.settings.clone(), ..Survey::default() };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    survey.settings.entry("source").or_insert_with(|| json!({ "directory": directory }));
    survey.settings.entry("index").or_insert_with(|| json!(format!("index/{}", stem(&name))));
    survey.entities = if source.has_ending(&["cpy", "cob", "cbl"]) {
        survey
            .unsure
            .push("a copybook says neither the name of the file nor its encoding: `file` and `encoding` are guesses".to_owned());
        of_copybook(path, &name)?
    } else {
        survey.code_tables = beside::code_tables(path, &pattern(&name), limits);
        vec![of_sample(source, path, &name, limits)?]
    };
    survey.entities.retain(|entity| source.wants(&entity.name));
    Ok(survey)
}

fn of_sample(source: &SurveySource, path: &Path, name: &str, limits: &SurveyLimits) -> Result<SurveyedEntity, SurveyError> {
    let unread = |message: String| SurveyError::Unreadable { place: source.shown.clone(), message };
    let head = head(path).map_err(|error| unread(error.kind().to_string()))?;
    let guessed = if source.has_ending(&["jsonl", "ndjson"]) {
        guess::json_lines(&head)
    } else if source.has_ending(&["xlsx", "xlsb", "xls", "ods"]) {
        guess::sheet(path)
    } else if source.has_ending(&["xml"]) {
        xml::document(&head)
    } else {
        guess::text(&head)
    };
    let guessed = guessed.map_err(SurveyError::Unsuitable)?;
    let format: Format = serde_json::from_value(guessed.format.clone()).map_err(|wrong| unread(wrong.to_string()))?;
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let (layout, _) = layout::compile(&format, directory).map_err(|wrong| unread(sentence(&wrong)))?;
    let selection = Selection { columns: guessed.columns.clone(), groups: guessed.groups.clone() };
    let rows = rows(&*layout, path, &selection, limits.samples)
        .map_err(|fault| unread(format!("line {}: expected {}", fault.line, fault.expected)))?;
    let mut entity = SurveyedEntity {
        name: stem(name),
        from: json!({ "file": pattern(name), "format": guessed.format }),
        unsure: guessed.unsure,
        ..SurveyedEntity::default()
    };
    entity.columns = guessed.columns.iter().map(|column| tell::column(column, &rows, guessed.as_text)).collect();
    for (column, name) in entity.columns.iter_mut().zip(&guessed.names) {
        column.name = (column.source.as_str() != name).then(|| contract_name(name, &column.source));
    }
    entity.columns.extend(guessed.groups.iter().map(|group| tell::group(group, &rows, guessed.as_text)));
    let key = guessed.key.or_else(|| tell::key(&entity.columns));
    match key {
        Some(key) => {
            entity
                .unsure
                .push(format!("`{key}` is taken for the key: it is there in each record that was looked at, each time another"));
            entity.offers = offers(&key, &entity.columns);
            entity.key = vec![key];
        }
        None => entity.unsure.push("no column has a value of its own in each record, so the key is not known".to_owned()),
    }
    entity.samples = Samples(rows);
    Ok(entity)
}

fn of_copybook(path: &Path, name: &str) -> Result<Vec<SurveyedEntity>, SurveyError> {
    let unread = |message: String| SurveyError::Unreadable { place: name.to_owned(), message };
    let text = std::fs::read_to_string(path).map_err(|error| unread(error.kind().to_string()))?;
    let records = layout::copybook::records(&text).map_err(unread)?;
    let mut entities = Vec::with_capacity(records.len());
    for record in records.into_iter().map(|record| record.name) {
        let spec = Copybook {
            book: Text::Inline(text.clone()),
            encoding: "cp037".to_owned(),
            framing: None,
            record: Some(record.clone()),
            kind: None,
            is: None,
            children: indexmap::IndexMap::new(),
            skip: Vec::new(),
        };
        let (layout, _) = layout::compile(&Format::Copybook(spec), Path::new(".")).map_err(|wrong| unread(sentence(&wrong)))?;
        let columns = layout.described();
        let mut entity = SurveyedEntity {
            name: record.to_lowercase(),
            from: json!({
                "file": format!("{}*.dat", record.to_lowercase()),
                "format": { "copybook": { "book": text, "encoding": "cp037", "record": record } },
            }),
            columns: columns.iter().map(|(source, kind)| tell::described(source, *kind)).collect(),
            ..SurveyedEntity::default()
        };
        entity.columns.extend(layout.groups().unwrap_or_default().iter().map(|group| tell::group(group, &[], false)));
        if let Some(first) = entity.columns.first() {
            let key = first.source.clone();
            entity.unsure.push(format!("`{key}` is taken for the key because it is the first: a copybook does not say"));
            entity.offers = offers(&key, &entity.columns);
            entity.key = vec![key];
        }
        entities.push(entity);
    }
    Ok(entities)
}

/// What the contract calls a column that is known by its number: by its header, which another one has too, or by the number.
fn contract_name(header: &str, source: &Source) -> String {
    if header.is_empty() { format!("column_{}", source.as_str().trim_start_matches('#')) } else { header.to_owned() }
}

/// What an index can do: all of it, but each search costs an index, so only a few are offered.
fn offers(key: &Source, columns: &[SurveyedColumn]) -> Offers {
    const SEARCHES: usize = 4;
    let is_wanted = |column: &&SurveyedColumn| column.source != *key && tell::is_telling(column);
    let search = columns.iter().filter(is_wanted).take(SEARCHES).map(|column| Searchable {
        source: column.source.clone(),
        comparisons: vec![Comparison::Equals, Comparison::Prefix],
        cheap: true,
    });
    Offers {
        read: true,
        read_many: Some(100),
        search: search.collect(),
        changes: Some(json!({ "difference": "drops" })),
        ..Offers::default()
    }
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn rows(layout: &dyn layout::Layout, path: &Path, selection: &Selection, most: usize) -> Result<Vec<Row>, layout::Fault> {
    let file = std::fs::File::open(path).map_err(|error| layout::Fault::last(0, error.kind().to_string()))?;
    let mut records = layout.open(Box::new(file), selection)?;
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    while rows.len() < most && records.next(&mut values)?.is_some() {
        rows.push(row(selection, &values));
    }
    Ok(rows)
}

fn row(selection: &Selection, values: &[Legacy]) -> Row {
    let groups = selection.groups.iter().map(|group: &GroupSpec| group.name.shared());
    let names = selection.columns.iter().map(Source::shared).chain(groups);
    names.zip(values.iter().cloned()).collect()
}

fn sentence(wrong: &[(String, String)]) -> String {
    wrong.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>().join("; ")
}

/// The name of a file without its ending, and without the number or day that tells one drop from the next.
fn stem(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let short = stem.trim_end_matches(|one: char| one.is_ascii_digit() || matches!(one, '-' | '_' | '.'));
    if short.is_empty() { "records".to_owned() } else { short.to_lowercase() }
}

/// A pattern that other drops match too: the digits at the end of a name change from drop to drop.
fn pattern(name: &str) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let fixed = stem.trim_end_matches(|one: char| one.is_ascii_digit() || matches!(one, '-' | '_'));
    let is_numbered = fixed.len() < stem.len() && stem.ends_with(|one: char| one.is_ascii_digit()) && !fixed.is_empty();
    let escaped = |text: &str| glob::Pattern::escape(text);
    if is_numbered { format!("{}*.{}", escaped(fixed), escaped(ending)) } else { escaped(name) }
}

/// An object of JSON.
pub(crate) fn object(members: &[(&str, Value)]) -> Map<String, Value> {
    members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
