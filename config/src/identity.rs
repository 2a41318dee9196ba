//! `identity:` of `rabita.yaml`: the access tokens by which systems are known beside their certificates.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How callers are known beside their certificates.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Who issues access tokens (RFC 9068) that the bus accepts.
    pub issuers: Vec<Issuer>,
}

/// One issuer of access tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` of its tokens, exactly.
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// What a token's `aud` must hold: how the issuer calls this bus.
    #[schemars(length(min = 1))]
    pub audience: String,
    /// Where its keys are, as a JWK set (RFC 7517).
    pub keys: JwksSource,
    /// The signature algorithms that are accepted.
    #[serde(default = "algorithms")]
    #[schemars(length(min = 1))]
    pub algorithms: Vec<TokenAlgorithm>,
    /// How far its clock may be from the bus's.
    #[serde(default = "leeway")]
    pub leeway_s: u64,
    /// The claim that names the person on whose behalf the system acts, as a dotted path: `act.sub`. With it, a person
    /// whom the token names is recorded as signed by the issuer, and a different `Rabita-User` is refused.
    #[serde(default)]
    pub person_claim: Option<String>,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum JwksSource {
    /// A file, read again when it changes.
    File { file: PathBuf },
    /// An address.
    Url {
        url: String,
        /// The authorities of the address's certificate, PEM; left out, those of the machine.
        #[serde(default)]
        authorities: Option<PathBuf>,
        /// For how long fetched keys are used before they are fetched again. A token with an unknown key has them fetched
        /// at once, but not more often than every ten seconds.
        #[serde(default = "keep")]
        keep_s: u64,
    },
}

/// A signature algorithm of tokens (RFC 7518, RFC 8037). `none` and those with a shared secret are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenAlgorithm {
    EdDSA,
    ES256,
    ES384,
    PS256,
    PS384,
    PS512,
    RS256,
    RS384,
    RS512,
}

fn algorithms() -> Vec<TokenAlgorithm> {
    use TokenAlgorithm::{ES256, ES384, EdDSA, PS256, RS256};
    vec![EdDSA, ES256, ES384, PS256, RS256]
}

const fn leeway() -> u64 {
    30
}

const fn keep() -> u64 {
    300
}
