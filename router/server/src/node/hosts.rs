//! The hosts of agencies: connectors that run in an agency's network and dial in here.
//!
//! A host opens the connection; then the bus asks and the host answers (`rabita-wire`). Who may dial in, and what each may
//! serve, is the configuration's to say: a host is known by its certificate, and what it says of itself gives it nothing.

mod door;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use jiff::Timestamp;
use metrics::{counter, gauge};
use rabita_config::Country;
use rabita_config::hosts::AdmittedHost;
use rabita_core::Certificate;
use rabita_core::bus::BusError;
use rabita_model::{HostId, RegistryId};
use rabita_sdk::{Connector, OpenError, Promise};
use rabita_wire::{Link, Pool, Welcome};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::machine::MachineSecrets;

pub(super) use door::Doors;

/// The hosts, and the registries that they serve.
pub(super) struct Hosts {
    pools: BTreeMap<RegistryId, Arc<Pool>>,
    admitted: ArcSwap<Vec<AdmittedHost>>,
    /// Counts changes of who is admitted.
    changes: watch::Sender<u64>,
    seen: Mutex<BTreeMap<HostId, Seen>>,
    answer_max: usize,
}

/// What is known of a host.
struct Seen {
    /// Nothing when it is not connected.
    link: Option<Arc<Link>>,
    since: Timestamp,
    /// What is not used of it, and why; or why it was refused.
    remarks: Vec<String>,
}

/// What becomes of a connection.
struct Judged {
    host: HostId,
    /// The registries that it says to serve and may.
    registries: Vec<RegistryId>,
    remarks: Vec<String>,
}

impl Hosts {
    /// Opens a connector for each registry, in the order of the configuration: those in hosts ask whoever dials in.
    ///
    /// # Errors
    /// When a secret or a file that a connector within the bus needs is missing or unusable.
    pub async fn open(country: &Country, secrets: &MachineSecrets) -> Result<(Arc<Self>, Vec<Arc<dyn Connector>>), BusError> {
        let opened = join_all(country.registries.iter().map(|configured| async move {
            let (connector, spec) = (&configured.manifest.connector, configured.plan.spec.clone());
            let failed = |source| BusError::Open { registry: configured.manifest.registry.clone(), source };
            if connector.at.is_none() {
                return Ok((None, configured.kind.open(spec, secrets).await.map_err(failed)?));
            }
            let promise: Promise =
                serde_json::from_value(spec.settings.clone()).map_err(|wrong| failed(OpenError(wrong.to_string())))?;
            let (pool, connector) = Pool::new(spec, &connector.kind, promise);
            Ok((Some((configured.manifest.registry.clone(), pool)), connector))
        }));
        let opened = opened.await.into_iter().collect::<Result<Vec<_>, BusError>>()?;
        let (pools, connectors): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let configured = country.node.hosts.as_ref();
        let hosts = Self {
            pools: pools.into_iter().flatten().collect(),
            admitted: ArcSwap::from_pointee(configured.map(|hosts| hosts.admitted.clone()).unwrap_or_default()),
            changes: watch::Sender::new(0),
            seen: Mutex::default(),
            answer_max: configured.map_or(0, |hosts| hosts.answer_max_bytes),
        };
        for admitted in hosts.admitted.load().iter() {
            // One that never dials in is as far away as one that was there.
            gauge!("rabita_host_connected", "host" => admitted.host.to_string()).set(0.0);
        }
        Ok((Arc::new(hosts), connectors))
    }

