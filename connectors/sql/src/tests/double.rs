//! The stand-in that a manifest's tests run on, and what only SQLite files can show.

use std::sync::Arc;

use rabita_sdk::{Applied, ChangeKind, Connector, EntitySpec, Failure, Legacy, Read, TableSpec};
use serde_json::{Value, json};

use super::support::*;

async fn double(entities: Vec<EntitySpec>, fixture: Value) -> Arc<dyn Connector> {
    let spec = spec("/nowhere".into(), "postgres://registry.invalid/x", json!({"once": {"table": "bus.messages"}}), entities);
    crate::kind().double(spec, &fixture).await.expect("a stand-in").connector
}

#[tokio::test]
async fn a_fixture_is_read_back_as_it_was_written() {
    let fixture = json!({"CITIZENS": [
        {"FIN": "5ZJBKH7", "SOYAD": "Əliyeva ", "DOGUM": 19780300, "WEIGHT": 1.5, "LIVES": true, "PHOTO": {"base64": "AAEC/w=="}},
        {"FIN": "X", "PHOTO": {"hex": "00ff"}, "NAMES": ["a", "b"], "MIXED": 1},
        {"FIN": "Y", "MIXED": "one"},
    ]});
    let wanted = ["FIN", "SOYAD", "DOGUM", "WEIGHT", "LIVES", "PHOTO", "NAMES", "MIXED", "ELSE"];
    let connector = double(vec![entity(json!("CITIZENS"), &["FIN"], &wanted)], fixture).await;
    let found = connector.read(ask("5ZJBKH7", &wanted), &call()).await.expect("it answers").expect("a record");
    let expected = [
        Legacy::from("5ZJBKH7"),
        "Əliyeva ".into(),
        19780300.into(),
        Legacy::Float(1.5),
        Legacy::Bool(true),
        Legacy::Bytes(vec![0, 1, 2, 255]),
        Legacy::Null,
        Legacy::Null,
        Legacy::Null,
    ];
    assert_eq!(found.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(), expected);
    let found = connector.read(ask("X", &["PHOTO", "NAMES", "MIXED"]), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found.get("NAMES"), Some(&Legacy::List(vec!["a".into(), "b".into()])));
    assert_eq!((found.get("PHOTO"), found.get("MIXED")), (Some(&Legacy::Bytes(vec![0, 255])), Some(&Legacy::Int(1))));
    let found = connector.read(ask("Y", &["MIXED"]), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found.get("MIXED"), Some(&Legacy::from("one")));
}

#[tokio::test]
async fn schemas_joins_groups_and_conditions_work_with_tables_that_no_fixture_has() {
    let from = json!({
        "table": "lo3.persoon", "as": "p",
        "joins": [{"table": "lo3.land", "as": "l", "on": "l.code = p.land"}],
        "where": "p.stapel = 0",
        "groups": {"papers": {"table": "doc.reis", "on": {"pl": "pl", "nr": "stapel"}, "order_by": ["volg"]}},
    });
    let mut entity = readable(from, &["bsn"], &["bsn", "l.naam"]);
    entity.wanted.groups = vec![group("papers", &["soort"])];
    let wanted = entity.wanted.clone();
    let fixture = json!({"lo3.persoon": [{"bsn": 1, "pl": 7, "land": 5, "stapel": 0}, {"bsn": 2, "stapel": 1}], "doc.reis": [{"pl": 7, "nr": 0, "soort": "P"}, {"pl": 8, "nr": 0, "soort": "Q"}]});
    let connector = double(vec![entity], fixture).await;
    let found =
        connector.read(Read { entity: 0, key: vec!["1".into()], wanted: wanted.clone() }, &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"bsn": 1, "l.naam": null, "papers": [{"soort": "P"}]}))));
    assert_eq!(connector.read(Read { entity: 0, key: vec![2.into()], wanted }, &call()).await, Ok(None));
}

