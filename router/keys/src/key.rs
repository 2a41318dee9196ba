//! A private key, at hand or in a token, with the name that its signatures bear.

use std::fmt;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::pkcs11::TokenKey;
use crate::verifying::{VerifyingKey, armoured};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032): signatures of 64 bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5): signatures are `r` and `s`, 32 bytes each.
    EcdsaP256,
}

impl Algorithm {
    /// Its name in the registry of RFC 9421.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256-sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The length of a signature, of both algorithms.
pub(crate) const SIGNATURE_LENGTH: usize = 64;

/// Why a key cannot be used. Names keys and modules, and never holds a part of a key or a PIN.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("`{id}` is no name of a key: 1 to 128 printable characters of ASCII without `\"` and `\\`")]
    Name { id: String },
    #[error("the key `{id}` is no private key in PEM, as `openssl genpkey` writes it (PKCS #8, not encrypted)")]
    PrivatePem { id: String },
    #[error("the key `{id}` is no public key in PEM, as `openssl pkey -pubout` writes it (SubjectPublicKeyInfo)")]
    PublicPem { id: String },
    #[error("the key `{id}` is of another kind than Ed25519, and ECDSA on P-256 with its point uncompressed")]
    Kind { id: String },
    #[error("the operating system gave no randomness for the key `{id}`")]
    Random { id: String },
    #[error("the PKCS #11 module {module} cannot be used: {reason}")]
    Module { module: String, reason: String },
    #[error("the PKCS #11 module {module} has no token `{token}`")]
    TokenAbsent { module: String, token: String },
    #[error("the token `{token}` refused the PIN of the key `{id}`: {reason}")]
    Pin { id: String, token: String, reason: String },
    #[error("the token `{token}` has no {half} key `{key}`, or more than one")]
    KeyAbsent { token: String, key: String, half: &'static str },
    #[error("the two halves of the key `{id}` in its token do not go together")]
    Halves { id: String },
    #[error("all sessions of the key `{id}` with its token were in use for too long")]
    Busy { id: String },
    #[error("the key `{id}` could not sign: {reason}")]
    Sign { id: String, reason: String },
    #[error("this is no signature by the key `{id}`")]
    Signature { id: String },
}

/// A private key, with the name that its signatures bear.
pub struct SigningKey {
    verifying: VerifyingKey,
    secret: Secret,
}

enum Secret {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
    Token(TokenKey),
}

impl SigningKey {
    /// The key of a PEM file (PKCS #8).
    ///
    /// # Errors
    /// When this is no PEM of a private key, or the key is of another kind.
    pub fn from_pem(id: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::PrivatePem { id: id.to_owned() })?;
        Self::from_der(id, der.secret_pkcs8_der())
    }

