//! Values between delimiters. The crate `csv` writes the lines, the one beneath it reads them.

mod lines;

use std::collections::HashMap;

use csv::{QuoteStyle, Terminator, WriterBuilder};
use rabita_sdk::{GroupSpec, Legacy, Row, Source};

use self::lines::{ENCODING, Lines};
use super::charset::Charset;
use super::{Fault, Input, Records, Selection, Unwritable, typed};
use crate::from::{Delimited, LineEnd, Type};

/// A layout of delimited values.
pub struct Layout {
    spec: Delimited,
    charset: Charset,
    delimiter: u8,
    quote: Option<u8>,
}

impl Layout {
    /// Takes the description apart.
    pub fn new(spec: &Delimited) -> Result<Self, Vec<(String, String)>> {
        let mut wrong = Vec::new();
        let charset = Charset::named(&spec.encoding);
        if charset.is_none() {
            wrong.push(("/delimited/encoding".to_owned(), "there is no such encoding".to_owned()));
        }
        let ascii = |text: char| u8::try_from(text).ok().filter(u8::is_ascii);
        let delimiter = ascii(spec.delimiter);
        if delimiter.is_none_or(|byte| matches!(byte, b'\n' | b'\r')) {
            wrong.push(("/delimited/delimiter".to_owned(), "the delimiter is one ASCII character, and no line end".to_owned()));
        }
        let quote = spec.quote.map(ascii);
        if quote == Some(None) || quote.flatten().is_some_and(|quote| Some(quote) == delimiter) {
            let message = "the quote is one ASCII character, and not the delimiter";
            wrong.push(("/delimited/quote".to_owned(), message.to_owned()));
        }
        if spec.columns.is_empty() && !spec.header {
            let message = "without a header the columns have to be named: add `columns`";
            wrong.push(("/delimited/header".to_owned(), message.to_owned()));
        }
        for (name, kind) in &spec.types {
            if matches!(kind, Type::Packed(_) | Type::Zoned(_) | Type::Binary(_)) {
                let message = "numbers of this type stand at fixed places only: this is a file of text";
                wrong.push((format!("/delimited/types/{}", rabita_sdk::finding::token(name.as_str())), message.to_owned()));
            }
        }
        match (charset, delimiter) {
            (Some(charset), Some(delimiter)) if wrong.is_empty() => {
                Ok(Self { spec: spec.clone(), charset, delimiter, quote: quote.flatten() })
            }
            _ => Err(wrong),
        }
    }

    fn kind(&self, column: &Source) -> Type {
        self.spec.types.get(column).copied().unwrap_or_default()
    }

    /// The names of a file's columns: those of its header, where there is one.
    fn names(&self, header: Option<&Lines>) -> Result<Vec<String>, Fault> {
        let told: Vec<String> = self.spec.columns.iter().map(|name| name.as_str().to_owned()).collect();
        let Some(header) = header else { return Ok(told) };
        if header.width() > COLUMNS_MAX {
            return Err(Fault::last(1, format!("a header of {COLUMNS_MAX} columns at most")));
        }
        let name = |place| text(header, place, 1).map(str::to_owned);
        let found: Vec<String> = (0..header.width()).map(name).collect::<Result<_, _>>()?;
        if told.is_empty() || told == found {
            return Ok(found);
        }
        if found.len() != told.len() {
            return Err(Fault::last(1, format!("a header of {} columns, and it has {}", told.len(), found.len())));
        }
        let other = told.iter().zip(&found).position(|(told, found)| told != found).unwrap_or_default();
        let mut fault = Fault::last(1, format!("this column as number {} of the header", other + 1));
        fault.column = Some(told[other].clone());
        Err(fault)
    }
}

