//! Why a token is not accepted, and why none can be.

use std::path::PathBuf;

use rabita_model::{Code, Refusal};

/// Why a token is not accepted. Nothing of the token itself stands in it, since it goes to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is longer than the bus reads")]
    TooLong,
    #[error("the token is no JWT in compact form")]
    Malformed,
    #[error("the token's type is not `at+jwt` (RFC 9068)")]
    Type,
    #[error("the token has critical extensions, of which the bus knows none")]
    Critical,
    #[error("the token is signed with an algorithm that is not accepted of {issuer}")]
    Algorithm { issuer: String },
    #[error("the token lacks `{0}`, or it is not in its form")]
    Claim(&'static str),
    #[error("the token is of an issuer whom the bus does not trust")]
    Issuer,
    #[error("the token of {issuer} is for another audience")]
    Audience { issuer: String },
    #[error("the token of {issuer} has expired")]
    Expired { issuer: String },
    #[error("the token of {issuer} does not hold yet")]
    Early { issuer: String },
    #[error("the keys of {issuer} are not known: they could not be had, or are too old to be used")]
    KeysAbsent { issuer: String },
    #[error("the token is signed with a key that {issuer} does not have")]
    KeyUnknown { issuer: String },
    #[error("the key of {issuer} that the token names is not for its algorithm")]
    KeyUnfit { issuer: String },
    #[error("the signature of the token of {issuer} does not hold")]
    Signature { issuer: String },
    #[error("the token of {issuer} is bound to a proof that the bus does not know: it knows `x5t#S256` (RFC 8705)")]
    Confirmation { issuer: String },
    #[error("the token of {issuer} is bound to a certificate, and none was shown")]
    CertificateMissing { issuer: String },
    #[error("the token of {issuer} is bound to another certificate than the one shown")]
    CertificateOther { issuer: String },
    #[error("the token of {issuer} does not name its person as a text")]
    Person { issuer: String },
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(Code::TokenInvalid).detail(error.to_string())
    }
}

/// Why an issuer's tokens cannot be accepted at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the keys of {issuer} cannot be used: {source}")]
    Keys { issuer: String, source: KeysError },
    #[error("{url} is no address of keys: it begins with https:, or with http: where it is this machine itself")]
    Address { url: String },
    #[error("{} cannot be used as authorities: {source}", .file.display())]
    Authorities { file: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("keys cannot be fetched: {0}")]
    Client(reqwest::Error),
}

/// Why an issuer's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{} cannot be read: {source}", .file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("they cannot be fetched: {0}")]
    Fetch(reqwest::Error),
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("they are larger than {0} bytes")]
    TooLarge(usize),
    #[error("they are no JWK set: {0}")]
    Malformed(serde_json::Error),
}
