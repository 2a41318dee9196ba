use std::io::Cursor;

use rabita_sdk::{GroupSpec, Legacy, Row, Source};
use serde_json::{Value, json};

use super::{Fault, Layout, Selection, compile};
use crate::from::Format;

fn layout(format: Value) -> Box<dyn Layout> {
    let format: Format = serde_json::from_value(format).expect("a format");
    compile(&format, std::path::Path::new(".")).map(|(layout, _)| layout).expect("a layout")
}

fn selection(columns: &[&str], groups: &[(&str, &[&str])]) -> Selection {
    let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect();
    let group = |(name, columns): &(&str, &[&str])| GroupSpec { name: Source::new(name), sources: sources(columns) };
    Selection { columns: sources(columns), groups: groups.iter().map(group).collect() }
}

fn read(format: Value, bytes: &[u8], selection: &Selection) -> Result<Vec<(u64, Vec<Legacy>)>, Fault> {
    let mut records = layout(format).open(Box::new(Cursor::new(bytes.to_vec())), selection)?;
    let (mut all, mut values) = (Vec::new(), Vec::new());
    while let Some(line) = records.next(&mut values)? {
        all.push((line, values.clone()));
    }
    Ok(all)
}

fn texts(values: &[&str]) -> Vec<Legacy> {
    values.iter().map(|text| Legacy::from(*text)).collect()
}

#[test]
fn reads_delimited_values_with_quotes_marks_and_lines_within_values() {
    let text = "\u{feff}pin;family;\r\nA1;\"O\"\"Neill; \r\nMary\";x\r\nA2;;y\r\n";
    let found = read(json!({ "delimited": { "delimiter": ";" } }), text.as_bytes(), &selection(&["family", "pin", "#3"], &[]));
    let found = found.expect("records");
    assert_eq!(found[0], (2, texts(&["O\"Neill; \r\nMary", "A1", "x"])));
    assert_eq!(found[1].1, vec![Legacy::Null, "A2".into(), "y".into()]);
    assert_eq!(found[1].0, 4, "the line on which it begins");
}

#[test]
fn gathers_the_lines_that_go_on_a_record_into_its_groups() {
    let text = b"id;name;code;since\nL1;Moulin;0057;2001\n;;0001;2019\n;;;\nL2;Burck;;\n";
    let format = json!({ "delimited": {
        "delimiter": ";", "continued_without": "id", "groups": { "nationalities": ["code", "since"] },
    } });
    let wanted = selection(&["id", "name"], &[("nationalities", &["code", "since"])]);
    let found = read(format.clone(), text, &wanted).expect("records");
    let item = |code: &str, since: &str| Legacy::Group(Row::from_iter([("code", code.into()), ("since", Legacy::from(since))]));
    let items = Legacy::List(vec![item("0057", "2001"), item("0001", "2019")]);
    assert_eq!(found[0], (2, vec!["L1".into(), "Moulin".into(), items]));
    assert_eq!(found[1], (5, vec!["L2".into(), "Burck".into(), Legacy::List(Vec::new())]));
    let fault = read(format, b"id;name;code;since\n;;0001;2019\n", &wanted).expect_err("nothing to go on");
    assert_eq!((fault.line, fault.is_final), (2, false));
}

#[test]
fn reads_each_encoding_and_refuses_what_is_none_of_it() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let samples: [(&str, Vec<u8>, &str); 5] = [
        ("utf-16", [vec![0xff, 0xfe], wide("a\nƏliyeva\n")].concat(), "Əliyeva"),
        ("utf-8", b"\xff\xfea\0\n\0I\x01\n\0".to_vec(), "ŉ"),
        ("windows-1251", b"a\n\xcf\xe5\xf2\xf0\n".to_vec(), "Петр"),
        ("windows-1254", b"a\n\xde\xfd\xf0\n".to_vec(), "Şığ"),
        ("pt154", b"a\n\x8f\n".to_vec(), "Ҹ"),
    ];
    for (encoding, bytes, expected) in samples {
        let format = json!({ "delimited": { "encoding": encoding } });
        let found = read(format, &bytes, &selection(&["a"], &[])).expect(encoding);
        if encoding == "pt154" {
            assert_eq!(found.len(), 1);
        } else {
            assert_eq!(found[0].1, texts(&[expected]), "{encoding}");
        }
    }
    let fault = read(json!({ "delimited": {} }), b"a\nx\n\xff\xfe\xfd\n", &selection(&["a"], &[])).expect_err("no UTF-8");
    assert!(fault.is_final && fault.expected.contains("encoding"), "{fault:?}");
    assert_eq!(fault.line, 3, "where it is broken");
}

