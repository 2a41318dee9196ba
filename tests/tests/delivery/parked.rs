//! What waits for a person, and what a person does with it.

use rabita_sdk::{Duplicates, Failure};
use serde_json::json;

use crate::scripted::{Deed, Desk, Terms};

const TERMS: Terms = Terms { limits: "{ updates: { first_ms: 5, max_ms: 10, attempts: 3 } }", each: "" };

fn nonsense() -> Deed {
    Deed::Fails(Failure::malformed("html"))
}

#[tokio::test]
async fn is_parked_after_answers_that_are_none_and_those_behind_it_with_it() {
    let desk = Desk::open(Duplicates::Detected, TERMS).await;
    desk.registry.always(nonsense());
    let first = desk.post("a", "one").await;
    let second = desk.post("a", "two").await;
    let update = desk.until(&first, "parked").await;
    assert_eq!((&update["attempts"], &update["trouble"]["code"]), (&json!(3), &json!("registry_broke_contract")), "{update:#}");
    let update = desk.until(&second, "parked").await;
    assert_eq!(update["trouble"]["code"], "update_behind", "{update:#}");
    desk.registry.always(Deed::Applies);
    let third = desk.post("a", "three").await;
    desk.until(&third, "parked").await;
    assert_eq!(desk.registry.text("a").as_deref(), Some("first"), "nothing overtakes what is parked");
    desk.registry.add("b", "first");
    desk.write("b", "goes on").await.good();

    desk.order("retry", &[&first]).await;
    for id in [&first, &second, &third] {
        desk.until(id, "applied").await;
    }
    let mut texts = desk.registry.texts("a");
    texts.dedup();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[tokio::test]
async fn stays_parked_over_a_restart_and_can_be_discarded() {
    let mut desk = Desk::open(Duplicates::Detected, TERMS).await;
    desk.registry.always(nonsense());
    let first = desk.post("a", "one").await;
    desk.until(&first, "parked").await;
    desk.stop().await;
    desk.registry.always(Deed::Applies);
    desk.start().await;
    assert_eq!(desk.update(&first).await["state"], "parked");
    let second = desk.post("a", "two").await;
    desk.until(&second, "parked").await;
    desk.order("discard", &[&first]).await;
    let update = desk.update(&first).await;
    assert_eq!((&update["state"], &update["outcome"]["code"]), (&json!("refused"), &json!("update_discarded")), "{update:#}");
    desk.order("retry", &[&second]).await;
    desk.until(&second, "applied").await;
    assert_eq!(desk.registry.text("a").as_deref(), Some("two"));
}
