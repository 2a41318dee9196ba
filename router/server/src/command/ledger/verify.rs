//! `rabita ledger verify`: every hash and every signature of a log, in a directory or behind an address.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use jiff::Timestamp;
use rabita_ledger::log::note::{Note, NoteError, SignatureKind};
use rabita_ledger::log::verify::{directory_since_each, tiles};
use rabita_ledger::log::{Checkpoint, Cosigned, VerifierKey};
use serde_json::Value;

use super::mirror::Mirror;
use super::remote::{Connection, Remote, is_address};
use super::stamps::Stamps;
use crate::command::{Failed, output};
use crate::node::ledger_exchange::memory::replace;

/// What `verify` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rabita ledger verify ledger --key \"$(cat node-1.vkey)\"
  rabita ledger verify ledger --key \"$(cat node-1.vkey)\" --remember node-1.seen      each night
  rabita ledger verify https://bus.example.az:8443 --certificate us.pem --certificate-key us.key \\
      --authorities ca.pem --remember node-1.seen --witness witness.example/w1+...
  rabita ledger verify ledger --key \"$(cat node-1.vkey)\" --stamps --authorities tsa-ca.pem

A bus shows its entries to the systems that its transparency.yaml has as `auditors`, and to no other: an address needs the
certificate of one.
Exits with 1 and says what and where, when anything is not as it was written.")]
pub(in crate::command) struct VerifyArguments {
    /// The directory of a ledger or of its log, or the address of a bus, or of any log of C2SP tlog-tiles.
    #[arg(value_name = "DIR|URL")]
    place: String,
    /// The log's verifier key, `name+hash+key`, as it was told by a way of its own. Without it the log's own word is taken,
    /// and whoever forges the log can forge the key.
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,
    /// A checkpoint that was seen before: the log must be consistent with it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// The same, if the file is there; then the checkpoint that was found good is written into it.
    #[arg(long, value_name = "FILE", conflicts_with = "since")]
    remember: Option<PathBuf>,
    /// The verifier key of a witness who must have cosigned the checkpoint; may be repeated.
    #[arg(long, value_name = "KEY")]
    witness: Vec<VerifierKey>,
    /// Keep the copy of a remote log in this directory, so that next time only what is new is fetched.
    #[arg(long, value_name = "DIR")]
    mirror: Option<PathBuf>,
    /// Check the time stamps in the directory of the ledger too: the signature of each, its certificate up to --authorities,
    /// the note that it stamps, and that the log goes on from that note.
    #[arg(long, requires = "authorities")]
    stamps: bool,
    #[command(flatten)]
    connection: Connection,
}

