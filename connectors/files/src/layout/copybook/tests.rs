use std::io::Cursor;
use std::path::Path;

use rabita_sdk::{GroupSpec, Legacy, Row, Source};

use super::layout;
use crate::from::{Copybook, Format};
use crate::layout::{Layout as _, Selection};

const BOOK: &str = "
000100* A CUSTOMER AS THE PENSION FUND DELIVERS IT
000200 01  CUSTOMER.
000300     05  CUST-ID             PIC 9(7).
000400     05  CUST-NAME.
000500         10  FAMILY          PIC X(12).
000600         10  GIVEN           PIC X(8).
000700     05  BALANCE             PIC S9(7)V99 COMP-3.
000800     05  DAYS                PIC S9(4) COMP.
000900     05  STATE               PIC X VALUE 'A'.
001000         88  ACTIVE          VALUE 'A' 'B'.
001100     05  BORN                PIC 9(8).
001200     05  BORN-PARTS REDEFINES BORN.
001300         10  BORN-YEAR       PIC 9(4).
001400         10  FILLER          PIC X(4).
001500     05  PHONE-COUNT         PIC 9.
001600     05  PHONE OCCURS 0 TO 3 TIMES DEPENDING ON PHONE-COUNT.
001700         10  AREA-CODE       PIC X(3).
001800         10  LINE-NO         PIC X(7).
";

fn spec(book: &str, encoding: &str) -> Copybook {
    let format = serde_json::json!({ "copybook": { "book": book, "encoding": encoding, "framing": "rdw" } });
    match serde_json::from_value(format).expect("a format") {
        Format::Copybook(spec) => spec,
        _ => unreachable!("a copybook was asked for"),
    }
}

fn told(book: &str) -> String {
    let wrong = layout(&spec(book, "cp037"), Path::new(".")).err().expect("something is wrong");
    wrong.iter().map(|(place, message)| format!("{place}: {message}")).collect()
}

/// The bytes of a Turkish text in EBCDIC, from the code page's own table: ş is 6a, Ğ is 5a.
fn record() -> Vec<u8> {
    let mut bytes = vec![0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf4, 0xf2];
    bytes.extend([0xc1, 0xe8, 0x6a, 0x85, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40]);
    bytes.extend([0xd6, 0x5a, 0xe4, 0xe9, 0x40, 0x40, 0x40, 0x40]);
    bytes.extend([0x00, 0x01, 0x23, 0x45, 0x6d]);
    bytes.extend([0xff, 0xf6]);
    bytes.push(0xc1);
    bytes.extend([0xf1, 0xf9, 0xf7, 0xf8, 0xf0, 0xf3, 0xf0, 0xf0]);
    bytes.push(0xf2);
    bytes.extend([0xf0, 0xf1, 0xf2, 0xf5, 0xf5, 0xf5, 0xf1, 0xf2, 0xf3, 0xf4]);
    bytes.extend([0xf0, 0xf5, 0xf0, 0xf7, 0xf7, 0xf7, 0xf0, 0xf0, 0xf0, 0xf1]);
    let length = u16::try_from(bytes.len() + 4).expect("short").to_be_bytes();
    [vec![length[0], length[1], 0, 0], bytes].concat()
}

#[test]
fn reads_a_record_of_variable_length_in_turkish_ebcdic() {
    let (layout, _) = layout(&spec(BOOK, "cp1026"), Path::new(".")).expect("a layout");
    let names = ["CUST-ID", "FAMILY", "GIVEN", "BALANCE", "DAYS", "STATE", "BORN", "BORN-YEAR", "PHONE-COUNT"];
    let phone = GroupSpec { name: Source::new("PHONE"), sources: vec![Source::new("AREA-CODE"), Source::new("LINE-NO")] };
    let selection = Selection { columns: names.iter().map(|name| Source::new(name)).collect(), groups: vec![phone] };
    let bytes = [record(), record()].concat();
    let mut records = layout.open(Box::new(Cursor::new(bytes)), &selection).expect("it opens");
    let mut values = Vec::new();
    let phone = |area: &str, line: &str| Legacy::Group(Row::from_iter([("AREA-CODE", area.into()), ("LINE-NO", line.into())]));
    for number in [1, 2] {
        assert_eq!(records.next(&mut values), Ok(Some(number)));
        let expected = [
            42.into(),
            "AYşe".into(),
            "OĞUZ".into(),
            "-1234.56".into(),
            Legacy::Int(-10),
            "A".into(),
            19_780_300.into(),
            1978.into(),
            2.into(),
            Legacy::List(vec![phone("012", "5551234"), phone("050", "7770001")]),
        ];
        assert_eq!(values, expected);
    }
    assert_eq!(records.next(&mut values), Ok(None));
}

