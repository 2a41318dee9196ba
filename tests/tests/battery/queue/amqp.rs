//! RabbitMQ.

use std::net::SocketAddr;

use rabita_battery::{Need, Person, Subject, Target};
use rabita_sdk::{Failure, RegistrySpec};
use rabita_tests::bus::Authority;
use rabita_tests::{NodeServer, Proxy, Rabbitmq, eventually, rabbitmq};
use serde_json::{Value, json};

use super::{Carrier, LONG, People, all_tell, read, within};
use crate::server::{Server, own_name};

rabita_battery::battery!(People<Amqp>);
beside_the_battery!(Amqp);

struct Amqp {
    broker: Server<Rabbitmq>,
    queue: String,
}

impl Carrier for Amqp {
    fn start(need: Need) -> (Self, NodeServer) {
        let broker = Server::of(need, Rabbitmq::shared, Rabbitmq::start);
        let queue = own_name();
        let registry = NodeServer::start("queue", &["amqp", &Rabbitmq::url(broker.address()), &queue]);
        (Self { broker, queue }, registry)
    }

    fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    fn proxied_at(&self) -> Option<SocketAddr> {
        None
    }

    fn settings(&self, target: Target) -> Value {
        let address = target.address(Some(self.address())).expect("the broker has an address");
        json!({
            "amqp": {
                "addresses": [address.to_string()],
                "vhost": rabbitmq::VHOST,
                "user": rabbitmq::USER,
                "password": { "env": "PASSWORD" },
                "routing_key": self.queue,
            },
        })
    }

    fn password() -> &'static str {
        rabbitmq::PASSWORD
    }

    fn always_asks() -> bool {
        false
    }

    fn kill(&self) {
        self.broker.kill();
    }

    fn start_again(&self) {
        self.broker.start_again();
    }
}

/// Each connection that breaks costs one call: the one after it, however soon, is not sent on what is broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_broke_fails_one_call_and_no_more() {
    const ROUNDS: usize = 100;
    let subject = People::<Amqp>::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let proxy = Proxy::start(subject.carrier.address()).await.expect("a free port for the proxy");
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

/// What nobody has made is told as what it is, at once, by requests and by the probe; and it works once it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_or_an_exchange_that_is_not_there_is_told_by_its_name() {
    let subject = People::<Amqp>::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let nowhere = subject.connector(|spec| spec.settings["amqp"]["routing_key"] = json!("people.none")).await;
    let strange = subject.connector(|spec| spec.settings["amqp"]["exchange"] = json!("people.exchange")).await;
    all_tell(&nowhere, "there is no queue `people.none`").await;
    all_tell(&strange, "there is no exchange `people.exchange`").await;
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
    let subject = People::<Amqp>::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let directory = rabita_tests::scratch::Scratch::new("queue");
    std::fs::write(directory.path().join("ca.pem"), &Authority::get().certificate).expect("a file");
    let secured = subject.carrier.broker.secured_address();
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
    let stranger = rabita_queue::kind().open(spec, &*subject.secrets()).await.expect("the connector opens");
    let failure = stranger.read(read("P00001"), &within(LONG)).await.expect_err("a stranger");
    assert!(matches!(&failure, Failure::Unavailable { detail, .. } if detail.contains("refuses access")), "{failure:?}");
    assert!(!failure.to_string().contains(rabbitmq::PASSWORD));
    eventually("the stranger does not disturb the others", LONG, async || {
        trusting.read(read("P00001"), &within(LONG)).await.is_ok()
    })
    .await;
}
