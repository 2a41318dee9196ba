//! The claims of an access token (RFC 9068, 2.2), and whether they hold.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::TokenError;
use crate::jws::read;
use crate::options::IssuerOptions;

/// The longest name of a person or a client, in bytes.
const NAME_MAX: usize = 256;

/// What is read of a token's claims. A claim given twice is an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    #[serde(default)]
    pub iss: Option<String>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    exp: Option<Seconds>,
    #[serde(default)]
    nbf: Option<Seconds>,
    #[serde(default)]
    iat: Option<Seconds>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    cnf: Option<Map<String, Value>>,
}

/// One name or several (RFC 7519, 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds since 1970; a fraction is allowed and means nothing here (RFC 7519, 2).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Whole(i64),
    Part(f64),
}

/// When a token holds, leeway included, and to which certificate it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// From this second on.
    pub from: i64,
    /// Until before this second.
    pub until: i64,
    /// The SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub certificate: Option<String>,
}

impl Claims {
    /// Reads claims.
    pub fn of(payload: &[u8]) -> Result<Self, TokenError> {
        read(payload)
    }

    /// Whether the token is for this bus, has all that it must have, and when it holds.
    pub fn terms(&self, options: &IssuerOptions) -> Result<Terms, TokenError> {
        let issuer = || options.issuer.clone();
        let is_for_us = match self.aud.as_ref().ok_or(TokenError::Claim("aud"))? {
            Audience::One(one) => *one == options.audience,
            Audience::Many(many) => many.contains(&options.audience),
        };
        if !is_for_us {
            return Err(TokenError::Audience { issuer: issuer() });
        }
        let expires = self.exp.ok_or(TokenError::Claim("exp"))?.whole();
        let issued = self.iat.ok_or(TokenError::Claim("iat"))?.whole();
        if self.jti.as_ref().is_none_or(String::is_empty) {
            return Err(TokenError::Claim("jti"));
        }
        let from = self.nbf.map_or(issued, |begins| begins.whole().max(issued));
        let leeway = i64::try_from(options.leeway_s).unwrap_or(i64::MAX);
        let certificate = self.certificate().map_err(|()| TokenError::Confirmation { issuer: issuer() })?;
        Ok(Terms { from: from.saturating_sub(leeway), until: expires.saturating_add(leeway), certificate })
    }

    /// The client.
    pub fn client(&self) -> Result<&str, TokenError> {
        self.client_id.as_deref().filter(|client| is_name(client)).ok_or(TokenError::Claim("client_id"))
    }

    /// The certificate that the token is bound to (RFC 8705, 3.1). Bound to anything else as well, such as a key of
    /// DPoP, it is more than the bus can check: to take it as a bearer token would undo what its issuer wanted.
    fn certificate(&self) -> Result<Option<String>, ()> {
        let Some(confirmation) = &self.cnf else { return Ok(None) };
        let (1, Some(Value::String(thumbprint))) = (confirmation.len(), confirmation.get("x5t#S256")) else {
            return Err(());
        };
        let sha256 = URL_SAFE_NO_PAD.decode(thumbprint).map_err(drop)?;
        if sha256.len() != 32 {
            return Err(());
        }
        Ok(Some(hexadecimal(&sha256)))
    }
}

impl Seconds {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and so far away all seconds are alike")]
    fn whole(self) -> i64 {
        match self {
            Self::Whole(seconds) => seconds,
            Self::Part(seconds) => seconds.floor() as i64,
        }
    }
}

impl Terms {
    /// Whether the token holds now, shown over a connection with this certificate.
    pub fn hold(&self, issuer: &str, certificate: Option<&str>, now: i64) -> Result<(), TokenError> {
        let issuer = || issuer.to_owned();
        if now >= self.until {
            return Err(TokenError::Expired { issuer: issuer() });
        }
        if now < self.from {
            return Err(TokenError::Early { issuer: issuer() });
        }
        match (&self.certificate, certificate) {
            (None, _) => Ok(()),
            (Some(bound), Some(shown)) if bound == shown => Ok(()),
            (Some(_), Some(_)) => Err(TokenError::CertificateOther { issuer: issuer() }),
            (Some(_), None) => Err(TokenError::CertificateMissing { issuer: issuer() }),
        }
    }
}

/// The person whom a claim names, where the token has it. A claim's own name may have dots, as URLs do: the longest
/// name that is there counts.
pub(crate) fn person(payload: &[u8], path: &str, issuer: &str) -> Result<Option<String>, TokenError> {
    let claims: Map<String, Value> = read(payload)?;
    match found(&claims, path) {
        None => Ok(None),
        Some(Value::String(person)) if is_name(person) => Ok(Some(person.clone())),
        Some(_) => Err(TokenError::Person { issuer: issuer.to_owned() }),
    }
}

fn found<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| found(claims.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control)
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
