//! `queue` on a registry on Node.js that answers requests from a queue of RabbitMQ.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_model::{ExchangeId, Operation};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Connector, Failure, Kind, Legacy, Read, RegistrySpec, Row, SecretRef, SecretText, Secrets,
};
use rabita_tests::bus::Authority;
use rabita_tests::{NodeServer, Proxy, Rabbitmq, eventually, rabbitmq};
use serde_json::{Value, json};

use super::server::{Server, own_name};

rabita_battery::battery!(People);

struct People {
    // Dropped in this order: the registry holds a connection to the broker.
    registry: NodeServer,
    broker: Server<Rabbitmq>,
    queue: String,
    direct: reqwest::Client,
}

/// The broker's password is the one secret that a description names.
struct Password;

impl Secrets for Password {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Ok(SecretText::new(rabbitmq::PASSWORD.to_owned()))
    }
}

impl People {
    fn state(&self) -> String {
        format!("http://{}/_state", self.registry.address())
    }

    async fn connector(&self, change: impl FnOnce(&mut RegistrySpec)) -> Arc<dyn Connector> {
        let mut spec = self.spec(Target::System);
        change(&mut spec);
        rabita_queue::kind().open(spec, &Password).await.expect("the connector opens")
    }
}

#[async_trait]
impl Subject for People {
    /// Each test has a queue and a registry; those that kill the broker have one of their own.
    async fn set_up(need: Need) -> Self {
        let queue = own_name();
        let named = queue.clone();
        let start = move || {
            let broker = Server::of(need, Rabbitmq::shared, Rabbitmq::start);
            let url = Rabbitmq::url(broker.address());
            (NodeServer::start("queue", &["amqp", &url, &named]), broker)
        };
        let (registry, broker) = tokio::task::spawn_blocking(start).await.expect("a broker and a registry");
        Self { registry, broker, queue, direct: reqwest::Client::new() }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_queue::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let address = target.address(self.address()).expect("the broker has an address");
        let mut spec = people::registry(settings(address, &self.queue), from());
        let mut rename = change("renamePerson", json!({ "pin": "{pin}", "family": "{new_family}" }));
        rename["response"] = json!({ "reply": "person" });
        people::add_rename(&mut spec, rename);
        // What others changed is not found by this kind.
        spec.entities[0].operations.remove(&Operation::Subscribe);
        spec
    }

    fn secrets(&self) -> Box<dyn Secrets> {
        Box::new(Password)
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.broker.address())
    }

    async fn load(&self, people: &[Person]) {
        let people: Vec<Value> = people.iter().map(super::rest::document).collect();
        let answer = self.direct.put(self.state()).json(&json!({ "people": people })).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    async fn people(&self) -> Vec<Person> {
        let answer = self.direct.get(self.state()).send().await.expect("an answer");
        let state: Value = answer.json().await.expect("JSON");
        state["people"].as_array().expect("people").iter().map(super::rest::person).collect()
    }

    async fn stop(&self) {
        self.broker.kill();
    }

    async fn start(&self) {
        self.broker.start_again();
        self.registry.kill();
        self.registry.start_again();
    }
}

fn settings(address: SocketAddr, queue: &str) -> Value {
    let words = json!({
        "FOUND": "done", "CREATED": "done", "REPLACED": "done", "UPDATED": "done", "DELETED": "done", "RENAMED": "done",
        "DUPLICATE": "before", "NOT_FOUND": "absent", "ALREADY_EXISTS": "conflict", "VERSION_CONFLICT": "conflict",
        "INVALID_INPUT": "refused",
    });
    json!({
        "amqp": {
            "addresses": [address.to_string()],
            "vhost": rabbitmq::VHOST,
            "user": rabbitmq::USER,
            "password": { "env": "PASSWORD" },
            "routing_key": queue,
        },
        "status": { "path": "status", "words": words },
    })
}

