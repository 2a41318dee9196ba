//! A file of a spreadsheet, as the crate `calamine` reads it.
//!
//! A file that does not keep to its format brings that crate to a panic in more than one place, and no release of it is without:
//! <https://github.com/tafia/calamine/issues/692>. Such a file is refused as any broken one is, so each call is caught here. What
//! was being read is given up with it, and nothing of it is used again.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Cell, Data, DataRef, Reader as _, Sheets, open_workbook_auto_from_rs};

use super::Fault;

/// A spreadsheet.
pub struct Book(Sheets<Cursor<Vec<u8>>>);

/// Takes a cell, by its row and column from 0 on; false where no other is wanted.
pub type Take<'a> = dyn FnMut((u32, u32), &dyn Fn() -> Data) -> Result<bool, Fault> + 'a;

impl Book {
    /// Opens a file by its bytes.
    pub fn open(bytes: Vec<u8>) -> Result<Self, Fault> {
        let book = unharmed(|| open_workbook_auto_from_rs(Cursor::new(bytes)));
        book.map(Self).ok_or_else(|| Fault::last(0, "a spreadsheet: XLSX, XLSB, XLS or ODS"))
    }

    /// The names of its sheets.
    pub fn sheets(&self) -> Vec<String> {
        self.0.sheet_names()
    }

    /// Hands over each cell of a sheet that holds something.
    pub fn each(&mut self, sheet: &str, take: &mut Take<'_>) -> Result<(), Fault> {
        match &mut self.0 {
            Sheets::Xlsx(book) => {
                let mut cells = unharmed(|| book.worksheet_cells_reader(sheet)).ok_or_else(unread)?;
                told(|| cells.next_cell(), take)
            }
            Sheets::Xlsb(book) => {
                let mut cells = unharmed(|| book.worksheet_cells_reader(sheet)).ok_or_else(unread)?;
                told(|| cells.next_cell(), take)
            }
            Sheets::Xls(_) | Sheets::Ods(_) => {
                let range = unharmed(|| self.0.worksheet_range(sheet)).ok_or_else(unread)?;
                let (first_row, first_column) = range.start().unwrap_or_default();
                for (row, column, value) in range.used_cells() {
                    let place = |first: u32, at: usize| first.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                    if !take((place(first_row, row), place(first_column, column)), &|| value.clone())? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

fn unread() -> Fault {
    Fault::last(0, "a sheet that can be read: it is broken, or no sheet of cells")
}

/// Hands over what comes, one cell after the other.
fn told<'a, E>(mut next: impl FnMut() -> Result<Option<Cell<DataRef<'a>>>, E>, take: &mut Take<'_>) -> Result<(), Fault> {
    while let Some(cell) = unharmed(&mut next).ok_or_else(unread)? {
        let goes_on = match cell.get_value() {
            DataRef::Empty => true,
            value => take(cell.get_position(), &|| value.clone().into())?,
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// What the crate comes to, unless it is an error or a panic.
fn unharmed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()?.ok()
}
