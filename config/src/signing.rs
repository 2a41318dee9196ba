//! `signing:` of `rabita.yaml`: how answers are signed (RFC 9421), and for how long a signed request is fresh.

use std::path::PathBuf;

use rabita_sdk::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How answers are signed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signing {
    /// The first signs; all are published at `/bus/keys`, so that a new one is known before it signs and an old one after.
    /// Without any, answers are not signed.
    pub keys: Vec<KeySource>,
    /// How old a signed request may be, and how far from the future.
    #[schemars(range(min = 1))]
    pub window_s: u64,
}

impl Default for Signing {
    fn default() -> Self {
        Self { keys: Vec::new(), window_s: 60 }
    }
}

/// Where a private key is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum KeySource {
    /// A PEM file (PKCS #8): Ed25519, or ECDSA on P-256.
    File {
        /// What signatures name it by.
        id: String,
        file: PathBuf,
    },
    /// A key that does not leave its module.
    Pkcs11 {
        /// What signatures name it by.
        id: String,
        pkcs11: Pkcs11Key,
    },
}

/// A key in a PKCS #11 module.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Key {
    /// The module's library.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label of the key pair in it.
    pub key: String,
    /// The user's PIN.
    pub pin: SecretRef,
}
