//! Signed notes (C2SP signed-note) and cosignatures of checkpoints (C2SP tlog-cosignature), with Ed25519.
//!
//! A note is a text and lines that sign it. What an unknown key signed is passed over, as the specification wants it;
//! what a known key is said to have signed and did not is refused.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rabita_keys::{Algorithm, SigningKey, VerifyingKey};

/// Signature lines beyond this number are refused; the specification wants at least 16.
const SIGNATURES_MAX: usize = 64;
/// Notes beyond this size are refused, in bytes.
const NOTE_MAX: usize = 64 << 10;
const DASH: &str = "\u{2014} ";
const KEY_BYTES: usize = 32;

/// Why a note or its key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is no signed note: {0}")]
    Malformed(&'static str),
    #[error("it is no verifier key: {0}")]
    Key(&'static str),
    #[error("`{0}` did not sign it")]
    Unsigned(String),
    #[error("the signature of `{0}` does not verify")]
    Forged(String),
    #[error("it cannot be signed: {0}")]
    Signing(String),
    #[error("it is no checkpoint: {0}")]
    Checkpoint(&'static str),
    #[error("it is of the log `{0}`")]
    Origin(String),
}

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SignatureKind {
    /// The note's text: what a log does with its checkpoints.
    Ed25519 = 1,
    /// That the log was seen at this checkpoint at that time, and consistent: what a witness does (`cosignature/v1`).
    Cosignature = 4,
}

/// A public key with the name under which it signs notes: `name+id+key`.
#[derive(Debug, Clone)]
pub struct VerifierKey {
    name: String,
    kind: SignatureKind,
    id: u32,
    key: VerifyingKey,
}

impl VerifierKey {
    /// # Errors
    /// When the name is empty or holds a space or a plus sign, or when the key is not an Ed25519 key.
    pub fn new(name: &str, kind: SignatureKind, key: &VerifyingKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("its name is empty or holds spaces or plus signs"));
        }
        if key.algorithm() != Algorithm::Ed25519 || key.raw().len() != KEY_BYTES {
            return Err(NoteError::Key("it is not an Ed25519 key"));
        }
        let id = key_id(name, kind, key.raw());
        Ok(Self { name: name.to_owned(), kind, id, key: key.clone() })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The public key itself.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether the line says that this key signed.
    #[must_use]
    pub fn is_of(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// Verifies one line. Answers the time of a cosignature in seconds since 1970.
    fn verify(&self, text: &str, signature: &Signature) -> Result<Option<u64>, NoteError> {
        let forged = || NoteError::Forged(self.name.clone());
        let verified = |message: &[u8], bytes: &[u8]| self.key.verify(message, bytes).map_err(|_| forged());
        match self.kind {
            SignatureKind::Ed25519 => verified(text.as_bytes(), &signature.bytes).map(|()| None),
            SignatureKind::Cosignature => {
                let (time, bytes) = signature.bytes.split_first_chunk().ok_or_else(forged)?;
                let time = u64::from_be_bytes(*time);
                verified(cosigned(text, time).as_bytes(), bytes).map(|()| Some(time))
            }
        }
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.kind, self.key.raw()) == (&other.name, other.kind, other.key.raw())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind as u8];
        key.extend_from_slice(self.key.raw());
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let malformed = || NoteError::Key("it is not of the form name+id+key");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(malformed()) };
        let bytes = STANDARD.decode(key).map_err(|_| malformed())?;
        let (kind, raw) = bytes.split_first().ok_or_else(malformed)?;
        let kind = match kind {
            1 => SignatureKind::Ed25519,
            4 => SignatureKind::Cosignature,
            _ => return Err(NoteError::Key("its signatures are of an unknown kind")),
        };
        let key =
            VerifyingKey::from_raw(name, Algorithm::Ed25519, raw).map_err(|_| NoteError::Key("it is not an Ed25519 key"))?;
        let verifier = Self::new(name, kind, &key)?;
        if format!("{:08x}", verifier.id) != id {
            return Err(NoteError::Key("its id is not the key's"));
        }
        Ok(verifier)
    }
}

/// One line of a note that signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub id: u32,
    pub bytes: Vec<u8>,
}

impl fmt::Display for Signature {
    /// With the end of the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text and what signs it. Printed, it is the note again, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// With the last line's end.
    pub text: String,
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note and verifies nothing.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_MAX {
            return Err(NoteError::Malformed("it is too long"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Malformed("it holds control characters"));
        }
        // The last empty line ends the text, which may have empty lines of its own.
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no signatures"))?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed("its last line does not end"))?;
        let signatures = lines.split('\n').map(signature).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("it has too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// That this key signed. Answers the time of its cosignature, in seconds since 1970; `None` where it signed the text.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] where no line is by this key; [`NoteError::Forged`] where one is said to be, and is not.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let mut lines = self.signatures.iter().filter(|signature| key.is_of(signature));
        let first = lines.next().ok_or_else(|| NoteError::Unsigned(key.name.clone()))?;
        let time = key.verify(&self.text, first)?;
        // Several lines of one key are unusual, and all must verify.
        lines.try_for_each(|signature| key.verify(&self.text, signature).map(|_| ()))?;
        Ok(time)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// Signs a text, which is to end with the end of a line.
///
/// # Errors
/// When the key cannot sign, or is no Ed25519 key.
pub fn sign(text: &str, name: &str, key: &SigningKey) -> Result<Signature, NoteError> {
    let verifier = VerifierKey::new(name, SignatureKind::Ed25519, key.verifying())?;
    signed(key, text.as_bytes()).map(|bytes| Signature { name: verifier.name, id: verifier.id, bytes })
}

/// Cosigns a checkpoint's text, as a witness that saw it and that it is consistent with all it saw before. `at` is in
/// seconds since 1970.
///
/// # Errors
/// When the key cannot sign, or is no Ed25519 key.
pub fn cosign(text: &str, name: &str, key: &SigningKey, at: u64) -> Result<Signature, NoteError> {
    let verifier = VerifierKey::new(name, SignatureKind::Cosignature, key.verifying())?;
    let mut bytes = at.to_be_bytes().to_vec();
    bytes.extend(signed(key, cosigned(text, at).as_bytes())?);
    Ok(Signature { name: verifier.name, id: verifier.id, bytes })
}

/// What a witness signs (C2SP tlog-cosignature, "Ed25519 signed message").
fn cosigned(text: &str, at: u64) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

fn signed(key: &SigningKey, message: &[u8]) -> Result<Vec<u8>, NoteError> {
    key.sign(message).map_err(|error| NoteError::Signing(error.to_string()))
}

fn signature(line: &str) -> Result<Signature, NoteError> {
    let malformed = NoteError::Malformed("a line after its text is no signature");
    let Some((name, bytes)) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')) else { return Err(malformed) };
    let Ok(bytes) = STANDARD.decode(bytes) else { return Err(malformed) };
    match bytes.split_first_chunk() {
        Some((id, bytes)) if is_name(name) && !bytes.is_empty() => {
            Ok(Signature { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
        }
        _ => Err(malformed),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_id(name: &str, kind: SignatureKind, key: &[u8]) -> u32 {
    let mut named = name.as_bytes().to_vec();
    named.extend_from_slice(&[b'\n', kind as u8]);
    named.extend_from_slice(key);
    let digest = digest(&SHA256, &named);
    let id = digest.as_ref().first_chunk().expect("a SHA-256 has 32 bytes");
    u32::from_be_bytes(*id)
}
