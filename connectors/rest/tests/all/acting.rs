//! Named actions, and feeds of changes.

use rabita_model::ActionName;
use rabita_sdk::{
    Act, ActSpec, Acted, Applied, Changes, Detected, Double, Failure, FeedSpec, Legacy, RegistrySpec, Source, Wanted,
};
use serde_json::{Value, json};

use crate::support::{call, spec, wanted};

/// Units that can be dissolved for a reason, with what the service answers in `answer.by`.
fn dissolvable(from: Value) -> RegistrySpec {
    let mut spec = spec(
        json!({ "url": "https://registry.invalid", "idempotency_header": "Once" }),
        json!({ "read": { "path": "/u/{nr}" } }),
    );
    let pointer = "/actions/dissolve/from".to_owned();
    let name = ActionName::new("dissolve").expect("a name");
    let values = vec![(Source::new("why.code"), "/actions/dissolve/fields/why".to_owned())];
    let reply = Wanted { sources: vec![Source::new("by")], groups: Vec::new() };
    spec.entities[0].actions.push(ActSpec { name, pointer, from, values, reply: Some(reply) });
    spec
}

fn act() -> Act {
    let values = serde_json::from_value(json!({ "why.code": 17 })).expect("values");
    Act { entity: 0, action: 0, id: uuid::Uuid::from_u128(42), key: vec!["7/8".into()], values, expected_version: None }
}

async fn acted(from: Value, request: Value, response: Value) -> (Result<Acted, Failure>, Vec<String>) {
    let spec = dissolvable(from);
    assert_eq!(rabita_rest::kind().check(&spec), []);
    let fixture = json!([{ "request": request, "response": response }]);
    let double = rabita_rest::kind().double(spec, &fixture).await.expect("a stand-in");
    (double.connector.act(act(), &call()).await, (double.complaints)())
}

#[tokio::test]
async fn sends_an_action_by_its_template_or_its_values_and_reads_the_reply() {
    let done = |reply: Option<&str>| {
        let reply = reply.map(|by| [("by", Legacy::from(by))].into_iter().collect());
        (Ok(Acted { applied: Applied::Done, reply }), Vec::new())
    };
    let id = json!({ "once": "00000000-0000-0000-0000-00000000002a", "content-type": "application/json" });
    let template = json!({ "path": "/u/{nr}/dissolution", "template": { "unit": "{nr}", "why": ["{why.code}", "no {why.code}"] }, "reply": "answer" });
    let request = json!({ "method": "POST", "path": "/u/7%2F8/dissolution", "headers": id, "json": { "unit": "7/8", "why": [17, "no {why.code}"] } });
    let answer = json!({ "status": 201, "json": { "answer": { "by": "clerk", "more": 1 } } });
    let (outcome, complaints) = acted(template, request, answer).await;
    let reply = outcome.expect("it answers").reply.expect("a reply");
    assert_eq!((reply.get("by"), complaints), (Some(&"clerk".into()), Vec::new()));

    let values = json!({ "method": "PUT", "path": "/u/{nr}", "body": "data", "media_type": "application/json" });
    let request = json!({ "method": "PUT", "path": "/u/7%2F8", "json": { "data": { "why": { "code": 17 } } } });
    assert_eq!(acted(values.clone(), request.clone(), json!({ "json": { "by": "x" } })).await, done(Some("x")));
    // It was done, whatever became of the reply.
    assert_eq!(acted(values.clone(), request.clone(), json!({ "status": 204 })).await, done(None));
    let (absent, _) = acted(values.clone(), request.clone(), json!({ "status": 404 })).await;
    assert_eq!(absent, Ok(Acted { applied: Applied::Absent, reply: None }));
    let (refused, _) = acted(values, request, json!({ "status": 422 })).await;
    assert!(matches!(refused, Err(Failure::Refused { .. })), "{refused:?}");
}

