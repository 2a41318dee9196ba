//! A token in its compact form (RFC 7515): its parts, and what its header says.
//!
//! Of the header, only `alg`, `kid`, `typ` and `crit` are read. Keys that a token brings or points to (`jwk`, `jku`,
//! `x5c`, `x5u`) mean nothing: keys come from the configuration alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::TokenError;

/// The longest token that is read, in bytes.
pub(crate) const MAX: usize = 8_192;

/// A token's parts. Nothing is verified.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    pub header: Header,
    /// The claims, as JSON.
    pub payload: Vec<u8>,
    /// What is signed.
    pub message: &'a str,
    pub signature: &'a str,
}

/// What is read of a header. A member given twice is an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub alg: String,
    #[serde(default)]
    pub kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub fn of(token: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = read(&decode(header)?)?;
        // RFC 9068, 4: so that no other JWT of the issuer passes for an access token.
        let kind = header.typ.as_deref().unwrap_or_default();
        if !kind.eq_ignore_ascii_case("at+jwt") && !kind.eq_ignore_ascii_case("application/at+jwt") {
            return Err(TokenError::Type);
        }
        // RFC 7515, 4.1.11.
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        Ok(Self { header, payload: decode(payload)?, message, signature })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

/// Reads JSON.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, TokenError> {
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}
