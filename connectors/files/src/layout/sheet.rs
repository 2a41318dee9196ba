//! A sheet of a spreadsheet, read by the crate `calamine`. Its formats can't be read as a stream, so the whole sheet is
//! held in memory: spreadsheets end at a million rows.

use std::io::{Cursor, Read as _};

use calamine::{Data, Range, Reader as _, open_workbook_auto_from_rs};
use rabita_sdk::{GroupSpec, Legacy, Source};

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

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        let mut bytes = Vec::new();
        let read = input.take(FILE_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| Fault::last(0, format!("a file that can be read to its end ({})", error.kind())))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Fault::last(0, "a spreadsheet of 512 MiB at most"));
        }
        let unread = |_| Fault::last(0, "a spreadsheet: XLSX, XLSB, XLS or ODS");
        let mut book = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(unread)?;
        let name = match &self.0.name {
            Some(name) => book.sheet_names().into_iter().find(|own| own == name),
            None => book.sheet_names().into_iter().next(),
        };
        let missing = || Fault::last(0, "a sheet of the name that the manifest gives");
        let sheet = book.worksheet_range(&name.ok_or_else(missing)?).map_err(|_| missing())?;
        let header = self.0.header_row.saturating_sub(1);
        let (first_row, first_column) = sheet.start().unwrap_or_default();
        let width = sheet.end().map_or(0, |(_, column)| column + 1);
        let named = |column: u32| match sheet.get_value((header, column)) {
            Some(Data::Empty) | None => None,
            Some(cell) => Some(cell.to_string().trim().to_owned()),
        };
        let mut columns = Vec::with_capacity(selection.columns.len());
        for source in &selection.columns {
            let place = (first_column..width).find(|column| named(*column).as_deref() == Some(source.as_str()));
            let missing = || {
                let mut fault = Fault::last(u64::from(header) + 1, "a column of this name");
                fault.column = Some(source.as_str().to_owned());
                fault
            };
            columns.push((place.ok_or_else(missing)?, source.clone()));
        }
        Ok(Box::new(Open { row: (header + 1).max(first_row), sheet, columns }))
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

struct Open {
    sheet: Range<Data>,
    columns: Vec<(u32, Source)>,
    row: u32,
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        let end = self.sheet.end().map_or(0, |(row, _)| row + 1);
        while self.row < end {
            let row = self.row;
            self.row += 1;
            let line = u64::from(row) + 1;
            values.clear();
            for (column, source) in &self.columns {
                values.push(value(self.sheet.get_value((row, *column)).unwrap_or(&Data::Empty), source, line)?);
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
