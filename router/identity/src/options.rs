//! What the access tokens of a node are accepted by.

use std::path::PathBuf;
use std::time::Duration;

use crate::Algorithm;

/// Whose tokens are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub issuers: Vec<IssuerOptions>,
}

/// One issuer of access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerOptions {
    /// The `iss` of its tokens, exactly.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// Where its keys are.
    pub keys: KeySource,
    /// The signature algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be from the bus's, in seconds.
    pub leeway_s: u64,
    /// The claim that names the person on whose behalf the system acts, as a dotted path.
    pub person_claim: Option<String>,
}

/// Where an issuer's keys are, as a JWK set (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, read again within a second of its change.
    File(PathBuf),
    /// An address.
    Url {
        /// `https:`, or `http:` to this machine itself.
        url: String,
        /// The authorities of its certificate, PEM; without them, those of the machine.
        authorities: Option<PathBuf>,
        /// For how long fetched keys are used before they are fetched again.
        keep: Duration,
    },
}
