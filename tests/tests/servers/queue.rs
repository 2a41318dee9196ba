//! The brokers, and the registry that answers behind them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rabita_tests::bus::Authority;
use rabita_tests::{Kafka, NodeServer, Proxy, Rabbitmq, eventually, run_node};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_comes_back_with_its_queues_after_a_kill_and_the_registry_comes_back_to_it() {
    let broker = Rabbitmq::start();
    let url = Rabbitmq::url(broker.address());
    let registry = NodeServer::start("queue", &["amqp", &url, "people"]);
    let created = create("P1");
    assert_eq!(statuses(&["amqp", &url, "people", &created, &created]), ["CREATED", "DUPLICATE"]);
    ask(&["leave", &url, "waiting", &create("P2")]);

    broker.kill();
    assert!(TcpStream::connect(broker.address()).is_err());
    broker.start_again();

    let found = json!({ "operation": "getPerson", "pin": "P1" }).to_string();
    assert_eq!(statuses(&["amqp", &url, "people", &found, &created]), ["FOUND", "DUPLICATE"]);
    assert_eq!(applied(&registry).await, 1);
    let other = NodeServer::start("queue", &["amqp", &url, "waiting"]);
    eventually("what lay in the queue is done", PATIENCE, async || applied(&other).await == 1).await;
}

#[test]
fn rabbitmq_speaks_under_tls_by_a_certificate_of_the_authority() {
    let broker = Rabbitmq::shared();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(Authority::get().certificate.as_bytes()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut socket = TcpStream::connect(broker.secured_address()).expect("a connection");
    let mut stream = Stream::new(&mut session, &mut socket);
    stream.write_all(b"AMQP\x00\x00\x09\x01").expect("a header");
    let mut method = [0; 11];
    stream.read_exact(&mut method).expect("an answer");
    // A frame of channel 0 with the method `connection.start` (AMQP 0-9-1, 4.2.3 and 1.4.2.1).
    assert_eq!((&method[..3], &method[7..]), (&[1, 0, 0][..], &[0, 10, 0, 10][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_kafka_that_come_by_a_door_stay_with_its_proxy() {
    let kafka = Kafka::start_with_doors(1);
    let registry = NodeServer::start("queue", &["kafka", &kafka.servers(), "people,replies:2"]);
    let door = kafka.door();
    let proxy = Proxy::start_at(door.outer, door.inner).await.expect("the port that the broker names");
    let late = json!({ "operation": "deletePerson", "pin": "P1", "expires": 1 }).to_string();
    let created = create("P1");
    let outer = door.outer.to_string();
    let asked = ["kafka", &outer, "people", "replies", &created, &late, &created];
    assert_eq!(statuses(&asked), ["CREATED", "DUPLICATE"]);
    assert_eq!(applied(&registry).await, 1);
    assert_eq!(ask(&["brokers", &outer]), format!("{outer}\n"));
    assert!(proxy.accepted() > 0);
}

fn create(pin: &str) -> String {
    let person = json!({ "pin": pin, "family": "Şəhla", "given": "Ayla", "born": "1990-01-31" });
    json!({ "operation": "createPerson", "message_id": pin, "person": person }).to_string()
}

/// The status of each reply.
fn statuses(arguments: &[&str]) -> Vec<String> {
    let status = |line| serde_json::from_str::<Value>(line).expect("JSON")["status"].as_str().expect("a status").to_owned();
    ask(arguments).lines().map(status).collect()
}

/// What a partner of the registry prints.
fn ask(arguments: &[&str]) -> String {
    let output = run_node("queue", &[&["ask.js"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// How many changes the registry has made.
async fn applied(registry: &NodeServer) -> u64 {
    let url = format!("http://{}/_state", registry.address());
    let state: Value = reqwest::get(url).await.expect("an answer").json().await.expect("JSON");
    state["applied"].as_u64().expect("a number")
}
