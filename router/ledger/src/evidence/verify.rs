//! Verifies a bundle, and says in plain words every single thing that it looked at.

use std::fmt;
use std::str::FromStr as _;

use rabita_model::Subject;
use serde::Serialize;

use crate::entry::{Entry, ExchangeEntry, KeyedDigest};
use crate::evidence::{Bundle, Content, Proven, main};
use crate::log::note::Note;
use crate::log::{Checkpoint, VerifierKey};
use crate::seal::{Opening, sha256};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A sentence that is true where the verdict is [`Verdict::Holds`].
    pub what: String,
    pub verdict: Verdict,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds,
    /// It is not so, and why.
    Fails(String),
    /// It cannot be told, and what is missing.
    NotGiven(String),
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Holds => write!(f, "holds: {}", self.what),
            Verdict::Fails(why) => write!(f, "FAILS: {} ({why})", self.what),
            Verdict::NotGiven(missing) => write!(f, "not told: {} ({missing})", self.what),
        }
    }
}

impl Check {
    pub(crate) fn new(what: impl Into<String>, result: Result<(), String>) -> Self {
        Self { what: what.into(), verdict: result.map_or_else(Verdict::Fails, |()| Verdict::Holds) }
    }

    pub(crate) fn not_given(what: impl Into<String>, missing: &str) -> Self {
        Self { what: what.into(), verdict: Verdict::NotGiven(missing.to_owned()) }
    }

    fn is(what: impl Into<String>, is_so: bool, otherwise: &str) -> Self {
        Self::new(what, if is_so { Ok(()) } else { Err(otherwise.to_owned()) })
    }
}

/// Verifies a bundle with the log's key as it is known from elsewhere; without one, with the key that the bundle names.
#[must_use]
pub fn verify(bundle: &Bundle, key: Option<&VerifierKey>) -> Vec<Check> {
    let mut checks = Vec::new();
    let Some(checkpoint) = checkpoint(&bundle.log_key, &bundle.checkpoint, key, &mut checks) else { return checks };
    let mut entries = Vec::new();
    for proven in &bundle.entries {
        entries.extend(entry(proven, &checkpoint, &mut checks).map(|entry| (proven.index, entry)));
    }
    for (index, entry) in &entries {
        let what = format!("entry {index} is of exchange {}", bundle.exchange);
        checks.push(Check::is(what, entry.exchange() == Some(bundle.exchange), "it is of another"));
    }
    let is_sorted = bundle.entries.is_sorted_by(|one, other| one.index < other.index);
    checks.push(Check::is("each entry stands in the bundle once, in the order of the log", is_sorted, "it does not"));
    let mains: Vec<(u64, &ExchangeEntry)> = entries.iter().filter_map(|(index, entry)| Some((*index, main(entry)?))).collect();
    openings(bundle, &mains, &mut checks);
    checks.push(Check::is("the bundle has the entry of the exchange itself", !mains.is_empty(), "it has none"));
    for (index, main) in &mains {
        whole(*index, main, &entries, &mut checks);
        private(*index, main, bundle, &mut checks);
        signature(*index, main, &mut checks);
        conclusion(main, &entries, &mut checks);
    }
    let asked: Vec<_> = mains.iter().map(|(index, main)| (*index, *main, Some(&main.request))).collect();
    let answered: Vec<_> = mains.iter().map(|(index, main)| (*index, *main, main.answer.as_ref())).collect();
    checks.push(content("request", bundle.request.as_ref(), &asked, bundle, Opening::is_request));
    checks.push(content("answer", bundle.answer.as_ref(), &answered, bundle, Opening::is_answer));
    checks
}

/// Whether the exchange of a bundle is about this person.
#[must_use]
pub fn is_about(bundle: &Bundle, subject: &Subject) -> Check {
    let what = "the exchange is about the person whose number was given";
    let entries = bundle.entries.iter().filter_map(|proven| Entry::parse(proven.entry.as_bytes()).ok());
    let mut is_opened = false;
    for entry in entries {
        let Some(opening) = entry.key().and_then(|key| bundle.openings.iter().find(|opening| opening.key == *key)) else {
            continue;
        };
        is_opened = true;
        if entry.subjects().iter().any(|written| opening.is_subject(subject, written)) {
            return Check::new(what, Ok(()));
        }
    }
    if is_opened { Check::is(what, false, "no entry names that person") } else { Check::not_given(what, "the key is destroyed") }
}

/// Verifies the checkpoint that all proofs lead to.
pub(crate) fn checkpoint(log_key: &str, note: &str, key: Option<&VerifierKey>, checks: &mut Vec<Check>) -> Option<Checkpoint> {
    let what = "the key of the log can be read";
    let own = match VerifierKey::from_str(log_key) {
        Ok(own) => own,
        Err(error) => {
            checks.push(Check::new(what, Err(error.to_string())));
            return None;
        }
    };
    checks.push(Check::new(what, Ok(())));
    let what = format!("{log_key} is the key of the log");
    checks.push(match key {
        Some(key) => Check::is(what, key.to_string() == log_key, "it is not the key that was given"),
        None => Check::not_given(what, "no key was given to compare it with"),
    });
    let read = Checkpoint::verify(note, &own).map_err(|error| error.to_string()).and_then(|checkpoint| {
        // What others signed is left out, since their keys are not at hand.
        let is_alone = Note::parse(note).is_ok_and(|parsed| parsed.signatures.len() == 1 && parsed.to_string() == note);
        if is_alone { Ok(checkpoint) } else { Err("it bears more than the signature of the log".to_owned()) }
    });
    match read {
        Ok(checkpoint) => {
            let what = format!("the checkpoint of {} with {} entries is signed by that key", checkpoint.origin, checkpoint.size);
            checks.push(Check::new(what, Ok(())));
            Some(checkpoint)
        }
        Err(why) => {
            checks.push(Check::new("the checkpoint is signed by that key", Err(why)));
            None
        }
    }
}

