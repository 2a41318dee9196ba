//! What a directory says of itself when a manifest is drafted.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rabita_battery::world::ample;
use rabita_battery::{Need, Subject};
use rabita_model::Comparison;
use rabita_sdk::survey::{
    Documents, Foreseen, Question, Recognised, Survey, SurveyError, SurveyLimits, SurveySource, SurveyedEntity, ValueType,
};
use rabita_sdk::{Legacy, Read, Source, TextOrSecret, Wanted};
use rabita_tests::openldap::{BUS, SUFFIX, ldif};
use serde_json::{Map, Value, json};

use super::{Password, People};

struct NoDocuments;

#[async_trait]
impl Documents for NoDocuments {
    async fn get(&self, _place: &str) -> Result<Vec<u8>, SurveyError> {
        Err(SurveyError::Unaskable)
    }
}

fn source(address: &str, settings: Value) -> SurveySource {
    SurveySource {
        address: TextOrSecret::Text(address.to_owned()),
        shown: address.to_owned(),
        path: None,
        head: Vec::new(),
        settings: settings.as_object().cloned().unwrap_or_else(Map::new),
        only: Vec::new(),
        narrow: None,
        directory: PathBuf::from("."),
        documents: Arc::new(NoDocuments),
    }
}

fn bound() -> Value {
    json!({ "bind": { "simple": { "dn": BUS, "password": { "env": "BUS" } } } })
}

async fn surveyed(source: &SurveySource) -> Result<Survey, SurveyError> {
    rabita_ldap::kind().survey(source, &Password, &SurveyLimits::default()).await
}

/// Two officials, one unit below them, and somebody who stands for the bus.
async fn officials() -> (People, SurveySource) {
    let subject = People::set_up(Need::Shared).await;
    let base = &subject.base;
    for (uid, family, mail) in [("leyla", "Əliyeva", 2), ("anar", "Əliyev", 1)] {
        let mails: String = (0..mail).map(|at| format!("mail: {uid}{at}@interior.example\n")).collect();
        let (names, photo) = (ldif("sn", family.as_bytes()) + &ldif("cn", family.as_bytes()), ldif("jpegPhoto", &[0xff, 0xd8]));
        subject.server.modify(&format!(
            "dn: uid={uid},{base}\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: official\nuid: {uid}\n{names}{photo}{mails}\
             serving: TRUE\nborn: 19780301\nuserPassword: nobody's business\n"
        ));
    }
    subject.server.modify(&format!("dn: ou=below,{base}\nchangetype: add\nobjectClass: organizationalUnit\nou: below\n"));
    let address = format!("ldap://{}/{}", subject.server.address(), base.replace(',', "%2C"));
    (subject, source(&address, bound()))
}

fn column<'a>(entity: &'a SurveyedEntity, name: &str) -> &'a rabita_sdk::survey::SurveyedColumn {
    entity.column(&Source::new(name)).unwrap_or_else(|| panic!("no column {name}"))
}