/// A header with more columns is none: perhaps the delimiter is another.
const COLUMNS_MAX: usize = 100_000;

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        let reader = csv_core::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .build();
        let mut lines = Lines::new(self.charset.decoded(input), reader);
        let has_header = self.spec.header;
        if has_header && lines.next()?.is_none() {
            return Err(Fault::last(1, "a line with the names of the columns, and the file is empty"));
        }
        let names = self.names(has_header.then_some(&lines))?;
        let places: HashMap<&str, usize> = names.iter().enumerate().rev().map(|(place, name)| (name.as_str(), place)).collect();
        let find = |source: &Source| {
            let place = places.get(source.as_str()).copied().or_else(|| numbered(source, names.len()));
            let missing = || {
                let mut fault = Fault::last(u64::from(has_header), "a column of this name");
                fault.column = Some(source.as_str().to_owned());
                fault
            };
            Ok(Cell { place: place.ok_or_else(missing)?, name: source.clone(), kind: self.kind(source) })
        };
        let all = |sources: &[Source]| sources.iter().map(find).collect::<Result<Vec<_>, Fault>>();
        Ok(Box::new(Open {
            columns: all(&selection.columns)?,
            groups: selection.groups.iter().map(|group| all(&group.sources)).collect::<Result<_, _>>()?,
            continued_without: self.spec.continued_without.as_ref().map(find).transpose()?,
            width: names.len(),
            null: self.spec.null.clone(),
            lines,
            ahead: None,
        }))
    }

    fn columns(&self) -> Option<Vec<Source>> {
        (!self.spec.columns.is_empty()).then(|| self.spec.columns.clone())
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        let group = |(name, sources): (&Source, &Vec<Source>)| GroupSpec { name: name.clone(), sources: sources.clone() };
        Some(self.spec.groups.iter().map(group).collect())
    }

    fn writer(&self) -> Option<&dyn super::Writer> {
        (!self.spec.columns.is_empty() && self.spec.groups.is_empty() && self.spec.continued_without.is_none()).then_some(self)
    }

    fn takes_front(&self) -> bool {
        true
    }
}

/// A column by its number: `#3`. So columns can be named whose header is empty, or that of another one.
fn numbered(source: &Source, width: usize) -> Option<usize> {
    let number: usize = source.as_str().strip_prefix('#')?.parse().ok()?;
    number.checked_sub(1).filter(|place| *place < width)
}

struct Open {
    lines: Lines,
    columns: Vec<Cell>,
    groups: Vec<Vec<Cell>>,
    continued_without: Option<Cell>,
    width: usize,
    null: String,
    /// The record whose last line may not have come yet.
    ahead: Option<(u64, Vec<Legacy>)>,
}

/// A column and its place in a line, counted from 0.
struct Cell {
    place: usize,
    name: Source,
    kind: Type,
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        loop {
            let Some(line) = self.line()? else { return Ok(hand_over(&mut self.ahead, None, values)) };
            let goes_on = match &self.continued_without {
                None => {
                    *values = self.record(line)?;
                    return Ok(Some(line));
                }
                Some(cell) => self.value(cell, line)?.is_null(),
            };
            if !goes_on {
                let next = (line, self.record(line)?);
                if let Some(line) = hand_over(&mut self.ahead, Some(next), values) {
                    return Ok(Some(line));
                }
                continue;
            }
            let items = self.items(line)?;
            let Some((_, ahead)) = &mut self.ahead else {
                return Err(Fault::at(line, "a record before the lines that go on it"));
            };
            for (group, item) in ahead.iter_mut().skip(self.columns.len()).zip(items) {
                if let Legacy::List(all) = group {
                    all.extend(item);
                }
            }
        }
    }
}

/// Hands over the record whose last line has come, and keeps the next.
fn hand_over(ahead: &mut Option<(u64, Vec<Legacy>)>, next: Option<(u64, Vec<Legacy>)>, values: &mut Vec<Legacy>) -> Option<u64> {
    let (line, done) = std::mem::replace(ahead, next)?;
    *values = done;
    Some(line)
}

impl Open {
    /// Reads a line; the number of the line on which it begins, or `None` after the last.
    fn line(&mut self) -> Result<Option<u64>, Fault> {
        match self.lines.next()? {
            Some(line) if self.lines.width() != self.width => {
                Err(Fault::at(line, format!("{} columns, and there are {}", self.width, self.lines.width())))
            }
            line => Ok(line),
        }
    }

