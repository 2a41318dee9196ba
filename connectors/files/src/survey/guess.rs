//! Guesses at the form of a file from its beginning.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use calamine::Data;
use rabita_sdk::{GroupSpec, Legacy, Row, Source};
use serde_json::{Value, json};

use super::object;
use crate::layout::sheet::book::Book;

/// What a file seems to be.
pub(super) struct Guessed {
    pub(super) format: Value,
    pub(super) columns: Vec<Source>,
    /// What stands above each column, where there is a header.
    pub(super) names: Vec<String>,
    pub(super) groups: Vec<GroupSpec>,
    /// The key, where the form tells it.
    pub(super) key: Option<Source>,
    /// Values come as text, whatever they are.
    pub(super) as_text: bool,
    pub(super) unsure: Vec<String>,
}

/// So many lines or records are looked at.
pub(super) const LINES: usize = 200;

/// A file of lines: delimited, or with fixed places.
pub(super) fn text(head: &[u8]) -> Result<Guessed, String> {
    let (encoding, text, mut unsure) = decoded(head)?;
    let mut lines: Vec<&str> = text.lines().take(LINES + 1).collect();
    if lines.len() > LINES {
        lines.truncate(LINES);
    }
    if lines.is_empty() {
        return Err("the file is empty: give one with a few records".to_owned());
    }
    if let Some(delimiter) = delimiter(&text) {
        return Ok(delimited(&text, delimiter, &encoding, unsure));
    }
    let mut guessed = fixed(&lines, &encoding);
    unsure.append(&mut guessed.unsure);
    guessed.unsure = unsure;
    Ok(guessed)
}

/// The encoding and the text, and what is unsure of it.
pub(super) fn decoded(head: &[u8]) -> Result<(String, String, Vec<String>), String> {
    if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(head) {
        let name = if encoding == encoding_rs::UTF_8 { "utf-8" } else { "utf-16" };
        return Ok((name.to_owned(), encoding.decode(head).0.into_owned(), Vec::new()));
    }
    // The end may be within a character.
    let whole = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.valid_up_to() + 4 > head.len() => std::str::from_utf8(&head[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    if let Some(text) = whole {
        return Ok(("utf-8".to_owned(), text.to_owned(), Vec::new()));
    }
    let blanks = head.iter().filter(|byte| **byte == 0x40).count();
    let ascii = head.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte == b' ').count();
    if blanks > ascii {
        return Err(
            "this looks like EBCDIC, whose records say nothing of themselves: give the copybook that describes them".to_owned()
        );
    }
    // Cyrillic words are made of bytes above 127; in Latin ones such a byte stands alone.
    let high = |byte: &u8| *byte >= 0xc0;
    let alone = head.windows(3).filter(|three| high(&three[1]) && !high(&three[0]) && !high(&three[2])).count();
    let all = head.iter().filter(|byte| high(byte)).count();
    let name = if alone * 2 > all { "windows-1254" } else { "windows-1251" };
    let text = encoding_rs::Encoding::for_label(name.as_bytes()).map(|encoding| encoding.decode(head).0.into_owned());
    let note = format!("the encoding is not UTF-8; {name} is a guess from how its letters stand together");
    Ok((name.to_owned(), text.unwrap_or_default(), vec![note]))
}

/// The delimiter by which most lines have the same number of columns.
fn delimiter(text: &str) -> Option<char> {
    let score = |delimiter: char| {
        let widths: Vec<usize> = records(text, delimiter).iter().map(Vec::len).collect();
        let first = *widths.first()?;
        let same = widths.iter().filter(|width| **width == first).count();
        (first > 1 && same * 10 >= widths.len() * 9).then_some((same * 100 / widths.len(), first, delimiter))
    };
    [';', ',', '\t', '|'].into_iter().filter_map(score).max_by_key(|(same, width, _)| (*same, *width)).map(|(.., found)| found)
}

fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let records = reader.records().take(LINES).map_while(Result::ok);
    let mut records: Vec<Vec<String>> = records.map(|record| record.iter().map(str::to_owned).collect()).collect();
    // The last may have been cut off with the text.
    if records.len() > 2 && records.len() < LINES && !text.ends_with('\n') {
        records.pop();
    }
    records
}

