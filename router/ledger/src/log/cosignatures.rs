//! What witnesses cosigned: of each the largest checkpoint, in the file `cosignatures`, which is always there.

use std::sync::PoisonError;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Checkpoint};
use super::directory::{COSIGNATURES, Directory};
use super::note::{Note, NoteError, SignatureKind, VerifierKey};
use super::{LogError, Shared};

/// A checkpoint that a witness cosigned.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosigned {
    pub witness: VerifierKey,
    /// When, as the witness says: seconds since 1970.
    pub at: u64,
    /// Its note has the line of the log and that of the witness.
    pub checkpoint: Checkpoint,
}

/// The largest of each witness.
#[derive(Debug, Default)]
pub(super) struct Cosignatures(Vec<Cosigned>);

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    witness: String,
    note: String,
}

impl Cosigned {
    /// Verifies a note with both lines.
    fn verify(note: &str, witness: VerifierKey, log: &VerifierKey) -> Result<Self, NoteError> {
        let checkpoint = Checkpoint::verify(note, log)?;
        let at = Note::parse(note)?.verify(&witness)?.ok_or(NoteError::Key("it is not a witness's"))?;
        Ok(Self { witness, at, checkpoint })
    }
}

impl Cosignatures {
    pub(super) fn list(&self) -> Vec<Cosigned> {
        self.0.clone()
    }

    /// The file's bytes: a line with the SHA-256 of what follows, and a line of JSON.
    pub(super) fn encode(&self) -> Vec<u8> {
        let line = |cosigned: &Cosigned| Line { witness: cosigned.witness.to_string(), note: cosigned.checkpoint.note.clone() };
        let lines: Vec<Line> = self.0.iter().map(line).collect();
        let lines = serde_json::to_string(&lines).expect("strings are JSON") + "\n";
        format!("{}\n{lines}", checksum(&lines)).into_bytes()
    }

    /// Reads the file; `None` where it is not what was written. The keys in it verify its notes, whoever they belong to.
    pub(super) fn decode(bytes: &[u8], log: &VerifierKey) -> Option<Self> {
        let (sum, lines) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        if sum != checksum(lines) {
            return None;
        }
        let lines: Vec<Line> = serde_json::from_str(lines).ok()?;
        let verified = lines.into_iter().map(|Line { witness, note }| Cosigned::verify(&note, witness.parse().ok()?, log).ok());
        let cosignatures = Self(verified.collect::<Option<Vec<_>>>()?);
        (cosignatures.encode() == bytes).then_some(cosignatures)
    }

    /// Takes the place of what the witness cosigned before. Answers whether it is newer than that.
    fn put(&mut self, cosigned: Cosigned) -> bool {
        let known = self.0.iter().position(|known| known.witness == cosigned.witness);
        let age = |cosigned: &Cosigned| (cosigned.checkpoint.size, cosigned.at);
        match known {
            Some(known) if age(&self.0[known]) >= age(&cosigned) => return false,
            Some(known) => self.0[known] = cosigned,
            None => self.0.push(cosigned),
        }
        self.0.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| a.witness.name().cmp(b.witness.name())));
        true
    }

    pub(super) fn write(&self, directory: &Directory) -> Result<(), LogError> {
        directory.put([(COSIGNATURES.to_owned(), self.encode())])
    }
}

impl Shared {
    pub(super) fn add_cosignature(&self, witness: &VerifierKey, note: &str) -> Result<(), LogError> {
        if witness.kind() != SignatureKind::Cosignature {
            return Err(NoteError::Key("it is not a witness's").into());
        }
        let note = Note::parse(note)?;
        let line = note.signatures.iter().find(|line| witness.is_of(line)).cloned();
        let line = line.ok_or_else(|| NoteError::Unsigned(witness.name().to_owned()))?;
        // Nothing is signed here but what the log is or was. Its own line is made anew, and lines of others are left out:
        // what is kept has one form.
        let (origin, size, root) = checkpoint::read(&note.text)?;
        if origin != self.signer.verifier.name() {
            return Err(NoteError::Origin(origin.to_owned()).into());
        }
        if self.root(size)? != Some(root) {
            return Err(NoteError::Checkpoint("the log never was so").into());
        }
        let kept = format!("{}{line}", self.signer.sign(size, root)?.note);
        let cosigned = Cosigned::verify(&kept, witness.clone(), &self.signer.verifier)?;
        let mut cosignatures = self.cosignatures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Cosignatures(cosignatures.list());
        if changed.put(cosigned) {
            changed.write(&self.directory)?;
            *cosignatures = changed;
        }
        Ok(())
    }
}

fn checksum(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}
