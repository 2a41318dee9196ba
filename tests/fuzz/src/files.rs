//! The files that an agency drops, and the copybook that describes some of them.
//!
//! Of a drop the first byte says which of the [`DROPS`] it is, counted from `a` on; the others are the file's own.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use rabita_files::from::{Format, Number, Type};
use rabita_files::layout::copybook::records;
use rabita_files::layout::{Fault, Layout, Selection, compile};
use rabita_sdk::{GroupSpec, Legacy, Row, Source};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What a drop looks like, and what a manifest asks of it.
struct Drop {
    layout: Box<dyn Layout>,
    wanted: Selection,
    /// What a column has to be; of others anything goes.
    types: Vec<(Source, Type)>,
    /// What makes a file of the bytes, where they are a part of one.
    whole: fn(&[u8]) -> Vec<u8>,
}

const BOOK: &str = "
       01  PERSON.
           05  PIN            PIC X(4).
           05  BALANCE        PIC S9(5)V99 COMP-3.
           05  DAYS           PIC S9(4) COMP.
           05  BORN           PIC 9(8).
           05  PHONE-COUNT    PIC 9.
           05  PHONE OCCURS 0 TO 3 TIMES DEPENDING ON PHONE-COUNT.
               10  AREA       PIC X(2).
               10  LINE-NO    PIC S9(3) SIGN SEPARATE.
";

static DROPS: LazyLock<Vec<Drop>> = LazyLock::new(|| {
    let types =
        json!({ "age": "integer", "photo": "base64", "mark": "hex", "sum": { "digits": { "scale": 2, "signed": true } } });
    let delimited =
        json!({ "delimited": { "delimiter": ";", "columns": ["pin", "age", "photo", "mark", "sum"], "types": types } });
    let groups = json!({ "delimited": { "encoding": "windows-1254", "continued_without": "id", "groups": { "codes": ["code", "since"] } } });
    let column = |at: usize, width: usize, kind: Value| json!({ "at": at, "width": width, "type": kind });
    let kinds = json!({ "fixed": {
        "columns": { "pin": column(3, 4, json!("text")), "age": column(7, 3, json!("integer")) },
        "kind": { "at": 1, "width": 2 }, "record": "10", "skip": ["00", "99"],
        "children": { "codes": { "is": "20", "columns": { "code": column(3, 2, json!({ "digits": {} })) } } },
    } });
    let signed = json!({ "scale": 1, "signed": true });
    let fixed = json!({ "fixed": { "encoding": "cp1026", "framing": "rdw", "columns": {
        "pin": column(1, 3, json!("text")), "packed": column(4, 2, json!({ "packed": signed })),
        "zoned": column(6, 3, json!({ "zoned": signed })), "binary": column(9, 4, json!({ "binary": signed })),
    } } });
    let copybook = json!({ "copybook": { "book": BOOK } });
    let sheet = json!({ "sheet": { "header_row": 1 } });
    let tree = json!({ "xml": { "record": "person" } });
    let json_lines = json!({ "json_lines": { "columns": ["pin", "address.city"] } });
    let codes = ("codes", ["code", "since"].as_slice());
    vec![
        Drop::new(delimited, &["pin", "age", "photo", "mark", "sum"], &[], whole),
        Drop::new(groups, &["id", "#2"], &[codes], whole),
        Drop::new(json!({ "delimited": { "encoding": "utf-16le", "quote": null } }), &["pin"], &[], whole),
        Drop::new(kinds, &["pin", "age"], &[("codes", &["code"])], whole),
        Drop::new(fixed, &["pin", "packed", "zoned", "binary"], &[], whole),
        Drop::new(copybook, &["PIN", "BALANCE", "DAYS", "BORN"], &[("PHONE", &["AREA", "LINE-NO"])], whole),
        Drop::new(json_lines, &["pin", "address.city"], &[codes], whole),
        Drop::new(tree, &["@id", "name.family", "#text"], &[codes], whole),
        Drop::new(sheet.clone(), &["pin", "age"], &[], workbook),
        Drop::new(sheet, &["pin", "age"], &[], whole),
    ]
});

