//! What a witness remembers of another's log, in a directory: the log's key, the checkpoint seen last, and, where the log
//! contradicted itself, both checkpoints as evidence.
//!
//! What is remembered is durable before a signature leaves, so that a witness never signs two views of one log. One process
//! at a time works in a directory; whoever opens it sees to that.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rabita_keys::SigningKey;
use rabita_ledger::log::note::{self, Note, NoteError, SignatureKind};
use rabita_ledger::log::proof::verify_consistency;
use rabita_ledger::log::{Checkpoint, Hash, VerifierKey};

/// What is remembered of one log.
pub(crate) struct Memory {
    directory: PathBuf,
    key: VerifierKey,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    #[error("{}: {source}", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("{}: {source}", .file.display())]
    Remembered { file: PathBuf, source: NoteError },
    #[error("{0}")]
    Note(#[from] NoteError),
    #[error("{0} is no key of a log")]
    Kind(String),
    #[error("{origin} is remembered in {} with another key than {shown}", .directory.display())]
    Key { origin: String, shown: String, directory: PathBuf },
    #[error(
        "LEDGER SPLIT VIEW: {origin} {what}: {seen} entries were seen, {shown} are shown. Nothing is cosigned; both \
         checkpoints, which the log signed, are in {}: show them to others", .directory.display()
    )]
    Conflict { origin: String, what: &'static str, seen: u64, shown: u64, directory: PathBuf },
}

impl Memory {
    /// Opens what a state directory has of a log. Where it has nothing yet, this key is remembered and holds from then on.
    ///
    /// # Errors
    /// When another key is remembered, or a file cannot be read or written.
    pub(crate) fn open(state: &Path, key: VerifierKey) -> Result<Self, WitnessError> {
        if key.kind() != SignatureKind::Ed25519 {
            return Err(WitnessError::Kind(key.to_string()));
        }
        let directory = state.join(directory_name(key.name()));
        std::fs::create_dir_all(&directory).map_err(|source| WitnessError::File { file: directory.clone(), source })?;
        match Self::key_of(state, key.name())? {
            Some(known) if known != key => {
                Err(WitnessError::Key { origin: key.name().to_owned(), shown: key.to_string(), directory })
            }
            Some(_) => Ok(Self { directory, key }),
            None => {
                replace(&directory.join("key"), format!("{key}\n").as_bytes())?;
                Ok(Self { directory, key })
            }
        }
    }

    /// The key that a state directory remembers of a log.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub(crate) fn key_of(state: &Path, origin: &str) -> Result<Option<VerifierKey>, WitnessError> {
        let file = state.join(directory_name(origin)).join("key");
        let Some(text) = read(&file)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|source| WitnessError::Remembered { file, source })
    }

    /// The log's key.
    pub(crate) const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The checkpoint seen last.
    ///
    /// # Errors
    /// When the file cannot be read, or is none of this log.
    pub(crate) fn seen(&self) -> Result<Option<Checkpoint>, WitnessError> {
        let file = self.directory.join("checkpoint");
        let Some(note) = read(&file)? else { return Ok(None) };
        Checkpoint::verify(&note, &self.key).map(Some).map_err(|source| WitnessError::Remembered { file, source })
    }

    /// That the log only grew from what was seen to what is shown. `proof` is from one size to the other.
    ///
    /// # Errors
    /// [`WitnessError::Conflict`], with both checkpoints kept; whatever came in the way of keeping them.
    pub(crate) fn compare(&self, seen: &Checkpoint, shown: &Checkpoint, proof: &[Hash]) -> Result<(), WitnessError> {
        if shown.size < seen.size {
            return Err(self.conflict(seen, shown, "took entries back", &[])?);
        }
        if verify_consistency(seen.size, shown.size, &seen.root, &shown.root, proof) {
            return Ok(());
        }
        Err(self.conflict(seen, shown, "shows another past than before", proof)?)
    }

    /// Remembers a checkpoint that was compared, and cosigns it. `at` is in seconds since 1970.
    ///
    /// # Errors
    /// When it cannot be remembered, or the key cannot sign.
    pub(crate) fn cosign(&self, shown: &Checkpoint, name: &str, key: &SigningKey, at: u64) -> Result<Note, WitnessError> {
        replace(&self.directory.join("checkpoint"), shown.note.as_bytes())?;
        let line = note::cosign(&shown.text(), name, key, at)?;
        Ok(Note { text: shown.text(), signatures: vec![line] })
    }

    fn conflict(
        &self,
        seen: &Checkpoint,
        shown: &Checkpoint,
        what: &'static str,
        proof: &[Hash],
    ) -> Result<WitnessError, WitnessError> {
        let directory = self.directory.join(format!("conflict-{}-{}", seen.size, shown.size));
        let lines = proof.iter().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
        std::fs::create_dir_all(&directory).map_err(|source| WitnessError::File { file: directory.clone(), source })?;
        replace(&directory.join("seen"), seen.note.as_bytes())?;
        replace(&directory.join("shown"), shown.note.as_bytes())?;
        replace(&directory.join("proof"), lines.collect::<String>().as_bytes())?;
        Ok(WitnessError::Conflict { origin: shown.origin.clone(), what, seen: seen.size, shown: shown.size, directory })
    }
}

/// Puts a file in the place of the one before, whole, and durable when this returns.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> Result<(), WitnessError> {
    let half = file.with_added_extension("new");
    let wrote = || -> std::io::Result<()> {
        let mut new = std::fs::File::create(&half)?;
        new.write_all(bytes)?;
        new.sync_all()?;
        std::fs::rename(&half, file)?;
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(directory)?.sync_all()
    };
    wrote().map_err(|source| WitnessError::File { file: file.to_owned(), source })
}

fn read(file: &Path) -> Result<Option<String>, WitnessError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WitnessError::File { file: file.to_owned(), source }),
    }
}

/// An origin may hold any character but blanks and `+`. Two origins have two names.
fn directory_name(origin: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("+{byte:02x}") };
    origin.bytes().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_a_directory_of_its_own() {
        assert_eq!(directory_name("bus.example/node-1"), "bus+2eexample+2fnode-1");
        assert_ne!(directory_name("a/b"), directory_name("a.b"));
        assert_eq!(directory_name(".."), "+2e+2e");
    }
}
