//! `systems/*.yaml`: the software that calls the bus, and how it is known.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rabita_model::{AgencyId, SystemId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A system.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub system: SystemId,
    /// The agency that answers for it.
    pub agency: AgencyId,
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// The client certificates that it is known by; any one of them.
    #[serde(default)]
    pub certificates: Vec<CertificateMatch>,
    /// The access tokens that it is known by; any one of them. A system has certificates, tokens or both.
    #[serde(default)]
    pub tokens: Vec<TokenMatch>,
    /// The public keys with which it signs requests.
    #[serde(default)]
    pub keys: Vec<RequestKey>,
    /// What row conditions of grants can ask of it as `caller`: `{ district: baku }`.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    /// How much it may ask.
    #[serde(default)]
    pub limits: SystemLimits,
}

/// What a client certificate must have. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub struct CertificateMatch {
    /// The SHA-256 of the whole certificate in hexadecimal digits, with or without colons: exactly this certificate.
    #[schemars(regex(pattern = r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"))]
    #[schemars(extend("patternErrorMessage" = "a SHA-256 as 64 hexadecimal digits, with or without colons"))]
    pub sha256: Option<String>,
    /// A DNS name among its subject alternative names.
    pub dns: Option<String>,
    /// A URI among its subject alternative names.
    pub uri: Option<String>,
    /// The common name of its subject.
    pub common_name: Option<String>,
}

impl CertificateMatch {
    /// Whether it names nothing, and so would match every certificate.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sha256.is_none() && self.dns.is_none() && self.uri.is_none() && self.common_name.is_none()
    }

    /// The fingerprint as 64 lower-case digits.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        self.sha256.as_ref().map(|text| text.replace(':', "").to_lowercase())
    }
}

/// What an access token must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenMatch {
    /// One of the issuers of `rabita.yaml`: the token's `iss`.
    pub issuer: String,
    /// The token's `client_id`.
    pub client_id: String,
}

/// A public key with which a system signs requests.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestKey {
    /// What the signature names it by: its `keyid`.
    pub id: String,
    /// The public key as PEM (`SubjectPublicKeyInfo`): Ed25519, or ECDSA on P-256.
    pub file: PathBuf,
}

/// How much a system may ask.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SystemLimits {
    #[schemars(range(min = 1))]
    pub requests_per_second: u32,
    /// How many may come at once after a pause. Without it, one second's worth.
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
}

impl Default for SystemLimits {
    fn default() -> Self {
        Self { requests_per_second: 100, burst: None }
    }
}
