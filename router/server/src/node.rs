//! A node: a configuration at work behind its listeners.

mod admin;
mod binary;
mod events;
pub mod evidence;
mod exchange;
pub(crate) mod grants_desk;
mod hosts;
mod instruments;
pub mod journal;
mod journal_meters;
pub(crate) mod ledger_desk;
pub mod ledger_exchange;
mod ledger_meters;
pub mod ledger_open;
mod ledger_reads;
mod listener;
mod log;
mod meters;
mod operators;
mod recording;
mod reload;
mod signed;
mod subscriptions;
pub mod telemetry;
mod timestamps;
mod tls;
mod tokens;
mod transparency;
mod trust;
mod webhooks;

pub use instruments::METRICS;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rabita_config::Country;
use rabita_core::bus::BusError;
use rabita_core::{Bus, Recorder, Stores};
use rabita_journal::Journal;
use rabita_ledger::Ledger;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::machine::{MachineSecrets, WallClock, new_exchange};
use exchange::Exchanges;
use hosts::{Doors, Hosts};
use ledger_desk::LedgerDesk;
use ledger_open::LedgerOpenError;
use meters::Meters;
use operators::Operators;
use recording::Recording;
use reload::Watch;
use subscriptions::Subscriptions;
use telemetry::Tracing;
use trust::Trust;

