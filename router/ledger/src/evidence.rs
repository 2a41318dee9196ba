//! Evidence of one exchange: what proves to a court, without the bus, what was asked and answered.
//!
//! A [`Bundle`] has the exchange's entries with their proofs, a checkpoint that the log signed, and the opening of the exchange.
//! The ledger has no contents, only digests of them: request and answer come from whoever kept them. [`verify`](fn@verify)
//! needs nothing but the bundle and the log's public key.

use rabita_model::ExchangeId;
use serde::{Deserialize, Serialize};

use crate::accesses::{Access, Accesses};
use crate::entry::{Entry, ExchangeEntry, TreeHash};
use crate::error::LedgerError;
use crate::ledger::{Ledger, blocking};
use crate::log::Checkpoint;
use crate::log::proof::{Hash, leaf_hash, verify_inclusion};
use crate::period::KeyName;
use crate::seal::Opening;

mod content;
mod verify;

pub use content::{Content, request_bytes};
pub(crate) use verify::checkpoint;
pub use verify::{Check, Verdict, is_about, verify};

/// The version of a bundle's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BundleForm {
    #[default]
    #[serde(rename = "evidence/1")]
    V1,
}

/// The evidence of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub rabita: BundleForm,
    pub exchange: ExchangeId,
    /// The key that the checkpoint is signed with, as `name+hash+key`. Whoever verifies compares it with the one they know.
    pub log_key: String,
    /// A signed note.
    pub checkpoint: String,
    pub entries: Vec<Proven>,
    /// One for each key that entries of the exchange itself were written with and that is kept: one, as a rule.
    pub openings: Vec<Opening>,
    /// What was asked: [`request_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Content>,
    /// What was answered: the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Content>,
}

/// An entry with what proves that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    pub index: u64,
    /// The entry as it is written.
    pub entry: String,
    /// The hashes on the way from the leaf to the root, the lowest first.
    pub proof: Vec<TreeHash>,
}

impl Proven {
    pub(crate) fn new(index: u64, bytes: &[u8], proof: Vec<Hash>) -> Result<Self, LedgerError> {
        // An entry that was read is JSON, so it is text.
        let entry = String::from_utf8(bytes.to_vec()).map_err(|_| LedgerError::Absent)?;
        Ok(Self { index, entry, proof: proof.into_iter().map(TreeHash).collect() })
    }

    /// The entry, if it is in the log.
    pub(crate) fn entry(&self, checkpoint: &Checkpoint) -> Result<Entry, String> {
        let proof: Vec<_> = self.proof.iter().map(|hash| hash.0).collect();
        let leaf = leaf_hash(self.entry.as_bytes());
        if !verify_inclusion(&leaf, self.index, checkpoint.size, &checkpoint.root, &proof) {
            return Err("the proof does not lead from the entry to the root of the checkpoint".to_owned());
        }
        Entry::parse(self.entry.as_bytes()).map_err(|error| error.to_string())
    }
}

/// The exchange itself, where an entry is that.
fn main(entry: &Entry) -> Option<&ExchangeEntry> {
    match entry {
        Entry::Exchange(entry) | Entry::Events(entry) => Some(entry),
        Entry::More(_) | Entry::Conclusion(_) | Entry::Configuration(_) | Entry::Act(_) => None,
    }
}

fn proven(access: Access) -> Result<Proven, LedgerError> {
    Proven::new(access.index, &access.bytes, access.proof)
}

impl Ledger {
    /// The evidence of an exchange, with the contents that are given: [`request_bytes`] and the body of the answer. Where a
    /// key is destroyed its opening is left out; that the entries are in the log is proven all the same.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] where there is no such exchange; others where the log, the keys or the index cannot be read.
    pub async fn evidence(
        &self,
        exchange: ExchangeId,
        request: Option<Vec<u8>>,
        answer: Option<Vec<u8>>,
    ) -> Result<Bundle, LedgerError> {
        let Accesses { accesses, checkpoint, .. } = self.of_exchange(exchange).await?;
        let mut keys: Vec<KeyName> =
            accesses.iter().filter_map(|access| main(&access.entry)).map(|main| main.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut openings = Vec::new();
        for key in keys {
            match self.opening_with(key, exchange).await {
                Ok(opening) => openings.push(opening),
                Err(LedgerError::Forgotten(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Bundle {
            rabita: BundleForm::V1,
            exchange,
            log_key: self.log.verifier().to_string(),
            checkpoint: checkpoint.note.clone(),
            entries: accesses.into_iter().map(proven).collect::<Result<_, _>>()?,
            openings,
            request: request.map(Content),
            answer: answer.map(Content),
        })
    }

    /// What opens the entry of an exchange, and nothing else.
    ///
    /// # Errors
    /// [`LedgerError::Forgotten`] where the key is destroyed, [`LedgerError::Absent`] where there is no such exchange; others
    /// where the log, the keys or the index cannot be read.
    pub async fn opening(&self, exchange: ExchangeId) -> Result<Opening, LedgerError> {
        let found = self.of_exchange(exchange).await?.accesses;
        let main = found.iter().find_map(|access| main(&access.entry)).ok_or(LedgerError::Absent)?;
        self.opening_with(main.key.clone(), exchange).await
    }

    async fn opening_with(&self, key: KeyName, exchange: ExchangeId) -> Result<Opening, LedgerError> {
        let vault = std::sync::Arc::clone(&self.vault);
        blocking(move || vault.for_reading(&key).map(|keys| keys.opening(&key, exchange))).await
    }
}
