//! Changes that come at the same time.

use futures_util::future::join_all;
use rabita_tests::bus::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use super::licences::{Desk, LICENCES, applied, change, licence, patch, patched};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_change_sent_many_times_at_once_is_one() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    for points in 1..=5 {
        let request = patch(&portal, "L-1", &json!({ "points": points }));
        let sent = (0..12).map(|_| portal.sent(request.try_clone().expect("a body at hand")));
        let answers = join_all(sent).await;
        let ids: Vec<String> = answers.into_iter().map(|answer| applied(answer).header("rabita-update").to_owned()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(desk.writes("L-1").await, points);
    }
    let updates = portal.get("/bus/updates").await.good().json();
    assert_eq!(updates["updates"].as_array().map(Vec::len), Some(5));
    assert!(desk.bus.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_rest_on_the_same_version_one_is_applied() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    for round in 1..=5 {
        let tag = portal.get(&format!("{LICENCES}/L-1")).await.good().header("etag").to_owned();
        let sent =
            (1..=8).map(|points| portal.sent(patch(&portal, "L-1", &json!({ "points": points })).header("If-Match", &tag)));
        let answers = join_all(sent).await;
        let won: Vec<Value> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
        assert_eq!(won.len(), 1, "round {round}: {won:#?}");
        let lost = answers.into_iter().filter(|answer| answer.status != 200);
        let lost: Vec<Answer> = lost.map(|answer| answer.refused(412, "precondition_failed")).collect();
        assert_eq!((lost.len(), desk.writes("L-1").await), (7, round));
    }
    assert!(desk.bus.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_make_the_same_record_one_does() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let record = |points: u32| json!({ "number": "L-7", "holder": { "family": "A" }, "class": "A", "points": points });
    let sent = (1..=8).map(|points| portal.sent(change(&portal, Method::POST, LICENCES, &record(points))));
    let answers = join_all(sent).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let others = answers.into_iter().filter(|answer| answer.status != 201);
    let others: Vec<Answer> = others.map(|answer| answer.refused(409, "record_exists")).collect();
    assert_eq!(others.len(), 7);
    assert!(desk.bus.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_record_that_are_changed_at_once_are_all_changed() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let parts = [
        json!({ "points": 7 }),
        json!({ "class": "A" }),
        json!({ "holder": { "given": "Günel" } }),
        json!({ "holder": { "family": "Q" } }),
    ];
    for answer in join_all(parts.iter().map(|part| patched(&portal, "L-1", part))).await {
        let _ = applied(answer);
    }
    let expected = json!({ "number": "L-1", "holder": { "family": "Q", "given": "Günel" }, "class": "A", "points": 7 });
    assert_eq!(licence(&portal, "L-1").await, expected);
    assert!(desk.bus.stop().await);
}
