//! Patches whose record as a whole breaks the schema, though no part of the patch does.

use serde_json::json;

use super::licences::{Desk, accepted, applied, licence, patch, patched, until, update_path};

fn at(place: &str, code: &str) -> (String, String) {
    (place.to_owned(), code.to_owned())
}

#[tokio::test]
async fn a_patch_is_held_against_the_record_that_it_makes_before_it_is_accepted() {
    let desk = Desk::with_a_rule().await;
    let portal = desk.portal();
    let _ = applied(patched(&portal, "L-1", &json!({ "points": 5 })).await);
    let both = patched(&portal, "L-1", &json!({ "class": "A", "points": 6 })).await.refused(422, "invalid_request");
    assert_eq!((both.errors(), both.header("rabita-update")), (vec![at("/points", "maximum")], ""));
    // What is wrong lies where the patch touches nothing, and the caller may not be one who sees it.
    let class = patched(&portal, "L-1", &json!({ "class": "A" })).await.refused(422, "invalid_request");
    assert_eq!((class.errors(), class.header("rabita-update")), (vec![at("", "record")], ""));
    let _ = applied(patched(&portal, "L-1", &json!({ "class": "A", "points": 3 })).await);
    let record = licence(&portal, "L-1").await;
    assert_eq!((&record["class"], &record["points"]), (&json!("A"), &json!(3)));
    assert_eq!(portal.get("/bus/updates").await.good().json()["updates"].as_array().map(Vec::len), Some(2));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_patch_behind_another_is_held_against_the_record_that_the_other_makes() {
    let desk = Desk::with_a_rule().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let send = async |fields| {
        update_path(&accepted(portal.sent(patch(&portal, "L-1", &fields).header("Prefer", "respond-async")).await))
    };
    let points = send(json!({ "points": 5 })).await;
    let class = send(json!({ "class": "A" })).await;
    lock.let_go().await;
    let _ = until(&portal, &points, "applied").await;
    let refused = until(&portal, &class, "refused").await;
    assert_eq!(refused["outcome"]["code"], "invalid_request", "{refused:#}");
    let record = licence(&portal, "L-1").await;
    assert_eq!((&record["class"], &record["points"]), (&json!("B"), &json!(5)));
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}
