//! A node that takes hosts in, and the registry of people that they serve, on PostgreSQL.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rabita_battery::{Person, people};
use rabita_model::Operation;
use rabita_sdk::RegistrySpec;
use rabita_tests::bus::{Answer, Authority, Bus, Caller, Country, HostDirectory, Identity, people_manifest};
use rabita_tests::{Postgres, eventually, port};
use reqwest::Method;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// The longest until a host is connected, or a node knows that it is not.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub const PEOPLE: &str = "/api/people/v1/people";

/// A configuration that takes these hosts in, and the registry behind them.
pub struct World {
    pub country: Country,
    pub table: String,
    /// Where hosts dial in: the same from start to start.
    pub door: SocketAddr,
    postgres: &'static Postgres,
}

impl World {
    /// With a table of so many people, which each of these hosts may serve.
    pub fn new(hosts: &[&str], count: usize) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let postgres = Postgres::shared();
        let table = format!("hosted_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        postgres.run(&format!(
            "CREATE TABLE {table} (pin text PRIMARY KEY, family text NOT NULL, given text NOT NULL, born date NOT NULL,
                 notes text, version bigint NOT NULL DEFAULT 1, photo bytea);
             CREATE TABLE {table}_audit (pin text, family text);
             CREATE FUNCTION {table}_changes() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.version = OLD.version + 1; INSERT INTO {table}_audit VALUES (NEW.pin, NEW.family); RETURN NEW; END';
             CREATE TRIGGER {table}_change BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_changes();"
        ));
        for person in Person::several(count) {
            let Person { pin, family, given, born, .. } = person;
            postgres.run(&format!("INSERT INTO {table} VALUES ('{pin}', '{family}', '{given}', '{born}')"));
        }
        let world = Self { country: Country::new(), table, door: port::loopback(port::free()), postgres };
        world.admit(hosts, "");
        world.bus_has(&json!({ "kind": "sql", "at": "host", "duplicates": "detected" }));
        let all = "operations: [read, search, create, replace, update, delete], fields: all, purposes: any";
        world.country.grants("people", &[&format!("{{ system: portal, version: v1, entity: people, {all} }}")]);
        world
    }

    /// Writes who may dial in: each of these hosts for the registry of people. `tls` is added to the listener's.
    pub fn admit(&self, hosts: &[&str], tls: &str) {
        let admitted: String = hosts
            .iter()
            .map(|host| {
                format!("    - {{ host: {host}, certificates: [{{ dns: {host}.hosts.example }}], registries: [people] }}\n")
            })
            .collect();
        let files = "certificate: tls/server.pem, key: tls/server.key, client_authorities: tls/ca.pem";
        let door = self.door;
        self.country.node(&format!("hosts:\n  address: \"{door}\"\n  tls: {{ {files}{tls} }}\n  admitted:\n{admitted}"));
    }

    /// Writes the bus's copy of the manifest, with this `connector:`.
    pub fn bus_has(&self, connector: &Value) {
        self.country.file("registries/people.yaml", &people_manifest(connector, &self.spec()).to_string());
    }

    /// The registry with the settings that only a host has.
    pub fn spec(&self) -> RegistrySpec {
        let settings = json!({
            "url": Postgres::url(self.postgres.address(), "postgres"),
            "once": { "table": format!("{}_once", self.table), "create": true },
        });
        let mut spec = people::registry(settings, json!(self.table));
        // As the manifest makes it: there is no action.
        spec.entities[0].operations.remove(&Operation::Act);
        spec.timeout = Duration::from_secs(5);
        spec
    }

    /// The host's copy of the manifest.
    pub fn host_manifest(&self) -> Value {
        let spec = self.spec();
        let mut connector = spec.settings.clone();
        connector["kind"] = json!("sql");
        people_manifest(&connector, &spec)
    }

    /// The directory of a host that serves the registry of people.
    pub fn host(&self, name: &str) -> HostDirectory {
        self.host_with(name, &Authority::get().host(name))
    }

    /// The same with another certificate.
    pub fn host_with(&self, name: &str, identity: &Identity) -> HostDirectory {
        let directory = HostDirectory::with(name, &[self.door], identity);
        directory.registry(&self.host_manifest());
        directory
    }

    /// The family names that were written to a record, in their order.
    pub fn written(&self, pin: &str) -> Vec<String> {
        let sql = format!("SELECT family FROM {}_audit WHERE pin = '{pin}' ORDER BY ctid", self.table);
        self.postgres.run(&sql).lines().map(str::to_owned).collect()
    }
}

/// What a node says of a host.
pub async fn told_of(bus: &Bus, host: &str) -> Value {
    let (_, text) = bus.told("/readyz").await;
    let body: Value = serde_json::from_str(&text).expect("JSON");
    body["hosts"][host].clone()
}

/// Waits until a host is connected.
pub async fn is_connected(bus: &Bus, host: &str) {
    eventually("the host is connected", PATIENCE, async || told_of(bus, host).await["connected"] == true).await;
}

/// Waits until a node gives this reason for not being connected with a host.
pub async fn is_refused(bus: &Bus, host: &str, why: &str) {
    let mut last = Value::Null;
    let is_told = async || {
        last = told_of(bus, host).await;
        last["connected"] == false && last["why"].as_str().is_some_and(|told| told.contains(why))
    };
    let waited = tokio::time::timeout(PATIENCE, eventually("the host is refused", PATIENCE * 2, is_told)).await;
    assert!(waited.is_ok(), "it is not refused because {why:?}: {last}");
}

/// Waits until a record can be read.
pub async fn is_served(bus: &Bus, pin: &str) {
    let portal = bus.portal();
    eventually("the registry is served", PATIENCE, async || portal.get(&format!("{PEOPLE}/{pin}")).await.status == 200).await;
}

/// Changes the family name of a person; the same key is the same change.
pub async fn rename(portal: &Caller, pin: &str, family: &str, key: &str) -> Answer {
    let request = portal
        .request(Method::PATCH, &format!("{PEOPLE}/{pin}"))
        .header("idempotency-key", key)
        .header("content-type", "application/merge-patch+json")
        .body(json!({ "family": family }).to_string());
    portal.sent(request).await
}

/// The TLS with which a host dials out.
pub fn host_tls(identity: &Identity) -> Arc<ClientConfig> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&Authority::get().certificate)).expect("an authority");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let mut client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&identity.certificate)], key)
        .expect("a certificate and its key");
    client.alpn_protocols = vec![rabita_wire::ALPN.to_vec()];
    Arc::new(client)
}
