//! The updates of one record together: how many deletions, in which order, with which outcomes.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;
use super::account::Account;
use crate::faults::effects::{Effect, Kind};
use crate::faults::log::{Operation, Outcome};

/// The updates of each record, in the order in which they were sent.
pub(super) fn by_record<'a, 'b>(accounts: &'b BTreeMap<&'a str, Account<'a>>) -> BTreeMap<&'a str, Vec<&'b Account<'a>>> {
    let mut records = BTreeMap::<&str, Vec<&Account<'_>>>::new();
    for account in accounts.values() {
        records.entry(account.intention.record.as_str()).or_default().push(account);
    }
    for accounts in records.values_mut() {
        accounts.sort_by_key(|account| account.place);
    }
    records
}

/// What the updates of a record show together. `effects` are all changes of it, by serial.
pub(super) fn check(record: &str, accounts: &[&Account<'_>], effects: &[&Effect], faults: &mut Vec<Fault>) {
    let deletes = |account: &&&Account<'_>| account.intention.operation == Operation::Delete;
    let applied = accounts.iter().filter(deletes).filter(|account| account.is_applied()).count();
    let open = accounts.iter().filter(deletes).filter(|account| is_open(account)).count();
    let happened = effects.iter().filter(|effect| effect.kind == Kind::Deleted).count();
    if happened < applied || happened > applied + open {
        faults.push(Fault::Deletions { record: record.to_owned(), applied, happened });
    }
    if accounts.iter().all(|account| account.intention.is_ordered) {
        check_order(record, accounts, effects, happened == applied && open == 0, faults);
        check_outcomes(accounts, faults);
    }
}

/// Whether nobody was told how it ends, so that it may have happened or not.
fn is_open(account: &Account<'_>) -> bool {
    account.outcomes.is_empty() && account.declined.is_none()
}

/// The first of each effect has to come in the order of acknowledgement. What is lost, or happened again, is a fault of
/// its own already and is left out here, as is what was never acknowledged.
fn check_order(record: &str, accounts: &[&Account<'_>], effects: &[&Effect], with_deletes: bool, faults: &mut Vec<Fault>) {
    const DELETED: &str = "a deletion";
    let mut seen = BTreeSet::new();
    let known: BTreeSet<&str> = accounts.iter().filter(|it| it.is_applied()).map(|it| it.intention.update.as_str()).collect();
    let found: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match &effect.update {
            None => with_deletes.then_some(DELETED),
            Some(update) => (known.contains(update.as_str()) && seen.insert(update.as_str())).then_some(update.as_str()),
        })
        .collect();
    let due = accounts.iter().filter(|account| account.is_applied()).filter_map(|account| {
        let update = account.intention.update.as_str();
        match account.intention.operation {
            Operation::Delete => with_deletes.then_some(DELETED),
            _ => seen.contains(update).then_some(update),
        }
    });
    if let Some((due, found)) = due.zip(found).find(|(due, found)| due != found) {
        faults.push(Fault::Reordered { record: record.to_owned(), due: due.to_owned(), found: found.to_owned() });
    }
}

/// One after the other, each update finds the record there or not, and so there is only one way in which it can end.
fn check_outcomes(accounts: &[&Account<'_>], faults: &mut Vec<Fault>) {
    let mut is_there = Some(false);
    for account in accounts {
        let intention = account.intention;
        // At the door the bus may say that the record is not there, where nothing that could make it is under way.
        let at_door = account.declined.filter(|code| *code == ABSENT).map(|_| absent());
        let Some(outcome) = account.outcome().cloned().or(at_door) else {
            // Where it may have happened, and at any later time, nothing more can be said.
            if is_open(account) && matches!(intention.operation, Operation::Create | Operation::Delete) {
                return;
            }
            continue;
        };
        if outcome.state == "expired" && intention.may_expire {
            continue;
        }
        if let Some(is_there) = is_there {
            let due = due(intention.operation, is_there);
            if outcome != due {
                faults.push(Fault::Unexplained { update: intention.update.clone(), outcome: outcome.clone(), due });
            }
        }
        is_there = match (intention.operation, outcome.state.as_str()) {
            (Operation::Delete, "applied") => Some(false),
            (_, "applied") => Some(true),
            _ => is_there,
        };
    }
}

fn due(operation: Operation, is_there: bool) -> Outcome {
    let outcome = |state: &str, code: Option<&str>| Outcome { state: state.to_owned(), code: code.map(str::to_owned) };
    match (operation, is_there) {
        (Operation::Create, true) => outcome("conflicted", Some("record_exists")),
        (Operation::Create, false) | (_, true) => outcome("applied", None),
        (_, false) => absent(),
    }
}

const ABSENT: &str = "record_absent";

fn absent() -> Outcome {
    Outcome { state: "refused".to_owned(), code: Some(ABSENT.to_owned()) }
}
