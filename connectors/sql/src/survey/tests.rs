//! Surveys of SQLite files; those of servers are in the integration tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::survey::{Documents, SurveyedEntity};
use rabita_sdk::{Legacy, SecretRef, SecretText, Source, TextOrSecret};
use sqlx::Connection as _;

use rabita_sdk::Secrets;
use rabita_sdk::survey::SurveyLimits;

use super::*;

struct Nothing;

#[async_trait]
impl Documents for Nothing {
    async fn get(&self, place: &str) -> Result<Vec<u8>, SurveyError> {
        Err(SurveyError::Unreachable(place.to_owned()))
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there is none".to_owned())
    }
}

fn source(address: &str) -> SurveySource {
    SurveySource {
        address: TextOrSecret::Text(address.to_owned()),
        shown: address.to_owned(),
        path: None,
        head: Vec::new(),
        settings: serde_json::Map::new(),
        only: Vec::new(),
        narrow: None,
        directory: std::path::PathBuf::from("/"),
        documents: Arc::new(Nothing),
    }
}

const REGISTER: &str = "
    CREATE TABLE office_code (code CHAR(3) PRIMARY KEY, name VARCHAR(40) NOT NULL, since INTEGER);
    INSERT INTO office_code VALUES ('BAK', 'Bakı', 19900101), ('GNC', 'Gəncə', 19900101);
    CREATE TABLE person (pin CHAR(7) PRIMARY KEY, family VARCHAR(30) NOT NULL, office CHAR(3) REFERENCES office_code(code), born INTEGER);
    CREATE INDEX person_family ON person (family);
    INSERT INTO person VALUES ('5ZJBKH7', 'Əliyeva', 'BAK', 19780300), ('5ZJBKH8', 'Məmmədov', 'GNC', 19650101);
    CREATE VIEW of_baku AS SELECT pin, family FROM person WHERE office = 'BAK';
    CREATE TABLE small (id INTEGER PRIMARY KEY, who TEXT);
    INSERT INTO small VALUES (1, 'Nobody');";

async fn register() -> (tempfile::TempDir, SurveySource) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("register.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("a file");
    sqlx::raw_sql(REGISTER).execute(&mut connection).await.expect("tables");
    connection.close().await.expect("closed");
    let source = source(&format!("sqlite:{}", file.display()));
    (directory, source)
}

#[tokio::test]
async fn finds_tables_views_keys_references_indexes_and_tables_of_codes() {
    let (_directory, source) = register().await;
    let survey = crate::kind().survey(&source, &NoSecrets, &SurveyLimits::default()).await.expect("a survey");
    let entities: BTreeMap<&str, &SurveyedEntity> = survey.entities.iter().map(|entity| (entity.name.as_str(), entity)).collect();
    assert_eq!(
        entities.keys().copied().collect::<Vec<_>>(),
        ["of_baku", "person", "small"],
        "codes are no entity, a table of names is one"
    );
    let person = entities["person"];
    assert_eq!(person.key, [Source::new("pin")]);
    assert_eq!(person.samples.0.len(), 2);
    assert_eq!(person.samples.0[0].get("born"), Some(&Legacy::Int(19_780_300)));
    assert_eq!(person.references[0].to, "office_code");
    let cheap: Vec<&str> =
        person.offers.search.iter().filter(|search| search.cheap).map(|search| search.source.as_str()).collect();
    assert!(cheap.contains(&"family"), "{cheap:?}");
    assert!(entities["of_baku"].offers.update.is_empty(), "a view is only read");
    let codes = &survey.code_tables[0];
    assert_eq!(
        (codes.name.as_str(), codes.code.as_str(), codes.value.as_str(), codes.rows.len()),
        ("office_code", "code", "name", 2)
    );
    assert_eq!(survey.settings["read_only"], true);
}

#[tokio::test]
async fn looks_only_at_what_is_wanted_and_says_what_is_not_there() {
    let (_directory, mut source) = register().await;
    source.only = vec!["person".to_owned()];
    source.narrow = Some("office = 'BAK'".to_owned());
    let found = crate::kind().survey(&source, &NoSecrets, &SurveyLimits::default()).await.expect("a survey");
    assert_eq!(found.entities.len(), 1);
    assert_eq!(found.entities[0].samples.0.len(), 1);
    assert_eq!(found.entities[0].from, json!({ "table": "person", "where": "office = 'BAK'" }));
    source.narrow = Some("1 = 1; DROP TABLE person".to_owned());
    assert!(matches!(crate::kind().survey(&source, &NoSecrets, &SurveyLimits::default()).await, Err(SurveyError::Unsuitable(_))));
    source.narrow = None;
    source.only = vec!["persons".to_owned()];
    let error = crate::kind().survey(&source, &NoSecrets, &SurveyLimits::default()).await.expect_err("no such table").to_string();
    assert!(error.contains("there is no table persons") && error.contains("person, "), "{error}");
}

#[tokio::test]
async fn an_address_with_a_password_is_not_taken() {
    let error = crate::kind().survey(&source("postgres://rabita:geheim@127.0.0.1/x"), &NoSecrets, &SurveyLimits::default()).await;
    let error = error.expect_err("a password in the open").to_string();
    assert!(error.contains("password") && !error.contains("geheim"), "{error}");
    assert!(!has_password("postgres://rabita@127.0.0.1:5432/x"));
}
