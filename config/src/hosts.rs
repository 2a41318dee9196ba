//! `hosts:` of `rabita.yaml`, the hosts of agencies that may dial in; and `host.yaml`, a host itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use rabita_model::{HostId, RegistryId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::country::Registry;
use crate::node::{Telemetry, Tls, TlsVersion};
use crate::system::CertificateMatch;

/// Where hosts of agencies dial in, and which of them may serve what.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// `address:port`; port 0 takes a free one.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// The bus's certificate for hosts, and the authorities of theirs. A host without a certificate is none.
    pub tls: Tls,
    /// The longest answer that is read, in bytes; binary values are not bounded.
    #[serde(default = "answer_max_bytes")]
    #[schemars(range(min = 1024))]
    pub answer_max_bytes: usize,
    /// The hosts that may dial in. No others do.
    pub admitted: Vec<AdmittedHost>,
}

const fn answer_max_bytes() -> usize {
    8 * 1024 * 1024
}

/// A host that may dial in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmittedHost {
    /// Its name, as its own `host.yaml` says it.
    pub host: HostId,
    /// The client certificates that it is known by; any one of them.
    #[schemars(length(min = 1))]
    pub certificates: Vec<CertificateMatch>,
    /// The registries that it may serve.
    #[schemars(length(min = 1))]
    pub registries: Vec<RegistryId>,
}

/// `host.yaml`: runs an agency's connectors within its network, and dials out to the bus.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// Its name, as the bus admits it. Two hosts have two names, and two certificates.
    pub host: HostId,
    /// Every node of the bus, each dialled by itself.
    #[schemars(length(min = 1))]
    pub buses: Vec<BusAddress>,
    pub tls: HostTls,
    /// Where operators connect, in the clear: loopback, unless told otherwise.
    #[serde(default)]
    pub admin: HostAdmin,
    /// What the host tells of its work.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// How long a stopping host waits for what is under way.
    #[serde(default = "drain_ms")]
    pub drain_ms: u64,
}

const fn drain_ms() -> u64 {
    10_000
}

/// One node of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BusAddress {
    /// `name:port` or `address:port` of its listener for hosts.
    #[schemars(regex(pattern = r"^.+:[0-9]{1,5}$"))]
    pub address: String,
    /// The name in its certificate, where that is not the one in `address`.
    #[serde(default)]
    pub server_name: Option<String>,
}

impl BusAddress {
    /// The name that its certificate must have.
    #[must_use]
    pub fn name(&self) -> &str {
        let of_address = || self.address.rsplit_once(':').map_or(self.address.as_str(), |(name, _)| name);
        self.server_name.as_deref().unwrap_or_else(of_address).trim_matches(['[', ']'])
    }
}

/// A host's certificate, and whom it takes for the bus.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostTls {
    /// The host's certificate and what leads to its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of the bus's certificate, PEM. No others hold.
    pub bus_authorities: PathBuf,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
}

/// Where operators connect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostAdmin {
    #[schemars(with = "String")]
    pub address: SocketAddr,
}

impl Default for HostAdmin {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9091)) }
    }
}

/// The whole configuration of a host.
pub struct HostConfiguration {
    /// What relative file names are relative to.
    pub directory: PathBuf,
    pub spec: HostSpec,
    pub registries: Vec<Registry>,
}