    /// The values of a record by its first line.
    fn record(&self, line: u64) -> Result<Vec<Legacy>, Fault> {
        let mut values = Vec::with_capacity(self.columns.len() + self.groups.len());
        for cell in &self.columns {
            values.push(self.value(cell, line)?);
        }
        values.extend(self.items(line)?.into_iter().map(|item| Legacy::List(item.into_iter().collect())));
        Ok(values)
    }

    /// What a line adds to each group.
    fn items(&self, line: u64) -> Result<Vec<Option<Legacy>>, Fault> {
        let item = |cells: &Vec<Cell>| {
            let value = |cell: &Cell| Ok((cell.name.shared(), self.value(cell, line)?));
            let item: Row = cells.iter().map(value).collect::<Result<Vec<_>, Fault>>()?.into_iter().collect();
            let has_value = item.iter().any(|(_, value)| !value.is_null());
            Ok(has_value.then_some(Legacy::Group(item)))
        };
        self.groups.iter().map(item).collect()
    }

    fn value(&self, cell: &Cell, line: u64) -> Result<Legacy, Fault> {
        let text = text(&self.lines, cell.place, line)?;
        if text == self.null {
            return Ok(Legacy::Null);
        }
        typed::value(text, cell.kind).map_err(|expected| Fault::in_column(line, &cell.name, expected))
    }
}

/// A field of the line that was read last.
fn text(lines: &Lines, place: usize, line: u64) -> Result<&str, Fault> {
    std::str::from_utf8(lines.field(place)).map_err(|_| Fault::last(line, ENCODING))
}

impl super::Writer for Layout {
    fn columns(&self) -> &[Source] {
        &self.spec.columns
    }

    fn begin(&self, front: Option<&Source>, into: &mut Vec<u8>) {
        into.extend_from_slice(self.charset.mark());
        if self.spec.header {
            let names = front.into_iter().chain(&self.spec.columns).map(Source::as_str);
            // A name that the encoding lacks could not have been found in a header of the agency's either.
            into.extend(self.line(names).unwrap_or_default());
        }
    }

    fn write(&self, front: Option<(&Source, &str)>, values: &[Legacy], into: &mut Vec<u8>) -> Result<(), Unwritable> {
        let mut texts = Vec::with_capacity(values.len() + 1);
        texts.extend(front.map(|(_, text)| text.to_owned()));
        for (source, value) in self.spec.columns.iter().zip(values) {
            let unfit = |why| Unwritable { column: source.clone(), why };
            let text = match value {
                Legacy::Null => self.spec.null.clone(),
                value => {
                    let text = typed::text(value, self.kind(source)).map_err(unfit)?;
                    if text == self.spec.null {
                        return Err(unfit("is the text that stands for no value"));
                    }
                    text
                }
            };
            let is_bare = self.quote.is_none();
            if is_bare && (text.contains(['\n', '\r']) || text.contains(char::from(self.delimiter))) {
                return Err(unfit("holds a delimiter or a line end, and this layout has no quotes"));
            }
            if self.charset.encode(&text).is_none() {
                return Err(unfit("has a character that the encoding lacks"));
            }
            texts.push(text);
        }
        into.extend(self.line(texts.iter().map(String::as_str)).unwrap_or_default());
        Ok(())
    }
}

impl Layout {
    fn line<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
        let mut writer = WriterBuilder::new()
            .delimiter(self.delimiter)
            .quote(self.quote.unwrap_or(b'"'))
            .quote_style(if self.quote.is_some() { QuoteStyle::Necessary } else { QuoteStyle::Never })
            .terminator(match self.spec.line_end {
                LineEnd::Lf => Terminator::Any(b'\n'),
                LineEnd::Crlf => Terminator::CRLF,
            })
            .from_writer(Vec::new());
        writer.write_record(texts).ok()?;
        let line = writer.into_inner().ok()?;
        self.charset.encode(std::str::from_utf8(&line).ok()?)
    }
}
