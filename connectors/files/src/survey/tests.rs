use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::TextOrSecret;
use rabita_sdk::survey::{Documents, Recognised, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedEntity};

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
}

#[test]
fn takes_files_for_its_own_by_their_endings() {
    for (name, expected) in [("a.csv", Recognised::Surely), ("a.txt", Recognised::Perhaps), ("a.wsdl", Recognised::No)] {
        let (source, _directory) = source(name, b"x");
        assert_eq!(super::recognises(&source), expected, "{name}");
    }
}
