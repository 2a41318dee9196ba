//! The time stamps of a ledger, each held against its authority, its note, and the key of the log.

use std::path::Path;

use jiff::Timestamp;
use rabita_ledger::log::{Checkpoint, VerifierKey};
use rabita_ledger::stamp::kept::{self, Kept};
use rabita_ledger::stamp::{Authorities, Stamp};

use super::remote::read;
use crate::command::{Failed, output};

/// Stamps that hold, the oldest first. That the log goes on from their checkpoints is for the log's verifier.
pub(super) struct Stamps {
    pub(super) stamped: Vec<Stamped>,
}

/// A checkpoint that was there at some time.
pub(super) struct Stamped {
    pub(super) checkpoint: Checkpoint,
    at: Timestamp,
}

impl Stamps {
    pub(super) fn verify(directory: &Path, authorities: &Path, key: &VerifierKey) -> Result<Self, Failed> {
        let authorities =
            Authorities::from_pem(&read(authorities)?).map_err(|error| format!("{}: {error}", authorities.display()))?;
        let kept = kept::all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        if kept.is_empty() {
            return Err(format!("{} holds no time stamp", directory.display()).into());
        }
        let stamped = kept.iter().map(|kept| Stamped::of(kept, &authorities, key));
        Ok(Self { stamped: stamped.collect::<Result<_, _>>()? })
    }

    pub(super) fn tell(&self) {
        if let [.., last] = self.stamped.as_slice() {
            let (count, size) = (self.stamped.len(), last.checkpoint.size);
            output::say(format_args!("{count} time stamp(s) hold; the first {size} entries were there at {}", last.at));
        }
    }
}

impl Stamped {
    fn of(kept: &Kept, authorities: &Authorities, key: &VerifierKey) -> Result<Self, Failed> {
        let note = read(&kept.note)?;
        let stamp = || {
            let stamp = Stamp::parse(&read(&kept.stamp)?)?;
            stamp.is_of(&note)?;
            stamp.verify(authorities)?;
            Ok(stamp)
        };
        let stamp = stamp().map_err(|error: Failed| format!("{}: {error}", kept.stamp.display()))?;
        let note = std::str::from_utf8(&note).map_err(|_| format!("{} is no text", kept.note.display()))?;
        let checkpoint = Checkpoint::verify(note, key).map_err(|error| format!("{}: {error}", kept.note.display()))?;
        if checkpoint.size != kept.size {
            return Err(format!("{}: it is of {} entries", kept.note.display(), checkpoint.size).into());
        }
        Ok(Self { checkpoint, at: stamp.at() })
    }
}
