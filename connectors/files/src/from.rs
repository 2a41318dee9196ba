//! What an entity's `from:` says: which files hold its records, and what they look like.

use std::path::PathBuf;

use indexmap::IndexMap;
use rabita_sdk::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entity's `from:`, and that of a code table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The name of the file, or a pattern of names: `persons-*.csv`.
    #[schemars(length(min = 1))]
    pub file: String,
    /// Which of several files that match are the drop.
    #[serde(default)]
    pub take: Take,
    /// What the file looks like.
    pub format: Format,
    /// How changes are written.
    #[serde(default)]
    pub write: Option<Write>,
}

/// Which of the files that match are the drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The one whose name is the last in the order of names.
    #[default]
    LastName,
    /// The one that was written last.
    Newest,
    /// All of them together.
    All,
}

/// What a file looks like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Values between delimiters, a record a line.
    Delimited(Delimited),
    /// Values at fixed places.
    Fixed(Fixed),
    /// Values at fixed places that a COBOL copybook describes.
    Copybook(Copybook),
    /// A JSON object a line.
    JsonLines(JsonLines),
    /// An XML document with an element for each record.
    Xml(Xml),
    /// A sheet of a spreadsheet: XLSX, XLSB, XLS or ODS.
    Sheet(Sheet),
}

/// Records that a COBOL copybook describes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copybook {
    /// The copybook: its text, or the file that holds it, relative to the configuration directory.
    pub book: Text,
    /// Such as `cp037`, `cp1026`, or `windows-1254` where the file left the mainframe.
    #[serde(default = "cp037")]
    pub encoding: String,
    /// How one record is told from the next; without it, each has the length that the copybook says.
    #[serde(default)]
    pub framing: Option<Framing>,
    /// The copybook's record that the entity's records are; without it there is only one.
    #[serde(default)]
    pub record: Option<String>,
    /// Where a record says of which kind it is; without it there is one kind only.
    #[serde(default)]
    pub kind: Option<Span>,
    /// What stands there in a record of the entity.
    #[serde(default)]
    pub is: Option<String>,
    /// Kinds of records that belong to the record of the entity before them: repeated groups, by their name.
    #[serde(default)]
    pub children: IndexMap<Source, CopybookChild>,
    /// Kinds of records that are passed over.
    #[serde(default)]
    pub skip: Vec<String>,
}

/// A kind of records of a copybook that belongs to the record before it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopybookChild {
    /// What stands at the place of `kind`.
    pub is: String,
    /// The copybook's record that describes it.
    pub record: String,
}

/// A text in place, or in a file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    Inline(String),
    File {
        /// Relative to the configuration directory.
        file: PathBuf,
    },
}

/// A JSON object a line.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonLines {
    /// The members that a written record has; without them records can only be read.
    #[serde(default)]
    pub columns: Vec<Source>,
}

/// An XML document.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Xml {
    /// The local name of the elements that are records, wherever they stand.
    #[schemars(length(min = 1))]
    pub record: String,
    /// The encoding, where the document does not say it by itself.
    #[serde(default = "utf8")]
    pub encoding: String,
}

/// A sheet of a spreadsheet.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The sheet's name; without it, the first.
    #[serde(default)]
    pub name: Option<String>,
    /// The row with the names of the columns, from 1 on; records follow it.
    #[serde(default = "first")]
    #[schemars(range(min = 1))]
    pub header_row: u32,
}

/// Values between delimiters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delimited {
    /// One ASCII character; `"\t"` is the tabulator.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// What stands around values that hold the delimiter, and twice for itself; none with `null`.
    #[serde(default = "double_quote")]
    pub quote: Option<char>,
    #[serde(default = "utf8")]
    pub encoding: String,
    /// Whether the first line has the columns' names.
    #[serde(default = "yes")]
    pub header: bool,
    /// The columns' names in the order of the file. Where there is a header it has to say the same.
    #[serde(default)]
    pub columns: Vec<Source>,
    /// What the values of a column are, where it is not text.
    #[serde(default)]
    pub types: IndexMap<Source, Type>,
    /// The text that stands for no value.
    #[serde(default)]
    pub null: String,
    /// A column: a line in which it has no value goes on the record of the line before.
    #[serde(default)]
    pub continued_without: Option<Source>,
    /// Repeated groups, each with its columns: every line of a record adds an item, unless it has no value in any of
    /// them.
    #[serde(default)]
    pub groups: IndexMap<Source, Vec<Source>>,
    /// What ends a line that is written.
    #[serde(default)]
    pub line_end: LineEnd,
}