#[test]
fn tells_the_line_of_a_record_behind_empty_lines_and_line_ends_of_each_sort() {
    let lines = |text: &[u8], encoding: &str| {
        let format = json!({ "delimited": { "encoding": encoding } });
        let mut records = layout(format).open(Box::new(Cursor::new(text.to_vec())), &selection(&["a"], &[])).expect("it opens");
        let (mut lines, mut values) = (Vec::new(), Vec::new());
        loop {
            match records.next(&mut values) {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return (lines, None),
                Err(fault) => return (lines, Some(fault.line)),
            }
        }
    };
    assert_eq!(lines(b"a\r\nx\ny\n\n\r\nz", "utf-8"), (vec![2, 3, 6], None));
    assert_eq!(lines(b"a\n\n\"x\n\"\nz\n\n", "utf-8"), (vec![3, 5], None));
    // A half of a surrogate, behind a record that a carriage return ends.
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let broken = [wide("a\r\nx\ny\r"), vec![0x00, 0xdc], wide("z\n")].concat();
    assert_eq!(lines(&broken, "utf-16le"), (vec![2, 3], Some(3)));
    // Of this page the byte is no character.
    assert_eq!(lines(b"a\nx\ny\n\xd5\n", "cp857"), (vec![2, 3], Some(4)));
}

#[test]
fn tells_line_and_column_of_what_is_wrong_and_goes_on() {
    let format = json!({ "delimited": { "types": { "n": "integer" } } });
    let text = b"pin,n\nA,1\nB\nC,x\nD,4\n";
    let mut records =
        layout(format).open(Box::new(Cursor::new(text.to_vec())), &selection(&["pin", "n"], &[])).expect("it opens");
    let mut values = Vec::new();
    assert_eq!(records.next(&mut values), Ok(Some(2)));
    assert_eq!(records.next(&mut values), Err(Fault::at(3, "2 columns, and there are 1")));
    let fault = Fault::in_column(4, &Source::new("n"), "a whole number in decimal digits");
    assert_eq!(records.next(&mut values), Err(fault));
    assert_eq!(records.next(&mut values), Ok(Some(5)));
    assert_eq!(records.next(&mut values), Ok(None));
}

#[test]
fn a_header_says_what_the_manifest_says() {
    let format = json!({ "delimited": { "columns": ["pin", "name"] } });
    let fault = read(format.clone(), b"pin,nom\n", &selection(&["pin"], &[])).expect_err("another header");
    assert_eq!((fault.line, fault.column.as_deref()), (1, Some("name")));
    assert!(read(format, b"", &selection(&["pin"], &[])).is_err(), "a file without a header");
    let fault = read(json!({ "delimited": {} }), b"a,b\n", &selection(&["c"], &[])).expect_err("no such column");
    assert_eq!(fault.column.as_deref(), Some("c"));
}

#[test]
fn groups_the_records_behind_a_record_and_passes_over_others() {
    let column = |at: usize, width: usize| json!({ "at": at, "width": width });
    let format = json!({ "fixed": {
        "kind": { "at": 1, "width": 2 },
        "record": "10",
        "columns": { "PIN": column(3, 4), "NAME": column(7, 8) },
        "children": {
            "phones": { "is": "20", "columns": { "NO": column(3, 6) } },
            "pets": { "is": "30", "columns": { "PET": column(3, 5) } },
        },
        "skip": ["00", "99"],
    } });
    let text = "00HEADER\n10A001Əliyeva\n20555123\n30cat\n20555124\n10A002Quliyev\n99000002\n";
    let wanted = selection(&["PIN", "NAME"], &[("phones", &["NO"])]);
    let found = read(format.clone(), text.as_bytes(), &wanted).expect("records");
    let phone = |number: &str| Legacy::Group(Row::from_iter([("NO", Legacy::from(number))]));
    let phones = Legacy::List(vec![phone("555123"), phone("555124")]);
    assert_eq!(found[0], (2, vec!["A001".into(), "Əliyeva".into(), phones]));
    assert_eq!(found[1], (6, vec!["A002".into(), "Quliyev".into(), Legacy::List(Vec::new())]));
    let fault = read(format.clone(), b"20555123\n", &wanted).expect_err("a child alone");
    assert!(fault.expected.contains("before the records that belong to it"), "{fault:?}");
    let fault = read(format, b"77\n", &wanted).expect_err("a stranger");
    assert!(fault.expected.contains("a kind of record"), "{fault:?}");
}

