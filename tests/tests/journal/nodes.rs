//! Several nodes: one is killed, or sleeps and does not know that it was given up.
//!
//! The test runs itself as another process, which is a node that delivers when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rabita_journal::battery::sample::{accept_all, accepted, applied, event, refused, registry, update_of};
use rabita_journal::battery::soon;
use rabita_journal::{Journal, JournalError, Kafka, Lease};
use rabita_model::{Event, State, Update, UpdateId};
use rabita_tests::scratch::Scratch;

use crate::{BROKER, open, options, prefix, vehicles};

/// Says where the process finds its bus: servers, prefix and directory.
const NODE: &str = "RABITA_JOURNAL_NODE";

/// Delivers one update after another: for ever, as it is told, in a process of its own; else a few.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivers_what_is_its_own() {
    if let Some(place) = std::env::var_os(NODE) {
        let place = place.to_string_lossy().into_owned();
        let [servers, prefix, directory] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{place}") };
        return deliver_as_told(&open(options(servers, prefix, Path::new(directory))).await).await;
    }
    let scratch = Scratch::new("journal");
    let journal = open(options(&BROKER.servers(), &prefix(), scratch.path())).await;
    accepted(&journal, &[1, 2, 3]).await;
    for _ in 0..3 {
        deliver(&journal).await.expect("is its own");
    }
    journal.close().await;
}

/// Partitions are divided without regard to registries, so both are looked at: some of the updates are each node's.
async fn next(journal: &Kafka) -> Lease {
    let (one, other) = (registry(), vehicles());
    let taken = soon("an update to deliver", async {
        tokio::select! {
            taken = journal.take(&one) => taken,
            taken = journal.take(&other) => taken,
        }
    });
    taken.await.expect("an update to deliver")
}

/// Updates of many records of both registries.
async fn accepted_of_both(journal: &Kafka) -> Vec<Update> {
    let updates = (0..20).flat_map(|number| [update_of(&registry(), number), update_of(&vehicles(), number)]);
    let updates: Vec<Update> = updates.collect();
    accept_all(journal, &updates).await;
    updates
}

async fn deliver(journal: &Kafka) -> Result<UpdateId, JournalError> {
    let lease = next(journal).await;
    let id = lease.entry.update.id;
    journal.conclude(&lease, applied(), vec![Event { update: Some(id), ..event(1) }]).await.map(|()| id)
}

