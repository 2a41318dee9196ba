//! How the Kafka engine is opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rabita_model::RegistryId;

use crate::embedded::Clock;
use crate::journal::Retention;

/// How the Kafka engine is opened.
#[derive(Clone)]
pub struct Options {
    /// Where to begin to ask for the cluster: `host:port`, several if there are.
    pub brokers: Vec<String>,
    /// What the names of all topics and groups begin with. Nodes with the same prefix are one bus.
    pub prefix: String,
    /// On how many brokers each topic lies.
    pub replication: u16,
    /// Into how many parts the topics are divided; as many nodes at most share the work of one registry.
    pub partitions: u16,
    /// Where the node's view of the topics lies. It can be built anew, and is for one process at a time.
    pub directory: PathBuf,
    pub security: Security,
    /// The registries whose updates this node takes on and delivers.
    pub registries: Vec<RegistryId>,
    /// So many updates wait at most, parked ones among them.
    pub pending_max: u64,
    pub retention: Retention,
    pub clock: Clock,
    /// After so long without a sign of life a node's updates are another's. The brokers state the least and the most.
    pub session: Duration,
}

impl Options {
    /// What holds where the configuration says nothing.
    #[must_use]
    pub fn new(brokers: Vec<String>, directory: PathBuf, registries: Vec<RegistryId>, clock: Clock) -> Self {
        Self {
            brokers,
            prefix: "rabita".to_owned(),
            replication: 3,
            partitions: 12,
            directory,
            security: Security::default(),
            registries,
            pending_max: 10_000_000,
            retention: Retention::default(),
            clock,
            session: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("brokers", &self.brokers).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// How the brokers are spoken to. By default in clear and without a name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub protocol: Protocol,
    /// The authority that the brokers' certificates must come from, as PEM; the system's where it is left out.
    pub ca_file: Option<PathBuf>,
    /// The node's own certificate and key, as PEM.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Option<String>,
    /// How the node shows who it is, where the protocol has SASL.
    pub mechanism: Mechanism,
    pub user: Option<String>,
    pub password: Option<String>,
}

impl fmt::Debug for Security {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security").field("protocol", &self.protocol).field("user", &self.user).finish_non_exhaustive()
    }
}

/// What lies between the node and the brokers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    /// As the client library writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// How a node shows who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    #[default]
    ScramSha512,
}

impl Mechanism {
    /// As the client library writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}
