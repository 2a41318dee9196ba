//! The Kafka engine of the journal, on real brokers.

mod battery;
mod brokers;
mod consumers;
mod nodes;

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rabita_journal::battery::sample::registry;
use rabita_journal::kafka::Options;
use rabita_journal::{Journal, Kafka};
use rabita_model::RegistryId;
use rabita_tests::Kafka as Cluster;

/// So long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One broker for all tests that leave it alone.
static BROKER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(1));

/// Names of topics that no other test has.
fn prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The registry that is not the sample's.
fn vehicles() -> RegistryId {
    RegistryId::new("vehicles").expect("a registry")
}

/// How a node of a small bus opens its journal.
fn options(servers: &str, prefix: &str, directory: &Path) -> Options {
    let servers = servers.split(',').map(str::to_owned).collect();
    let registries = vec![registry(), vehicles()];
    let mut options = Options::new(servers, directory.to_owned(), registries, std::sync::Arc::new(jiff::Timestamp::now));
    prefix.clone_into(&mut options.prefix);
    options.replication = 1;
    options.partitions = 4;
    options.session = Duration::from_secs(2);
    options
}

/// Opens it and waits until it can take updates on.
async fn open(options: Options) -> Kafka {
    let journal = Kafka::open(options).expect("opens");
    well(&journal).await;
    journal
}

async fn well(journal: &Kafka) {
    until("the journal is well", || journal.health().is_ok()).await;
}

/// Waits for something that comes by itself.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
