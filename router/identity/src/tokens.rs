//! The verifying of tokens, and the memory of those that were verified.
//!
//! A token that was verified is remembered by its SHA-256 until it expires, so that a system that shows the same one
//! with each request costs one digest and a look. What depends on the moment is checked each time: its time, its
//! binding, and that the issuer still has the key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use moka::Expiry;
use moka::sync::Cache;
use tokio::task::JoinSet;

use crate::Algorithm;
use crate::claims::{Claims, Terms, hexadecimal, person};
use crate::error::{OpenError, TokenError};
use crate::issuer::Issuer;
use crate::jws::{Jws, MAX};
use crate::options::Options;

/// So many verified tokens are remembered.
const REMEMBERED_MAX: u64 = 16_384;

/// What a token that holds says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Who issued it: one of the configured issuers.
    pub issuer: Arc<str>,
    /// The client that it was issued to.
    pub client_id: String,
    /// The SHA-256 of the token, in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether it is bound to the certificate that was shown with it (RFC 8705).
    pub is_bound: bool,
    /// The person on whose behalf the client acts, as the issuer says.
    pub person: Option<String>,
    /// When it is over, leeway included, in seconds since 1970.
    pub until: i64,
}

/// What verifies access tokens.
#[derive(Debug)]
pub struct Tokens {
    issuers: Arc<[Issuer]>,
    remembered: Cache<[u8; 32], Arc<Remembered>>,
    /// What looks at the issuers' keys; it ends with this.
    _watches: JoinSet<()>,
}

/// A token that was verified.
#[derive(Debug)]
struct Remembered {
    token: Arc<AccessToken>,
    terms: Terms,
    /// Which of the issuers, and as of which of its keys.
    issuer: usize,
    generation: u64,
    /// For how long from then on it can hold.
    lasts: Duration,
}

impl Tokens {
    /// Reads the keys that are in files, and begins to fetch the others. Needs a runtime.
    ///
    /// # Errors
    /// When a file of keys or authorities cannot be used, or an address is none. An issuer that cannot be reached is no
    /// error.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let issuers: Arc<[Issuer]> = options.issuers.into_iter().map(Issuer::open).collect::<Result<_, _>>()?;
        let mut watches = JoinSet::new();
        for at in 0..issuers.len() {
            let issuers = Arc::clone(&issuers);
            watches.spawn(async move { issuers[at].watch().await });
        }
        let remembered = Cache::builder().max_capacity(REMEMBERED_MAX).expire_after(UntilExpired).build();
        Ok(Self { issuers, remembered, _watches: watches })
    }

    /// Verifies a token, shown over a connection with the client certificate of this SHA-256 (64 lower-case hexadecimal
    /// digits), or with none. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When it does not hold.
    pub async fn verify(&self, token: &str, certificate: Option<&str>, now: i64) -> Result<Arc<AccessToken>, TokenError> {
        if token.len() > MAX {
            return Err(TokenError::TooLong);
        }
        let sha256: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("a SHA-256 has 32 bytes");
        let remembered = self.remembered.get(&sha256);
        let is_current = |known: &Arc<Remembered>| self.issuers[known.issuer].generation() == Some(known.generation);
        let known = match remembered.filter(is_current) {
            Some(known) => known,
            None => {
                let known = Arc::new(self.verify_anew(token, &sha256, certificate, now).await?);
                self.remembered.insert(sha256, Arc::clone(&known));
                known
            }
        };
        known.terms.hold(&known.token.issuer, certificate, now)?;
        Ok(Arc::clone(&known.token))
    }

    async fn verify_anew(
        &self,
        token: &str,
        sha256: &[u8],
        certificate: Option<&str>,
        now: i64,
    ) -> Result<Remembered, TokenError> {
        let token = Jws::of(token)?;
        let claims = Claims::of(&token.payload)?;
        let named = claims.iss.as_deref().ok_or(TokenError::Claim("iss"))?;
        let found = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.options.issuer == named);
        let (at, issuer) = found.ok_or(TokenError::Issuer)?;
        let options = &issuer.options;
        let algorithm = Algorithm::of(&token.header.alg).filter(|algorithm| options.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| TokenError::Algorithm { issuer: options.issuer.clone() })?;
        // First what costs nothing: a token that is over has no keys fetched.
        let terms = claims.terms(options)?;
        terms.hold(&options.issuer, certificate, now)?;
        let generation = issuer.check(&token, algorithm).await?;
        let person = options.person_claim.as_deref().map(|path| person(&token.payload, path, &options.issuer));
        let said = AccessToken {
            issuer: options.issuer.as_str().into(),
            client_id: claims.client()?.to_owned(),
            sha256: hexadecimal(sha256),
            is_bound: terms.certificate.is_some(),
            person: person.transpose()?.flatten(),
            until: terms.until,
        };
        let lasts = Duration::from_secs(u64::try_from(terms.until.saturating_sub(now)).unwrap_or_default());
        Ok(Remembered { token: Arc::new(said), terms, issuer: at, generation, lasts })
    }
}

/// Forgets a token when it expires.
struct UntilExpired;

impl Expiry<[u8; 32], Arc<Remembered>> for UntilExpired {
    fn expire_after_create(&self, _: &[u8; 32], known: &Arc<Remembered>, _: Instant) -> Option<Duration> {
        Some(known.lasts.min(LASTS_MAX))
    }

    fn expire_after_update(&self, _: &[u8; 32], known: &Arc<Remembered>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(known.lasts.min(LASTS_MAX))
    }
}

/// No token is remembered for longer, whatever its issuer says.
const LASTS_MAX: Duration = Duration::from_hours(24);
