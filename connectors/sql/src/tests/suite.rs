//! What holds on every database.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use rabita_model::Comparison;
use rabita_sdk::{Applied, ChangeKind, Failure, Ignore, Legacy, OpenBinary, Read, Source, TableSpec, Wanted};
use serde_json::json;

use super::support::*;

const PERSON: &str = "CREATE TABLE person (fin VARCHAR(40) NOT NULL PRIMARY KEY, family VARCHAR(200), born INTEGER, agency INTEGER, note TEXT, version INTEGER)";
const AGENCY: &str = "CREATE TABLE agency (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(200))";
const PHONE: &str = "CREATE TABLE phone (owner VARCHAR(40), kind INTEGER, num VARCHAR(40))";

async fn people() -> Registry {
    Registry::new(&[
        PERSON,
        AGENCY,
        PHONE,
        "INSERT INTO agency VALUES (1, 'Interior'), (2, 'Justice')",
        "INSERT INTO person VALUES ('A1', 'Əliyeva Şəhla', 19780300, 1, NULL, 1), ('A2', 'O''Neil', 19900101, 2, '100% _ok_', 1), ('A3', 'Məmmədov', NULL, NULL, '  outer  ', 1), ('A4', 'aliyev', 20000229, 1, 'x', 1), ('A5', 'ALIYEV', 20010101, 1, 'y', 1)",
        "INSERT INTO phone VALUES ('A1', 1, '111'), ('A1', 2, '222'), ('A2', 1, '333'), ('A2', 9, '999')",
    ])
    .await
}

const WANTED: [&str; 6] = ["fin", "family", "born", "agency", "note", "version"];

#[tokio::test]
async fn reads_one_record_with_what_is_wanted_and_no_more() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let found = connector.read(ask("A1", &["family", "born"]), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found, row(json!({"family": "Əliyeva Şəhla", "born": 19780300})));
    assert_eq!(connector.read(ask("nobody", &["family"]), &call()).await, Ok(None));
    assert_eq!(connector.read(ask(Legacy::Null, &["family"]), &call()).await, Ok(None));
    assert_eq!(connector.probe(&call()).await, Ok(()));
}

#[tokio::test]
async fn a_probe_names_what_is_lacking_until_it_is_there() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    assert_eq!(connector.probe(&call()).await, Ok(()));
    registry.run("ALTER TABLE person RENAME COLUMN family TO surname").await;
    let read = connector.read(ask("A1", &["family"]), &call()).await;
    let probed = connector.probe(&call()).await;
    for failure in [read.expect_err("no such column"), probed.expect_err("it looks at columns")] {
        assert!(matches!(&failure, Failure::Unsupported { detail } if detail.contains("family")), "{failure:?}");
    }
    registry.run("ALTER TABLE person RENAME COLUMN surname TO family").await;
    assert_eq!(connector.probe(&call()).await, Ok(()));
    assert!(connector.read(ask("A1", &["family"]), &call()).await.is_ok_and(|found| found.is_some()));
}

#[tokio::test]
async fn hostile_keys_are_values_and_nothing_else() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let long = "x".repeat(1 << 20);
    let twice = ["A1 ", "A1"].map(|key| ask(key, &["fin"])).to_vec();
    let found = connector.read_many(twice, &call()).await.expect("it answers");
    assert_eq!(found, [None, Some(row(json!({"fin": "A1"})))]);
    for hostile in [
        "' OR '1'='1",
        "A1'; DROP TABLE person; --",
        "%",
        "_",
        "A1\0",
        "A1 ",
        " A1",
        "\u{202e}",
        "\\",
        "\"",
        "`",
        "?",
        "$1",
        &long,
    ] {
        assert_eq!(connector.read(ask(hostile, &["family"]), &call()).await, Ok(None), "{:?}", hostile.get(..20));
    }
    assert!(connector.read(ask("A1", &["family"]), &call()).await.expect("it answers").is_some());
}

#[tokio::test]
async fn a_text_that_is_no_number_is_the_key_of_no_record() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![readable(json!("agency"), &["id"], &["id", "name"])]).await;
    for bad in ["abc", "", "1.5", "1 OR 1=1", "99999999999999999999999"] {
        assert_eq!(connector.read(ask(bad, &["name"]), &call()).await, Ok(None), "{bad}");
    }
    let found = connector.read(ask("2", &["name"]), &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"name": "Justice"}))));
    let large = connector.read(ask(i64::MAX, &["name"]), &call()).await;
    assert_eq!(large, Ok(None));
}

