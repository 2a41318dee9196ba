//! In which order, and how many at once.

use rabita_sdk::Duplicates;
use rabita_tests::eventually;

use crate::scripted::{Deed, Desk, SOON, Terms, away};

#[tokio::test]
async fn applies_updates_of_one_record_in_the_order_of_acceptance() {
    let desk = Desk::open(Duplicates::Detected, Terms { limits: "{ updates: { first_ms: 5, max_ms: 20 } }", each: "" }).await;
    desk.registry.next([away(), Deed::Applies, away(), away()]);
    let mut last = String::new();
    for number in 0..10 {
        last = desk.post("a", &format!("text {number}")).await;
    }
    desk.until(&last, "applied").await;
    let mut texts = desk.registry.texts("a");
    texts.dedup();
    let expected: Vec<String> = (0..10).map(|number| format!("text {number}")).collect();
    assert_eq!(texts, expected);
    assert_eq!(desk.registry.text("a").as_deref(), Some("text 9"));
}

#[tokio::test]
async fn an_update_that_is_held_up_holds_up_no_other_record() {
    let desk = Desk::open(Duplicates::Detected, Terms { limits: "{}", each: "" }).await;
    desk.registry.add("b", "first");
    desk.registry.next([Deed::Holds]);
    let held = desk.post("a", "slow").await;
    eventually("it is under way", SOON, async || desk.registry.came().len() == 1).await;
    desk.write("b", "fast").await.good();
    assert_eq!(desk.registry.text("b").as_deref(), Some("fast"));
    assert_eq!(desk.update(&held).await["state"], "accepted");
    desk.registry.let_go();
    desk.until(&held, "applied").await;
}

#[tokio::test]
async fn sends_no_more_at_once_than_the_manifest_says() {
    let desk = Desk::open(Duplicates::Detected, Terms { limits: "{ updates: { in_flight: 2 } }", each: "" }).await;
    desk.registry.always(Deed::Holds);
    let mut ids = Vec::new();
    for number in 0..6 {
        let id = format!("r{number}");
        desk.registry.add(&id, "first");
        ids.push(desk.post(&id, "new").await);
    }
    eventually("two are under way", SOON, async || desk.registry.came().len() == 2).await;
    for _ in 0..6 {
        let before = desk.registry.came().len();
        desk.registry.let_go();
        eventually("the next comes", SOON, async || desk.registry.came().len() > before || before == 6).await;
    }
    for id in &ids {
        desk.registry.let_go();
        desk.until(id, "applied").await;
    }
    assert_eq!(desk.registry.most_under_way(), 2);
}

#[tokio::test]
async fn goes_on_where_it_was_after_the_bus_was_stopped_and_started() {
    let mut desk = Desk::open(Duplicates::Detected, Terms { limits: "{ updates: { first_ms: 5, max_ms: 20 } }", each: "" }).await;
    desk.registry.always(away());
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(desk.post("a", &format!("text {number}")).await);
    }
    desk.stop().await;
    desk.registry.always(Deed::Applies);
    desk.start().await;
    for id in &ids {
        desk.until(id, "applied").await;
    }
    assert_eq!(desk.registry.text("a").as_deref(), Some("text 4"));
}