#[test]
fn writes_what_it_reads_where_nothing_repeats_or_shares_a_place() {
    let book = "01 R. 05 ID PIC 9(5). 05 NAME PIC X(6). 05 AMOUNT PIC S9(5)V9 COMP-3. 05 N PIC S9(9) BINARY. 05 D PIC S9(3).";
    let mut spec = spec(book, "cp1047");
    spec.framing = None;
    let (layout, _) = layout(&spec, Path::new(".")).expect("a layout");
    let values = vec![Legacy::Int(7), "Zs[]".into(), "-1.5".into(), Legacy::Int(-3), Legacy::Int(-12)];
    let mut bytes = Vec::new();
    layout.writer().expect("it writes").write(None, &values, &mut bytes).expect("it fits");
    assert_eq!(bytes.len(), 5 + 6 + 4 + 4 + 3);
    let selection = Selection { columns: layout.writer().expect("it writes").columns().to_vec(), groups: Vec::new() };
    let mut read = Vec::new();
    let mut records = layout.open(Box::new(Cursor::new(bytes)), &selection).expect("it opens");
    assert_eq!(records.next(&mut read), Ok(Some(1)));
    assert_eq!(read, values);
}

#[test]
fn an_item_has_as_many_groups_before_its_name_as_tell_it_from_others() {
    let book = "01 R. 05 A. 10 P. 15 Y PIC X. 15 M PIC X. 05 B. 10 P. 15 Y PIC XX. 05 C. 10 M PIC X. 10 R PIC X.
        05 D OCCURS 2. 10 Z PIC X. 05 E. 10 D OCCURS 2. 15 Z PIC X.";
    let (layout, _) = layout(&spec(book, "cp037"), Path::new(".")).expect("a layout");
    let names: Vec<_> = layout.columns().expect("columns").iter().map(ToString::to_string).collect();
    assert_eq!(names, ["A.P.Y", "P.M", "B.P.Y", "C.M", "C.R"]);
    let groups = layout.groups().expect("groups");
    let groups: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.sources[0].as_str())).collect();
    assert_eq!(groups, [("D", "D.Z"), ("E.D", "E.D.Z")]);
}

#[test]
fn says_what_it_can_not_use_and_where() {
    assert!(told("01 R.\n 05 A PIC X.\n 05 A PIC XX.").contains("line 3: another item is `A` too"));
    assert!(told("01 R.\n 05 A PIC X.\n 05 FILLER.\n 10 A PIC XX.").contains("line 4: another item is `A` too"));
    let twice = "01 R.\n 05 A OCCURS 2.\n 10 B PIC X.\n 05 A OCCURS 2.\n 10 C PIC X.";
    assert!(told(twice).contains("line 4: another item is `A` too"));
    assert!(told("").contains("describes no record"));
    assert!(told("01 R. 05 A PIC X(4. 05 B PIC X.").contains("line 1: the picture `X(4` can't be read"));
    assert!(told("01 R.\n 05 A COMP-1.").contains("line 2: `COMP-1` is not known here"));
    assert!(told("01 R.\n 05 A PIC X REDEFINES B.").contains("line 2: `REDEFINES B` names no item"));
    assert!(told("01 R. 05 A OCCURS 2. 10 B OCCURS 2 PIC X.").contains("repeats within what repeats"));
    assert!(told("01 R. 05 A PIC N(3).").contains("can't be used"));
    assert!(told("01 R. 05 A PIC X. 01 S. 05 B PIC X.").contains("say which record of the copybook it is; there is R, S"));
    assert!(told("05 A PIC X OCCURS 0 TIMES.").contains("`OCCURS` is followed by a number from 1"));
    assert!(told("05   \u{5af}IC X(3).").contains("is not known here"), "a letter across the place where the code begins");
    assert!(told("01 R. 05 A PIC V.").contains("the picture `V` has no digit"));
    assert!(told(&format!("01 R. 05 A PIC X{}.", "(100000)".repeat(3))).contains("can't be read"));
    assert!(told("01 R. 05 A OCCURS 10000. 10 B PIC X(101).").contains("1010000 bytes, and a record has 1000000 at most"));
    assert!(told("05 A PIC X OCCURS 3 DEPENDING ON B.").contains("`DEPENDING ON B` names no item"));
}
