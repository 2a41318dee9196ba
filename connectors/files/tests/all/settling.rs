//! What becomes of changes when drops come, and what is told of both.

use rabita_sdk::{Applied, ChangeKind, Failure, Legacy, Row};
use serde_json::{Value, json};

use crate::support::Registry;

const FIRST: &str = "pin,name,rev\nA1,Leyla,1\nA2,Murad,1\nA3,Aysel,1\n";

async fn with(settings: &Value) -> Registry {
    let mut registry = Registry::new(settings, &json!({}));
    registry.drop("people-1.csv", FIRST);
    registry.open().await;
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_a_file_in_the_layout_of_the_drops() {
    let registry = with(&json!({})).await;
    assert_eq!(registry.rename("A1", "Lalə, the \"first\"").await, Ok(Applied::Done));
    let born = Row::from_iter([("name", Legacy::from("Nigar"))]);
    assert_eq!(registry.apply(ChangeKind::Create, "B1", born).await, Ok(Applied::Done));
    assert_eq!(registry.apply(ChangeKind::Delete, "A2", Row::new()).await, Ok(Applied::Done));
    let expected = [
        ("00000001.csv", "op,pin,name,rev\nU,A1,\"Lalə, the \"\"first\"\"\",2\n"),
        ("00000002.csv", "op,pin,name,rev\nI,B1,Nigar,1\n"),
        ("00000003.csv", "op,pin,name,rev\nD,A2,Murad,1\n"),
    ];
    assert_eq!(registry.changes(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let refused = registry.rename("A3", "").await;
    assert!(matches!(&refused, Err(Failure::Refused { detail, .. }) if detail.contains("`name`")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_some_time_stand_in_one_file() {
    let registry = with(&json!({ "outgoing": { "batch_ms": 400 } })).await;
    for (pin, name) in [("A1", "a"), ("A2", "b"), ("A1", "c")] {
        assert_eq!(registry.rename(pin, name).await, Ok(Applied::Done));
    }
    registry.becomes("A1", Some(("c", "3"))).await;
    let began = std::time::Instant::now();
    while registry.changes().iter().map(|(_, text)| text.lines().count() - 1).sum::<usize>() < 3 {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", registry.changes());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let lines: Vec<String> = registry.changes().iter().flat_map(|(_, text)| text.lines().skip(1).map(str::to_owned)).collect();
    assert_eq!(lines, ["U,A1,a,2", "U,A2,b,2", "U,A1,c,3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_shown_until_a_drop_has_it_or_something_newer() {
    let registry = with(&json!({})).await;
    for (pin, name) in [("A1", "Changed"), ("A2", "Changed"), ("A3", "Changed")] {
        assert_eq!(registry.rename(pin, name).await, Ok(Applied::Done));
    }
    let since = registry.now().await;
    // The first as it was changed, the second as somebody else changed it, the third as before the change.
    registry.drop("people-2.csv", "pin,name,rev\nA1,Changed,2\nA2,Newer,7\nA3,Aysel,1\nN1,New,1\n");
    registry.becomes("N1", Some(("New", "1"))).await;
    registry.becomes("A1", Some(("Changed", "2"))).await;
    registry.becomes("A2", Some(("Newer", "7"))).await;
    registry.becomes("A3", Some(("Changed", "2"))).await;
    assert_eq!(registry.since(&since).await, ["A2", "N1"], "what is seen otherwise than before");
    // A drop that takes the change back is believed: the record is another than the change was made on.
    registry.drop("people-3.csv", "pin,name,rev\nA1,Leyla,3\nA2,Newer,7\nN1,New,1\n");
    registry.becomes("A1", Some(("Leyla", "3"))).await;
    registry.becomes("A3", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_drop_shows_is_given_up_in_the_end_and_that_is_told() {
    let registry = with(&json!({ "outgoing": { "given_up_after_drops": 2 } })).await;
    assert_eq!(registry.rename("A1", "Changed").await, Ok(Applied::Done));
    let since = registry.now().await;
    registry.drop("people-2.csv", &format!("{FIRST}N2,x,1\n"));
    registry.becomes("N2", Some(("x", "1"))).await;
    registry.becomes("A1", Some(("Changed", "2"))).await;
    registry.drop("people-3.csv", &format!("{FIRST}N3,x,1\n"));
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    let told = registry.since(&since).await;
    assert_eq!(told, ["N2", "A1", "-N2", "N3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_of_two_drops_is_told_record_by_record() {
    let registry = with(&json!({})).await;
    let since = registry.now().await;
    registry.drop("people-2.csv", "pin,name,rev\nA0,Born,1\nA1,Leyla,1\nA3,Aygün,2\n");
    registry.becomes("A0", Some(("Born", "1"))).await;
    assert_eq!(registry.since(&since).await, ["A0", "-A2", "A3"]);
    assert_eq!(registry.since(&registry.now().await).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_their_ids_outlast_a_restart() {
    let mut registry = with(&json!({})).await;
    let values = Row::from_iter([("name", Legacy::from("Changed"))]);
    let id = uuid::Uuid::now_v7();
    let change = || rabita_sdk::Change {
        entity: 0,
        id,
        kind: ChangeKind::Update,
        key: vec!["A1".into()],
        values: values.clone(),
        expected_version: Some("1".into()),
    };
    let call = crate::support::call;
    assert_eq!(registry.connector().apply(change(), &call()).await, Ok(Applied::Done));
    registry.open().await;
    registry.becomes("A1", Some(("Changed", "2"))).await;
    assert_eq!(registry.connector().apply(change(), &call()).await, Ok(Applied::Before));
    assert_eq!(registry.changes().len(), 1);
    // What was noted of the change is still there under a manifest that keeps other columns.
    registry.spec.entities[0].filters.clear();
    registry.open().await;
    registry.becomes("A1", Some(("Changed", "2"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_while_the_place_for_changes_is_away_and_what_waits_comes_in_its_order() {
    let registry = with(&json!({})).await;
    let (place, away) = (registry.directory.path().join("changes"), registry.directory.path().join("away"));
    std::fs::rename(&place, &away).expect("the directory");
    let refused = registry.rename("A1", "Changed").await;
    assert!(matches!(refused, Err(Failure::Unavailable { .. })), "{refused:?}");
    registry.becomes("A1", Some(("Leyla", "1"))).await;
    std::fs::rename(&away, &place).expect("the directory");
    assert_eq!(registry.rename("A1", "Changed").await, Ok(Applied::Done));
    assert_eq!(registry.changes().len(), 1);
}