impl VerifyArguments {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        if let Some(wrong) = self.witness.iter().find(|key| key.kind() != SignatureKind::Cosignature) {
            return Err(format!("{wrong} is no key of a witness").into());
        }
        let started = Instant::now();
        let found = if is_address(&self.place) { self.remote().await? } else { self.local()? };
        let Found { checkpoint, since, cosigned, stamps } = &found;
        self.witnessed(checkpoint, cosigned)?;
        if let Some(stamps) = stamps {
            stamps.tell();
        }
        let since = since.as_ref().map(|since| format!(", consistent with the {} seen before", since.size)).unwrap_or_default();
        let took = started.elapsed().as_secs_f64();
        output::say(format_args!("{}: {} entries verified in {took:.1} s{since}", checkpoint.origin, checkpoint.size));
        if let Some(file) = &self.remember {
            replace(file, checkpoint.note.as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn local(&self) -> Result<Found, Failed> {
        let log = log_directory(Path::new(&self.place))?;
        let key = match &self.key {
            Some(key) => key.clone(),
            None => key_beside(&log)?,
        };
        let since = self.since(&key)?;
        let stamps = self.stamps(&log, &key)?;
        let stamped = stamps.iter().flat_map(|stamps| &stamps.stamped);
        let past: Vec<&Checkpoint> = since.iter().chain(stamped.map(|stamped| &stamped.checkpoint)).collect();
        let verified = directory_since_each(&log, &key, &past).map_err(|error| format!("{}/{error}", log.display()))?;
        Ok(Found { checkpoint: verified.checkpoint, since, cosigned: verified.cosigned, stamps })
    }

    fn stamps(&self, log: &Path, key: &VerifierKey) -> Result<Option<Stamps>, Failed> {
        match (self.stamps, &self.connection.authorities) {
            (true, Some(authorities)) => Stamps::verify(&log.with_file_name("stamps"), authorities, key).map(Some),
            _ => Ok(None),
        }
    }

    async fn remote(&self) -> Result<Found, Failed> {
        if self.stamps {
            return Err("--stamps needs the directory of the ledger: time stamps are not behind an address".into());
        }
        let remote = Remote::open(&self.place, &self.connection)?;
        let key = match &self.key {
            Some(key) => key.clone(),
            None => own_word(&remote).await?,
        };
        let since = self.since(&key)?;
        let mirror = Mirror::open(self.mirror.as_deref())?;
        let checkpoint = mirror.fetch(&remote, &key).await?;
        let verify = |since: Option<&Checkpoint>| {
            tiles(&checkpoint, since, |tile| mirror.tile(tile)).map_err(|error| format!("{remote}/{error}"))
        };
        verify(since.as_ref())?;
        let mut cosigned = Vec::new();
        for witness in &self.witness {
            if let Some(own) = cosigned_by(&remote, witness, &key).await? {
                // What a witness saw has to be a past of what was fetched.
                verify(Some(&own.checkpoint))?;
                cosigned.push(own);
            }
        }
        Ok(Found { checkpoint, since, cosigned, stamps: None })
    }

    fn since(&self, key: &VerifierKey) -> Result<Option<Checkpoint>, Failed> {
        let file = match (&self.since, &self.remember) {
            (Some(file), _) => file,
            (None, Some(file)) if file.exists() => file,
            (None, _) => return Ok(None),
        };
        let note = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Checkpoint::verify(&note, key).map(Some).map_err(|error| format!("{}: {error}", file.display()).into())
    }

    fn witnessed(&self, checkpoint: &Checkpoint, cosigned: &[Cosigned]) -> Result<(), Failed> {
        for key in &self.witness {
            let own = cosigned.iter().find(|own| own.witness == *key);
            let own = own.ok_or_else(|| format!("{} has cosigned no checkpoint of {}", key.name(), checkpoint.origin))?;
            let at = i64::try_from(own.at).ok().and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(Timestamp::MAX);
            output::say(format_args!("the first {} entries are cosigned by {}, at {at}", own.checkpoint.size, key.name()));
        }
        Ok(())
    }
}

/// What was verified.
struct Found {
    checkpoint: Checkpoint,
    since: Option<Checkpoint>,
    cosigned: Vec<Cosigned>,
    stamps: Option<Stamps>,
}

/// What a witness cosigned last. A log of others tells it with its checkpoint alone.
async fn cosigned_by(remote: &Remote, witness: &VerifierKey, key: &VerifierKey) -> Result<Option<Cosigned>, Failed> {
    let mut notes = vec![remote.text("checkpoint").await?];
    if let Some(told) = remote.get("cosignatures").await? {
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let told = told["cosignatures"].as_array().cloned().unwrap_or_default();
        notes.extend(told.iter().filter_map(|one| one["checkpoint"].as_str().map(str::to_owned)));
    }
    for note in notes {
        match Note::parse(&note)?.verify(witness) {
            Ok(Some(at)) => {
                let checkpoint = Checkpoint::verify(&note, key)?;
                return Ok(Some(Cosigned { witness: witness.clone(), at, checkpoint }));
            }
            Ok(None) | Err(NoteError::Unsigned(_)) => {}
            Err(error) => return Err(format!("{remote}: {error}").into()),
        }
    }
    Ok(None)
}

/// A ledger's directory holds the log's beside its keys.
fn log_directory(place: &Path) -> Result<PathBuf, Failed> {
    let own = [place.join("log"), place.to_owned()];
    let found = own.into_iter().find(|directory| directory.join("checkpoint").is_file());
    found.ok_or_else(|| {
        format!("{} is no directory of a ledger: it holds no `checkpoint` and no `log/checkpoint`", place.display()).into()
    })
}

async fn own_word(remote: &Remote) -> Result<VerifierKey, Failed> {
    let key = remote.own_key().await?;
    output::complain(&format!("the key is the log's own word: --key '{key}' holds it to that"));
    Ok(key)
}

/// The key that a node made for itself lies beside its log.
fn key_beside(log: &Path) -> Result<VerifierKey, Failed> {
    let signer = log.parent().unwrap_or(log).join("signer.pem");
    if !signer.is_file() {
        return Err(format!("--key has to be given: {} is not there to take it from", signer.display()).into());
    }
    let file = log.join("checkpoint");
    let note = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let origin = note.lines().next().unwrap_or_default();
    let key = VerifierKey::new(origin, SignatureKind::Ed25519, super::key::open(origin, &signer)?.verifying())?;
    output::complain(&format!("the key is that of {}: --key '{key}' holds the log to it", signer.display()));
    Ok(key)
}