fn entry(proven: &Proven, checkpoint: &Checkpoint, checks: &mut Vec<Check>) -> Option<Entry> {
    let what = format!("entry {} is in the log of the checkpoint, as it stands in the bundle", proven.index);
    match proven.entry(checkpoint) {
        Ok(entry) => {
            checks.push(Check::new(what, Ok(())));
            Some(entry)
        }
        Err(why) => {
            checks.push(Check::new(what, Err(why)));
            None
        }
    }
}

/// Each opening is of a key that an entry of the exchange itself was written with, and stands there once.
fn openings(bundle: &Bundle, mains: &[(u64, &ExchangeEntry)], checks: &mut Vec<Check>) {
    for (at, opening) in bundle.openings.iter().enumerate() {
        let is_used = mains.iter().any(|(_, main)| main.key == opening.key);
        let is_first = bundle.openings[..at].iter().all(|other| other.key != opening.key);
        let what = format!("the opening made of the key {} is of this exchange", opening.key);
        let is_own = opening.exchange == bundle.exchange && is_used && is_first;
        checks.push(Check::is(what, is_own, "it is of another"));
    }
}

fn opening<'a>(bundle: &'a Bundle, entry: &ExchangeEntry) -> Option<&'a Opening> {
    bundle.openings.iter().find(|opening| opening.key == entry.key && opening.exchange == entry.exchange)
}

/// Whether what did not fit into the entry is all there.
fn whole(index: u64, main: &ExchangeEntry, entries: &[(u64, Entry)], checks: &mut Vec<Check>) {
    let parts = || entries.iter().filter_map(|(_, entry)| if let Entry::More(more) = entry { Some(more) } else { None });
    let parts = || parts().filter(|more| more.update.is_none());
    if let Some(total) = main.subjects_total {
        let found = main.subjects.len() + parts().map(|more| more.subjects.len()).sum::<usize>();
        let what = format!("all {total} persons whom entry {index} is about are named");
        checks.push(Check::is(what, found >= total as usize, "an entry with some of them is missing"));
    }
    if let Some(total) = main.fields_total {
        let found = main.fields.len() + parts().map(|more| more.fields.len()).sum::<usize>();
        let what = format!("all {total} fields that the answer gave are named");
        checks.push(Check::is(what, found >= total as usize, "an entry with some of them is missing"));
    }
}

fn private(index: u64, main: &ExchangeEntry, bundle: &Bundle, checks: &mut Vec<Check>) {
    let Some(sealed) = &main.sealed else { return };
    let what = format!("the user, the case and the consent of entry {index} open");
    let Some(opening) = opening(bundle, main) else {
        checks.push(Check::not_given(what, "the key is destroyed"));
        return;
    };
    let Some(private) = opening.private(sealed) else {
        checks.push(Check::is(what, false, "the opening does not fit"));
        return;
    };
    checks.push(Check::new(what, Ok(())));
    for (name, value) in [("on behalf of", private.user), ("in the case", private.case), ("with the consent", private.consent)] {
        checks.extend(value.map(|value| Check::new(format!("the exchange of entry {index} was {name} \"{value}\""), Ok(()))));
    }
}

fn signature(index: u64, main: &ExchangeEntry, checks: &mut Vec<Check>) {
    if let Some(key) = &main.signed {
        let what = format!("the request of entry {index} was signed by its caller with the key {key}");
        checks.push(Check::not_given(
            what,
            "the log says so; with what is sealed and the caller's public key anyone can verify it",
        ));
    }
}

fn conclusion(main: &ExchangeEntry, entries: &[(u64, Entry)], checks: &mut Vec<Check>) {
    let Some(update) = main.update else { return };
    let ends = |entry: &Entry| matches!(entry, Entry::Conclusion(entry) if entry.update == update);
    let what = format!("the bundle says how the update {update} ended");
    checks.push(if entries.iter().any(|(_, entry)| ends(entry)) {
        Check::new(what, Ok(()))
    } else {
        Check::not_given(what, "it had not ended, or its end is in a later bundle")
    });
}

/// Whether a content is what an entry has the digest of. Where several entries are of one exchange, one has to be of it.
fn content(
    name: &str,
    given: Option<&Content>,
    written: &[(u64, &ExchangeEntry, Option<&KeyedDigest>)],
    bundle: &Bundle,
    is_of: impl Fn(&Opening, &[u8; 32], &KeyedDigest) -> bool,
) -> Check {
    let what = format!("the {name} given is the one that the log has the digest of");
    let Some(given) = given else { return Check::not_given(what, "the ledger keeps no contents, and none was given") };
    let sha256 = sha256(&given.0);
    let mut missing = "the answer was a stream, of which there is no digest";
    for (_, entry, digest) in written {
        let Some(digest) = digest else { continue };
        let Some(opening) = opening(bundle, entry) else {
            missing = "the key is destroyed";
            continue;
        };
        if is_of(opening, &sha256, digest) {
            return Check::new(what, Ok(()));
        }
        missing = "";
    }
    if missing.is_empty() { Check::is(what, false, "its digest is another") } else { Check::not_given(what, missing) }
}
