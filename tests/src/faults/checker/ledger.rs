//! What the ledgers have to hold: every receipt that a caller got, every exchange that was answered once, the end of every
//! update, and a past that goes with every checkpoint that was ever seen.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Fault;
use super::account::Account;
use crate::faults::entries::{Hash, Ledger, leaf};
use crate::faults::log::{Line, What};

/// Holds the callers' log against the ledgers.
pub(super) fn check(lines: &[Line], accounts: &BTreeMap<&str, Account<'_>>, ledgers: &[Ledger], faults: &mut Vec<Fault>) {
    let recorded = Recorded::of(ledgers);
    for line in lines {
        match &line.what {
            What::Answered { exchange, status, receipt, .. } => {
                recorded.check_answer(exchange, *status, receipt.as_deref(), ledgers, faults);
            }
            What::Verified { node, finding: Some(finding) } => {
                faults.push(Fault::Unclean { node: *node, finding: finding.clone() });
            }
            _ => {}
        }
    }
    accounts.values().for_each(|account| recorded.check_conclusion(account, faults));
    check_checkpoints(lines, ledgers, faults);
}

/// What all ledgers say together.
struct Recorded {
    /// How often each exchange stands there.
    exchanges: HashMap<String, usize>,
    /// How each update ended, each time that it is told.
    conclusions: HashMap<String, Vec<String>>,
}

impl Recorded {
    fn of(ledgers: &[Ledger]) -> Self {
        let (mut exchanges, mut conclusions) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        for entry in ledgers.iter().flat_map(|ledger| &ledger.entries).map(|entry| Ledger::json(entry)) {
            match word(&entry["kind"]).as_str() {
                "exchange" => *exchanges.entry(word(&entry["exchange"])).or_default() += 1,
                "conclusion" => conclusions.entry(word(&entry["update"])).or_default().push(word(&entry["outcome"])),
                _ => {}
            }
        }
        Self { exchanges, conclusions }
    }

    fn check_answer(&self, exchange: &str, status: u16, receipt: Option<&str>, ledgers: &[Ledger], faults: &mut Vec<Fault>) {
        let name = || exchange.to_owned();
        let Some(receipt) = receipt else {
            // What gives nothing may leave unrecorded while the ledger cannot be written.
            if status < 400 {
                faults.push(Fault::Unreceipted { exchange: name(), status });
            }
            return;
        };
        if !holds(receipt, exchange, ledgers) {
            faults.push(Fault::Unkept { exchange: name(), receipt: receipt.to_owned() });
        }
        match self.exchanges.get(exchange) {
            Some(1) => {}
            times => faults.push(Fault::Recorded { exchange: name(), times: times.copied().unwrap_or_default() }),
        }
    }

    /// A crash between the ledger and the journal has an end told again, never in another way.
    fn check_conclusion(&self, account: &Account<'_>, faults: &mut Vec<Fault>) {
        let (Some(id), Some(outcome)) = (account.id(), account.outcome()) else { return };
        let told = self.conclusions.get(id).map_or(&[][..], Vec::as_slice);
        if told.is_empty() || told.iter().any(|told| *told != outcome.state) {
            let (update, ended) = (account.intention.update.clone(), outcome.state.clone());
            faults.push(Fault::Concluded { update, ended, recorded: told.to_vec() });
        }
    }
}

/// Whether the entry of the exchange is where the receipt says, and is the one of which it says so.
fn holds(receipt: &str, exchange: &str, ledgers: &[Ledger]) -> bool {
    ledgers.iter().any(|ledger| {
        let index = receipt.strip_prefix(&format!("\"{}\";index=", ledger.origin)).and_then(|rest| rest.split(';').next());
        let entry = index.and_then(|index| ledger.entries.get(index.parse::<usize>().ok()?));
        entry.is_some_and(|entry| {
            let said = format!(";leaf=:{}:", STANDARD.encode(leaf(entry)));
            receipt.ends_with(&said) && word(&Ledger::json(entry)["exchange"]) == exchange
        })
    })
}