fn satisfies(schema: &Value, value: &Value) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{value}: {errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_tells_its_classes_attributes_and_keys() {
    let (subject, source) = officials().await;
    let kind = rabita_ldap::kind();
    assert_eq!(kind.recognises(&source), Recognised::Surely);
    let survey = surveyed(&source).await.expect("a survey");
    satisfies(&kind.settings_schema(), &Value::Object(survey.settings.clone()));
    assert_eq!(survey.settings["url"], format!("ldap://{}", subject.server.address()));
    assert_eq!(survey.entities.len(), 1, "units are no records: {:?}", survey.entities);
    let entity = &survey.entities[0];
    satisfies(&kind.entity_schema(), &entity.from);
    assert_eq!(entity.name, "official");
    assert_eq!(entity.from["base"], subject.base.as_str());
    assert_eq!(entity.from["scope"], "one");
    assert_eq!(entity.from["create"]["rdn"], "uid={uid}");
    assert_eq!(entity.from["lists"], json!(["mail"]));
    assert_eq!(entity.key, [Source::new("uid")]);
    assert_eq!(entity.rows, Some(2));

    assert_eq!(column(entity, "serving").value, ValueType::Boolean);
    assert_eq!(column(entity, "jpegPhoto").value, ValueType::Bytes);
    let text = ValueType::Text { max: None, fixed: false };
    assert_eq!(column(entity, "mail").value, ValueType::List(Box::new(text.clone())));
    assert_eq!((&column(entity, "uid").value, column(entity, "uid").unique), (&text, true));
    assert!(!column(entity, "sn").nullable && column(entity, "born").nullable);
    let several = entity.unsure.iter().find(|why| why.contains("several values")).expect("the schema allows several names");
    assert!(several.contains("sn, ") && !several.contains("born") && !several.contains("mail"), "{several}");
    assert!(entity.column(&Source::new("userPassword")).is_none());
    assert!(entity.column(&Source::new("description")).is_none(), "nobody has one");
    assert!(!format!("{survey:?}").contains("leyla"), "a survey shows no values");

    assert_eq!(entity.offers.version, Some(Source::new("entryCSN")));
    assert_eq!(entity.offers.changes, Some(json!({})));
    let born = entity.offers.search.iter().find(|one| one.source.as_str() == "born").expect("born can be compared");
    assert_eq!(born.comparisons, [Comparison::Equals, Comparison::From, Comparison::To]);
    assert!(entity.offers.create.contains(&Source::new("cn")) && !entity.offers.update.contains(&Source::new("uid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_come_as_a_read_gives_them_and_a_stand_in_answers_by_them() {
    let (_subject, source) = officials().await;
    let survey = surveyed(&source).await.expect("a survey");
    let entity = &survey.entities[0];
    let row = entity.samples.0.iter().find(|row| row.get("uid") == Some(&"leyla".into())).expect("a sample");
    let mails = Legacy::List(vec!["leyla0@interior.example".into(), "leyla1@interior.example".into()]);
    assert_eq!((row.get("serving"), row.get("mail")), (Some(&Legacy::Bool(true)), Some(&mails)));

    let key = [Legacy::from("leyla")];
    let rows = std::slice::from_ref(row);
    let foreseen = Foreseen { settings: &survey.settings, entity, question: Question::Read(&key), rows, tables: &[] };
    let kind = rabita_ldap::kind();
    let fixture = kind.fixture(&foreseen).expect("a fixture");
    satisfies(&kind.fixture_schema(), &fixture);
    let mut spec = rabita_battery::people::registry(Value::Object(survey.settings.clone()), entity.from.clone());
    spec.entities[0].key = entity.key.clone();
    let double = kind.double(spec, &fixture).await.map_err(|error| error.to_string()).expect("a stand-in");
    let wanted = Wanted { sources: vec![Source::new("uid"), Source::new("sn")], groups: Vec::new() };
    let read = double.connector.read(Read { entity: 0, key: key.into(), wanted }, &ample()).await;
    let expected = [("uid", "leyla".into()), ("sn", "Əliyeva".into())].into_iter().collect();
    assert_eq!(read, Ok(Some(expected)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_takes_what_is_wanted_of_a_directory_and_no_more() {
    let (subject, source) = officials().await;
    let only = |class: &str| SurveySource { only: vec![class.to_owned()], ..source.clone() };
    let survey = surveyed(&only("organizationalUnit")).await.expect("a survey");
    assert_eq!(survey.entities[0].name, "organizationalUnit");
    assert!(matches!(surveyed(&only("nobody")).await, Err(SurveyError::Unsuitable(_))));
    let narrow = SurveySource { narrow: Some("(uid=anar)".to_owned()), ..source.clone() };
    let survey = surveyed(&narrow).await.expect("a survey");
    assert_eq!((survey.entities[0].rows, survey.entities[0].samples.0.len()), (Some(1), 1));
    assert_eq!(survey.entities[0].from["filter"], "(uid=anar)");
    let address = format!("ldap://{}", subject.server.address());
    let whole = surveyed(&self::source(&address, bound())).await.expect("a survey of all contexts");
    assert!(whole.entities.iter().all(|entity| entity.from["base"].as_str().is_some_and(|base| base.ends_with(SUFFIX))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_directory_from_being_surveyed_is_told() {
    let (subject, _) = officials().await;
    let address = subject.server.address();
    let open = source(&format!("ldap://cn=bus:secret@{address}"), json!({}));
    let Err(SurveyError::Unsuitable(told)) = surveyed(&open).await else { panic!("a password in the open") };
    assert!(!told.contains("secret"), "{told}");
    let nowhere = source("ldap://127.0.0.1:1", json!({}));
    assert!(matches!(surveyed(&nowhere).await, Err(SurveyError::Unreachable(_))));
    let clear = source("ldap://ldap.example", json!({}));
    assert!(matches!(surveyed(&clear).await, Err(SurveyError::Unsuitable(_))));
    let wrong = source(
        &format!("ldap://{address}"),
        json!({ "bind": { "simple": { "dn": "cn=nobody,o=registry", "password": { "env": "BUS" } } } }),
    );
    assert!(matches!(surveyed(&wrong).await, Err(SurveyError::Unreachable(_))));
}
