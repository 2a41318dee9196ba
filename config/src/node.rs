//! `rabita.yaml`: the node itself. And `agencies.yaml`: who there is, and for what data may be asked.

use std::net::SocketAddr;
use std::path::PathBuf;

use rabita_model::{AgencyId, BasisId, GroupId, Purpose, SystemId};
use rabita_sdk::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::consent::ConsentSpec;
use crate::hosts::Hosts;
use crate::identity::Identity;
use crate::journal::JournalSpec;
use crate::ledger::LedgerSpec;
use crate::signing::Signing;
use crate::webhooks::Webhooks;

/// The node: where it listens, whom it trusts, what it tells.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where callers connect.
    #[schemars(length(min = 1))]
    pub listeners: Vec<Listener>,
    /// Where operators connect.
    #[serde(default)]
    pub admin: Admin,
    /// What one node takes on at once.
    #[serde(default)]
    pub limits: NodeLimits,
    /// What the node tells of its work.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Where updates and events are kept.
    #[serde(default)]
    pub journal: JournalSpec,
    /// How events are brought to the callers that subscribed to them.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// How callers are known beside their certificates.
    #[serde(default)]
    pub identity: Identity,
    /// How answers are signed, and signed requests held against the clock.
    #[serde(default)]
    pub signing: Signing,
    /// Where every exchange is recorded.
    #[serde(default)]
    pub ledger: LedgerSpec,
    /// Where connectors dial in that run in agencies' networks. Without it none do.
    #[serde(default)]
    pub hosts: Option<Hosts>,
    /// Where a person's consent is looked up.
    #[serde(default)]
    pub consents: Option<ConsentSpec>,
    /// 32 bytes or more that seal search cursors. Without it a cursor ends with the process that gave it.
    #[serde(default)]
    pub cursor_secret: Option<SecretRef>,
}

/// Where callers connect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `address:port`; port 0 takes a free one.
    #[schemars(with = "String", regex(pattern = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$"))]
    #[schemars(extend("patternErrorMessage" = "an address and a port, as 127.0.0.1:8443 or [::]:8443; a name is no address"))]
    pub address: SocketAddr,
    /// Certificates. A listener without TLS takes no client certificate, so it knows no caller.
    pub tls: Tls,
}

/// A listener's certificate, and whose client certificates it takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate and what leads to its authority, PEM.
    pub certificate: PathBuf,
    /// The server's private key, PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, PEM.
    pub client_authorities: PathBuf,
    /// Certificates that their authority took back, PEM.
    #[serde(default)]
    pub revocations: Option<PathBuf>,
    /// Whether a connection without a client certificate is refused, or its requests are answered 401.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
}

/// Whether a client certificate must be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    #[default]
    Required,
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// Where operators connect, in the clear: loopback, unless told otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    #[schemars(with = "String", regex(pattern = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$"))]
    #[schemars(extend("patternErrorMessage" = "an address and a port, as 127.0.0.1:8443 or [::]:8443; a name is no address"))]
    pub address: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

/// What one node takes on at once. Beyond these it refuses, and does not queue.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeLimits {
    /// Connections of callers.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// Exchanges under way.
    #[schemars(range(min = 1))]
    pub exchanges: usize,
    /// The largest request body.
    #[schemars(range(min = 1))]
    pub body_max_bytes: usize,
    /// The longest that a TLS handshake, and then the head of a request, may take to arrive.
    #[schemars(range(min = 1))]
    pub head_timeout_ms: u64,
    /// The longest that a request's body may take to arrive.
    #[schemars(range(min = 1))]
    pub body_timeout_ms: u64,
    /// Streams of events.
    #[schemars(range(min = 1))]
    pub streams: usize,
    /// Streams of events of one system.
    #[schemars(range(min = 1))]
    pub streams_per_system: usize,
    /// How long a caller that says nothing waits for the outcome of its change.
    pub wait_ms: u64,
    /// The longest that a caller may wait for the outcome of its change.
    pub wait_max_ms: u64,
    /// How long a stopping node waits for what is under way.
    pub drain_ms: u64,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            exchanges: 1_024,
            body_max_bytes: 1_048_576,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            streams: 1_000,
            streams_per_system: 100,
            wait_ms: 10_000,
            wait_max_ms: 60_000,
            drain_ms: 30_000,
        }
    }
}

/// What the node tells of its work. Never a payload.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The form of the log on standard error.
    pub log: LogForm,
    /// What is logged, in the words of `tracing`'s filters: `info`, `rabita=debug`.
    pub log_filter: Option<String>,
    /// Where traces go. Without it, none are made.
    pub traces: Option<Traces>,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    #[default]
    Json,
    Text,
}

/// Where traces go, as OTLP over HTTP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The collector's address up to and with the path: `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    /// The share of exchanges that are traced where the caller's `traceparent` does not decide, from 0 to 1.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

const fn all() -> f64 {
    1.0
}

/// `agencies.yaml`: who there is, and for what data may be asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agencies {
    /// The agencies.
    pub agencies: Vec<Agency>,
    /// The purposes that grants and requests can name.
    #[serde(default)]
    pub purposes: Vec<PurposeSpec>,
    /// The laws and other acts on which purposes rest.
    #[serde(default)]
    pub legal_bases: Vec<LegalBasis>,
    /// Groups of systems that grants can name together.
    #[serde(default)]
    pub groups: Vec<Group>,
}

/// A public body.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub id: AgencyId,
    /// Its name for people.
    pub title: String,
    /// For how many months the ledger can still tell whom an exchange with one of its registries was about; after that
    /// the keys are destroyed, and nobody can. Left out, for ever.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub ledger_months: Option<u32>,
}

/// A purpose: the word of a legal basis.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurposeSpec {
    pub id: Purpose,
    /// What it is, for people; best with the law that it rests on.
    pub title: String,
    /// The law or other act that it rests on, of `legal_bases`.
    #[serde(default)]
    pub basis: Option<BasisId>,
}

/// A law or other act on which purposes rest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    pub id: BasisId,
    /// Its name for people: `Civil Status Act, section 12`.
    pub title: String,
    /// Where its text stands.
    #[serde(default)]
    pub url: Option<String>,
}

/// A group of systems.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub id: GroupId,
    /// Its name for people.
    #[serde(default)]
    pub title: Option<String>,
    #[schemars(length(min = 1))]
    pub systems: Vec<SystemId>,
}
