//! Code lists in CSV files.

use std::path::Path;

use encoding_rs::{Encoding, UTF_8};
use jiff::civil::Date;

use super::spec::{FileCodes, days};
use super::table::{CodeRow, CodeTable};
use rabita_model::Rule;

use crate::codec::{DateFormat, encoding};
use crate::{Finding, Legacy};

/// More than any code list; a file that is larger is another one.
const MOST_BYTES: u64 = 64 << 20;

/// Reads a list. Places of findings are relative to it.
pub(super) fn read(codes: &FileCodes, directory: &Path, today: Date) -> Result<CodeTable, Vec<Finding>> {
    let text = text(codes, directory).map_err(one)?;
    let format = days(codes.date_format.as_deref()).map_err(one)?;
    let delimiter = codes.delimiter.unwrap_or(',');
    let delimiter = u8::try_from(delimiter)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| one(Finding::new("/delimiter", "a delimiter is one ASCII character")))?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns = Columns::find(codes, reader.headers().map_err(|error| one(unreadable(codes, &error)))?)?;
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| one(unreadable(codes, &error)))?;
        let line = record.position().map_or(0, csv::Position::line);
        if let Some(row) = columns
            .row(&record, &format)
            .map_err(|message| one(Finding::new("/file", format!("{}: line {line}: {message}", codes.file.display()))))?
        {
            rows.push(row);
            lines.push(line);
        }
    }
    if rows.is_empty() {
        return Err(one(Finding::new("/file", format!("{} has no codes", codes.file.display()))));
    }
    CodeTable::from_rows(rows, today).map_err(|disagreement| {
        let line = |place: usize| lines.get(place).copied().unwrap_or_default();
        let (first, second) = (line(disagreement.rows.0), line(disagreement.rows.1));
        one(Finding::new(
            "/file",
            format!(
                "{}: lines {first} and {second} give one code two meanings, and no validity decides between them",
                codes.file.display()
            ),
        ))
    })
}

fn one(finding: Finding) -> Vec<Finding> {
    vec![finding]
}

/// The file's text, in the encoding of its byte order mark, else the one that is given.
fn text(codes: &FileCodes, directory: &Path) -> Result<String, Finding> {
    let path = directory.join(&codes.file);
    let shown = codes.file.display();
    let size = std::fs::metadata(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Finding::new("/file", format!("there is no file {shown} beside the manifest")).breaks(Rule::FileUnreadable)
        }
        _ => Finding::new("/file", format!("{shown} can't be read: {error}")).breaks(Rule::FileUnreadable),
    })?;
    if size.len() > MOST_BYTES {
        return Err(Finding::new("/file", format!("{shown} is larger than 64 MiB")));
    }
    let bytes = std::fs::read(&path).map_err(|error| Finding::new("/file", format!("{shown} can't be read: {error}")))?;
    let given = match &codes.encoding {
        // UTF-16 by its short name is the one that the mark tells, else little endian.
        Some(name) => encoding(name).map_err(|message| Finding::new("/encoding", message))?,
        None => UTF_8,
    };
    let (encoding, mark) = Encoding::for_bom(&bytes).unwrap_or((given, 0));
    match encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]) {
        Some(text) => Ok(text.into_owned()),
        None => Err(Finding::new(
            if codes.encoding.is_some() { "/encoding" } else { "/file" },
            format!("{shown} is not in {}; `encoding` says in which one it is, as windows-1254", encoding.name()),
        )),
    }
}

fn unreadable(codes: &FileCodes, error: &csv::Error) -> Finding {
    let shown = codes.file.display();
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
            "{shown}: line {}: {len} columns where the first line names {expected_len}",
            pos.as_ref().map_or(0, csv::Position::line)
        ),
        _ => format!("{shown} is no CSV file"),
    };
    Finding::new("/file", message)
}

/// The places of the columns.
struct Columns {
    code: usize,
    value: usize,
    valid_from: Option<usize>,
    valid_until: Option<usize>,
}

impl Columns {
    fn find(codes: &FileCodes, names: &csv::StringRecord) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut place = |option: &str, name: &str| {
            let found = names.iter().position(|own| own == name);
            if found.is_none() {
                findings.push(Finding::unknown(option, "column", name, names.iter()));
            }
            found.unwrap_or_default()
        };
        let columns = Self {
            code: place("/code", &codes.code),
            value: place("/value", &codes.value),
            valid_from: codes.valid_from.as_ref().map(|name| place("/valid_from", name)),
            valid_until: codes.valid_until.as_ref().map(|name| place("/valid_until", name)),
        };
        if findings.is_empty() { Ok(columns) } else { Err(findings) }
    }

    /// A row; `None` for one without a code, as of the blank lines that spreadsheets leave.
    fn row(&self, record: &csv::StringRecord, format: &DateFormat) -> Result<Option<CodeRow>, String> {
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let day = |place: Option<usize>| match place {
            Some(place) => format.first_day(Legacy::from(cell(place))).map_err(|fault| fault.message),
            None => Ok(None),
        };
        if cell(self.code).is_empty() {
            return Ok(None);
        }
        Ok(Some(CodeRow {
            code: cell(self.code).into(),
            value: cell(self.value).into(),
            valid_from: day(self.valid_from)?,
            valid_until: day(self.valid_until)?,
        }))
    }
}
