//! `journal:` of `rabita.yaml`: where updates and events are kept.

use std::path::PathBuf;

use rabita_sdk::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where updates and events are kept, and for how long. Without `kafka` in a directory of the node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSpec {
    /// In a directory, for one node.
    pub embedded: Option<EmbeddedSpec>,
    /// In Apache Kafka, for several nodes.
    pub kafka: Option<KafkaSpec>,
    /// How long concluded updates and their idempotency keys are kept.
    #[schemars(range(min = 1))]
    pub retain_updates_ms: u64,
    /// How long events are kept.
    #[schemars(range(min = 1))]
    pub retain_events_ms: u64,
    /// So many updates wait at most, parked ones among them.
    #[schemars(range(min = 1))]
    pub pending_max: u64,
}

impl Default for JournalSpec {
    fn default() -> Self {
        const WEEK_MS: u64 = 7 * 86_400_000;
        Self { embedded: None, kafka: None, retain_updates_ms: WEEK_MS, retain_events_ms: WEEK_MS, pending_max: 10_000_000 }
    }
}

impl JournalSpec {
    /// The engine that is meant.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.kafka {
            Some(kafka) => Engine::Kafka(Box::new(kafka.clone())),
            None => Engine::Embedded(self.embedded.clone().unwrap_or_default()),
        }
    }
}

/// What keeps the journal.
#[derive(Debug, Clone)]
pub enum Engine {
    Embedded(EmbeddedSpec),
    Kafka(Box<KafkaSpec>),
}

/// The embedded engine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedSpec {
    /// Its directory, relative to the configuration directory.
    pub directory: PathBuf,
    /// So much of the disk is left free by updates, for their outcomes.
    pub reserve_bytes: u64,
}

impl Default for EmbeddedSpec {
    fn default() -> Self {
        Self { directory: directory(), reserve_bytes: 64 << 20 }
    }
}

/// Apache Kafka.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSpec {
    /// Where to begin to ask for the cluster: `host:port`.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[^\s,/]+:[0-9]{1,5}$")))]
    pub brokers: Vec<String>,
    /// What the names of all topics begin with. Nodes with the same prefix are one bus.
    #[serde(default = "prefix")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,100}$"))]
    #[schemars(extend("patternErrorMessage" = "letters, digits, `.`, `_` and `-`, at most 100"))]
    pub prefix: String,
    /// On how many brokers each topic lies.
    #[serde(default = "replication")]
    #[schemars(range(min = 1))]
    pub replication: u16,
    /// Into how many parts the topics are divided; so many nodes at most share the work.
    #[serde(default = "partitions")]
    #[schemars(range(min = 1))]
    pub partitions: u16,
    /// Where the node's view of the topics lies, relative to the configuration directory. It can be built anew.
    #[serde(default = "directory")]
    pub directory: PathBuf,
    /// How the brokers are spoken to.
    #[serde(default)]
    pub security: KafkaSecurity,
}

/// How the brokers are spoken to: by default in the clear and without a name. Files are relative to the configuration
/// directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSecurity {
    /// What lies between the node and the brokers.
    pub protocol: KafkaProtocol,
    /// The authority that the brokers' certificates must come from, PEM; the system's where it is left out.
    pub ca_file: Option<PathBuf>,
    /// The node's own certificate, PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
    /// What opens the private key.
    pub key_password: Option<SecretRef>,
    /// How the node shows who it is, where the protocol has SASL.
    pub mechanism: KafkaMechanism,
    /// The node's name at the brokers.
    pub user: Option<String>,
    /// The node's password at the brokers.
    pub password: Option<SecretRef>,
}

/// What lies between a node and the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaProtocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl KafkaProtocol {
    /// Whether the node shows who it is by a name and a password.
    #[must_use]
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How a node shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum KafkaMechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

fn directory() -> PathBuf {
    "journal".into()
}

fn prefix() -> String {
    "rabita".to_owned()
}

const fn replication() -> u16 {
    3
}

const fn partitions() -> u16 {
    12
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Engine, JournalSpec, KafkaProtocol};

    fn spec(value: Value) -> JournalSpec {
        serde_json::from_value(value).expect("a journal")
    }

    #[test]
    fn is_embedded_where_nothing_is_said() {
        let Engine::Embedded(embedded) = spec(json!({})).engine() else { panic!("another engine") };
        assert_eq!((embedded.directory.to_str(), embedded.reserve_bytes), (Some("journal"), 67_108_864));
        let Engine::Embedded(embedded) = spec(json!({ "embedded": { "directory": "x" } })).engine() else {
            panic!("another engine")
        };
        assert_eq!((embedded.directory.to_str(), embedded.reserve_bytes), (Some("x"), 67_108_864));
    }

    #[test]
    fn takes_kafka_in_its_own_words() {
        let security =
            json!({ "protocol": "sasl_ssl", "mechanism": "SCRAM-SHA-256", "user": "node", "password": { "env": "P" } });
        let said = spec(json!({ "kafka": { "brokers": ["a:9092"], "security": security }, "pending_max": 5 }));
        let Engine::Kafka(kafka) = said.engine() else { panic!("another engine") };
        assert_eq!((kafka.prefix.as_str(), kafka.replication, kafka.partitions), ("rabita", 3, 12));
        assert_eq!((kafka.security.protocol, said.pending_max), (KafkaProtocol::SaslSsl, 5));
    }
}
