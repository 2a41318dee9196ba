//! What streams and webhooks bring is released data: it is in the ledger before it leaves, or it does not leave.

use rabita_tests::bus::{Authority, Bus, Caller, Country};
use rabita_tests::{NodeServer, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::lines;
use super::people::{ALL, LONG, People, Stream, detecting, rename};

const EVENTS: &str = "/bus/events";
const TRANSPARENCY: &str = "subjects:\n  - { system: auditor, purposes: [audit] }\n";
const NAMES: &str = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: [pin, name.family], \
     purposes: [audit] }";

/// A node that sends to this machine, and gives up after a second attempt.
const WEBHOOKS: &str = "webhooks: { dangerously_allow_http_webhooks: true, dangerously_allow_private_webhooks: true, \
     timeout_ms: 5000, retry_ms: [50], disable_after: 9 }";

async fn bus(node: &str) -> (Country, People, Bus) {
    let country = Country::new();
    country.node(node);
    country.file("transparency.yaml", TRANSPARENCY);
    let people = People::settle(&country, &[ALL, NAMES]).await;
    let bus = country.start().await;
    (country, people, bus)
}

fn callers(bus: &Bus) -> (Caller, Caller) {
    (bus.caller(&Authority::get().mobile), bus.caller(&Authority::get().auditor))
}

/// The lines of events that were brought, newest first, once there are so many.
async fn brought(auditor: &Caller, count: usize) -> Vec<Value> {
    let of_events = |lines: &[Value]| lines.iter().filter(|line| line["kind"] == "events").count() >= count;
    let mut lines = lines::of(auditor, "5ZJBKH7", of_events).await;
    lines.retain(|line| line["kind"] == "events");
    lines
}

#[tokio::test]
async fn what_a_stream_brings_is_among_the_uses_of_a_persons_data() {
    let (_country, _people, bus) = bus("").await;
    let (mobile, auditor) = callers(&bus);
    let request = mobile.request(Method::GET, EVENTS).header("Rabita-Purpose", "audit");
    let mut stream = request.send().await.expect("an answer");
    assert_eq!(stream.status().as_u16(), 200);
    rename(&bus.portal(), "5ZJBKH7", "Quliyeva").await;
    rename(&bus.portal(), "4WTR2PX", "Quliyev").await;
    let mut text = String::new();
    while !text.contains("Quliyeva") {
        let chunk = tokio::time::timeout(LONG, stream.chunk()).await.expect("something within the time");
        text.push_str(std::str::from_utf8(&chunk.expect("a stream").expect("more of it")).expect("UTF-8"));
    }
    let exchange = text.lines().find_map(|line| line.strip_prefix(": exchange ")).expect("the exchange is named");

    let told = brought(&auditor, 1).await;
    assert_eq!(told.len(), 1, "another person's event is none of theirs: {told:?}");
    let line = &told[0];
    assert_eq!((&line["system"], &line["operation"]), (&json!("mobile"), &json!("subscribe")));
    assert_eq!((&line["fields"], &line["purpose"]["id"]), (&json!(["name.family", "pin"]), &json!("audit")));
    assert_eq!((&line["outcome"], &line["exchange"]), (&json!("allowed"), &json!(exchange)));
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_change_is_shown_as_it_was_asked_for_and_as_it_ended() {
    let (_country, _people, bus) = bus("").await;
    let (_, auditor) = callers(&bus);
    rename(&bus.portal(), "5ZJBKH7", "Quliyeva").await;
    let both = |lines: &[Value]| lines.len() == 2;
    let told = lines::of(&auditor, "5ZJBKH7", both).await;
    let mut kinds: Vec<_> = told.iter().map(|line| line["kind"].as_str().unwrap_or_default()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["conclusion", "exchange"]);
    for line in &told {
        assert_eq!(
            (&line["operation"], &line["outcome"], &line["system"]),
            (&json!("update"), &json!("allowed"), &json!("portal"))
        );
        assert_eq!(line["update"], told[0]["update"]);
        assert_eq!(line["exchange"], told[0]["exchange"]);
    }
    assert!(bus.stop().await);
}

#[tokio::test]
async fn each_attempt_of_a_webhook_is_recorded_whether_or_not_it_was_taken() {
    let server = NodeServer::start("webhooks", &[]);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let at = |path: &str| format!("http://{}{path}", server.address());
    let (_country, _people, bus) = bus(WEBHOOKS).await;
    let (mobile, auditor) = callers(&bus);
    let wish = mobile.request(Method::POST, "/bus/subscriptions").header("Rabita-Purpose", "audit");
    let made = mobile.sent(wish.json(&json!({ "url": at("/hook") }))).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let told = json!({ "secret": made.json()["secret"], "status": 500 });
    assert!(client.post(at("/control")).json(&told).send().await.expect("an answer").status().is_success());
    rename(&bus.portal(), "5ZJBKH7", "Quliyeva").await;

    let lines = brought(&auditor, 2).await;
    let received =
        async || -> Vec<Value> { client.get(at("/received")).send().await.expect("an answer").json().await.expect("a list") };
    eventually("both attempts came", LONG, async || received().await.len() == 2).await;
    let mut came: Vec<Value> = received().await.iter().map(|one| one["exchange"].clone()).collect();
    came.reverse();
    let recorded: Vec<Value> = lines.iter().map(|line| line["exchange"].clone()).collect();
    assert_eq!(came, recorded, "the receiver is told the exchange by which it was recorded");
    for line in &lines {
        assert_eq!((&line["system"], &line["fields"]), (&json!("mobile"), &json!(["name.family", "pin"])));
        assert_eq!(line["purpose"]["id"], "audit");
    }
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_stops_a_stream_which_says_so_and_nothing_is_lost() {
    let (country, people, bus) = detecting("unwritten").await;
    let portal = bus.portal();
    let mut stream = Stream::open(&portal, EVENTS, None).await;
    let begin = stream.last_id.clone().expect("a stream says where it begins");
    // No registry of the agency was asked for anything yet, so its first key has still to be made: it cannot be.
    let keys = country.path().join("ledger/keys/interior");
    assert!(!keys.exists(), "a key was made before it was of use");
    std::fs::create_dir_all(country.path().join("ledger/keys")).expect("a directory");
    std::fs::write(&keys, "in the way").expect("a file");
    people.run("UPDATE people SET family = 'Gizlin' WHERE pin = '5ZJBKH7'").await;
    let changed = async || {
        people.run("UPDATE people SET income = income + 1 WHERE pin = '5ZJBKH7'").await;
        tokio::time::timeout(std::time::Duration::from_millis(300), stream.more()).await.is_ok()
    };
    eventually("a change is detected", LONG, changed).await;
    let told = stream.next().await;
    assert_eq!((told.event.as_str(), &told.data), ("rabita.stopped", &json!({ "code": "ledger_unavailable" })));
    assert_eq!(told.id, begin, "the place is kept");
    stream.ended().await;

    std::fs::remove_file(&keys).expect("the file was there");
    let mut stream = Stream::open(&portal, EVENTS, Some(&begin)).await;
    let told = stream.next().await;
    assert_eq!(
        (told.event.as_str(), &told.data["data"]["key"]),
        ("rabita.unwritten.v1.persons.changed", &json!({ "pin": "5ZJBKH7" }))
    );
    assert!(bus.stop().await);
}
