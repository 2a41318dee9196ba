//! What leaves the agency's network: the registry's credentials and its address do not.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rabita_battery::people::{SOURCES, key, wanted};
use rabita_battery::world::{ample, within};
use rabita_sdk::{Duplicates, Failure, Promise, Read};
use rabita_tests::bus::{HostDirectory, people_manifest};
use rabita_tests::{Fault, Postgres, Proxy};
use rabita_wire::{Link, LinkOptions, Pool, SPOKEN, Welcome};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::io::InspectReader;

use super::world::{PATIENCE, World};
use super::{RABITA, door};

const PASSWORD: &str = "correct-horse-battery-staple";

/// The test is the bus, and keeps every byte that the host sends, after TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_password_nor_the_address_of_the_registry_is_sent_to_the_bus() {
    let world = World::new(&[], 2);
    let proxy = Proxy::start(Postgres::shared().address()).await.expect("a free port");
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let directory = HostDirectory::new("interior-1", &[socket.local_addr().expect("its address")]);
    let spec = world.spec();
    let connector = json!({ "kind": "sql", "url": { "file": "secrets/url" }, "once": spec.settings["once"] });
    directory.registry(&people_manifest(&connector, &spec));
    directory.file("secrets/url", &format!("postgres://postgres:{PASSWORD}@{}/postgres\n", proxy.address()));
    let host = directory.run(RABITA);

    let (stream, _) = tokio::time::timeout(PATIENCE, socket.accept()).await.expect("the host dials in").expect("a connection");
    let stream = TlsAcceptor::from(Arc::new(door::tls())).accept(stream).await.expect("the host shows its certificate");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&seen);
    let stream = InspectReader::new(stream, move |bytes: &[u8]| keeps.lock().expect("not poisoned").extend_from_slice(bytes));
    let options = LinkOptions {
        host: "interior-1".to_owned(),
        versions: SPOKEN,
        answer_max: 1024 * 1024,
        patience: Duration::from_secs(10),
    };
    let (link, driver) = Link::open(stream, options).await.unwrap_or_else(|error| panic!("{error}: {}", host.said()));
    let driver = tokio::spawn(driver);
    let (pool, connector) = Pool::new(spec, "sql", Promise { duplicates: Duplicates::Detected, checks_versions: true });
    assert_eq!(pool.attach(&link), Vec::<String>::new());
    link.welcome(&Welcome { accepted: true, remarks: Vec::new() }, Duration::from_secs(10)).await;

    let ask = || Read { entity: 0, key: key("P00001"), wanted: wanted(&SOURCES) };
    connector.probe(&ample()).await.expect("the registry answers");
    assert!(connector.read(ask(), &ample()).await.expect("a read").is_some());
    proxy.set(Fault::Refuse);
    let failed = connector.read(ask(), &within(Duration::from_secs(3))).await;
    assert!(matches!(failed, Err(Failure::Unavailable { .. })), "{failed:?}");
    let probed = connector.probe(&within(Duration::from_secs(3))).await;
    assert!(probed.is_err());

    let seen = seen.lock().expect("not poisoned").clone();
    let holds = |text: &str| seen.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("P00001") && holds("v1/people"), "what the host sends is seen");
    for secret in [PASSWORD, "postgres://", &proxy.address().port().to_string(), "secrets/url"] {
        assert!(!holds(secret), "{secret} was sent to the bus");
        assert!(!host.said().contains(secret) || secret != PASSWORD, "the password stands in the log");
    }
    driver.abort();
}