    /// A new key, and its PEM (PKCS #8).
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate(id: &str, algorithm: Algorithm) -> Result<(Self, String), KeyError> {
        let unlucky = |_| KeyError::Random { id: id.to_owned() };
        // The first version of PKCS #8, which every tool reads.
        let der = match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()),
            Algorithm::EcdsaP256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).and_then(|pair| pair.to_pkcs8v1()),
        };
        let der = der.map_err(unlucky)?;
        Ok((Self::from_der(id, der.as_ref())?, armoured("PRIVATE KEY", der.as_ref())))
    }

    /// The key pair with the label `key` in a token of a PKCS #11 module. Blocks while the token is asked.
    ///
    /// # Errors
    /// When the module cannot be loaded, has no such token, the PIN is refused, or the pair is not whole.
    pub fn from_pkcs11(id: &str, module: &Path, token: &str, key: &str, pin: &str) -> Result<Self, KeyError> {
        let (secret, verifying) = TokenKey::open(id, module, token, key, pin)?;
        let opened = Self { verifying, secret: Secret::Token(secret) };
        // A label can stand for two halves of different pairs. Better found now than by those who verify.
        let question = b"rabita: do the two halves of this key go together?";
        let halves = |_| KeyError::Halves { id: id.to_owned() };
        opened.verifying.verify(question, &opened.sign(question)?).map_err(halves)?;
        Ok(opened)
    }

    fn from_der(id: &str, der: &[u8]) -> Result<Self, KeyError> {
        let unknown = |_| KeyError::Kind { id: id.to_owned() };
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let verifying = VerifyingKey::from_raw(id, Algorithm::Ed25519, pair.public_key().as_ref())?;
            return Ok(Self { verifying, secret: Secret::Ed25519(pair) });
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(unknown)?;
        let verifying = VerifyingKey::from_raw(id, Algorithm::EcdsaP256, pair.public_key().as_ref())?;
        Ok(Self { verifying, secret: Secret::EcdsaP256(pair) })
    }

    /// What signatures name it by.
    #[must_use]
    pub fn id(&self) -> &str {
        self.verifying.id()
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// Its public half.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Whether the key is in a token. Then [`Self::sign`] waits for a device, and an asynchronous caller has to let a
    /// thread for blocking work do it.
    #[must_use]
    pub const fn is_in_token(&self) -> bool {
        matches!(self.secret, Secret::Token(_))
    }

    /// Signs. The signature has 64 bytes.
    ///
    /// # Errors
    /// For a key in a token, when the token does not sign, even after it was connected to again.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = || KeyError::Sign { id: self.id().to_owned(), reason: "the library refused".to_owned() };
        match &self.secret {
            Secret::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| failed())?.as_ref().to_vec()),
            Secret::EcdsaP256(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(|_| failed())?.as_ref().to_vec()),
            Secret::Token(key) => key.sign(message),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id()).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256];

    #[test]
    fn what_a_key_signs_its_public_half_verifies_in_every_form_that_it_is_written_in() {
        for algorithm in KINDS {
            let (key, pem) = SigningKey::generate("k", algorithm).expect("randomness");
            let again = SigningKey::from_pem("k", pem.as_bytes()).expect("its own PEM");
            assert_eq!((again.id(), again.algorithm(), again.verifying()), ("k", algorithm, key.verifying()));
            let signature = again.sign(b"message").expect("a signature");
            assert_eq!(signature.len(), SIGNATURE_LENGTH);
            let public = VerifyingKey::from_pem("k", key.verifying().pem().as_bytes()).expect("its own PEM");
            let raw = VerifyingKey::from_raw("k", algorithm, key.verifying().raw()).expect("its own bytes");
            for verifying in [key.verifying(), &public, &raw] {
                verifying.verify(b"message", &signature).expect("its own signature");
            }
        }
    }

    #[test]
    fn a_signature_of_another_message_key_or_length_is_refused() {
        for algorithm in KINDS {
            let (key, _) = SigningKey::generate("k", algorithm).expect("randomness");
            let (other, _) = SigningKey::generate("k", algorithm).expect("randomness");
            let signature = key.sign(b"message").expect("a signature");
            assert!(key.verifying().verify(b"messagf", &signature).is_err());
            assert!(other.verifying().verify(b"message", &signature).is_err());
            for length in 0..signature.len() {
                assert!(key.verifying().verify(b"message", &signature[..length]).is_err());
            }
            for index in 0..signature.len() {
                let mut changed = signature.clone();
                changed[index] ^= 1;
                assert!(key.verifying().verify(b"message", &changed).is_err(), "byte {index}");
            }
        }
    }

    #[test]
    fn what_is_no_key_of_ours_is_refused_with_its_name_and_without_its_content() {
        let rsa = "-----BEGIN PUBLIC KEY-----\nMEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictG\neurT8jNbvJZHtCSuYEvuAgMBAAE=\n-----END PUBLIC KEY-----\n";
        let (_, private) = SigningKey::generate("k", Algorithm::Ed25519).expect("randomness");
        assert!(matches!(VerifyingKey::from_pem("rsa", rsa.as_bytes()), Err(KeyError::Kind { .. })));
        assert!(matches!(VerifyingKey::from_pem("private", private.as_bytes()), Err(KeyError::PublicPem { .. })));
        let error = SigningKey::from_pem("public", rsa.as_bytes()).expect_err("a public key");
        assert!(matches!(error, KeyError::PrivatePem { .. }));
        assert!(error.to_string().contains("`public`") && !error.to_string().contains("MEgC"));
        assert!(matches!(SigningKey::from_pem("k", b"nothing"), Err(KeyError::PrivatePem { .. })));
        assert!(VerifyingKey::from_raw("k", Algorithm::EcdsaP256, &[4; 65]).is_err(), "no point of the curve");
        assert!(VerifyingKey::from_raw("k", Algorithm::Ed25519, &[0; 31]).is_err());
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        let (key, pem) = SigningKey::generate("k", Algorithm::Ed25519).expect("randomness");
        assert_eq!(format!("{key:?}"), "SigningKey { id: \"k\", algorithm: Ed25519, .. }");
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    }
}
