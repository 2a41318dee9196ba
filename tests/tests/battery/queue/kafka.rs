//! Apache Kafka.

use std::net::SocketAddr;
use std::sync::LazyLock;

use rabita_battery::{Need, Person, Subject, Target};
use rabita_sdk::{Failure, RegistrySpec};
use rabita_tests::kafka::Door;
use rabita_tests::{Kafka as Cluster, NodeServer, eventually};
use serde_json::{Value, json};

use super::{Carrier, LONG, People, all_tell, read, within};
use crate::server::{Server, own_name};

rabita_battery::battery!(People<Kafka>);
beside_the_battery!(Kafka);

/// The tests that share a broker are at most so many; each has a door of its own.
const DOORS: usize = 64;

struct Kafka {
    cluster: Server<Cluster>,
    /// Where a proxy stands before the broker; a cluster of several has none.
    door: Option<Door>,
    topic: String,
}

fn shared() -> &'static Cluster {
    static SHARED: LazyLock<Cluster> = LazyLock::new(|| Cluster::start_with_doors(DOORS));
    &SHARED
}

impl Kafka {
    fn replies(&self) -> String {
        format!("{}.replies", self.topic)
    }
}

impl Carrier for Kafka {
    fn start(need: Need) -> (Self, NodeServer) {
        let cluster = Server::of(need, shared, || Cluster::start_with_doors(1));
        let carrier = Self { door: Some(cluster.door()), topic: own_name(), cluster };
        let topics = format!("{}:3,{}:2", carrier.topic, carrier.replies());
        let registry = NodeServer::start("queue", &["kafka", &carrier.cluster.servers(), &topics]);
        (carrier, registry)
    }

    /// What a proxy connects to.
    fn address(&self) -> SocketAddr {
        self.door.expect("the broker has a door").inner
    }

    fn proxied_at(&self) -> Option<SocketAddr> {
        self.door.map(|door| door.outer)
    }

    fn settings(&self, target: Target) -> Value {
        let broker = match target {
            Target::Proxy(address) | Target::Nowhere(Some(address)) => address.to_string(),
            Target::System | Target::Nowhere(None) | Target::Noise => self.cluster.servers(),
        };
        json!({ "kafka": { "brokers": [broker], "topic": self.topic, "reply_topic": self.replies() } })
    }

    fn password() -> &'static str {
        Cluster::PASSWORD
    }

    fn always_asks() -> bool {
        true
    }

    fn kill(&self) {
        self.cluster.kill(0);
    }

    fn start_again(&self) {
        self.cluster.start_again(0);
    }
}

/// What nobody has made is told as what it is, at once, by requests and by the probe; and nobody makes it by asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_told_by_its_name() {
    let subject = People::<Kafka>::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let nowhere = subject.connector(|spec| spec.settings["kafka"]["topic"] = json!("people.none")).await;
    let deaf = subject.connector(|spec| spec.settings["kafka"]["reply_topic"] = json!("replies.none")).await;
    for _ in 0..2 {
        all_tell(&nowhere, "there is no topic `people.none`").await;
        all_tell(&deaf, "there is no topic `replies.none`").await;
    }
    let sound = subject.connector(|_| {}).await;
    assert!(sound.read(read("P00001"), &within(LONG)).await.expect("a read").is_some());
}

/// One broker of three is killed, whatever it led; another leads then, and the connector finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_on_when_one_broker_of_three_is_killed() {
    let everyone = Person::several(12);
    let start = || {
        let cluster = Cluster::start(3);
        let brokers = cluster.servers().replace(',', "|");
        let registry = NodeServer::start("queue", &["kafka", &brokers, "people:3:3,people.replies:3:3"]);
        (registry, cluster)
    };
    let (registry, cluster) = tokio::task::spawn_blocking(start).await.expect("brokers and a registry");
    let topic = "people".to_owned();
    let carrier = Kafka { cluster: Server::Own(Box::new(cluster)), door: None, topic };
    let subject = People { registry, carrier, direct: reqwest::Client::new() };
    subject.load(&everyone).await;
    let brokers: Vec<String> = subject.carrier.cluster.servers().split(',').map(str::to_owned).collect();
    let connector = subject.connector(|spec| spec.settings["kafka"]["brokers"] = json!(brokers)).await;
    let all_are_read = async || {
        let reads = everyone.iter().map(async |person| connector.read(read(&person.pin), &within(LONG)).await);
        let reads = futures_util::future::join_all(reads).await;
        reads
            .into_iter()
            .zip(&everyone)
            .all(|(read, person)| read.is_ok_and(|row| row.is_some_and(|row| Person::from_row(&row) == *person)))
    };
    assert!(all_are_read().await);
    for broker in 0..3 {
        subject.carrier.cluster.kill(broker);
        eventually("every record is read without one broker", LONG * 3, all_are_read).await;
        tokio::task::block_in_place(|| subject.carrier.cluster.start_again(broker));
        eventually("every record is read again", LONG * 3, all_are_read).await;
    }
}

/// By TLS with the authority's certificate, by a password and by a certificate of the bus; not with another authority, and
/// not with a wrong password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaks_tls_and_tells_who_is_not_let_in() {
    let start = || {
        let cluster = Cluster::start_with_tls();
        let registry = NodeServer::start("queue", &["kafka", &cluster.servers(), "people:3,people.replies:2"]);
        (registry, cluster)
    };
    let (_registry, cluster) = tokio::task::spawn_blocking(start).await.expect("a broker and a registry");
    let subject = People::<Kafka>::set_up(Need::Shared).await;
    let directory = rabita_tests::scratch::Scratch::new("queue");
    let file = |name: &str, from: &std::path::Path| {
        std::fs::copy(from, directory.path().join(name)).expect("a file");
    };
    file("ca.pem", &cluster.authority());
    file("other.pem", &cluster.client().0);
    let at = |broker: String, settings: Value| {
        let place = directory.path().to_owned();
        move |spec: &mut RegistrySpec| {
            spec.directory = place;
            spec.settings["kafka"] = settings;
            spec.settings["kafka"]["brokers"] = json!([broker]);
            spec.settings["kafka"]["topic"] = json!("people");
            spec.settings["kafka"]["reply_topic"] = json!("people.replies");
        }
    };
    let named = |mechanism: &str, ca: &str, user: &str| {
        let settings = json!({
            "user": user, "password": { "env": "PASSWORD" }, "mechanism": mechanism, "tls": { "ca_file": ca },
        });
        at(cluster.servers_with_tls(), settings)
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let trusting = subject.connector(named(mechanism, "ca.pem", Cluster::USER)).await;
        assert_eq!(trusting.read(read("P00001"), &within(LONG)).await, Ok(None));
    }
    let strict = subject.connector(named("PLAIN", "other.pem", Cluster::USER)).await;
    let failure = strict.read(read("P00001"), &within(LONG)).await.expect_err("another's certificate");
    assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains("TLS")), "{failure:?}");
    let stranger = subject.connector(named("SCRAM-SHA-512", "ca.pem", "stranger")).await;
    let failure = stranger.read(read("P00001"), &within(LONG)).await.expect_err("a stranger");
    assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains("refuses access")), "{failure:?}");
    assert!(!failure.to_string().contains(Cluster::PASSWORD));
}
