//! The entries of one agency, for the agency to keep before the keys are destroyed.
//!
//! Lines of JSON: the first says what it is and has a checkpoint, each other has an entry with its proof and its opening. An
//! archive proves what it has, not that it has all: its digest is recorded in the ledger by whoever orders it.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::civil::Date;
use rabita_model::AgencyId;
use serde::{Deserialize, Serialize};

use crate::accesses::Read;
use crate::entry::{Entry, TreeHash};
use crate::error::LedgerError;
use crate::evidence::{Check, Proven, checkpoint};
use crate::index::question;
use crate::ledger::{Ledger, blocking};
use crate::log::{Checkpoint, Log, VerifierKey};
use crate::period::{Keeper, KeyName, midnight};
use crate::seal::Opening;
use crate::vault::Vault;

/// So many faults of an archive are named one by one.
const FAULTS_MAX: usize = 20;

/// The version of an archive's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ArchiveForm {
    #[serde(rename = "archive/1")]
    V1,
}

/// The first line of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    rabita: ArchiveForm,
    agency: AgencyId,
    /// Entries of days before this one, in UTC.
    before: Date,
    entries: u64,
    log_key: String,
    checkpoint: String,
}

/// Any other line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    index: u64,
    entry: String,
    proof: Vec<TreeHash>,
    /// Absent where the key was destroyed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
}

/// What was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archived {
    pub entries: u64,
    /// How many of them have no opening, since their key was destroyed before.
    pub forgotten: u64,
    /// The SHA-256 of the archive, in hexadecimal digits: for the act that orders it.
    pub sha256: String,
}

impl Ledger {
    /// Writes the entries about an agency's registries from before a date, with proofs and openings. What is written opens
    /// what it holds for ever: it is for the agency alone.
    ///
    /// # Errors
    /// [`LedgerError::Archive`] where it cannot be written; others where the log, the keys or the index cannot be read.
    pub async fn archive(
        &self,
        agency: &AgencyId,
        before: Date,
        out: impl Write + Send + 'static,
    ) -> Result<Archived, LedgerError> {
        let to = midnight(before).as_microsecond();
        let owner = agency.clone();
        let indices = self.index.ask(move |connection| question::all_of_agency(connection, &owner, to)).await?;
        let checkpoint = self.log.checkpoint();
        let head = Head {
            rabita: ArchiveForm::V1,
            agency: agency.clone(),
            before,
            entries: indices.len() as u64,
            log_key: self.log.verifier().to_string(),
            checkpoint: checkpoint.note.clone(),
        };
        let (log, vault) = (Arc::clone(&self.log), Arc::clone(&self.vault));
        blocking(move || {
            let mut out = Digesting { out, digest: Context::new(&SHA256) };
            put(&mut out, &head)?;
            let mut forgotten = 0;
            for index in &indices {
                let line = line(&log, &vault, &head.agency, *index, &checkpoint)?;
                forgotten += u64::from(line.opening.is_none());
                put(&mut out, &line)?;
            }
            out.out.flush()?;
            let sha256 = out.digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(Archived { entries: head.entries, forgotten, sha256 })
        })
        .await
    }

    /// Destroys the keys of an agency whose periods ended by a date. Answers which; with `dry_run`, which it would. Whoever
    /// orders it records it as an act of theirs.
    ///
    /// # Errors
    /// [`LedgerError::Vault`] where the disk does not do what it is told.
    pub async fn forget(&self, agency: &AgencyId, before: Date, why: &str, dry_run: bool) -> Result<Vec<KeyName>, LedgerError> {
        let keeper = Keeper::Agency(agency.clone());
        let mut keys = self.vault.within(None, Some(midnight(before)));
        keys.retain(|key| key.keeper == keeper && key.stretch.to() <= midnight(before));
        if !dry_run {
            for key in &keys {
                self.destroy(key.clone(), why).await?;
            }
        }
        Ok(keys)
    }
}