#[tokio::test]
async fn reads_many_in_the_order_of_the_keys_with_gaps_and_twice() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let asks = ["A3", "none", "A1", "A3"].map(|key| ask(key, &["family"])).to_vec();
    let found = connector.read_many(asks, &call()).await.expect("it answers");
    let families: Vec<_> = found.iter().map(|row| row.as_ref().and_then(|row| row.get("family")).cloned()).collect();
    assert_eq!(families, [Some("Məmmədov".into()), None, Some("Əliyeva Şəhla".into()), Some("Məmmədov".into())]);
    assert_eq!(connector.read_many(Vec::new(), &call()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn reads_many_by_a_key_of_two_columns() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![readable(json!("phone"), &["owner", "kind"], &["num"])]).await;
    let key = |owner: &str, kind: Legacy| Read { key: vec![owner.into(), kind], ..ask("", &["num"]) };
    let asks = vec![key("A1", 2.into()), key("A2", "1".into()), key("A1", 9.into()), key("A2", "x".into())];
    let found = connector.read_many(asks, &call()).await.expect("it answers");
    let numbers: Vec<_> = found.iter().map(|row| row.as_ref().and_then(|row| row.get("num")).cloned()).collect();
    assert_eq!(numbers, [Some("222".into()), Some("333".into()), None, None]);
}

#[tokio::test]
async fn searches_by_every_comparison() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let cases = [
        (condition("family", Comparison::Equals, "O'Neil", &[]), vec!["A2"]),
        (condition("family", Comparison::Prefix, "Əliy", &[]), vec!["A1"]),
        (condition("family", Comparison::Prefix, "%", &[]), vec![]),
        (condition("note", Comparison::Prefix, "100%", &[]), vec!["A2"]),
        (condition("note", Comparison::Prefix, "100_", &[]), vec![]),
        (condition("note", Comparison::Prefix, "100% _", &[]), vec!["A2"]),
        (condition("note", Comparison::Prefix, "!", &[]), vec![]),
        (condition("family", Comparison::Equals, "Aliyev", &[Ignore::Case]), vec!["A4", "A5"]),
        (condition("family", Comparison::Prefix, "ALI", &[Ignore::Case]), vec!["A4", "A5"]),
        (condition("note", Comparison::Equals, "outer", &[Ignore::OuterSpaces]), vec!["A3"]),
        (condition("born", Comparison::From, 20000229, &[]), vec!["A4", "A5"]),
        (condition("born", Comparison::To, "19900101", &[]), vec!["A1", "A2"]),
        (condition("born", Comparison::Prefix, "2000", &[]), vec!["A4"]),
        (condition("born", Comparison::Equals, "x", &[]), vec![]),
        (condition("family", Comparison::Equals, "' OR 1=1 --", &[]), vec![]),
    ];
    for (condition, expected) in cases {
        let told = format!("{condition:?}");
        let page = connector.search(search(vec![condition], &["fin"], 10, None), &call()).await.expect(&told);
        assert_eq!(column(&page, "fin"), expected, "{told}");
        assert_eq!(page.next, None);
    }
    let both = vec![condition("agency", Comparison::Equals, 1, &[]), condition("born", Comparison::To, 19800000, &[])];
    let page = connector.search(search(both, &["fin"], 10, None), &call()).await.expect("it answers");
    assert_eq!(column(&page, "fin"), ["A1"]);
}

#[tokio::test]
async fn pages_hold_every_record_once_and_end_exactly() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![readable(json!("phone"), &["owner", "kind"], &["num"])]).await;
    for limit in 1..=5 {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = connector.search(search(Vec::new(), &["num"], limit, cursor), &call()).await.expect("it answers");
            assert!(page.rows.len() <= limit && !page.rows.is_empty());
            seen.extend(column(&page, "num"));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["111", "222", "333", "999"]);
        assert_eq!(pages, 4_usize.div_ceil(limit));
    }
}

#[tokio::test]
async fn refuses_a_cursor_that_it_did_not_give() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![readable(json!("phone"), &["owner", "kind"], &["num"])]).await;
    for bad in ["", "x", "[]", "[1]", "[null,null]", "{}", "[[],{}]", "[\"A1\",1,2]", "\u{0}"] {
        let answer = connector.search(search(Vec::new(), &["num"], 2, Some(bad.into())), &call()).await;
        assert!(matches!(answer, Err(Failure::Refused { .. })), "{bad:?}: {answer:?}");
    }
}

