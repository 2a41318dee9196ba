//! One issuer and its keys: known from the start where they are in a file, fetched where they have an address, looked at
//! again in time, and at once when a token names a key that is not among them.
//!
//! A failed look leaves the known keys in use. Keys that were fetched are used for an hour beyond their time, and then
//! no longer: an issuer that cannot be reached cannot take a key back either.

mod source;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::Algorithm;
use crate::error::{KeysError, OpenError, TokenError};
use crate::jws::Jws;
use crate::key::{Checked, KeySet};
use crate::options::{IssuerOptions, KeySource};
use source::{Looked, Source};

/// Tokens with unknown keys have keys fetched no more often than this.
const ON_DEMAND: Duration = Duration::from_secs(10);

/// So many tokens wait for an issuer's keys at once.
const WAITING_MAX: usize = 256;

/// For how long beyond their time fetched keys are used when no newer ones can be had.
const GRACE: Duration = Duration::from_hours(1);

/// After a failure, keys are fetched again this soon.
const AGAIN: Duration = Duration::from_secs(10);

/// A file is looked at this often, and no address more often.
const GLANCE: Duration = Duration::from_millis(500);

/// An issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub options: IssuerOptions,
    known: ArcSwap<Known>,
    /// Places of tokens that wait for keys.
    waiting: Semaphore,
    /// The source, and when a token last had it looked at. Who holds it looks; the others wait for what comes of it.
    source: Mutex<Looks>,
}

#[derive(Debug)]
struct Looks {
    source: Source,
    on_demand: Option<Instant>,
    is_failing: bool,
}

/// The keys as of one look.
#[derive(Debug)]
struct Known {
    set: Arc<KeySet>,
    /// Grows with each change of the keys.
    generation: u64,
    /// When they are too old to be used, where they can be.
    until: Option<Instant>,
}

