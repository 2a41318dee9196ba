//! An XML document with an element for each record, read as a stream.
//!
//! A source is the element on the way to a value (`address.city`), an attribute (`@id`), or the text beside them
//! (`#text`). Names are local: prefixes tell nothing. Elements that repeat are a list. Nothing external is fetched,
//! and a document type is refused.

use std::io::{BufReader, Read as _};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use rabita_sdk::{GroupSpec, Legacy, Row, Source};

use super::bounded::{Bounded, RECORD_MAX, Seen};
use super::charset::Charset;
use super::json::pick;
use super::{Fault, Input, Records, Selection};
use crate::from::Xml;

/// A layout of XML.
pub struct Layout {
    record: String,
    charset: Charset,
}

impl Layout {
    /// Takes the description apart.
    pub fn new(spec: &Xml) -> Result<Self, Vec<(String, String)>> {
        let charset = Charset::named(&spec.encoding);
        let charset = charset.ok_or_else(|| vec![("/xml/encoding".to_owned(), "there is no such encoding".to_owned())])?;
        Ok(Self { record: spec.record.clone(), charset })
    }
}

impl Layout {
    /// The records of a document, each with all that is in it.
    pub fn rows(&self, input: Input) -> Result<Rows, Fault> {
        let (reader, seen) = reader(input, self.charset)?;
        Ok(Rows { reader, record: self.record.clone(), seen, buffer: Vec::new(), depth: 0, count: 0 })
    }
}

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        Ok(Box::new(Open { rows: self.rows(input)?, selection: selection.clone() }))
    }

    fn columns(&self) -> Option<Vec<Source>> {
        None
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        None
    }

    fn writer(&self) -> Option<&dyn super::Writer> {
        None
    }
}

/// So much of a document is looked at for its declaration.
const HEAD: u64 = 256;

/// Reads a document in the encoding that it says it has, or else in this one, and tells how much was seen of it.
pub fn reader(mut input: Input, charset: Charset) -> Result<(Reader<BufReader<Input>>, Arc<Seen>), Fault> {
    let mut head = Vec::new();
    let read = (&mut input).take(HEAD).read_to_end(&mut head);
    read.map_err(|error| Fault::last(0, format!("a file that can be read to its end ({})", error.kind())))?;
    let charset = declared(&head).unwrap_or(charset);
    let whole: Input = Box::new(std::io::Cursor::new(head).chain(input));
    let seen = Arc::new(Seen::default());
    let bounded: Input = Box::new(Bounded::new(charset.decoded(whole), Arc::clone(&seen)));
    let mut reader = Reader::from_reader(BufReader::with_capacity(1 << 16, bounded));
    reader.config_mut().expand_empty_elements = true;
    Ok((reader, seen))
}

/// The encoding that a document says it has, where its declaration is in ASCII.
pub fn declared(head: &[u8]) -> Option<Charset> {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let told = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = told.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Charset::named(told[1..].split(quote).next()?)
}

struct Open {
    rows: Rows,
    selection: Selection,
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        let Some((number, row)) = self.rows.read()? else { return Ok(None) };
        pick(&row, &self.selection, values);
        Ok(Some(number))
    }
}

/// The records of a document, one after the other.
pub struct Rows {
    reader: Reader<BufReader<Input>>,
    record: String,
    seen: Arc<Seen>,
    buffer: Vec<u8>,
    depth: usize,
    /// The number of the record, which is what a fault names: XML is not made of lines.
    count: u64,
}

/// An element that is being read.
#[derive(Default)]
struct Element {
    name: String,
    row: Row,
    text: String,
}

/// Deeper documents are refused.
const DEPTH_MAX: usize = 64;
/// An element has so many different ones in it at most.
const MEMBERS_MAX: usize = 1_000;
/// What an element, or an attribute, takes besides its text.
const ELEMENT: usize = 64;

