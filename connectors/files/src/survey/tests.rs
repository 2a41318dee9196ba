use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::TextOrSecret;
use rabita_sdk::survey::{
    Documents, Foreseen, Question, Recognised, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedEntity,
};

struct NoDocuments;

#[async_trait]
impl Documents for NoDocuments {
    async fn get(&self, _place: &str) -> Result<Vec<u8>, SurveyError> {
        Err(SurveyError::Unaskable)
    }
}

fn source(name: &str, content: &[u8]) -> (SurveySource, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let path: PathBuf = directory.path().join(name);
    std::fs::write(&path, content).expect("a file");
    let source = SurveySource {
        address: TextOrSecret::Text(path.display().to_string()),
        shown: path.display().to_string(),
        path: Some(path),
        head: Vec::new(),
        settings: serde_json::Map::new(),
        only: Vec::new(),
        narrow: None,
        directory: directory.path().to_owned(),
        documents: Arc::new(NoDocuments),
    };
    (source, directory)
}

fn surveyed(name: &str, content: &[u8]) -> Result<Survey, SurveyError> {
    let (source, _directory) = source(name, content);
    super::survey(&source, &SurveyLimits::default())
}

fn entity(name: &str, content: &[u8]) -> SurveyedEntity {
    surveyed(name, content).expect("a survey").entities.remove(0)
}

/// The `legacy:` of a test with the samples.
fn fixture(found: &SurveyedEntity) -> serde_json::Value {
    let (settings, question) = (serde_json::Map::new(), Question::Read(&[]));
    let foreseen = Foreseen { settings: &settings, entity: found, question, rows: &found.samples.0, tables: &[] };
    super::fixture(&foreseen).expect("a format that can be written")
}

fn columns(entity: &SurveyedEntity) -> Vec<&str> {
    entity.columns.iter().map(|column| column.source.as_str()).collect()
}

#[test]
fn finds_delimiter_encoding_header_and_key() {
    let text = "NO;SOYAD;SEHER\n7;Əliyeva;Bakı\n8;Quliyev;Gəncə\n";
    let found = entity("vetendash-20260101.csv", text.as_bytes());
    assert_eq!(found.name, "vetendash");
    assert_eq!(found.from["file"], "vetendash-20260101.csv".replace("-20260101", "*"));
    assert_eq!(found.from["format"]["delimited"]["delimiter"], ";");
    assert_eq!((columns(&found), found.key[0].as_str()), (vec!["NO", "SOYAD", "SEHER"], "NO"));
    assert!(found.columns.iter().all(|column| column.as_text));

    let (turkish, _, _) = encoding_rs::WINDOWS_1254.encode("A,1,Iğdır\nB,2,Şişli\nB,3,Çeşme\n");
    let found = entity("il.txt", &turkish);
    let format = &found.from["format"]["delimited"];
    assert_eq!((&format["encoding"], &format["header"]), (&"windows-1254".into(), &false.into()));
    assert_eq!((columns(&found), found.key[0].as_str()), (vec!["C1", "C2", "C3"], "C2"));
    let (cyrillic, _, _) = encoding_rs::WINDOWS_1251.encode("N,T\n1,Москва\n2,Казань\n");
    assert_eq!(entity("g.csv", &cyrillic).from["format"]["delimited"]["encoding"], "windows-1251");
}

#[test]
fn sees_lines_that_go_on_the_record_before_and_headers_without_names() {
    let found = entity("lists.csv", b"\xef\xbb\xbf;01.10;01.20;01.20\nL1;7;a;b\n;;c;\nL2;8;d;e\n");
    assert_eq!(columns(&found), ["#1", "01.10", "01.20", "#4"]);
    assert_eq!((found.key[0].as_str(), &found.from["format"]["delimited"]["continued_without"]), ("#1", &"#1".into()));
    assert_eq!(found.samples.0.len(), 2);
}

