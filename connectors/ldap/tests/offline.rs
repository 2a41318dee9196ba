//! What is found wrong before anybody is asked, and the connector on its stand-in.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Changes, Condition, Connector, Detected, EntitySpec, Failure, FeedSpec, FilterSpec,
    GroupSpec, Ignore, Legacy, OpenBinary, Read, RegistrySpec, Row, Search, Source, Wanted,
};
use serde_json::{Value, json};

fn wanted(names: &[&str]) -> Wanted {
    Wanted { sources: names.iter().map(|name| Source::new(name)).collect(), groups: Vec::new() }
}

fn registry(settings: Value, from: Value) -> RegistrySpec {
    let place = |name: &str| format!("/contract/v1/officials/fields/{name}");
    let written = |operation, name: &str| (operation, Source::new(name), place(name));
    let entity = EntitySpec {
        name: "v1/officials".to_owned(),
        pointer: "/contract/v1/officials/from".to_owned(),
        from,
        key: vec![Source::new("uid")],
        wanted: wanted(&["uid", "sn", "grade", "entryCSN"]),
        places: ["uid", "sn", "grade"].map(|name| (Source::new(name), place(name))).into(),
        binary: vec![Source::new("jpegPhoto")],
        filters: vec![FilterSpec {
            source: Source::new("sn"),
            comparisons: BTreeSet::from([Comparison::Equals, Comparison::Prefix]),
            ignore: vec![Ignore::Case],
            pointer: "/contract/v1/officials/operations/search/by/name".to_owned(),
        }],
        operations: BTreeSet::from(Operation::ALL),
        written: vec![
            written(Operation::Create, "uid"),
            written(Operation::Create, "sn"),
            written(Operation::Update, "sn"),
            written(Operation::Update, "grade"),
            written(Operation::Update, "telephoneNumber"),
            written(Operation::Replace, "sn"),
            written(Operation::Replace, "grade"),
        ],
        version: Some(Source::new("entryCSN")),
        actions: Vec::new(),
        changes: Some(FeedSpec { pointer: "/contract/v1/officials/changes/from".to_owned(), from: json!({}) }),
    };
    RegistrySpec {
        registry: RegistryId::new("officials").expect("a registry's id"),
        settings,
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_secs(5),
        concurrency: 4,
        directory: PathBuf::from("."),
    }
}

fn from() -> Value {
    json!({
        "base": "ou=officials,o=registry",
        "class": "official",
        "ignores": ["case"],
        "lists": ["telephoneNumber"],
        "create": { "rdn": "uid={uid}", "classes": ["official"], "set": { "cn": "{sn} ({uid})" } },
    })
}

fn settings() -> Value {
    json!({ "url": "ldaps://ldap.example" })
}

fn fixture() -> Value {
    json!([
        {
            "dn": "uid=leyla,ou=officials,o=registry", "objectClass": ["top", "official"], "uid": "leyla", "sn": "Əliyeva",
            "grade": 7, "serving": true, "telephoneNumber": "+994 12 1", "mail": ["a@x.example", "b@x.example"], "jpegPhoto": { "hex": "FFD8FF00" },
        },
        { "dn": "uid=anar,ou=officials,o=registry", "objectClass": "official", "uid": "anar", "sn": "Əliyev" },
        { "dn": "uid=deep,ou=unit,ou=officials,o=registry", "objectClass": "official", "uid": "deep", "sn": "Deep" },
        { "dn": "uid=other,ou=officials,o=registry", "objectClass": "person", "uid": "other", "sn": "Other" },
    ])
}

async fn stand_in() -> Arc<dyn Connector> {
    let double = rabita_ldap::kind().double(registry(settings(), from()), &fixture()).await;
    double.map_err(|error| error.to_string()).expect("a stand-in").connector
}

fn call() -> Call {
    let exchange = ExchangeId::new(uuid::Uuid::now_v7());
    Call { exchange, deadline: Instant::now() + Duration::from_secs(5), traceparent: None }
}

fn read(uid: &str, wanted: Wanted) -> Read {
    Read { entity: 0, key: vec![uid.into()], wanted }
}

