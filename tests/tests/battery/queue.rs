//! `queue` on a registry on Node.js that answers requests from a queue of RabbitMQ, or from a topic of Apache Kafka.

/// What is tested beside the battery with each broker.
macro_rules! beside_the_battery {
    ($carrier:ty) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_request_whose_time_is_over_is_never_carried_out() {
            super::a_request_whose_time_is_over_is_never_carried_out::<$carrier>().await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn two_buses_get_each_its_own_replies() {
            super::two_buses_get_each_its_own_replies::<$carrier>().await;
        }
    };
}

mod amqp;
mod kafka;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Subject, Target, people};
use rabita_model::{ExchangeId, Operation};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Connector, Failure, Kind, Legacy, Read, RegistrySpec, Row, SecretRef, SecretText, Secrets,
};
use rabita_tests::NodeServer;
use serde_json::{Value, json};

/// A broker, and what of it is one test's own.
trait Carrier: Send + Sync + Sized + 'static {
    /// A broker, and a registry that answers what comes from it.
    fn start(need: Need) -> (Self, NodeServer);

    fn address(&self) -> SocketAddr;

    /// Where a proxy has to listen, if not anywhere.
    fn proxied_at(&self) -> Option<SocketAddr>;

    /// The settings for a broker: the one here, or what stands in its place.
    fn settings(&self, target: Target) -> Value;

    /// The broker's password is the one secret that a description names.
    fn password() -> &'static str;

    /// Whether the connector always waits for what comes next.
    fn always_asks() -> bool;

    fn kill(&self);

    fn start_again(&self);
}

struct People<C> {
    // Dropped in this order: the registry holds a connection to the broker.
    registry: NodeServer,
    carrier: C,
    direct: reqwest::Client,
}

struct Password(&'static str);

impl Secrets for Password {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Ok(SecretText::new(self.0.to_owned()))
    }
}

impl<C: Carrier> People<C> {
    fn state(&self) -> String {
        format!("http://{}/_state", self.registry.address())
    }

    async fn connector(&self, change: impl FnOnce(&mut RegistrySpec)) -> Arc<dyn Connector> {
        let mut spec = self.spec(Target::System);
        change(&mut spec);
        rabita_queue::kind().open(spec, &*self.secrets()).await.expect("the connector opens")
    }
}

#[async_trait]
impl<C: Carrier> Subject for People<C> {
    /// Each test has a queue or topics, and a registry; those that kill the broker have one of their own.
    async fn set_up(need: Need) -> Self {
        let started = tokio::task::spawn_blocking(move || C::start(need)).await;
        let (carrier, registry) = started.expect("a broker and a registry");
        Self { registry, carrier, direct: reqwest::Client::new() }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        rabita_queue::kind()
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        let words = json!({
            "FOUND": "done", "CREATED": "done", "REPLACED": "done", "UPDATED": "done", "DELETED": "done", "RENAMED": "done",
            "DUPLICATE": "before", "NOT_FOUND": "absent", "ALREADY_EXISTS": "conflict", "VERSION_CONFLICT": "conflict",
            "INVALID_INPUT": "refused",
        });
        let mut settings = self.carrier.settings(target);
        settings["status"] = json!({ "path": "status", "words": words });
        let mut spec = people::registry(settings, from());
        let mut rename = change("renamePerson", json!({ "pin": "{pin}", "family": "{new_family}" }));
        rename["response"] = json!({ "reply": "person" });
        people::add_rename(&mut spec, rename);
        // What others changed is not found by this kind.
        spec.entities[0].operations.remove(&Operation::Subscribe);
        spec
    }

    fn secrets(&self) -> Box<dyn Secrets> {
        Box::new(Password(C::password()))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.carrier.address())
    }

    fn proxied_at(&self) -> Option<SocketAddr> {
        self.carrier.proxied_at()
    }

    fn always_asks() -> bool {
        C::always_asks()
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
        self.carrier.kill();
    }

    async fn start(&self) {
        self.carrier.start_again();
        self.registry.kill();
        self.registry.start_again();
    }
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

/// Nobody takes requests: that ends in time, and what ended so is not done when the registry is back.
async fn a_request_whose_time_is_over_is_never_carried_out<C: Carrier>() {
    let everyone = Person::several(3);
    let subject = People::<C>::set_up(Need::Shared).await;
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

/// Two buses ask the same registry; each gets its own replies.
async fn two_buses_get_each_its_own_replies<C: Carrier>() {
    let everyone = Person::several(40);
    let subject = People::<C>::set_up(Need::Shared).await;
    subject.load(&everyone).await;
    let buses = [subject.connector(|_| {}).await, subject.connector(|_| {}).await];
    let asks = everyone.iter().enumerate().map(async |(number, person)| {
        let row = buses[number % 2].read(read(&person.pin), &within(LONG)).await.expect("a read").expect("a record");
        assert_eq!(Person::from_row(&row), *person);
    });
    futures_util::future::join_all(asks).await;
}

/// Requests and the probe tell at once what is not there.
async fn all_tell(connector: &Arc<dyn Connector>, what: &str) {
    let began = Instant::now();
    let asked = connector.read(read("P00001"), &within(LONG)).await.expect_err("nobody is asked");
    let changed = connector.apply(rename("P00001", "New"), &within(LONG)).await.expect_err("nobody is asked");
    let probed = connector.probe(&within(LONG)).await.expect_err("nobody is there");
    for failure in [asked, changed, probed] {
        assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains(what)), "{failure:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
