//! A public key, and what it is written as: raw, PEM, JSON Web Key.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::key::{Algorithm, KeyError, SIGNATURE_LENGTH};

/// What stands before the raw key in a `SubjectPublicKeyInfo` (RFC 8410, 4). DER leaves no choice.
const ED25519_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// The same for an uncompressed point of P-256 (RFC 5480, 2).
const P256_PREFIX: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

/// A public key, with the name that signatures by it bear.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    id: Arc<str>,
    algorithm: Algorithm,
    raw: Vec<u8>,
    parsed: ParsedPublicKey,
}

impl VerifyingKey {
    /// The key of a PEM file (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// When this is no PEM of a public key, or the key is of another kind.
    pub fn from_pem(id: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::PublicPem { id: id.to_owned() })?;
        let kinds = [Algorithm::Ed25519, Algorithm::EcdsaP256];
        let found = kinds.into_iter().find_map(|algorithm| Some((algorithm, der.strip_prefix(prefix(algorithm))?)));
        let (algorithm, raw) = found.ok_or_else(|| KeyError::Kind { id: id.to_owned() })?;
        Self::from_raw(id, algorithm, raw)
    }

    /// A key of its own bytes: 32 for Ed25519; for P-256 the 65 of an uncompressed point.
    ///
    /// # Errors
    /// When the bytes are no key of this algorithm, or its name could not stand in a header.
    pub fn from_raw(id: &str, algorithm: Algorithm, raw: &[u8]) -> Result<Self, KeyError> {
        // It stands in headers as it is, within quotation marks.
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if !(1..=128).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(KeyError::Name { id: id.to_owned() });
        }
        let unfit = || KeyError::Kind { id: id.to_owned() };
        let library: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::Ed25519 if raw.len() == 32 => &ED25519,
            Algorithm::EcdsaP256 if raw.len() == 65 => &ECDSA_P256_SHA256_FIXED,
            _ => return Err(unfit()),
        };
        let parsed = ParsedPublicKey::new(library, raw).map_err(|_| unfit())?;
        Ok(Self { id: id.into(), algorithm, raw: raw.to_vec(), parsed })
    }

    /// What signatures name it by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How its private half signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes, as [`Self::from_raw`] takes them.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Holds a signature of 64 bytes against a message.
    ///
    /// # Errors
    /// When the signature is not one of this message by this key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let wrong = || KeyError::Signature { id: self.id().to_owned() };
        if signature.len() != SIGNATURE_LENGTH {
            return Err(wrong());
        }
        self.parsed.verify_sig(message, signature).map_err(|_| wrong())
    }

    /// The key as a JSON Web Key (RFC 7517, RFC 8037).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.algorithm {
            Algorithm::Ed25519 => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": self.id(), "alg": "EdDSA", "use": "sig", "x": encode(&self.raw),
            }),
            // The first byte says that the point is uncompressed.
            Algorithm::EcdsaP256 => json!({
                "kty": "EC", "crv": "P-256", "kid": self.id(), "alg": "ES256", "use": "sig",
                "x": encode(&self.raw[1..33]), "y": encode(&self.raw[33..]),
            }),
        }
    }

    /// The key as PEM (`SubjectPublicKeyInfo`).
    #[must_use]
    pub fn pem(&self) -> String {
        armoured("PUBLIC KEY", &[prefix(self.algorithm), &self.raw].concat())
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, &self.raw) == (&other.id, other.algorithm, &other.raw)
    }
}

impl Eq for VerifyingKey {}

const fn prefix(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::Ed25519 => ED25519_PREFIX,
        Algorithm::EcdsaP256 => P256_PREFIX,
    }
}

/// PEM (RFC 7468): Base64 in lines of 64 characters.
pub(crate) fn armoured(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + "-----END " + label + "-----\n"
}
