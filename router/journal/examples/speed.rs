//! Measures the embedded engine in a directory: how many updates it takes on and ends in a second, and what a waiting
//! update, an ended one and an event take on the disk.
//!
//! `cargo run --release -p rabita-journal --example speed DIRECTORY [UPDATES] [CALLERS]`: the directory is to be new, on
//! the disk that the figures are wanted for; 200,000 updates and 512 callers where nothing is said.
// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use rabita_journal::battery::sample::{applied, event, registry, update};
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Journal, JournalError};
use rusqlite::{Connection, OpenFlags};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let directory = PathBuf::from(words.next().ok_or("which directory?")?);
    let updates: u64 = words.next().map_or(Ok(200_000), |word| word.parse())?;
    let callers: u64 = words.next().map_or(Ok(512), |word| word.parse())?;
    println!("an update has {} bytes as JSON, an event {}", json(&update(1))?, json(&event(1))?);
    let empty = used(&directory).await?;

    let accepting = |journal: Arc<Embedded>, number| async move { journal.accept(update(number)).await.map(|_| ()) };
    measured("taken on", &directory, updates, callers, accepting).await?;
    let waiting = used(&directory).await?;

    let ending = |journal: Arc<Embedded>, _| async move {
        let lease = journal.take(&registry()).await?;
        journal.conclude(&lease, applied(), Vec::new()).await
    };
    measured("given out and ended", &directory, updates, callers, ending).await?;
    let ended = used(&directory).await?;

    let publishing = |journal: Arc<Embedded>, number| async move { journal.publish(vec![event(number)], Vec::new()).await };
    measured("events published", &directory, updates, callers, publishing).await?;
    let published = used(&directory).await?;

    for (what, from, to) in
        [("a waiting update", empty, waiting), ("an ended update", empty, ended), ("an event", ended, published)]
    {
        println!("{what} takes {} bytes on the disk", to.saturating_sub(from) / updates);
    }
    Ok(())
}

/// Lets so many callers do it side by side, so many times in all, and tells the rate.
async fn measured<F>(
    what: &str,
    directory: &Path,
    times: u64,
    callers: u64,
    work: impl Fn(Arc<Embedded>, u64) -> F + Clone + Send + 'static,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), JournalError>> + Send + 'static,
{
    let journal = Arc::new(open(directory)?);
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let calling: Vec<_> = (0..callers)
        .map(|_| {
            let (journal, next, work) = (Arc::clone(&journal), Arc::clone(&next), work.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= times {
                        return Ok::<(), JournalError>(());
                    }
                    let doing = work(Arc::clone(&journal), number);
                    doing.await?;
                }
            })
        })
        .collect();
    for caller in calling {
        caller.await??;
    }
    let millis = began.elapsed().as_millis().max(1);
    println!("{what}: {} a second", u128::from(times) * 1_000 / millis);
    journal.close().await;
    Ok(())
}

fn open(directory: &Path) -> Result<Embedded, JournalError> {
    Embedded::open(Options::new(directory.to_owned(), Arc::new(Timestamp::now)))
}

/// The bytes of the file's pages that hold something, once the log is worked in.
async fn used(directory: &Path) -> Result<u64, Failure> {
    open(directory)?.close().await;
    let file = Connection::open_with_flags(directory.join("journal.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let number = |name| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(u64::try_from((number("page_count")? - number("freelist_count")?) * number("page_size")?)?)
}

fn json(value: &impl serde::Serialize) -> Result<usize, Failure> {
    Ok(serde_json::to_vec(value)?.len())
}