fn joined() -> serde_json::Value {
    json!({
        "table": "person", "as": "p",
        "joins": [{ "table": "agency", "as": "a", "on": "a.id = p.agency" }],
        "where": "p.fin <> 'A5'",
        "groups": { "phones": { "table": "phone", "as": "f", "on": { "owner": "fin" }, "where": "f.kind < 9", "order_by": ["kind desc"] } },
    })
}

#[tokio::test]
async fn joins_and_attaches_groups_in_their_order() {
    let registry = people().await;
    let mut entity = readable(joined(), &["fin"], &["family", "a.name"]);
    entity.wanted.groups = vec![group("phones", &["num", "f.kind"])];
    let wanted = entity.wanted.clone();
    let connector = registry.open(json!({}), vec![entity]).await;
    let read = |key: &str| Read { entity: 0, key: vec![key.into()], wanted: wanted.clone() };
    let found = connector.read(read("A1"), &call()).await.expect("it answers").expect("a record");
    let phones = json!([{"num": "222", "f.kind": 2}, {"num": "111", "f.kind": 1}]);
    assert_eq!(found, row(json!({"family": "Əliyeva Şəhla", "a.name": "Interior", "phones": phones})));
    let found = connector.read(read("A3"), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found, row(json!({"family": "Məmmədov", "a.name": null, "phones": []})));
    assert_eq!(connector.read(read("A5"), &call()).await, Ok(None), "`where` holds for every record");
    let page = connector
        .search(rabita_sdk::Search { entity: 0, conditions: vec![], wanted, limit: 9, cursor: None }, &call())
        .await
        .expect("it answers");
    let lengths: Vec<_> = page
        .rows
        .iter()
        .map(|row| match row.get("phones") {
            Some(Legacy::List(items)) => items.len(),
            _ => 99,
        })
        .collect();
    assert_eq!(lengths, [2, 1, 0, 0]);
}

#[tokio::test]
async fn a_hand_written_select_is_read_and_searched() {
    let registry = people().await;
    let from =
        json!({ "select": "SELECT p.fin, a.name AS agency_name FROM person p JOIN agency a ON a.id = p.agency -- the end" });
    let connector = registry.open(json!({}), vec![readable(from, &["fin"], &["fin", "agency_name"])]).await;
    let found = connector.read(ask("A2", &["agency_name"]), &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"agency_name": "Justice"}))));
    let by_name = vec![condition("agency_name", Comparison::Prefix, "Int", &[])];
    let page = connector.search(search(by_name, &["fin"], 2, None), &call()).await.expect("it answers");
    assert_eq!(column(&page, "fin"), ["A1", "A4"]);
    assert!(page.next.is_some());
    let answer = connector.apply(change(ChangeKind::Delete, 1, "A2", json!({})), &call()).await;
    assert!(matches!(answer, Err(Failure::Unsupported { .. })), "{answer:?}");
}

#[tokio::test]
async fn several_rows_under_one_key_are_no_record() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![readable(json!("phone"), &["owner"], &["num"])]).await;
    let answer = connector.read(ask("A1", &["num"]), &call()).await;
    assert!(matches!(answer, Err(Failure::Malformed { .. })), "{answer:?}");
}