impl Drop {
    fn new(format: Value, columns: &[&str], groups: &[(&str, &[&str])], whole: fn(&[u8]) -> Vec<u8>) -> Self {
        let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect();
        let group = |(name, columns): &(&str, &[&str])| GroupSpec { name: Source::new(name), sources: sources(columns) };
        let format: Format = serde_json::from_value(format).expect("a format");
        let layout = compile(&format, Path::new(".")).map(|(layout, _)| layout).expect("a layout");
        let types = match &format {
            Format::Delimited(spec) => {
                let kind = |source: &Source| spec.types.get(source).copied().unwrap_or_default();
                columns.iter().map(|name| Source::new(name)).map(|source| (source.clone(), kind(&source))).collect()
            }
            _ => layout.described(),
        };
        Self { layout, wanted: Selection { columns: sources(columns), groups: groups.iter().map(group).collect() }, types, whole }
    }

    fn file(&self, bytes: &[u8]) {
        let file = (self.whole)(bytes);
        let most = file.len() + 2;
        let opened = self.layout.open(Box::new(Cursor::new(file)), &self.wanted);
        let mut records = match opened {
            Ok(records) => records,
            Err(fault) => return self.refused(&fault, 0),
        };
        let (mut values, mut before) = (Vec::new(), 0);
        for _ in 0..most {
            match records.next(&mut values) {
                Ok(None) => return,
                Ok(Some(line)) => {
                    assert!(line >= before, "a record begins before the one before it");
                    before = line;
                    self.taken(&values);
                }
                Err(fault) => {
                    self.refused(&fault, before);
                    if fault.is_final {
                        return;
                    }
                }
            }
        }
        panic!("there are more records than bytes");
    }

    /// Whatever is taken has the declared shape, and is written as it was read or said to be unwritable.
    fn taken(&self, values: &[Legacy]) {
        assert_eq!(values.len(), self.wanted.width(), "a record has other values than were asked for");
        let (columns, groups) = values.split_at(self.wanted.columns.len());
        for (source, value) in self.wanted.columns.iter().zip(columns) {
            if let Some((_, kind)) = self.types.iter().find(|(own, _)| own == source) {
                assert!(is_of(value, *kind), "`{source}` is no {kind:?}");
            }
        }
        for (spec, group) in self.wanted.groups.iter().zip(groups) {
            let Legacy::List(items) = group else { panic!("`{}` is no list", spec.name) };
            for item in items {
                let Legacy::Group(item) = item else { panic!("an item of `{}` is no group", spec.name) };
                assert!(names(item).eq(spec.sources.iter().map(Source::as_str)), "an item of `{}` has other values", spec.name);
            }
        }
        if let Some(writer) = self.layout.writer().filter(|writer| writer.columns() == self.wanted.columns) {
            let _written = writer.write(None, columns, &mut Vec::new());
        }
    }

    /// A drop that is refused says where, and what was expected there.
    fn refused(&self, fault: &Fault, before: u64) {
        assert!(!fault.expected.is_empty(), "a refusal says what was expected");
        assert!(fault.line >= before, "a refusal names a line that was passed");
        let mut known: BTreeSet<&str> = self.wanted.columns.iter().map(Source::as_str).collect();
        let named = self.layout.columns().unwrap_or_default();
        known.extend(named.iter().map(Source::as_str));
        known.extend(self.wanted.groups.iter().flat_map(|group| &group.sources).map(Source::as_str));
        known.insert("id");
        assert!(
            fault.column.as_deref().is_none_or(|column| known.contains(column)),
            "a refusal names a column that nobody knows"
        );
    }
}

fn names(row: &Row) -> impl Iterator<Item = &str> {
    row.iter().map(|(name, _)| name)
}

