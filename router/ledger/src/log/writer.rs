//! The one thread that writes: many entries at a time.
//!
//! Callers hand entries over and wait. The thread takes all that are there, makes a batch of them with its checkpoint,
//! writes it, and only when it is durable tells the callers: a signature and an `fdatasync` are shared by all that wait.
//!
//! A batch that cannot be written is kept and tried again until it can, and everything else is refused until then. It is
//! not given up, since its checkpoint is signed: a log that went on without it would have signed two things that do not go
//! together.

mod worker;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::directory::Directory;
use super::frontier::Frontier;
use super::proof::Hash;
use super::{Appended, LogError, Shared, batch};
use worker::Worker;

/// Entries that wait have at most so many units of [`UNIT`] bytes together; who comes then waits for a place.
const QUEUE: usize = 16_384;
const UNIT: usize = 1_024;

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    places: Arc<Semaphore>,
    sender: Mutex<Option<Sender<Queued>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// An entry and who waits for it.
#[derive(Debug)]
struct Queued {
    entry: Bytes,
    leaf: Hash,
    reply: oneshot::Sender<Result<Appended, LogError>>,
    _place: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn start(shared: &Arc<Shared>, frontier: Frontier, number: u64) -> Result<Self, LogError> {
        let (sender, receiver) = channel();
        let wal = Wal::create(&shared.directory, number)?;
        let spare = Wal::create(&shared.directory, number + 1)?;
        let worker = Worker::new(shared, receiver, frontier, wal, spare)?;
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || worker.work());
        let thread = thread.map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(Self { places: Arc::new(Semaphore::new(QUEUE)), sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Answers when the entry is durable.
    pub(super) async fn append(&self, entry: Bytes, leaf: Hash) -> Result<Appended, LogError> {
        let units = u32::try_from(1 + entry.len() / UNIT).expect("an entry is small");
        let place = Arc::clone(&self.places).acquire_many_owned(units).await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let queued = Queued { entry, leaf, reply, _place: place };
        self.sender().as_ref().and_then(|sender| sender.send(queued).ok()).ok_or_else(closed)?;
        answer.await.map_err(|_| closed())?
    }

    /// Does what waits, seals, and ends the thread.
    pub(super) async fn close(&self) {
        self.places.close();
        if let Some(thread) = self.hang_up() {
            // A thread that panicked has told on its own.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn hang_up(&self) -> Option<JoinHandle<()>> {
        self.sender().take();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn sender(&self) -> MutexGuard<'_, Option<Sender<Queued>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that whoever opens the log next finds it free.
    fn drop(&mut self) {
        if let Some(thread) = self.hang_up() {
            let _ = thread.join();
        }
    }
}

fn closed() -> LogError {
    LogError::Unavailable("it is closed".to_owned())
}

/// A file of batches.
#[derive(Debug)]
pub(super) struct Wal {
    number: u64,
    file: File,
    /// The bytes of the batches that are durable in it.
    length: u64,
    /// Whether something may be behind them.
    is_dirty: bool,
}

impl Wal {
    pub(super) fn create(directory: &Directory, number: u64) -> Result<Self, LogError> {
        let file = directory.new_batches(&batch::file_name(number))?;
        Ok(Self { number, file, length: 0, is_dirty: false })
    }

    /// Writes a batch behind the others. After an error the same batch is to be written again, and no other.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_dirty = true;
        self.file.write_all_at(bytes, self.length)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        self.is_dirty = false;
        Ok(())
    }
}