#[test]
fn writes_at_fixed_places_what_it_reads_there_and_refuses_what_does_not_fit() {
    let format = json!({ "fixed": { "encoding": "windows-1254", "line_end": "crlf", "columns": {
        "PIN": { "at": 1, "width": 4 },
        "NAME": { "at": 5, "width": 6 },
        "POINTS": { "at": 11, "width": 5, "type": "integer" },
        "MONEY": { "at": 16, "width": 7, "type": { "digits": { "scale": 2, "signed": true } } },
    } } });
    let layout = layout(format);
    let writer = layout.writer().expect("it writes");
    let mut bytes = Vec::new();
    let values = [Legacy::from("A1"), "Şığ".into(), Legacy::Int(-12), "7.50".into()];
    writer.write(None, &values, &mut bytes).expect("it fits");
    assert_eq!(bytes, b"A1  \xde\xfd\xf0   -0012+000750\r\n");
    let mut records =
        layout.open(Box::new(Cursor::new(bytes)), &selection(&["PIN", "NAME", "POINTS", "MONEY"], &[])).expect("open");
    let mut read = Vec::new();
    assert_eq!(records.next(&mut read), Ok(Some(1)));
    assert_eq!(read, values);
    for (place, value) in [(1, "longer than six"), (1, "Ə"), (1, "blank "), (1, ""), (0, "a\nb"), (2, "12345678")] {
        let mut values = values.to_vec();
        values[place] = value.into();
        assert!(writer.write(None, &values, &mut Vec::new()).is_err(), "{value:?}");
    }
}

#[test]
fn reads_json_lines_by_members_and_groups() {
    let text = "{\"id\": 7, \"name\": {\"family\": \"Əliyeva\"}, \"phones\": [\"1\", \"2\"]}\n\n{\"id\": 8}\n";
    let wanted = selection(&["id", "name.family"], &[("phones", &["phone"])]);
    let found = read(json!({ "json_lines": {} }), text.as_bytes(), &wanted).expect("records");
    let phone = |number: &str| Legacy::Group(Row::from_iter([("phone", Legacy::from(number))]));
    assert_eq!(found[0].1, vec![Legacy::Int(7), "Əliyeva".into(), Legacy::List(vec![phone("1"), phone("2")])]);
    assert_eq!(found[1], (3, vec![Legacy::Int(8), Legacy::Null, Legacy::List(Vec::new())]));
    let fault = read(json!({ "json_lines": {} }), b"{\"id\": \"secret\"", &wanted).expect_err("half an object");
    assert!(!fault.expected.contains("secret"), "{fault:?}");
}

#[test]
fn reads_the_records_of_an_xml_document_wherever_they_stand() {
    let text = b"<?xml version='1.0' encoding='windows-1251'?><r xmlns:x='urn:x'><!-- c --><list>
        <x:person id='7'><name>\xcf\xe5\xf2\xf0 &amp; &#x41;</name><phone>1</phone><phone>2</phone><note/></x:person>
        <person id='8'><name><![CDATA[<b>]]></name></person></list></r>";
    let wanted = selection(&["@id", "name", "note"], &[("phone", &["no"])]);
    let found = read(json!({ "xml": { "record": "person" } }), text, &wanted).expect("records");
    let phone = |number: &str| Legacy::Group(Row::from_iter([("no", Legacy::from(number))]));
    let phones = Legacy::List(vec![phone("1"), phone("2")]);
    assert_eq!(found[0], (1, vec!["7".into(), "Петр & A".into(), Legacy::Null, phones]));
    assert_eq!(found[1].1[1], "<b>".into());
    for bad in ["<r><person id='1'>", "<r></s>", "<!DOCTYPE r [<!ENTITY a 'b'>]><r/>", "<r><person>&unknown;</person></r>"] {
        assert!(read(json!({ "xml": { "record": "person" } }), bad.as_bytes(), &wanted).is_err(), "{bad}");
    }
    let members: String = (0..1_001).map(|number| format!("<a{number}/>")).collect();
    let wide = read(json!({ "xml": { "record": "person" } }), format!("<person>{members}</person>").as_bytes(), &wanted);
    assert_eq!(wide.expect_err("too many").expected, "elements with 1000 different ones in them at most");
}

#[test]
fn reads_a_sheet_of_a_spreadsheet_by_the_names_in_its_header() {
    let book = include_bytes!("tests/people.xlsx");
    let wanted = selection(&["pin", "family", "points", "born", "married", "ratio"], &[]);
    let found = read(json!({ "sheet": { "name": "People", "header_row": 2 } }), book, &wanted).expect("records");
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0],
        (3, vec!["A1".into(), "Əliyeva".into(), Legacy::Int(12), "1978-03-01".into(), Legacy::Bool(true), Legacy::Float(0.5)])
    );
    assert_eq!(found[1].1[2], Legacy::Null);
    assert!(read(json!({ "sheet": { "name": "Nobody" } }), book, &wanted).is_err());
    assert!(read(json!({ "sheet": {} }), b"no spreadsheet", &wanted).is_err());
}
