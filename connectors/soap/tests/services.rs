//! The connector against services of an established library (`tests/servers/soap`), in both versions of SOAP.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rabita_model::{Comparison, ExchangeId, Operation, RegistryId};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Condition, Connector, EntitySpec, Failure, FilterSpec, GroupSpec, Kind, Legacy,
    OpenBinary, Read, RegistrySpec, Row, Search, SecretRef, SecretText, Secrets, Source, Wanted,
};
use rabita_soap::Soap;
use serde_json::{Value, json};

#[tokio::test]
async fn creates_reads_changes_and_deletes_people_in_both_versions() {
    let server = Server::start(&["people", "0"]);
    for (path, version) in [("/people", "1.1"), ("/people12", "1.2")] {
        let people = open(people_spec(&server, path, json!({ "version": version }))).await;
        assert_eq!(people.probe(&call()).await, Ok(()));
        let pin = version;
        assert_eq!(read(&*people, pin).await, Ok(None));
        let values = json!({
            "pin": pin, "family": " Əliyeva & <Sons> ]]> ", "born": "1978-03", "notes": "a\r\nb\tc",
            "phones.phone": [{ "@kind": "home", "#text": "+994 1" }, { "#text": "+994 2" }],
        });
        let first = change(ChangeKind::Create, pin, 1, values, None);
        assert_eq!(people.apply(first.clone(), &call()).await, Ok(Applied::Done));
        assert_eq!(people.apply(first, &call()).await, Ok(Applied::Before));
        assert_eq!(
            people.apply(change(ChangeKind::Create, pin, 2, json!({ "pin": pin }), None), &call()).await,
            Ok(Applied::Conflict)
        );
        let row = read(&*people, pin).await.expect("an answer").expect("a person");
        assert_eq!(
            serde_json::to_value(&row).expect("JSON"),
            json!({
                "pin": pin, "family": " Əliyeva & <Sons> ]]> ", "born": "1978-03", "died": null, "notes": "a\r\nb\tc", "version": "1",
                "phones.phone": [{ "@kind": "home", "#text": "+994 1" }, { "#text": "+994 2" }],
            })
        );
        let update =
            async |id, values, version| people.apply(change(ChangeKind::Update, pin, id, values, version), &call()).await;
        assert_eq!(update(3, json!({ "died": "2020-01-01", "notes": null }), Some(1)).await, Ok(Applied::Done));
        assert_eq!(update(4, json!({ "died": null }), Some(1)).await, Ok(Applied::Conflict));
        let row = read(&*people, pin).await.expect("an answer").expect("a person");
        assert_eq!(row.get("family"), Some(&" Əliyeva & <Sons> ]]> ".into()));
        assert_eq!((row.get("died"), row.get("notes")), (Some(&"2020-01-01".into()), Some(&Legacy::Null)));
        assert_eq!(update(5, json!({ "died": null }), Some(2)).await, Ok(Applied::Done));
        assert_eq!(read(&*people, pin).await.expect("an answer").expect("a person").get("died"), Some(&Legacy::Null));
        assert_eq!(
            people.apply(change(ChangeKind::Update, "gone", 6, json!({ "died": null }), None), &call()).await,
            Ok(Applied::Absent)
        );
        let refused =
            people.apply(change(ChangeKind::Create, "x", 7, json!({ "pin": "x", "family": "REFUSED" }), None), &call()).await;
        assert!(matches!(refused, Err(Failure::Refused { reason: Some(reason), .. }) if reason == "INVALID_INPUT"));
        assert_eq!(people.apply(change(ChangeKind::Delete, pin, 8, json!({}), Some(3)), &call()).await, Ok(Applied::Done));
        assert_eq!(read(&*people, pin).await, Ok(None));
    }
}