fn delimited(text: &str, delimiter: char, encoding: &str, mut unsure: Vec<String>) -> Guessed {
    let records = records(text, delimiter);
    let (first, rest) = records.split_first().map_or((&[][..], &[][..]), |(first, rest)| (first.as_slice(), rest));
    let has_header = is_header(first, rest);
    let mut format = object(&[("delimiter", json!(delimiter)), ("encoding", json!(encoding))]);
    let names: Vec<String> = if has_header {
        first.to_vec()
    } else {
        unsure.push("the first line does not look like a header, so the columns are named by their numbers".to_owned());
        (1..=first.len()).map(|number| format!("C{number}")).collect()
    };
    let columns = sources(&names);
    if !has_header {
        format.insert("header".to_owned(), json!(false));
        format.insert("columns".to_owned(), json!(columns));
    }
    let rows = if has_header { rest } else { &records };
    let mut key = None;
    if let Some(name) = continued(rows, columns.first()) {
        unsure.push(format!(
            "lines without a value in `{name}` are taken to go on the record before; what they add is not mapped: add `groups`"
        ));
        format.insert("continued_without".to_owned(), json!(name));
        key = Some(name);
    }
    let format = json!({ "delimited": format });
    let names = if has_header { names } else { Vec::new() };
    Guessed { format, columns, names, groups: Vec::new(), key, as_text: true, unsure }
}

/// A header has names: each another one, and none of them a value of its own column.
fn is_header(first: &[String], rest: &[Vec<String>]) -> bool {
    let names: Vec<&String> = first.iter().filter(|name| !name.is_empty()).collect();
    let different: HashSet<&String> = names.iter().copied().collect();
    let is_value = |(place, name): (usize, &String)| !name.is_empty() && rest.iter().any(|row| row.get(place) == Some(name));
    let is_number = |name: &&String| name.bytes().all(|byte| byte.is_ascii_digit());
    let are_different = different.len() + 1 >= names.len() || different.len() * 10 >= names.len() * 9;
    let are_names = names.len() * 2 > first.len() && are_different && !names.iter().any(is_number);
    are_names && !first.iter().enumerate().any(is_value)
}

/// The sources of columns: their names, or their numbers where a name is empty or that of another.
fn sources(names: &[String]) -> Vec<Source> {
    let mut seen = HashSet::new();
    let source = |(place, name): (usize, &String)| {
        if name.is_empty() || !seen.insert(name.clone()) { Source::new(&format!("#{}", place + 1)) } else { Source::new(name) }
    };
    names.iter().enumerate().map(source).collect()
}

/// The first column, if it is empty in some lines and otherwise another in each.
fn continued(rows: &[Vec<String>], first: Option<&Source>) -> Option<Source> {
    let values: Vec<&str> = rows.iter().filter_map(|row| row.first()).map(String::as_str).collect();
    let told: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    let different: HashSet<&str> = told.iter().copied().collect();
    let is_so = told.len() < values.len() && told.len() > 1 && different.len() == told.len() && !values[0].is_empty();
    is_so.then(|| first.cloned()).flatten()
}

/// Columns begin where all lines have a blank before a place, and some have none at it.
fn fixed(lines: &[&str], encoding: &str) -> Guessed {
    let rows: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or_default();
    let is_blank = |place: usize| rows.iter().all(|row| row.get(place).is_none_or(|one| *one == ' '));
    let mut starts: BTreeSet<usize> = (1..width).filter(|place| is_blank(place - 1) && !is_blank(*place)).collect();
    starts.insert(0);
    let ends = starts.iter().skip(1).copied().chain([width]);
    let columns: Vec<(Source, usize, usize)> = starts
        .iter()
        .copied()
        .zip(ends)
        .enumerate()
        .map(|(number, (start, end))| (Source::new(&format!("C{}", number + 1)), start, end - start))
        .collect();
    let described: serde_json::Map<String, Value> = columns
        .iter()
        .map(|(name, start, width)| (name.as_str().to_owned(), json!({ "at": start + 1, "width": width })))
        .collect();
    let unsure = vec![
        "no delimiter was found; columns are taken to begin where all lines have a blank before: hold `columns` against the agency's description".to_owned(),
    ];
    let format = json!({ "fixed": { "encoding": encoding, "columns": described } });
    let columns = columns.into_iter().map(|(name, ..)| name).collect();
    Guessed { format, columns, names: Vec::new(), groups: Vec::new(), key: None, as_text: true, unsure }
}

