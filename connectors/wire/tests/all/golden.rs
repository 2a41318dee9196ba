//! Messages and schemas as other languages see them: files, compared word for word. `BLESS=1` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rabita_model::{Comparison, Operation};
use rabita_sdk::{Duplicates, Ignore, Legacy, Row, Source};
use rabita_wire::message::*;
use rabita_wire::value::{Exact, ExactRow};
use rabita_wire::version::Versions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

#[test]
fn each_message_is_as_its_file_shows_it_and_satisfies_its_schema() {
    let mut golden = Golden::default();
    golden.describing();
    golden.reading();
    golden.changing();
    golden.the_rest();
    let calls: Vec<&str> = schemas().iter().map(|(call, _, _)| *call).collect();
    let shown: Vec<&str> = golden.shown.iter().map(String::as_str).collect();
    for call in calls {
        assert!(shown.contains(&call), "no golden file shows `{call}`");
    }
}

#[test]
fn the_schemas_are_those_of_the_messages() {
    for (call, question, answer) in schemas() {
        holds(&directory("schemas").join(format!("{call}.request.json")), &question.to_value());
        holds(&directory("schemas").join(format!("{call}.answer.json")), &answer.to_value());
    }
    holds(&directory("schemas").join("failure.json"), &schemars::schema_for!(FailureMessage).to_value());
}

#[test]
fn members_that_a_later_version_adds_are_passed_over() {
    let read = json!({ "entity": "people", "key": ["P1"], "wanted": { "sources": ["pin"], "later": 1 }, "hint": "soon" });
    let read: ReadMessage = serde_json::from_value(read).expect("a message of a later version");
    assert_eq!(read.key, [Exact("P1".into())]);
    let failure = json!({ "failure": "unavailable", "detail": "x", "severity": 3 });
    assert!(serde_json::from_value::<FailureMessage>(failure).is_ok());
}

#[derive(Default)]
struct Golden {
    shown: Vec<String>,
}

