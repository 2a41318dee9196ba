use jiff::civil::date;
use serde_json::json;

use super::*;

fn today() -> Date {
    date(2024, 6, 1)
}

fn load(specs: serde_json::Value, directory: &Path) -> Result<CodeBook, Vec<Finding>> {
    CodeBook::load(&serde_json::from_value(specs).expect("code lists"), directory, today())
}

/// A directory of this test's own with one file.
fn directory(test: &str, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("rabita-codes-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join(name), bytes).expect("a file");
    directory
}

fn utf16(text: &str) -> Vec<u8> {
    [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn reads_a_file_in_utf_16_with_a_byte_order_mark() {
    let csv = "\"Kod\",\"Ad\",\"Ingang\",\"Einde\"\n\"0518\",\"Bakı\",\"\",\"19900101\"\n\"0519\",\"Bakı\",\"19900101\",\"\"\n\"0001\",\"Şəki\",\"19780300\",\"\"\n";
    let directory = directory("utf16", "x.csv", &utf16(csv));
    let book = load(
        json!({ "city": { "version": "7", "file": "x.csv", "code": "Kod", "value": "Ad", "valid_from": "Ingang",
            "valid_until": "Einde", "date_format": "%Y%m%d", "width": 4 } }),
        &directory,
    )
    .expect("a sound list");
    let list = book.get("city").expect("the list");
    assert_eq!(list.version(), Some("7"));
    assert_eq!(list.values(), [Legacy::from("Bakı"), "Şəki".into()]);
    assert_eq!(list.decode(&518.into()), Ok(Some("Bakı".into())), "a code that is no longer in force still decodes");
    assert_eq!(list.encode(&"Bakı".into()), Ok(Some("0519".into())), "the code in force is encoded to");
    book.set_today(date(1985, 1, 1));
    assert_eq!(list.encode(&"Bakı".into()), Ok(Some("0518".into())));
    std::fs::remove_dir_all(directory).expect("the directory");
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let directory = directory("wrong", "x.csv", b"Kod;Ad\nA;\xDEeki\n");
    let wrong = |options: serde_json::Value| {
        let mut spec = json!({ "file": "x.csv", "code": "Kod", "value": "Ad", "delimiter": ";", "encoding": "windows-1254" });
        spec.as_object_mut().expect("options").extend(options.as_object().expect("options").clone());
        load(json!({ "c": spec }), &directory).map(|_| ()).map_err(|mut findings| findings.remove(0))
    };
    assert_eq!(wrong(json!({})), Ok(()));
    let place = |options| wrong(options).expect_err("a finding").pointer;
    assert_eq!(place(json!({ "file": "y.csv" })), "/c/file");
    assert_eq!(place(json!({ "encoding": "utf-8" })), "/c/encoding");
    assert_eq!(place(json!({ "encoding": "ebcdic" })), "/c/encoding");
    assert_eq!(place(json!({ "delimiter": "→" })), "/c/delimiter");
    assert_eq!(place(json!({ "valid_from": "x", "date_format": "%q" })), "/c/date_format");
    assert_eq!(wrong(json!({ "code": "Kodu" })).expect_err("a finding").instead.as_deref(), Some("Kod"));
    std::fs::write(directory.join("x.csv"), "Kod;Ad\nA;x\nA;y\n").expect("a file");
    assert!(wrong(json!({})).expect_err("a finding").message.contains("lines 2 and 3"));
    std::fs::write(directory.join("x.csv"), "Kod;Ad\nA;x;y\n").expect("a file");
    assert!(wrong(json!({})).expect_err("a finding").message.contains("3 columns where the first line names 2"));
    std::fs::write(directory.join("x.csv"), "Kod;Ad\n").expect("a file");
    assert!(wrong(json!({})).expect_err("a finding").message.contains("no codes"));
    std::fs::remove_dir_all(directory).expect("the directory");
}

#[test]
fn a_table_of_the_registry_is_filled_later() {
    let book = load(
        json!({ "c": { "from": { "table": "T" }, "code": "K", "value": "V", "valid_until": "U", "refresh_ms": 60000 } }),
        Path::new("."),
    )
    .expect("a sound list");
    let list = book.get("c").expect("the list");
    let columns = list.in_registry().expect("in the registry").columns();
    assert_eq!(columns, [Source::new("K"), Source::new("V"), Source::new("U")]);
    assert_eq!(list.decode(&1.into()).map_err(|fault| fault.code), Err("codes_not_loaded"));
    assert!(!list.is_loaded());
    let row = |code: i64, value: &str, until: Legacy| vec![code.into(), value.into(), until];
    let rows = vec![row(1, "old", "2020-01-01".into()), row(1, "new", Legacy::Null), row(2, "new", Legacy::Null)];
    assert_eq!(list.load(rows, today()), Ok(()));
    assert_eq!(list.decode(&"1".into()), Ok(Some("new".into())), "the meaning in force holds");
    assert_eq!(list.encode(&"new".into()), Ok(Some(1.into())));
    assert_eq!(list.encode(&"old".into()), Ok(None), "its code now means something else");
    let disagreeing = vec![row(1, "a", Legacy::Null), row(1, "b", Legacy::Null)];
    assert_eq!(list.load(disagreeing, today()).map_err(|fault| fault.code), Err("codes_not_loaded"));
    assert_eq!(list.load(vec![row(1, "a", "soon".into())], today()).map_err(|fault| fault.code), Err("bad_date"));
    assert_eq!(list.decode(&2.into()), Ok(Some("new".into())), "what was there stays");
}

#[test]
fn a_map_is_a_list_or_its_options() {
    let read = |spec: serde_json::Value| serde_json::from_value::<CodeListSpec>(spec);
    assert!(matches!(read(json!({ "K": "male", "values": "x", "code": 1 })), Ok(CodeListSpec::Inline(_))));
    assert!(matches!(read(json!({ "values": { "file": "x" } })), Ok(CodeListSpec::Inline(_))));
    assert!(read(json!({ "file": "x.csv" })).expect_err("an error").to_string().contains("missing field `code`"));
    assert!(read(json!({ "from": {}, "code": "K", "valeu": "V" })).expect_err("an error").to_string().contains("valeu"));
    assert_eq!(load(json!({ "a/b": { "K": [1] }, "e": {} }), Path::new(".")).expect_err("findings").len(), 2);
    assert_eq!(load(json!({ "a/b": { "K": [1] } }), Path::new(".")).expect_err("findings")[0].pointer, "/a~1b/K");
}
