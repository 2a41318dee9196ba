//! Changes that take their time: how long a caller waits, what it is told meanwhile, and what comes of them.

use jiff::{SignedDuration, Timestamp};
use rabita_tests::SilentPort;
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use super::licences::{
    ALL, Desk, HOLDERS, LICENCES, LONG, accepted, applied, change, licence, patch, patched, until, update_path,
};

#[tokio::test]
async fn a_caller_that_does_not_wait_is_told_where_the_outcome_will_be() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let answer = portal.sent(patch(&portal, "L-1", &json!({ "points": 1 })).header("Prefer", "respond-async")).await;
    let answer = accepted(answer);
    assert_eq!(answer.header("preference-applied"), "respond-async");
    assert_eq!(licence(&portal, "L-1").await["points"], 0, "reads go on");
    let retrying = until(&portal, &update_path(&answer), "retrying").await;
    assert_eq!(retrying["trouble"]["blame"], "registry", "{retrying:#}");
    lock.let_go().await;
    let update = until(&portal, &update_path(&answer), "applied").await;
    assert!(update["attempts"].as_u64().is_some_and(|attempts| attempts >= 1), "{update:#}");
    assert_eq!((update.get("trouble"), update.get("next_at")), (None, None));
    assert_eq!(licence(&portal, "L-1").await["points"], 1);
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_caller_waits_as_long_as_it_says_and_the_node_allows() {
    let desk = Desk::open(&[ALL], "limits: { wait_ms: 300, wait_max_ms: 1000 }").await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let waits = |prefer: &'static str| patch(&portal, "L-1", &json!({ "points": 1 })).header("Prefer", prefer);
    let long = accepted(portal.sent(waits("wait=3600")).await);
    assert_eq!(long.header("preference-applied"), "wait=1");
    let by_itself = accepted(patched(&portal, "L-1", &json!({ "points": 2 })).await);
    assert_eq!(by_itself.header("preference-applied"), "");
    let request = waits("wait=0");
    let again = request.try_clone().expect("a body at hand").header("Prefer", "wait=20");
    let none = accepted(portal.sent(request).await);
    assert_eq!(none.header("preference-applied"), "wait=0");
    lock.let_go().await;
    let _ = until(&portal, &update_path(&none), "applied").await;
    // Its key tells the outcome as the update does.
    let told = applied(portal.sent(again).await);
    assert_eq!((told.header("idempotency-replayed"), told.header("rabita-update")), ("true", none.header("rabita-update")));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_repeat_of_a_change_under_way_waits_for_the_same_outcome() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let request = patch(&portal, "L-1", &json!({ "points": 1 }));
    let again = request.try_clone().expect("a body at hand");
    let first = accepted(portal.sent(request.header("Prefer", "respond-async")).await);
    let (_, second) = tokio::join!(lock.let_go(), portal.sent(again.header("Prefer", "wait=20")));
    let second = applied(second);
    assert_eq!((second.header("rabita-update"), second.header("idempotency-replayed")), (first.header("rabita-update"), "true"));
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_whose_caller_leaves_is_recorded_like_any_other() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let left = tokio::spawn(patch(&portal, "L-1", &json!({ "points": 1 })).header("Prefer", "wait=20").send());
    let updates = async || portal.get("/bus/updates").await.good().json()["updates"].clone();
    eventually("the change is on its way", LONG, async || updates().await.as_array().is_some_and(|all| all.len() == 1)).await;
    left.abort();
    let change = updates().await[0].clone();
    lock.let_go().await;
    let _ = until(&portal, &format!("/bus/updates/{}", change["id"].as_str().expect("an id")), "applied").await;
    let proof = format!("/bus/ledger/proof?exchange={}", change["exchange"].as_str().expect("an id"));
    let recorded = async || portal.get(&proof).await.json()["proofs"].as_array().map_or(0, Vec::len);
    // How it was asked for, and how it ended.
    eventually("both are in the ledger", LONG, async || recorded().await == 2).await;
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_that_comes_after_its_latest_time_is_never_applied() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let request = patch(&portal, "L-1", &json!({ "points": 1 })).header("Rabita-Apply-Until", "2020-01-01T00:00:00Z");
    let again = request.try_clone().expect("a body at hand");
    let answer = portal.sent(request).await.refused(504, "update_expired");
    let update = portal.get(&update_path(&answer)).await.good().json();
    assert_eq!((&update["state"], &update["attempts"]), (&json!("expired"), &json!(0)));
    assert_eq!((&update["outcome"]["code"], &update["apply_until"]), (&json!("update_expired"), &json!("2020-01-01T00:00:00Z")));
    let told = portal.sent(again).await.refused(504, "update_expired");
    assert_eq!(told.header("idempotency-replayed"), "true");
    assert_eq!(desk.writes("L-1").await, 0);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_whose_latest_time_passes_while_another_is_applied_expires() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let first = patch(&portal, "L-1", &json!({ "class": "C" })).header("Prefer", "respond-async");
    let first = update_path(&accepted(portal.sent(first).await));
    let latest = Timestamp::now() + SignedDuration::from_millis(500);
    let second = patch(&portal, "L-1", &json!({ "points": 1 })).header("Rabita-Apply-Until", latest.to_string());
    let second = accepted(portal.sent(second.header("Prefer", "respond-async")).await);
    assert_eq!(second.json()["apply_until"], latest.to_string());
    eventually("the time has passed", LONG, async || Timestamp::now() > latest).await;
    lock.let_go().await;
    let _ = until(&portal, &first, "applied").await;
    let _ = until(&portal, &update_path(&second), "expired").await;
    let record = licence(&portal, "L-1").await;
    assert_eq!((&record["class"], &record["points"]), (&json!("C"), &json!(0)));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn changes_of_one_record_are_applied_in_the_order_in_which_they_were_accepted() {
    let desk = Desk::whole().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let mut last = String::new();
    for points in 1..=8 {
        let answer = portal.sent(patch(&portal, "L-1", &json!({ "points": points })).header("Prefer", "respond-async")).await;
        last = update_path(&accepted(answer));
    }
    lock.let_go().await;
    let _ = until(&portal, &last, "applied").await;
    assert_eq!(licence(&portal, "L-1").await["points"], 8);
    assert_eq!(desk.writes("L-1").await, 8);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_system_lists_its_own_updates_and_narrows_them() {
    let mobile = ALL.replace("portal", "mobile");
    let desk = Desk::open(&[ALL, HOLDERS, &mobile], "").await;
    let (portal, mobile) = (desk.portal(), desk.mobile());
    let begin = Timestamp::now();
    let mut own = Vec::new();
    for points in 1..=3 {
        let answer = applied(patched(&portal, "L-1", &json!({ "points": points })).await);
        own.push(answer.header("rabita-update").to_owned());
    }
    let taken = change(&portal, Method::POST, LICENCES, &super::licences::first());
    own.push(portal.sent(taken).await.refused(409, "record_exists").header("rabita-update").to_owned());
    let _ = applied(patched(&mobile, "L-2", &json!({ "points": 5 })).await);
    let ids = |page: &Value| -> Vec<String> {
        let updates = page["updates"].as_array().cloned().unwrap_or_default();
        updates.iter().map(|update| update["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let listed = async |query: &str| ids(&portal.get(&format!("/bus/updates{query}")).await.good().json());
    assert_eq!(listed("").await, own);
    assert_eq!(listed("?state=conflicted").await, own[3..]);
    assert_eq!(listed("?state=parked").await, [""; 0]);
    assert_eq!(listed("?registry=licences").await, own);
    assert_eq!(listed("?registry=vehicles").await, [""; 0]);
    assert_eq!(listed(&format!("?since={begin}")).await, own);
    assert_eq!(listed("?since=2100-01-01T00:00:00Z").await, [""; 0]);
    let page = portal.get("/bus/updates?limit=3").await.good().json();
    assert_eq!(ids(&page), own[..3]);
    let next = page["next"].as_str().expect("there is more");
    let page = portal.get(&format!("/bus/updates?limit=3&cursor={next}")).await.good().json();
    assert_eq!((ids(&page), page.get("next")), (own[3..].to_vec(), None));
    let _ = portal.get("/bus/updates?cursor=nonsense").await.refused(400, "cursor_invalid");
    assert_eq!(ids(&mobile.get("/bus/updates").await.good().json()).len(), 1);
    for path in own.iter().map(|id| format!("/bus/updates/{id}")) {
        let _ = mobile.get(&path).await.refused(404, "update_absent");
    }
    let _ = portal.get("/bus/updates/01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e").await.refused(404, "update_absent");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn where_the_journal_takes_no_more_changes_are_refused_and_reads_go_on() {
    let desk = Desk::open(&[ALL], "journal: { pending_max: 1 }").await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let waiting = patch(&portal, "L-1", &json!({ "points": 1 })).header("Prefer", "respond-async");
    let waiting = update_path(&accepted(portal.sent(waiting).await));
    let request = patch(&portal, "L-2", &json!({ "points": 2 }));
    let again = request.try_clone().expect("a body at hand");
    let refused = portal.sent(request).await.refused(503, "journal_unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(refused.header("rabita-update"), "");
    assert_eq!(licence(&portal, "L-2").await["points"], 0);
    lock.let_go().await;
    let _ = until(&portal, &waiting, "applied").await;
    // The key of what was refused is free, and the same change is taken now.
    let taken = applied(portal.sent(again).await);
    assert_eq!(taken.header("idempotency-replayed"), "");
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn what_was_accepted_is_applied_by_the_node_that_begins_anew() {
    let desk = Desk::whole().await;
    let lock = desk.locked().await;
    let portal = desk.portal();
    let request = patch(&portal, "L-1", &json!({ "points": 1 }));
    let path = update_path(&accepted(portal.sent(request.header("Prefer", "respond-async")).await));
    let Desk { bus, country } = desk;
    assert!(bus.stop().await);
    lock.let_go().await;
    let desk = Desk { bus: country.start().await, country };
    let _ = until(&desk.portal(), &path, "applied").await;
    assert_eq!(licence(&desk.portal(), "L-1").await["points"], 1);
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_key_is_known_to_the_node_that_begins_anew() {
    let Desk { bus, country } = Desk::whole().await;
    let send = async |bus: &rabita_tests::bus::Bus, points: u32| {
        let portal = bus.portal();
        let request = portal.request(Method::PATCH, &format!("{LICENCES}/L-1")).header("Idempotency-Key", "one");
        portal.sent(request.json(&json!({ "points": points }))).await
    };
    let first = applied(send(&bus, 1).await);
    assert!(bus.stop().await);
    let bus = country.start().await;
    let again = applied(send(&bus, 1).await);
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()));
    let _ = send(&bus, 2).await.refused(422, "idempotency_key_reused");
    let desk = Desk { bus, country };
    assert_eq!(desk.writes("L-1").await, 1);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_change_whose_body_is_too_large_is_not_accepted() {
    let desk = Desk::open(&[ALL], "limits: { body_max_bytes: 300 }").await;
    let portal = desk.portal();
    let large = json!({ "holder": { "family": "x".repeat(400) } });
    let refused = patched(&portal, "L-1", &large).await.refused(413, "body_too_large");
    assert_eq!(refused.header("rabita-update"), "");
    let _ = applied(patched(&portal, "L-1", &json!({ "holder": { "family": "x" } })).await);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn without_its_brokers_a_node_refuses_changes_with_advice_and_goes_on_to_read() {
    let silent = SilentPort::new();
    let url = silent.url();
    let broker = url.trim_start_matches("http://");
    let node = format!("journal: {{ kafka: {{ brokers: [\"{broker}\"] }} }}\nledger: {{ origin: bus.example/one }}");
    let desk = Desk::open(&[ALL], &node).await;
    let portal = desk.portal();
    let refused = patched(&portal, "L-1", &json!({ "points": 1 })).await.refused(503, "journal_unavailable");
    assert_eq!(refused.json()["blame"], "bus");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{:?}", refused.headers);
    assert_eq!(licence(&portal, "L-1").await["points"], 0, "reads go on");
    let (status, ready) = desk.bus.told("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["ready"], &ready["journal"]["healthy"]), (200, &json!(true), &json!(false)), "{ready:#}");
    assert!(desk.bus.stop().await);
}