fn from() -> Value {
    json!({
        "read": { "request": { "operation": "getPerson", "pin": "{pin}" }, "response": { "record": "person" } },
        "search": {
            "request": {
                "operation": "listPeople",
                "family": "{family?}",
                "family_prefix": "{family:prefix?}",
                "given": "{given?}",
                "born_from": "{born:from?}",
                "born_to": "{born:to?}",
                "offset": "{$offset}",
                "limit": "{$limit}",
            },
            "response": { "records": "people", "total": "total" },
            "paging": "offset",
        },
        "create": change("createPerson", whole()),
        "replace": change("replacePerson", whole()),
        "update": change("updatePerson", whole()),
        "delete": change("deletePerson", json!({ "pin": "{pin}" })),
        "binary": {
            "photo": {
                "request": { "operation": "getPhoto", "pin": "{pin}" },
                "response": { "data": "photo.data", "media_type": "photo.type" },
            },
        },
    })
}

fn change(operation: &str, person: Value) -> Value {
    let request = json!({
        "operation": operation,
        "message_id": "{$message_id}",
        "expected_version": "{$version?}",
        "person": person,
    });
    json!({ "request": request })
}

fn whole() -> Value {
    json!({ "pin": "{pin}", "family": "{family}", "given": "{given}", "born": "{born}", "notes": "{notes}" })
}

fn within(time: Duration) -> Call {
    Call { exchange: ExchangeId::new(uuid::Uuid::now_v7()), deadline: Instant::now() + time, traceparent: None }
}

fn read(pin: &str) -> Read {
    Read { entity: 0, key: people::key(pin), wanted: people::wanted(&people::SOURCES) }
}

fn rename(pin: &str, family: &str) -> Change {
    let values = Row::from_iter([("family", Legacy::from(family))]);
    let id = uuid::Uuid::now_v7();
    Change { entity: 0, id, kind: ChangeKind::Update, key: people::key(pin), values, expected_version: None }
}

const LONG: Duration = Duration::from_secs(20);

/// Nobody takes requests from the queue: that ends in time, and what ended so is not done when the registry is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_time_is_over_is_never_carried_out() {
    let everyone = Person::several(3);
    let subject = People::set_up(Need::Shared).await;
    let connector = subject.connector(|_| {}).await;
    subject.load(&everyone).await;
    assert!(connector.read(read("P00001"), &within(LONG)).await.expect("a read").is_some());
    subject.registry.kill();
    let began = Instant::now();
    let time = Duration::from_millis(400);
    let call = within(time);
    let (question, late) = tokio::join!(connector.read(read("P00001"), &call), connector.apply(rename("P00001", "Late"), &call));
    assert!(matches!(question, Err(Failure::TimedOut { .. })), "{question:?}");
    assert!(matches!(late, Err(Failure::TimedOut { .. })), "{late:?}");
    assert!(began.elapsed() < time + Duration::from_millis(1500), "{:?}", began.elapsed());

    // One that still has time is done when the registry is back, after those of which nothing may be left.
    let patient = tokio::spawn({
        let connector = Arc::clone(&connector);
        async move { connector.apply(rename("P00002", "Patient"), &within(LONG)).await }
    });
    subject.registry.start_again();
    let done = patient.await.expect("no panic");
    // The registry came back without its people.
    assert_eq!(done, Ok(Applied::Absent));
    let state: Value = subject.direct.get(subject.state()).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(state["applied"], 0, "{state}");
    subject.load(&everyone).await;
    assert!(connector.read(read("P00001"), &within(LONG)).await.expect("a read").is_some());
    subject.people().await.iter().for_each(|person| assert_ne!(person.family, "Late"));
}

/// Each connection that breaks costs one call: the one after it, however soon, is not sent on what is broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_broke_fails_one_call_and_no_more() {
    const ROUNDS: usize = 100;
    let subject = People::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let proxy = Proxy::start(subject.broker.address()).await.expect("a free port for the proxy");
    let connector = subject.connector(|spec| spec.settings["amqp"]["addresses"] = json!([proxy.address().to_string()])).await;
    let asked = async || connector.read(read("P00001"), &within(LONG)).await;
    assert!(asked().await.expect("a read").is_some());
    for round in 0..ROUNDS {
        proxy.reset_connections();
        if let Err(first) = asked().await {
            assert!(matches!(first, Failure::Unavailable { .. }), "round {round}: {first:?}");
            assert!(asked().await.expect("a read on a new connection").is_some());
        }
    }
}

