//! All that is known of one update.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;
use crate::faults::effects::{Effect, Kind};
use crate::faults::log::{Intention, Line, Look, Operation, Outcome, What};

/// One update: what was meant, and everything that was told of it.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) intention: &'a Intention,
    /// Its place among all intentions.
    pub(super) place: usize,
    pub(super) intended_us: u64,
    /// When it was first acknowledged.
    pub(super) acknowledged_us: Option<u64>,
    pub(super) acknowledgements: usize,
    /// The code with which it was refused at the door.
    pub(super) declined: Option<&'a str>,
    pub(super) is_abandoned: bool,
    ids: BTreeSet<&'a str>,
    pub(super) outcomes: BTreeSet<&'a Outcome>,
    /// Nodes that did not know it when everything had come to rest; a lone node's ignorance counts at any time.
    absent_on: BTreeSet<usize>,
    is_open_at_rest: bool,
    seen: BTreeSet<(usize, bool)>,
}

/// How many nodes were asked.
pub(super) fn nodes(lines: &[Line]) -> usize {
    let asked = lines.iter().filter_map(|line| match &line.what {
        What::Observed { node, .. } => Some(node + 1),
        _ => None,
    });
    asked.max().unwrap_or(1)
}

impl<'a> Account<'a> {
    /// Gathers what is known, by update. Lines about an update that nobody intended are left out: its effects are found
    /// as strays.
    pub(super) fn gather(lines: &'a [Line]) -> BTreeMap<&'a str, Self> {
        let is_lone = nodes(lines) == 1;
        let mut accounts = BTreeMap::<&str, Self>::new();
        for line in lines {
            match &line.what {
                What::Intended(intention) => {
                    let place = accounts.len();
                    accounts.insert(&intention.update, Self::new(intention, place, line.at_us));
                }
                What::Acknowledged { update, id, outcome } => {
                    let Some(account) = accounts.get_mut(update.as_str()) else { continue };
                    account.acknowledged_us.get_or_insert(line.at_us);
                    account.acknowledgements += 1;
                    account.ids.insert(id);
                    account.outcomes.extend(outcome);
                }
                What::Observed { update, id, outcome, absent, node, look } => {
                    let Some(account) = accounts.get_mut(update.as_str()) else { continue };
                    account.ids.insert(id);
                    account.outcomes.extend(outcome);
                    account.looked_at(outcome.is_some(), *absent, *node, *look, is_lone);
                }
                What::Declined { update, code, .. } => _ = accounts.get_mut(update.as_str()).map(|it| it.declined = Some(code)),
                What::Abandoned { update } => _ = accounts.get_mut(update.as_str()).map(|it| it.is_abandoned = true),
                What::Killed { .. }
                | What::Unavailable { .. }
                | What::Answered { .. }
                | What::Checkpoint { .. }
                | What::Verified { .. } => {}
            }
        }
        accounts
    }

    fn new(intention: &'a Intention, place: usize, intended_us: u64) -> Self {
        Self {
            intention,
            place,
            intended_us,
            acknowledged_us: None,
            acknowledgements: 0,
            declined: None,
            is_abandoned: false,
            ids: BTreeSet::new(),
            outcomes: BTreeSet::new(),
            absent_on: BTreeSet::new(),
            is_open_at_rest: false,
            seen: BTreeSet::new(),
        }
    }

    fn looked_at(&mut self, has_ended: bool, absent: bool, node: usize, look: Look, is_lone: bool) {
        let at_rest = look != Look::Underway;
        if absent && (at_rest || is_lone) {
            self.absent_on.insert(node);
        }
        if at_rest {
            self.is_open_at_rest |= !absent && !has_ended;
            self.seen.insert((node, look == Look::Later));
        }
    }

    /// Whether the bus said that it has it.
    pub(super) const fn is_acknowledged(&self) -> bool {
        self.acknowledged_us.is_some()
    }

    /// How it ended, where that is known and the same everywhere.
    pub(super) fn outcome(&self) -> Option<&'a Outcome> {
        if self.outcomes.len() == 1 { self.outcomes.first().copied() } else { None }
    }

    /// The bus's id of it.
    pub(super) fn id(&self) -> Option<&'a str> {
        self.ids.first().copied()
    }

    pub(super) fn is_applied(&self) -> bool {
        self.outcome().is_some_and(|outcome| outcome.state == "applied")
    }

    /// Whether the change is one that this update is meant to make.
    pub(super) fn can_have(&self, effect: &Effect) -> bool {
        self.intention.record == effect.record && Kind::of(self.intention.operation) == effect.kind
    }

    /// What the update by itself shows, given how often it happened.
    pub(super) fn check(&self, times: usize, nodes: usize, faults: &mut Vec<Fault>) {
        let update = || self.intention.update.clone();
        if self.ids.len() > 1 {
            faults.push(Fault::TwoIds { update: update(), ids: self.ids.iter().map(|id| (*id).to_owned()).collect() });
        }
        if self.outcomes.len() > 1 {
            let outcomes = self.outcomes.iter().map(|outcome| (*outcome).clone()).collect();
            faults.push(Fault::TwoOutcomes { update: update(), outcomes });
        }
        if self.is_acknowledged() {
            if self.declined.is_some() {
                faults.push(Fault::Contradicted { update: update() });
            }
            self.check_looks(nodes, faults);
        }
        // A deletion leaves no text behind by which it could be told from another: they are counted by record.
        if self.intention.operation == Operation::Delete {
            return;
        }
        match times {
            0 if self.is_applied() => faults.push(Fault::Lost { update: update() }),
            0 => {}
            times if self.has_no_effect() => faults.push(Fault::Denied { update: update(), times }),
            1 => {}
            times => faults.push(Fault::Doubled { update: update(), times }),
        }
    }

    fn check_looks(&self, nodes: usize, faults: &mut Vec<Fault>) {
        let update = || self.intention.update.clone();
        faults.extend(self.absent_on.iter().map(|node| Fault::Absent { update: update(), node: *node }));
        if self.is_open_at_rest {
            faults.push(Fault::Unsettled { update: update() });
        }
        let is_seen = |node: usize| [false, true].iter().all(|later| self.seen.contains(&(node, *later)));
        faults.extend((0..nodes).filter(|node| !is_seen(*node)).map(|node| Fault::Unseen { update: update(), node }));
    }

    /// Whether the caller was told that nothing happens.
    fn has_no_effect(&self) -> bool {
        match self.outcome() {
            Some(outcome) => outcome.state != "applied",
            None => self.declined.is_some() && !self.is_acknowledged(),
        }
    }
}