/// Whether a value is one of a column of this type; none is one of each.
fn is_of(value: &Legacy, kind: Type) -> bool {
    match (kind, value) {
        (_, Legacy::Null) => true,
        (Type::Text, value) => matches!(value, Legacy::Text(_)),
        (Type::Base64 | Type::Hex, value) => matches!(value, Legacy::Bytes(_)),
        (Type::Integer, value) => is_number(value, Number { scale: 0, signed: true }),
        (Type::Digits(how) | Type::Packed(how) | Type::Zoned(how) | Type::Binary(how), value) => is_number(value, how),
    }
}

/// A whole number, or digits of which so many stand after the point.
fn is_number(value: &Legacy, how: Number) -> bool {
    let text = match value {
        Legacy::Int(number) => number.to_string(),
        Legacy::Text(text) => text.clone(),
        _ => return false,
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !whole.is_empty()
        && is_digits(whole)
        && is_digits(part)
        && part.len() == usize::from(how.scale)
        && (how.signed || !text.starts_with('-'))
}

fn whole(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

/// A workbook (XLSX) whose only sheet is these bytes: a checksum of its own keeps a change of a bit out of a real one.
fn workbook(sheet: &[u8]) -> Vec<u8> {
    const PARTS: [(&str, &str); 3] = [
        (
            "_rels/.rels",
            r#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="People" sheetId="1" r:id="r1"/></sheets></workbook>"#,
        ),
    ];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let parts = PARTS.iter().map(|(name, text)| (*name, text.as_bytes())).chain([("xl/worksheets/sheet1.xml", sheet)]);
    for (name, bytes) in parts {
        archive
            .start_file(name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
            .expect("a part");
        archive.write_all(bytes).expect("memory takes it");
    }
    archive.finish().expect("an archive").into_inner()
}

/// Reads a drop.
pub fn drop(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let place = usize::from(first.wrapping_sub(b'a')) % DROPS.len();
    DROPS[place].file(bytes);
}

/// Reads a copybook, and with it a record of blanks.
pub fn copybook(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let placed = match records(text) {
        Ok(placed) => placed,
        Err(wrong) => return assert!(wrong.starts_with("line "), "a refusal says on which line"),
    };
    let mut seen = BTreeSet::new();
    // Of records of one name the first is meant.
    for record in placed.iter().filter(|record| seen.insert(&record.name)) {
        let ends = record.columns.iter().map(|column| column.start + column.width);
        let repeated = record.repeats.iter().map(|repeat| repeat.stride * repeat.most);
        assert!(ends.max().unwrap_or_default() <= record.width, "a column ends behind the record");
        assert!(repeated.clone().all(|bytes| bytes <= record.width), "what repeats is longer than the record");
        if record.is_plain {
            let sum: usize = record.columns.iter().map(|column| column.width).chain(repeated).sum();
            assert_eq!(sum, record.width, "the record is as long as its fields");
            for repeat in &record.repeats {
                let sum: usize = repeat.columns.iter().map(|column| column.width).sum();
                assert_eq!(sum, repeat.stride, "an item is as long as its fields");
            }
        }
        let format = json!({ "copybook": { "book": text, "record": record.name } });
        let format: Format = serde_json::from_value(format).expect("a format");
        let (layout, _) = compile(&format, Path::new(".")).expect("its records were read");
        let wanted = Selection { columns: layout.columns().unwrap_or_default(), groups: layout.groups().unwrap_or_default() };
        // EBCDIC's blank.
        let mut read = layout.open(Box::new(Cursor::new(vec![0x40; record.width])), &wanted).expect("a file of a record");
        let mut values = Vec::new();
        let first = read.next(&mut values);
        assert!(!matches!(first, Ok(None)), "a record of its own length is none");
        assert!(first.is_err() || values.len() == wanted.width(), "a record has other values than were asked for");
        assert!(matches!(read.next(&mut values), Ok(None)), "there is more than the record");
    }
}
