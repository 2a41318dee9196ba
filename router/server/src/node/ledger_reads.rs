//! `/bus/ledger/...`: the log as C2SP tlog-tiles has it, entries, proofs, and the cosignatures of witnesses.
//!
//! Nothing here is opened: an entry is told as it lies in the log. Whoever is a system of this bus may read it.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use rabita_contract::ledger::{self as told, Hash};
use rabita_contract::{Asked, Body, ETag, Frame, LedgerRoute, Tile};
use rabita_ledger::accesses::{Access, Accesses};
use rabita_ledger::error::LedgerError;
use rabita_ledger::ledger::Ledger;
use rabita_ledger::log::note::{Note, NoteError, SignatureKind};
use rabita_ledger::log::proof::leaf_hash;
use rabita_ledger::log::{Checkpoint, Log, LogError, VerifierKey};
use rabita_model::{Code, ExchangeId, Fault, Refusal};

/// What callers read of a node's log.
#[derive(Clone)]
pub(super) struct LedgerReads {
    ledger: Arc<Ledger>,
    /// Whose cosignatures are taken.
    witnesses: Arc<[VerifierKey]>,
}

impl LedgerReads {
    /// With the witnesses of the configuration.
    ///
    /// # Errors
    /// When a witness's key is none.
    pub(super) fn new(ledger: Arc<Ledger>, witnesses: &[String]) -> Result<Self, NoteError> {
        let keys = witnesses.iter().map(|text| text.parse::<VerifierKey>());
        let keys = keys.map(|key| {
            key.and_then(|key| match key.kind() {
                SignatureKind::Cosignature => Ok(key),
                SignatureKind::Ed25519 => Err(NoteError::Key("it is the key of a log, not of a witness")),
            })
        });
        Ok(Self { ledger, witnesses: keys.collect::<Result<_, _>>()? })
    }

    /// Answers. What reads the disk does so on a thread where it may.
    pub(super) async fn answer(&self, route: LedgerRoute, asked: &Asked, frame: &Frame<'_>) -> Result<Response<Bytes>, Refusal> {
        let log = Arc::clone(self.ledger.log());
        let body = match route {
            LedgerRoute::Checkpoint => return Ok(told::text(cosigned_note(&log)?, asked, frame)),
            LedgerRoute::Key => return Ok(told::text(format!("{}\n", log.verifier()), asked, frame)),
            LedgerRoute::Tile(wanted) => return Ok(told::tile(blocking(move || tile(&log, wanted)).await?, asked, frame)),
            LedgerRoute::Entry(index) => blocking(move || entry(&log, index)).await?,
            LedgerRoute::Inclusion { index, size } => blocking(move || inclusion(&log, index, size)).await?,
            LedgerRoute::OfExchange(exchange) => {
                of_exchange(exchange, &self.ledger.of_exchange(exchange).await.map_err(|error| unreadable(&error))?)?
            }
            LedgerRoute::Consistency { from, to } => blocking(move || consistency(&log, from, to)).await?,
            LedgerRoute::Cosignatures => cosignatures(&log),
            LedgerRoute::Cosign(note) => {
                let witnesses = Arc::clone(&self.witnesses);
                blocking(move || cosign(&log, &witnesses, &note)).await?
            }
        };
        let etag = ETag::of(digest(&SHA256, body.bytes()).as_ref());
        Ok(rabita_contract::respond(body, Some(&etag), asked, frame))
    }
}

/// The newest checkpoint, with the lines of those witnesses who have cosigned this very one.
fn cosigned_note(log: &Log) -> Result<String, Refusal> {
    let checkpoint = log.checkpoint();
    let mut note = parsed(&checkpoint)?;
    for cosigned in log.cosigned().iter().filter(|cosigned| cosigned.checkpoint.size == checkpoint.size) {
        let lines = parsed(&cosigned.checkpoint)?.signatures;
        note.signatures.extend(lines.into_iter().filter(|line| cosigned.witness.is_of(line)));
    }
    Ok(note.to_string())
}

fn parsed(checkpoint: &Checkpoint) -> Result<Note, Refusal> {
    Note::parse(&checkpoint.note).map_err(|error| unreadable(&LogError::from(error).into()))
}

fn tile(log: &Log, Tile { level, n, width }: Tile) -> Result<Bytes, Refusal> {
    let found = match level {
        Some(level) => log.tile(level, n, width),
        None => log.bundle(n, width),
    };
    found.map_err(|error| unreadable(&error.into()))?.ok_or_else(absent)
}