#[tokio::test]
async fn finds_people_page_by_page_and_reads_their_photos() {
    let server = Server::start(&["people", "0"]);
    let people = open(people_spec(&server, "/people", json!({}))).await;
    for at in 0..7_u8 {
        let pin = format!("P{at}");
        let family = if at % 2 == 0 { "Əliyeva" } else { "Quliyev" };
        let values = json!({ "pin": pin, "family": family, "born": format!("198{at}-01-01") });
        assert_eq!(people.apply(change(ChangeKind::Create, &pin, at.into(), values, None), &call()).await, Ok(Applied::Done));
    }
    let condition = |source, comparison, value: &str| Condition {
        source: Source::new(source),
        comparison,
        value: value.into(),
        ignore: Vec::new(),
    };
    let pages = async |conditions: Vec<Condition>| {
        let mut ask = Search { entity: 0, conditions, wanted: wanted(), limit: 2, cursor: None };
        let mut pins = Vec::new();
        loop {
            let page = people.search(ask.clone(), &call()).await.expect("a page");
            assert!(page.rows.len() <= 2);
            pins.extend(page.rows.iter().filter_map(|row| row.get("pin")?.to_text().map(String::from)));
            if page.next.is_none() {
                return pins;
            }
            ask.cursor = page.next;
        }
    };
    assert_eq!(pages(vec![]).await, ["P0", "P1", "P2", "P3", "P4", "P5", "P6"]);
    assert_eq!(pages(vec![condition("family", Comparison::Equals, "Əliyeva")]).await, ["P0", "P2", "P4", "P6"]);
    assert_eq!(pages(vec![condition("family", Comparison::Prefix, "Qul")]).await, ["P1", "P3", "P5"]);
    let range = vec![condition("born", Comparison::From, "1982-01-01"), condition("born", Comparison::To, "1984-01-01")];
    assert_eq!(pages(range).await, ["P2", "P3", "P4"]);
    assert!(pages(vec![condition("family", Comparison::Equals, "nobody")]).await.is_empty());
    let photo = OpenBinary { entity: 0, key: vec!["P1".into()], source: Source::new("photo") };
    assert!(people.open_binary(photo, &call()).await.expect("an answer").is_none());
}

#[tokio::test]
async fn is_let_in_by_password_and_by_digest_and_not_without() {
    let server = Server::start(&["people", "0"]);
    for digest in [true, false] {
        let token = json!({ "user": "bus", "password": { "env": "PASSWORD" }, "digest": digest });
        let security = json!({ "security": { "username_token": token, "timestamp_seconds": 60 } });
        let people = open(people_spec(&server, "/people-secure", security)).await;
        // Twice: no nonce is taken a second time.
        assert_eq!(read(&*people, "1").await, Ok(None));
        assert_eq!(read(&*people, "1").await, Ok(None));
    }
    let wrong = json!({ "security": { "username_token": { "user": "bus", "password": { "env": "WRONG" }, "digest": true } } });
    for settings in [wrong, json!({})] {
        let people = open(people_spec(&server, "/people-secure", settings)).await;
        assert!(matches!(read(&*people, "1").await, Err(Failure::Unavailable { .. })));
    }
}

