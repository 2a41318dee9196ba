//! What the machine knows: the day, the environment, files of secrets, ids.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rabita_core::Clock;
use rabita_model::ExchangeId;
use rabita_sdk::{SecretRef, SecretText, Secrets};
use uuid::Uuid;

/// The wall clock.
#[derive(Debug, Clone, Copy)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Secrets in the environment, and in files below the configuration directory.
#[derive(Debug, Clone)]
pub struct MachineSecrets {
    directory: PathBuf,
}

impl MachineSecrets {
    /// Relative files are relative to this directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }
}

impl Secrets for MachineSecrets {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        match secret {
            SecretRef::Env(variable) => match std::env::var(&variable.env) {
                Ok(text) => Ok(SecretText::new(text)),
                Err(std::env::VarError::NotPresent) => Err(format!("the environment variable {} is not set", variable.env)),
                Err(std::env::VarError::NotUnicode(_)) => Err(format!("the environment variable {} is not UTF-8", variable.env)),
            },
            SecretRef::File(file) => {
                let path = self.directory.join(&file.file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?;
                Ok(SecretText::new(text.strip_suffix('\n').unwrap_or(&text).to_owned()))
            }
        }
    }
}

/// The name of this machine, or of the container that is one to us.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A new exchange id: sorted by time.
#[must_use]
pub fn new_exchange() -> ExchangeId {
    ExchangeId::new(Uuid::now_v7())
}