fn change(kind: ChangeKind, uid: &str, values: &[(&str, Legacy)]) -> Change {
    let values = values.iter().map(|(name, value)| (*name, value.clone())).collect();
    Change { entity: 0, id: uuid::Uuid::now_v7(), kind, key: vec![uid.into()], values, expected_version: None }
}

/// What is wrong with a registry, each as place and message.
fn wrong(settings: Value, from: Value) -> Vec<(String, String)> {
    let findings = rabita_ldap::kind().check(&registry(settings, from));
    findings.into_iter().map(|finding| (finding.pointer, finding.message)).collect()
}

#[test]
fn a_registry_that_is_right_has_no_findings() {
    assert_eq!(wrong(settings(), from()), []);
}

#[test]
fn each_fault_is_told_at_its_place() {
    let with = |key: &str, value: Value| {
        let mut from = from();
        from[key] = value;
        wrong(settings(), from)
    };
    let at = |found: &[(String, String)], pointer: &str, word: &str| {
        let is_told = found.iter().any(|(own, message)| own.ends_with(pointer) && message.contains(word));
        assert!(is_told, "{pointer} {word}: {found:?}");
    };
    at(&with("lists", json!(["uid"])), "/fields/uid", "`lists`");
    at(&with("base", "nowhere".into()), "/from/base", "no entry's name");
    at(&with("filter", "(cn=a".into()), "/from/filter", "missing");
    at(&with("ignores", json!([])), "/search/by/name", "`ignores: [case]`");
    at(&with("bump", "twice".into()), "/from", "twice");
    at(&with("create", json!({ "rdn": "uid={name}", "classes": ["a"] })), "/create/rdn", "`name`");
    at(&with("create", json!({ "rdn": "uid", "classes": ["a"] })), "/create/rdn", "no name of a new entry");
    at(&with("create", json!({ "rdn": "uid={uid}", "classes": ["a"], "set": { "cn": "{" } })), "/create/set/cn", "brace");
    at(&with("create", Value::Null), "/from", "offers create");

    let url = |url: &str, more: Value| {
        let mut settings = json!({ "url": url });
        settings.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        wrong(settings, from())
    };
    at(&url("http://x", json!({})), "/connector/url", "ldaps://host");
    at(&url("ldaps://user:secret@x", json!({})), "/connector/url", "bind");
    at(&url("ldaps://x/o=registry", json!({})), "/connector/url", "from");
    at(&url("ldap://ldap.example", json!({})), "/connector/url", "in clear");
    at(&url("ldap://x", json!({ "tls": { "dangerously_speak_in_clear": true } })), "/dangerously_speak_in_clear", "anyone");
    at(&url("ldap://[::1]", json!({ "tls": { "ca_file": "a" } })), "/connector/tls", "nothing");
    assert_eq!(url("ldap://127.0.0.1:389", json!({})), []);
    assert_eq!(url("ldap://[::1]", json!({})), []);
    at(&url("ldaps://x", json!({ "tls": { "start": true } })), "/connector/tls/start", "first byte");
    at(&url("ldaps://x", json!({ "tls": { "cert_file": "a" } })), "/connector/tls", "together");
    at(&url("ldaps://x", json!({ "bind": { "external": {} } })), "/connector/bind", "cert_file");
    at(&url("ldaps://x", json!({ "idle_connections": 5 })), "/connector/idle_connections", "limits.concurrency");
    at(&url("ldaps://x", json!({ "bind": { "simple": { "dn": "cn=a" } } })), "/connector", "password");
}

#[tokio::test]
async fn the_stand_in_is_read_in_the_terms_of_a_directory() {
    let connector = stand_in().await;
    let groups = vec![GroupSpec { name: Source::new("mail"), sources: Vec::new() }];
    let all = Wanted { groups, ..wanted(&["uid", "sn", "grade", "serving", "dn"]) };
    let row = connector.read(read("leyla", all.clone()), &call()).await.expect("a read").expect("the record");
    let expected: Row = [
        ("uid", "leyla".into()),
        ("sn", "Əliyeva".into()),
        ("grade", 7.into()),
        ("serving", Legacy::Bool(true)),
        ("dn", "uid=leyla,ou=officials,o=registry".into()),
        ("mail", Legacy::List(vec!["a@x.example".into(), "b@x.example".into()])),
    ]
    .into_iter()
    .collect();
    assert_eq!(row, expected);
    let row = connector.read(read("anar", all), &call()).await.expect("a read").expect("the record");
    assert_eq!(row.get("mail"), Some(&Legacy::List(Vec::new())));
    for absent in ["LEYLA", " leyla", "deep", "other", "", "*", "leyla)(uid=*"] {
        assert_eq!(connector.read(read(absent, wanted(&["uid"])), &call()).await, Ok(None), "{absent}");
    }
}

