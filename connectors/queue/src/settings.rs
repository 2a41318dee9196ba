//! What a manifest's `connector:` says about the broker and the registry behind it.

use rabita_http::settings::Tls;
use rabita_sdk::reply::Status;
use rabita_sdk::{SecretRef, TextOrSecret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::from::To;

/// Where the broker is, and how the registry behind it is spoken with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A broker that speaks AMQP 0-9-1, such as RabbitMQ. Either this or `kafka` is given.
    #[serde(default)]
    pub amqp: Option<Amqp>,
    /// Apache Kafka. Either this or `amqp` is given.
    #[serde(default)]
    pub kafka: Option<Kafka>,
    /// How a reply says how the call ended, where an operation does not say it otherwise.
    #[serde(default)]
    pub status: Option<Status>,
    /// The registry does a change once however often it comes with the same message id. Changes and actions whose request
    /// holds `{$message_id}` say the same.
    #[serde(default)]
    pub deduplicates_by_message_id: bool,
    /// What is asked to find out whether the registry answers; without it, only the broker is asked.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// The longest that making a connection to one address may take.
    #[serde(default = "connect_timeout_ms")]
    #[schemars(range(min = 1))]
    pub connect_timeout_ms: u64,
    /// The longest reply that is taken, in bytes.
    #[serde(default = "reply_max_bytes")]
    #[schemars(range(min = 1))]
    pub reply_max_bytes: usize,
}

/// A broker that speaks AMQP 0-9-1.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Amqp {
    /// `host:port` of each node, tried in turn.
    #[schemars(length(min = 1))]
    pub addresses: Vec<String>,
    /// The virtual host.
    #[serde(default = "vhost")]
    pub vhost: String,
    /// The user's name. Without it the bus says who it is by its certificate alone (EXTERNAL).
    #[serde(default)]
    pub user: Option<TextOrSecret>,
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Speaks TLS, also where it is given without keys of its own (`{}`).
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The exchange that requests go to, where an operation names no other; the default exchange when not given.
    #[serde(default)]
    pub exchange: String,
    /// The routing key of requests, where an operation names no other. With the default exchange it names the queue.
    #[serde(default)]
    pub routing_key: Option<String>,
    /// A connection is dead on which nothing came for about twice as long.
    #[serde(default = "heartbeat_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub heartbeat_seconds: u16,
}

/// Apache Kafka.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of some brokers: one that answers tells where the others are.
    #[schemars(length(min = 1))]
    pub brokers: Vec<String>,
    /// The topic that requests go to, where an operation names no other.
    #[serde(default)]
    pub topic: Option<String>,
    /// The topic that replies come on.
    pub reply_topic: String,
    /// The user's name. Without it the bus says who it is by its certificate, or not at all.
    #[serde(default)]
    pub user: Option<TextOrSecret>,
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// How user and password are shown to the brokers.
    #[serde(default)]
    pub mechanism: Mechanism,
    /// Speaks TLS, also where it is given without keys of its own (`{}`).
    #[serde(default)]
    pub tls: Option<Tls>,
}

/// How user and password are shown to the brokers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "PLAIN")]
    Plain,
}

/// A request that finds out whether the registry answers. Any reply will do, save that it is unavailable.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    #[serde(default)]
    pub to: To,
    /// The request, as a template without values.
    pub request: Value,
}

fn vhost() -> String {
    "/".to_owned()
}

const fn heartbeat_seconds() -> u16 {
    10
}

const fn connect_timeout_ms() -> u64 {
    5_000
}

const fn reply_max_bytes() -> usize {
    8 * 1024 * 1024
}