fn line(log: &Log, vault: &Vault, agency: &AgencyId, index: u64, checkpoint: &Checkpoint) -> Result<Line, LedgerError> {
    let read = Read::of(log, index)?;
    let (Some(key), Some(exchange)) = (read.entry.key(), read.entry.exchange()) else { return Err(LedgerError::Absent) };
    if key.keeper != Keeper::Agency(agency.clone()) {
        return Err(LedgerError::Index(format!("it counts entry {index} to {agency}")));
    }
    let opening = match vault.for_reading(key) {
        Ok(keys) => Some(keys.opening(key, exchange)),
        Err(LedgerError::Forgotten(_)) => None,
        Err(error) => return Err(error),
    };
    let proof = log.inclusion(index, checkpoint.size)?.ok_or(LedgerError::Absent)?;
    let Proven { index, entry, proof } = Proven::new(index, &read.bytes, proof)?;
    Ok(Line { index, entry, proof, opening })
}

fn put(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Writes, and makes the digest of what it writes.
struct Digesting<W> {
    out: W,
    digest: Context,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Verifies an archive with the log's key as it is known from elsewhere; without one, with the key that it names.
///
/// # Errors
/// Where it cannot be read.
pub fn verify(archive: impl BufRead, key: Option<&VerifierKey>) -> io::Result<Vec<Check>> {
    let mut lines = archive.lines();
    let mut checks = Vec::new();
    let what = "the first line says what the archive is";
    let Some(first) = lines.next().transpose()? else {
        checks.push(Check::new(what, Err("it is empty".to_owned())));
        return Ok(checks);
    };
    let head: Head = match serde_json::from_str(&first) {
        Ok(head) => head,
        Err(error) => {
            checks.push(Check::new(what, Err(error.to_string())));
            return Ok(checks);
        }
    };
    checks.push(Check::new(what, Ok(())));
    let Some(checkpoint) = checkpoint(&head.log_key, &head.checkpoint, key, &mut checks) else { return Ok(checks) };
    let mut seen = Seen::default();
    for line in lines {
        seen.line(&line?, &head, &checkpoint);
    }
    seen.tell(&head, &mut checks);
    Ok(checks)
}

/// What the lines of an archive turned out to be.
#[derive(Default)]
struct Seen {
    lines: u64,
    opened: u64,
    last: Option<u64>,
    faults: Vec<String>,
}

impl Seen {
    fn line(&mut self, text: &str, head: &Head, checkpoint: &Checkpoint) {
        self.lines += 1;
        if let Err(why) = self.check(text, head, checkpoint)
            && self.faults.len() < FAULTS_MAX
        {
            self.faults.push(format!("line {}: {why}", self.lines + 1));
        }
    }

    fn check(&mut self, text: &str, head: &Head, checkpoint: &Checkpoint) -> Result<(), String> {
        let Line { index, entry, proof, opening } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let entry = Proven { index, entry, proof }.entry(checkpoint)?;
        if self.last.is_some_and(|last| last >= index) {
            return Err("it is not in the order of the log".to_owned());
        }
        self.last = Some(index);
        if entry.key().is_none_or(|key| key.keeper != Keeper::Agency(head.agency.clone())) {
            return Err(format!("it is not about a registry of {}", head.agency));
        }
        if entry.at() >= midnight(head.before) {
            return Err(format!("it is not from before {}", head.before));
        }
        let Some(opening) = opening else { return Ok(()) };
        if Some(&opening.key) != entry.key() || Some(opening.exchange) != entry.exchange() {
            return Err("its opening is of another exchange".to_owned());
        }
        if let Entry::Exchange(exchange) | Entry::Events(exchange) = &entry
            && let Some(sealed) = &exchange.sealed
            && opening.private(sealed).is_none()
        {
            return Err("its opening does not fit".to_owned());
        }
        self.opened += 1;
        Ok(())
    }

    fn tell(self, head: &Head, checks: &mut Vec<Check>) {
        let Self { lines, opened, faults, .. } = self;
        let count = if lines == head.entries { Ok(()) } else { Err(format!("it has {lines}")) };
        checks.push(Check::new(format!("the archive has the {} entries that it says", head.entries), count));
        let what = format!("each of the {lines} entries is in the log of the checkpoint, and {opened} have an opening that fits");
        if faults.is_empty() {
            checks.push(Check::new(what, Ok(())));
        }
        checks.extend(faults.into_iter().map(|fault| Check::new("the line holds", Err(fault))));
    }
}