impl Golden {
    fn show<Q, A>(&mut self, call: &str, question: &Q, answer: &A)
    where
        Q: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
        A: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        self.show_as(call, call, question, answer);
    }

    fn show_as<Q, A>(&mut self, name: &str, call: &str, question: &Q, answer: &A)
    where
        Q: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
        A: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let all = schemas();
        let (_, of_question, of_answer) = all.iter().find(|(own, _, _)| *own == call).expect("the call has schemas");
        let written = [round(question, &of_question.clone().to_value()), round(answer, &of_answer.clone().to_value())];
        let [question, answer] = written;
        holds(&directory("golden").join(format!("{name}.json")), &json!({ "request": question, "answer": answer }));
        self.shown.push(call.to_owned());
    }

    fn describing(&mut self) {
        let can = CapabilitiesMessage {
            operations: vec![Operation::Read, Operation::Search, Operation::Update],
            reads_many_at_once: true,
            projects: true,
            ignores: vec![Ignore::Case],
            streams_binary: true,
            checks_versions: true,
            duplicates: Duplicates::Detected,
        };
        let manifest = BTreeMap::from([("from".to_owned(), "4f2d8a90c1b3e567".to_owned())]);
        let entity = EntityDescription { entity: "v1/people".into(), capabilities: can, manifest: Some(manifest) };
        let description = Description {
            wire: 1,
            instance: "interior-1".into(),
            software: Some("rabita 0.1.0".into()),
            registries: vec![RegistryDescription { registry: "population".into(), entities: vec![entity] }],
        };
        self.show("describe", &Describe { wire: Versions { oldest: 1, newest: 1 } }, &description);
        let remarks = vec!["registry `treasury`: this host is not admitted to serve it".to_owned()];
        self.show("welcome", &Welcome { accepted: true, remarks }, &Nothing {});
        self.show("probe", &Nothing {}, &Nothing {});
    }

    fn reading(&mut self) {
        let read = ReadMessage { entity: "people".into(), key: key(), wanted: wanted() };
        self.show("read", &read, &RowAnswer { row: Some(row()) });
        self.show_as("read-absent", "read", &read, &RowAnswer { row: None });
        let many = ReadManyMessage { entity: "people".into(), keys: vec![key(), vec![Exact("P2".into())]], wanted: wanted() };
        self.show("read_many", &many, &RowsAnswer { rows: vec![Some(row()), None] });
        let condition = ConditionMessage {
            source: Source::new("family"),
            comparison: Comparison::Prefix,
            value: Exact("Əli".into()),
            ignore: vec![Ignore::Case],
        };
        let search = SearchMessage {
            entity: "people".into(),
            conditions: vec![condition],
            wanted: wanted(),
            limit: 50,
            cursor: Some("after:P1".into()),
        };
        self.show("search", &search, &PageAnswer { rows: vec![row()], next: Some("after:P2".into()) });
    }

    fn changing(&mut self) {
        let values = ExactRow(Row::from_iter([("family", Legacy::from("Quliyeva")), ("notes", Legacy::Null)]));
        let change = ChangeMessage {
            entity: "people".into(),
            id: id(),
            change: ChangeWord::Update,
            key: key(),
            values: values.clone(),
            expected_version: Some(Exact(Legacy::Int(7))),
        };
        self.show("apply", &change, &AppliedAnswer { applied: AppliedWord::Done });
        let any =
            ChangeMessage { expected_version: None, change: ChangeWord::Delete, values: ExactRow(Row::new()), ..change.clone() };
        self.show_as("apply-any-version", "apply", &any, &AppliedAnswer { applied: AppliedWord::Before });
        let null = ChangeMessage { expected_version: Some(Exact(Legacy::Null)), ..change };
        self.show_as("apply-null-version", "apply", &null, &AppliedAnswer { applied: AppliedWord::Conflict });
        let act = ActMessage {
            entity: "people".into(),
            action: "rename".into(),
            id: id(),
            key: key(),
            values: ExactRow(Row::from_iter([("new_family", Legacy::from("Quliyeva"))])),
            expected_version: None,
        };
        let reply = Some(ExactRow(Row::from_iter([("family", Legacy::from("Quliyeva"))])));
        self.show("act", &act, &ActedAnswer { applied: AppliedWord::Done, reply });
        self.show("forgo", &ForgoMessage { entity: "people".into(), id: id() }, &ForgoAnswer { was_applied: false });
    }

    fn the_rest(&mut self) {
        let changes = ChangesMessage { entity: "people".into(), since: Some("41".into()), wanted: wanted(), limit: 100 };
        let found = vec![
            DetectedMessage::Row(row()),
            DetectedMessage::Key(key()),
            DetectedMessage::Gone(vec![Exact("P3".into()), Exact(Legacy::Int(2))]),
        ];
        self.show("changes", &changes, &ChangesAnswer { changes: found, since: "44".into(), has_more: false });
        let columns = vec![Source::new("KOD"), Source::new("AD")];
        let rows = vec![vec![Exact(Legacy::Int(1)), Exact("Bakı".into())]];
        self.show("table", &TableMessage { table: "district".into(), columns }, &TableAnswer { rows });
        let binary = BinaryMessage { entity: "people".into(), key: key(), source: Source::new("photo") };
        let schema = schemas().into_iter().find(|(call, _, _)| *call == "open_binary").expect("the call").1;
        let question = round(&binary, &schema.to_value());
        holds(&directory("golden").join("open_binary.json"), &json!({ "request": question }));
        self.shown.push("open_binary".to_owned());
        let failure = FailureMessage {
            failure: FailureWord::Unavailable,
            detail: "PostgreSQL: connection refused".into(),
            reason: None,
            retry_after_ms: Some(30_000),
            wire: None,
        };
        let schema = schemars::schema_for!(FailureMessage).to_value();
        holds(&directory("golden").join("failure.json"), &round(&failure, &schema));
    }
}

fn id() -> Uuid {
    "0192f0c1-7b2e-7d11-8a53-3f2b9a6c0d4e".parse().expect("a UUID")
}

fn key() -> Vec<Exact> {
    vec![Exact("P1".into())]
}

fn wanted() -> WantedMessage {
    let groups = vec![GroupMessage { name: Source::new("addresses"), sources: vec![Source::new("street")] }];
    WantedMessage { sources: vec![Source::new("pin"), Source::new("balance")], groups }
}

/// A row with each kind of value.
fn row() -> ExactRow {
    let address = Row::from_iter([("street", Legacy::from("Nizami 1"))]);
    let odd = Row::from_iter([("$ref", Legacy::from("x"))]);
    ExactRow(Row::from_iter([
        ("pin", Legacy::from("P1")),
        ("balance", Legacy::from("1234.50")),
        ("number", Legacy::Int(i64::MAX)),
        ("share", Legacy::Float(0.1)),
        ("active", Legacy::Bool(true)),
        ("notes", Legacy::Null),
        ("seal", Legacy::Bytes(vec![0, 255, 16])),
        ("addresses", Legacy::List(vec![Legacy::Group(address)])),
        ("odd", Legacy::Group(odd)),
    ]))
}

/// The message as JSON; it satisfies its schema, and is read as what was written.
fn round<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: &T, schema: &Value) -> Value {
    let written = serde_json::to_value(message).expect("a message is JSON");
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> =
        validator.iter_errors(&written).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new(), "{written:#}");
    let read: T = serde_json::from_value(written.clone()).expect("a message");
    assert_eq!(read, *message);
    written
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn holds(file: &Path, value: &Value) {
    let text = format!("{value:#}\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("the directory can be made");
        std::fs::write(file, &text).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(kept, text, "{} is another; BLESS=1 writes it anew", file.display());
}
