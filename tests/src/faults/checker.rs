//! Decides from the callers' log and the registry's own list of changes whether the bus kept its word.
//!
//! Every acknowledged update has exactly one outcome, the same from each node and on each later look; an applied one has
//! its effect exactly once, any other has none; the effects on a record stand in the order of acknowledgement; nothing
//! happened that nobody asked for. The ledgers hold what the callers were told. Knows the lists and the ledgers' entries, and
//! nothing of the bus: it shares no code with it.
//!
//! That it finds what is wrong is shown in `checker/tests.rs`, with lists that were tampered with.

mod account;
mod figures;
mod ledger;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use figures::Figures;

use super::effects::Effect;
use super::entries::Ledger;
use super::log::{Line, Outcome};
use account::Account;

/// What was found.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub faults: Vec<Fault>,
    pub figures: Figures,
}

/// One way in which the bus did not keep its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// One update, two ids: it was taken on twice.
    TwoIds { update: String, ids: Vec<String> },
    /// It ended in more than one way.
    TwoOutcomes { update: String, outcomes: Vec<Outcome> },
    /// It was acknowledged, and had not ended when everything had come to rest.
    Unsettled { update: String },
    /// It was acknowledged, and a node does not know it.
    Absent { update: String, node: usize },
    /// It was acknowledged, and the trial did not look at it on this node: the evidence is incomplete.
    Unseen { update: String, node: usize },
    /// The same request under the same key was acknowledged, and refused at the door.
    Contradicted { update: String },
    /// It was said to be applied, and nothing happened.
    Lost { update: String },
    /// It happened more than once.
    Doubled { update: String, times: usize },
    /// It happened, and was said not to be applied, or was refused at the door.
    Denied { update: String, times: usize },
    /// A change that no update is meant to make.
    Stray { serial: u64 },
    /// So many deletions of a record were said to be applied, and so many happened.
    Deletions { record: String, applied: usize, happened: usize },
    /// The effects on a record do not stand in the order of acknowledgement, from this place on.
    Reordered { record: String, due: String, found: String },
    /// It ended in another way than the updates before it on the same record leave room for.
    Unexplained { update: String, outcome: Outcome, due: Outcome },
    /// It gave what was asked for, without a receipt.
    Unreceipted { exchange: String, status: u16 },
    /// The ledger does not hold at that place what this receipt says.
    Unkept { exchange: String, receipt: String },
    /// An exchange that was answered does not stand in the ledgers once.
    Recorded { exchange: String, times: usize },
    /// The ledgers do not tell of its end, or of another one.
    Concluded { update: String, ended: String, recorded: Vec<String> },
    /// A checkpoint was shown of what the ledger does not hold.
    Forked { origin: String, size: u64 },
    /// A ledger was not as it was written when its node was dead.
    Unclean { node: usize, finding: String },
}

/// Holds the callers' log against the registry's list of changes, and against the ledgers of the nodes.
#[must_use]
pub fn check(lines: &[Line], effects: &[Effect], ledgers: &[Ledger]) -> Verdict {
    let accounts = Account::gather(lines);
    let mut faults = Vec::new();
    let by_update = by_update(effects, &accounts, &mut faults);
    let nodes = account::nodes(lines);
    for account in accounts.values() {
        let own = by_update.get(account.intention.update.as_str()).map_or(&[][..], Vec::as_slice);
        account.check(own.len(), nodes, &mut faults);
    }
    for (record, accounts) in record::by_record(&accounts) {
        let of_record: Vec<&Effect> = effects.iter().filter(|effect| effect.record == record).collect();
        record::check(record, &accounts, &of_record, &mut faults);
    }
    ledger::check(lines, &accounts, ledgers, &mut faults);
    let figures = Figures::count(lines, effects, ledgers, &accounts, &by_update);
    Verdict { faults, figures }
}

type ByUpdate<'a> = BTreeMap<&'a str, Vec<&'a Effect>>;

/// The effects of each update. Those that no update is meant to have are faults.
fn by_update<'a>(effects: &'a [Effect], accounts: &BTreeMap<&str, Account<'_>>, faults: &mut Vec<Fault>) -> ByUpdate<'a> {
    let mut by_update = ByUpdate::new();
    for effect in effects {
        let Some(update) = effect.update.as_deref() else { continue };
        match accounts.get(update) {
            Some(account) if account.can_have(effect) => by_update.entry(update).or_default().push(effect),
            _ => faults.push(Fault::Stray { serial: effect.serial }),
        }
    }
    by_update
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoIds { update, ids } => write!(f, "{update} was taken on more than once: {}", ids.join(", ")),
            Self::TwoOutcomes { update, outcomes } => {
                let told: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
                write!(f, "{update} ended in more than one way: {}", told.join(", "))
            }
            Self::Unsettled { update } => write!(f, "{update} was acknowledged, and never ended"),
            Self::Absent { update, node } => write!(f, "{update} was acknowledged, and node {node} does not know it"),
            Self::Unseen { update, node } => write!(f, "nobody looked at {update} on node {node} at the end"),
            Self::Contradicted { update } => write!(f, "{update} was acknowledged, and refused at the door as well"),
            Self::Lost { update } => write!(f, "{update} was said to be applied, and never happened"),
            Self::Doubled { update, times } => write!(f, "{update} happened {times} times"),
            Self::Denied { update, times } => write!(f, "{update} was said not to be applied, and happened {times} times"),
            Self::Stray { serial } => write!(f, "nobody asked for the change {serial}"),
            Self::Deletions { record, applied, happened } => {
                write!(f, "{applied} deletions of {record} were said to be applied, and {happened} happened")
            }
            Self::Reordered { record, due, found } => {
                write!(f, "the changes of {record} are out of order: {due} was due, {found} came")
            }
            Self::Unexplained { update, outcome, due } => write!(f, "{update} ended as {outcome}, and {due} was due"),
            Self::Unreceipted { exchange, status } => write!(f, "{exchange} was answered {status} without a receipt"),
            Self::Unkept { exchange, receipt } => write!(f, "the ledger does not hold {receipt} of {exchange}"),
            Self::Recorded { exchange, times } => write!(f, "{exchange} was answered, and stands in the ledgers {times} times"),
            Self::Concluded { update, ended, recorded } => {
                write!(f, "{update} ended as {ended}, and the ledgers tell: {}", recorded.join(", "))
            }
            Self::Forked { origin, size } => write!(f, "the checkpoint of {origin} for {size} entries is of another log"),
            Self::Unclean { node, finding } => write!(f, "the ledger of node {node}: {finding}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            None => f.write_str(&self.state),
            Some(code) => write!(f, "{} ({code})", self.state),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More would hide the first.
        const SHOWN: usize = 20;
        writeln!(f, "{}", self.figures)?;
        for fault in self.faults.iter().take(SHOWN) {
            writeln!(f, "FAULT: {fault}")?;
        }
        match self.faults.len() {
            0 => write!(f, "no fault"),
            many if many > SHOWN => write!(f, "{many} faults, of which {SHOWN} are shown"),
            many => write!(f, "{many} faults"),
        }
    }
}