#[tokio::test]
async fn checks_vat_numbers() {
    let server = Server::start(&["vies", "0"]);
    let (pointer, from) = (
        "/contract/v1/vat-numbers/from",
        json!({
            "read": {
                "request": { "t:checkVat": { "t:countryCode": "{countryCode}", "t:vatNumber": "{vatNumber}" } },
                "response": {
                    "element": "t:checkVatResponse",
                    "status": { "path": "valid", "words": { "true": "done", "false": "absent" } },
                },
            },
        }),
    );
    let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect::<Vec<_>>();
    let wanted = Wanted { sources: sources(&["countryCode", "vatNumber", "requestDate", "name", "address"]), groups: Vec::new() };
    let entity = entity(pointer, from, sources(&["countryCode", "vatNumber"]), wanted.clone(), [Operation::Read]);
    let settings = json!({
        "url": format!("{}/checkVatService", server.url),
        "namespaces": { "t": "urn:ec.europa.eu:taxud:vies:services:checkVat:types" },
        "faults": {
            "INVALID_INPUT": "refused", "SERVICE_UNAVAILABLE": "unavailable", "MS_UNAVAILABLE": "unavailable",
            "TIMEOUT": "unavailable", "SERVER_BUSY": "unavailable",
        },
    });
    let vies = open(registry(settings, entity)).await;
    assert_eq!(vies.probe(&call()).await, Ok(()));
    let check = async |country: &str, number: &str| {
        vies.read(Read { entity: 0, key: vec![country.into(), number.into()], wanted: wanted.clone() }, &call()).await
    };
    let row = check("DE", "000000001").await.expect("an answer").expect("a trader");
    assert_eq!(row.get("name"), Some(&"Beispiel & Söhne GmbH".into()));
    assert_eq!(row.get("address"), Some(&"Musterweg 1\n00000 Nirgendwo".into()));
    assert!(check("FR", "00000000005").await.expect("an answer").expect("a trader").get("name").is_none());
    assert_eq!(check("DE", "999999999").await, Ok(None));
    for bad in [("de", "000000001"), ("DE", ""), ("DE", "100")] {
        let outcome = check(bad.0, bad.1).await;
        assert!(matches!(outcome, Err(Failure::Refused { reason: Some(reason), .. }) if reason == "INVALID_INPUT"), "{bad:?}");
    }
    for number in ["200", "201", "202", "203"] {
        assert!(matches!(check("DE", number).await, Err(Failure::Unavailable { .. })), "{number}");
    }
}