/// Values at fixed places.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    #[serde(default = "utf8")]
    pub encoding: String,
    /// How one record is told from the next.
    #[serde(default)]
    pub framing: Framing,
    /// The columns of a record.
    pub columns: IndexMap<Source, FixedColumn>,
    /// Where a record says of which kind it is; without it there is one kind only.
    #[serde(default)]
    pub kind: Option<Span>,
    /// What stands there in a record of the entity.
    #[serde(default)]
    pub record: Option<String>,
    /// Kinds of records that belong to the record of the entity before them: repeated groups, by their name.
    #[serde(default)]
    pub children: IndexMap<Source, Child>,
    /// Kinds of records that are passed over: headers and trailers.
    #[serde(default)]
    pub skip: Vec<String>,
    /// What ends a line that is written.
    #[serde(default)]
    pub line_end: LineEnd,
}

/// How one record is told from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Each is a line.
    #[default]
    Lines,
    /// Each has so many bytes, and nothing between them.
    Bytes(#[schemars(range(min = 1, max = 1_000_000))] usize),
    /// Each begins with its length, as z/OS writes it (RDW): two bytes, itself included, and two of zeros.
    Rdw,
}

/// Where a value is: in bytes, or in characters where a character may have several bytes (UTF-8, UTF-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The place of its first character, from 1 on.
    #[schemars(range(min = 1))]
    pub at: usize,
    #[schemars(range(min = 1))]
    pub width: usize,
}

/// A column at a fixed place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedColumn {
    /// The place of its first character, from 1 on.
    #[schemars(range(min = 1))]
    pub at: usize,
    #[schemars(range(min = 1))]
    pub width: usize,
    #[serde(default, rename = "type")]
    pub kind: Type,
}

/// A kind of records that belongs to the record before it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// What stands at the place of `kind`.
    pub is: String,
    pub columns: IndexMap<Source, FixedColumn>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Text; at a fixed place without the blanks at its end.
    #[default]
    Text,
    /// A whole number in decimal digits.
    Integer,
    /// Bytes, as Base64.
    Base64,
    /// Bytes, two hexadecimal digits each.
    Hex,
    /// A number in digits without a point: `{ scale: 2 }` says that two of them stand after it.
    Digits(Number),
    /// Packed decimal (`COMP-3`): two digits a byte, the last half-byte is the sign.
    Packed(Number),
    /// Zoned decimal (`DISPLAY`): a digit a byte, the sign within the last one.
    Zoned(Number),
    /// A binary number (`COMP`), the most significant byte first.
    Binary(Number),
}

/// A number of legacy form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// How many of the digits stand after the decimal point.
    #[serde(default)]
    #[schemars(range(max = 18))]
    pub scale: u8,
    /// Whether it may be negative.
    #[serde(default)]
    pub signed: bool,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    #[default]
    Lf,
    Crlf,
}

impl LineEnd {
    /// The characters.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
        }
    }
}

/// How changes are written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The name of each file: `{number}` grows by one with each, `{date}` and `{time}` are those of the change in UTC,
    /// `{id}` is the id of the change.
    #[schemars(regex(pattern = r"^[^./][^/]*$"))]
    pub name: String,
    /// Where the record says what is done.
    pub operation: OperationColumn,
    /// What becomes of the version at a change.
    #[serde(default)]
    pub bump: Bump,
}

/// Where a changed record says what is done, and in which words.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationColumn {
    /// A column of the layout; of delimited files one that is put before the others, if it is none of them.
    pub column: Source,
    #[serde(default = "create")]
    pub create: String,
    #[serde(default = "replace")]
    pub replace: String,
    #[serde(default = "replace")]
    pub update: String,
    #[serde(default = "delete")]
    pub delete: String,
}

/// What becomes of the version at a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// Nothing; it is for the agency to change it.
    #[default]
    None,
    /// It grows by one; that of a new record is 1.
    Increment,
    /// It is the time of the change in UTC (ISO 8601).
    Timestamp,
}

const fn comma() -> char {
    ','
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional setting")]
const fn double_quote() -> Option<char> {
    Some('"')
}

fn cp037() -> String {
    "cp037".to_owned()
}

const fn first() -> u32 {
    1
}

fn utf8() -> String {
    "utf-8".to_owned()
}

const fn yes() -> bool {
    true
}

fn create() -> String {
    "I".to_owned()
}

fn replace() -> String {
    "U".to_owned()
}

fn delete() -> String {
    "D".to_owned()
}

/// The `from:` of an entity's `changes:`: the difference between two drops.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedFrom {
    /// `drops`: each record that a drop has otherwise than the one before, or that it has no longer.
    pub difference: Difference,
}

/// Between what a difference is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    Drops,
}
