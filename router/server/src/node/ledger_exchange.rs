//! Nodes that share a journal show each other their checkpoints, and cosign each other's.
//!
//! Each node keeps two kinds of values in the journal:
//!
//! - `ledger/head/{origin}`: its newest checkpoint, its key, and for each size that a witness saw last the proof that the log
//!   only grew since;
//! - `ledger/seen/{origin}/{witness}`: what the witness saw of another's log last, cosigned.
//!
//! A node cosigns with the key of its log: cosignatures and checkpoints have names apart (C2SP tlog-cosignature). The key of
//! another node is remembered at first sight, in `witness/` of the ledger, and holds from then on. A head that is not
//! consistent with what was seen is no longer cosigned; both checkpoints stay there as evidence.

pub(crate) mod memory;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use metrics::counter;
use rabita_journal::{Journal, JournalError, Kept};
use rabita_keys::SigningKey;
use rabita_ledger::log::note::{NoteError, SignatureKind};
use rabita_ledger::log::{Checkpoint, Hash, Log, LogError, VerifierKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use memory::{Memory, WitnessError};

const HEADS: &str = "ledger/head/";
const SEEN: &str = "ledger/seen/";

/// A node's part among those that share its journal.
pub struct LedgerExchange {
    log: Arc<Log>,
    journal: Arc<dyn Journal>,
    key: Arc<SigningKey>,
    state: PathBuf,
    every: Duration,
    /// What this node wrote last, so that nothing is written twice.
    written: BTreeMap<String, Value>,
}

/// Why a round came to nothing, or to an alarm.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("{0}")]
    Witness(String),
    /// What was shown under this log's name is none of it.
    #[error("LEDGER SPLIT VIEW: {0}")]
    SplitView(String),
}

/// A node's log, as it shows it to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    key: String,
    checkpoint: String,
    /// By the size that a witness saw last, the proof up to the checkpoint, in Base64.
    proofs: BTreeMap<u64, Vec<String>>,
}

/// What a witness saw of another's log last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    witness: String,
    size: u64,
    /// The checkpoint with the witness's line.
    note: String,
}

impl LedgerExchange {
    /// Over the log and its key; `state` is the directory where it remembers the others.
    #[must_use]
    pub fn new(log: Arc<Log>, journal: Arc<dyn Journal>, key: Arc<SigningKey>, state: PathBuf, every: Duration) -> Self {
        Self { log, journal, key, state, every, written: BTreeMap::new() }
    }

