//! What a file looks like: its bytes become records, and records become bytes.
//!
//! A layout is made once of what the manifest says. It is opened on each file, and hands over the values of the
//! columns asked for, record by record: no file is held in memory as a whole, unless its format leaves no choice.

mod bounded;
pub mod charset;
pub mod copybook;
mod delimited;
mod fixed;
mod framing;
mod json;
mod number;
mod page;
pub(crate) mod sheet;
mod typed;
pub mod xml;

use std::io::Read;
use std::path::Path;

use rabita_sdk::{GroupSpec, Legacy, Source};

use crate::from::Format;

/// The bytes of a file.
pub type Input = Box<dyn Read + Send>;

/// What is wanted of each record, in the order in which it is handed over: columns, then groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub columns: Vec<Source>,
    pub groups: Vec<GroupSpec>,
}

impl Selection {
    /// How many values a record has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len() + self.groups.len()
    }
}

/// The layout of a file.
pub trait Layout: Send + Sync {
    /// Reads a file's beginning, such as the names of its columns.
    ///
    /// # Errors
    /// What keeps the whole file from being read.
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault>;

    /// The columns there are, where that is known without a file.
    fn columns(&self) -> Option<Vec<Source>>;

    /// The repeated groups, each with its columns, where that is known without a file.
    fn groups(&self) -> Option<Vec<GroupSpec>>;

    /// The columns with what they hold, where that is known without a file.
    fn described(&self) -> Vec<(Source, crate::from::Type)> {
        Vec::new()
    }

    /// How records are written; `None` where this layout can only be read.
    fn writer(&self) -> Option<&dyn Writer>;

    /// Whether a value that no file of the agency has can stand before a written record.
    fn takes_front(&self) -> bool {
        false
    }
}

/// The records of an open file, in the order of the file.
pub trait Records {
    /// The next record: its values, one for each of what was selected, are put in the place of those before.
    /// Returns where it begins; `None` after the last.
    ///
    /// # Errors
    /// What is wrong with this record. Unless the fault is final, those after it can be read.
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault>;
}

/// Writes records.
pub trait Writer: Send + Sync {
    /// The columns that a record is made of. A column that is not given is written as no value.
    fn columns(&self) -> &[Source];

    /// Appends what stands before the first record: the line with the names of the columns.
    fn begin(&self, front: Option<&Source>, into: &mut Vec<u8>);

    /// Appends a record: its values in the order of [`Self::columns`]; before them the value of a column that no file
    /// of the agency has.
    ///
    /// # Errors
    /// The column whose value this layout can't hold.
    fn write(&self, front: Option<(&Source, &str)>, values: &[Legacy], into: &mut Vec<u8>) -> Result<(), Unwritable>;
}

/// A value that a layout can't hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    pub column: Source,
    pub why: &'static str,
}

/// Something in a file that is not as it should be. It names places and what was expected, never what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line or record, from 1 on; 0 where it is the whole file.
    pub line: u64,
    /// The column, where it is one.
    pub column: Option<String>,
    /// What should be there.
    pub expected: String,
    /// Nothing after it can be read.
    pub is_final: bool,
}

impl Fault {
    /// A fault of a record.
    pub fn at(line: u64, expected: impl Into<String>) -> Self {
        Self { line, column: None, expected: expected.into(), is_final: false }
    }

    /// A fault in a column of a record.
    pub fn in_column(line: u64, column: &Source, expected: impl Into<String>) -> Self {
        Self { column: Some(column.as_str().to_owned()), ..Self::at(line, expected) }
    }

    /// A fault after which nothing can be read.
    pub fn last(line: u64, expected: impl Into<String>) -> Self {
        Self { is_final: true, ..Self::at(line, expected) }
    }
}

/// What is wrong with a description: JSON Pointers within `format`, each with a sentence.
pub type Wrong = Vec<(String, String)>;

/// The layout that a manifest describes, and what of it stands in files beside the manifest.
///
/// # Errors
/// What is wrong with the description.
pub fn compile(format: &Format, directory: &Path) -> Result<(Box<dyn Layout>, String), Wrong> {
    let plain = |layout: Box<dyn Layout>| (layout, String::new());
    match format {
        Format::Delimited(spec) => Ok(plain(Box::new(delimited::Layout::new(spec)?))),
        Format::Fixed(spec) => Ok(plain(Box::new(fixed::Layout::new(spec)?))),
        Format::Copybook(spec) => copybook::layout(spec, directory).map(|(layout, text)| {
            let layout: Box<dyn Layout> = Box::new(layout);
            (layout, text)
        }),
        Format::JsonLines(spec) => Ok(plain(Box::new(json::Layout::new(spec)?))),
        Format::Xml(spec) => Ok(plain(Box::new(xml::Layout::new(spec)?))),
        Format::Sheet(spec) => Ok(plain(Box::new(sheet::Layout::new(spec)))),
    }
}

#[cfg(test)]
mod tests;
