//! The signatures that were seen within the window, so that none counts twice.
//!
//! A node remembers those that it saw itself. What is remembered is a digest of what was signed, and not the signature:
//! of one ECDSA signature anybody can make a second that holds as well.

use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use rabita_contract::signature::SignedRequest;
use rabita_model::SystemId;

/// How many signatures of one system are remembered: some 15 MB. Beyond it the system is refused, and nothing forgotten.
const PER_SYSTEM_MAX: usize = 250_000;

/// Half a SHA-256.
type Digest = [u8; 16];

/// What is known of a signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    New,
    Seen,
    /// It is older than what this memory goes back to.
    BeforeMemory,
    /// There is no room for another.
    Full,
}

/// The memory of all systems.
pub(super) struct Replays {
    window_s: i64,
    /// Signatures made earlier may have been used unseen, or have been forgotten.
    since: i64,
    /// The latest time that was told: a clock that is set back brings nothing back that was forgotten.
    latest: i64,
    systems: BTreeMap<SystemId, Seen>,
}

#[derive(Default)]
struct Seen {
    digests: HashSet<Digest>,
    /// By the second in which they were made, which a change of the window does not change.
    made: BTreeMap<i64, Vec<Digest>>,
}

impl Replays {
    pub(super) fn new(window_s: u64, now: i64) -> Self {
        Self { window_s: seconds(window_s), since: now, latest: now, systems: BTreeMap::new() }
    }

    /// Goes by another window. What was forgotten under a narrower one does not count as fresh under a wider.
    pub(super) fn widen(&mut self, window_s: u64, now: i64) {
        self.latest = self.latest.max(now);
        self.since = self.since.max(self.latest.saturating_sub(self.window_s));
        self.window_s = seconds(window_s);
    }

    /// Whether a signature is new; if so it is remembered for as long as it is fresh.
    pub(super) fn remember(&mut self, system: &SystemId, signed: &SignedRequest, now: i64) -> Known {
        self.latest = self.latest.max(now);
        let oldest = self.latest.saturating_sub(self.window_s);
        if signed.created < self.since.max(oldest) {
            return Known::BeforeMemory;
        }
        if !self.systems.contains_key(system) {
            self.systems.insert(system.clone(), Seen::default());
        }
        let seen = self.systems.get_mut(system).expect("it was put there");
        seen.forget_before(oldest);
        let digest = digest(&signed.key_id, &signed.base);
        if seen.digests.contains(&digest) {
            return Known::Seen;
        }
        if seen.digests.len() >= PER_SYSTEM_MAX {
            return Known::Full;
        }
        seen.digests.insert(digest);
        seen.made.entry(signed.created).or_default().push(digest);
        Known::New
    }
}

impl Seen {
    fn forget_before(&mut self, oldest: i64) {
        while let Some(first) = self.made.first_entry().filter(|first| *first.key() < oldest) {
            for digest in first.remove() {
                self.digests.remove(&digest);
            }
        }
    }
}

/// The key's name holds no line feed, and the base tells the rest.
fn digest(key_id: &str, base: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(key_id.as_bytes());
    context.update(b"\n");
    context.update(base);
    let mut half = Digest::default();
    half.copy_from_slice(&context.finish().as_ref()[..16]);
    half
}

fn seconds(window_s: u64) -> i64 {
    i64::try_from(window_s).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(created: i64, base: &str) -> SignedRequest {
        SignedRequest {
            key_id: "k".to_owned(),
            created,
            expires: None,
            nonce: None,
            algorithm: None,
            base: base.as_bytes().to_vec(),
            signature: Vec::new(),
            input: String::new(),
        }
    }

    fn system(id: &str) -> SystemId {
        SystemId::new(id).expect("a name")
    }

    #[test]
    fn a_signature_counts_once_as_long_as_it_is_fresh_and_is_forgotten_after() {
        let (portal, mut replays) = (system("portal"), Replays::new(60, 1_000));
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_000), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_000, "b"), 1_000), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_060), Known::Seen);
        assert_eq!(replays.remember(&system("other"), &signed(1_000, "a"), 1_060), Known::New, "another system's memory");
        assert_eq!(replays.remember(&portal, &signed(1_061, "c"), 1_061), Known::New);
        assert_eq!(replays.systems[&portal].digests.len(), 1, "what is not fresh takes no room");
        assert_eq!(replays.systems[&portal].made.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_back() {
        let (portal, mut replays) = (system("portal"), Replays::new(60, 1_000));
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_000), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_100, "b"), 1_100), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_030), Known::BeforeMemory);
    }

    #[test]
    fn what_was_made_before_the_node_began_is_not_taken() {
        let (portal, mut replays) = (system("portal"), Replays::new(60, 1_000));
        assert_eq!(replays.remember(&portal, &signed(999, "a"), 1_000), Known::BeforeMemory);
    }

    #[test]
    fn a_wider_window_makes_nothing_fresh_that_was_forgotten() {
        let (portal, mut replays) = (system("portal"), Replays::new(60, 1_000));
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_000), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_050, "b"), 1_100), Known::New);
        replays.widen(600, 1_100);
        assert_eq!(replays.remember(&portal, &signed(1_000, "a"), 1_110), Known::BeforeMemory);
        assert_eq!(replays.remember(&portal, &signed(1_050, "b"), 1_200), Known::Seen);
        assert_eq!(replays.remember(&portal, &signed(1_105, "c"), 1_200), Known::New);
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nothing() {
        let (portal, mut replays) = (system("portal"), Replays::new(60, 1_000));
        for index in 0..PER_SYSTEM_MAX {
            assert_eq!(replays.remember(&portal, &signed(1_000, &index.to_string()), 1_000), Known::New);
        }
        assert_eq!(replays.remember(&portal, &signed(1_000, "one more"), 1_000), Known::Full);
        assert_eq!(replays.remember(&portal, &signed(1_000, "0"), 1_000), Known::Seen);
        assert_eq!(replays.remember(&system("other"), &signed(1_000, "a"), 1_000), Known::New);
        assert_eq!(replays.remember(&portal, &signed(1_061, "later"), 1_061), Known::New);
    }
}
