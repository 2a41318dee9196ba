//! What a manifest's `connector:` says beside where the service is (which `rabita-http` reads).

use std::collections::BTreeMap;

use rabita_sdk::reply::Meaning;
use rabita_sdk::{SecretRef, TextOrSecret};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How to speak SOAP with the service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The version of SOAP that requests are written in. Answers are understood in both.
    #[serde(default)]
    pub version: SoapVersion,
    /// The namespaces that names in this manifest may have, by prefix.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,
    /// Header blocks for every request, as a template: elements by name, in order.
    #[serde(default)]
    pub header: Option<Value>,
    /// WS-Security in every request.
    #[serde(default)]
    pub security: Option<Security>,
    /// What faults mean, by the exact fault string, the fault code, a subcode, or the name of the first element of
    /// the detail (without prefixes). A fault that is not named is a refusal when it blames the sender (`Client`,
    /// `Sender`), and otherwise says that the registry is unavailable.
    #[serde(default)]
    pub faults: BTreeMap<String, Meaning>,
    /// How it is found out whether the service answers.
    #[serde(default)]
    pub probe: Probe,
}

/// A version of SOAP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SoapVersion {
    #[default]
    #[serde(rename = "1.1")]
    V1_1,
    #[serde(rename = "1.2")]
    V1_2,
}

/// WS-Security (OASIS, 2004).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// A user's name and password (UsernameToken Profile 1.0).
    #[serde(default)]
    pub username_token: Option<UsernameToken>,
    /// Adds a `Timestamp` which says that a request holds for so long.
    #[serde(default)]
    #[schemars(range(min = 1, max = 86_400))]
    pub timestamp_seconds: Option<u32>,
}

/// A user's name and password.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsernameToken {
    pub user: TextOrSecret,
    pub password: SecretRef,
    /// Sends a digest of the password with a nonce and the time instead of the password itself.
    #[serde(default)]
    pub digest: bool,
}

/// How it is found out whether the service answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// By asking for its description (`?wsdl`). Any answer will do, save that of a server in trouble (5xx).
    #[default]
    Wsdl,
    /// By calling an operation. Any answer will do, save that it is unavailable.
    Call(ProbeCall),
}

/// An operation that is called as a probe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeCall {
    /// The operation's SOAPAction.
    #[serde(default)]
    pub action: String,
    /// The request's element, as a template without values.
    pub request: Value,
}
