//! `webhooks:` of `rabita.yaml`: how events are brought to callers that asked for them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How events are brought to the callers that subscribed to them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// The pauses between the attempts to bring one event, each varied a little. After the last one it is a dead
    /// letter, and the next event's turn.
    #[schemars(length(min = 1))]
    pub retry_ms: Vec<u64>,
    /// The longest that one attempt may take.
    #[schemars(range(min = 1))]
    pub timeout_ms: u64,
    /// Attempts of one node under way at once.
    #[schemars(range(min = 1))]
    pub concurrency: usize,
    /// Dead letters in a row after which a subscription is disabled.
    #[schemars(range(min = 1))]
    pub disable_after: u32,
    /// Dead letters that are kept for one subscription; beyond them the oldest go.
    #[schemars(range(min = 1))]
    pub dead_max: usize,
    /// Subscriptions that one system may have.
    #[schemars(range(min = 1))]
    pub per_system: usize,
    /// Authorities of receivers' certificates, PEM, beside those that the machine trusts.
    pub authorities: Option<PathBuf>,
    /// Takes `http:` addresses too. What is sent can then be read on the way.
    pub dangerously_allow_http_webhooks: bool,
    /// Connects to loopback, private and link-local addresses too. A caller can then make the node reach what only the
    /// node can reach.
    pub dangerously_allow_private_webhooks: bool,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            // What Standard Webhooks proposes.
            retry_ms: [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600].map(|seconds| seconds * 1000).to_vec(),
            timeout_ms: 15_000,
            concurrency: 64,
            disable_after: 10,
            dead_max: 1_000,
            per_system: 100,
            authorities: None,
            dangerously_allow_http_webhooks: false,
            dangerously_allow_private_webhooks: false,
        }
    }
}