impl Rows {
    /// The next record, and its number.
    pub fn read(&mut self) -> Result<Option<(u64, Row)>, Fault> {
        let mut open: Vec<Element> = Vec::new();
        let mut size = 0;
        loop {
            self.buffer.clear();
            self.seen.begin();
            let number = self.count + 1;
            let event = self.reader.read_event_into(&mut self.buffer);
            let event = event.map_err(|error| fault(&error, number))?;
            match event {
                Event::Eof if self.depth == 0 && open.is_empty() => return Ok(None),
                Event::Eof => return Err(Fault::last(number, "the ends of all elements, and the file ends before them")),
                Event::DocType(_) => return Err(Fault::last(number, "a document without a document type")),
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(Fault::last(number, format!("elements in {DEPTH_MAX} others at most")));
                    }
                    let name = start.local_name().as_ref().to_owned();
                    if !open.is_empty() || name == self.record {
                        grow(&mut size, ELEMENT + start.len(), number)?;
                        open.push(element(name, &start).ok_or_else(|| Fault::last(number, "attributes that are well formed"))?);
                    }
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    let Some(done) = open.pop() else { continue };
                    match open.last_mut() {
                        Some(parent) if parent.row.len() < MEMBERS_MAX => add(&mut parent.row, done),
                        Some(_) => {
                            return Err(Fault::last(
                                number,
                                format!("elements with {MEMBERS_MAX} different ones in them at most"),
                            ));
                        }
                        None => {
                            self.count = number;
                            let row = match value(done).1 {
                                Legacy::Group(row) => row,
                                text => [("#text", text)].into_iter().collect(),
                            };
                            return Ok(Some((number, row)));
                        }
                    }
                }
                Event::Text(text) => append(&mut open, &mut size, Some(&text.xml10_content()), number)?,
                Event::CData(text) => append(&mut open, &mut size, Some(&text.xml10_content()), number)?,
                Event::GeneralRef(reference) => {
                    let text = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(character.to_string()),
                        Ok(None) => quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned),
                        Err(_) => None,
                    };
                    append(&mut open, &mut size, text.as_deref(), number)?;
                }
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }
}

fn append(open: &mut [Element], size: &mut usize, text: Option<&str>, number: u64) -> Result<(), Fault> {
    let Some(element) = open.last_mut() else { return Ok(()) };
    let text = text.ok_or_else(|| Fault::last(number, "text in the encoding that the manifest names, and known entities"))?;
    grow(size, text.len(), number)?;
    element.text.push_str(text);
    Ok(())
}

/// Notes what a record takes.
fn grow(size: &mut usize, by: usize, number: u64) -> Result<(), Fault> {
    *size += by;
    if *size > RECORD_MAX { Err(Fault::last(number, "a record of 64 MiB at most")) } else { Ok(()) }
}

fn fault(error: &quick_xml::Error, number: u64) -> Fault {
    let expected = match error {
        quick_xml::Error::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            "a tag, text or comment of 64 MiB at most: perhaps one is not closed"
        }
        _ => "well-formed XML in the encoding that the manifest names",
    };
    Fault::last(number, expected)
}

fn element(name: String, start: &BytesStart<'_>) -> Option<Element> {
    let mut row = Row::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key = attribute.key;
        // Declarations of prefixes are no values.
        if key.as_namespace_binding().is_some() {
            continue;
        }
        let value = quick_xml::escape::unescape(&attribute.value).ok()?.into_owned();
        row.push(format!("@{}", key.local_name().as_ref()), Legacy::Text(value));
    }
    Some(Element { name, row, text: String::new() })
}

/// An element's value: its text where there is nothing else, null where there is nothing at all.
fn value(mut element: Element) -> (String, Legacy) {
    let text = element.text.trim();
    if element.row.is_empty() {
        let value = if text.is_empty() { Legacy::Null } else { Legacy::Text(text.to_owned()) };
        return (element.name, value);
    }
    if !text.is_empty() {
        element.row.push("#text", Legacy::Text(text.to_owned()));
    }
    (element.name, Legacy::Group(element.row))
}

fn add(row: &mut Row, element: Element) {
    let (name, value) = value(element);
    match row.get_mut(&name) {
        Some(Legacy::List(items)) => items.push(value),
        Some(first) => *first = Legacy::List(vec![std::mem::take(first), value]),
        None => row.push(name, value),
    }
}
