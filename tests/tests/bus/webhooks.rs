//! Webhooks: signed deliveries, what is tried again, dead letters, and what a subscription may ask for.
//!
//! The receiver verifies each delivery with the reference library of Standard Webhooks.

use rabita_tests::bus::{Authority, Caller, Country};
use rabita_tests::{NodeServer, eventually};
use reqwest::{Certificate, Method};
use serde_json::{Value, json};

use super::people::{ALL, LONG, People, bus, rename};

const SUBSCRIPTIONS: &str = "/bus/subscriptions";

/// A node that sends to this machine, and gives up soon.
const OPEN: &str = "webhooks: { dangerously_allow_http_webhooks: true, dangerously_allow_private_webhooks: true, \
     timeout_ms: 5000, retry_ms: [50, 50], disable_after: 3 }";

/// The same, but it waits an hour before it tries again.
fn patient() -> String {
    OPEN.replace("retry_ms: [50, 50]", "retry_ms: [3600000]")
}

/// A receiver of webhooks.
struct Receiver {
    server: NodeServer,
    client: reqwest::Client,
    scheme: &'static str,
}

impl Receiver {
    fn start() -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { server: NodeServer::start("webhooks", &[]), client, scheme: "http" }
    }

    /// One that speaks TLS, with the certificate of a country.
    fn start_with_tls(country: &Country) -> Self {
        let file = |name: &str| country.path().join("tls").join(name).to_str().expect("a path").to_owned();
        let server = NodeServer::start("webhooks", &[&file("server.pem"), &file("server.key")]);
        let authority = Certificate::from_pem(Authority::get().certificate.as_bytes()).expect("a certificate");
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().expect("a client");
        Self { server, client, scheme: "https" }
    }

    fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.server.address())
    }

    /// Subscribes a caller to all events, and has the receiver verify with the secret. Answers the subscription's path.
    async fn subscribe(&self, caller: &Caller) -> String {
        let answer = caller.post(SUBSCRIPTIONS, &json!({ "url": self.url("/hook") })).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let subscription = answer.json();
        self.control(&json!({ "secret": subscription["secret"] })).await;
        let path = format!("{SUBSCRIPTIONS}/{}", subscription["id"].as_str().expect("an id"));
        assert_eq!(answer.header("location"), path);
        path
    }

    async fn control(&self, told: &Value) {
        let answer = self.client.post(self.url("/control")).json(told).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }

    async fn answers(&self, status: u16) {
        self.control(&json!({ "status": status })).await;
    }

    async fn received(&self) -> Vec<Value> {
        self.client.get(self.url("/received")).send().await.expect("an answer").json().await.expect("a list")
    }

    /// The families of what was received so far with this answer.
    async fn families(&self, answered: u16) -> Vec<String> {
        let taken = self.received().await.into_iter().filter(|one| one["answered"] == answered);
        taken.map(|one| one["body"]["data"]["record"]["name"]["family"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until this, and no more, was taken.
    async fn took(&self, families: &[&str]) {
        eventually(&format!("{families:?} are taken"), LONG, async || self.families(204).await == families).await;
    }
}

async fn dead(caller: &Caller, path: &str) -> Vec<Value> {
    let told = caller.get(&format!("{path}/dead")).await.good().json();
    told["dead"].as_array().cloned().expect("a list")
}

async fn state(caller: &Caller, path: &str) -> String {
    caller.get(path).await.good().json()["state"].as_str().unwrap_or_default().to_owned()
}

async fn replay(caller: &Caller, path: &str) {
    let answer = caller.sent(caller.request(Method::POST, &format!("{path}/replay"))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[tokio::test]
async fn events_are_sent_signed_in_their_order_and_cut_to_the_grant() {
    let receiver = Receiver::start();
    let names =
        "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: [pin, name.family], purposes: any }";
    let (_country, _people, bus) = bus(&[ALL, names], OPEN).await;
    let mobile = bus.caller(&Authority::get().mobile);
    let _ = receiver.subscribe(&mobile).await;
    for family in ["A", "B", "C"] {
        rename(&bus.portal(), "5ZJBKH7", family).await;
    }
    receiver.took(&["A", "B", "C"]).await;
    for one in receiver.received().await {
        assert_eq!((&one["verified"], &one["type"]), (&json!(true), &json!("application/cloudevents+json")));
        assert_eq!(one["id"], one["body"]["id"]);
        assert_eq!(
            (&one["body"]["data"]["key"], &one["body"]["data"]["changed"]),
            (&json!({ "pin": "5ZJBKH7" }), &json!(["name.family"]))
        );
        assert_eq!(one["body"].get("rabitaupdate"), None, "another system's update");
    }
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_secret_is_told_once_and_a_subscription_is_its_own_systems_alone() {
    let receiver = Receiver::start();
    let theirs = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: all, purposes: any }";
    let (_country, _people, bus) = bus(&[ALL, theirs], OPEN).await;
    let (portal, mobile) = (bus.portal(), bus.caller(&Authority::get().mobile));
    let path = receiver.subscribe(&portal).await;
    for answer in [portal.get(SUBSCRIPTIONS).await.good(), portal.get(&path).await.good()] {
        assert!(answer.text().contains("/hook") && !answer.text().contains("whsec_"), "{}", answer.text());
    }
    assert_eq!(mobile.get(SUBSCRIPTIONS).await.good().json(), json!({ "subscriptions": [] }));
    let _ = mobile.get(&path).await.refused(404, "subscription_absent");
    let _ = mobile.get(&format!("{path}/dead")).await.refused(404, "subscription_absent");
    let _ = mobile.sent(mobile.request(Method::DELETE, &path)).await.refused(404, "subscription_absent");
    let _ = mobile.sent(mobile.request(Method::POST, &format!("{path}/replay"))).await.refused(404, "subscription_absent");

    rename(&portal, "5ZJBKH7", "A").await;
    receiver.took(&["A"]).await;
    let deleted = portal.sent(portal.request(Method::DELETE, &path)).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    let _ = portal.get(&path).await.refused(404, "subscription_absent");
    // The second subscription shows that what comes after the first one's end does not come twice.
    let _ = receiver.subscribe(&portal).await;
    rename(&portal, "5ZJBKH7", "B").await;
    receiver.took(&["A", "B"]).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_laid_aside_and_sent_once_more_when_asked() {
    let receiver = Receiver::start();
    let (_country, _people, bus) = bus(&[ALL], OPEN).await;
    let portal = bus.portal();
    let path = receiver.subscribe(&portal).await;
    receiver.answers(500).await;
    rename(&portal, "5ZJBKH7", "A").await;
    eventually("the event is a dead letter", LONG, async || dead(&portal, &path).await.len() == 1).await;
    assert_eq!(receiver.families(500).await, ["A", "A", "A"], "the first attempt, and one for each pause");
    let received = receiver.received().await;
    assert!(
        received.iter().all(|one| one["id"] == received[0]["id"] && one["verified"] == true),
        "the same event, signed each time"
    );
    let letter = &dead(&portal, &path).await[0];
    assert_eq!((&letter["attempts"], &letter["why"]), (&json!(3), &json!("answered 500")));
    assert_eq!((&letter["event"], &letter["type"]), (&received[0]["id"], &json!("rabita.people.v1.persons.updated")));
    assert!(!letter.to_string().contains("5ZJBKH7"), "a list holds no record");

    receiver.answers(204).await;
    rename(&portal, "5ZJBKH7", "B").await;
    receiver.took(&["B"]).await;
    replay(&portal, &path).await;
    receiver.took(&["B", "A"]).await;
    eventually("no dead letter is left", LONG, async || dead(&portal, &path).await.is_empty()).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn an_event_is_not_overtaken_while_it_is_tried_again() {
    let receiver = Receiver::start();
    let (_country, _people, bus) = bus(&[ALL], &patient()).await;
    let portal = bus.portal();
    let path = receiver.subscribe(&portal).await;
    receiver.answers(503).await;
    for family in ["A", "B"] {
        rename(&portal, "5ZJBKH7", family).await;
    }
    let waits = async || portal.get(&path).await.good().json()["attempts"] == 1;
    eventually("the first waits for its second attempt", LONG, waits).await;
    receiver.answers(204).await;
    // Who asks for a replay does not wait for the hour.
    replay(&portal, &path).await;
    receiver.took(&["A", "B"]).await;
    assert_eq!(receiver.families(503).await, ["A"]);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_receiver_can_put_the_next_attempt_off() {
    let receiver = Receiver::start();
    let (_country, _people, bus) = bus(&[ALL], OPEN).await;
    let path = receiver.subscribe(&bus.portal()).await;
    receiver.control(&json!({ "status": 429, "retry_after": 2 })).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    let waits = async || bus.portal().get(&path).await.good().json()["attempts"] == 1;
    eventually("it waits", LONG, waits).await;
    receiver.answers(204).await;
    receiver.took(&["A"]).await;
    let received = receiver.received().await;
    let at = |place: usize| received[place]["at"].as_i64().expect("a time");
    assert!(at(1) - at(0) >= 1_900, "not before its time: {received:?}");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_gets_no_more_until_it_asks() {
    let receiver = Receiver::start();
    let (_country, _people, bus) = bus(&[ALL], OPEN).await;
    let portal = bus.portal();
    let path = receiver.subscribe(&portal).await;
    receiver.answers(410).await;
    rename(&portal, "5ZJBKH7", "A").await;
    eventually("it is disabled", LONG, async || state(&portal, &path).await == "disabled").await;
    assert_eq!(portal.get(&path).await.good().json()["reason"], "gone");
    receiver.answers(204).await;
    rename(&portal, "5ZJBKH7", "B").await;
    replay(&portal, &path).await;
    assert_eq!(state(&portal, &path).await, "active");
    receiver.took(&["A", "B"]).await;
    assert_eq!(receiver.families(410).await, ["A"], "one answer was enough");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_given_up_after_so_many_dead_letters_in_a_row() {
    let receiver = Receiver::start();
    let (_country, _people, bus) = bus(&[ALL], OPEN).await;
    let portal = bus.portal();
    let path = receiver.subscribe(&portal).await;
    receiver.answers(302).await;
    for family in ["A", "B", "C", "D"] {
        rename(&portal, "5ZJBKH7", family).await;
    }
    eventually("it is disabled", LONG, async || state(&portal, &path).await == "disabled").await;
    assert_eq!(portal.get(&path).await.good().json()["reason"], "failing");
    assert_eq!(dead(&portal, &path).await.len(), 3);
    assert!(receiver.received().await.iter().all(|one| one.get("elsewhere").is_none()), "no redirect is followed");
    receiver.answers(204).await;
    replay(&portal, &path).await;
    receiver.took(&["A", "B", "C", "D"]).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_node_that_begins_anew_knows_what_was_sent_and_what_waits() {
    let receiver = Receiver::start();
    let (country, _people, bus) = bus(&[ALL], &patient()).await;
    let path = receiver.subscribe(&bus.portal()).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    receiver.took(&["A"]).await;
    receiver.answers(503).await;
    rename(&bus.portal(), "5ZJBKH7", "B").await;
    let waits = async || bus.portal().get(&path).await.good().json()["attempts"] == 1;
    eventually("the second waits", LONG, waits).await;
    assert!(bus.stop().await);

    let bus = country.start().await;
    let told = bus.portal().get(&path).await.good().json();
    assert_eq!((&told["attempts"], &told["state"]), (&json!(1), &json!("active")));
    receiver.answers(204).await;
    replay(&bus.portal(), &path).await;
    receiver.took(&["A", "B"]).await;
    assert_eq!(receiver.families(503).await, ["B"], "no attempt before its time");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_grant_that_was_taken_back_ends_the_deliveries() {
    let receiver = Receiver::start();
    let theirs = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: all, purposes: any }";
    let (country, _people, bus) = bus(&[ALL, theirs], OPEN).await;
    let _ = receiver.subscribe(&bus.caller(&Authority::get().mobile)).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    receiver.took(&["A"]).await;
    assert!(bus.stop().await);

    country.grants("people", &[ALL]);
    let bus = country.start().await;
    let own = Receiver::start();
    let _ = own.subscribe(&bus.portal()).await;
    rename(&bus.portal(), "5ZJBKH7", "B").await;
    own.took(&["B"]).await;
    assert_eq!(receiver.families(204).await, ["A"]);
    assert!(bus.stop().await);

    // When a grant holds again, the deliveries go on where they were.
    country.grants("people", &[ALL, theirs]);
    let bus = country.start().await;
    rename(&bus.portal(), "5ZJBKH7", "C").await;
    receiver.took(&["A", "B", "C"]).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_receiver_is_sent_to_by_tls_only_where_its_authority_is_trusted() {
    let country = Country::new();
    let receiver = Receiver::start_with_tls(&country);
    let settings = |more: &str| {
        country.node(&format!("webhooks: {{ dangerously_allow_private_webhooks: true, retry_ms: [3600000]{more} }}"));
    };
    let _people = People::settle(&country, &[ALL]).await;
    settings("");
    let bus = country.start().await;
    let path = receiver.subscribe(&bus.portal()).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    let waits = async || bus.portal().get(&path).await.good().json()["attempts"] == 1;
    eventually("the connection is refused", LONG, waits).await;
    assert!(receiver.received().await.is_empty());
    assert!(bus.stop().await);

    settings(", authorities: tls/ca.pem");
    let bus = country.start().await;
    replay(&bus.portal(), &path).await;
    receiver.took(&["A"]).await;
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_subscription_needs_a_grant_and_an_address_that_the_bus_may_connect_to() {
    let (_country, _people, bus) = bus(&[ALL], "webhooks: { per_system: 1 }").await;
    let portal = bus.portal();
    for (url, code) in [
        ("http://hooks.example/", "scheme"),
        ("https://127.0.0.1/", "address"),
        ("https://169.254.169.254/latest", "address"),
        ("https://[::1]/", "address"),
        ("https://localhost/", "address"),
    ] {
        let answer = portal.post(SUBSCRIPTIONS, &json!({ "url": url })).await.refused(422, "invalid_request");
        assert_eq!(answer.errors(), [("/url".to_owned(), code.to_owned())], "{url}");
    }
    let url = json!({ "url": "https://hooks.example/" });
    let _ = bus.caller(&Authority::get().mobile).post(SUBSCRIPTIONS, &url).await.refused(403, "not_permitted");
    assert_eq!(portal.post(SUBSCRIPTIONS, &url).await.status, 201);
    let second = portal.post(SUBSCRIPTIONS, &url).await.refused(422, "invalid_request");
    assert_eq!(second.errors()[0].1, "too_many_subscriptions");
    assert!(bus.stop().await);
}
