//! The thread's own: batches, what to do when one cannot be written, and when to seal.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Queued, Wal};
use crate::log::checkpoint::Checkpoint;
use crate::log::frontier::Frontier;
use crate::log::proof::Hash;
use crate::log::sealer::{Order, Sealer};
use crate::log::{Appended, LogError, Shared, batch};

/// What was appended is put into tiles after this time,
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// or when it has so many bytes.
const SEAL_BYTES: u64 = 16 << 20;
/// With so many bytes the writer waits for the sealer. At most two files of this size, and a batch, are not sealed.
const BYTES_MAX: u64 = 32 << 20;
/// For so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where a batch had so many entries, more are on their way:
const CROWD: usize = 4;
/// the next one gathers for so long. A disk that is asked less often leaves the processors to those who wait.
const GATHER: Duration = Duration::from_millis(1);
/// What failed is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// Entries on their way, and the log as it is with them.
struct Pending {
    entries: Vec<Bytes>,
    hashes: Vec<(u8, Hash)>,
    frontier: Frontier,
    /// The checkpoint and the bytes, once it is signed.
    signed: Option<(Arc<Checkpoint>, Vec<u8>)>,
}

/// The thread's own.
pub(super) struct Worker {
    shared: Arc<Shared>,
    receiver: Receiver<Queued>,
    /// Of what is durable.
    frontier: Frontier,
    wal: Wal,
    /// What comes after it; `None` while the sealer is at work.
    spare: Option<Wal>,
    sealer: Sealer,
    sealed_at: Instant,
    /// How many entries the last batch had.
    crowd: usize,
    /// What could not be written.
    held: Option<Pending>,
}

impl Worker {
    pub(super) fn new(
        shared: &Arc<Shared>,
        receiver: Receiver<Queued>,
        frontier: Frontier,
        wal: Wal,
        spare: Wal,
    ) -> Result<Self, LogError> {
        let sealer = Sealer::start(shared)?;
        let shared = Arc::clone(shared);
        let sealed_at = Instant::now();
        Ok(Self { shared, receiver, frontier, wal, spare: Some(spare), sealer, sealed_at, crowd: 0, held: None })
    }

