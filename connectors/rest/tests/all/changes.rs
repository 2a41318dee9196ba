//! Changes: sent once, with what tells them apart.

use rabita_sdk::{Applied, ChangeKind, Duplicates, Failure};
use serde_json::{Value, json};

use crate::raw::{Raw, Reply};
use crate::support::{call, change, double, on, open};

fn from() -> Value {
    json!({
        "create": { "path": "/u", "body": "data.unit" },
        "replace": { "path": "/u/{nr}" },
        "update": { "path": "/u/{nr}", "media_type": "application/merge-patch+json" },
        "delete": { "path": "/u/{nr}" },
        "version": { "header": "ETag", "if_match": true },
    })
}

#[tokio::test]
async fn sends_each_kind_of_change_in_its_form_with_its_id() {
    let settings = json!({ "url": "http://x", "idempotency_header": "Idempotency-Key" });
    let id = json!({ "idempotency-key": "00000000-0000-0000-0000-00000000002a" });
    let fixture = json!([
        { "request": { "method": "POST", "path": "/u", "headers": id,
            "json": { "data": { "unit": { "nr": 7, "address": { "city": "Bakı", "street": null } } } } }, "response": { "status": 201 } },
        { "request": { "method": "PUT", "path": "/u/7", "headers": id, "json": { "a": [1] } }, "response": { "status": 200 } },
        { "request": { "method": "PATCH", "path": "/u/7", "json": { "a": 1 },
            "headers": { "content-type": "application/merge-patch+json", "if-match": "\"v1\"" } }, "response": { "status": 204 } },
        { "request": { "method": "DELETE", "path": "/u/7", "headers": id, "body": "" }, "response": { "status": 204 } },
    ]);
    let double = double(settings, from(), fixture).await;
    let capabilities = double.connector.capabilities(0);
    assert_eq!((capabilities.duplicates, capabilities.checks_versions), (Duplicates::HandedOn, true));
    let create = change(ChangeKind::Create, json!({ "nr": 7, "address.city": "Bakı", "address.street": null }));
    let mut update = change(ChangeKind::Update, json!({ "a": 1 }));
    update.expected_version = Some("\"v1\"".into());
    for change in [create, change(ChangeKind::Replace, json!({ "a": [1] })), update, change(ChangeKind::Delete, json!({}))] {
        let kind = change.kind;
        assert_eq!(double.connector.apply(change, &call()).await, Ok(Applied::Done), "{kind:?} {:?}", (double.complaints)());
    }
}

#[tokio::test]
async fn the_status_says_how_a_change_ended() {
    use Applied::{Absent, Conflict, Done};
    for (status, expected) in [
        (200, Ok(Done)),
        (202, Ok(Done)),
        (204, Ok(Done)),
        (404, Ok(Absent)),
        (410, Ok(Absent)),
        (409, Ok(Conflict)),
        (412, Ok(Conflict)),
        (400, Err("refused")),
        (422, Err("refused")),
        (405, Err("refused")),
        (401, Err("unavailable")),
        (403, Err("unavailable")),
        (429, Err("unavailable")),
        (503, Err("unavailable")),
        (500, Err("unknown")),
        (502, Err("unknown")),
        (504, Err("unknown")),
    ] {
        let fixture = json!([{ "request": { "path": "/u/7" }, "response": { "status": status } }]);
        let outcome = on(from(), fixture).await.connector.apply(change(ChangeKind::Update, json!({ "a": 1 })), &call()).await;
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Refused { .. } => "refused",
            Failure::Unavailable { .. } => "unavailable",
            Failure::Unknown { .. } => "unknown",
            _ => "something else",
        });
        assert_eq!(outcome, expected, "{status}");
    }
    let fixture = json!([{ "request": { "path": "/u" }, "response": { "status": 404 } }]);
    let created = on(from(), fixture).await.connector.apply(change(ChangeKind::Create, json!({ "nr": 1 })), &call()).await;
    assert!(matches!(created, Err(Failure::Refused { .. })), "{created:?}");
}

#[tokio::test]
async fn a_change_without_an_answer_is_unknown_and_was_sent_once() {
    let server = Raw::start(|_, _| Reply::Close(Vec::new())).await;
    let connector = open(&server.url, from()).await;
    let outcome = connector.apply(change(ChangeKind::Update, json!({ "a": 1 })), &call()).await;
    assert!(matches!(outcome, Err(Failure::Unknown { .. })), "{outcome:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_version_that_can_not_be_checked_is_not_overlooked() {
    let double = on(json!({ "update": { "path": "/u/{nr}" } }), json!([])).await;
    let mut change = change(ChangeKind::Update, json!({ "a": 1 }));
    change.expected_version = Some("1".into());
    assert!(matches!(double.connector.apply(change, &call()).await, Err(Failure::Unsupported { .. })));
    assert!((double.complaints)().is_empty(), "nothing is sent");
}
