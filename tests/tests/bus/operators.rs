//! What operators do with updates: over the admin listener, and by `rabita updates`.

use std::process::Output;

use rabita_tests::bus::Caller;
use rabita_tests::{eventually, port};
use reqwest::Client;
use serde_json::{Value, json};

use super::licences::{Desk, LONG, accepted, licence, patch, until, update_path};

/// A change that is laid aside.
struct Parked {
    id: String,
    path: String,
}

/// Sends a change that cannot be applied at the moment, and waits until it is parked.
async fn parked(portal: &Caller, number: &str, fields: &Value) -> Parked {
    let answer = accepted(portal.sent(patch(portal, number, fields).header("Prefer", "respond-async")).await);
    let path = update_path(&answer);
    let _ = until(portal, &path, "parked").await;
    Parked { id: answer.header("rabita-update").to_owned(), path }
}

/// Runs `rabita updates` on the desk's node.
async fn rabita(desk: &Desk, arguments: &[&str]) -> Output {
    let admin = format!("http://{}", desk.bus.admin);
    run(&[&["updates", arguments[0], "--admin", &admin], &arguments[1..]].concat()).await
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rabita-under-test"));
    // A proxy of the machine must not come between.
    command.args(arguments).env("USER", "aygun").env_remove("SUDO_USER").env("http_proxy", "http://127.0.0.1:9");
    command.output().await.expect("the program runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {}{}", out(output), err(output)))
}

