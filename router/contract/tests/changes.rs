//! Changes in.

#[path = "support/wire.rs"]
#[expect(dead_code, reason = "the file is shared with tests that ask for records")]
mod wire;

use std::time::Duration;

use http::request::Parts;
use rabita_contract::{parse, wants_body};
use rabita_model::ask::Key;
use rabita_model::{Ask, Change, Code, IfMatch, Refusal, Submission, Wait, Want};
use serde_json::{Map, Value, json};
use wire::{asked, head};

const PERSONS: &str = "/api/population/v1/persons";
const KEY: (&str, &str) = ("idempotency-key", "8e03978e-40d5-43e8-bc93-6894a57f9324");
const JSON: (&str, &str) = ("content-type", "application/json");

fn submitted(head: &Parts, body: &str) -> Result<(Ask, Submission), Refusal> {
    assert_eq!(wants_body(head), head.method != "DELETE");
    let ask = asked(parse(head, body.as_bytes()))?;
    let Want::Change(submission) = ask.want.clone() else { panic!("{:?} is no change", ask.want) };
    Ok((ask, *submission))
}

fn change(method: &str, path: &str, body: &str) -> Result<(Ask, Submission), Refusal> {
    submitted(&head(method, &format!("{PERSONS}{path}"), &[KEY, JSON]), body)
}