/// Every checkpoint seen has to be one of what the ledger held at its size.
fn check_checkpoints(lines: &[Line], ledgers: &[Ledger], faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::<String, Vec<(u64, Hash)>>::new();
    for line in lines {
        let What::Checkpoint { note } = &line.what else { continue };
        match parse(note) {
            Some((origin, size, root)) => seen.entry(origin).or_default().push((size, root)),
            None => faults.push(Fault::Forked { origin: "a note that is no checkpoint".to_owned(), size: 0 }),
        }
    }
    for (origin, mut checkpoints) in seen {
        checkpoints.sort_unstable();
        let sizes: Vec<u64> = checkpoints.iter().map(|(size, _)| *size).collect();
        let roots = ledgers.iter().find(|ledger| ledger.origin == origin).map(|ledger| ledger.roots(&sizes)).unwrap_or_default();
        for (at, (size, root)) in checkpoints.iter().enumerate() {
            if roots.get(at) != Some(root) {
                faults.push(Fault::Forked { origin: origin.clone(), size: *size });
            }
        }
    }
}

/// The name, the size and the root of a checkpoint.
fn parse(note: &str) -> Option<(String, u64, Hash)> {
    let mut lines = note.lines();
    let (origin, size, root) = (lines.next()?, lines.next()?.parse().ok()?, STANDARD.decode(lines.next()?).ok()?);
    Some((origin.to_owned(), size, root.try_into().ok()?))
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::faults::log::{Intention, Operation, Outcome};

    /// Two exchanges of which the first submitted an update, as callers and the ledger tell of them.
    struct Story {
        lines: Vec<Line>,
        ledger: Ledger,
    }

    impl Story {
        fn whole() -> Self {
            let entries = [
                json!({ "kind": "exchange", "exchange": "e1" }),
                json!({ "kind": "conclusion", "exchange": "e1", "update": "id", "outcome": "applied" }),
                json!({ "kind": "exchange", "exchange": "e2" }),
            ];
            let entries = entries.map(|entry| entry.to_string().into_bytes()).into();
            let ledger = Ledger { origin: "node-0".to_owned(), entries };
            let outcome = Some(Outcome { state: "applied".to_owned(), code: None });
            let (update, record) = ("u1".to_owned(), "r".to_owned());
            let intention =
                Intention { update: update.clone(), record, operation: Operation::Create, is_ordered: true, may_expire: false };
            let mut story = Self { lines: Vec::new(), ledger };
            story.says(What::Intended(intention));
            story.says(What::Acknowledged { update, id: "id".to_owned(), outcome });
            for (exchange, index) in [("e1", 0), ("e2", 2)] {
                let receipt = Some(story.receipt(index));
                story.says(What::Answered { exchange: exchange.to_owned(), status: 200, receipt });
            }
            let note = story.note(2);
            story.says(What::Checkpoint { note });
            story.says(What::Verified { node: 0, finding: None });
            story
        }

        fn says(&mut self, what: What) {
            self.lines.push(Line { at_us: self.lines.len() as u64, what });
        }

        fn receipt(&self, index: usize) -> String {
            format!("\"node-0\";index={index};leaf=:{}:", STANDARD.encode(leaf(&self.ledger.entries[index])))
        }

        fn note(&self, size: u64) -> String {
            format!("node-0\n{size}\n{}\n\n", STANDARD.encode(self.ledger.roots(&[size])[0]))
        }

        fn faults(&self) -> Vec<Fault> {
            let mut faults = Vec::new();
            check(&self.lines, &Account::gather(&self.lines), std::slice::from_ref(&self.ledger), &mut faults);
            faults
        }
    }

    #[test]
    fn finds_nothing_wrong_with_a_ledger_that_keeps_what_was_said() {
        assert_eq!(Story::whole().faults(), []);
    }

    #[test]
    fn an_entry_that_is_gone_or_changed_is_missed_by_its_receipt() {
        let mut story = Story::whole();
        story.ledger.entries.remove(2);
        let receipt = Story::whole().receipt(2);
        let exchange = "e2".to_owned();
        let unkept = Fault::Unkept { exchange: exchange.clone(), receipt: receipt.clone() };
        assert_eq!(story.faults(), [unkept.clone(), Fault::Recorded { exchange, times: 0 }]);
        let mut story = Story::whole();
        story.ledger.entries[2] = br#"{"kind":"exchange","exchange":"e2","status":1}"#.to_vec();
        assert_eq!(story.faults(), [unkept]);
    }

    #[test]
    fn a_receipt_that_was_forged_or_is_of_another_exchange_is_found() {
        for forged in ["\"node-0\";index=2;leaf=:AAAA:".to_owned(), Story::whole().receipt(0), String::new()] {
            let mut story = Story::whole();
            let given = Some(forged.clone());
            story.lines[3].what = What::Answered { exchange: "e2".to_owned(), status: 200, receipt: given };
            assert_eq!(story.faults(), [Fault::Unkept { exchange: "e2".to_owned(), receipt: forged }]);
        }
    }

    #[test]
    fn what_was_given_without_a_receipt_is_found_and_a_refusal_is_not() {
        for (status, faults) in [(200, vec![Fault::Unreceipted { exchange: "e3".to_owned(), status: 200 }]), (503, Vec::new())] {
            let mut story = Story::whole();
            story.says(What::Answered { exchange: "e3".to_owned(), status, receipt: None });
            assert_eq!(story.faults(), faults);
        }
    }

    #[test]
    fn an_exchange_that_stands_there_twice_is_found() {
        let mut story = Story::whole();
        let again = story.ledger.entries[2].clone();
        story.ledger.entries.push(again);
        assert_eq!(story.faults(), [Fault::Recorded { exchange: "e2".to_owned(), times: 2 }]);
    }

    #[test]
    fn the_end_of_an_update_is_missed_or_found_to_be_another() {
        let mut story = Story::whole();
        story.ledger.entries.push(br#"{"kind":"conclusion","update":"id","outcome":"applied"}"#.to_vec());
        assert_eq!(story.faults(), []);
        story.ledger.entries.push(br#"{"kind":"conclusion","update":"id","outcome":"refused"}"#.to_vec());
        let recorded = ["applied", "applied", "refused"].map(str::to_owned).into();
        assert_eq!(story.faults(), [Fault::Concluded { update: "u1".to_owned(), ended: "applied".to_owned(), recorded }]);
        let mut story = Story::whole();
        story.ledger.entries[1] = br#"{"kind":"conclusion","update":"other","outcome":"applied"}"#.to_vec();
        let concluded = Fault::Concluded { update: "u1".to_owned(), ended: "applied".to_owned(), recorded: Vec::new() };
        assert!(story.faults().contains(&concluded), "{:?}", story.faults());
    }

    #[test]
    fn a_checkpoint_of_another_past_or_of_more_than_there_is_is_found() {
        let mut story = Story::whole();
        story.ledger.entries[1] = br#"{"kind":"conclusion","update":"id","outcome":"applied","more":1}"#.to_vec();
        assert_eq!(story.faults(), [Fault::Forked { origin: "node-0".to_owned(), size: 2 }]);
        let mut story = Story::whole();
        let note = story.note(3).replace("\n3\n", "\n4\n");
        story.says(What::Checkpoint { note });
        assert_eq!(story.faults(), [Fault::Forked { origin: "node-0".to_owned(), size: 4 }]);
    }

    #[test]
    fn what_the_command_finds_is_a_fault() {
        let mut story = Story::whole();
        story.says(What::Verified { node: 0, finding: Some("changed".to_owned()) });
        assert_eq!(story.faults(), [Fault::Unclean { node: 0, finding: "changed".to_owned() }]);
    }
}
