//! kill -9 at any moment.
//!
//! The test runs itself as another process, which appends to a log under load and says on its standard output what it was
//! handed: receipts and checkpoints. It is killed, and the log that is left is held against all of them, with the help of
//! an implementation that is not ours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rabita_keys::{Algorithm, SigningKey};
use rabita_ledger::log::note::SignatureKind;
use rabita_ledger::log::proof::{empty_root, leaf_hash};
use rabita_ledger::log::{Checkpoint, Hash, Log, LogOptions, VerifierKey, verify};
use tempfile::TempDir;

use crate::foreign::{is_consistent, is_included};
use crate::sample::ORIGIN;

const DIRECTORY: &str = "RABITA_LOG_KILLED";
/// So often a new log is begun,
const LOGS: usize = 3;
/// and each is used by so many processes, which are all killed.
const KILLS: usize = 10;

/// A log under a key that outlives the process.
fn open(scratch: &Path) -> Log {
    let pem = std::fs::read(scratch.join("signer.pem")).expect("is read");
    let key = Arc::new(SigningKey::from_pem("log", &pem).expect("a key"));
    Log::open(LogOptions { directory: scratch.join("log"), origin: ORIGIN.to_owned(), key }).expect("opens")
}

/// Says what was handed out: as one line, so that a kill leaves it whole or cut, and past the test's own capture of what is
/// printed.
fn tell(line: &str) {
    if std::env::var_os(DIRECTORY).is_some() {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("somebody reads");
    }
}

/// What is appended: now and then so much that the batches are put into tiles all the time.
fn entry(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(3) { 40_000 } else { 200 };
    let mut entry = number.to_be_bytes().to_vec();
    entry.resize(length, b'x');
    entry
}

/// Appends to the log in the directory: for ever in the process that is killed, for a while where this runs as a test of
/// its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_only_what_is_so() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (directory, until) = match std::env::var_os(DIRECTORY) {
        Some(directory) => (PathBuf::from(directory), u64::MAX),
        None => (new_log(scratch.path()), 300),
    };
    let log = Arc::new(open(&directory));
    // The first line begins behind what the test's own frame has printed.
    tell("\nbegun\n");
    let next = Arc::new(AtomicU64::new(0));
    let appending: Vec<_> = (0..16)
        .map(|_| {
            let (log, next) = (Arc::clone(&log), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= until {
                        return;
                    }
                    let appended = log.append(entry(number)).await.expect("is appended");
                    let checkpoint = log.checkpoint();
                    assert!(checkpoint.size > appended.index, "what is acknowledged is in a checkpoint");
                    tell(&format!("receipt {} {number}\n", appended.index));
                    tell(&format!("checkpoint {}\n", checkpoint.note.replace('\n', "|")));
                }
            })
        })
        .collect();
    for task in appending {
        task.await.expect("no panic");
    }
    assert_eq!(log.checkpoint().size, 300);
}

fn new_log(scratch: &Path) -> PathBuf {
    let (_, pem) = SigningKey::generate("log", Algorithm::Ed25519).expect("a key");
    std::fs::write(scratch.join("signer.pem"), pem).expect("is written");
    scratch.to_owned()
}

/// What was handed out.
#[derive(Default)]
struct Told {
    receipts: BTreeMap<u64, Hash>,
    checkpoints: Vec<Checkpoint>,
}

impl Told {
    fn hear(&mut self, line: &str, verifier: &VerifierKey) {
        let words: Vec<&str> = line.splitn(2, ' ').collect();
        match words[..] {
            ["receipt", rest] => {
                let (index, number) = rest.split_once(' ').expect("two numbers");
                let number: u64 = number.parse().expect("a number");
                self.receipts.insert(index.parse().expect("a number"), leaf_hash(&entry(number)));
            }
            ["checkpoint", note] => {
                let checkpoint = Checkpoint::verify(&note.replace('|', "\n"), verifier).expect("is the log's");
                if self.checkpoints.last() != Some(&checkpoint) {
                    self.checkpoints.push(checkpoint);
                }
            }
            _ => {}
        }
    }
}

/// Runs it until it has told so much, kills it, and adds what it told.
fn run_and_kill(scratch: &Path, lines: u64, told: &mut Told, verifier: &VerifierKey) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kill::tells_only_what_is_so", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, scratch)
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
        told.hear(&String::from_utf8_lossy(whole), verifier);
        heard += 1;
        if heard == lines {
            child.kill().expect("is killed");
        }
    }
    child.wait().expect("is gone");
    assert!(heard >= lines, "it ended by itself after {heard} lines");
}

/// Holds the log against what it handed out in its last life, and against what it was after the life before: what was
/// consistent with that is consistent with all that goes on from it.
fn check(scratch: &Path, told: &Told, before: &Checkpoint, verifier: &VerifierKey) -> Checkpoint {
    let largest = told.checkpoints.iter().max_by_key(|checkpoint| checkpoint.size).unwrap_or(before);
    verify::directory(&scratch.join("log"), verifier, Some(largest)).expect("is whole before it is opened again");
    let log = open(scratch);
    let newest = log.checkpoint();
    assert!(is_consistent(&log, before, &newest));
    for checkpoint in &told.checkpoints {
        assert!(is_consistent(&log, checkpoint, &newest), "{}", checkpoint.size);
    }
    has(&log, &told.receipts);
    for (index, leaf) in &told.receipts {
        assert!(is_included(&log, *leaf, *index, &newest), "{index}");
    }
    drop(log);
    verify::directory(&scratch.join("log"), verifier, Some(largest)).expect("is whole after it was closed");
    Checkpoint::clone(&newest)
}

/// That each entry that was acknowledged is where its receipt says.
fn has(log: &Log, receipts: &BTreeMap<u64, Hash>) {
    let mut entries = Vec::new();
    for (index, leaf) in receipts {
        let bundle = *index / 256 * 256;
        // A bundle at a time, since they are large.
        if entries.first().is_none_or(|(first, _)| *first != bundle) {
            entries = (bundle..).zip(log.entries(bundle).expect("are read")).collect();
        }
        let (_, entry) = &entries[usize::try_from(index % 256).expect("is small")];
        assert_eq!(leaf_hash(entry), *leaf, "{index}");
    }
}

#[test]
fn is_consistent_with_all_it_ever_handed_out_when_it_is_killed_at_any_moment() {
    let mut random = u64::from(std::process::id()) | 1;
    for _ in 0..LOGS {
        let scratch = TempDir::new().expect("a scratch directory");
        new_log(scratch.path());
        let pem = std::fs::read(scratch.path().join("signer.pem")).expect("is read");
        let key = SigningKey::from_pem("log", &pem).expect("a key");
        let verifier = VerifierKey::new(ORIGIN, SignatureKind::Ed25519, key.verifying()).expect("a verifier");
        let mut newest = Checkpoint::sign(ORIGIN, 0, empty_root(), &key).expect("is signed");
        let mut receipts = BTreeMap::new();
        for _ in 0..KILLS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut told = Told::default();
            run_and_kill(scratch.path(), 1 + random % 3_000, &mut told, &verifier);
            newest = check(scratch.path(), &told, &newest, &verifier);
            for (index, leaf) in told.receipts {
                assert_eq!(receipts.insert(index, leaf), None, "an index is handed out once");
            }
        }
        assert!(receipts.len() > KILLS, "it was killed at work");
        has(&open(scratch.path()), &receipts);
    }
}
