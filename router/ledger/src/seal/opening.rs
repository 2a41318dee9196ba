//! Openings: the key of one exchange, given away.

use rabita_model::{ExchangeId, Subject};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::entry::{KeyedDigest, Pseudonym, Sealed};
use crate::period::KeyName;
use crate::seal::{ExchangeKeys, KEY_BYTES, Private};

/// Opens the entries of one exchange: for a court, and for an agency that keeps its entries after the key is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The pseudonym key that it is made of.
    pub key: KeyName,
    pub exchange: ExchangeId,
    secret: Secret,
}

impl Opening {
    pub(super) fn new(name: &KeyName, exchange: ExchangeId, secret: &[u8; KEY_BYTES]) -> Self {
        Self { key: name.clone(), exchange, secret: Secret(*secret) }
    }

    /// Whether this pseudonym stands for this person.
    #[must_use]
    pub fn is_subject(&self, subject: &Subject, written: &Pseudonym) -> bool {
        self.keys().subject(subject) == *written
    }

    /// Whether this is what was asked, by the SHA-256 of [`crate::evidence::request_bytes`].
    #[must_use]
    pub fn is_request(&self, sha256: &[u8; 32], written: &KeyedDigest) -> bool {
        self.keys().request(sha256) == *written
    }

    /// Whether this is what was answered, by the SHA-256 of the body.
    #[must_use]
    pub fn is_answer(&self, sha256: &[u8; 32], written: &KeyedDigest) -> bool {
        self.keys().answer(sha256) == *written
    }

    /// The user, the case and the consent. `None` where they were sealed with another key.
    #[must_use]
    pub fn private(&self, sealed: &Sealed) -> Option<Private> {
        self.keys().open(sealed)
    }

    fn keys(&self) -> ExchangeKeys {
        ExchangeKeys::new(self.exchange, &self.secret.0)
    }
}

/// The key of an exchange, which nothing may log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeyedDigest", into = "KeyedDigest")]
struct Secret([u8; KEY_BYTES]);

impl From<KeyedDigest> for Secret {
    fn from(bytes: KeyedDigest) -> Self {
        Self(bytes.0)
    }
}

impl From<Secret> for KeyedDigest {
    fn from(secret: Secret) -> Self {
        Self(secret.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
