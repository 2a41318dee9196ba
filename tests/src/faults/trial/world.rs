//! Everything that a trial needs, started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::{Mode, Options, Plant};
use crate::bus::Caller;
use crate::faults::registry::Registry;
use crate::faults::subject::{Node, Setup};
use crate::kafka::Kafka;
use crate::scratch::Scratch;
use crate::{Fault, Proxy};

/// The registry, the bus, and what stands between and beneath them.
#[derive(Debug)]
pub struct World {
    // Dropped in this order: the nodes write to what comes after them.
    pub nodes: Vec<Arc<Node>>,
    pub kafka: Option<Arc<Kafka>>,
    /// Between the bus and the registry.
    pub proxy: Option<Proxy>,
    pub disk: Option<SmallDisk>,
    /// The file that says by how much the bus's clock is off.
    pub clock: Option<PathBuf>,
    pub registry: Registry,
    _scratch: Scratch,
}

impl World {
    pub(super) async fn build(options: &Options) -> Self {
        let scratch = Scratch::new("faults");
        let registry = Registry::start();
        let proxied = options.mode == Mode::Proxy || options.plant == Some(Plant::Twice);
        let proxy = if proxied { Some(Proxy::start(registry.address()).await.expect("a port for the proxy")) } else { None };
        let kafka = (options.mode == Mode::Kafka).then(|| Arc::new(Kafka::start(3)));
        let size_mb = match options.mode {
            Mode::Disk => Some(48),
            Mode::LedgerDisk => Some(256),
            _ => None,
        };
        let disk = size_mb.map(|size_mb| SmallDisk::mount(scratch.path().join("disk"), size_mb));
        let clock = (options.mode == Mode::Clock).then(|| scratch.path().join("clock"));
        let setup = Setup {
            program: options.program.clone(),
            registry: proxy.as_ref().map_or(registry.address(), Proxy::address),
            keeps_ids: options.plant != Some(Plant::Twice),
            journal: journal(kafka.as_deref(), disk.as_ref().filter(|_| options.mode == Mode::Disk)),
            ledgers: disk.as_ref().filter(|_| options.mode == Mode::LedgerDisk).map(|disk| disk.0.clone()),
            environment: clock.as_deref().map(false_clock).unwrap_or_default(),
            evidence: options.evidence.clone(),
        };
        let nodes: Vec<Arc<Node>> =
            (0..if kafka.is_some() { 2 } else { 1 }).map(|number| Arc::new(Node::start(&setup, number))).collect();
        if let Some(clock) = &clock {
            assert_clock_jumps(clock, &nodes[0].caller()).await;
        }
        Self { nodes, kafka, proxy, disk, clock, registry, _scratch: scratch }
    }

    /// A caller for each node.
    pub(super) fn callers(&self) -> Vec<Caller> {
        self.nodes.iter().map(|node| node.caller()).collect()
    }

    /// Ends all that disturbs.
    pub(super) fn mend(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Fault::Pass);
        }
        if let Some(disk) = &self.disk {
            disk.empty();
        }
        if let Some(clock) = &self.clock {
            set_clock(clock, "+0");
        }
    }
}

fn journal(kafka: Option<&Kafka>, disk: Option<&SmallDisk>) -> Option<String> {
    let embedded = disk.map(|disk| {
        let directory = disk.0.join("journal");
        format!("{{ embedded: {{ directory: \"{}\", reserve_bytes: 4194304 }} }}", directory.display())
    });
    let brokers =
        kafka.map(|kafka| format!("{{ kafka: {{ brokers: [{}], replication: 3, partitions: 12 }} }}", quoted(&kafka.servers())));
    embedded.or(brokers)
}

fn quoted(servers: &str) -> String {
    servers.split(',').map(|server| format!("\"{server}\"")).collect::<Vec<_>>().join(", ")
}

/// A file system that is soon full.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// # Panics
    /// When this is not run by root, who alone may mount.
    fn mount(at: PathBuf, size_mb: u32) -> Self {
        std::fs::create_dir_all(&at).expect("a scratch directory can be written");
        let size = format!("size={size_mb}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a small file system cannot be mounted: run this as root");
        Self(at)
    }

    /// Takes up all that is free.
    pub fn fill(&self) {
        use std::io::Write as _;
        let file = std::fs::File::options().create(true).append(true).open(self.ballast());
        let Ok(mut file) = file else { return };
        for size in [1 << 16, 1 << 9] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Frees what was taken up.
    pub fn empty(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// What makes a program see another time of day. What it measures durations by stays as it is.
fn false_clock(file: &Path) -> Vec<(String, String)> {
    let libraries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let library = libraries.map(|directory| Path::new(directory).join("faketime/libfaketimeMT.so.1"));
    let library = library.iter().find(|library| library.is_file());
    let library = library.expect("jumps of the clock need the Debian package `libfaketime`, which is not here");
    set_clock(file, "+0");
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A clock that stands still where it should jump would make the trial prove nothing.
async fn assert_clock_jumps(clock: &Path, caller: &Caller) {
    set_clock(clock, "+1d");
    let told = jiff::Timestamp::now() + Duration::from_secs(86_400);
    let day = told.strftime("%a, %d %b %Y").to_string();
    crate::eventually("the bus's clock jumps", Duration::from_secs(10), async || {
        caller.get("/bus/catalogue").await.header("date").starts_with(&day)
    })
    .await;
    set_clock(clock, "+0");
}

/// Sets by how much the bus's clock is off.
pub(in crate::faults) fn set_clock(file: &Path, offset: &str) {
    // Renamed into its place, so that nobody reads half of it.
    let made = file.with_extension("new");
    std::fs::write(&made, offset).and_then(|()| std::fs::rename(&made, file)).expect("a scratch directory can be written");
}