#[test]
fn finds_the_places_of_columns_and_what_a_copybook_says() {
    let found = entity("k.dat", b"A001 Aliyeva   00012\nA002 Quliyev   00007\n");
    let columns_at = &found.from["format"]["fixed"]["columns"];
    assert_eq!((&columns_at["C2"]["at"], &columns_at["C2"]["width"]), (&6.into(), &10.into()));
    let found = entity("cust.cpy", b"01 CUST. 05 ID PIC 9(5). 05 SUM PIC S9(5)V99 COMP-3. 05 T OCCURS 2. 10 X PIC X(3).");
    assert_eq!((found.name.as_str(), columns(&found)), ("cust", vec!["ID", "SUM", "T"]));
    // `A001` and six blanks in EBCDIC, again and again.
    let ebcdic = [0xc1, 0xf0, 0xf0, 0xf1, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40].repeat(20);
    assert!(matches!(surveyed("m.dat", &ebcdic), Err(SurveyError::Unsuitable(why)) if why.contains("copybook")));
}

#[test]
fn knows_members_of_json_and_the_sheets_of_spreadsheets() {
    let found = entity("p.jsonl", b"{\"id\":1,\"name\":{\"family\":\"x\"},\"tags\":[{\"t\":\"a\"}]}\n{\"id\":2}\n");
    assert_eq!((columns(&found), found.key[0].as_str()), (vec!["id", "name.family", "tags"], "id"));
    let found = entity("people.xlsx", include_bytes!("../layout/tests/people.xlsx"));
    assert_eq!(found.from["format"]["sheet"]["header_row"], 2);
    assert_eq!(found.key[0].as_str(), "pin");
    // A cell in the last place of all takes no room for those before it; a broken sheet has nothing to tell.
    let told = |book: &[u8]| surveyed("people.xlsx", book).expect_err("it has no header").to_string();
    assert!(told(include_bytes!("../layout/sheet/tests/far.xlsx")).contains("no row looks like a header"));
    assert!(told(include_bytes!("../layout/sheet/tests/backwards.xlsx")).contains("no sheet has a header"));
}

#[test]
fn takes_the_elements_of_xml_that_repeat_highest_up_for_records() {
    let text = r#"<?xml version="1.0" encoding="windows-1254"?>
        <kayit xmlns="urn:kayit"><baslik tarih="2026-01-01"/>
          <kisi no="7"><ad><soyad>Şimşek</soyad></ad><adres tur="ev"><il>Iğdır</il></adres><adres tur="iş"><il>Van</il></adres></kisi>
          <kisi no="8"><ad><soyad>Çelik</soyad></ad><adres tur="ev"><il>Van</il></adres></kisi>
          <kisi no="9"><ad><soyad>Öz"#;
    let (bytes, _, _) = encoding_rs::WINDOWS_1254.encode(text);
    let whole: Vec<u8> = [&bytes[..], b"</soyad></ad></kisi></kayit>"].concat();
    let found = entity("kayit-20260101.xml", &whole);
    assert_eq!((found.name.as_str(), &found.from["format"]), ("kayit", &serde_json::json!({ "xml": { "record": "kisi" } })));
    assert_eq!(columns(&found), ["@no", "ad.soyad", "adres"]);
    assert_eq!((found.key[0].as_str(), found.samples.0.len()), ("@no", 3));
    let again = entity("kayit1.xml", fixture(&found)["kayit1.xml"].as_str().expect("a text").as_bytes());
    assert_eq!(again.samples, found.samples, "a test's file holds the same records");
    // A list of codes in another encoding, of which the document says nothing.
    let (codes, _, _) = encoding_rs::WINDOWS_1251.encode("<s><g k='1'>Москва</g><g k='2'>Казань</g></s>");
    let found = entity("goroda.xml", &codes);
    assert_eq!(found.from["format"]["xml"], serde_json::json!({ "record": "g", "encoding": "windows-1251" }));
    assert_eq!((columns(&found), found.key[0].as_str()), (vec!["@k", "#text"], "@k"));
    let again = entity("goroda.xml", fixture(&found)["goroda.xml"].as_str().expect("a text").as_bytes());
    assert_eq!(again.samples, found.samples);
    assert!(matches!(surveyed("one.xml", b"<a><b/></a>"), Err(SurveyError::Unsuitable(why)) if why.contains("repeats")));
}

#[test]
fn takes_files_for_its_own_by_their_endings() {
    for (name, expected) in [("a.csv", Recognised::Surely), ("a.txt", Recognised::Perhaps), ("a.wsdl", Recognised::No)] {
        let (source, _directory) = source(name, b"x");
        assert_eq!(super::recognises(&source), expected, "{name}");
    }
}
