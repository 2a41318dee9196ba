//! Checkpoints (C2SP tlog-checkpoint): the size and the root of a log, signed by it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rabita_keys::SigningKey;

use super::note::{self, Note, NoteError, VerifierKey};
use super::proof::Hash;

/// What a log was at some time, signed by the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, under which it signs.
    pub origin: String,
    /// So many entries it has.
    pub size: u64,
    pub root: Hash,
    /// The signed note.
    pub note: String,
}

impl Checkpoint {
    /// Signs a checkpoint with the log's key.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(origin: &str, size: u64, root: Hash, key: &SigningKey) -> Result<Self, NoteError> {
        let text = text(origin, size, &root);
        let signature = note::sign(&text, origin, key)?;
        let note = Note { text, signatures: vec![signature] }.to_string();
        Ok(Self { origin: origin.to_owned(), size, root, note })
    }

    /// Reads a checkpoint of the log whose key this is. The lines of others, such as witnesses, are kept and not verified.
    ///
    /// # Errors
    /// When it is no checkpoint, is another log's, or is not signed with the key.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let parsed = Note::parse(note)?;
        parsed.verify(key)?;
        let (origin, size, root) = read(&parsed.text)?;
        if origin != key.name() {
            return Err(NoteError::Origin(origin.to_owned()));
        }
        Ok(Self { origin: origin.to_owned(), size, root, note: note.to_owned() })
    }

    /// As [`Checkpoint::verify`], of a note as the log writes it: with its own line and no other.
    pub(super) fn verify_alone(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let parsed = Note::parse(note)?;
        if parsed.signatures.len() != 1 || parsed.to_string() != note {
            return Err(NoteError::Malformed("it is not as the log writes it"));
        }
        Self::verify(note, key)
    }

    /// What is signed: the note without its signatures.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.origin, self.size, &self.root)
    }
}

fn text(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
}

/// What a checkpoint's text says: origin, size and root. Extension lines are refused: this log writes none, and no tree
/// covers them.
pub(super) fn read(written: &str) -> Result<(&str, u64, Hash), NoteError> {
    let lines: Vec<&str> = written.split_terminator('\n').collect();
    let [origin, size, root] = lines[..] else { return Err(NoteError::Checkpoint("it has not three lines")) };
    let number = size.parse().map_err(|_| NoteError::Checkpoint("its size is no number"))?;
    let hash = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
    let hash = hash.ok_or(NoteError::Checkpoint("its root is no SHA-256"))?;
    if text(origin, number, &hash) != written || origin.is_empty() {
        return Err(NoteError::Checkpoint("it is not in the one form that it has"));
    }
    Ok((origin, number, hash))
}
