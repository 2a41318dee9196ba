//! Actions, changes that others made, and the end of old ids.

use rabita_model::ActionName;
use rabita_sdk::{
    Act, ActSpec, Acted, Applied, ChangeKind, Changes, Connector, Detected, EntitySpec, Failure, FeedSpec, Legacy, Wanted,
};
use serde_json::{Value, json};

use super::support::*;

const LICENCE: &str =
    "CREATE TABLE licence (no INTEGER NOT NULL PRIMARY KEY, status TEXT, reason TEXT, rev INTEGER, changed TEXT)";
const ROWS: &str =
    "INSERT INTO licence VALUES (1, 'A', NULL, 1, '2026-01-01T00:00:01Z'), (2, 'R', NULL, 1, '2026-01-01T00:00:02Z')";

async fn licences() -> Registry {
    Registry::new(&[LICENCE, ROWS]).await
}

/// Licences that can be revoked while they are active.
fn licence(sql: &str, reply: &[&str]) -> EntitySpec {
    let revoke = ActSpec {
        name: ActionName::new("revoke").expect("a name"),
        pointer: "/actions/revoke/from".into(),
        from: json!({ "sql": sql }),
        values: sources(&["REASON"]).into_iter().map(|source| (source, "/actions/revoke/fields/reason".into())).collect(),
        reply: (!reply.is_empty()).then(|| Wanted { sources: sources(reply), groups: Vec::new() }),
    };
    EntitySpec {
        version: Some(rabita_sdk::Source::new("rev")),
        actions: vec![revoke],
        ..entity(json!("licence"), &["no"], &["no", "status", "reason", "rev"])
    }
}

const REVOKE: &str = "UPDATE licence SET status = 'R', reason = :REASON, rev = rev + 1 WHERE no = :no AND status = 'A'";

fn act(id: u128, no: i64, version: Option<i64>) -> Act {
    let values = row(json!({ "REASON": "'; DROP TABLE licence; --" }));
    let id = uuid::Uuid::from_u128(id);
    Act { entity: 0, action: 0, id, key: vec![no.into()], values, expected_version: version.map(Legacy::Int) }
}

fn done() -> Result<Acted, Failure> {
    Ok(Acted { applied: Applied::Done, reply: None })
}

fn applied(result: Result<Acted, Failure>) -> Applied {
    result.expect("it answers").applied
}

async fn open_with_once(registry: &Registry, entity: EntitySpec) -> std::sync::Arc<dyn Connector> {
    let settings = json!({ "once": { "table": "messages", "create": true } });
    let spec = registry.spec(settings, vec![entity]);
    assert_eq!(crate::kind().check(&spec), []);
    open(spec).await
}

#[tokio::test]
async fn an_action_is_done_once_and_says_when_there_is_no_record_or_another_version() {
    let registry = licences().await;
    let connector = open_with_once(&registry, licence(REVOKE, &[])).await;
    assert_eq!(applied(connector.act(act(1, 9, None), &call()).await), Applied::Absent);
    assert_eq!(applied(connector.act(act(2, 1, Some(7)), &call()).await), Applied::Conflict);
    assert_eq!(connector.act(act(3, 1, Some(1)), &call()).await, done());
    assert_eq!(applied(connector.act(act(3, 1, Some(1)), &call()).await), Applied::Before);
    let found = connector.read(ask(1, &["status", "reason", "rev"]), &call()).await.expect("it answers").expect("a record");
    assert_eq!(found, row(json!({ "status": "R", "reason": "'; DROP TABLE licence; --", "rev": 2 })));
}

#[tokio::test]
async fn an_action_that_touches_nothing_of_a_record_that_is_there_is_refused() {
    let registry = licences().await;
    let connector = open_with_once(&registry, licence(REVOKE, &[])).await;
    let refused = connector.act(act(4, 2, None), &call()).await;
    assert!(matches!(refused, Err(Failure::Refused { .. })), "{refused:?}");
    // Its id was not kept, so that it can be sent again.
    registry.run("UPDATE licence SET status = 'A' WHERE no = 2").await;
    assert_eq!(connector.act(act(4, 2, None), &call()).await, done());
}

#[tokio::test]
async fn an_action_answers_its_first_row_as_far_as_it_is_wanted() {
    let registry = licences().await;
    let returning = format!("{REVOKE} RETURNING rev AS revision, reason");
    let connector = open_with_once(&registry, licence(&returning, &["revision"])).await;
    let acted = connector.act(act(5, 1, None), &call()).await.expect("it answers");
    assert_eq!(acted, Acted { applied: Applied::Done, reply: Some(row(json!({ "revision": 2 }))) });
    let select = "SELECT length(:REASON) AS revision, :no AS no";
    let connector = open_with_once(&registry, licence(select, &["revision"])).await;
    let acted = connector.act(act(6, 1, None), &call()).await.expect("it answers");
    assert_eq!(acted.reply, Some(row(json!({ "revision": 25 }))));
}

