//! What others change in a registry becomes events.

use rabita_tests::bus::{Bus, Country};
use rabita_tests::{NodeServer, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{LONG, Stream, detecting, patch};

const EVENTS: &str = "/bus/events";

#[tokio::test]
async fn a_change_past_the_bus_is_published_with_the_record_as_it_is() {
    let (_country, people, bus) = detecting("watched").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    stream.watched(&people).await;
    people.run("UPDATE people SET family = 'Quliyeva' WHERE pin = '5ZJBKH7'").await;
    let told = stream.next().await;
    assert_eq!(told.event, "rabita.watched.v1.persons.changed");
    let record = json!({ "pin": "5ZJBKH7", "name": { "family": "Quliyeva", "given": "Aygün" }, "income": 900 });
    assert_eq!(told.data["data"]["key"], json!({ "pin": "5ZJBKH7" }));
    assert_eq!(told.data["data"]["record"], record);
    assert_eq!(told.data.get("rabitaupdate"), None);
    people.run("INSERT INTO people (pin, family) VALUES ('7AAAAAA', 'Yeni')").await;
    assert_eq!(stream.families(1).await, ["Yeni"]);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn what_the_bus_changed_itself_is_not_published_twice() {
    let (_country, people, bus) = detecting("own").await;
    let portal = bus.portal();
    let mut stream = Stream::open(&portal, EVENTS, None).await;
    stream.watched(&people).await;
    for number in 0..20 {
        let pin = if number % 3 == 0 { "4WTR2PX" } else { "5ZJBKH7" };
        let change = json!({ "income": number, "name": { "family": format!("N{number}"), "given": null } });
        let _ = patch(&portal, "own", pin, &change).await.good();
    }
    for _ in 0..20 {
        assert_eq!(stream.next().await.event, "rabita.own.v1.persons.updated");
    }
    let own = async || bus.metric("rabita_detected_own_total", &["registry=\"own\""]).await >= 2.0;
    eventually("what the last polls show is known", LONG, own).await;
    // Another's change of the same record is told again.
    people.run("UPDATE people SET family = 'B' WHERE pin = '5ZJBKH7'").await;
    let told = stream.next().await;
    assert_eq!(
        (told.event.as_str(), &told.data["data"]["record"]["name"]["family"]),
        ("rabita.own.v1.persons.changed", &json!("B"))
    );
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_record_that_breaks_the_contract_is_told_by_its_key_alone() {
    let (_country, people, bus) = detecting("broken").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    stream.watched(&people).await;
    people.run("UPDATE people SET family = '' WHERE pin = '5ZJBKH7'").await;
    let told = stream.next().await;
    assert_eq!((&told.data["data"]["key"], &told.data["data"]["record"]), (&json!({ "pin": "5ZJBKH7" }), &json!({})));
    assert!((bus.metric("rabita_detected_invalid_total", &["registry=\"broken\""]).await - 1.0).abs() < f64::EPSILON);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn what_changed_while_no_node_ran_is_published_when_one_does() {
    let (country, people, bus) = detecting("resumed").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    stream.watched(&people).await;
    people.run("UPDATE people SET family = 'A' WHERE pin = '5ZJBKH7'").await;
    let last = stream.next().await;
    assert!(bus.stop().await);
    people.run("UPDATE people SET family = 'B' WHERE pin = '5ZJBKH7'").await;
    let bus = country.start().await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, Some(&last.id)).await;
    assert_eq!(stream.families(1).await, ["B"]);
    assert!(bus.stop().await);
}

/// A registry over HTTP that tells of a change no more than the record's key.
struct Register {
    server: NodeServer,
    direct: reqwest::Client,
}

impl Register {
    /// Starts it with two persons, and a bus on it with this name.
    async fn with_bus(registry: &str) -> (Self, Country, Bus) {
        let direct = reqwest::Client::builder().no_proxy().build().expect("a client");
        let register = Self { server: NodeServer::start("rest", &[]), direct };
        let person = |pin: &str, family: &str| json!({ "pin": pin, "family": family, "given": "Aygün", "born": "1978-03-05" });
        let people = json!({ "people": [person("5ZJBKH7", "Əliyeva"), person("4WTR2PX", "Məmmədov")] });
        register.change(Method::POST, "/__reset", &people).await;
        let country = Country::new();
        let manifest = REST.replace("{ID}", registry).replace("{ADDRESS}", &register.server.address().to_string());
        country.file("registries/people.yaml", &manifest);
        country.grants(registry, &[SEEN]);
        let bus = country.start().await;
        (register, country, bus)
    }

    async fn change(&self, method: Method, path: &str, body: &Value) {
        let answer = self.direct.request(method, format!("http://{}{path}", self.server.address())).json(body).send().await;
        let status = answer.expect("an answer").status();
        assert!(status.is_success(), "{path}: {status}");
    }

    /// Waits until changes are detected: those before the first poll are not.
    async fn watched(&self, bus: &Bus, registry: &str) {
        let label = format!("registry=\"{registry}\"");
        let mut number = 0;
        let seen = async || {
            number += 1;
            self.change(Method::PATCH, "/people/4WTR2PX", &json!({ "given": format!("Elçin {number}") })).await;
            bus.metric("rabita_detected_total", &[&label]).await >= 1.0
        };
        eventually("changes are detected", LONG, seen).await;
    }
}

#[tokio::test]
async fn a_feed_that_tells_keys_alone_has_its_records_read_and_its_ends_told() {
    let (register, _country, bus) = Register::with_bus("fed").await;
    register.watched(&bus, "fed").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    register.change(Method::PATCH, "/people/5ZJBKH7", &json!({ "family": "Quliyeva" })).await;
    let mut next = async || loop {
        let told = stream.next().await;
        if told.data["data"]["key"]["pin"] == "5ZJBKH7" {
            return told;
        }
    };
    let changed = next().await;
    assert_eq!(changed.event, "rabita.fed.v1.persons.changed");
    assert_eq!(changed.data["data"]["record"], json!({ "pin": "5ZJBKH7", "family": "Quliyeva", "given": "Aygün" }));
    register.change(Method::DELETE, "/people/5ZJBKH7", &json!({})).await;
    let deleted = next().await;
    assert_eq!(deleted.event, "rabita.fed.v1.persons.deleted");
    assert_eq!(deleted.data["data"], json!({ "key": { "pin": "5ZJBKH7" }, "changed": [], "record": {} }));
    assert!(bus.stop().await);
}

#[tokio::test]
async fn what_changed_while_the_registry_did_not_answer_is_published_when_it_does() {
    let (register, _country, bus) = Register::with_bus("failing").await;
    register.watched(&bus, "failing").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    register.change(Method::PATCH, "/people/5ZJBKH7", &json!({ "family": "Quliyeva" })).await;
    register.change(Method::POST, "/__fail", &json!({ "status": 503 })).await;
    let failed = async || bus.metric("rabita_detection_errors_total", &["registry=\"failing\""]).await >= 1.0;
    eventually("the registry fails", LONG, failed).await;
    register.change(Method::POST, "/__fail", &json!({})).await;
    loop {
        let told = stream.next().await;
        if told.data["data"]["record"]["family"] == "Quliyeva" {
            break;
        }
    }
    assert!(bus.stop().await);
}

const SEEN: &str = "{ system: portal, version: v1, entity: persons, operations: [read, subscribe], fields: all, purposes: any }";

const REST: &str = r#"
registry: {ID}
agency: interior
title: People
connector: { kind: rest, url: "http://{ADDRESS}", probe: { path: /health } }
limits: { breaker: { failures: 3, open_ms: 200 } }
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, family]
        properties:
          pin: { title: PIN, type: string }
          family: { title: Family name, type: string }
          given: { title: Given name, type: string }
      key: pin
      from: { read: { path: "/people/{pin}" } }
      fields: { pin: pin, family: family, given: given }
      operations: { read: {}, subscribe: {} }
      changes:
        every_ms: 100
        limit: 100
        from:
          path: /changes
          since_param: from
          inclusive: true
          size_param: size
          records: changes
          place: number
          key: { pin: whom.pin }
          kind: what
          gone: [deleted]
"#;
