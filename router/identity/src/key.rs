//! An issuer's keys: a JWK set (RFC 7517), and which key may verify which algorithm.

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{DecodingKey, DecodingKeyKind, crypto};
use serde::Deserialize;
use serde_json::Value;

use crate::Algorithm;
use crate::error::KeysError;
use crate::jws::Jws;

/// The most keys of a set that are looked at.
const KEYS_MAX: usize = 100;

/// The public keys of an issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    /// The SHA-256 of what they were read from.
    pub sha256: Vec<u8>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    kind: Kind,
    /// The one algorithm that the issuer uses it with, where the set says so.
    algorithm: Option<Algorithm>,
    public: DecodingKey,
}

/// What a key is by its own type: this, and not the token, decides which algorithms it can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// What came of looking for a token's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    Holds,
    /// No key has the token's `kid`.
    Unknown,
    /// The key is for other algorithms.
    Unfit,
    /// The signature does not hold.
    Broken,
}

/// What is read of a key in a set.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are not for verifying, or of types that the bus does not know, are left out (RFC 7517, 5).
    pub fn parse(json: &[u8]) -> Result<Self, KeysError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let Document { keys } = serde_json::from_slice(json).map_err(KeysError::Malformed)?;
        let read = |key| serde_json::from_value::<Jwk>(key).ok().and_then(Key::of);
        let keys = keys.into_iter().take(KEYS_MAX).filter_map(read).collect();
        Ok(Self { keys, sha256: digest(&SHA256, json).as_ref().to_vec() })
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the token's signature is by one of these keys. Without a `kid`, any key of the algorithm may be it.
    pub fn check(&self, token: &Jws<'_>, algorithm: Algorithm) -> Checked {
        let wanted = token.header.kid.as_deref();
        let mut named = self.keys.iter().filter(|key| wanted.is_none() || key.id.as_deref() == wanted).peekable();
        if named.peek().is_none() {
            return Checked::Unknown;
        }
        let mut fit = named.filter(|key| key.permits(algorithm)).peekable();
        if fit.peek().is_none() {
            return Checked::Unfit;
        }
        match fit.any(|key| key.verifies(token, algorithm)) {
            true => Checked::Holds,
            // The issuer may have changed its key: without a name, that does not show otherwise.
            false if wanted.is_none() => Checked::Unknown,
            false => Checked::Broken,
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let is_for_verifying = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|one| one == "verify"));
        // A private key that was published is anyone's.
        if !is_for_verifying || jwk.d.is_some() {
            return None;
        }
        let (kind, public) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Kind::Rsa, DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?).ok()?),
            ("EC", Some("P-256")) => (Kind::P256, point(&jwk)?),
            ("EC", Some("P-384")) => (Kind::P384, point(&jwk)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, DecodingKey::from_ed_components(jwk.x.as_deref()?).ok()?),
            _ => return None,
        };
        let algorithm = match &jwk.alg {
            Some(name) => Some(Algorithm::of(name)?),
            None => None,
        };
        let key = Self { id: jwk.kid, kind, algorithm, public };
        key.has_its_size().then_some(key)
    }

    /// RSA of 2048 to 8192 bits; a point or number of exactly its curve's length.
    fn has_its_size(&self) -> bool {
        match (self.kind, self.public.kind()) {
            (Kind::Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) => (256..=1024).contains(&n.len()),
            (Kind::P256, DecodingKeyKind::SecretOrDer(point)) => point.len() == 1 + 2 * 32,
            (Kind::P384, DecodingKeyKind::SecretOrDer(point)) => point.len() == 1 + 2 * 48,
            (Kind::Ed25519, DecodingKeyKind::SecretOrDer(public)) => public.len() == 32,
            _ => false,
        }
    }

    fn permits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let of_kind = match self.kind {
            Kind::Rsa => matches!(algorithm, Ps256 | Ps384 | Ps512 | Rs256 | Rs384 | Rs512),
            Kind::P256 => algorithm == Es256,
            Kind::P384 => algorithm == Es384,
            Kind::Ed25519 => algorithm == EdDsa,
        };
        of_kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn verifies(&self, token: &Jws<'_>, algorithm: Algorithm) -> bool {
        crypto::verify(token.signature, token.message.as_bytes(), &self.public, algorithm.of_library()).unwrap_or(false)
    }
}

fn point(jwk: &Jwk) -> Option<DecodingKey> {
    DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok()
}