    /// Works until nobody can hand anything over any more.
    pub(super) fn work(mut self) {
        loop {
            let pause = if self.held.is_some() { RETRY } else { SEAL_EVERY };
            match self.receiver.recv_timeout(pause) {
                Ok(first) => self.batch(first),
                Err(RecvTimeoutError::Timeout) => self.try_again(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.seal_when_due();
        }
        self.finish();
    }

    fn batch(&mut self, first: Queued) {
        if self.crowd >= CROWD {
            std::thread::sleep(GATHER);
        }
        let mut bytes = first.entry.len();
        let mut queued = vec![first];
        while queued.len() < batch::COUNT_MAX && bytes < batch::BYTES_MAX {
            let Ok(next) = self.receiver.try_recv() else { break };
            bytes += next.entry.len();
            queued.push(next);
        }
        self.crowd = queued.len();
        self.try_again();
        if self.held.is_some() {
            let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return refuse(queued, &trouble.unwrap_or_default());
        }
        let index = self.frontier.size();
        let mut pending = self.pending(&mut queued);
        match self.commit(&mut pending) {
            Ok(()) => {
                self.publish(pending);
                tell(queued, index);
            }
            Err(error) => {
                self.stop(pending, &error);
                refuse(queued, &error);
            }
        }
    }

    /// Takes the entries out of the queue.
    fn pending(&self, queued: &mut [Queued]) -> Pending {
        let (mut frontier, mut hashes) = (self.frontier.clone(), Vec::with_capacity(queued.len() + queued.len() / 128));
        for queued in &*queued {
            batch::grow(&mut frontier, queued.leaf, &mut hashes);
        }
        let entries = queued.iter_mut().map(|queued| std::mem::take(&mut queued.entry)).collect();
        Pending { entries, hashes, frontier, signed: None }
    }

    /// Signs and writes.
    fn commit(&mut self, pending: &mut Pending) -> Result<(), String> {
        if !self.wal.is_dirty && self.wal.length >= BYTES_MAX {
            self.wait_for_the_sealer()?;
        }
        let signed = match &mut pending.signed {
            Some(signed) => signed,
            place => {
                let frontier = &pending.frontier;
                let checkpoint = self.shared.signer.sign(frontier.size(), frontier.root()).map_err(|error| error.to_string())?;
                let bytes = batch::encode(self.frontier.size(), pending.entries.iter(), &checkpoint.note);
                place.insert((Arc::new(checkpoint), bytes))
            }
        };
        self.wal.write(&signed.1).map_err(|error| error.to_string())
    }

    /// Makes what is durable known.
    fn publish(&mut self, pending: Pending) {
        let Pending { entries, hashes, frontier, signed } = pending;
        let (checkpoint, _) = signed.expect("what is durable is signed");
        let shared = &self.shared;
        {
            let mut unsealed = shared.unsealed.write().unwrap_or_else(PoisonError::into_inner);
            entries.into_iter().for_each(|entry| unsealed.add_entry(entry));
            hashes.into_iter().for_each(|(level, hash)| unsealed.add_hash(level, hash));
        }
        *shared.newest.write().unwrap_or_else(PoisonError::into_inner) = checkpoint;
        shared.grown.send_replace(frontier.size());
        self.frontier = frontier;
    }

    fn stop(&mut self, pending: Pending, error: &str) {
        tracing::error!(error, "the ledger cannot be written");
        self.shared.set_trouble(Some(error.to_owned()));
        self.held = Some(pending);
    }

    fn try_again(&mut self) {
        let Some(mut pending) = self.held.take() else { return };
        match self.commit(&mut pending) {
            Ok(()) => {
                self.publish(pending);
                self.shared.set_trouble(None);
                tracing::info!("the ledger can be written again");
            }
            Err(error) => {
                self.shared.set_trouble(Some(error));
                self.held = Some(pending);
            }
        }
    }

    fn seal_when_due(&mut self) {
        let is_due = self.wal.length >= SEAL_BYTES || (self.wal.length > 0 && self.sealed_at.elapsed() >= SEAL_EVERY);
        if !is_due || self.wal.is_dirty {
            return;
        }
        self.spare = self.spare.take().or_else(|| self.sealer.next_file(Duration::ZERO));
        self.seal();
    }

    /// Goes on in the spare file, where there is one, and has what is in this one sealed.
    fn seal(&mut self) {
        let Some(spare) = self.spare.take() else { return };
        let full = std::mem::replace(&mut self.wal, spare);
        self.sealed_at = Instant::now();
        let checkpoint = Arc::clone(&self.shared.newest.read().unwrap_or_else(PoisonError::into_inner));
        self.sealer.order(Order { checkpoint, used_up: full.number, next: Some(self.wal.number + 1) });
    }

    fn wait_for_the_sealer(&mut self) -> Result<(), String> {
        self.spare = self.spare.take().or_else(|| self.sealer.next_file(PATIENCE));
        self.seal();
        match self.wal.length {
            0 => Ok(()),
            _ => Err(self.sealer.trouble().unwrap_or_else(|| "entries come faster than they are put into tiles".to_owned())),
        }
    }

    fn finish(mut self) {
        self.try_again();
        if self.held.is_some() {
            tracing::error!("the ledger is closed before its last batch could be written");
        } else {
            let checkpoint = Arc::clone(&self.shared.newest.read().unwrap_or_else(PoisonError::into_inner));
            self.sealer.order(Order { checkpoint, used_up: u64::MAX, next: None });
        }
        self.sealer.finish();
        self.shared.set_trouble(Some("it is closed".to_owned()));
        self.shared.directory.give_back();
    }
}

fn tell(queued: Vec<Queued>, first: u64) {
    for (index, Queued { leaf, reply, .. }) in (first..).zip(queued) {
        // Who does not wait any more needs no answer.
        let _ = reply.send(Ok(Appended { index, leaf }));
    }
}

fn refuse(queued: Vec<Queued>, error: &str) {
    for queued in queued {
        let _ = queued.reply.send(Err(LogError::Unavailable(error.to_owned())));
    }
}