#[test]
fn finds_what_is_wrong_with_an_action_and_a_feed() {
    let told = |from: Value| {
        let findings = rabita_rest::kind().check(&dissolvable(from));
        findings.into_iter().map(|finding| format!("{} {}", finding.pointer, finding.message)).collect::<Vec<_>>().join("\n")
    };
    assert!(told(json!({ "path": "/u/{nummer}" })).starts_with("/actions/dissolve/from/path there is no value `nummer`"));
    assert!(
        told(json!({ "path": "/u/{nr}", "template": { "a": ["{wy.code}"] } })).contains("from/template/a/0 there is no value")
    );
    assert!(told(json!({ "path": "/u/{nr}", "template": {} })).contains("would be lost"));
    assert!(told(json!({ "path": "/u/{nr}", "template": { "a": "{why.code}" }, "body": "b" })).contains("from/body"));
    let mut spec = feed(json!({ "key": { "nummer": "nr" }, "gone": ["x"] }));
    spec.entities[0].from = json!({ "search": { "path": "/u" } });
    let told: Vec<String> = rabita_rest::kind().check(&spec).into_iter().map(|finding| finding.message).collect();
    for part in ["`nummer`", "go together", "keys alone"] {
        assert!(told.iter().any(|message| message.contains(part)), "{part}: {told:?}");
    }
}

fn feed(more: Value) -> RegistrySpec {
    let mut from = json!({ "path": "/changes", "since_param": "from", "inclusive": true, "size_param": "size", "records": "_embedded.changes",
        "absent_records": "empty", "place": "id", "key": { "nr": "unit.nr" } });
    for (name, value) in more.as_object().expect("members") {
        from[name] = value.clone();
    }
    let mut spec = spec(json!({ "url": "https://registry.invalid" }), json!({ "read": { "path": "/u/{nr}" } }));
    spec.entities[0].changes = Some(FeedSpec { pointer: "/changes/from".to_owned(), from });
    spec
}

async fn feeding(fixture: Value) -> Double {
    let spec = feed(json!({ "kind": "what", "gone": ["ended"] }));
    assert_eq!(rabita_rest::kind().check(&spec), []);
    rabita_rest::kind().double(spec, &fixture).await.expect("a stand-in")
}

fn asking(since: Option<&str>, limit: usize) -> Changes {
    Changes { entity: 0, since: since.map(str::to_owned), wanted: wanted(), limit }
}

fn one(id: u64, nr: i64, what: &str) -> Value {
    json!({ "id": id, "unit": { "nr": nr }, "what": what })
}

#[tokio::test]
async fn reads_a_feed_by_its_numbers_and_knows_what_is_gone() {
    let double = feeding(json!([
        { "request": { "path": "/changes", "query": { "from": 11, "size": 2 } },
          "response": { "json": { "_embedded": { "changes": [one(14, 2, "ended"), one(12, 1, "changed")] } } } },
        { "request": { "path": "/changes", "query": { "from": 15 } }, "response": { "json": {} } },
    ]))
    .await;
    let page = double.connector.changes(asking(Some("10"), 2), &call()).await.expect("a page");
    let key = |nr: i64, is_gone| Detected::Key { key: vec![Legacy::Int(nr)], is_gone };
    assert_eq!(page.changes, [key(1, false), key(2, true)]);
    assert_eq!((page.since.as_str(), page.has_more), ("14", true));
    let page = double.connector.changes(asking(Some("14"), 5), &call()).await.expect("a page");
    assert_eq!((page.changes.len(), page.since.as_str(), page.has_more), (0, "14", false));
    assert!(matches!(double.connector.changes(asking(Some("x"), 5), &call()).await, Err(Failure::Refused { .. })));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[tokio::test]
async fn a_feed_without_numbers_or_keys_is_none() {
    for change in [json!({ "unit": { "nr": 1 } }), json!({ "id": "x", "unit": { "nr": 1 } }), json!({ "id": 20 })] {
        let body = json!({ "_embedded": { "changes": [change] } });
        let double = feeding(json!([{ "request": { "path": "/changes" }, "response": { "json": body } }])).await;
        let outcome = double.connector.changes(asking(Some("10"), 2), &call()).await;
        assert!(matches!(outcome, Err(Failure::Malformed { .. })), "{outcome:?}");
    }
}