#[test]
fn finds_what_is_wrong_with_the_sql_of_an_action() {
    let told = |sql: &str, reply: &[&str]| {
        let spec = spec("/nowhere".into(), "sqlite:x", json!({}), vec![licence(sql, reply)]);
        crate::kind().check(&spec).into_iter().map(|finding| finding.message).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(told(REVOKE, &[]), "");
    assert!(told("UPDATE licence SET reason = :REASN WHERE no = :no", &[]).contains("there is no value `REASN`"));
    assert!(told("UPDATE licence SET status = 'R' WHERE no = :no", &[]).contains("would be lost"));
    assert!(told(REVOKE, &["revision"]).contains("answers no row"));
    assert!(told("DELETE FROM licence; SELECT :REASON", &[]).contains('`'));
}

fn feed(from: Value) -> EntitySpec {
    let changes = FeedSpec { pointer: "/changes/from".into(), from };
    EntitySpec { changes: Some(changes), ..readable(json!("licence"), &["no"], &["no", "status"]) }
}

fn changes(since: Option<&str>, limit: usize) -> Changes {
    let wanted = Wanted { sources: sources(&["no", "status"]), groups: Vec::new() };
    Changes { entity: 0, since: since.map(str::to_owned), wanted, limit }
}

fn told(changes: &[Detected]) -> Vec<String> {
    let one = |change: &Detected| match change {
        Detected::Row(row) => serde_json::to_string(row).expect("JSON"),
        Detected::Key { .. } => panic!("a row is told as a row"),
    };
    changes.iter().map(one).collect()
}

#[tokio::test]
async fn finds_changes_in_their_order_page_by_page_and_from_now_on_none() {
    let registry = licences().await;
    let connector = registry.open(json!({}), vec![feed(json!({ "column": "changed" }))]).await;
    let now = connector.changes(changes(None, 5), &call()).await.expect("a place");
    assert_eq!((now.changes.len(), now.has_more), (0, false));
    let none = connector.changes(changes(Some(&now.since), 5), &call()).await.expect("a page");
    assert_eq!((none.changes.len(), none.since.as_str()), (0, now.since.as_str()));
    // Three at one time: the key tells them apart.
    registry
        .run(
            "INSERT INTO licence (no, status, changed) VALUES (5, 'A', '2026-01-01T00:00:03Z'), (4, 'A', '2026-01-01T00:00:03Z')",
        )
        .await;
    registry.run("UPDATE licence SET status = 'A', changed = '2026-01-01T00:00:03Z' WHERE no = 2").await;
    let first = connector.changes(changes(Some(&now.since), 2), &call()).await.expect("a page");
    assert_eq!(told(&first.changes), [r#"{"no":2,"status":"A"}"#, r#"{"no":4,"status":"A"}"#]);
    assert!(first.has_more);
    let last = connector.changes(changes(Some(&first.since), 2), &call()).await.expect("a page");
    assert_eq!((told(&last.changes), last.has_more), (vec![r#"{"no":5,"status":"A"}"#.to_owned()], false));
    for bad in ["", "x", "[1]", "{}", "[\"a\",\"b\",\"c\"]"] {
        assert!(matches!(connector.changes(changes(Some(bad), 2), &call()).await, Err(Failure::Refused { .. })), "{bad}");
    }
}

#[tokio::test]
async fn leaves_changes_that_are_younger_than_the_lag_for_later() {
    let registry = licences().await;
    let lagging = registry.open(json!({}), vec![feed(json!({ "column": "changed", "lag_ms": 60_000 }))]).await;
    let prompt = registry.open(json!({}), vec![feed(json!({ "column": "changed", "lag_ms": 0 }))]).await;
    let now = lagging.changes(changes(None, 5), &call()).await.expect("a place");
    registry.run("UPDATE licence SET changed = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE no = 1").await;
    let page = lagging.changes(changes(Some(&now.since), 5), &call()).await.expect("a page");
    assert_eq!((page.changes.len(), page.since == now.since), (0, true));
    let page = prompt.changes(changes(Some(&now.since), 5), &call()).await.expect("a page");
    assert_eq!(page.changes.len(), 1);
}

#[tokio::test]
async fn an_empty_table_has_a_place_from_which_its_first_row_is_found() {
    let registry = Registry::new(&[LICENCE]).await;
    let connector = registry.open(json!({}), vec![feed(json!({ "column": "rev" }))]).await;
    let now = connector.changes(changes(None, 5), &call()).await.expect("a place");
    registry.run("INSERT INTO licence (no, status, rev) VALUES (1, 'A', 1), (2, 'A', NULL)").await;
    let page = connector.changes(changes(Some(&now.since), 5), &call()).await.expect("a page");
    assert_eq!(told(&page.changes), [r#"{"no":1,"status":"A"}"#]);
}

#[tokio::test]
async fn ends_ids_of_old_changes_that_were_stored_long_ago_and_no_others() {
    let registry = licences().await;
    let old = "018bcfe5-0000-7000-8000-000000000001";
    let just_applied = "018bcfe5-0000-7000-8000-000000000002";
    registry
        .run("CREATE TABLE messages (message_id TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)")
        .await;
    registry.run(&format!("INSERT INTO messages VALUES ('{old}', '2023-11-14 00:00:00')")).await;
    registry.run(&format!("INSERT INTO messages (message_id) VALUES ('{just_applied}')")).await;
    let connector = open_with_once(&registry, licence(REVOKE, &[])).await;
    let now = uuid::Uuid::now_v7();
    let update = |id: u128| change(ChangeKind::Update, id, 1, json!({ "reason": "x" }));
    assert_eq!(connector.apply(update(now.as_u128()), &call()).await, Ok(Applied::Done));
    let again = |id: &str| update(id.parse::<uuid::Uuid>().expect("an id").as_u128());
    assert_eq!(connector.apply(again(just_applied), &call()).await, Ok(Applied::Before));
    assert_eq!(connector.apply(again(&now.to_string()), &call()).await, Ok(Applied::Before));
    assert_eq!(connector.apply(again(old), &call()).await, Ok(Applied::Done));
}
