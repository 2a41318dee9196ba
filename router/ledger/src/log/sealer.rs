//! Sealing: what is in batches is put into tiles and bundles, the checkpoint with it, and the batches are dropped.
//!
//! Done in the background by a thread that never holds the writer up, unless it falls far behind. Whatever moment the
//! process ends at: batches go after the checkpoint that makes them needless is durable, and that comes after all of its
//! tiles.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::directory::{CHECKPOINT, Directory, unavailable};
use super::tile::{self, Tile, WIDTH};
use super::writer::Wal;
use super::{LogError, Shared, batch};

/// So many files are on their way at once.
const FILES: usize = 128;
/// What failed is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// What the writer wants sealed.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) checkpoint: Arc<Checkpoint>,
    /// Files of batches up to this number have nothing newer.
    pub(super) used_up: u64,
    /// The number of the file that the writer wants next; `None` at the end.
    pub(super) next: Option<u64>,
}

/// The way to the thread, for the writer.
#[derive(Debug)]
pub(super) struct Sealer {
    orders: Sender<Order>,
    files: Receiver<Wal>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<()>,
}

impl Sealer {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, LogError> {
        let (orders, receiver) = channel();
        let (sender, files) = channel();
        let trouble = Arc::new(Mutex::new(None));
        let cleaned = shared.unsealed().sealed();
        let worker =
            Worker { shared: Arc::clone(shared), orders: receiver, files: sender, trouble: Arc::clone(&trouble), cleaned };
        let thread = std::thread::Builder::new().name("ledger-sealer".to_owned()).spawn(move || worker.work());
        let thread = thread.map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(Self { orders, files, trouble, thread })
    }

    pub(super) fn order(&self, order: Order) {
        // A thread that is gone has panicked, and told.
        let _ = self.orders.send(order);
    }

    /// The file that comes after a seal, once there is one.
    pub(super) fn next_file(&self, patience: Duration) -> Option<Wal> {
        self.files.recv_timeout(patience).ok()
    }

    /// Why the last seal failed, until one succeeds.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets it do what it was ordered.
    pub(super) fn finish(self) {
        drop(self.orders);
        // A thread that panicked has told on its own.
        let _ = self.thread.join();
    }
}

/// The thread's own.
struct Worker {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    files: Sender<Wal>,
    trouble: Arc<Mutex<Option<String>>>,
    /// What a log of this size does not need any more is removed.
    cleaned: u64,
}

impl Worker {
    fn work(mut self) {
        while let Ok(mut order) = self.orders.recv() {
            while let Err(error) = self.follow(&order) {
                tracing::warn!(%error, "the ledger's entries could not be put into tiles");
                self.set_trouble(Some(error.to_string()));
                match self.orders.recv_timeout(RETRY) {
                    // A later order holds more, so it takes the place of this one.
                    Ok(later) => order = later,
                    Err(RecvTimeoutError::Timeout) if order.next.is_some() => {}
                    Err(_) => return,
                }
            }
            self.set_trouble(None);
        }
    }

    fn follow(&mut self, order: &Order) -> Result<(), LogError> {
        let (shared, size) = (&self.shared, order.checkpoint.size);
        let from = shared.unsealed().sealed();
        write(&shared.directory, from, &order.checkpoint, |tile| shared.unsealed().bytes(tile))?;
        let sealed = shared.unsealed.write().unwrap_or_else(PoisonError::into_inner).seal(size);
        // To give so much memory back takes a moment, in which nobody is to wait for the lock.
        drop(sealed);
        clean(&shared.directory, self.cleaned, size, order.used_up)?;
        self.cleaned = size;
        if let Some(next) = order.next {
            let _ = self.files.send(Wal::create(&shared.directory, next)?);
        }
        Ok(())
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Writes the tiles and bundles that a log has with this checkpoint and had not when it was smaller, then the checkpoint.
pub(super) fn write(
    directory: &Directory,
    from: u64,
    checkpoint: &Checkpoint,
    bytes: impl Fn(&Tile) -> Option<Vec<u8>>,
) -> Result<(), LogError> {
    if from == checkpoint.size {
        return Ok(());
    }
    let mut tiles = tile::fulls(from, checkpoint.size).chain(tile::partials(checkpoint.size)).peekable();
    while tiles.peek().is_some() {
        let some = tiles.by_ref().take(FILES);
        directory.put(some.map(|tile| (tile.path(), bytes(&tile).expect("what is not in files is in memory"))))?;
    }
    directory.put([(CHECKPOINT.to_owned(), checkpoint.note.clone().into_bytes())])
}

/// Removes what a log of size `to` does not need any more, since it had size `from` or since seals between the two were not
/// finished: partial tiles and bundles that are not its own, and files of batches up to a number.
pub(super) fn clean(directory: &Directory, from: u64, to: u64, used_up: u64) -> Result<(), LogError> {
    for kind in tile::kinds(to) {
        let place = |size| tile::held(kind, size) / u64::from(WIDTH);
        for n in place(from)..=place(to) {
            let width = tile::partials(to).find(|tile| (tile.kind, tile.n) == (kind, n)).map(|tile| tile.width);
            directory.remove_partials(&tile::partial_directory(kind, n), width)?;
        }
    }
    // Last, and when all else is removed for good: they tell whoever opens the log since when there is something to remove.
    let wal = directory.wal();
    for (number, path) in batch::files(&wal).map_err(|error| unavailable(&wal, &error))? {
        if number <= used_up {
            directory.remove(&path)?;
        }
    }
    Ok(())
}
