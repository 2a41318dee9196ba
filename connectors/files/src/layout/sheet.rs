//! A sheet of a spreadsheet, read by the crate `calamine`. Its formats can't be read as a stream, so what is wanted of
//! the sheet is held in memory: spreadsheets end at a million rows.

pub mod book;

use std::collections::{BTreeMap, HashSet, btree_map};
use std::io::Read as _;

use calamine::Data;
use rabita_sdk::{GroupSpec, Legacy, Source};

use self::book::Book;
use super::{Fault, Input, Records, Selection};
use crate::from::Sheet;

/// A layout of a sheet.
pub struct Layout(Sheet);

impl Layout {
    /// Takes the description.
    pub fn new(spec: &Sheet) -> Self {
        Self(spec.clone())
    }
}

/// A file of a spreadsheet that is larger is refused.
const FILE_MAX: u64 = 512 << 20;
/// So much memory may what is wanted of a sheet take: one text of a file can stand in a million cells.
const VALUES_MAX: usize = 1 << 30;

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        let mut bytes = Vec::new();
        let read = input.take(FILE_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| Fault::last(0, format!("a file that can be read to its end ({})", error.kind())))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Fault::last(0, "a spreadsheet of 512 MiB at most"));
        }
        let mut book = Book::open(bytes)?;
        let name = match &self.0.name {
            Some(name) => book.sheets().into_iter().find(|own| own == name),
            None => book.sheets().into_iter().next(),
        };
        let name = name.ok_or_else(|| Fault::last(0, "a sheet of the name that the manifest gives"))?;
        let header = self.0.header_row.saturating_sub(1);
        let names = names(&mut book, &name, header)?;
        let mut columns = Vec::with_capacity(selection.columns.len());
        for source in &selection.columns {
            let place = names.iter().find(|(_, name)| name.as_str() == source.as_str()).map(|(place, _)| *place);
            let missing = || {
                let mut fault = Fault::last(u64::from(header) + 1, "a column of this name");
                fault.column = Some(source.as_str().to_owned());
                fault
            };
            columns.push((place.ok_or_else(missing)?, source.clone()));
        }
        let rows = rows(&mut book, &name, header, &columns)?.into_iter();
        Ok(Box::new(Open { rows, columns }))
    }

    fn columns(&self) -> Option<Vec<Source>> {
        None
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        Some(Vec::new())
    }

    fn writer(&self) -> Option<&dyn super::Writer> {
        None
    }
}

/// The names of the columns, by their places.
fn names(book: &mut Book, sheet: &str, header: u32) -> Result<BTreeMap<u32, String>, Fault> {
    let mut names = BTreeMap::new();
    book.each(sheet, &mut |(row, column), cell| {
        if row == header {
            names.insert(column, cell().to_string().trim().to_owned());
        }
        // Rows stand in their order.
        Ok(row <= header)
    })?;
    Ok(names)
}

/// The cells of a row that hold something, each with its column.
type Cells = Vec<(u32, Data)>;

/// What is wanted of the rows behind the header. Only cells that are there take room: one far away at the edge would
/// else make a sheet of 17 thousand million.
fn rows(book: &mut Book, sheet: &str, header: u32, columns: &[(u32, Source)]) -> Result<BTreeMap<u32, Cells>, Fault> {
    let wanted: HashSet<u32> = columns.iter().map(|(column, _)| *column).collect();
    let (mut rows, mut taken): (BTreeMap<u32, Cells>, usize) = (BTreeMap::new(), 0);
    book.each(sheet, &mut |(row, column), cell| {
        if row <= header || !wanted.contains(&column) {
            return Ok(true);
        }
        let value = cell();
        taken += size_of::<(u32, Data)>() + if let Data::String(text) = &value { text.len() } else { 0 };
        if taken > VALUES_MAX {
            return Err(Fault::last(u64::from(row) + 1, "a sheet whose values take 1 GiB of memory at most"));
        }
        rows.entry(row).or_default().push((column, value));
        Ok(true)
    })?;
    Ok(rows)
}

struct Open {
    rows: btree_map::IntoIter<u32, Cells>,
    columns: Vec<(u32, Source)>,
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        for (row, cells) in self.rows.by_ref() {
            let line = u64::from(row) + 1;
            values.clear();
            for (column, source) in &self.columns {
                let cell = cells.iter().find(|(own, _)| own == column).map_or(&Data::Empty, |(_, cell)| cell);
                values.push(value(cell, source, line)?);
            }
            // Sheets often end with rows that only look empty.
            if !values.iter().all(Legacy::is_null) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}

/// The value of a cell. Spreadsheets know one sort of number: one without decimals is an integer here.
fn value(cell: &Data, source: &Source, line: u64) -> Result<Legacy, Fault> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    Ok(match cell {
        Data::Empty => Legacy::Null,
        Data::String(text) if text.is_empty() => Legacy::Null,
        Data::String(text) => Legacy::Text(text.clone()),
        Data::Int(number) => Legacy::Int(*number),
        #[expect(clippy::cast_possible_truncation, reason = "it has no decimals and is small enough")]
        Data::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => Legacy::Int(*number as i64),
        Data::Float(number) => Legacy::Float(*number),
        Data::Bool(truth) => Legacy::Bool(*truth),
        Data::DateTime(time) if time.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            let date = format!("{year:04}-{month:02}-{day:02}");
            let is_day = (hour, minute, second) == (0, 0, 0);
            Legacy::Text(if is_day { date } else { format!("{date}T{hour:02}:{minute:02}:{second:02}") })
        }
        Data::DateTime(duration) => Legacy::Float(duration.as_f64()),
        Data::DateTimeIso(text) | Data::DurationIso(text) => Legacy::Text(text.clone()),
        Data::Error(_) => return Err(Fault::in_column(line, source, "a value: the cell holds an error of its formula")),
    })
}

#[cfg(test)]
mod tests;