fn entry(log: &Log, index: u64) -> Result<Body, Refusal> {
    let bytes = log.entry(index).map_err(|error| unreadable(&error.into()))?.ok_or_else(absent)?;
    Ok(told::entry(index, Hash(leaf_hash(&bytes)), &bytes))
}

fn inclusion(log: &Log, index: u64, size: Option<u64>) -> Result<Body, Refusal> {
    let checkpoint = log.checkpoint();
    let size = size.unwrap_or(checkpoint.size);
    let proof = proof(log, index, size)?;
    Ok(told::inclusion(&proof, (size == checkpoint.size).then_some(checkpoint.note.as_str())))
}

fn of_exchange(exchange: ExchangeId, found: &Accesses) -> Result<Body, Refusal> {
    let Checkpoint { size, root, note, .. } = &*found.checkpoint;
    let proof = |access: &Access| told::Inclusion {
        index: access.index,
        leaf: Hash(access.leaf),
        size: *size,
        root: Hash(*root),
        hashes: access.proof.iter().copied().map(Hash).collect(),
    };
    let proofs: Vec<_> = found.accesses.iter().map(proof).collect();
    if proofs.is_empty() { Err(absent()) } else { Ok(told::of_exchange(&exchange.to_string(), &proofs, note)) }
}

fn proof(log: &Log, index: u64, size: u64) -> Result<told::Inclusion, Refusal> {
    let proven = || -> Result<_, LogError> {
        let Some(hashes) = log.inclusion(index, size)? else { return Ok(None) };
        let (Some(root), Some(entry)) = (log.root(size)?, log.entry(index)?) else { return Ok(None) };
        let hashes = hashes.into_iter().map(Hash).collect();
        Ok(Some(told::Inclusion { index, leaf: Hash(leaf_hash(&entry)), size, root: Hash(root), hashes }))
    };
    proven().map_err(|error| unreadable(&error.into()))?.ok_or_else(absent)
}

fn consistency(log: &Log, from: u64, to: Option<u64>) -> Result<Body, Refusal> {
    let checkpoint = log.checkpoint();
    let to = to.unwrap_or(checkpoint.size);
    let proven = || -> Result<_, LogError> { Ok(log.consistency(from, to)?.zip(log.root(to)?)) };
    let (hashes, root) = proven().map_err(|error| unreadable(&error.into()))?.ok_or_else(absent)?;
    let newest = (to == checkpoint.size).then_some(checkpoint.note.as_str());
    let hashes = hashes.into_iter().map(Hash).collect();
    Ok(Body::json(&told::Consistency { from, to, root: Hash(root), hashes, checkpoint: newest }))
}

fn cosignatures(log: &Log) -> Body {
    let cosigned = log.cosigned().into_iter().map(|cosigned| told::Cosigned {
        witness: cosigned.witness.to_string(),
        at: i64::try_from(cosigned.at).ok().and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(Timestamp::MAX),
        size: cosigned.checkpoint.size,
        checkpoint: cosigned.checkpoint.note,
    });
    told::cosignatures(&cosigned.collect::<Vec<_>>())
}

/// Takes the lines of known witnesses. Those of others are passed over, as the specification wants it.
fn cosign(log: &Log, witnesses: &[VerifierKey], note: &str) -> Result<Body, Refusal> {
    let parsed = Note::parse(note).map_err(|error| malformed(&error))?;
    let mut accepted = Vec::new();
    for witness in witnesses {
        if !parsed.signatures.iter().any(|line| witness.is_of(line)) {
            continue;
        }
        match log.add_cosignature(witness, note) {
            Ok(()) => accepted.push(witness.name().to_owned()),
            Err(LogError::Note(NoteError::Checkpoint(_) | NoteError::Origin(_))) => return Err(absent()),
            Err(LogError::Note(error)) => return Err(malformed(&error)),
            Err(error) => return Err(unreadable(&error.into())),
        }
    }
    Ok(told::cosigned(&accepted))
}

fn absent() -> Refusal {
    Refusal::new(Code::LedgerEntryAbsent)
}

fn malformed(error: &NoteError) -> Refusal {
    Refusal::with_faults(Code::MalformedRequest, vec![Fault::at("", "malformed", error.to_string())])
}

fn unreadable(error: &LedgerError) -> Refusal {
    match error {
        LedgerError::Absent => absent(),
        LedgerError::Log(LogError::Corrupt(_)) | LedgerError::Unreadable { .. } => {
            Refusal::new(Code::Internal).detail(error.to_string())
        }
        _ => Refusal::new(Code::LedgerUnavailable).detail(error.to_string()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refusal::new(Code::Internal).detail("a read of the ledger broke off")))
}
