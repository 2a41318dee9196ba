//! kill -9 at any moment.
//!
//! The test runs itself as another process, which changes a journal as fast as it can and says on its standard output what
//! was acknowledged; kills it, and looks what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rabita_journal::battery::sample::{act, applied, event, next, troubled, update};
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Filter, Journal, JournalError, Lease, Verb};
use rabita_model::{Code, Event, UpdateId};
use tempfile::TempDir;

const DIRECTORY: &str = "RABITA_JOURNAL_KILLED";
/// So often a new journal is begun,
const JOURNALS: usize = 5;
/// and each is used by so many processes, which are all killed.
const KILLS: usize = 8;

fn open(directory: &Path) -> Embedded {
    let options = Options::new(directory.to_owned(), Arc::new(Timestamp::now));
    // The log is worked in often, so that a kill falls upon that too.
    Embedded::open(Options { upkeep_every: Duration::from_millis(5), ..options }).expect("opens")
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Told {
    accepted: BTreeSet<UpdateId>,
    concluded: BTreeSet<UpdateId>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let Some((word, id)) = line.split_once(' ') else { return };
        let Ok(id) = id.parse() else { return };
        match word {
            "accepted" => self.accepted.insert(id),
            "concluded" => self.concluded.insert(id),
            "lost" => panic!("an update was lost on its way"),
            _ => false,
        };
    }
}

/// Says that something was acknowledged: as one line, so that a kill leaves it whole or cut, and past the test's own
/// capture of what is printed.
fn tell(word: &str, id: UpdateId) {
    if std::env::var_os(DIRECTORY).is_none() {
        return;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{word} {id}\n").as_bytes()).and_then(|()| out.flush()).expect("somebody reads");
}

/// Accepts updates until there are so many.
async fn accept(journal: Arc<Embedded>, so_far: Arc<AtomicU64>, until: u64) {
    loop {
        let number = so_far.fetch_add(1, Ordering::SeqCst);
        if number >= until {
            return;
        }
        let update = update(number % 50);
        let id = update.id;
        journal.accept(update).await.expect("is accepted");
        tell("accepted", id);
    }
}

/// Delivers updates for ever. No other delivers them, so none may be lost on the way.
async fn deliver(journal: Arc<Embedded>) {
    loop {
        let lease = next(&*journal).await;
        if let Err(error) = deliver_one(&journal, &lease).await {
            tell("lost", lease.entry.update.id);
            panic!("{error}");
        }
    }
}

/// Delivers an update: some at once, some after a trouble, some by way of an operator.
async fn deliver_one(journal: &Embedded, lease: &Lease) -> Result<(), JournalError> {
    let id = lease.entry.update.id;
    match id.uuid().as_u128() % 5 {
        0 if lease.entry.generation == 0 => {
            journal.park(lease, troubled(1, Code::RegistryUnavailable)).await?;
            // Another may be quicker, and take this one along.
            journal.act(act(Verb::Retry, &[id])).await?;
            return Ok(());
        }
        1 => journal.progress(lease, troubled(1, Code::RegistryBusy)).await?,
        _ => {}
    }
    journal.conclude(lease, applied(), vec![Event { update: Some(id), ..event(1) }]).await?;
    tell("concluded", id);
    Ok(())
}

/// Changes the journal in the directory: for ever in the process that is killed, for a while where this runs as a test of
/// its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_only_what_is_so() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (directory, until) = match std::env::var_os(DIRECTORY) {
        Some(directory) => (PathBuf::from(directory), u64::MAX),
        None => (scratch.path().join("journal"), 500),
    };
    let journal = Arc::new(open(&directory));
    let so_far = Arc::new(AtomicU64::new(0));
    // The first line begins behind what the test's own frame has printed.
    tell("\nbegun", update(0).id);
    let delivering: Vec<_> = (0..4).map(|_| tokio::spawn(deliver(Arc::clone(&journal)))).collect();
    let accepting: Vec<_> = (0..16).map(|_| tokio::spawn(accept(Arc::clone(&journal), Arc::clone(&so_far), until))).collect();
    for task in accepting {
        task.await.expect("no panic");
    }
    for task in delivering {
        assert!(!task.is_finished(), "an update was lost on its way");
        task.abort();
    }
    let page = journal.entries(&Filter { limit: 1_000, ..Filter::default() }).await.expect("a page");
    assert_eq!(page.updates.len(), 500);
}

