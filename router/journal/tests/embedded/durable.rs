//! What is acknowledged is on the disk, and not only in the kernel's memory, which a kill leaves alone.
//!
//! The test runs itself as another process below `strace`, which writes down each write and each wait for the disk; that
//! process says on its standard output what was acknowledged, which is one of those writes.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rabita_journal::battery::sample::{accept_all, applied, event, next, troubled, update};
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Journal};
use rabita_model::Code;

use super::Scratch;

/// Set in the process that is watched.
const WATCHED: &str = "RABITA_JOURNAL_WATCHED";
const ROUNDS: u64 = 20;

/// Says that something was acknowledged, past the test's own capture of what is printed.
fn tell(what: &str) {
    if std::env::var_os(WATCHED).is_some() {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("acknowledged {what}\n").as_bytes()).and_then(|()| out.flush()).expect("somebody reads");
    }
}

/// Changes a journal, one change after the other.
#[tokio::test]
async fn acknowledges_one_change_after_the_other() {
    let scratch = Scratch::new();
    // Nothing else writes meanwhile.
    let options = Options { upkeep_every: Duration::from_secs(3600), ..scratch.options() };
    let journal = Embedded::open(options).expect("opens");
    tell("the start");
    for number in 0..ROUNDS {
        accept_all(&journal, &[update(number)]).await;
        tell("an update");
        let lease = next(&journal).await;
        assert_eq!(journal.progress(&lease, troubled(1, Code::RegistryBusy)).await, Ok(()));
        tell("its progress");
        assert_eq!(journal.conclude(&lease, applied(), vec![event(1)]).await, Ok(()));
        tell("its end");
    }
    journal.close().await;
}

/// What of a process matters here, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happened {
    /// Something was written into the journal's log.
    Written,
    /// The disk confirmed what the log holds.
    Confirmed,
    Acknowledged,
}

/// Runs the process above and reads what `strace` saw.
fn watched(trace: &Path) -> Vec<Happened> {
    let child = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"])
        .arg(trace)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "durable::acknowledges_one_change_after_the_other", "--nocapture", "--test-threads=1"])
        .env(WATCHED, "yes")
        .stderr(Stdio::null())
        .output();
    let child = child.expect("this needs strace: `deploy/desk setup --servers`");
    assert!(child.status.success(), "the process that is watched failed: {}", String::from_utf8_lossy(&child.stdout));
    let mut begun = HashMap::new();
    let seen = std::fs::read_to_string(trace).expect("what strace saw");
    seen.lines().filter_map(|line| happened(line, &mut begun)).collect()
}

/// A line is `PID call(...) = result`, or, where a call of another thread came in between, `PID call(... <unfinished ...>`
/// and later `PID <... call resumed>) = result`. A write counts from when it begins, a confirmation from when it is given.
fn happened<'a>(line: &'a str, begun: &mut HashMap<&'a str, &'a str>) -> Option<Happened> {
    let (thread, call) = line.split_once(' ')?;
    let call = call.trim_start();
    let is_of_log = |call: &str| call.contains("journal.db-wal>");
    if call.starts_with("<...") {
        let begun = begun.remove(thread)?;
        return (begun.contains("sync(") && is_of_log(begun) && call.ends_with("= 0")).then_some(Happened::Confirmed);
    }
    if call.ends_with("<unfinished ...>") {
        begun.insert(thread, call);
    }
    let is_write = call.starts_with("write(") || call.starts_with("pwrite64(");
    match call {
        _ if is_write && call.contains("\"acknowledged ") => Some(Happened::Acknowledged),
        _ if is_write && is_of_log(call) => Some(Happened::Written),
        _ if call.contains("sync(") && is_of_log(call) && call.ends_with("= 0") => Some(Happened::Confirmed),
        _ => None,
    }
}

#[test]
fn acknowledges_nothing_that_the_disk_has_not_confirmed() {
    let scratch = Scratch::new();
    let seen = watched(&scratch.scratch.path().join("trace"));
    let acknowledged = |seen: &[Happened]| seen.iter().filter(|one| **one == Happened::Acknowledged).count() as u64;
    assert_eq!(acknowledged(&seen), 1 + 3 * ROUNDS);
    for between in seen.split(|one| *one == Happened::Acknowledged).skip(1).take(3 * ROUNDS as usize) {
        assert!(between.contains(&Happened::Written), "each change is written: {between:?}");
        assert_eq!(between.last(), Some(&Happened::Confirmed), "and confirmed before it is acknowledged");
    }
}
