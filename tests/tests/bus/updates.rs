//! Changes over HTTP: what each does, what is refused, and that the same key is the same change.

use reqwest::Method;
use serde_json::{Value, json};

use super::licences::{ALL, Desk, HOLDERS_PATH, LICENCES, applied, change, first, licence, patch, patched, update_path};

fn at(place: &str, code: &str) -> (String, String) {
    (place.to_owned(), code.to_owned())
}

#[tokio::test]
async fn makes_replaces_changes_and_ends_a_record() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let record = json!({ "number": "L-7", "holder": { "family": "Quliyev" }, "class": "A", "points": 3 });
    let made = portal.sent(change(&portal, Method::POST, LICENCES, &record)).await;
    assert_eq!((made.status, made.header("location")), (201, "/api/licences/v1/licences/L-7"), "{}", made.text());
    let update = made.json();
    assert_eq!((&update["state"], &update["operation"], &update["attempts"]), (&json!("applied"), &json!("create"), &json!(1)));
    assert_eq!(update["exchange"], made.header("rabita-exchange"));
    assert_eq!(portal.get(&update_path(&made)).await.good().json(), update);
    assert_eq!(licence(&portal, "L-7").await, record);

    let whole = json!({ "holder": { "family": "Quliyev", "given": "Elçin" }, "class": "B" });
    let path = made.header("location");
    let _ = applied(portal.sent(change(&portal, Method::PUT, path, &whole)).await);
    let replaced = licence(&portal, "L-7").await;
    assert_eq!((&replaced["holder"], &replaced["class"]), (&whole["holder"], &whole["class"]));

    let _ = applied(patched(&portal, "L-7", &json!({ "holder": { "given": null }, "points": 12 })).await);
    let changed = licence(&portal, "L-7").await;
    assert_eq!((&changed["holder"]["family"], &changed["holder"]["given"]), (&json!("Quliyev"), &Value::Null));
    assert_eq!((&changed["class"], &changed["points"]), (&json!("B"), &json!(12)));

    let _ = applied(portal.sent(change(&portal, Method::DELETE, path, &Value::Null)).await);
    let _ = portal.get(path).await.refused(404, "record_absent");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn does_named_actions_and_tells_what_they_reply() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let revoke = format!("{LICENCES}/L-1/revoke");
    let revoked = portal.sent(change(&portal, Method::POST, &revoke, &json!({ "reason": "lost" }))).await.good();
    assert_eq!(revoked.json(), json!({ "receipt": "R-L-1" }));
    assert_eq!(licence(&portal, "L-1").await["revoked"], "lost");
    let update = portal.get(&update_path(&revoked)).await.good().json();
    assert_eq!((&update["operation"], &update["action"]), (&json!("act"), &json!("revoke")));
    assert_eq!(update["outcome"]["reply"], json!({ "receipt": "R-L-1" }));

    let _ = applied(portal.sent(change(&portal, Method::POST, &format!("{LICENCES}/L-1/restore"), &Value::Null)).await);
    assert_eq!(licence(&portal, "L-1").await["revoked"], Value::Null);

    let refused = portal.sent(change(&portal, Method::POST, &revoke, &json!({ "reason": "x", "why": 1 }))).await;
    let mut errors = refused.refused(422, "invalid_request").errors();
    errors.sort();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.contains(&at("/reason", "minLength")), "{errors:?}");
    let unknown = portal.sent(change(&portal, Method::POST, &format!("{LICENCES}/L-1/burn"), &Value::Null)).await;
    assert_eq!(unknown.refused(422, "invalid_request").errors(), [at("action", "unknown_action")]);
    let absent = portal.sent(change(&portal, Method::POST, &format!("{LICENCES}/L-9/restore"), &Value::Null)).await;
    let _ = absent.refused(404, "record_absent");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn an_action_is_granted_by_its_name() {
    let one = ALL.replace("act] }", "act], actions: [restore] }");
    let desk = Desk::open(&[&one], "").await;
    let portal = desk.portal();
    let act = |action: &str, body: Value| change(&portal, Method::POST, &format!("{LICENCES}/L-1/{action}"), &body);
    let _ = applied(portal.sent(act("restore", Value::Null)).await);
    let _ = portal.sent(act("revoke", json!({ "reason": "lost" }))).await.refused(403, "not_permitted");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_with_its_key_in_the_body_is_the_same() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let path = format!("{LICENCES}/change");
    let submit = |body: Value| portal.sent(change(&portal, Method::POST, &path, &body));
    let record = json!({ "number": "L-7", "holder": { "family": "Quliyev" }, "class": "A" });
    let made = submit(json!({ "operation": "create", "record": record })).await;
    assert_eq!((made.status, made.header("location")), (201, "/api/licences/v1/licences/L-7"));
    let _ = applied(
        submit(json!({ "operation": "replace", "key": "L-7", "record": { "holder": { "family": "A" }, "class": "B" } })).await,
    );
    let _ = applied(submit(json!({ "operation": "update", "key": "L-7", "patch": { "points": 1 } })).await);
    let revoked = submit(json!({ "operation": "act", "key": "L-7", "action": "revoke", "input": { "reason": "lost" } })).await;
    assert_eq!(revoked.good().json(), json!({ "receipt": "R-L-7" }));
    let _ = applied(submit(json!({ "operation": "delete", "key": "L-7" })).await);
    let wrong = submit(json!({ "operation": "update", "key": "L-1", "patch": { "points": 13, "class": null } })).await;
    let mut errors = wrong.refused(422, "invalid_request").errors();
    errors.sort();
    assert!(errors.iter().all(|(place, _)| place.starts_with("/patch")), "{errors:?}");
    assert!(errors.contains(&at("/patch/points", "maximum")), "{errors:?}");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn where_identifiers_stand_in_no_url_changes_have_them_in_the_body() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let by_url = change(&portal, Method::PATCH, &format!("{HOLDERS_PATH}/5ZJBKH7"), &json!({ "family": "A" }));
    let _ = portal.sent(by_url).await.refused(400, "identifier_in_url");
    let submit = |body: Value| portal.sent(change(&portal, Method::POST, &format!("{HOLDERS_PATH}/change"), &body));
    let _ = applied(submit(json!({ "operation": "update", "key": "5ZJBKH7", "patch": { "family": "A" } })).await);
    let record = json!({ "pin": "4WTR2PX", "family": "B" });
    let made = portal.sent(change(&portal, Method::POST, HOLDERS_PATH, &record)).await;
    assert_eq!((made.status, made.header("location")), (201, ""), "{}", made.text());
    let read = portal.post(&format!("{HOLDERS_PATH}/query"), &json!({ "keys": ["5ZJBKH7", "4WTR2PX"] })).await.good().json();
    assert_eq!(read["records"], json!([{ "pin": "5ZJBKH7", "family": "A" }, record]));
    let _ = applied(submit(json!({ "operation": "delete", "key": "4WTR2PX" })).await);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn refuses_a_change_without_an_idempotency_key() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let request = portal.request(Method::PATCH, &format!("{LICENCES}/L-1")).json(&json!({ "points": 1 }));
    let refused = portal.sent(request).await.refused(400, "idempotency_key_missing");
    assert_eq!(refused.errors(), [at("Idempotency-Key", "required")]);
    assert_eq!(refused.header("rabita-update"), "");
    assert_eq!(licence(&portal, "L-1").await["points"], 0);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn the_same_key_is_the_same_change_and_tells_its_outcome_again() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let send = |key: &'static str, body: &'static str| {
        let request = portal.request(Method::PATCH, &format!("{LICENCES}/L-1")).header("Idempotency-Key", key);
        portal.sent(request.header("Content-Type", "application/merge-patch+json").body(body))
    };
    let first = applied(send("one", r#"{"points": 3, "class": "C"}"#).await);
    assert_eq!(first.header("idempotency-replayed"), "");
    // Whether blanks, the order of members and the key's quotes are the same makes no difference.
    let again = applied(send("\"one\"", r#"{ "class":"C","points":3 }"#).await);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.header("rabita-update"), again.json()), (first.header("rabita-update"), first.json()));
    assert_eq!(desk.writes("L-1").await, 1);

    let other = send("one", r#"{"points": 4}"#).await.refused(422, "idempotency_key_reused");
    assert_eq!(other.header("rabita-update"), first.header("rabita-update"), "it tells which the first was");
    let elsewhere = portal.request(Method::PATCH, &format!("{LICENCES}/L-2")).header("Idempotency-Key", "one");
    let elsewhere = portal.sent(elsewhere.json(&json!({ "points": 3, "class": "C" }))).await;
    let _ = elsewhere.refused(422, "idempotency_key_reused");
    assert_eq!(licence(&portal, "L-1").await["points"], 3);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_refusal_is_the_outcome_too_and_is_told_again() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let request = change(&portal, Method::POST, LICENCES, &first());
    let again = request.try_clone().expect("a body at hand");
    let refused = portal.sent(request).await.refused(409, "record_exists");
    let update = portal.get(&update_path(&refused)).await.good().json();
    assert_eq!((&update["state"], &update["outcome"]["code"]), (&json!("conflicted"), &json!("record_exists")));
    let told = portal.sent(again).await.refused(409, "record_exists");
    assert_eq!(told.header("rabita-update"), refused.header("rabita-update"));
    assert_eq!(told.header("idempotency-replayed"), "true");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn keys_of_different_systems_have_nothing_to_do_with_each_other() {
    let mobile = ALL.replace("portal", "mobile");
    let desk = Desk::open(&[ALL, &mobile], "").await;
    let send = async |caller: &rabita_tests::bus::Caller, points: u32| {
        let request = caller.request(Method::PATCH, &format!("{LICENCES}/L-1")).header("Idempotency-Key", "one");
        applied(caller.sent(request.json(&json!({ "points": points }))).await)
    };
    let (portal, mobile) = (desk.portal(), desk.mobile());
    let (one, two) = (send(&portal, 1).await, send(&mobile, 2).await);
    assert_ne!(one.header("rabita-update"), two.header("rabita-update"));
    assert_eq!(licence(&portal, "L-1").await["points"], 2);
    let _ = mobile.get(&update_path(&one)).await.refused(404, "update_absent");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_that_rests_on_a_stale_version_is_not_applied() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let read = portal.get(&format!("{LICENCES}/L-1?fields=class")).await.good();
    let tag = read.header("etag").to_owned();
    let conditional =
        |tag: &str, points: u32| portal.sent(patch(&portal, "L-1", &json!({ "points": points })).header("If-Match", tag));
    let _ = applied(conditional(&tag, 1).await);
    let stale = conditional(&tag, 2).await.refused(412, "precondition_failed");
    assert_eq!(licence(&portal, "L-1").await["points"], 1, "{}", stale.text());
    // What was read decides nothing: the version does.
    let other = portal.get(&format!("{LICENCES}/L-1?fields=holder")).await.good();
    let _ = applied(conditional(other.header("etag"), 3).await);
    let _ = applied(conditional("*", 4).await);
    for bad in ["W/\"x\"", "\"a\", \"b\"", "x"] {
        let refused = conditional(bad, 5).await.refused(400, "malformed_request");
        assert_eq!(refused.errors(), [at("If-Match", "etag")], "{bad}");
    }
    let _ = conditional("\"0123456789abcdef0123456789abcdef\"", 5).await.refused(412, "precondition_failed");
    let of_another = portal.get(&format!("{LICENCES}/L-2")).await.good();
    let _ = conditional(of_another.header("etag"), 5).await.refused(412, "precondition_failed");
    assert_eq!(licence(&portal, "L-1").await["points"], 4);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_tag_changes_with_the_version_even_where_what_was_read_does_not() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let path = format!("{LICENCES}/L-1?fields=class");
    let before = portal.get(&path).await.good();
    let (digest, version) = before.header("etag").split_once('-').expect("a tag with a version");
    assert_eq!((digest.len(), version.len() > 1), (33, true), "{digest} {version}");
    let conditional = |tag: &str| portal.sent(portal.request(Method::GET, &path).header("If-None-Match", tag));
    assert_eq!(conditional(before.header("etag")).await.status, 304);
    let _ = applied(patched(&portal, "L-1", &json!({ "points": 1 })).await);
    let after = conditional(before.header("etag")).await.good();
    assert_eq!(after.json(), before.json());
    assert_ne!(after.header("etag"), before.header("etag"));
    let several = portal.post(&format!("{LICENCES}/query"), &json!({ "keys": ["L-1"] })).await.good();
    assert!(!several.header("etag").contains('-'), "several records have no version");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_that_makes_the_record_invalid_is_refused_with_pointers_before_it_is_accepted() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let expect = async |answer: rabita_tests::bus::Answer, expected: &[(String, String)]| {
        let refused = answer.refused(422, "invalid_request");
        assert_eq!(refused.header("rabita-update"), "", "nothing was accepted");
        let errors = refused.errors();
        for error in expected {
            assert!(errors.contains(error), "{error:?} is not in {errors:?}");
        }
    };
    expect(
        patched(&portal, "L-1", &json!({ "points": "many", "class": "Z" })).await,
        &[at("/points", "type"), at("/class", "enum")],
    )
    .await;
    // To take away what every record has makes no record.
    expect(patched(&portal, "L-1", &json!({ "holder": { "family": null } })).await, &[at("/holder/family", "required")]).await;
    let missing = change(&portal, Method::POST, LICENCES, &json!({ "number": "L-8", "class": "A", "colour": "red" }));
    expect(portal.sent(missing).await, &[at("/holder", "required")]).await;
    let other_key = json!({ "number": "L-2", "holder": { "family": "A" }, "class": "A" });
    let other_key = portal.sent(change(&portal, Method::PUT, &format!("{LICENCES}/L-1"), &other_key)).await;
    expect(other_key, &[]).await;
    let bad_key = change(&portal, Method::PATCH, &format!("{LICENCES}/X-1"), &json!({ "points": 1 }));
    expect(portal.sent(bad_key).await, &[at("key", "pattern")]).await;
    assert_eq!(portal.get("/bus/updates").await.good().json()["updates"], json!([]));
    assert_eq!(desk.writes("L-1").await, 0);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_record_that_is_not_there_cannot_be_changed() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let path = format!("{LICENCES}/L-9");
    let whole = json!({ "holder": { "family": "A" }, "class": "A" });
    let _ = patched(&portal, "L-9", &json!({ "points": 1 })).await.refused(404, "record_absent");
    let _ = portal.sent(change(&portal, Method::PUT, &path, &whole)).await.refused(404, "record_absent");
    let _ = portal.sent(change(&portal, Method::DELETE, &path, &Value::Null)).await.refused(404, "record_absent");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn only_fields_that_are_granted_can_be_written_and_only_operations_that_are() {
    let names = "{ system: portal, version: v1, entity: licences, fields: [number, holder.given, points], purposes: any, \
         operations: [read, update] }";
    let desk = Desk::open(&[names], "").await;
    let portal = desk.portal();
    let _ = applied(patched(&portal, "L-1", &json!({ "holder": { "given": "Günel" } })).await);
    let refused = patched(&portal, "L-1", &json!({ "holder": { "family": "A" }, "points": 1, "class": "C" })).await;
    let mut errors = refused.refused(403, "field_not_permitted").errors();
    errors.sort();
    assert_eq!(errors, [at("/class", "field_not_permitted"), at("/holder/family", "field_not_permitted")]);
    // To take the whole group away takes away what is not granted.
    let group = patched(&portal, "L-1", &json!({ "holder": null })).await.refused(403, "field_not_permitted");
    assert_eq!(group.errors(), [at("/holder", "field_not_permitted")]);
    let in_body = json!({ "operation": "update", "key": "L-1", "patch": { "class": "C" } });
    let in_body = portal.sent(change(&portal, Method::POST, &format!("{LICENCES}/change"), &in_body)).await;
    assert_eq!(in_body.refused(403, "field_not_permitted").errors(), [at("/patch/class", "field_not_permitted")]);
    let _ = portal
        .sent(change(&portal, Method::DELETE, &format!("{LICENCES}/L-1"), &Value::Null))
        .await
        .refused(403, "not_permitted");
    let _ = portal.sent(change(&portal, Method::POST, LICENCES, &first())).await.refused(403, "not_permitted");
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_patch_of_another_kind_is_refused_with_the_kinds_there_are() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let request = portal.request(Method::PATCH, &format!("{LICENCES}/L-1")).header("Idempotency-Key", "one");
    let body = r#"[{"op": "replace", "path": "/points", "value": 1}]"#;
    let refused = portal.sent(request.header("Content-Type", "application/json-patch+json").body(body)).await;
    let refused = refused.refused(415, "media_type_unsupported");
    assert_eq!(refused.header("accept-patch"), "application/merge-patch+json, application/json");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn the_documents_show_the_changes_that_are_granted_and_no_other() {
    let names =
        "{ system: mobile, version: v1, entity: licences, fields: [number, points], purposes: any, operations: [read, update] }";
    let desk = Desk::open(&[ALL, names], "").await;
    let entry = desk.mobile().get("/bus/catalogue").await.good().json()["entities"][0].clone();
    assert_eq!((&entry["operations"], &entry["writes"]), (&json!(["read", "update"]), &json!({ "update": ["points"] })));
    assert_eq!((entry.get("actions"), &entry["effect"]), (None, &json!("exactly_once")));
    let paths = desk.mobile().get("/bus/openapi.json").await.good().json()["paths"].clone();
    let methods = |paths: &Value, path: &str| -> Vec<String> {
        paths[path].as_object().map(|item| item.keys().cloned().collect()).unwrap_or_default()
    };
    let record = format!("{LICENCES}/{{number}}");
    assert_eq!(methods(&paths, &record), ["get", "patch"]);
    assert_eq!(methods(&paths, LICENCES), ["get"], "several by key");
    let whole = desk.portal().get("/bus/openapi.json").await.good().json()["paths"].clone();
    assert_eq!(methods(&whole, &record), ["get", "put", "patch", "delete"]);
    assert_eq!(methods(&whole, &format!("{record}/revoke")), ["post"]);
    assert!(desk.bus.stop().await);
}

/// A public validator, a public linter and a public generator of clients, whose client is type-checked.
#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_of_changes_is_valid_and_makes_a_client_that_type_checks() {
    let desk = Desk::whole().await;
    let document = desk.portal().get("/bus/openapi.json").await.good();
    let file = desk.country.path().join("openapi.json");
    std::fs::write(&file, &document.body).expect("a scratch file");
    let done = rabita_tests::run_node("openapi", &["check.mjs", &file.to_string_lossy()]);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("clean: "), "{said}");
    assert!(desk.bus.stop().await);
}
