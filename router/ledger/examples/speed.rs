//! Measures a log in a directory: how many entries become durable in a second and how long one takes, beside a bare file
//! that is written and synchronised in the same batches; and how long a whole log takes to verify.
//!
//! `cargo run --release -p rabita-ledger --example speed DIRECTORY [ENTRIES]`: the directory is to be new, on the disk that
//! the figures are wanted for; a million entries where nothing is said.
// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::{Log, LogOptions, verify};
use tokio::sync::oneshot;

type Failure = Box<dyn Error + Send + Sync>;

/// The bytes of an entry, about as many as those of an exchange.
const ENTRY: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let directory = PathBuf::from(words.next().ok_or("which directory?")?);
    let entries: u64 = words.next().map_or(Ok(1_000_000), |word| word.parse())?;
    create_dir_all(&directory)?;
    let key = Arc::new(SigningKey::generate("speed", Algorithm::Ed25519)?.0);
    let options = |directory| LogOptions { directory, origin: "speed.example/log".to_owned(), key: Arc::clone(&key) };
    // Verified is what all writers wrote, so half of the entries are each one's.
    let log_directory = directory.join("log");
    for writers in [64, 512] {
        let raw = raw(&directory.join(format!("raw-{writers}")))?;
        let bare = measured(writers, entries / 2, move |entry| {
            let raw = raw.clone();
            async move {
                let (reply, answer) = oneshot::channel();
                raw.send((entry, reply)).map_err(|_| "the writer is gone")?;
                Ok(answer.await?)
            }
        })
        .await?;
        let log = Arc::new(Log::open(options(log_directory.clone()))?);
        let appending = Arc::clone(&log);
        let ours = measured(writers, entries / 2, move |entry| {
            let log = Arc::clone(&appending);
            async move { Ok(log.append(entry).await.map(|_| ())?) }
        })
        .await?;
        println!("{writers} writers: a bare file {bare}; the log {ours}; ratio {:.2}", ours.rate / bare.rate);
        let began = Instant::now();
        log.close().await;
        println!("closed in {} ms", began.elapsed().as_millis());
    }
    let log = Log::open(options(log_directory.clone()))?;
    let (verifier, size) = (log.verifier().clone(), log.checkpoint().size);
    prove(&log, size)?;
    log.close().await;
    let began = Instant::now();
    let verified = verify::directory(&log_directory, &verifier, None)?;
    println!("{} entries verified in {:.2} s", verified.checkpoint.size, began.elapsed().as_secs_f64());
    Ok(())
}

/// Proofs of entries all over the log.
fn prove(log: &Log, size: u64) -> Result<(), Failure> {
    let (began, proofs) = (Instant::now(), 1_000);
    for number in 0..proofs {
        log.inclusion(size / proofs * number, size)?;
    }
    println!("a proof of inclusion in {} µs", began.elapsed().as_micros() / u128::from(proofs));
    Ok(())
}

/// What was measured.
struct Measured {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        write!(f, "{:.0} a second (p50 {:.2} ms, p99 {:.2} ms)", self.rate, millis(self.p50), millis(self.p99))
    }
}

/// Lets so many writers write side by side, so many entries in all.
async fn measured<F>(
    writers: u64,
    entries: u64,
    write: impl Fn(Vec<u8>) -> F + Clone + Send + 'static,
) -> Result<Measured, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let writing: Vec<_> = (0..writers)
        .map(|_| {
            let (next, write) = (Arc::clone(&next), write.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= entries {
                        return Ok::<_, Failure>(took);
                    }
                    let began = Instant::now();
                    write(entry(number)).await?;
                    took.push(began.elapsed());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for writer in writing {
        took.extend(writer.await??);
    }
    let seconds = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |hundredths: usize| took.get(took.len() * hundredths / 100).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    let rate = entries as f64 / seconds;
    Ok(Measured { rate, p50: at(50), p99: at(99) })
}

fn entry(number: u64) -> Vec<u8> {
    let mut entry = number.to_be_bytes().to_vec();
    entry.resize(ENTRY, b'x');
    entry
}

type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// A thread that appends all that waits to a file and makes it durable: the least that must be done.
fn raw(file: &Path) -> Result<Sender<Waiting>, Failure> {
    let mut file = File::create(file)?;
    let (sender, receiver) = channel::<Waiting>();
    std::thread::spawn(move || {
        while let Ok(first) = receiver.recv() {
            let batch: Vec<Waiting> = std::iter::once(first).chain(receiver.try_iter()).collect();
            let bytes: Vec<u8> = batch.iter().flat_map(|(entry, _)| entry).copied().collect();
            if file.write_all(&bytes).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            for (_, reply) in batch {
                let _ = reply.send(());
            }
        }
    });
    Ok(sender)
}
