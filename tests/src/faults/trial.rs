//! One trial: a bus under load that is killed again and again, and what the checker says of it.

mod killer;
mod looks;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::checker::{self, Fault, Verdict};
use super::client::{Clients, Habits};
use super::dice::Dice;
use super::disturb::disturb;
use super::effects;
use super::entries::{self, Ledger};
use super::log::{self, Log, Look};
use super::subject::ledger_name;
pub(super) use world::{SmallDisk, World, set_clock};

/// What is done to the bus beside killing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One node on the embedded journal.
    Embedded,
    /// Two nodes on Apache Kafka of three brokers, which are killed too.
    Kafka,
    /// As embedded, and the way to the registry is cut, delayed and garbled.
    Proxy,
    /// As embedded, and the disk under the journal fills up.
    Disk,
    /// As embedded, and the disk under the ledger fills up.
    LedgerDisk,
    /// As embedded, and the bus's clock jumps by a day.
    Clock,
}

/// A fault built in on purpose, which the checker has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The registry does not keep the ids of changes, and the way from it is cut: changes are sent and made twice.
    Twice,
    /// Now and then the journal is gone when the bus starts again.
    Amnesia,
}

/// A trial to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `rabita` program.
    pub program: PathBuf,
    pub mode: Mode,
    pub plant: Option<Plant>,
    /// How often the bus is killed.
    pub kills: usize,
    /// How many callers send updates.
    pub callers: usize,
    /// What all chance comes from.
    pub seed: u64,
    /// Where the callers' log, the list of changes and what the nodes said are written.
    pub evidence: PathBuf,
    /// Is told how far the trial has come.
    pub report: fn(&str),
}

/// The callers' log in the directory of evidence.
pub const LOG: &str = "callers.log";
/// The registry's list of changes in the directory of evidence.
pub const EFFECTS: &str = "effects.txt";

/// Runs a trial and judges its evidence.
///
/// # Panics
/// When something that it needs is missing, or the bus does not start again.
pub async fn run(options: &Options) -> Verdict {
    std::fs::create_dir_all(&options.evidence).expect("the directory of evidence can be made");
    let log = Arc::new(Log::create(&options.evidence.join(LOG)));
    let dice = Dice::new(options.seed);
    let world = World::build(options).await;
    let clients = Clients::start(world.callers(), Arc::clone(&log), habits(options), &dice);
    tokio::select! {
        () = killer::kill(options, &world, &log, &clients, dice.apart(2000)) => {}
        never = disturb(&world, options.plant == Some(Plant::Twice), dice.apart(1000)) => match never {},
    }
    (options.report)("no more kills: callers finish, everything comes to rest");
    world.mend();
    let updates = clients.finish().await;
    let nodes = world.callers();
    looks::wait_until_settled(&nodes, &updates, &log, patience(options)).await;
    looks::look_at_all(&nodes, &updates, &log, Look::Settled).await;
    (options.report)("every node is killed once more");
    killer::kill_all(&world, &log).await;
    let nodes = world.callers();
    looks::wait_until_settled(&nodes, &updates, &log, patience(options)).await;
    looks::look_at_all(&nodes, &updates, &log, Look::Later).await;
    killer::end_all(&world, &log).await;
    world.registry.write_effects(&options.evidence.join(EFFECTS));
    judge(&options.evidence)
}

/// Judges the evidence in a directory.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn judge(evidence: &std::path::Path) -> Verdict {
    let ledgers = (0..).map(|number| evidence.join(ledger_name(number))).take_while(|ledger| ledger.is_dir());
    let ledgers: Vec<Ledger> = ledgers.map(|ledger| entries::read(&ledger)).collect();
    checker::check(&log::read(&evidence.join(LOG)), &effects::read(&evidence.join(EFFECTS)), &ledgers)
}

/// Updates are tried again each second or so; a node of a cluster is missed only after a while.
fn patience(options: &Options) -> Duration {
    Duration::from_secs(if options.mode == Mode::Kafka { 60 } else { 15 })
}

fn habits(options: &Options) -> Habits {
    Habits {
        callers: options.callers,
        pause_max_ms: 60,
        remark_max_bytes: if options.mode == Mode::Disk { 8000 } else { 200 },
        // Where the bus's clock is not the callers', they cannot tell a latest time.
        with_latest_time: options.mode != Mode::Clock,
    }
}

/// Why a trial proves less than it should, whatever its verdict.
#[must_use]
pub fn weaknesses(options: &Options, verdict: &Verdict) -> Vec<String> {
    let figures = &verdict.figures;
    let mut weak = Vec::new();
    // The last kill of each node comes when everything is at rest.
    if figures.killed_under_way() * 5 < options.kills * 4 {
        weak.push(format!("only {} kills came while updates were under way", figures.killed_under_way()));
    }
    // A record that is not there is the one thing for which these updates may be refused at the door.
    for (code, times) in figures.declined.iter().filter(|(code, _)| *code != "record_absent") {
        weak.push(format!("{times} updates that are right were declined: {code}"));
    }
    if figures.abandoned * 10 > figures.intended {
        weak.push(format!("{} of {} updates were given up", figures.abandoned, figures.intended));
    }
    let full = match options.mode {
        Mode::Disk => Some("journal_unavailable"),
        Mode::LedgerDisk => Some("ledger_unavailable"),
        _ => None,
    };
    if full.is_some_and(|code| !figures.unavailable.contains_key(code)) {
        weak.push("the disk was never full when an update came".to_owned());
    }
    if options.mode != Mode::LedgerDisk && figures.without_receipt > 0 {
        weak.push(format!("{} answers came without a receipt", figures.without_receipt));
    }
    if figures.verified < options.kills / 2 || figures.checkpoints == 0 {
        weak.push(format!("ledgers were verified {} times, {} checkpoints seen", figures.verified, figures.checkpoints));
    }
    weak
}

/// Whether a fault that was built in was found for what it is.
#[must_use]
pub fn is_found(plant: Plant, verdict: &Verdict) -> bool {
    verdict.faults.iter().any(|fault| match plant {
        Plant::Twice => matches!(fault, Fault::Doubled { .. }),
        Plant::Amnesia => matches!(fault, Fault::Absent { .. }),
    })
}