/// A running node.
pub struct Node {
    /// Where callers connect, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// Where hosts of agencies dial in.
    pub hosts: Option<SocketAddr>,
    bus: Arc<Bus>,
    journal: Option<Arc<dyn Journal>>,
    ledger: Option<Arc<Ledger>>,
    stopping: watch::Sender<bool>,
    hosts_stopping: watch::Sender<bool>,
    open_to_hosts: JoinSet<()>,
    exchanges: Arc<Exchanges>,
    listeners: JoinSet<()>,
    operators: JoinSet<()>,
    /// Deliveries and whatever else goes on without a caller.
    work: JoinSet<()>,
    /// Detection of others' changes, and webhooks.
    events: JoinSet<()>,
    ends: CancellationToken,
    _watches: JoinSet<()>,
    drain: Duration,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("cannot listen on {address}: {source}{}", hint(.source))]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("{0}")]
    Tls(#[from] tls::TlsError),
    #[error(transparent)]
    Journal(#[from] journal::JournalOpenError),
    #[error(transparent)]
    Ledger(#[from] Box<LedgerOpenError>),
    #[error("a witness of the ledger cannot be used: {0}")]
    Witness(String),
    #[error("the ledger's time stamps: {0}")]
    Timestamps(#[from] timestamps::TimestampError),
    #[error(transparent)]
    Signing(#[from] signed::SigningError),
    #[error("access tokens cannot be verified: {0}")]
    Tokens(#[from] rabita_identity::OpenError),
    #[error(transparent)]
    Configuration(#[from] reload::ReloadError),
    #[error("the exporter of traces cannot be made: {0}")]
    Traces(String),
    #[error("webhooks cannot be sent: {0}")]
    Webhooks(#[from] webhooks::SenderError),
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "; another program has the port: stop it, or choose another in rabita.yaml",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    }
}

impl Node {
    /// Opens the registries and begins to listen.
    ///
    /// # Errors
    /// When a secret, a certificate or a port is not to be had. A registry that is down is no error.
    pub async fn start(country: &Country) -> Result<Self, StartError> {
        let secrets = MachineSecrets::new(&country.directory);
        let metrics = telemetry::metrics();
        let tracing = Tracing::open(country.node.telemetry.traces.as_ref()).map_err(StartError::Traces)?;
        let journal = journal::open(country, &secrets)?;
        let trust = Trust::open(country, &secrets)?;
        let ledger = trust.ledger();
        let recorder = ledger.clone().map(|ledger| ledger as Arc<dyn Recorder>);
        let stores = Stores { journal: journal.clone(), ledger: recorder };
        let (hosts, connectors) = Hosts::open(country, &secrets).await?;
        let clock = Arc::new(WallClock);
        let bus = Arc::new(Bus::with_connectors(country, connectors, &secrets, clock, new_exchange, stores)?);
        // Before anybody is answered: what is in force is the ledger's first word.
        let watch = Watch::open(country, ledger.clone(), trust.parts(&bus, &hosts)).await?;

        let (stopping, stops) = watch::channel(false);
        let limits = &country.node.limits;
        let subscriptions =
            journal.as_ref().map(|journal| Subscriptions::open(&bus, journal, country, stops.clone(), ledger.clone()));
        let (subscriptions, webhooks) = subscriptions.transpose()?.unzip();
        let exchanges = Arc::new(Exchanges {
            bus: Arc::clone(&bus),
            places: Arc::new(Semaphore::new(limits.exchanges)),
            stopping: AtomicBool::new(false),
            body_max: limits.body_max_bytes,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
            meters: Meters::default(),
            tracing,
            subscriptions,
            tokens: Arc::clone(&trust.tokens),
            recording: Recording::new(ledger.clone(), Arc::clone(&trust.signatures)),
            ledger_reads: trust.kept.as_ref().map(|kept| kept.reads.clone()),
            transparency: Arc::clone(&trust.transparency),
        });
        let connections = Arc::new(Semaphore::new(limits.connections));
        let head_timeout = Duration::from_millis(limits.head_timeout_ms);
        let drain = Duration::from_millis(limits.drain_ms);

        let mut listeners = JoinSet::new();
        let mut addresses = Vec::new();
        for (at, configured) in country.node.listeners.iter().enumerate() {
            let (socket, address) = bind(configured.address).await?;
            addresses.push(address);
            let listener = listener::Listener {
                socket,
                transport: trust.transports.of(at),
                connections: Arc::clone(&connections),
                exchanges: Arc::clone(&exchanges),
                head_timeout,
            };
            listeners.spawn(listener.run(stops.clone()));
        }
        // Later than callers: what is under way for them may be under way at a host.
        let (hosts_stopping, hosts_stop) = watch::channel(false);
        let mut open_to_hosts = JoinSet::new();
        let hosts_address = match (&country.node.hosts, trust.transports.of_hosts(country)) {
            (Some(configured), Some(transport)) => {
                let (socket, address) = bind(configured.address).await?;
                let doors = Doors { socket, transport, connections: Arc::clone(&connections), head_timeout };
                open_to_hosts.spawn(Arc::clone(&hosts).run(doors, hosts_stop.clone()));
                Some(address)
            }
            _ => None,
        };
        let (socket, admin) = bind(country.node.admin.address).await?;
        let mut operators = JoinSet::new();
        let desk = admin::Desk {
            exchanges: Arc::clone(&exchanges),
            metrics,
            operators: Operators::new(journal.clone()),
            ledger: trust.kept.as_ref().map(|kept| LedgerDesk::new(Arc::clone(&kept.ledger), &kept.directory)),
            configuration: watch.status(),
            hosts,
        };
        operators.spawn(watch.run(stops.clone()));
        operators.spawn(admin::run(socket, desk));
        let watches = bus.watch();
        let mut events = bus.detect();
        if let Some(webhooks) = webhooks {
            events.spawn(webhooks.run());
        }
        if let Some(exchange) = trust.exchange(country, journal.as_ref()) {
            events.spawn(exchange.run());
        }
        if let Some(timestamps) = trust.timestamps(country)? {
            events.spawn(timestamps.run());
        }
        if let Some(journal) = &journal {
            operators.spawn(journal_meters::run(Arc::clone(journal)));
        }
        if let Some(ledger) = &ledger {
            operators.spawn(ledger_meters::run(Arc::clone(ledger)));
        }
        let ends = CancellationToken::new();
        let work = bus.work(&ends);
        Ok(Self {
            addresses,
            admin,
            hosts: hosts_address,
            bus,
            journal,
            ledger,
            stopping,
            hosts_stopping,
            open_to_hosts,
            exchanges,
            listeners,
            operators,
            work,
            events,
            ends,
            _watches: watches,
            drain,
        })
    }

    /// Takes no more, finishes what is under way, and closes the registries. Tells whether all was finished in time.
    pub async fn stop(mut self) -> bool {
        self.exchanges.stopping.store(true, std::sync::atomic::Ordering::Release);
        let _ = self.stopping.send(true);
        let drained = tokio::time::timeout(self.drain, async { while self.listeners.join_next().await.is_some() {} }).await;
        self.listeners.shutdown().await;
        self.events.shutdown().await;
        self.ends.cancel();
        let _ = tokio::time::timeout(self.drain, async { while self.work.join_next().await.is_some() {} }).await;
        self.work.shutdown().await;
        let _ = self.hosts_stopping.send(true);
        let _ = tokio::time::timeout(HOSTS_PARTING, async { while self.open_to_hosts.join_next().await.is_some() {} }).await;
        self.open_to_hosts.shutdown().await;
        // Only now: operators see how a node ends.
        self.operators.shutdown().await;
        self.bus.close().await;
        if let Some(journal) = &self.journal {
            journal.close().await;
        }
        if let Some(ledger) = &self.ledger {
            ledger.close().await;
        }
        self.exchanges.tracing.flush().await;
        drained.is_ok()
    }
}

/// The longest that hosts are waited for when a node ends.
const HOSTS_PARTING: Duration = Duration::from_secs(2);

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen = |source| StartError::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(listen)?;
    let address = socket.local_addr().map_err(listen)?;
    Ok((socket, address))
}

/// Waits until the node is told to stop, or is gone.
async fn stopped(stops: &mut watch::Receiver<bool>) {
    let _ = stops.wait_for(|stop| *stop).await;
}
