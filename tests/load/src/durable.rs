//! Records made durable as fast as many writers can: the baselines, and what drives them and the engines alike.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::caller::Outcome;
use crate::server::Usage;

/// So many writers wait at a time.
pub const WRITERS: [usize; 2] = [64, 512];

/// Lets so many writers append one record after the other, each waiting until its own is durable.
///
/// # Panics
/// When one cannot.
pub fn run<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    writers: usize,
    measured: Duration,
    append: impl Fn(usize, usize) -> F + Send + Sync + 'static,
) -> Outcome {
    let from = Instant::now() + Duration::from_secs(1);
    let append = Arc::new(append);
    let times = runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let append = Arc::clone(&append);
                tokio::spawn(async move {
                    let mut times = Vec::with_capacity(1 << 14);
                    for count in 0.. {
                        let began = Instant::now();
                        if began >= from + measured {
                            break;
                        }
                        append(writer, count).await;
                        let done = Instant::now();
                        if done >= from && done <= from + measured {
                            times.push(u64::try_from(done.duration_since(began).as_nanos()).unwrap_or(u64::MAX));
                        }
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("no writer panics"));
        }
        times
    });
    Outcome::new(times, measured, Usage::default())
}

/// A file that is only appended to, and one thread that makes durable at once whatever waits: what any journal on this
/// disk could do at best.
#[derive(Clone)]
pub struct Raw(SyncSender<(Vec<u8>, oneshot::Sender<()>)>);

impl Raw {
    /// # Panics
    /// When the file cannot be made.
    pub fn create(path: &Path) -> Self {
        let mut file = File::create(path).expect("a scratch directory can be written");
        let (sender, receiver) = sync_channel::<(Vec<u8>, oneshot::Sender<()>)>(4096);
        std::thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(receiver.try_iter().take(4095)).collect();
                let bytes: Vec<u8> = batch.iter().flat_map(|(bytes, _)| bytes).copied().collect();
                file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the disk takes it");
                for (_, done) in batch {
                    let _ = done.send(());
                }
            }
        });
        Self(sender)
    }

    /// Returns when the record is durable.
    ///
    /// # Panics
    /// When the disk does not take it.
    pub async fn append(&self, record: Vec<u8>) {
        let (done, is_done) = oneshot::channel();
        match self.0.try_send((record, done)) {
            Ok(()) => is_done.await.expect("the disk takes it"),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => panic!("fewer writers than places, and a thread"),
        }
    }
}
