use std::io::Cursor;

use rabita_sdk::{Legacy, Source};

use super::Layout;
use crate::from::Format;
use crate::layout::{Fault, Layout as _, Selection};

/// The first record of a workbook of one sheet, which says `pin` in its first row and `A1` in the second.
fn first(book: &[u8]) -> Result<Vec<Legacy>, Fault> {
    let format = serde_json::from_value(serde_json::json!({ "sheet": {} })).expect("a format");
    let Format::Sheet(spec): Format = format else { unreachable!("a sheet was asked for") };
    let wanted = Selection { columns: vec![Source::new("pin")], groups: Vec::new() };
    let mut records = Layout::new(&spec).open(Box::new(Cursor::new(book.to_vec())), &wanted)?;
    let mut values = Vec::new();
    records.next(&mut values)?;
    Ok(values)
}

#[test]
fn refuses_a_sheet_whose_places_are_none() {
    assert_eq!(first(include_bytes!("tests/sound.xlsx")), Ok(vec!["A1".into()]));
    // The sheet's last cell is before its first; a cell's letters are those of column A, but for what 32 bits hold.
    for book in [&include_bytes!("tests/backwards.xlsx")[..], include_bytes!("tests/beyond.xlsx")] {
        let fault = first(book).expect_err("a broken sheet");
        assert!(fault.is_final && fault.expected.contains("it is broken"), "{fault:?}");
    }
}