    /// Takes part until dropped.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(self.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            for error in self.round().await {
                match &error {
                    ExchangeError::SplitView(what) => tracing::error!(detail = what, "ledger split view"),
                    other => tracing::warn!(error = %other, "the ledger's checkpoints were not exchanged"),
                }
            }
        }
    }

    /// Shows this log to the others, looks at theirs, and takes their cosignatures. Answers what came in the way, of each
    /// log by itself: one that cannot be trusted takes the others nothing.
    pub async fn round(&mut self) -> Vec<ExchangeError> {
        let mut errors = Vec::new();
        let (heads, seen) = match self.kept().await {
            Ok(kept) => kept,
            Err(error) => return vec![error],
        };
        if let Err(error) = self.show(&heads, &seen).await {
            errors.push(error);
        }
        for (origin, head) in &heads {
            if origin != self.log.origin()
                && let Err(error) = self.witness(origin, head, &seen).await
            {
                errors.push(error);
            }
        }
        for (name, seen) in &seen {
            if let Some(witness) = name.strip_prefix(&format!("{}/", self.log.origin()))
                && let Err(error) = self.take(witness, seen)
            {
                errors.push(error);
            }
        }
        for _ in errors.iter().filter(|error| matches!(error, ExchangeError::SplitView(_))) {
            counter!("rabita_ledger_split_views_total").increment(1);
        }
        errors
    }

    async fn kept(&self) -> Result<(BTreeMap<String, Head>, BTreeMap<String, Seen>), ExchangeError> {
        // What a newer program wrote in another form is passed over.
        let heads = self.journal.kept(HEADS).await?.into_iter();
        let heads =
            heads.filter_map(|(key, value)| Some((key.strip_prefix(HEADS)?.to_owned(), serde_json::from_value(value).ok()?)));
        let seen = self.journal.kept(SEEN).await?.into_iter();
        let seen =
            seen.filter_map(|(key, value)| Some((key.strip_prefix(SEEN)?.to_owned(), serde_json::from_value(value).ok()?)));
        Ok((heads.collect(), seen.collect()))
    }

    /// Puts the newest checkpoint where the others look, unless another log stands there under this name.
    async fn show(&mut self, heads: &BTreeMap<String, Head>, seen: &BTreeMap<String, Seen>) -> Result<(), ExchangeError> {
        let checkpoint = self.log.checkpoint();
        let origin = self.log.origin();
        if let Some(shown) = heads.get(origin) {
            self.is_own(shown)?;
        }
        let mut proofs = BTreeMap::new();
        for seen in seen.iter().filter(|(name, _)| name.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'))) {
            let size = seen.1.size;
            if let Some(proof) = self.log.consistency(size, checkpoint.size)? {
                proofs.insert(size, proof.iter().map(|hash| STANDARD.encode(hash)).collect());
            }
        }
        let head = Head { key: self.log.verifier().to_string(), checkpoint: checkpoint.note.clone(), proofs };
        self.keep(format!("{HEADS}{origin}"), &head).await
    }

    /// What was shown before under this name has to be a past of this very log.
    fn is_own(&self, shown: &Head) -> Result<(), ExchangeError> {
        let origin = self.log.origin();
        if shown.key != self.log.verifier().to_string() {
            let other = &shown.key;
            return Err(ExchangeError::SplitView(format!(
                "another log is shown as `{origin}`, with the key {other}: each node has an origin of its own"
            )));
        }
        let before = Checkpoint::verify(&shown.checkpoint, self.log.verifier())?;
        let own = self.log.root(before.size)?;
        if own == Some(before.root) {
            return Ok(());
        }
        let has = self.log.checkpoint().size;
        Err(ExchangeError::SplitView(format!(
            "`{origin}` was shown with {} entries before, of which this log, with {has}, knows nothing: was it put back from an older copy?",
            before.size
        )))
    }

    /// Looks at another's log, and cosigns it where it only grew.
    async fn witness(&mut self, origin: &str, head: &Head, seen: &BTreeMap<String, Seen>) -> Result<(), ExchangeError> {
        let own = VerifierKey::new(self.log.origin(), SignatureKind::Cosignature, self.key.verifying())?;
        let place = format!("{origin}/{}", own.name());
        let key: VerifierKey = head.key.parse()?;
        let shown = Checkpoint::verify(&head.checkpoint, &key)?;
        let (state, signer, published) = (self.state.clone(), Arc::clone(&self.key), seen.get(&place).cloned());
        let proofs = head.proofs.clone();
        let looked =
            tokio::task::spawn_blocking(move || look(&state, key, &shown, &proofs, &own, &signer, published.as_ref())).await;
        let news = looked.map_err(|_| ExchangeError::Witness("a look at another's log broke off".to_owned()))??;
        match news {
            Some(seen) => self.keep(format!("{SEEN}{place}"), &seen).await,
            None => Ok(()),
        }
    }

    /// Takes a witness's line of this log. Its key is the one remembered of its own log.
    fn take(&self, witness: &str, seen: &Seen) -> Result<(), ExchangeError> {
        let Some(log_key) = Memory::key_of(&self.state, witness).map_err(told)? else {
            // Its own log was not seen yet: the next round may have seen it.
            return Ok(());
        };
        let key = VerifierKey::new(witness, SignatureKind::Cosignature, log_key.key())?;
        let is_known = |cosigned: &rabita_ledger::log::Cosigned| cosigned.witness == key && cosigned.checkpoint.size >= seen.size;
        if self.log.cosigned().iter().any(is_known) {
            return Ok(());
        }
        Ok(self.log.add_cosignature(&key, &seen.note)?)
    }

    async fn keep(&mut self, key: String, value: &impl Serialize) -> Result<(), ExchangeError> {
        let value = serde_json::to_value(value).expect("texts, numbers and lists are JSON");
        if self.written.get(&key) == Some(&value) {
            return Ok(());
        }
        self.journal.publish(Vec::new(), vec![Kept { key: key.clone(), value: Some(value.clone()) }]).await?;
        self.written.insert(key, value);
        Ok(())
    }
}

/// Compares what is shown with what was seen. Answers what is to be published, if anything is new.
fn look(
    state: &std::path::Path,
    key: VerifierKey,
    shown: &Checkpoint,
    proofs: &BTreeMap<u64, Vec<String>>,
    own: &VerifierKey,
    signer: &SigningKey,
    published: Option<&Seen>,
) -> Result<Option<Seen>, ExchangeError> {
    let memory = Memory::open(state, key).map_err(told)?;
    let said = |note: String, size| Some(Seen { witness: own.to_string(), size, note });
    if let Some(seen) = memory.seen().map_err(told)? {
        let is_published = published.is_some_and(|published| published.size == seen.size);
        if seen.size == shown.size && seen.root == shown.root && is_published {
            return Ok(None);
        }
        let proof = match proofs.get(&seen.size) {
            Some(proof) => decoded(proof)?,
            // Without a proof there is nothing to hold against it. The other node makes it once it knows what was seen.
            None if shown.size > seen.size && is_published => return Ok(None),
            None if shown.size > seen.size => return Ok(said(cosigned(&memory, &seen, own, signer)?, seen.size)),
            None => Vec::new(),
        };
        memory.compare(&seen, shown, &proof).map_err(told)?;
    }
    let note = cosigned(&memory, shown, own, signer)?;
    Ok(said(note, shown.size))
}

fn cosigned(memory: &Memory, shown: &Checkpoint, own: &VerifierKey, signer: &SigningKey) -> Result<String, ExchangeError> {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    Ok(memory.cosign(shown, own.name(), signer, now).map_err(told)?.to_string())
}

fn decoded(proof: &[String]) -> Result<Vec<Hash>, ExchangeError> {
    let hashes = proof.iter().map(|text| STANDARD.decode(text).ok()?.try_into().ok());
    hashes.collect::<Option<_>>().ok_or_else(|| ExchangeError::Witness("a proof holds what is no hash".to_owned()))
}

fn told(error: WitnessError) -> ExchangeError {
    match error {
        error @ (WitnessError::Conflict { .. } | WitnessError::Key { .. }) => ExchangeError::SplitView(error.to_string()),
        other => ExchangeError::Witness(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