    /// Others may dial in from now on. A connection of one that is not admitted as it was is ended.
    pub fn swap(&self, admitted: Vec<AdmittedHost>) {
        if **self.admitted.load() != admitted {
            self.admitted.store(Arc::new(admitted));
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Whose certificate it is.
    fn admitted(&self, certificate: &Certificate) -> Option<AdmittedHost> {
        let admitted = self.admitted.load();
        admitted.iter().find(|host| host.certificates.iter().any(|wanted| certificate.has(wanted))).cloned()
    }

    /// What a host may serve of what it says to serve. Its own word counts for nothing but its name.
    fn judge(&self, admitted: &AdmittedHost, link: &Link) -> Result<Judged, String> {
        let AdmittedHost { host, registries: own, .. } = admitted;
        if link.description.instance != host.as_str() {
            return Err(format!("its certificate is that of host `{host}`, and it calls itself `{}`", link.description.instance));
        }
        let mut judged = Judged { host: host.clone(), registries: Vec::new(), remarks: Vec::new() };
        for described in link.registries() {
            let named = own.iter().find(|registry| registry.as_str() == described.registry);
            match named {
                Some(registry) if self.pools.contains_key(registry) => judged.registries.push(registry.clone()),
                Some(registry) => {
                    judged.remarks.push(format!("registry `{registry}`: this bus has no manifest of it with `at: host`"));
                }
                None => {
                    counter!("rabita_host_registries_refused_total", "host" => host.to_string()).increment(1);
                    let name: String = described.registry.chars().filter(|c| !c.is_control()).take(64).collect();
                    judged.remarks.push(format!("registry `{name}`: this host is not admitted to serve it"));
                }
            }
        }
        if judged.registries.is_empty() {
            let why = judged.remarks.join("; ");
            return Err(if why.is_empty() { "it serves no registry".to_owned() } else { why });
        }
        Ok(judged)
    }

    /// Asks a host from now on.
    fn attach(&self, judged: &mut Judged, link: &Arc<Link>) -> Welcome {
        for registry in &judged.registries {
            if let Some(pool) = self.pools.get(registry) {
                judged.remarks.extend(pool.attach(link));
            }
        }
        for remark in &judged.remarks {
            tracing::warn!(host = %judged.host, remark, "not all that a host serves is used");
        }
        let seen = Seen { link: Some(Arc::clone(link)), since: Timestamp::now(), remarks: judged.remarks.clone() };
        let before = self.seen().insert(judged.host.clone(), seen);
        // The same host again: its earlier connection is dead, or is another program with its certificate.
        if let Some(earlier) = before.and_then(|before| before.link) {
            tracing::warn!(host = %judged.host, "another connection of this host takes the place of the one before");
            earlier.cut();
        }
        gauge!("rabita_host_connected", "host" => judged.host.to_string()).set(1.0);
        let software = link.description.software.as_deref().unwrap_or_default();
        tracing::info!(host = %judged.host, wire = link.description.wire, software, "a host is connected");
        Welcome { accepted: true, remarks: judged.remarks.clone() }
    }

    /// Asks a host no more.
    fn detach(&self, host: &HostId, link: &Arc<Link>, why: &str) {
        for pool in self.pools.values() {
            pool.detach(link);
        }
        let mut all = self.seen();
        let Some(seen) = all.get_mut(host).filter(|seen| seen.link.as_ref().is_some_and(|own| Arc::ptr_eq(own, link))) else {
            return;
        };
        *seen = Seen { link: None, since: Timestamp::now(), remarks: vec![why.to_owned()] };
        gauge!("rabita_host_connected", "host" => host.to_string()).set(0.0);
        tracing::warn!(%host, why, "a host is no longer connected");
    }

    /// Takes down why a host was not taken; one that is not known is only counted.
    fn refuse(&self, host: Option<&HostId>, why: &str) {
        let name = host.map_or("unknown", HostId::as_str).to_owned();
        counter!("rabita_hosts_refused_total", "host" => name.clone()).increment(1);
        tracing::warn!(host = name, why, "a host is refused");
        let Some(host) = host else { return };
        let mut all = self.seen();
        if all.get(host).is_none_or(|seen| seen.link.is_none()) {
            all.insert(host.clone(), Seen { link: None, since: Timestamp::now(), remarks: vec![why.to_owned()] });
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<HostId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For `/readyz`: each host that may dial in, and how it does for each registry. Nothing where none may.
    pub fn to_json(&self) -> Option<Value> {
        let admitted = self.admitted.load();
        if admitted.is_empty() {
            return None;
        }
        let mut status: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (registry, pool) in &self.pools {
            for member in pool.status() {
                let answers = json!({ "answers": member.is_well, "not_asked": member.remarks });
                status.entry(member.host).or_default().insert(registry.to_string(), answers);
            }
        }
        let seen = self.seen();
        let all = admitted.iter().map(|admitted| {
            let host = admitted.host.as_str();
            let value = match seen.get(&admitted.host) {
                None => json!({ "connected": false, "why": "it has not dialled in since the start of this node" }),
                Some(Seen { link: None, since, remarks }) => {
                    json!({ "connected": false, "since": since, "why": remarks.join("; ") })
                }
                Some(Seen { link: Some(link), since, remarks }) => json!({
                    "connected": true,
                    "since": since,
                    "wire": link.description.wire,
                    "software": link.description.software,
                    "in_flight": link.in_flight(),
                    "registries": status.remove(host).unwrap_or_default(),
                    "remarks": remarks,
                }),
            };
            (host.to_owned(), value)
        });
        Some(Value::Object(all.collect()))
    }
}