#[tokio::test]
async fn parked_changes_are_seen_retried_in_order_and_applied() {
    let desk = Desk::that_parks().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let first = parked(&portal, "L-1", &json!({ "points": 1 })).await;
    let second = parked(&portal, "L-1", &json!({ "points": 2, "holder": { "given": "Gizlin" } })).await;
    let other = parked(&portal, "L-2", &json!({ "points": 3 })).await;
    lock.let_go().await;

    let listed = rabita(&desk, &["list", "--state", "parked"]).await;
    let text = out(&listed);
    assert!(listed.status.success() && text.lines().count() == 4, "{text}{}", err(&listed));
    assert!(text.lines().nth(2).is_some_and(|line| line.starts_with(&second.id) && line.ends_with("update_behind")), "{text}");
    let shown = out(&rabita(&desk, &["show", &second.id]).await);
    assert!(shown.contains(&first.id), "it says behind which update it waits: {shown}");
    assert!(!text.contains("Gizlin") && !shown.contains("Gizlin"), "{text}{shown}");
    let behind = json_of(&rabita(&desk, &["list", "--code", "update_behind", "--json"]).await);
    assert_eq!(behind["updates"].as_array().map(Vec::len), Some(1), "{behind}");
    let counted = async || desk.bus.metric("rabita_journal_parked", &["registry=\"licences\""]).await > 2.0;
    eventually("the metrics tell of three parked updates", LONG, counted).await;

    let overtaking = rabita(&desk, &["retry", &second.id]).await;
    assert_eq!(overtaking.status.code(), Some(1));
    assert!(out(&overtaking).contains(&format!("{}: it is behind {}", second.id, first.id)), "{}", out(&overtaking));
    let dry = rabita(&desk, &["retry", "--all", "--registry", "licences", "--dry-run"]).await;
    assert_eq!(out(&dry).trim(), "3 update(s) would be sent on their way again", "{}", err(&dry));
    assert_eq!(portal.get(&first.path).await.good().json()["state"], "parked", "a dry run does nothing");

    let retried = rabita(&desk, &["retry", &first.id, &other.id, "--reason", "the registry is back"]).await;
    assert!(retried.status.success(), "{}{}", out(&retried), err(&retried));
    for update in [&first, &second, &other] {
        let _ = until(&portal, &update.path, "applied").await;
    }
    assert_eq!(licence(&portal, "L-1").await["points"], 2, "what was behind came after");
    let acts = json_of(&rabita(&desk, &["acts", "--json"]).await);
    let newest = &acts["acts"][0];
    assert_eq!(
        (&newest["verb"], &newest["operator"], &newest["reason"]),
        (&json!("retry"), &json!("aygun"), &json!("the registry is back"))
    );
    let again = rabita(&desk, &["retry", "--all"]).await;
    assert_eq!((again.status.code(), err(&again).trim()), (Some(1), "no parked update matches"));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_parked_change_is_discarded_for_a_reason_and_its_caller_is_told() {
    let desk = Desk::that_parks().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let update = parked(&portal, "L-1", &json!({ "points": 1 })).await;
    lock.let_go().await;
    let unsaid = rabita(&desk, &["discard", &update.id]).await;
    assert!(!unsaid.status.success() && err(&unsaid).contains("--reason"), "{}", err(&unsaid));
    let discarded = rabita(&desk, &["discard", &update.id, "--reason", "agreed", "--operator", "leyla"]).await;
    assert_eq!(out(&discarded).trim(), "1 update(s) discarded", "{}", err(&discarded));
    let told = until(&portal, &update.path, "refused").await;
    assert_eq!(told["outcome"]["code"], "update_discarded");
    assert_eq!(licence(&portal, "L-1").await["points"], 0);
    let acts = out(&rabita(&desk, &["acts"]).await);
    assert!(["discard", "leyla", "agreed", &update.id].iter().all(|word| acts.contains(word)), "{acts}");
    let late = rabita(&desk, &["retry", &update.id]).await;
    assert!(out(&late).contains("it is not parked but refused"), "{}{}", out(&late), err(&late));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn an_order_by_filter_goes_on_page_by_page_to_the_last() {
    let desk = Desk::that_parks().await;
    let portal = desk.portal();
    let lock = desk.locked().await;
    let mut left = Vec::new();
    for points in 1..=3 {
        left.push(parked(&portal, "L-1", &json!({ "points": points })).await.id);
    }
    lock.let_go().await;
    let client = Client::builder().no_proxy().build().expect("a client");
    let mut cursor = Value::Null;
    let mut done = Vec::new();
    for _ in 0..=left.len() {
        let filter = json!({ "registry": "licences", "limit": 1, "cursor": cursor });
        let order = json!({ "filter": filter, "operator": "aygun", "reason": "agreed" });
        let answer = client.post(format!("http://{}/updates/discard", desk.bus.admin)).json(&order).send().await;
        let told: Value = answer.expect("an answer").json().await.expect("JSON");
        let results = told["results"].as_array().unwrap_or_else(|| panic!("{told}"));
        done.extend(
            results
                .iter()
                .filter(|result| result["result"] == "done")
                .filter_map(|result| result["id"].as_str())
                .map(str::to_owned),
        );
        cursor = told["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((done, cursor), (left, Value::Null));
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn the_admin_listener_takes_no_order_from_a_page_and_tells_of_the_journal() {
    let desk = Desk::whole().await;
    let (status, ready) = desk.bus.told("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["journal"]), (200, &json!({ "healthy": true })));
    let client = Client::builder().no_proxy().build().expect("a client");
    let order = |media_type: &str| {
        let body = json!({ "filter": {}, "operator": "aygun" }).to_string();
        client.post(format!("http://{}/updates/retry", desk.bus.admin)).header("Content-Type", media_type).body(body)
    };
    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
    assert_eq!(status(order("application/json")).await, 200);
    assert_eq!(status(order("text/plain")).await, 415);
    assert_eq!(status(order("application/json").header("Origin", "http://evil.example")).await, 403);
    assert_eq!(status(order("application/json").body(vec![b' '; 2_000_000])).await, 413);
    assert_eq!(desk.bus.told("/updates/nonsense").await.0, 404);
    assert!(desk.bus.stop().await);
}

#[tokio::test]
async fn a_command_says_plainly_what_is_in_its_way() {
    let nobody = format!("http://127.0.0.1:{}", port::free());
    let absent = run(&["updates", "list", "--admin", &nobody]).await;
    assert_eq!(absent.status.code(), Some(1));
    assert!(err(&absent).contains(&nobody) && err(&absent).contains("does it run there?"), "{}", err(&absent));
    for (arguments, said) in [
        (&["updates", "list", "--code", "registry_timeot"][..], "registry_timeout"),
        (&["updates", "list", "--older-than", "2w"], "2h"),
        (&["updates", "list", "--state", "lost"], "parked"),
        (&["updates", "retry"], "--all"),
        (&["updates", "retry", "x"], "UUID"),
        (&["updates", "list", "--config", "/nowhere"], "/nowhere/rabita.yaml"),
    ] {
        let refused = run(arguments).await;
        assert!(!refused.status.success() && err(&refused).contains(said), "{arguments:?}: {}", err(&refused));
    }
}