#[tokio::test]
async fn the_stand_in_is_searched_exactly() {
    let connector = stand_in().await;
    let search = async |comparison, value: &str, ignore: &[Ignore]| {
        let condition = Condition { source: Source::new("sn"), comparison, value: value.into(), ignore: ignore.to_vec() };
        let ask = Search { entity: 0, conditions: vec![condition], wanted: wanted(&["uid"]), limit: 10, cursor: None };
        let page = connector.search(ask, &call()).await?;
        Ok::<_, Failure>(
            page.rows.iter().filter_map(|row| row.get("uid")?.to_text().map(|uid| uid.into_owned())).collect::<Vec<_>>(),
        )
    };
    assert_eq!(search(Comparison::Prefix, "Əliy", &[]).await, Ok(vec!["anar".to_owned(), "leyla".to_owned()]));
    assert_eq!(search(Comparison::Prefix, "əliy", &[]).await, Ok(Vec::new()));
    assert_eq!(search(Comparison::Equals, "ƏLIYEV", &[Ignore::Case]).await, Ok(vec!["anar".to_owned()]));
    assert!(matches!(search(Comparison::Equals, "x", &[Ignore::OuterSpaces]).await, Err(Failure::Unsupported { .. })));
}

#[tokio::test]
async fn the_stand_in_is_changed_and_numbers_its_changes() {
    let connector = stand_in().await;
    let ask = |since| Changes { entity: 0, since, wanted: wanted(&["sn"]), limit: 10 };
    let place = connector.changes(ask(None), &call()).await.expect("the place").since;
    let new: [(&str, Legacy); 2] = [("uid", "a,b+c".into()), ("sn", "New".into())];
    assert_eq!(connector.apply(change(ChangeKind::Create, "a,b+c", &new), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(change(ChangeKind::Create, "a,b+c", &new), &call()).await, Ok(Applied::Conflict));
    let row =
        connector.read(read("a,b+c", wanted(&["cn", "dn", "entryCSN"])), &call()).await.expect("a read").expect("the record");
    assert_eq!(row.get("cn"), Some(&"New (a,b+c)".into()));
    assert_eq!(row.get("dn"), Some(&"uid=a\\2Cb\\2Bc,ou=officials,o=registry".into()));

    let update = |expected: Option<Legacy>| Change {
        expected_version: expected,
        ..change(ChangeKind::Update, "a,b+c", &[("sn", "Newer".into())])
    };
    let version = row.get("entryCSN").cloned();
    assert_eq!(connector.apply(update(version.clone()), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(update(version), &call()).await, Ok(Applied::Conflict));
    let page = connector.changes(ask(Some(place)), &call()).await.expect("a page of changes");
    let told = [Detected::Row([("sn", "Newer".into()), ("uid", "a,b+c".into())].into_iter().collect())];
    assert_eq!(page.changes, told);

    assert_eq!(connector.apply(change(ChangeKind::Replace, "leyla", &[("sn", "Only".into())]), &call()).await, Ok(Applied::Done));
    let row = connector.read(read("leyla", wanted(&["sn", "grade"])), &call()).await.expect("a read").expect("the record");
    assert_eq!(row, [("sn", "Only".into()), ("grade", Legacy::Null)].into_iter().collect());
    assert_eq!(connector.apply(change(ChangeKind::Delete, "leyla", &[]), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(change(ChangeKind::Delete, "leyla", &[]), &call()).await, Ok(Applied::Absent));
    let stranger = change(ChangeKind::Update, "anar", &[("userPassword", "x".into())]);
    assert!(matches!(connector.apply(stranger, &call()).await, Err(Failure::Unsupported { .. })));
}

#[tokio::test]
async fn the_stand_in_gives_a_photo_byte_for_byte() {
    let connector = stand_in().await;
    let photo = async |uid: &str| {
        let ask = OpenBinary { entity: 0, key: vec![uid.into()], source: Source::new("jpegPhoto") };
        match connector.open_binary(ask, &call()).await.expect("a photo, or none") {
            None => None,
            Some(stream) => {
                let pieces: Vec<_> = futures_util::TryStreamExt::try_collect(stream.chunks).await.expect("all pieces");
                Some(pieces.concat())
            }
        }
    };
    assert_eq!(photo("leyla").await, Some(vec![0xff, 0xd8, 0xff, 0x00]));
    assert_eq!(photo("anar").await, None);
    assert_eq!(photo("nobody").await, None);
}

#[tokio::test]
async fn a_fixture_that_is_none_is_told_without_its_values() {
    for (fixture, word) in [
        (json!([{ "objectClass": "official" }]), "`dn`"),
        (json!([{ "dn": "uid=a" }]), "objectClass"),
        (json!([{ "dn": "uid=a", "objectClass": "x", "photo": { "base64": "%" } }]), "base64"),
        (json!([{ "dn": "uid=a", "objectClass": "x", "photo": { "a": 1, "b": 2 } }]), "photo"),
    ] {
        let double = rabita_ldap::kind().double(registry(settings(), from()), &fixture).await;
        let error = double.err().expect("no stand-in").to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn an_attribute_among_the_lists_is_read_and_written_as_a_list() {
    let connector = stand_in().await;
    let numbers = async |uid: &str| {
        let row = connector.read(read(uid, wanted(&["telephoneNumber"])), &call()).await.expect("a read").expect("the record");
        row.get("telephoneNumber").cloned()
    };
    assert_eq!(numbers("leyla").await, Some(Legacy::List(vec!["+994 12 1".into()])));
    assert_eq!(numbers("anar").await, Some(Legacy::Null));
    let both = Legacy::List(vec!["+994 12 2".into(), "+994 12 3".into()]);
    for new in [both, Legacy::List(Vec::new())] {
        let change = change(ChangeKind::Update, "leyla", &[("telephoneNumber", new.clone())]);
        assert_eq!(connector.apply(change, &call()).await, Ok(Applied::Done));
        let expected = if new == Legacy::List(Vec::new()) { Legacy::Null } else { new };
        assert_eq!(numbers("leyla").await, Some(expected));
    }
}

#[tokio::test]
async fn the_stand_in_tells_what_it_was_asked_but_for_the_schema() {
    let double = rabita_ldap::kind().double(registry(settings(), from()), &fixture()).await;
    let double = double.map_err(|error| error.to_string()).expect("a stand-in");
    let _ = double.connector.read(read("leyla", wanted(&["uid", "sn"])), &call()).await.expect("an answer");
    let named = [("sn", "Quliyeva".into()), ("grade", Legacy::Null)];
    double.connector.apply(change(ChangeKind::Update, "leyla", &named), &call()).await.expect("it is done");
    double.connector.apply(change(ChangeKind::Delete, "anar", &[]), &call()).await.expect("it is done");
    let asked = double.asked.expect("it tells")();
    let schema = rabita_ldap::kind().asked_schema().expect("a form");
    let known: Vec<&String> = schema["properties"].as_object().expect("members").keys().collect();
    for question in &asked {
        assert!(question.as_object().expect("an object").keys().all(|name| known.contains(&name)), "{question}");
    }
    let first = &asked[0];
    assert_eq!(
        (&first["operation"], &first["dn"], &first["scope"]),
        (&json!("search"), &json!("ou=officials,o=registry"), &json!("one"))
    );
    assert!(first["filter"].as_str().is_some_and(|filter| filter.contains("(uid=leyla)")), "{first}");
    let modified = asked.iter().find(|question| question["operation"] == "modify").expect("a change");
    assert_eq!(modified["dn"], "uid=leyla,ou=officials,o=registry");
    assert!(
        modified["changes"].as_array().is_some_and(|changes| changes.iter().any(|change| {
            change["attribute"] == "sn" && change["how"] == "replace" && change["values"] == json!(["Quliyeva"])
        })),
        "{modified}"
    );
    assert_eq!(asked.last().expect("a question")["operation"], "delete", "{asked:?}");
}
