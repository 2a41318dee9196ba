//! Databases of our own making, with all that makes old ones odd.

use rabita_tests::{Mariadb, Postgres};
use serde_json::json;

use super::{Place, read};

pub(super) const MARIADB: &str = "
    create table people.status_code (code char(2) primary key, meaning varchar(40) not null);
    insert into people.status_code values ('AL', 'alive'), ('DE', 'deceased');
    create table people.citizen (
      pin char(7) character set ascii primary key,
      family varchar(30) character set utf8mb4 not null comment 'As in the passport',
      born int not null, died varchar(10) not null, paid varchar(12), member char(1), office enum('BAK', 'GNC') not null,
      active tinyint(1) not null, status char(2) not null references people.status_code (code), fee decimal(10, 2), changed datetime not null,
      key (family), foreign key (status) references people.status_code (code)) comment 'Citizens';
    insert into people.citizen select
      concat('5', substr('ABCDEFGHJK', 1 + seq % 10, 1), lpad(seq, 5, '0')), concat(if(seq % 2, 'Əliyeva', 'Məmmədov'), seq, '  '),
      if(seq % 7, 19500101 + (seq % 40) * 10000 + (seq % 12) * 100, 19780300), if(seq % 5, '31.12.9999', '01.02.2020'), concat(seq, ',50'),
      if(seq % 3, 'J', 'N'), if(seq % 2, 'BAK', 'GNC'), seq % 2, if(seq % 5, 'AL', 'DE'), seq + 0.25, '2024-01-05 13:45:00'
      from people.seq_1_to_120;";

#[test]
fn a_database_of_mariadb_is_plugged_in_with_its_oddities() {
    let server = Mariadb::start();
    server.run("create database people character set utf8mb4");
    server.run(MARIADB);
    let url = Mariadb::url(server.address(), "people");
    let environment = [("PEOPLE_URL", url.as_str())];
    let place = Place::new();
    let words = [
        "connector",
        "new",
        "--yes",
        "--from-env",
        "PEOPLE_URL",
        "--registry",
        "people",
        "--agency",
        "interior",
        "--grant",
        "portal",
        "--seed",
        "7",
        "--into",
        "INTO",
    ];
    place.good(&words, &environment);
    place.holds("people", &environment);

    let manifest = read(&place.manifest("people"));
    let entity = &manifest["contract"]["v1"]["citizen"];
    assert_eq!(entity["title"], "Citizens");
    let codec = |field: &str| entity["fields"][field]["codec"].clone();
    assert_eq!(codec("family"), json!("trim"));
    assert_eq!(codec("born"), json!({ "date": { "format": "%Y%m%d", "legacy": "integer", "partial": true } }));
    assert_eq!(codec("died"), json!([{ "null_if": ["31.12.9999"] }, { "date": "%d.%m.%Y" }]));
    assert_eq!(codec("paid"), json!({ "decimal": { "separator": ",", "scale": 2 } }));
    assert_eq!(codec("member"), json!({ "boolean": { "true": "J", "false": "N" } }));
    assert_eq!(codec("active"), json!({ "boolean": { "true": 1, "false": 0 } }));
    assert_eq!(codec("status"), json!({ "codes": "status_code" }));
    let schema: serde_json::Value = serde_json::from_str(&place.text("schemas/people/citizen/v1/schema.json")).expect("JSON");
    assert_eq!(schema["properties"]["office"], json!({ "enum": ["BAK", "GNC"] }));
    assert_eq!(schema["properties"]["family"], json!({ "description": "As in the passport", "type": "string", "maxLength": 30 }));
    let required = schema["required"].as_array().expect("what is required");
    assert!(required.contains(&json!("pin")) && !required.contains(&json!("died")), "{required:?}");
    let by = &entity["operations"]["search"]["by"];
    assert_eq!(by["status"], json!(["equals"]), "the index on it makes it a filter");
    assert_eq!(
        by["family"],
        json!({ "compare": ["equals", "prefix"], "ignore": ["outer_spaces"] }),
        "else nobody would be found"
    );
    let asked =
        ["try", "--config", "INTO", "--as", "portal", "--purpose", "trial", "--where", "family=Əliyeva1", "people/v1/citizen"];
    let told = place.good(&asked, &environment);
    assert!(told.contains("5B00001"), "{told}");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_written() {
    let place = Place::new();
    let nothing: [(&str, &str); 0] = [];
    let said = |words: &[&str], expected: &str| {
        let (is_good, told) =
            place.run(&[&["connector", "new", "--yes", "--agency", "interior", "--into", "INTO"], words].concat(), &nothing);
        assert!(!is_good && told.contains(expected), "{words:?}: {told}");
        assert!(!place.path().exists(), "nothing is written: {words:?}");
        told
    };
    said(&[], "--from");
    said(&["--from", "/nowhere/at.all"], "there is no file");
    let told = said(&["--from", "postgres://rabita:geheim@127.0.0.1:1/people"], "password");
    assert!(!told.contains("geheim"), "{told}");
    said(&["--from-env", "RABITA_TESTS_UNSET"], "RABITA_TESTS_UNSET is not set");
    said(&["--from", "postgres://127.0.0.1:1/people"], "127.0.0.1:1/people");
    said(&["--from", "postgres://127.0.0.1:1/people", "--kind", "sqll"], "did you mean sql?");
    said(&["--from", "mailto:nobody"], "no kind knows");

    let server = Postgres::shared();
    let url = Postgres::url(server.address(), "postgres");
    let words = ["--from", url.as_str(), "--registry", "p", "--table", "nowhere"];
    said(&words, "there is no table nowhere");
}

#[test]
fn a_dry_run_prints_the_draft_and_a_directory_that_is_there_is_added_to() {
    let server = Postgres::shared();
    server.run("create database shop");
    server.run_in("shop", "create table item (id int primary key, name varchar(20) not null); insert into item select n, 'Item ' || n from generate_series(1, 30) n");
    let url = Postgres::url(server.address(), "shop");
    let environment = [("SHOP_URL", url.as_str())];
    let place = Place::new();
    let words =
        ["connector", "new", "--yes", "--from-env", "SHOP_URL", "--registry", "shop", "--agency", "trade", "--into", "INTO"];
    let told = place.good(&[&words[..], &["--dry-run"]].concat(), &environment);
    assert!(told.contains("registry: shop") && told.contains("# schemas/shop/item/v1/schema.json"), "{told}");
    assert!(!place.path().exists(), "a dry run writes nothing");

    place.good(&words, &environment);
    let node = place.text("rabita.yaml");
    let again = ["connector", "new", "--yes", "--from-env", "SHOP_URL", "--registry", "stock", "--into", "INTO"];
    place.good(&again, &environment);
    assert_eq!(place.text("rabita.yaml"), node, "what is there stays as it is");
    place.holds("stock", &environment);
    let stranger =
        ["connector", "new", "--yes", "--from-env", "SHOP_URL", "--registry", "x", "--agency", "nobody", "--into", "INTO"];
    let (is_good, told) = place.run(&stranger, &environment);
    assert!(!is_good && told.contains("agencies.yaml has no agency `nobody`"), "{told}");
}