#[tokio::test]
async fn creates_updates_and_deletes_and_says_what_is_absent_or_in_conflict() {
    let registry = people().await;
    let connector = registry.open(json!({}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let apply = |change| {
        let connector = connector.clone();
        async move { connector.apply(change, &call()).await }
    };
    let hostile = "Əliyeva'; DROP TABLE person; -- \" ` \\ %_ Şəhla";
    let new = json!({"fin": "N1", "family": hostile, "born": 20200101});
    assert_eq!(apply(change(ChangeKind::Create, 1, "N1", new.clone())).await, Ok(Applied::Done));
    assert_eq!(apply(change(ChangeKind::Create, 2, "N1", new)).await, Ok(Applied::Conflict));
    let found = connector.read(ask("N1", &["family", "born", "note"]), &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"family": hostile, "born": 20200101, "note": null}))));
    assert_eq!(apply(change(ChangeKind::Update, 3, "N1", json!({"born": null, "note": "n"}))).await, Ok(Applied::Done));
    // The same values again touch the same record.
    assert_eq!(apply(change(ChangeKind::Update, 4, "N1", json!({"note": "n"}))).await, Ok(Applied::Done));
    assert_eq!(apply(change(ChangeKind::Replace, 5, "N9", json!({"note": "n"}))).await, Ok(Applied::Absent));
    assert_eq!(apply(change(ChangeKind::Replace, 10, "A4", json!({"note": "n"}))).await, Ok(Applied::Done));
    let replaced = connector.read(ask("A4", &["fin", "family", "note"]), &call()).await.expect("it answers");
    assert_eq!(replaced, Some(row(json!({"fin": "A4", "family": null, "note": "n"}))));
    let found = connector.read(ask("N1", &["born", "note"]), &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"born": null, "note": "n"}))));
    assert_eq!(apply(change(ChangeKind::Delete, 6, "N1", json!({}))).await, Ok(Applied::Done));
    assert_eq!(apply(change(ChangeKind::Delete, 7, "N1", json!({}))).await, Ok(Applied::Absent));
    let answer = apply(change(ChangeKind::Update, 8, "A1", json!({"family": null, "unannounced": 1}))).await;
    assert!(matches!(answer, Err(Failure::Unsupported { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_version_that_is_not_expected_is_a_conflict() {
    let registry = people().await;
    let mut entity =
        entity(json!({"table": "person", "as": "p", "where": "p.fin <> 'A5'", "bump": "increment"}), &["fin"], &WANTED);
    entity.version = Some(Source::new("version"));
    let connector = registry.open(json!({}), vec![entity]).await;
    let with = |id, key: &str, version: i64| {
        let mut change = change(ChangeKind::Update, id, key, json!({"note": "n"}));
        change.expected_version = Some(version.into());
        change
    };
    assert_eq!(connector.apply(with(1, "A1", 1), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(with(2, "A1", 1), &call()).await, Ok(Applied::Conflict));
    assert_eq!(connector.apply(with(3, "A1", 2), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(with(4, "A9", 1), &call()).await, Ok(Applied::Absent));
    assert_eq!(connector.apply(with(5, "A5", 1), &call()).await, Ok(Applied::Absent), "`where` holds for changes too");
    let mut delete = change(ChangeKind::Delete, 6, "A1", json!({}));
    delete.expected_version = Some(2.into());
    assert_eq!(connector.apply(delete.clone(), &call()).await, Ok(Applied::Conflict));
    delete.expected_version = Some(3.into());
    assert_eq!(connector.apply(delete, &call()).await, Ok(Applied::Done));
}

#[tokio::test]
async fn changes_a_table_whose_condition_is_over_a_join() {
    let registry = people().await;
    let from = json!({ "table": "person", "as": "p", "joins": [{"table": "agency", "as": "a", "on": "a.id = p.agency"}], "where": "a.name = 'Interior'" });
    let connector = registry.open(json!({}), vec![entity(from, &["fin"], &["family", "a.name"])]).await;
    assert_eq!(connector.apply(change(ChangeKind::Update, 1, "A1", json!({"family": "New"})), &call()).await, Ok(Applied::Done));
    assert_eq!(
        connector.apply(change(ChangeKind::Update, 2, "A2", json!({"family": "New"})), &call()).await,
        Ok(Applied::Absent)
    );
    assert_eq!(connector.apply(change(ChangeKind::Delete, 3, "A2", json!({})), &call()).await, Ok(Applied::Absent));
    assert_eq!(connector.apply(change(ChangeKind::Delete, 4, "A1", json!({})), &call()).await, Ok(Applied::Done));
}

#[tokio::test]
async fn a_change_that_is_sent_again_is_known_and_one_that_failed_is_not() {
    let registry = people().await;
    let settings = json!({"once": {"table": "bus_messages", "create": true}});
    let connector = registry.open(settings.clone(), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let update = change(ChangeKind::Update, 1, "A1", json!({"note": "once"}));
    assert_eq!(connector.apply(update.clone(), &call()).await, Ok(Applied::Done));
    registry.run("UPDATE person SET note = 'later' WHERE fin = 'A1'").await;
    assert_eq!(connector.apply(update, &call()).await, Ok(Applied::Before));
    let found = connector.read(ask("A1", &["note"]), &call()).await.expect("it answers");
    assert_eq!(found, Some(row(json!({"note": "later"}))));
    let absent = change(ChangeKind::Update, 2, "B1", json!({"note": "n"}));
    assert_eq!(connector.apply(absent.clone(), &call()).await, Ok(Applied::Absent));
    registry.run("INSERT INTO person (fin) VALUES ('B1')").await;
    assert_eq!(connector.apply(absent, &call()).await, Ok(Applied::Done));
    // Side by side, exactly one is done.
    let both = change(ChangeKind::Update, 3, "A2", json!({"note": "n"}));
    let (call_a, call_b) = (call(), call());
    let (a, b) = tokio::join!(connector.apply(both.clone(), &call_a), connector.apply(both, &call_b));
    let mut outcomes = [a, b].map(|outcome| outcome == Ok(Applied::Done));
    outcomes.sort_unstable();
    assert_eq!(outcomes, [false, true]);
}

#[tokio::test]
async fn a_table_of_ids_that_is_not_there_fails_the_change_with_the_statement_to_run() {
    let registry = people().await;
    let connector =
        registry.open(json!({"once": {"table": "bus_messages"}}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let update = change(ChangeKind::Update, 1, "A1", json!({"note": "once"}));
    let Err(Failure::Unsupported { detail }) = connector.apply(update.clone(), &call()).await else { panic!("not refused") };
    let ddl = detail.split_once("run: ").expect("the statement").1;
    registry.run(ddl).await;
    assert_eq!(connector.apply(update.clone(), &call()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(update, &call()).await, Ok(Applied::Before));
}

#[tokio::test]
async fn a_constraint_refuses_a_change_and_nothing_of_the_value_is_told() {
    let registry = people().await;
    registry.run("CREATE TABLE ward (id INTEGER PRIMARY KEY, beds INTEGER NOT NULL CHECK (beds > 0))").await;
    let connector = registry.open(json!({}), vec![entity(json!("ward"), &["id"], &["id", "beds"])]).await;
    for (id, values) in [(1, json!({"id": 1, "beds": -7777})), (2, json!({"id": 1, "beds": null}))] {
        let answer = connector.apply(change(ChangeKind::Create, id, 1, values), &call()).await;
        let Err(failure @ Failure::Refused { .. }) = answer else { panic!("not refused: {answer:?}") };
        assert!(!failure.to_string().contains("7777"));
    }
    assert_eq!(connector.apply(change(ChangeKind::Create, 3, 1, json!({"id": 1, "beds": 3})), &call()).await, Ok(Applied::Done));
}

#[tokio::test]
async fn a_table_or_column_that_is_not_there_is_named() {
    let registry = people().await;
    for (from, wanted, named) in [("nowhere", "fin", "nowhere"), ("person", "soyad", "soyad")] {
        let connector = registry.open(json!({}), vec![readable(json!(from), &["fin"], &[wanted])]).await;
        let Err(Failure::Unsupported { detail }) = connector.read(ask("A1", &[wanted]), &call()).await else {
            panic!("not refused")
        };
        assert!(detail.contains(named), "{detail}");
    }
}

#[tokio::test]
async fn streams_a_binary_value_in_pieces() {
    let registry = people().await;
    registry.run(&format!("CREATE TABLE photo (id INTEGER PRIMARY KEY, body {BLOB}, title VARCHAR(99))")).await;
    let mut entity = entity(json!("photo"), &["id"], &["id", "body", "title"]);
    entity.binary = sources(&["body", "title"]);
    let connector = registry.open(json!({}), vec![entity]).await;
    let body: Vec<u8> = (0..700_001_u32).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
    for (id, bytes) in [(1, body.clone()), (2, Vec::new())] {
        let mut create =
            change(ChangeKind::Create, u128::try_from(id).expect("positive"), id, json!({"id": id, "title": "Şəkil"}));
        create.values.push("body", Legacy::Bytes(bytes));
        assert_eq!(connector.apply(create, &call()).await, Ok(Applied::Done));
    }
    assert_eq!(connector.apply(change(ChangeKind::Create, 3, 3, json!({"id": 3})), &call()).await, Ok(Applied::Done));
    let open = |id: i64, source: &str| OpenBinary { entity: 0, key: vec![id.into()], source: Source::new(source) };
    let stream = connector.open_binary(open(1, "body"), &call()).await.expect("it answers").expect("a value");
    assert_eq!(stream.length, Some(700_001));
    let pieces: Vec<Bytes> = stream.chunks.try_collect().await.expect("it streams");
    assert!(pieces.len() >= 3 && pieces.iter().all(|piece| piece.len() <= 256 * 1024));
    assert_eq!(pieces.concat(), body);
    let stream = connector.open_binary(open(2, "body"), &call()).await.expect("it answers").expect("a value");
    assert_eq!((stream.length, stream.chunks.try_collect::<Vec<_>>().await.expect("it streams").concat()), (Some(0), Vec::new()));
    let stream = connector.open_binary(open(1, "title"), &call()).await.expect("it answers").expect("a value");
    assert_eq!(stream.chunks.try_collect::<Vec<_>>().await.expect("it streams").concat(), "Şəkil".as_bytes());
    assert!(connector.open_binary(open(3, "body"), &call()).await.expect("it answers").is_none());
    assert!(connector.open_binary(open(4, "body"), &call()).await.expect("it answers").is_none());
    // Streams that are left half read give their connections back in the end: there are two.
    for _ in 0..5 {
        let mut stream = connector.open_binary(open(1, "body"), &call()).await.expect("it answers").expect("a value");
        assert!(stream.chunks.try_next().await.expect("it streams").is_some());
    }
    let found = connector.read(ask(1, &["body"]), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found.get("body"), Some(&Legacy::Bytes(body)));
}

#[tokio::test]
async fn reads_a_code_table() {
    let registry = people().await;
    let table = |from| TableSpec {
        name: "agencies".into(),
        pointer: "/codes/agencies/from".into(),
        from,
        columns: sources(&["name", "id"]),
    };
    let mut spec = registry.spec(json!({}), Vec::new());
    spec.tables = vec![
        table(json!("agency")),
        table(json!({"table": "agency", "where": "id > 1"})),
        table(json!({"select": "SELECT 7 AS id, 'x' AS name"})),
    ];
    let connector = open(spec).await;
    let mut rows = connector.table(0, &call()).await.expect("it answers");
    rows.sort_by_key(|row| row[0].to_text().map(|text| text.into_owned()));
    assert_eq!(rows, [vec!["Interior".into(), 1.into()], vec!["Justice".into(), Legacy::Int(2)]]);
    assert_eq!(connector.table(1, &call()).await.expect("it answers").len(), 1);
    assert_eq!(connector.table(2, &call()).await.expect("it answers"), [vec!["x".into(), Legacy::Int(7)]]);
    assert!(connector.table(3, &call()).await.is_err());
}

#[tokio::test]
async fn stops_at_the_deadline_and_serves_the_next_call() {
    let registry = people().await;
    let entities = vec![readable(json!({"select": SLOW}), &["k"], &["i"]), readable(json!("person"), &["fin"], &["family"])];
    let connector = registry.open(json!({}), entities).await;
    let begun = Instant::now();
    for _ in 0..3 {
        let answer = connector.read(ask("a", &["i"]), &call_within(Duration::from_millis(300))).await;
        assert!(matches!(answer, Err(Failure::TimedOut { .. })), "{answer:?}");
    }
    let late = connector.read(ask("a", &["i"]), &call_within(Duration::ZERO)).await;
    assert!(matches!(late, Err(Failure::TimedOut { .. })), "{late:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let read = Read { entity: 1, ..ask("A2", &["family"]) };
    assert_eq!(connector.read(read, &call()).await, Ok(Some(row(json!({"family": "O'Neil"})))));
}

#[tokio::test]
async fn calls_that_nobody_waits_for_leave_sound_connections() {
    let registry = people().await;
    let entities = vec![readable(json!("person"), &["fin"], &["fin"]), readable(json!({"select": SLOW}), &["k"], &["i"])];
    let connector = registry.open(json!({}), entities).await;
    for delay in [0, 1, 5, 20, 60, 100] {
        let slow = Read { entity: 1, ..ask("a", &["i"]) };
        let dropped = call();
        let _ = tokio::time::timeout(Duration::from_millis(delay), connector.read(slow, &dropped)).await;
    }
    for key in ["A1", "A2", "A3", "A4"] {
        assert_eq!(connector.read(ask(key, &["fin"]), &call()).await, Ok(Some(row(json!({"fin": key})))));
    }
}

#[tokio::test]
async fn a_connector_that_is_read_only_changes_nothing() {
    let registry = people().await;
    let connector = registry.open(json!({"read_only": true}), vec![entity(json!("person"), &["fin"], &WANTED)]).await;
    let answer = connector.apply(change(ChangeKind::Delete, 1, "A1", json!({})), &call()).await;
    assert!(matches!(answer, Err(Failure::Unsupported { .. })), "{answer:?}");
    assert!(connector.read(Read { wanted: Wanted::default(), ..ask("A1", &[]) }, &call()).await.expect("it answers").is_some());
}