impl Known {
    fn is_usable(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Issuer {
    /// An issuer whose keys are read now, where they are in a file. Where they have an address, they are fetched later:
    /// a bus starts without its issuers.
    pub fn open(options: IssuerOptions) -> Result<Self, OpenError> {
        let mut source = Source::open(&options.keys)?;
        let (set, until) = match source.read_at_start() {
            None => (KeySet::default(), Some(Instant::now())),
            Some(Ok(set)) => (set, None),
            Some(Err(source)) => return Err(OpenError::Keys { issuer: options.issuer.clone(), source }),
        };
        let known = ArcSwap::from_pointee(Known { set: Arc::new(set), generation: 1, until });
        let looks = Looks { source, on_demand: None, is_failing: false };
        Ok(Self { options, known, waiting: Semaphore::new(WAITING_MAX), source: Mutex::new(looks) })
    }

    /// Which keys are in use; what was verified with others must be verified again. `None` when they are too old.
    pub fn generation(&self) -> Option<u64> {
        let known = self.known.load();
        known.is_usable().then_some(known.generation)
    }

    /// Whether a token's signature is by one of the issuer's keys; tells the generation of them.
    pub async fn check(&self, token: &Jws<'_>, algorithm: Algorithm) -> Result<u64, TokenError> {
        let known = self.known.load_full();
        match self.checked(&known, token, algorithm) {
            Err(TokenError::KeyUnknown { .. } | TokenError::KeysAbsent { .. }) => {
                self.look_on_demand(&known).await;
                let known = self.known.load_full();
                self.checked(&known, token, algorithm).map(|()| known.generation)
            }
            otherwise => otherwise.map(|()| known.generation),
        }
    }

    fn checked(&self, known: &Known, token: &Jws<'_>, algorithm: Algorithm) -> Result<(), TokenError> {
        let issuer = || self.options.issuer.clone();
        if !known.is_usable() {
            return Err(TokenError::KeysAbsent { issuer: issuer() });
        }
        match known.set.check(token, algorithm) {
            Checked::Holds => Ok(()),
            Checked::Unknown => Err(TokenError::KeyUnknown { issuer: issuer() }),
            Checked::Unfit => Err(TokenError::KeyUnfit { issuer: issuer() }),
            Checked::Broken => Err(TokenError::Signature { issuer: issuer() }),
        }
    }

    /// Looks at the source, unless that was just done, by this one or by another while this one waited.
    async fn look_on_demand(&self, seen: &Known) {
        // Whoever sends tokens with unknown keys while an issuer is slow is not kept waiting without a bound.
        let Ok(_place) = self.waiting.try_acquire() else { return };
        let mut looks = self.source.lock().await;
        let is_newer = { self.known.load().until != seen.until || self.known.load().generation != seen.generation };
        if is_newer || looks.on_demand.is_some_and(|at| at.elapsed() < ON_DEMAND) {
            return;
        }
        looks.on_demand = Some(Instant::now());
        self.look(&mut looks).await;
    }

    /// Looks at the source again and again.
    pub async fn watch(&self) {
        let mut wait = Duration::ZERO;
        loop {
            tokio::time::sleep(wait).await;
            let mut looks = self.source.lock().await;
            let is_good = self.look(&mut looks).await;
            wait = match &self.options.keys {
                KeySource::File(_) => GLANCE,
                KeySource::Url { keep, .. } if is_good => (*keep).max(GLANCE),
                KeySource::Url { keep, .. } => AGAIN.min(*keep).max(GLANCE),
            };
        }
    }

    /// Tells whether the source gave keys, or has none that are newer.
    async fn look(&self, looks: &mut Looks) -> bool {
        match looks.source.look().await {
            Ok(looked) => {
                looks.is_failing = false;
                if let Looked::Read(set) = looked {
                    self.learn(set);
                }
                true
            }
            Err(error) => {
                self.note(&error, !std::mem::replace(&mut looks.is_failing, true));
                false
            }
        }
    }

    fn learn(&self, set: KeySet) {
        let issuer = self.options.issuer.as_str();
        let before = self.known.load();
        let is_same = before.set.sha256 == set.sha256;
        if !is_same {
            tracing::info!(issuer, keys = set.len(), "the issuer's keys are new");
        }
        counter!("rabita_issuer_keys_read_total", "issuer" => issuer.to_owned(), "result" => "ok").increment(1);
        #[expect(clippy::cast_precision_loss, reason = "a handful of keys")]
        gauge!("rabita_issuer_keys", "issuer" => issuer.to_owned()).set(set.len() as f64);
        let until = match &self.options.keys {
            KeySource::File(_) => None,
            KeySource::Url { keep, .. } => Some(Instant::now() + *keep + GRACE),
        };
        let (set, generation) = match is_same {
            true => (Arc::clone(&before.set), before.generation),
            false => (Arc::new(set), before.generation + 1),
        };
        self.known.store(Arc::new(Known { set, generation, until }));
    }

    /// Logs the first failure of a row, and counts each.
    fn note(&self, error: &KeysError, is_first: bool) {
        let issuer = self.options.issuer.as_str();
        counter!("rabita_issuer_keys_read_total", "issuer" => issuer.to_owned(), "result" => "failed").increment(1);
        if is_first {
            tracing::warn!(issuer, %error, "the issuer's keys could not be had: the known ones stay in use");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fetched_keys_are_used_for_an_hour_beyond_their_time_and_no_longer() {
        let keep = Duration::from_secs(300);
        let url = "https://id.example/jwks".to_owned();
        let issuer = Issuer::open(IssuerOptions {
            issuer: "https://id.example".to_owned(),
            audience: "bus".to_owned(),
            keys: KeySource::Url { url, authorities: None, keep },
            algorithms: vec![Algorithm::Es256],
            leeway_s: 0,
            person_claim: None,
        })
        .expect("an address");
        assert_eq!(issuer.generation(), None, "nothing is known before it was fetched");
        issuer.learn(KeySet::parse(b"{\"keys\":[]}").expect("a set"));
        let learnt = issuer.generation();
        assert!(learnt.is_some());
        tokio::time::advance(keep + GRACE - Duration::from_secs(1)).await;
        assert_eq!(issuer.generation(), learnt);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(issuer.generation(), None);
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        let open = |url: &str| {
            let keep = Duration::from_secs(300);
            Source::open(&KeySource::Url { url: url.to_owned(), authorities: None, keep }).is_ok()
        };
        for good in ["https://id.example/jwks", "http://127.0.0.1:8080/jwks", "http://[::1]/jwks", "http://localhost/jwks"] {
            assert!(open(good), "{good}");
        }
        for bad in ["http://id.example/jwks", "http://127.0.0.1.example/jwks", "file:///etc/jwks", "jwks", "http://10.0.0.1/"] {
            assert!(!open(bad), "{bad}");
        }
    }
}