/// A file of JSON Lines: its members, and lists of objects as groups.
pub(super) fn json_lines(head: &[u8]) -> Result<Guessed, String> {
    let text = String::from_utf8_lossy(head);
    let rows: Vec<Row> = text.lines().take(LINES).filter_map(|line| serde_json::from_str(line).ok()).collect();
    if rows.is_empty() {
        return Err("no line is a JSON object".to_owned());
    }
    let (mut columns, mut groups): (Vec<Source>, Vec<GroupSpec>) = (Vec::new(), Vec::new());
    for row in &rows {
        members(row, "", &mut columns, &mut groups);
    }
    let format = json!({ "json_lines": {} });
    Ok(Guessed { format, columns, names: Vec::new(), groups, key: None, as_text: false, unsure: Vec::new() })
}

/// The values of a row as columns, and its lists as groups.
pub(super) fn members(row: &Row, before: &str, columns: &mut Vec<Source>, groups: &mut Vec<GroupSpec>) {
    for (name, value) in row.iter() {
        let source = Source::new(&format!("{before}{name}"));
        match value {
            Legacy::Group(inner) => members(inner, &format!("{source}."), columns, groups),
            Legacy::List(items) => {
                let place = groups.iter().position(|group| group.name == source).unwrap_or_else(|| {
                    groups.push(GroupSpec { name: source.clone(), sources: Vec::new() });
                    groups.len() - 1
                });
                for item in items {
                    let mut found = Vec::new();
                    match item {
                        Legacy::Group(inner) => members(inner, "", &mut found, &mut Vec::new()),
                        _ => found.push(Source::new("value")),
                    }
                    let new = found.into_iter().filter(|own| !groups[place].sources.contains(own)).collect::<Vec<_>>();
                    groups[place].sources.extend(new);
                }
            }
            _ if !columns.contains(&source) => columns.push(source),
            _ => {}
        }
    }
    groups.retain(|group| !group.sources.is_empty());
}

/// A spreadsheet: the first sheet, and the first row that is full of texts.
pub(super) fn sheet(path: &Path) -> Result<Guessed, String> {
    let unread = || "the file is no spreadsheet that can be read".to_owned();
    let bytes = std::fs::read(path).map_err(|_| unread())?;
    let mut book = Book::open(bytes).map_err(|_| unread())?;
    let names = book.sheets();
    let mut filled = names.iter().filter_map(|name| Some((name.clone(), first_rows(&mut book, name)?)));
    let found = filled.find(|(_, rows)| rows.len() > 1 && width(rows) > 1);
    let (name, rows) = found.ok_or_else(|| "no sheet has a header and records".to_owned())?;
    let (width, texts) = (width(&rows), |row: &Cells| row.values().filter(|cell| matches!(cell, Data::String(_))).count());
    let header = rows.iter().find(|(_, row)| texts(row) * 10 >= width * 9);
    let (header, cells) = header.ok_or_else(|| "no row looks like a header".to_owned())?;
    let header = header.saturating_add(1);
    let columns = cells.values().map(|cell| cell.to_string().trim().to_owned()).filter(|name| !name.is_empty());
    let mut unsure = Vec::new();
    if names.len() > 1 {
        unsure.push(format!("there are {} sheets; this is the first with a header and records", names.len()));
    }
    Ok(Guessed {
        format: json!({ "sheet": { "name": name, "header_row": header } }),
        columns: columns.map(|name| Source::new(&name)).collect(),
        names: Vec::new(),
        groups: Vec::new(),
        key: None,
        as_text: false,
        unsure,
    })
}

/// The cells of a row that hold something, by their columns.
type Cells = BTreeMap<u32, Data>;

/// The rows of a sheet that hold something, as many as are looked at.
fn first_rows(book: &mut Book, sheet: &str) -> Option<BTreeMap<u32, Cells>> {
    let mut rows: BTreeMap<u32, Cells> = BTreeMap::new();
    let read = book.each(sheet, &mut |(row, column), cell| {
        let is_wanted = rows.len() < LINES || rows.contains_key(&row);
        if is_wanted {
            rows.entry(row).or_default().insert(column, cell());
        }
        Ok(is_wanted)
    });
    read.ok().map(|()| rows)
}

/// How many columns there are from the first with a value to the last.
fn width(rows: &BTreeMap<u32, Cells>) -> usize {
    let columns = || rows.values().flat_map(BTreeMap::keys);
    columns().max().zip(columns().min()).map_or(0, |(last, first)| (last - first) as usize + 1)
}
