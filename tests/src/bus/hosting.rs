//! A host of an agency: its configuration directory, and the manifest of people for both sides.

use std::net::SocketAddr;
use std::path::Path;

use rabita_battery::people::{NEW_FAMILY, PHOTO, SOURCES, WRITTEN};
use rabita_sdk::RegistrySpec;
use serde_json::{Map, Value, json};

use super::authority::{Authority, Identity};
use super::program::Program;
use crate::scratch::Scratch;

/// The configuration directory of a host. It goes with the value.
#[derive(Debug)]
pub struct HostDirectory(Scratch);

impl HostDirectory {
    /// One with the certificate of the host of this name, and nothing to serve yet. It dials these addresses.
    #[must_use]
    pub fn new(host: &str, buses: &[SocketAddr]) -> Self {
        Self::with(host, buses, &Authority::get().host(host))
    }

    /// The same with another certificate.
    ///
    /// # Panics
    /// When the disk does not let it.
    #[must_use]
    pub fn with(host: &str, buses: &[SocketAddr], identity: &Identity) -> Self {
        let directory = Self(Scratch::new("host"));
        let buses: Vec<Value> = buses.iter().map(|address| json!({ "address": address.to_string() })).collect();
        let tls = json!({ "certificate": "tls/host.pem", "key": "tls/host.key", "bus_authorities": "tls/bus-ca.pem" });
        let admin = json!({ "address": "127.0.0.1:0" });
        directory.file(
            "host.yaml",
            &json!({ "host": host, "buses": buses, "tls": tls, "admin": admin, "drain_ms": 5000 }).to_string(),
        );
        directory.file("tls/host.pem", &identity.certificate);
        directory.file("tls/host.key", &identity.key);
        directory.file("tls/bus-ca.pem", &Authority::get().certificate);
        directory
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
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a scratch directory can be written");
        std::fs::write(&path, text).expect("a scratch directory can be written");
    }

    /// Serves this manifest too.
    pub fn registry(&self, manifest: &Value) {
        let name = manifest["registry"].as_str().expect("a manifest names its registry");
        self.file(&format!("registries/{name}.yaml"), &manifest.to_string());
    }

    /// Runs `rabita connector host` on it.
    #[must_use]
    pub fn run(&self, program: &str) -> Program {
        let directory = self.path().to_str().expect("a path in UTF-8");
        Program::run(program, &["connector", "host", "--config", directory])
    }
}

/// The manifest of a registry of people, whose entity is that of a specification of the battery.
#[must_use]
pub fn people_manifest(connector: &Value, spec: &RegistrySpec) -> Value {
    let entity = &spec.entities[0];
    let written_with_key: Vec<&str> = ["pin"].into_iter().chain(WRITTEN).collect();
    let mut fields: Map<String, Value> = SOURCES.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
    fields.insert(PHOTO.to_owned(), json!({ "from": PHOTO, "binary": { "media_type": "image/png" } }));
    let by: Map<String, Value> = entity
        .filters
        .iter()
        .map(|filter| (filter.source.to_string(), json!({ "compare": filter.comparisons, "ignore": filter.ignore })))
        .collect();
    let operations = json!({
        "read": {},
        "search": { "by": by },
        "create": { "fields": written_with_key },
        "replace": { "fields": WRITTEN },
        "update": { "fields": WRITTEN },
        "delete": {},
        "subscribe": {},
    });
    let mut people = json!({
        "schema": schema(),
        "key": "pin",
        "from": entity.from,
        "fields": fields,
        "version": "version",
        "operations": operations,
    });
    if let Some(rename) = entity.actions.first() {
        let text = json!({ "type": "object", "properties": { "family": { "type": "string" } }, "additionalProperties": false });
        let reply = json!({ "schema": text, "fields": { "family": "family" } });
        people["actions"] = json!({
            "rename": { "request": text, "fields": { "family": NEW_FAMILY }, "from": rename.from, "reply": reply },
        });
    }
    if let Some(changes) = &entity.changes {
        people["changes"] = json!({ "from": changes.from });
    }
    json!({
        "registry": spec.registry,
        "agency": "interior",
        "connector": connector,
        "limits": { "timeout_ms": u64::try_from(spec.timeout.as_millis()).expect("a time"), "concurrency": spec.concurrency },
        "contract": { "v1": { "people": people } },
    })
}

fn schema() -> Value {
    let text = json!({ "type": "string" });
    let properties = json!({
        "pin": text, "family": text, "given": text, "born": text, "notes": { "type": ["string", "null"] },
        "version": { "type": "integer" },
    });
    json!({ "title": "Person", "type": "object", "properties": properties, "required": ["pin"], "additionalProperties": false })
}