/// Two buses ask the same queue; each gets its own replies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_buses_on_one_queue_get_each_its_own_replies() {
    let everyone = Person::several(40);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&everyone).await;
    let buses = [subject.connector(|_| {}).await, subject.connector(|_| {}).await];
    let asks = everyone.iter().enumerate().map(async |(number, person)| {
        let row = buses[number % 2].read(read(&person.pin), &within(LONG)).await.expect("a read").expect("a record");
        assert_eq!(Person::from_row(&row), *person);
    });
    futures_util::future::join_all(asks).await;
}

/// What nobody has made is told as what it is, at once, by requests and by the probe; and it works once it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_or_an_exchange_that_is_not_there_is_told_by_its_name() {
    let subject = People::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let nowhere = subject.connector(|spec| spec.settings["amqp"]["routing_key"] = json!("people.none")).await;
    let strange = subject.connector(|spec| spec.settings["amqp"]["exchange"] = json!("people.exchange")).await;
    for (connector, name) in [(&nowhere, "there is no queue `people.none`"), (&strange, "there is no exchange `people.exchange`")]
    {
        let began = Instant::now();
        let asked = connector.read(read("P00001"), &within(LONG)).await.expect_err("nobody is asked");
        let changed = connector.apply(rename("P00001", "New"), &within(LONG)).await.expect_err("nobody is asked");
        let probed = connector.probe(&within(LONG)).await.expect_err("nobody is there");
        for failure in [asked, changed, probed] {
            assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains(name)), "{failure:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    // `amq.direct` is there in each vhost, and nothing is bound to it.
    let unbound = subject.connector(|spec| spec.settings["amqp"]["exchange"] = json!("amq.direct")).await;
    let asked = unbound.read(read("P00001"), &within(LONG)).await.expect_err("nobody is asked");
    assert!(matches!(&asked, Failure::Unavailable { detail, .. } if detail.contains("a binding is missing")), "{asked:?}");
    // The connector that could not be served works for what is there, on the same connection.
    let sound = subject.connector(|_| {}).await;
    assert!(sound.read(read("P00001"), &within(LONG)).await.expect("a read").is_some());
}

/// By TLS with the authority's certificate; not with another's, and not with a wrong password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaks_tls_and_tells_who_is_not_let_in() {
    let subject = People::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let directory = rabita_tests::scratch::Scratch::new("queue");
    std::fs::write(directory.path().join("ca.pem"), &Authority::get().certificate).expect("a file");
    let secured = subject.broker.secured_address();
    let at = |tls: Value| {
        let place = directory.path().to_owned();
        move |spec: &mut RegistrySpec| {
            spec.directory = place;
            spec.settings["amqp"]["addresses"] = json!([format!("localhost:{}", secured.port())]);
            spec.settings["amqp"]["tls"] = tls;
        }
    };
    let trusting = subject.connector(at(json!({ "ca_file": "ca.pem" }))).await;
    assert!(trusting.read(read("P00001"), &within(LONG)).await.expect("a read").is_some());
    let strict = subject.connector(at(json!({ "ca_file": "ca.pem", "server_name": "another.example" }))).await;
    let failure = strict.read(read("P00001"), &within(LONG)).await.expect_err("another's certificate");
    assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains("TLS")), "{failure:?}");

    let mut spec = subject.spec(Target::System);
    spec.settings["amqp"]["user"] = json!("stranger");
    let stranger = rabita_queue::kind().open(spec, &Password).await.expect("the connector opens");
    let failure = stranger.read(read("P00001"), &within(LONG)).await.expect_err("a stranger");
    assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains("refuses access")), "{failure:?}");
    assert!(!failure.to_string().contains(rabbitmq::PASSWORD));
    eventually("the stranger does not disturb the others", LONG, async || {
        trusting.read(read("P00001"), &within(LONG)).await.is_ok()
    })
    .await;
}
