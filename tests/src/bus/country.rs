//! A configuration directory that a test writes, and the bus that runs on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use rabita_config::Country as Loaded;
use rabita_sdk::Kinds;
use rabita_server::node::Node;

use super::authority::{Authority, Identity, SYSTEMS};
use super::caller::{Caller, Speaks};
use super::manifest::Manifest;
use crate::scratch::Scratch;

/// A configuration directory. It goes with the value and with all that runs on it.
#[derive(Debug)]
pub struct Country(Arc<Scratch>, AtomicUsize);

impl Country {
    /// One with certificates, agencies, purposes and systems, and with nothing to call yet. The node has two listeners:
    /// the first requires a client certificate, the second does not.
    #[must_use]
    pub fn new() -> Self {
        let country = Self(Arc::new(Scratch::new("bus")), AtomicUsize::new(0));
        std::fs::create_dir(country.path().join("tls")).expect("a scratch directory can be written");
        Authority::get().write(&country.path().join("tls"));
        country.node("");
        country.file("agencies.yaml", AGENCIES);
        for system in SYSTEMS {
            country.system(system, "{ requests_per_second: 10000 }");
        }
        country
    }

    /// One with the registry `people` behind this address, wholly granted to the portal.
    #[must_use]
    pub fn with_people(url: impl Into<String>) -> Self {
        Self::with(&Manifest::of("people", url))
    }

    /// One with this registry, wholly granted to the portal.
    #[must_use]
    pub fn with(manifest: &Manifest) -> Self {
        let country = Self::new();
        country.registry(manifest);
        country.grants(&manifest.id, &[super::GRANT_ALL]);
        country
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When the disk does not let it.
    pub fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a scratch directory can be written");
        }
        std::fs::write(&path, text).expect("a scratch directory can be written");
    }

    /// Writes the node's settings: the two listeners, and these settings beside them.
    pub fn node(&self, more: &str) {
        self.listeners("", "", more);
    }

    /// The same, with more members of each listener's `tls:`, written as `, key: value`.
    pub fn listeners(&self, first: &str, second: &str, more: &str) {
        let tls = "certificate: tls/server.pem, key: tls/server.key, client_authorities: tls/ca.pem";
        let required = format!("  - {{ address: \"127.0.0.1:0\", tls: {{ {tls}{first} }} }}");
        let optional = format!("  - {{ address: \"127.0.0.1:0\", tls: {{ {tls}, client_certificate: optional{second} }} }}");
        let text = format!("listeners:\n{required}\n{optional}\nadmin: {{ address: \"127.0.0.1:0\" }}\n{more}\n");
        self.file("rabita.yaml", &text);
    }

    /// Writes a system, known by its DNS name, with its limits in braces.
    pub fn system(&self, system: &str, limits: &str) {
        let known = format!("certificates: [{{ dns: {system}.systems.example }}]");
        self.file(&format!("systems/{system}.yaml"), &format!("system: {system}\nagency: asan\n{known}\nlimits: {limits}\n"));
    }

    /// Writes a registry's manifest.
    pub fn registry(&self, manifest: &Manifest) {
        self.file(&format!("registries/{}.yaml", manifest.id), &manifest.text());
    }

    /// Writes a registry's grants, each in braces.
    pub fn grants(&self, registry: &str, grants: &[&str]) {
        let grants: String = grants.iter().map(|grant| format!("  - {grant}\n")).collect();
        self.file(&format!("grants/{registry}.yaml"), &format!("registry: {registry}\ngrants:\n{grants}"));
    }

    /// Loads it and starts a node on it.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn start(&self) -> Bus {
        self.start_with(&rabita_server::kinds::all()).await
    }

    /// The same with connectors of these kinds.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn start_with(&self, kinds: &Kinds) -> Bus {
        self.run(self.load(kinds)).await
    }

    /// Loads it, has something happen, and starts a node on what was loaded before.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn start_while(&self, happens: impl FnOnce()) -> Bus {
        let country = self.load(&rabita_server::kinds::all());
        happens();
        self.run(country).await
    }

    /// Starts one more node on it, beside those that run: with a ledger of its own, and over Kafka a view of its own, as
    /// every node has.
    ///
    /// # Panics
    /// When something is wrong with it.
    pub async fn start_beside(&self) -> Bus {
        let mut country = self.load(&rabita_server::kinds::all());
        let beside = self.1.fetch_add(1, Ordering::Relaxed);
        let apart = |directory: &mut PathBuf| directory.as_mut_os_string().push(format!("-{beside}"));
        apart(&mut country.node.ledger.directory);
        country.node.ledger.origin.push_str(&format!("-{beside}"));
        if let Some(kafka) = &mut country.node.journal.kafka {
            apart(&mut kafka.directory);
        }
        self.run(country).await
    }

    fn load(&self, kinds: &Kinds) -> Loaded {
        let today = TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
        let loaded = rabita_config::load(self.path(), kinds, today);
        loaded.country.unwrap_or_else(|| panic!("the configuration is bad:\n{}", loaded.report))
    }

    async fn run(&self, country: Loaded) -> Bus {
        let node = Node::start(&country).await.unwrap_or_else(|error| panic!("the node does not start: {error}"));
        Bus { required: node.addresses[0], optional: node.addresses[1], admin: node.admin, node, _directory: Arc::clone(&self.0) }
    }
}

impl Default for Country {
    fn default() -> Self {
        Self::new()
    }
}

/// A running node.
pub struct Bus {
    /// The listener that requires a client certificate.
    pub required: SocketAddr,
    /// The listener that does not.
    pub optional: SocketAddr,
    pub admin: SocketAddr,
    node: Node,
    _directory: Arc<Scratch>,
}

impl Bus {
    /// The portal, with its certificate.
    #[must_use]
    pub fn portal(&self) -> Caller {
        self.caller(&Authority::get().portal)
    }

    /// Whoever has this certificate.
    #[must_use]
    pub fn caller(&self, identity: &Identity) -> Caller {
        Caller::new(self.required, Some(identity), Speaks::Either)
    }

    /// What operators are told at a path: the status and the text.
    ///
    /// # Panics
    /// When the admin listener does not answer.
    pub async fn told(&self, path: &str) -> (u16, String) {
        told(self.admin, path).await
    }

    /// The metrics' line that begins with this name and has all of these labels, as a number; 0 when there is none.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.told("/metrics").await;
        let is_it = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let values = text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }

    /// Stops the node; tells whether all was finished in time.
    pub async fn stop(self) -> bool {
        self.node.stop().await
    }
}

pub(super) async fn told(admin: SocketAddr, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
    let answer = client.get(format!("http://{admin}{path}")).send().await.expect("the admin listener answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

const AGENCIES: &str = "
agencies:
  - { id: interior, title: Ministry of the Interior }
  - { id: asan, title: One-stop service }
purposes:
  - { id: birth-registration, title: Registration of a birth }
  - { id: identity-check, title: Check of an identity }
  - { id: audit, title: Audit }
";