fn with_headers(headers: &[(&str, &str)]) -> Result<Submission, Refusal> {
    let headers: Vec<(&str, &str)> = [JSON].into_iter().chain(headers.iter().copied()).collect();
    submitted(&head("PATCH", &format!("{PERSONS}/A"), &headers), r#"{"name": null}"#).map(|(_, submission)| submission)
}

fn places(refusal: &Refusal) -> Vec<(String, &'static str)> {
    refusal.faults.iter().map(|fault| (fault.parameter.clone().unwrap_or_else(|| fault.pointer.clone()), fault.code)).collect()
}

fn refused(result: Result<(Ask, Submission), Refusal>) -> Vec<(String, &'static str)> {
    let refusal = result.expect_err("a refusal");
    assert_eq!(refusal.code, Code::InvalidRequest);
    places(&refusal)
}

fn at(place: &str, code: &'static str) -> (String, &'static str) {
    (place.to_owned(), code)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn key(text: &str) -> Key {
    Key(vec![text.into()])
}

#[test]
fn the_method_and_the_url_say_what_is_done_with_which_record() {
    let expected = [
        (("POST", "", r#"{"pin": "A"}"#), Change::Create { record: object(json!({ "pin": "A" })) }, false),
        (("PUT", "/A", r#"{"pin": "A"}"#), Change::Replace { key: key("A"), record: object(json!({ "pin": "A" })) }, true),
        (("PATCH", "/A", r#"{"name": null}"#), Change::Update { key: key("A"), patch: object(json!({ "name": null })) }, true),
        (("DELETE", "/a%2Cb", ""), Change::Delete { key: key("a,b") }, true),
        (
            ("POST", "/A/revoke", r#"{"reason": "x"}"#),
            Change::Act { key: key("A"), action: action("revoke"), input: object(json!({ "reason": "x" })) },
            true,
        ),
        (("POST", "/A/revoke", ""), Change::Act { key: key("A"), action: action("revoke"), input: Map::new() }, true),
    ];
    for ((method, path, body), expected, in_url) in expected {
        let (ask, submission) = change(method, path, body).expect("a change");
        assert_eq!((submission.change, submission.within, ask.in_url), (expected, "", in_url), "{method} {path}");
        assert_eq!(submission.idempotency_key, KEY.1);
        assert_eq!(ask.fields, None);
    }
}

#[test]
fn a_record_may_have_the_name_of_a_call_for_its_key() {
    for word in ["query", "change"] {
        let (_, submission) = change("PUT", &format!("/{word}"), "{}").expect("a change");
        assert_eq!(submission.change, Change::Replace { key: key(word), record: Map::new() });
        let (_, submission) = change("POST", &format!("/{word}/revoke"), "").expect("a change");
        assert_eq!(submission.change.key(), Some(&key(word)));
    }
}

#[test]
fn a_body_says_the_same_without_an_identifier_in_the_url() {
    let record = object(json!({ "pin": "A" }));
    let composite = Key(vec![json!("A"), json!(7)]);
    let revoke = |input| Change::Act { key: key("A"), action: action("revoke"), input };
    let expected = [
        (json!({ "operation": "create", "record": record }), Change::Create { record: record.clone() }, "/record"),
        (
            json!({ "operation": "replace", "key": ["A", 7], "record": record }),
            Change::Replace { key: composite, record: record.clone() },
            "/record",
        ),
        (
            json!({ "operation": "update", "key": "A", "patch": record }),
            Change::Update { key: key("A"), patch: record.clone() },
            "/patch",
        ),
        (json!({ "operation": "delete", "key": "A" }), Change::Delete { key: key("A") }, ""),
        (json!({ "operation": "act", "key": "A", "action": "revoke" }), revoke(Map::new()), "/input"),
        (json!({ "operation": "act", "key": "A", "action": "revoke", "input": record }), revoke(record), "/input"),
    ];
    for (body, expected, within) in expected {
        let (ask, submission) = change("POST", "/change", &body.to_string()).expect("a change");
        assert_eq!((submission.change, submission.within, ask.in_url), (expected, within, false), "{body}");
    }
}

#[test]
fn tells_all_that_is_wrong_with_a_change_at_once() {
    let body = r#"{"operation": "update", "key": {}, "patch": {"a": ["", "\u0000"], "b c": {"d": "\u0000"}}, "recrod": {}, "action": "x"}"#;
    let head = head("POST", &format!("{PERSONS}/change?x=1"), &[JSON, KEY, ("rabita-user", ""), ("rabita-apply-until", "soon")]);
    let expected = [
        at("Rabita-User", "header_text"),
        at("Rabita-Apply-Until", "format"),
        at("x", "unexpected_parameter"),
        at("/recrod", "unknown_member"),
        at("/action", "excludes"),
        at("/key", "type"),
        at("/patch/a/1", "character"),
        at("/patch", "character"),
    ];
    let refusal = submitted(&head, body).expect_err("a refusal");
    assert_eq!((refusal.code, places(&refusal)), (Code::InvalidRequest, expected.to_vec()));
    assert!(refusal.faults[3].message.contains("did you mean `record`?"), "{}", refusal.faults[3].message);
}

#[test]
fn the_body_of_a_change_has_the_members_of_its_operation_and_no_other() {
    let faults = |body: &str| refused(change("POST", "/change", body));
    assert_eq!(faults("{}"), [at("", "required")]);
    assert_eq!(faults("[]"), [at("", "type")]);
    assert_eq!(faults(r#"{"operation": "read", "key": "A"}"#), [at("/operation", "enum")]);
    assert_eq!(faults(r#"{"operation": 1}"#), [at("/operation", "enum")]);
    assert_eq!(faults(r#"{"operation": "create", "key": "A"}"#), [at("", "required"), at("/key", "excludes")]);
    assert_eq!(faults(r#"{"operation": "replace", "key": "A", "record": []}"#), [at("/record", "type")]);
    assert_eq!(faults(r#"{"operation": "update", "key": "A", "patch": {}}"#), [at("/patch", "empty")]);
    assert_eq!(faults(r#"{"operation": "delete"}"#), [at("", "required")]);
    assert_eq!(
        faults(r#"{"operation": "act", "key": "A", "action": "No", "input": 1}"#),
        [at("/action", "action_name"), at("/input", "type")]
    );
    let likely = change("POST", "/change", r#"{"operation": "updat"}"#).expect_err("a refusal");
    assert!(likely.faults[0].message.contains("did you mean `update`?"), "{}", likely.faults[0].message);
}

#[test]
fn a_record_a_patch_and_an_input_are_objects() {
    for (method, path) in [("POST", ""), ("PUT", "/A"), ("PATCH", "/A"), ("POST", "/A/revoke")] {
        assert_eq!(refused(change(method, path, "[]")), [at("", "type")], "{method} {path}");
    }
    assert_eq!(refused(change("PATCH", "/A", "{}")), [at("", "empty")]);
    assert_eq!(refused(change("PUT", "/A,", "{}")), [at("key", "empty")]);
    let malformed = change("PUT", "/A", r#"{"a": 1, "a": 2}"#).expect_err("a refusal");
    assert_eq!((malformed.code, places(&malformed)), (Code::MalformedRequest, vec![at("", "json")]));
}

#[test]
fn a_change_without_a_key_is_told_so_with_everything_else() {
    let refusal = with_headers(&[("rabita-apply-until", "soon")]).expect_err("a refusal");
    assert_eq!(refusal.code, Code::IdempotencyKeyMissing);
    assert_eq!(places(&refusal), [at("Idempotency-Key", "required"), at("Rabita-Apply-Until", "format")]);
    for empty in ["", "\"\"", "  "] {
        assert_eq!(with_headers(&[("idempotency-key", empty)]).expect_err("a refusal").code, Code::IdempotencyKeyMissing);
    }
}

#[test]
fn a_key_may_stand_in_the_quotes_of_a_structured_field() {
    let found = |text: &str| with_headers(&[("idempotency-key", text)]).map(|submission| submission.idempotency_key);
    assert_eq!(found("\"abc\"").as_deref().ok(), Some("abc"));
    assert_eq!(found(&"x".repeat(200)).expect("a key").len(), 200);
    for bad in ["a b", "ə", &"x".repeat(201)] {
        let refusal = found(bad).expect_err("a refusal");
        assert_eq!((refusal.code, places(&refusal)), (Code::InvalidRequest, vec![at("Idempotency-Key", "header_text")]));
    }
    let twice = with_headers(&[("idempotency-key", "a"), ("idempotency-key", "b")]).expect_err("a refusal");
    assert_eq!(places(&twice), [at("Idempotency-Key", "duplicate")]);
}

#[test]
fn a_change_rests_on_one_version_or_on_any() {
    let found = |text: &str| with_headers(&[KEY, ("if-match", text)]).map(|submission| submission.if_match);
    assert_eq!(found("*").ok().flatten(), Some(IfMatch::Any));
    assert_eq!(found(" \"ab-cd\" ").ok().flatten(), Some(IfMatch::Tag("ab-cd".into())));
    for bad in ["ab", "W/\"ab\"", "\"ab\", \"cd\"", "\"\"", "\"a b\"", "\"a", ""] {
        let refusal = found(bad).expect_err("a refusal");
        assert_eq!((refusal.code, places(&refusal)), (Code::MalformedRequest, vec![at("If-Match", "etag")]), "{bad}");
    }
    let created = submitted(&head("POST", PERSONS, &[KEY, JSON, ("if-match", "*")]), "{}");
    assert_eq!(refused(created), [at("If-Match", "excludes")]);
}

#[test]
fn how_long_a_caller_waits_is_a_preference() {
    let wait = |headers: &[&str]| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|text| ("prefer", *text)).chain([KEY]).collect();
        with_headers(&headers).expect("a change").wait
    };
    let seconds = |seconds| Wait::For(Duration::from_secs(seconds));
    assert_eq!(wait(&[]), Wait::Unsaid);
    assert_eq!(wait(&["respond-async"]), Wait::Not);
    assert_eq!(wait(&["foo; bar, Respond-Async;x=1"]), Wait::Not);
    assert_eq!(wait(&["wait=5"]), seconds(5));
    assert_eq!(wait(&["return=minimal", "wait = \"7\"", "wait=9"]), seconds(7));
    assert_eq!(wait(&["respond-async, wait=5"]), seconds(5));
    for unread in ["wait", "wait=soon", "wait=-1", "wait=99999999999", "respond", "ə"] {
        assert_eq!(wait(&[unread]), Wait::Unsaid, "{unread}");
    }
}

#[test]
fn a_change_may_have_a_latest_time() {
    let until = |text: &str| with_headers(&[KEY, ("rabita-apply-until", text)]).map(|submission| submission.apply_until);
    let found = until("2027-03-01T13:00:00+04:00").expect("a change").expect("a time");
    assert_eq!(found.to_string(), "2027-03-01T09:00:00Z");
    for bad in ["", "tomorrow", "2027-03-01", "2027-03-01T13:00:00"] {
        assert_eq!(places(&until(bad).expect_err("a refusal")), [at("Rabita-Apply-Until", "format")], "{bad}");
    }
}

#[test]
fn a_patch_of_another_kind_is_not_taken_for_a_merge_patch() {
    let patch = |media_type: &str| {
        submitted(&head("PATCH", &format!("{PERSONS}/A"), &[KEY, ("content-type", media_type)]), r#"{"a": 1}"#).map(|_| ())
    };
    for good in ["application/merge-patch+json", "application/json; charset=utf-8"] {
        assert!(patch(good).is_ok(), "{good}");
    }
    for bad in ["application/json-patch+json", "application/vnd.x+json", "text/plain", ""] {
        assert_eq!(patch(bad).expect_err("a refusal").code, Code::MediaTypeUnsupported, "{bad}");
    }
    let put = submitted(&head("PUT", &format!("{PERSONS}/A"), &[KEY, ("content-type", "text/plain")]), "{}");
    assert_eq!(put.expect_err("a refusal").code, Code::MediaTypeUnsupported);
}

fn action(name: &str) -> rabita_model::ActionName {
    rabita_model::ActionName::new(name).expect("an action")
}
