//! Opens the ledger that the configuration asks for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rabita_config::Country;
use rabita_config::ledger::Period as Configured;
use rabita_keys::{Algorithm, KeyError, SigningKey};
use rabita_ledger::{Ledger, LedgerError, Options, Period};
use rabita_model::AgencyId;

use super::signed::{SigningError, own};
use crate::machine::{MachineSecrets, hostname};

/// For how long another `ledger_months` has to stand before it destroys keys.
const RULE_STANDS: Duration = Duration::from_secs(3_600);

/// A ledger, and the key that signs its checkpoints.
pub struct Opened {
    pub ledger: Arc<Ledger>,
    pub key: Arc<SigningKey>,
    /// Where it lies.
    pub directory: PathBuf,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerOpenError {
    #[error("the ledger in {} cannot be opened: {source}", .directory.display())]
    Ledger { directory: PathBuf, source: LedgerError },
    #[error("{} cannot be used: {source}", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("{} cannot be used: {source}", .file.display())]
    Signer { file: PathBuf, source: KeyError },
    #[error("the key of the ledger: {0}")]
    Key(#[from] SigningError),
    #[error("the key of the ledger, `{0}`, is no Ed25519 key: checkpoints are signed with one")]
    Kind(String),
    #[error("no key could be made for the ledger: {0}")]
    Generate(KeyError),
}

/// Opens the ledger, or begins it; `None` where the configuration has it off. Blocks, and must be called within a runtime.
///
/// # Errors
/// When its directory or its key cannot be used, naming it.
pub fn open(country: &Country, secrets: &MachineSecrets) -> Result<Option<Opened>, LedgerOpenError> {
    let spec = &country.node.ledger;
    if !spec.is_enabled {
        return Ok(None);
    }
    let directory = country.directory.join(&spec.directory);
    let key = match &spec.key {
        Some(source) => own(&country.directory, source, secrets)?,
        None => signer(&directory)?,
    };
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(LedgerOpenError::Kind(key.id().to_owned()));
    }
    let key = Arc::new(key);
    let options = Options {
        directory: directory.clone(),
        origin: origin(&spec.origin),
        key: Arc::clone(&key),
        period: match spec.period {
            Configured::Day => Period::Day,
            Configured::Month => Period::Month,
            Configured::Year => Period::Year,
        },
        keep_months: keep_months(country),
        rule_stands: RULE_STANDS,
        clock: Arc::new(Timestamp::now),
    };
    match Ledger::open(options) {
        Ok(ledger) => Ok(Some(Opened { ledger: Arc::new(ledger), key, directory })),
        Err(source) => Err(LedgerOpenError::Ledger { directory, source }),
    }
}

/// The log's name: nodes that share a configuration are told apart by their machines.
fn origin(written: &str) -> String {
    written.replace("{hostname}", &hostname())
}

/// For how many months each agency has its pseudonym keys kept.
pub fn keep_months(country: &Country) -> BTreeMap<AgencyId, u32> {
    let kept = country.agencies.values().filter_map(|agency| Some((agency.id.clone(), agency.ledger_months?)));
    kept.collect()
}

/// The key in the ledger's directory; made where there is none. The log is signed with it for as long as it lives.
fn signer(directory: &Path) -> Result<SigningKey, LedgerOpenError> {
    let file = directory.join("signer.pem");
    let failed = |source| LedgerOpenError::File { file: file.clone(), source };
    match std::fs::read(&file) {
        Ok(pem) => {
            return SigningKey::from_pem("ledger", &pem).map_err(|source| LedgerOpenError::Signer { file: file.clone(), source });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let (key, pem) = SigningKey::generate("ledger", Algorithm::Ed25519).map_err(LedgerOpenError::Generate)?;
    let written = || -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        // Whole and durable before the first checkpoint is signed with it.
        let half = file.with_added_extension("new");
        let mut new = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        new.write_all(pem.as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&half, &file)?;
        std::fs::File::open(directory)?.sync_all()
    };
    written().map_err(failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_the_machine_where_it_says_so() {
        assert_eq!(origin("bus.example/node-1"), "bus.example/node-1");
        let named = origin("bus.example/{hostname}");
        assert!(!hostname().is_empty() && named == format!("bus.example/{}", hostname()), "{named}");
    }
}
