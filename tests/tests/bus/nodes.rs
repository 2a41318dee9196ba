//! Nodes over Apache Kafka, from outside: any of them answers for any update, and callers are told when the brokers are gone.

use std::time::Duration;

use rabita_tests::bus::{Answer, Bus, Caller, Country};
use rabita_tests::{Kafka, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{ALL, People, Stream, rename};

/// So long brokers may take to start and to be missed on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const PERSON: &str = "/api/people/v1/persons/5ZJBKH7";

/// A country whose nodes have their journal on these brokers.
async fn country(kafka: &Kafka) -> (Country, People) {
    let country = Country::new();
    let engine = format!("{{ brokers: [\"{}\"], replication: 1, partitions: 2 }}", kafka.servers());
    country.node(&format!("journal: {{ kafka: {engine} }}\nledger: {{ origin: bus.example/node }}"));
    let people = People::settle(&country, &[ALL]).await;
    (country, people)
}

/// What a node says of its journal to operators, and whether it says that it is ready.
async fn ready(bus: &Bus) -> (u16, bool) {
    let (status, told) = bus.told("/readyz").await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    (status, told["journal"]["healthy"] == true)
}

async fn well(bus: &Bus) {
    eventually("the journal is well", PATIENCE, async || ready(bus).await == (200, true)).await;
}

/// Sends a change of the person's family name under a key.
async fn send(caller: &Caller, key: &str, family: &str) -> Answer {
    let request = caller.request(Method::PATCH, PERSON).header("Idempotency-Key", key);
    caller.sent(request.json(&json!({ "name": { "family": family } }))).await
}

async fn family(caller: &Caller) -> Value {
    caller.get(PERSON).await.good().json()["name"]["family"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_answers_for_any_update_and_goes_on_with_anothers_stream() {
    let kafka = Kafka::start(1);
    let (country, _people) = country(&kafka).await;
    let (one, other) = (country.start().await, country.start_beside().await);
    for bus in [&one, &other] {
        well(bus).await;
    }
    let mut stream = Stream::open(&one.portal(), "/bus/events", None).await;
    let first = send(&one.portal(), "one", "A").await.good();
    let last = stream.next().await;
    drop(stream);

    let portal = other.portal();
    let again = send(&portal, "one", "A").await.good();
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()));
    let _ = send(&portal, "one", "B").await.refused(422, "idempotency_key_reused");
    let update = format!("/bus/updates/{}", first.header("rabita-update"));
    assert_eq!(portal.get(&update).await.good().json(), first.json());
    assert_eq!(portal.get("/bus/updates").await.good().json()["updates"].as_array().map(Vec::len), Some(1));

    rename(&portal, "5ZJBKH7", "B").await;
    let mut stream = Stream::open(&portal, "/bus/events", Some(&last.id)).await;
    assert_eq!(stream.families(1).await, ["B"], "a place in one node's stream is one in the other's");
    assert!(one.stop().await);
    // What was the first node's to deliver is the other's now.
    for family in ["C", "D"] {
        rename(&portal, "5ZJBKH7", family).await;
        rename(&portal, "4WTR2PX", family).await;
    }
    assert_eq!(stream.families(4).await, ["C", "C", "D", "D"]);
    assert_eq!(portal.get(&update).await.good().json(), first.json());
    assert!(other.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_its_brokers_refuses_changes_with_advice_and_takes_them_when_they_are_back() {
    let kafka = Kafka::start(1);
    let (country, _people) = country(&kafka).await;
    let bus = country.start().await;
    let portal = bus.portal();
    well(&bus).await;
    let mut stream = Stream::open(&portal, "/bus/events", None).await;
    let before = send(&portal, "before", "A").await.good();
    let last = stream.next().await;

    kafka.kill(0);
    let refused = send(&portal, "meanwhile", "B").await.refused(503, "journal_unavailable");
    assert_eq!(refused.json()["blame"], "bus");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{:?}", refused.headers);
    assert_eq!(family(&portal).await, "A", "reads go on");
    let update = format!("/bus/updates/{}", before.header("rabita-update"));
    assert_eq!(portal.get(&update).await.good().json(), before.json(), "what is known is told");
    eventually("it is noticed, and a ready node stays ready", PATIENCE, async || ready(&bus).await == (200, false)).await;
    let stopped = stream.next().await;
    assert_eq!((stopped.event.as_str(), &stopped.data), ("rabita.stopped", &json!({ "code": "journal_unavailable" })));
    stream.ended().await;

    kafka.start_again(0);
    well(&bus).await;
    // Whether the first try was written before the broker's end nobody knows. Sent again, it is done once.
    let applied = async || send(&portal, "meanwhile", "B").await.status == 200;
    eventually("the same change is taken", PATIENCE, applied).await;
    assert_eq!(family(&portal).await, "B");
    let _ = send(&portal, "after", "C").await.good();
    let mut stream = Stream::open(&portal, "/bus/events", Some(&last.id)).await;
    assert_eq!(stream.families(2).await, ["B", "C"], "nothing was missed, and each is told once");
    assert!(bus.stop().await);
}
