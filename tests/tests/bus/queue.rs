//! A registry behind a message broker: its queue is missing, replies are lost, the broker dies and comes back.

use std::time::Duration;

use rabita_tests::bus::{Authority, Caller, Country, Program, Speaks};
use rabita_tests::{Fault, NodeServer, Proxy, Rabbitmq, eventually, rabbitmq};
use reqwest::Method;
use serde_json::{Value, json};

use super::licences::{accepted, change, update_path};
use super::lifecycle::RABITA;

/// So long a broker may take to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const PERSONS: &str = "/api/people/v1/persons";

const PEOPLE: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_behind_a_queue_is_served_and_updates_outlive_the_death_of_its_broker() {
    let broker = Rabbitmq::start();
    let proxy = Proxy::start(broker.address()).await.expect("a free port for the proxy");
    let country = country(&proxy);
    let program = Program::serve(RABITA, country.path());
    let addresses = program.addresses().await;
    let (portal, admin) = (Caller::new(addresses[0], Some(&Authority::get().portal), Speaks::Either), addresses[2]);

    let told = async || got(&format!("http://{admin}/readyz")).await["registries"]["people"]["why"].to_string();
    let is_missed = async || told().await.contains("there is no queue `people`");
    eventually("operators are told that nobody made the queue", PATIENCE, is_missed).await;
    let _ = portal.get(&format!("{PERSONS}/P1")).await.refused(503, "registry_unavailable");
    let registry = NodeServer::start("queue", &["amqp", &Rabbitmq::url(broker.address()), "people"]);
    let state = format!("http://{}/_state", registry.address());
    let loaded = reqwest::Client::new().put(&state).json(&json!({ "people": people() })).send().await;
    assert!(loaded.expect("an answer").status().is_success());
    eventually("the registry answers", PATIENCE, async || portal.get(&format!("{PERSONS}/P1")).await.status == 200).await;
    let found = portal.get(&format!("{PERSONS}?family=Family2")).await.good().json();
    assert_eq!(found["records"], json!([with_pin(2, whole("Family2"))]));

    // The registry does the first, and its reply is lost; the others come while the broker is dead.
    proxy.set(Fault::BlackHole);
    let mut updates = vec![replaced(&portal, 1).await];
    eventually("the registry has done the first", PATIENCE, async || got(&state).await["applied"] == 1).await;
    broker.kill();
    proxy.set(Fault::Pass);
    for number in 2..=PEOPLE {
        updates.push(replaced(&portal, number).await);
    }
    let is_applied = async |update: &String| portal.get(update).await.good().json()["state"] == "applied";
    for update in &updates {
        assert!(!is_applied(update).await, "nobody can have said so");
    }
    broker.start_again();
    for update in &updates {
        eventually("the update is applied", PATIENCE, async || is_applied(update).await).await;
    }
    let held = got(&state).await;
    assert_eq!(held["applied"], PEOPLE, "each once: {held:#}");
    assert!(held["people"].as_array().expect("people").iter().all(|person| person["family"] == "New"), "{held:#}");
    program.terminate().await;
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
}

fn people() -> Vec<Value> {
    (1..=PEOPLE).map(|number| with_pin(number, whole(&format!("Family{number}")))).collect()
}

fn with_pin(number: usize, mut person: Value) -> Value {
    person["pin"] = json!(format!("P{number}"));
    person
}

fn whole(family: &str) -> Value {
    json!({ "family": family, "given": "Given", "born": "1980-01-01" })
}

/// Has a person's record replaced, sooner or later; where to ask what became of it.
async fn replaced(portal: &Caller, number: usize) -> String {
    let request = change(portal, Method::PUT, &format!("{PERSONS}/P{number}"), &whole("New"));
    update_path(&accepted(portal.sent(request.header("Prefer", "respond-async")).await))
}

async fn got(url: &str) -> Value {
    reqwest::get(url).await.expect("an answer").json().await.expect("JSON")
}

/// A country with the registry, wholly granted to the portal.
fn country(broker: &Proxy) -> Country {
    let country = Country::new();
    let places = [
        ("{BROKER}", broker.address().to_string()),
        ("{VHOST}", rabbitmq::VHOST.to_owned()),
        ("{USER}", rabbitmq::USER.to_owned()),
    ];
    let manifest = places.iter().fold(MANIFEST.to_owned(), |text, (place, value)| text.replace(place, value));
    country.file("registries/people.yaml", &manifest);
    country.file("secrets/broker", rabbitmq::PASSWORD);
    let all = "{ system: portal, version: v1, entity: persons, operations: [read, search, replace], fields: all, purposes: any }";
    country.grants("people", &[all]);
    country
}

const MANIFEST: &str = r#"
registry: people
agency: interior
connector:
  kind: queue
  amqp:
    addresses: ["{BROKER}"]
    vhost: {VHOST}
    user: {USER}
    password: { file: secrets/broker }
    routing_key: people
  status:
    path: status
    words: { FOUND: done, REPLACED: done, DUPLICATE: before, NOT_FOUND: absent }
limits: { timeout_ms: 1000, breaker: { open_ms: 300 }, updates: { first_ms: 50, max_ms: 200, attempts: 1000 } }
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, family, given, born]
        properties:
          pin: { title: PIN, type: string, pattern: "^P[0-9]{1,3}$" }
          family: { title: Family name, type: string, minLength: 1 }
          given: { title: Given name, type: string, minLength: 1 }
          born: { title: Day of birth, type: string, format: date }
      key: pin
      from:
        read:
          request: { operation: getPerson, pin: "{pin}" }
          response: { record: person }
        search:
          request: { operation: listPeople, family: "{family?}", offset: "{$offset}", limit: "{$limit}" }
          response: { records: people, total: total }
          paging: offset
        replace:
          request:
            operation: replacePerson
            message_id: "{$message_id}"
            person: { pin: "{pin}", family: "{family}", given: "{given}", born: "{born}" }
      fields: { pin: pin, family: family, given: given, born: born }
      operations:
        read: {}
        search: { by: [family], max: 10 }
        replace: { fields: [family, given, born] }
"#;