/// Takes an update, waits for a line, concludes it, and says each.
async fn deliver_as_told(journal: &Kafka) {
    let mut lines = std::io::stdin().lines();
    say("\nready");
    loop {
        let lease = next(journal).await;
        let id = lease.entry.update.id;
        say(&format!("took {id}"));
        if lines.next().is_none() {
            return;
        }
        let events = vec![Event { update: Some(id), ..event(1) }];
        match journal.conclude(&lease, applied(), events).await {
            Ok(()) => say(&format!("concluded {id}")),
            Err(JournalError::Lost) => say(&format!("lost {id}")),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says a line past the capture of what tests print.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody reads");
}

/// A node in a process of its own.
struct Node {
    child: Child,
    orders: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn start(prefix: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "nodes::delivers_what_is_its_own", "--nocapture", "--test-threads=1"])
            .env(NODE, format!("{} {prefix} {}", BROKER.servers(), directory.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let orders = child.stdin.take().expect("is piped");
        let says = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut node = Self { child, orders, says };
        node.hear_line("ready");
        node
    }

    /// Waits until it says this of an update.
    fn hear(&mut self, word: &str) -> UpdateId {
        let said = self.hear_line(word);
        said.trim_start_matches(word).trim().parse().expect("an id")
    }

    /// Waits until it says what came of the update that it has: its id, where it concluded it.
    fn hear_end(&mut self) -> Option<UpdateId> {
        let said = self.hear_first(|line| line.starts_with("concluded ") || line.starts_with("lost "));
        said.strip_prefix("concluded ").map(|id| id.parse().expect("an id"))
    }

    fn hear_line(&mut self, word: &str) -> String {
        self.hear_first(|line| line.starts_with(word))
    }

    fn hear_first(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        let mut lines = self.says.by_ref().map(|line| line.expect("is text"));
        lines.find(|line| is_it(line)).expect("it says so before it ends")
    }

    fn order(&mut self) {
        writeln!(self.orders, "deliver").expect("it reads");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal {signal} cannot be sent");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many events there are of each update.
async fn events(journal: &Kafka) -> BTreeMap<UpdateId, usize> {
    let page = journal.events(None, 1_000).await.expect("events");
    let mut count = BTreeMap::new();
    for (_, event) in page.events {
        *count.entry(event.update.expect("is of an update")).or_default() += 1;
    }
    count
}

fn ids(updates: &[Update]) -> BTreeSet<UpdateId> {
    updates.iter().map(|update| update.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivers_once_what_another_node_held_when_it_was_killed() {
    let (prefix, scratch) = (prefix(), Scratch::new("journal"));
    let mut other = Node::start(&prefix, &scratch.path().join("other"));
    let journal = open(options(&BROKER.servers(), &prefix, &scratch.path().join("this"))).await;
    let updates = accepted_of_both(&journal).await;
    let mut concluded = BTreeSet::new();
    while concluded.len() < 5 {
        other.hear("took");
        other.order();
        // What it took before the group was divided between the two it may have lost.
        concluded.extend(other.hear_end());
    }
    // It has one in its hands.
    other.hear("took");
    drop(other);
    while concluded.len() < updates.len() {
        match deliver(&journal).await {
            Ok(id) => assert!(concluded.insert(id), "{id} was delivered twice"),
            // The group was just divided anew.
            Err(JournalError::Lost) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(concluded, ids(&updates));
    assert_eq!(events(&journal).await, concluded.into_iter().map(|id| (id, 1)).collect());
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_what_a_node_writes_that_was_given_up_while_it_slept() {
    let (prefix, scratch) = (prefix(), Scratch::new("journal"));
    let mut sleeper = Node::start(&prefix, &scratch.path().join("sleeper"));
    let journal = open(options(&BROKER.servers(), &prefix, &scratch.path().join("this"))).await;
    let updates = accepted_of_both(&journal).await;
    let held = sleeper.hear("took");
    sleeper.signal("-STOP");
    loop {
        let lease = next(&journal).await;
        let id = lease.entry.update.id;
        let done = journal.conclude(&lease, refused(), vec![Event { update: Some(id), ..event(1) }]).await;
        assert!(matches!(done, Ok(()) | Err(JournalError::Lost)), "{done:?}");
        if id == held && done.is_ok() {
            break;
        }
    }
    sleeper.signal("-CONT");
    sleeper.order();
    assert_eq!(sleeper.hear("lost"), held);
    let entry = journal.entry(held).await.expect("answers").expect("is there");
    assert_eq!(entry.state(), State::Refused, "as the one decided that took over");
    assert_eq!(events(&journal).await.get(&held), Some(&1));
    assert!(ids(&updates).contains(&held));
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_for_what_another_node_took_on_and_delivered() {
    let (prefix, scratch) = (prefix(), Scratch::new("journal"));
    let one = open(options(&BROKER.servers(), &prefix, &scratch.path().join("one"))).await;
    let two = open(options(&BROKER.servers(), &prefix, &scratch.path().join("two"))).await;
    for update in accepted(&one, &(0..20).collect::<Vec<_>>()).await {
        let found = two.entry(update.id).await.expect("answers").expect("is there");
        assert_eq!(found.update, update);
        let claim = two.claim(&update.system, &update.idempotency_key).await.expect("answers").expect("is there");
        assert_eq!((claim.id, claim.digest), (update.id, update.digest));
    }
    let duties: Vec<String> = (0..50).map(|number| format!("duty-{number}")).collect();
    crate::until("each duty is held by one node", || duties.iter().all(|duty| one.holds(duty) != two.holds(duty))).await;
    one.close().await;
    two.close().await;
}
