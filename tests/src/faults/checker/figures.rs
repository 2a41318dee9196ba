//! What a trial amounted to.

use std::collections::BTreeMap;
use std::fmt;

use super::ByUpdate;
use super::account::Account;
use crate::faults::effects::Effect;
use crate::faults::entries::Ledger;
use crate::faults::log::{Line, What};

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    pub intended: usize,
    pub acknowledged: usize,
    /// Refused at the door, by code.
    pub declined: BTreeMap<String, usize>,
    /// Given up by their callers without an answer.
    pub abandoned: usize,
    /// Of those, how many happened.
    pub abandoned_and_applied: usize,
    /// Acknowledged again under the same idempotency key.
    pub repeated: usize,
    /// Answers that sent a caller away to come again, by code.
    pub unavailable: BTreeMap<String, usize>,
    /// Acknowledged updates by how they ended.
    pub outcomes: BTreeMap<String, usize>,
    pub effects: usize,
    pub records: usize,
    /// Kills by program.
    pub kills: BTreeMap<String, usize>,
    /// For each kill, how many updates were under way: sent, and not yet both answered and applied.
    pub under_way: Vec<usize>,
    /// Entries in the ledgers of all nodes.
    pub entries: usize,
    /// Receipts that callers got, and answers without one but for those that came too often.
    pub receipts: usize,
    pub without_receipt: usize,
    /// Checkpoints that were seen.
    pub checkpoints: usize,
    /// How often a ledger was verified while its node was dead.
    pub verified: usize,
}

impl Figures {
    pub(super) fn count(
        lines: &[Line],
        effects: &[Effect],
        ledgers: &[Ledger],
        accounts: &BTreeMap<&str, Account<'_>>,
        by_update: &ByUpdate<'_>,
    ) -> Self {
        let entries = ledgers.iter().map(|ledger| ledger.entries.len()).sum();
        let mut figures = Self { intended: accounts.len(), effects: effects.len(), entries, ..Self::default() };
        let mut spans = Vec::new();
        for (update, account) in accounts {
            let own = by_update.get(update).map_or(&[][..], Vec::as_slice);
            figures.acknowledged += usize::from(account.is_acknowledged());
            figures.abandoned += usize::from(account.is_abandoned);
            figures.abandoned_and_applied += usize::from(account.is_abandoned && !own.is_empty());
            figures.repeated += account.acknowledgements.saturating_sub(1);
            if let Some(outcome) = account.outcome() {
                *figures.outcomes.entry(outcome.to_string()).or_default() += 1;
            }
            let ends = own.iter().map(|effect| effect.at_us).chain(account.acknowledged_us);
            spans.extend(ends.max().map(|end| (account.intended_us, end)));
        }
        figures.records = super::record::by_record(accounts).len();
        for line in lines {
            match &line.what {
                What::Killed { who } => {
                    *figures.kills.entry(who.clone()).or_default() += 1;
                    let is_under_way = |(from, to): &&(u64, u64)| *from < line.at_us && line.at_us < *to;
                    figures.under_way.push(spans.iter().filter(is_under_way).count());
                }
                What::Unavailable { code, .. } => *figures.unavailable.entry(code.clone()).or_default() += 1,
                What::Answered { receipt: Some(_), .. } => figures.receipts += 1,
                // Of those who come too often some are recorded.
                What::Answered { receipt: None, status, .. } => figures.without_receipt += usize::from(*status != 429),
                What::Checkpoint { .. } => figures.checkpoints += 1,
                What::Verified { .. } => figures.verified += 1,
                What::Declined { code, .. } => *figures.declined.entry(code.clone()).or_default() += 1,
                _ => {}
            }
        }
        figures
    }

    /// How many kills there were.
    #[must_use]
    pub fn killed(&self) -> usize {
        self.under_way.len()
    }

    /// How many of them came while updates were under way.
    #[must_use]
    pub fn killed_under_way(&self) -> usize {
        self.under_way.iter().filter(|count| **count > 0).count()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |counts: &BTreeMap<String, usize>| -> String {
            let told: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            if told.is_empty() { "none".to_owned() } else { told.join(", ") }
        };
        let mut under_way = self.under_way.clone();
        under_way.sort_unstable();
        let median = under_way.get(under_way.len() / 2).copied().unwrap_or_default();
        writeln!(f, "updates intended {}, acknowledged {}, repeated {}", self.intended, self.acknowledged, self.repeated)?;
        writeln!(f, "abandoned {}, of which applied {}", self.abandoned, self.abandoned_and_applied)?;
        writeln!(f, "declined: {}; to come again: {}", counts(&self.declined), counts(&self.unavailable))?;
        writeln!(f, "outcomes: {}", counts(&self.outcomes))?;
        writeln!(f, "records {}, changes in the registry {}", self.records, self.effects)?;
        writeln!(
            f,
            "entries in the ledgers {}, receipts {}, answers without {}, checkpoints seen {}, ledgers verified {} times",
            self.entries, self.receipts, self.without_receipt, self.checkpoints, self.verified
        )?;
        write!(
            f,
            "kills: {}; with updates under way {} of {}, in the median {median} updates, at most {}",
            counts(&self.kills),
            self.killed_under_way(),
            self.killed(),
            under_way.last().copied().unwrap_or_default()
        )
    }
}