/// A server of the library, on a port of its own; it ends with the test.
struct Server {
    url: String,
    child: Child,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/servers/soap");
        assert!(
            directory.join("node_modules/soap").exists(),
            "the servers are not installed: run `npm ci` in tests/servers/soap"
        );
        let mut child = Command::new("node")
            .arg("server.js")
            .args(arguments)
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need Node.js 20 (`node`)");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let port = line.trim().strip_prefix("listening ").expect("the server says where it listens");
        Self { url: format!("http://127.0.0.1:{port}"), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

struct Known;

impl Secrets for Known {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        match secret {
            SecretRef::Env(name) if name.env == "PASSWORD" => Ok(SecretText::new("made-up & <secret>".into())),
            _ => Ok(SecretText::new("another".into())),
        }
    }
}

fn people_spec(server: &Server, path: &str, more: Value) -> RegistrySpec {
    let mut settings = json!({
        "url": format!("{}{path}", server.url),
        "namespaces": { "p": "urn:example:people" },
        "faults": {
            "INVALID_INPUT": "refused", "NOT_FOUND": "absent", "ALREADY_EXISTS": "conflict", "VERSION_CONFLICT": "conflict",
        },
    });
    settings.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let change = |name: &str, person: Value| {
        json!({
            "action": format!("urn:example:people/{name}"),
            "request": { format!("p:{name}"): {
                "p:messageId": "{$message_id}", "p:expectedVersion": "{$version?}", "p:person": person,
            } },
            "response": { "element": format!("p:{name}Response"), "status": {
                "path": "status", "words": { "CREATED": "done", "UPDATED": "done", "DELETED": "done", "DUPLICATE": "before" },
            } },
        })
    };
    let whole = json!({
        "p:pin": "{pin}", "p:family": "{family?}", "p:born": "{born?}", "p:died": "{died!nil}", "p:notes": "{notes!nil}",
        "p:phones": { "p:phone": { "#each": "phones.phone", "@kind": "{@kind?}", "#text": "{#text}" } },
    });
    let from = json!({
        "read": {
            "action": "urn:example:people/getPerson",
            "request": { "p:getPerson": { "p:pin": "{pin}" } },
            "response": { "element": "p:getPersonResponse", "record": "person" },
        },
        "search": {
            "action": "urn:example:people/listPeople",
            "request": { "p:listPeople": {
                "p:family": "{family?}", "p:familyPrefix": "{family:prefix?}", "p:bornFrom": "{born:from?}", "p:bornTo": "{born:to?}",
                "p:offset": "{$offset}", "p:limit": "{$limit}",
            } },
            "response": { "element": "p:listPeopleResponse", "records": "people.person", "total": "total" },
            "paging": "offset",
        },
        "create": change("createPerson", whole.clone()),
        "update": change("updatePerson", whole),
        "delete": change("deletePerson", json!({ "p:pin": "{pin}" })),
        "binary": { "photo": {
            "action": "urn:example:people/getPhoto",
            "request": { "p:getPhoto": { "p:pin": "{pin}" } },
            "response": { "element": "p:getPhotoResponse", "record": "photo" },
        } },
    });
    let operations = [Operation::Read, Operation::Search, Operation::Create, Operation::Update, Operation::Delete];
    let mut people = entity("/contract/v1/persons/from", from, vec![Source::new("pin")], wanted(), operations);
    people.binary = vec![Source::new("photo")];
    people.version = Some(Source::new("version"));
    let filter = |source: &str, comparisons: &[Comparison]| FilterSpec {
        source: Source::new(source),
        comparisons: comparisons.iter().copied().collect(),
        ignore: Vec::new(),
        pointer: String::new(),
    };
    people.filters =
        vec![filter("family", &[Comparison::Equals, Comparison::Prefix]), filter("born", &[Comparison::From, Comparison::To])];
    for operation in [Operation::Create, Operation::Update] {
        let sources = ["pin", "family", "born", "died", "notes"];
        people.written.extend(sources.map(|source| (operation, Source::new(source), String::new())));
    }
    registry(settings, people)
}

fn entity(
    pointer: &str,
    from: Value,
    key: Vec<Source>,
    wanted: Wanted,
    operations: impl Into<BTreeSet<Operation>>,
) -> EntitySpec {
    EntitySpec {
        name: pointer.to_owned(),
        pointer: pointer.to_owned(),
        from,
        key,
        wanted,
        places: Vec::new(),
        binary: Vec::new(),
        filters: Vec::new(),
        operations: operations.into(),
        written: Vec::new(),
        version: None,
        actions: Vec::new(),
        changes: None,
    }
}

fn registry(settings: Value, entity: EntitySpec) -> RegistrySpec {
    RegistrySpec {
        registry: RegistryId::new("under-test").expect("an id"),
        settings,
        entities: vec![entity],
        tables: Vec::new(),
        timeout: Duration::from_secs(10),
        concurrency: 4,
        directory: ".".into(),
    }
}

fn wanted() -> Wanted {
    let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect();
    let phones = GroupSpec { name: Source::new("phones.phone"), sources: sources(&["@kind", "#text"]) };
    Wanted { sources: sources(&["pin", "family", "born", "died", "notes", "version"]), groups: vec![phones] }
}

async fn open(spec: RegistrySpec) -> Arc<dyn Connector> {
    assert_eq!(Soap.check(&spec), []);
    Soap.open(spec, &Known).await.expect("a connector")
}

async fn read(people: &dyn Connector, pin: &str) -> Result<Option<Row>, Failure> {
    people.read(Read { entity: 0, key: vec![pin.into()], wanted: wanted() }, &call()).await
}

fn change(kind: ChangeKind, pin: &str, id: u128, values: Value, version: Option<i64>) -> Change {
    let values = serde_json::from_value(values).expect("a row");
    // The same number stands for another change of another person.
    let id = uuid::Uuid::from_u128(id << 64 | pin.bytes().fold(0, |sum, byte| sum * 251 + u128::from(byte)));
    Change { entity: 0, id, kind, key: vec![pin.into()], values, expected_version: version.map(Legacy::Int) }
}

fn call() -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::nil()), deadline: Instant::now() + Duration::from_secs(10), traceparent: None }
}
