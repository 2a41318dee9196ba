//! The access token of a request (RFC 6750): read from its header, verified, and told in the core's words.
//!
//! A token stands in `Authorization` and nowhere else: one in a URL or a body (RFC 6750, 2.2 and 2.3) is not looked
//! for, since URLs are logged on their way.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rabita_config::Country;
use rabita_config::identity::{Issuer, JwksSource, TokenAlgorithm};
use rabita_core::Token;
use rabita_identity::{Algorithm, IssuerOptions, KeySource, OpenError, Options};
use rabita_model::{Code, Refusal};

/// What verifies the access tokens of a node.
#[derive(Debug)]
pub(super) struct Tokens(ArcSwap<Accepted>);

/// The tokens that are accepted, as of one configuration.
#[derive(Debug)]
struct Accepted {
    options: Options,
    tokens: rabita_identity::Tokens,
}

/// What was made anew and is not yet in use; nothing where nothing has changed.
#[derive(Debug)]
pub(super) struct PreparedTokens(Option<Accepted>);

impl Tokens {
    /// Reads the issuers' keys, or begins to fetch them.
    ///
    /// # Errors
    /// When a file cannot be used or an address is none.
    pub fn open(country: &Country) -> Result<Self, OpenError> {
        Accepted::new(options(country)).map(|accepted| Self(ArcSwap::from_pointee(accepted)))
    }

    /// Makes it anew and changes nothing. Issuers that did not change keep their keys.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn prepare(&self, country: &Country) -> Result<PreparedTokens, OpenError> {
        let options = options(country);
        if self.0.load().options == options {
            return Ok(PreparedTokens(None));
        }
        Accepted::new(options).map(|accepted| PreparedTokens(Some(accepted)))
    }

    /// Puts it in the place of what was there.
    pub fn swap(&self, prepared: PreparedTokens) {
        if let Some(accepted) = prepared.0 {
            self.0.store(Arc::new(accepted));
        }
    }

    /// The token that a request shows over a connection with the client certificate of this SHA-256, or with none.
    ///
    /// # Errors
    /// `token_invalid` where it does not hold; `malformed_request` where there are two.
    pub async fn token(&self, headers: &HeaderMap, certificate_sha256: Option<&str>) -> Result<Option<Arc<Token>>, Refusal> {
        let Some(shown) = bearer(headers)? else { return Ok(None) };
        let accepted = self.0.load_full();
        let now = jiff::Timestamp::now().as_second();
        let said = accepted.tokens.verify(shown, certificate_sha256, now).await?;
        Ok(Some(Arc::new(Token {
            issuer: said.issuer.to_string(),
            client_id: said.client_id.clone(),
            sha256: said.sha256.clone(),
            is_bound: said.is_bound,
            person: said.person.clone(),
            until: said.until,
        })))
    }
}

impl Accepted {
    fn new(options: Options) -> Result<Self, OpenError> {
        Ok(Self { tokens: rabita_identity::Tokens::open(options.clone())?, options })
    }
}

/// What stands behind `Bearer`. Credentials of other schemes are none that the bus knows, and are not looked at.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = shown.next() else { return Ok(None) };
    // RFC 6750, 3.1 and RFC 9110, 11.6.2: which of two would count, a proxy may see otherwise than the bus.
    if shown.next().is_some() {
        return Err(Refusal::new(Code::MalformedRequest).detail("there is more than one Authorization header"));
    }
    let unread = || Refusal::new(Code::TokenInvalid).detail("the Authorization header is no text");
    let (scheme, credentials) = match first.to_str().map_err(|_| unread())?.split_once(' ') {
        Some((scheme, credentials)) => (scheme, credentials.trim_start_matches(' ')),
        None => (first.to_str().unwrap_or_default(), ""),
    };
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(credentials))
}

fn options(country: &Country) -> Options {
    Options { issuers: country.node.identity.issuers.iter().map(|issuer| of_issuer(country, issuer)).collect() }
}

fn of_issuer(country: &Country, issuer: &Issuer) -> IssuerOptions {
    let at = |file: &std::path::Path| country.directory.join(file);
    IssuerOptions {
        issuer: issuer.issuer.clone(),
        audience: issuer.audience.clone(),
        keys: match &issuer.keys {
            JwksSource::File { file } => KeySource::File(at(file)),
            JwksSource::Url { url, authorities, keep_s } => KeySource::Url {
                url: url.clone(),
                authorities: authorities.as_deref().map(at),
                keep: Duration::from_secs(*keep_s),
            },
        },
        algorithms: issuer.algorithms.iter().map(|algorithm| of_algorithm(*algorithm)).collect(),
        leeway_s: issuer.leeway_s,
        person_claim: issuer.person_claim.clone(),
    }
}

const fn of_algorithm(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::EdDSA => Algorithm::EdDsa,
        TokenAlgorithm::ES256 => Algorithm::Es256,
        TokenAlgorithm::ES384 => Algorithm::Es384,
        TokenAlgorithm::PS256 => Algorithm::Ps256,
        TokenAlgorithm::PS384 => Algorithm::Ps384,
        TokenAlgorithm::PS512 => Algorithm::Ps512,
        TokenAlgorithm::RS256 => Algorithm::Rs256,
        TokenAlgorithm::RS384 => Algorithm::Rs384,
        TokenAlgorithm::RS512 => Algorithm::Rs512,
    }
}