/// Runs it until it has told so much, kills it, and adds what it told.
fn run_and_kill(directory: &Path, lines: usize, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kill::tells_only_what_is_so", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut out = BufReader::new(child.stdout.take().expect("is piped"));
    let (mut line, mut heard) = (Vec::new(), 0);
    loop {
        line.clear();
        out.read_until(b'\n', &mut line).expect("is read");
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        told.hear(&String::from_utf8_lossy(whole));
        heard += 1;
        if heard == lines {
            child.kill().expect("is killed");
        }
    }
    child.wait().expect("is gone");
    assert!(heard >= lines, "it ended by itself after {heard} lines");
}

/// All ids with whether they are concluded, and parked; each once.
async fn found(journal: &Embedded) -> BTreeMap<UpdateId, (bool, bool)> {
    let mut found = BTreeMap::new();
    let mut filter = Filter { limit: 1_000, ..Filter::default() };
    loop {
        let page = journal.entries(&filter).await.expect("a page");
        for entry in page.updates {
            let state = (entry.conclusion.is_some(), entry.is_parked);
            assert_eq!(found.insert(entry.update.id, state), None, "an update is there twice");
        }
        let Some(next) = page.next else { return found };
        filter.cursor = Some(next);
    }
}

async fn check(journal: &Embedded, told: &Told) {
    let found = found(journal).await;
    for id in &told.accepted {
        assert!(found.contains_key(id), "an update that was acknowledged is gone");
    }
    for id in &told.concluded {
        assert!(found.get(id).is_some_and(|(is_concluded, _)| *is_concluded), "a conclusion that was acknowledged is gone");
    }
    let mut events: BTreeMap<UpdateId, u32> = BTreeMap::new();
    let mut position = None;
    loop {
        let page = journal.events(position.as_ref(), 1_000).await.expect("events");
        let Some((last, _)) = page.events.last() else { break };
        position = Some(last.clone());
        for (_, event) in page.events {
            *events.entry(event.update.expect("each is of an update")).or_default() += 1;
        }
    }
    for (id, (is_concluded, _)) in &found {
        assert_eq!(events.get(id).copied(), is_concluded.then_some(1), "an event for each conclusion, and no other");
    }
    deliver_what_is_left(journal, &found).await;
}

/// Everything that is on its way is given out once, and nothing else.
async fn deliver_what_is_left(journal: &Embedded, found: &BTreeMap<UpdateId, (bool, bool)>) {
    let left: BTreeSet<UpdateId> =
        found.iter().filter(|(_, (is_concluded, is_parked))| !is_concluded && !is_parked).map(|(id, _)| *id).collect();
    let mut given = BTreeSet::new();
    for _ in &left {
        let lease = next(journal).await;
        assert!(given.insert(lease.entry.update.id), "an update came twice");
        assert!(lease.entry.update.payload.is_some(), "and has its payload");
    }
    assert_eq!(given, left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_all_that_was_acknowledged_when_it_is_killed_at_any_moment() {
    let scratch = TempDir::new().expect("a scratch directory");
    for journal in 0..JOURNALS {
        let directory = scratch.path().join(format!("journal-{journal}"));
        let mut told = Told::default();
        for _ in 0..KILLS {
            let lines = 1 + usize::try_from(update(0).id.uuid().as_u128() % 400).expect("is small");
            run_and_kill(&directory, lines, &mut told);
            let journal = open(&directory);
            check(&journal, &told).await;
            journal.close().await;
        }
        assert!(!told.accepted.is_empty() && !told.concluded.is_empty(), "it was killed at work");
    }
}
