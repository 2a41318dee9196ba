//! Tries of which nobody knows whether they were applied.

use rabita_sdk::{Duplicates, Failure};
use reqwest::Method;
use serde_json::json;

use crate::scripted::{Deed, Desk, Terms};

const LIMITS: &str = "{ timeout_ms: 300, updates: { first_ms: 10, max_ms: 40 } }";
const CONFIRMED: Terms = Terms { limits: LIMITS, each: ", confirm: record" };
const RESENT: Terms = Terms { limits: LIMITS, each: "" };
const ASKED: Terms = Terms { limits: LIMITS, each: ", on_unknown: park" };

fn broken() -> Failure {
    Failure::Unknown { detail: "the connection broke".into() }
}

#[tokio::test]
async fn a_registry_that_tells_changes_apart_is_sent_it_again_and_applies_it_once() {
    let desk = Desk::open(Duplicates::Detected, RESENT).await;
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    desk.write("a", "new").await.good();
    assert_eq!(desk.registry.came().len(), 2);
    assert_eq!(desk.registry.text("a").as_deref(), Some("new"));
}

#[tokio::test]
async fn looks_at_the_record_before_it_sends_again_where_the_manifest_says_so() {
    let desk = Desk::open(Duplicates::Applied, CONFIRMED).await;
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    desk.write("a", "new").await.good();
    assert_eq!(desk.registry.came().len(), 1, "it was there, so it was not sent again");
    desk.registry.next([Deed::Fails(broken())]);
    desk.write("a", "newer").await.good();
    assert_eq!(desk.registry.texts("a"), ["new", "newer", "newer"], "it was not there, so it was");
    desk.registry.next([Deed::Hangs]);
    desk.write("a", "newest").await.good();
    assert_eq!(desk.registry.text("a").as_deref(), Some("newest"));
}

#[tokio::test]
async fn sends_again_where_nothing_tells_and_says_so_in_the_catalogue() {
    let desk = Desk::open(Duplicates::Applied, RESENT).await;
    let catalogue = desk.bus().portal().get("/bus/catalogue").await.good().json();
    assert_eq!(catalogue["entities"][0]["effect"], "at_least_once", "{catalogue:#}");
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    desk.write("a", "new").await.good();
    assert_eq!(desk.registry.texts("a"), ["new", "new"]);
}

#[tokio::test]
async fn asks_a_person_where_nothing_tells_and_the_manifest_says_so() {
    let desk = Desk::open(Duplicates::Applied, ASKED).await;
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    let id = desk.post("a", "new").await;
    let update = desk.until(&id, "parked").await;
    assert_eq!(update["trouble"]["code"], "outcome_unknown", "{update:#}");
    assert_eq!(desk.registry.came().len(), 1);
    desk.registry.next([Deed::Fails(broken())]);
    desk.order("retry", &[&id]).await;
    desk.until(&id, "parked").await;
    assert_eq!(desk.registry.came().len(), 2, "the person's word is good for one try");
    desk.order("retry", &[&id]).await;
    desk.until(&id, "applied").await;
    assert_eq!(desk.registry.came().len(), 3);
}

#[tokio::test]
async fn what_an_earlier_try_made_is_no_conflict() {
    let desk = Desk::open(Duplicates::Applied, RESENT).await;
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    let made = desk.send(Method::POST, "", "make b", &[], Some(json!({ "id": "b", "text": "mine" }))).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), "/api/notes/v1/notes/b");
    desk.registry.next([Deed::AppliesAndFails(broken())]);
    desk.send(Method::DELETE, "/b", "end b", &[], None).await.good();
    assert_eq!(desk.registry.text("b"), None);
    let other = desk.send(Method::POST, "", "make a", &[], Some(json!({ "id": "a", "text": "mine" }))).await;
    other.refused(409, "record_exists");
}

#[tokio::test]
async fn a_change_that_rests_on_a_version_conflicts_with_another_in_between() {
    let desk = Desk::open(Duplicates::Detected, RESENT).await;
    let portal = desk.bus().portal();
    let read = portal.get("/api/notes/v1/notes/a").await.good();
    let tag = read.header("etag").to_owned();
    assert!(tag.contains('-'), "{tag}");
    let change = |key: &'static str, text: &'static str| {
        let (desk, tag) = (&desk, tag.clone());
        async move { desk.send(Method::PATCH, "/a", key, &[("If-Match", &tag)], Some(json!({ "text": text }))).await }
    };
    change("one", "mine").await.good();
    change("two", "also mine").await.refused(412, "precondition_failed");
    assert_eq!(desk.registry.text("a").as_deref(), Some("mine"));
    let again = change("one", "mine").await.good();
    assert_eq!(again.header("idempotency-replayed"), "true", "the first outcome stands, whatever the record is now");
}

#[tokio::test]
async fn an_update_that_was_applied_does_not_expire_though_nobody_heard_of_it() {
    for (applied, state) in [(true, "applied"), (false, "expired")] {
        let desk = Desk::open(Duplicates::Detected, RESENT).await;
        let first = if applied { Deed::AppliesAndFails(broken()) } else { Deed::Fails(broken()) };
        desk.registry.next([first]);
        desk.registry.always(Deed::Fails(Failure::unavailable("not there")));
        let until = (jiff::Timestamp::now() + std::time::Duration::from_millis(300)).to_string();
        let headers = [("Rabita-Apply-Until", until.as_str()), ("Prefer", "respond-async")];
        let answer = desk.send(Method::PATCH, "/a", "late", &headers, Some(json!({ "text": "late" }))).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        desk.until(answer.header("rabita-update"), state).await;
        assert_eq!(desk.registry.text("a").as_deref(), Some(if applied { "late" } else { "first" }));
    }
}
