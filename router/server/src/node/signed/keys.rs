//! The keys of a configuration: the node's own, and those of systems.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_config::signing::{KeySource, Signing};
use rabita_config::system::System;
use rabita_keys::{KeyError, SigningKey, VerifyingKey};
use rabita_model::SystemId;
use rabita_sdk::Secrets;
use serde_json::{Value, json};

/// Why the keys of a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the file of the key `{id}`, {}, cannot be read: {source}", .file.display())]
    Read { id: String, file: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the PIN of the key `{id}` is not to be had: {reason}")]
    Pin { id: String, reason: String },
    #[error("two keys have the name `{id}`")]
    Twice { id: String },
}

/// The keys of a configuration.
pub(super) struct Keys {
    /// The one that signs answers.
    pub(super) signing: Option<Arc<SigningKey>>,
    /// All that are published.
    pub(super) jwks: Value,
    pub(super) window_s: u64,
    systems: BTreeMap<SystemId, Vec<VerifyingKey>>,
}

impl Keys {
    /// Reads them. Files are relative to the directory.
    pub(super) fn open(
        directory: &Path,
        spec: &Signing,
        systems: &[System],
        secrets: &dyn Secrets,
    ) -> Result<Self, SigningError> {
        let own = spec.keys.iter().map(|source| own(directory, source, secrets));
        let own = own.collect::<Result<Vec<SigningKey>, _>>()?;
        each_once(own.iter().map(SigningKey::id))?;
        let mut of_systems = BTreeMap::new();
        for system in systems.iter().filter(|system| !system.keys.is_empty()) {
            let keys = system.keys.iter().map(|key| {
                let pem = read(directory, &key.id, &key.file)?;
                Ok(VerifyingKey::from_pem(&key.id, &pem)?)
            });
            let keys = keys.collect::<Result<Vec<_>, SigningError>>()?;
            each_once(keys.iter().map(VerifyingKey::id))?;
            of_systems.insert(system.system.clone(), keys);
        }
        let jwks = json!({ "keys": own.iter().map(|key| key.verifying().jwk()).collect::<Vec<_>>() });
        Ok(Self { signing: own.into_iter().next().map(Arc::new), jwks, window_s: spec.window_s, systems: of_systems })
    }

    /// The key of this name that a system signs requests with.
    pub(super) fn of_system(&self, system: &SystemId, id: &str) -> Option<&VerifyingKey> {
        self.systems.get(system)?.iter().find(|key| key.id() == id)
    }
}

/// The private key that a configuration names.
pub(in crate::node) fn own(directory: &Path, source: &KeySource, secrets: &dyn Secrets) -> Result<SigningKey, SigningError> {
    match source {
        KeySource::File { id, file } => Ok(SigningKey::from_pem(id, &read(directory, id, file)?)?),
        KeySource::Pkcs11 { id, pkcs11 } => {
            let pin = secrets.resolve(&pkcs11.pin).map_err(|reason| SigningError::Pin { id: id.clone(), reason })?;
            Ok(SigningKey::from_pkcs11(id, &pkcs11.module, &pkcs11.token, &pkcs11.key, pin.expose())?)
        }
    }
}

fn read(directory: &Path, id: &str, file: &Path) -> Result<Vec<u8>, SigningError> {
    let file = directory.join(file);
    std::fs::read(&file).map_err(|source| SigningError::Read { id: id.to_owned(), file, source })
}

fn each_once<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), SigningError> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(SigningError::Twice { id: id.to_owned() });
        }
    }
    Ok(())
}