#[tokio::test]
async fn changes_and_their_ids_work_on_an_empty_fixture() {
    let connector = double(vec![entity(json!("T"), &["K"], &["K", "V"])], json!({})).await;
    let create = change(ChangeKind::Create, 1, 5, json!({"K": 5, "V": "x"}));
    assert_eq!(connector.apply(create.clone(), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(create, &call()).await, Ok(Applied::Before));
    let again = change(ChangeKind::Create, 2, 5, json!({"K": 5, "V": "y"}));
    assert_eq!(connector.apply(again, &call()).await, Ok(Applied::Conflict));
    assert_eq!(connector.read(ask("5", &["V"]), &call()).await, Ok(Some(row(json!({"V": "x"})))));
}

#[tokio::test]
async fn a_stand_in_tells_what_it_was_asked_and_leaves_out_its_own_looks() {
    let spec = spec("/nowhere".into(), "postgres://registry.invalid/x", json!({}), vec![entity(json!("T"), &["K"], &["K", "V"])]);
    let double = crate::kind().double(spec, &json!({ "T": [{ "K": 5, "V": "x" }] })).await.expect("a stand-in");
    let connector = &double.connector;
    assert_eq!(connector.probe(&call()).await, Ok(()));
    assert_eq!(connector.read(ask("5", &["V"]), &call()).await, Ok(Some(row(json!({ "V": "x" })))));
    let update = change(ChangeKind::Update, 1, 5, json!({ "V": null }));
    assert_eq!(connector.apply(update, &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(change(ChangeKind::Create, 2, 6, json!({ "K": 6, "V": "y" })), &call()).await, Ok(Applied::Done));
    let asked = (double.asked.as_ref().expect("it tells"))();
    let told: Vec<_> = asked.iter().map(|one| (&one["statement"], &one["table"], &one["columns"], &one["parameters"])).collect();
    let (select, update, insert) = (json!("select"), json!("update"), json!("insert"));
    let (table, v, both) = (json!("T"), json!(["V", "K"]), json!(["K", "V"]));
    assert_eq!(
        told,
        [
            (&select, &table, &v, &json!(["5"])),
            (&update, &table, &json!(["V"]), &json!([null, 5])),
            (&insert, &table, &both, &json!([6, "y"])),
        ]
    );
}

#[tokio::test]
async fn a_select_that_sqlite_can_not_run_says_that_it_needs_the_real_database() {
    let from = json!({"select": "SELECT fin::text AS fin FROM CITIZENS"});
    let connector = double(vec![readable(from, &["fin"], &["fin"])], json!({"CITIZENS": [{"fin": 1}]})).await;
    let Err(Failure::Unsupported { detail }) = connector.read(ask("1", &["fin"]), &call()).await else { panic!("it read") };
    assert!(detail.contains("live"), "{detail}");
}

#[tokio::test]
async fn a_stand_in_serves_many_calls_at_once_and_after_failures() {
    let entities =
        vec![readable(json!("T"), &["K"], &["K"]), readable(json!({"select": "SELECT nothing FROM nowhere"}), &["nothing"], &[])];
    let connector = double(entities, json!({"T": [{"K": 1}, {"K": 2}]})).await;
    for _ in 0..5 {
        let (a, b, c, d) = (call(), call(), call(), call());
        let bad = Read { entity: 1, ..ask(1, &[]) };
        let (one, two, three, failed) = tokio::join!(
            connector.read(ask(1, &["K"]), &a),
            connector.read(ask(2, &["K"]), &b),
            connector.read(ask(3, &["K"]), &c),
            connector.read(bad, &d)
        );
        assert!(one.is_ok_and(|row| row.is_some()) && two.is_ok_and(|row| row.is_some()) && three == Ok(None) && failed.is_err());
    }
}

#[tokio::test]
async fn code_tables_come_from_the_fixture() {
    let mut spec = spec("/nowhere".into(), "postgres://registry.invalid/x", json!({}), Vec::new());
    spec.tables = vec![TableSpec {
        name: "c".into(),
        pointer: "/codes/c".into(),
        from: json!({"table": "C", "where": "VALID = 1"}),
        columns: sources(&["A", "B"]),
    }];
    let double = crate::kind()
        .double(spec, &json!({"C": [{"A": "x", "B": 1, "VALID": 1}, {"A": "y", "VALID": 0}]}))
        .await
        .expect("a stand-in");
    assert_eq!(double.connector.table(0, &call()).await, Ok(vec![vec!["x".into(), Legacy::Int(1)]]));
    assert!((double.complaints)().is_empty());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_found_by_the_probe_and_not_before() {
    let registry = Registry::new(&[]).await;
    let connector = registry.open(json!({}), vec![readable(json!("T"), &["K"], &["K"])]).await;
    let answer = connector.probe(&call()).await;
    assert!(matches!(answer, Err(Failure::Unavailable { .. })), "{answer:?}");
}

#[tokio::test]
async fn text_that_is_not_utf8_is_malformed() {
    let registry =
        Registry::new(&["CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, CAST(x'c328ff' AS TEXT))"])
            .await;
    let connector = registry.open(json!({}), vec![readable(json!("t"), &["k"], &["v"])]).await;
    let answer = connector.read(ask(1, &["v"]), &call()).await;
    assert!(matches!(answer, Err(Failure::Malformed { .. })), "{answer:?}");
}
