//! `sql` on PostgreSQL, in a host: `rabita connector host` is a process of its own that dials in over mutual TLS.
//!
//! The legacy system, and how it is set up, are those of `postgres`; what stands between is the host.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rabita_battery::{Need, Person, Stall, Stallable, Subject, Target};
use rabita_sdk::{Connector, Double, Duplicates, Finding, Kind, OpenError, Promise, RegistrySpec, Secrets};
use rabita_tests::bus::{HostDirectory, Program, people_manifest};
use rabita_wire::{Link, LinkOptions, Pool, SPOKEN, Welcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{door, postgres};

rabita_battery::battery!(People, stallable);

const RABITA: &str = env!("CARGO_BIN_EXE_rabita-under-test");

struct People {
    registry: postgres::People,
    running: Arc<Mutex<Vec<Running>>>,
}

/// A host and the bus's side of it. Ends when it is dropped.
struct Running {
    _program: Program,
    _directory: HostDirectory,
    listener: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[async_trait]
impl Subject for People {
    async fn set_up(need: Need) -> Self {
        Self { registry: postgres::People::set_up(need).await, running: Arc::default() }
    }

    fn kind(&self) -> Arc<dyn Kind> {
        Arc::new(InHost { sql: self.registry.kind(), running: Arc::clone(&self.running) })
    }

    fn spec(&self, target: Target) -> RegistrySpec {
        self.registry.spec(target)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.registry.address()
    }

    async fn load(&self, people: &[Person]) {
        self.registry.load(people).await;
    }

    async fn people(&self) -> Vec<Person> {
        self.registry.people().await
    }

    async fn stop(&self) {
        self.registry.stop().await;
    }

    async fn start(&self) {
        self.registry.start().await;
    }
}

#[async_trait]
impl Stallable for People {
    async fn stall(&self) -> Stall {
        self.registry.stall().await
    }

    async fn busy(&self) -> usize {
        self.registry.busy().await
    }
}

/// The kind `sql`, whose connectors run in a host of their own.
struct InHost {
    sql: Arc<dyn Kind>,
    running: Arc<Mutex<Vec<Running>>>,
}

#[async_trait]
impl Kind for InHost {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn settings_schema(&self) -> Value {
        self.sql.settings_schema()
    }

    fn entity_schema(&self) -> Value {
        self.sql.entity_schema()
    }

    fn action_schema(&self) -> Option<Value> {
        self.sql.action_schema()
    }

    fn changes_schema(&self) -> Option<Value> {
        self.sql.changes_schema()
    }

    fn fixture_schema(&self) -> Value {
        self.sql.fixture_schema()
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        self.sql.check(spec)
    }

    /// Starts a host on the settings, and answers when it has dialled in.
    async fn open(&self, spec: RegistrySpec, _secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let directory = HostDirectory::new("interior-1", &[socket.local_addr().expect("its address")]);
        let mut connector = spec.settings.clone();
        connector["kind"] = json!("sql");
        directory.registry(&people_manifest(&connector, &spec));
        let promise = Promise { duplicates: Duplicates::Detected, checks_versions: true };
        let (pool, connector) = Pool::new(spec, "sql", promise);
        let listener = tokio::spawn(take_in(socket, Arc::clone(&pool)));
        let program = directory.run(RABITA);
        dialled_in(&pool, &program).await;
        let remarks: Vec<String> = pool.status().into_iter().flat_map(|member| member.remarks).collect();
        assert_eq!(remarks, Vec::<String>::new(), "both sides have one manifest");
        let running = Running { _program: program, _directory: directory, listener };
        self.running.lock().expect("no holder of the lock panics").push(running);
        Ok(connector)
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        self.sql.double(spec, fixture).await
    }
}

/// Waits until the host has dialled in.
async fn dialled_in(pool: &Pool, program: &Program) {
    const PATIENCE: Duration = Duration::from_secs(50);
    let began = Instant::now();
    while pool.status().is_empty() {
        assert!(began.elapsed() < PATIENCE, "the host does not dial in:\n{}", program.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The bus's side: takes hosts in and has them asked.
async fn take_in(socket: TcpListener, pool: Arc<Pool>) {
    let acceptor = TlsAcceptor::from(Arc::new(door::tls()));
    while let Ok((stream, _)) = socket.accept().await {
        stream.set_nodelay(true).expect("a socket of TCP");
        let Ok(stream) = acceptor.accept(stream).await else { continue };
        let patience = Duration::from_secs(10);
        let options = LinkOptions { host: "interior-1".to_owned(), versions: SPOKEN, answer_max: 8 * 1024 * 1024, patience };
        let Ok((link, driver)) = Link::open(stream, options).await else { continue };
        pool.attach(&link);
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let welcome = Welcome { accepted: true, remarks: Vec::new() };
            tokio::join!(link.welcome(&welcome, patience), driver);
            pool.detach(&link);
        });
    }
}
