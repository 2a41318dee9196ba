//! What a read costs more through a host: the same connector asked within the process, and over TLS on the loopback.
//!
//! ```sh
//! cargo run --release -p rabita-wire --example latency
//! ```
//!
//! The legacy system is an SQLite file, which answers at once, so that what the wire adds is shown at its largest. Rounds
//! take turns; ratios are of the same round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rabita_battery::people::{SOURCES, key, wanted};
use rabita_battery::world::{NoSecrets, ample, create};
use rabita_battery::{Person, people};
use rabita_sdk::{Connector, Duplicates, Promise, Read};
use rabita_wire::{ALPN, Link, LinkOptions, Pool, SPOKEN, Served, dial};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);
const RECORDS: usize = 1000;

#[tokio::main]
async fn main() {
    let file = std::env::temp_dir().join(format!("rabita-latency-{}.sqlite", std::process::id()));
    let local = registry(&file).await;
    let (through_host, _pool) = in_host(&file, Arc::clone(&local)).await;
    for callers in [1, 16, 64] {
        let mut ratios = Vec::new();
        for round in 1..=ROUNDS {
            let one = measured(&local, callers).await;
            let other = measured(&through_host, callers).await;
            ratios.push(other.p50.as_secs_f64() / one.p50.as_secs_f64());
            say(&format!("{callers:>2} callers, round {round}: local {one}; through a host {other}"));
        }
        ratios.sort_by(f64::total_cmp);
        say(&format!(
            "{callers:>2} callers: p50 through a host is {:.1} times that of local (median of {ROUNDS})",
            ratios[ROUNDS / 2]
        ));
    }
    let _ = std::fs::remove_file(&file);
}

struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        write!(f, "{:.0}/s, p50 {:.0} µs, p99 {:.0} µs", self.per_second, micros(self.p50), micros(self.p99))
    }
}

async fn measured(connector: &Arc<dyn Connector>, callers: usize) -> Figures {
    let began = Instant::now();
    let all = join_all((0..callers).map(|caller| {
        let connector = Arc::clone(connector);
        tokio::spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < TIME {
                let pin = Person::numbered((caller * 31 + took.len() * 7) % RECORDS).pin;
                let asked = Instant::now();
                let ask = Read { entity: 0, key: key(&pin), wanted: wanted(&SOURCES) };
                let row = connector.read(ask, &ample()).await.expect("an answer");
                assert!(row.is_some(), "the record is there");
                took.push(asked.elapsed());
            }
            took
        })
    }));
    let mut took: Vec<Duration> = all.await.into_iter().flat_map(|took| took.expect("no caller panics")).collect();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    Figures { per_second: took.len() as f64 / began.elapsed().as_secs_f64(), p50: at(0.5), p99: at(0.99) }
}

/// A registry of people in an SQLite file.
async fn registry(file: &std::path::Path) -> Arc<dyn Connector> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_lazy_with(options);
    let table =
        "CREATE TABLE people (pin TEXT PRIMARY KEY NOT NULL, family TEXT NOT NULL, given TEXT NOT NULL, born TEXT NOT NULL,
                     notes TEXT, version INTEGER NOT NULL DEFAULT 1, photo BLOB)";
    sqlx::query(table).execute(&pool).await.expect("a table");
    let spec = people::registry(json!({ "url": format!("sqlite:{}", file.display()) }), json!({ "table": "people" }));
    let connector = rabita_sql::kind().open(spec, &NoSecrets).await.expect("the connector opens");
    for person in Person::several(RECORDS) {
        connector.apply(create(&person), &ample()).await.expect("a record");
    }
    connector
}

/// The same connector in a host, over TCP and TLS on the loopback.
async fn in_host(file: &std::path::Path, connector: Arc<dyn Connector>) -> (Arc<dyn Connector>, Arc<Pool>) {
    let spec = people::registry(json!({ "url": format!("sqlite:{}", file.display()) }), json!({ "table": "people" }));
    let served = Arc::new(Served::new("one", "latency").with(spec.clone(), "sql", connector));
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let server = server.expect("versions").with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("an authority");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![ALPN.to_vec()];
    let mut server = server.expect("a certificate and its key");
    server.alpn_protocols = vec![ALPN.to_vec()];

    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let host = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket of TCP");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("TLS");
        dial::serve_on(stream, served).await;
    });
    let (stream, _) = socket.accept().await.expect("a connection");
    stream.set_nodelay(true).expect("a socket of TCP");
    let stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.expect("TLS");
    let patience = Duration::from_secs(10);
    let options = LinkOptions { host: "one".to_owned(), versions: SPOKEN, answer_max: 1024 * 1024, patience };
    let (link, driver) = Link::open(stream, options).await.expect("a link");
    tokio::spawn(async move { tokio::join!(driver, host) });
    let promise = Promise { duplicates: Duplicates::Applied, checks_versions: true };
    let (pool, connector) = Pool::new(spec, "sql", promise);
    assert_eq!(pool.attach(&link), Vec::<String>::new());
    (connector, pool)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn say(line: &str) {
    println!("{line}");
}
