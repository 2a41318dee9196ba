//! Secrets by reference: configuration names where a secret is, never the secret.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecretRef {
    /// In an environment variable.
    Env(EnvRef),
    /// In a file, relative to the configuration directory; a line feed at its end does not belong to it.
    File(FileRef),
}

/// A secret in an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvRef {
    /// The variable's name.
    pub env: String,
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// The file, relative to the configuration directory.
    pub file: PathBuf,
}

/// A text in the open, or by reference where it holds a secret (the password in a URL).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TextOrSecret {
    Text(String),
    Secret(SecretRef),
}

/// A secret's text. Its debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Looks secrets up. Only the binary has one that reads the environment and the disk.
pub trait Secrets: Send + Sync {
    /// The secret's text.
    ///
    /// # Errors
    /// A sentence saying what is missing (`the environment variable X is not set`), without the secret.
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String>;

    /// The text, looked up where it is by reference.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    fn text(&self, text: &TextOrSecret) -> Result<SecretText, String> {
        match text {
            TextOrSecret::Text(text) => Ok(SecretText::new(text.clone())),
            TextOrSecret::Secret(secret) => self.resolve(secret),
        }
    }
}
