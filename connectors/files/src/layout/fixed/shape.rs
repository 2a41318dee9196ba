//! What is known of the records of a file with fixed places: how values are taken out of their bytes.

use rabita_sdk::{Legacy, Row, Source};

use super::super::charset::Charset;
use super::super::{Fault, number, typed};
use crate::from::{Span, Type};

/// What is known of the records.
pub struct Shape {
    pub charset: Charset,
    /// Places count characters; else bytes.
    pub by_characters: bool,
    pub columns: Vec<Column>,
    pub repeats: Vec<Repeat>,
    /// The characters that a record is long at least, with all its columns.
    pub width: usize,
    pub kind: Option<Kind>,
}

/// How kinds of records are told from each other.
pub struct Kind {
    pub at: Span,
    pub record: String,
    pub children: Vec<Child>,
    pub skip: Vec<String>,
}

/// A kind of records that belongs to the record before it.
pub struct Child {
    pub is: String,
    pub group: Source,
    pub columns: Vec<Column>,
}

/// A column, from its first byte (or character) on, counted from 0.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: Source,
    pub start: usize,
    pub width: usize,
    pub kind: Type,
}

/// A repeated group within a record: its items stand one behind the other.
#[derive(Debug, Clone)]
pub struct Repeat {
    pub group: Source,
    /// The columns of the first item.
    pub columns: Vec<Column>,
    pub stride: usize,
    pub most: usize,
    /// The column that says how many items there are; without it, the last ones without any value are left out.
    pub count: Option<Column>,
}

/// What stands at a place that tells kinds of records apart, as a column.
pub fn span(at: Span) -> Column {
    Column { name: Source::new("kind"), start: at.at.saturating_sub(1), width: at.width, kind: Type::Text }
}

impl Shape {
    /// The bytes at a place; fewer where the record ends before. `None` where it ends before the place begins.
    pub fn bytes<'a>(&self, frame: &'a [u8], column: &Column) -> Option<&'a [u8]> {
        let (mut start, mut end) = (column.start, column.start + column.width);
        if self.by_characters {
            let text = std::str::from_utf8(frame).ok()?;
            let mut places = text.char_indices().map(|(place, _)| place).chain([text.len()]);
            start = places.nth(start)?;
            end = places.nth(column.width - 1).unwrap_or(text.len());
        }
        frame.get(start..end.min(frame.len()))
    }

    pub fn text(&self, frame: &[u8], column: &Column) -> Option<String> {
        let bytes = self.bytes(frame, column)?;
        if self.by_characters { String::from_utf8(bytes.to_vec()).ok() } else { self.charset.decode(bytes) }
    }

    pub fn value(&self, frame: &[u8], column: &Column, line: u64) -> Result<Legacy, Fault> {
        let wrong = |expected: &str| Fault::in_column(line, &column.name, expected);
        let whole = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) if bytes.len() == column.width => Ok(bytes.to_vec()),
            _ => Err(wrong("a value: the record ends before it")),
        };
        let (blank, is_ebcdic) = (self.blank(), self.charset.is_ebcdic());
        let read = match column.kind {
            Type::Packed(how) => number::packed(&whole(self.bytes(frame, column))?, how, blank),
            Type::Zoned(how) => number::zoned(&whole(self.bytes(frame, column))?, how, is_ebcdic),
            Type::Binary(how) => number::binary(&whole(self.bytes(frame, column))?, how),
            kind => {
                // Blanks at the end of a line are often left out, so a line may end before its last columns.
                let Some(bytes) = self.bytes(frame, column) else { return Ok(Legacy::Null) };
                if bytes.is_empty() {
                    return Ok(Legacy::Null);
                }
                let text = self.text(frame, column).ok_or_else(|| wrong("text in the encoding that the manifest names"))?;
                let text = text.trim_end_matches([' ', '\0']);
                if text.is_empty() { Ok(Legacy::Null) } else { typed::value(text, kind) }
            }
        };
        read.map_err(wrong)
    }

    pub fn blank(&self) -> u8 {
        self.charset.encode(" ").and_then(|bytes| bytes.first().copied()).unwrap_or(b' ')
    }

    /// A record's values at these columns, as an item of a group.
    pub fn item(&self, frame: &[u8], columns: &[Column], offset: usize, line: u64) -> Result<Row, Fault> {
        let value = |column: &Column| {
            let moved = Column { start: column.start + offset, ..column.clone() };
            Ok((column.name.shared(), self.value(frame, &moved, line)?))
        };
        Ok(columns.iter().map(value).collect::<Result<Vec<_>, Fault>>()?.into_iter().collect())
    }

    /// The items of a group that repeats within a record.
    pub fn items(&self, frame: &[u8], repeat: &Repeat, columns: &[Column], line: u64) -> Result<Legacy, Fault> {
        let told = repeat.count.as_ref().map(|count| self.value(frame, count, line)).transpose()?;
        let count = match told {
            Some(Legacy::Int(count)) => usize::try_from(count).ok().filter(|count| *count <= repeat.most),
            Some(_) => None,
            None => Some(repeat.most),
        };
        let count = count.ok_or_else(|| {
            let expected = format!("a number up to {}: so many items of `{}` there are at most", repeat.most, repeat.group);
            Fault { column: repeat.count.as_ref().map(|count| count.name.to_string()), ..Fault::at(line, expected) }
        })?;
        let mut items = Vec::new();
        for at in 0..count {
            let offset = at * repeat.stride;
            let is_beyond = repeat.columns.iter().all(|column| column.start + offset >= frame.len());
            if repeat.count.is_none() && is_beyond {
                break;
            }
            items.push(self.item(frame, columns, offset, line)?);
        }
        if repeat.count.is_none() {
            while items.last().is_some_and(|item| item.iter().all(|(_, value)| value.is_null())) {
                items.pop();
            }
        }
        Ok(Legacy::List(items.into_iter().map(Legacy::Group).collect()))
    }
}
