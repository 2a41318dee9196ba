//! Lists that were tampered with, and what has to be found in them.

use serde_json::json;

use super::*;
use crate::faults::effects::Kind;
use crate::faults::log::{Intention, Look, Operation, What};

/// A story of one caller and one record that holds together, to be tampered with.
struct Story {
    lines: Vec<Line>,
    effects: Vec<Effect>,
    ledger: Ledger,
    nodes: usize,
}

impl Story {
    fn new() -> Self {
        Self { lines: Vec::new(), effects: Vec::new(), ledger: Ledger::default(), nodes: 1 }
    }

    /// A record that comes, changes twice and goes.
    fn whole() -> Self {
        let mut story = Self::new();
        for (name, operation) in
            [("u1", Operation::Create), ("u2", Operation::Update), ("u3", Operation::Replace), ("u4", Operation::Delete)]
        {
            story.applied(name, operation);
        }
        story
    }

    fn says(&mut self, what: What) {
        self.lines.push(Line { at_us: self.lines.len() as u64 * 10, what });
    }

    fn intended(&mut self, update: &str, operation: Operation) {
        let (update, record) = (update.to_owned(), "r1".to_owned());
        self.says(What::Intended(Intention { update, record, operation, is_ordered: true, may_expire: false }));
    }

    fn ended(&mut self, update: &str, outcome: &Outcome) {
        let (update, id) = (update.to_owned(), format!("id-{update}"));
        let conclusion = json!({ "kind": "conclusion", "update": id, "outcome": outcome.state });
        self.ledger.entries.push(conclusion.to_string().into_bytes());
        self.says(What::Acknowledged { update: update.clone(), id: id.clone(), outcome: None });
        for look in [Look::Settled, Look::Later] {
            for node in 0..self.nodes {
                let (update, id, outcome) = (update.clone(), id.clone(), Some(outcome.clone()));
                self.says(What::Observed { update, id, outcome, absent: false, node, look });
            }
        }
    }

    fn happened(&mut self, update: &str, operation: Operation) {
        let kind = Kind::of(operation);
        let update = Some(update.to_owned()).filter(|_| kind != Kind::Deleted);
        let (serial, at_us) = (self.effects.len() as u64, self.lines.len() as u64 * 10);
        self.effects.push(Effect { serial, at_us, kind, record: "r1".to_owned(), update });
    }

    fn applied(&mut self, update: &str, operation: Operation) {
        self.intended(update, operation);
        self.happened(update, operation);
        self.ended(update, &outcome("applied", None));
    }

    fn faults(&self) -> Vec<Fault> {
        self.verdict().faults
    }

    fn verdict(&self) -> Verdict {
        check(&self.lines, &self.effects, std::slice::from_ref(&self.ledger))
    }
}

fn outcome(state: &str, code: Option<&str>) -> Outcome {
    Outcome { state: state.to_owned(), code: code.map(str::to_owned) }
}

#[test]
fn finds_nothing_wrong_with_what_holds_together() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Update);
    story.ended("u5", &outcome("refused", Some("record_absent")));
    story.intended("u6", Operation::Update);
    story.says(What::Declined { update: "u6".to_owned(), status: 422, code: "invalid_request".to_owned() });
    story.intended("u7", Operation::Update);
    story.says(What::Abandoned { update: "u7".to_owned() });
    assert_eq!(story.faults(), []);
    let figures = story.verdict().figures;
    assert_eq!((figures.intended, figures.acknowledged, figures.declined.len(), figures.abandoned), (7, 5, 1, 1));
    assert_eq!((figures.effects, figures.records), (4, 1));
}

#[test]
fn an_effect_that_is_missing_is_lost() {
    for at in 0..3 {
        let mut story = Story::whole();
        let gone = story.effects.remove(at).update.expect("not the deletion");
        assert_eq!(story.faults(), [Fault::Lost { update: gone }]);
    }
}

#[test]
fn an_effect_that_came_twice_is_doubled() {
    let mut story = Story::whole();
    story.effects.insert(2, story.effects[1].clone());
    assert_eq!(story.faults(), [Fault::Doubled { update: "u2".to_owned(), times: 2 }]);
}

#[test]
fn deletions_are_counted() {
    for (happened, more) in [(0, None), (2, Some(Effect { serial: 9, ..Story::whole().effects[3].clone() }))] {
        let mut story = Story::whole();
        match more {
            Some(more) => story.effects.push(more),
            None => _ = story.effects.pop(),
        }
        assert_eq!(story.faults(), [Fault::Deletions { record: "r1".to_owned(), applied: 1, happened }]);
    }
}

#[test]
fn effects_that_changed_places_are_out_of_order() {
    let mut story = Story::whole();
    story.effects.swap(1, 2);
    let (due, found) = ("u2".to_owned(), "u3".to_owned());
    assert_eq!(story.faults(), [Fault::Reordered { record: "r1".to_owned(), due, found }]);
    let mut story = Story::whole();
    story.effects.swap(2, 3);
    let (due, found) = ("u3".to_owned(), "a deletion".to_owned());
    assert_eq!(story.faults(), [Fault::Reordered { record: "r1".to_owned(), due, found }]);
}

#[test]
fn a_second_outcome_is_found_whoever_told_it() {
    let mut story = Story::whole();
    let (applied, refused) = (outcome("applied", None), outcome("refused", Some("registry_refused")));
    let (update, id) = ("u2".to_owned(), "id-u2".to_owned());
    story.says(What::Observed { update, id, outcome: Some(refused.clone()), absent: false, node: 0, look: Look::Underway });
    assert_eq!(story.faults(), [Fault::TwoOutcomes { update: "u2".to_owned(), outcomes: vec![applied, refused] }]);
}

#[test]
fn a_second_id_is_found() {
    let mut story = Story::whole();
    story.says(What::Acknowledged { update: "u2".to_owned(), id: "other".to_owned(), outcome: None });
    let ids = vec!["id-u2".to_owned(), "other".to_owned()];
    assert_eq!(story.faults(), [Fault::TwoIds { update: "u2".to_owned(), ids }]);
}

#[test]
fn an_update_that_never_ends_or_is_forgotten_is_found() {
    for (absent, fault) in
        [(false, Fault::Unsettled { update: "u2".to_owned() }), (true, Fault::Absent { update: "u2".to_owned(), node: 0 })]
    {
        let mut story = Story::whole();
        for line in &mut story.lines {
            match &mut line.what {
                What::Observed { update, outcome, absent: is_absent, .. } if update == "u2" => {
                    (*outcome, *is_absent) = (None, absent);
                }
                _ => {}
            }
        }
        assert!(story.faults().contains(&fault), "{:?}", story.faults());
    }
}

#[test]
fn evidence_that_is_incomplete_is_no_proof() {
    let mut story = Story { nodes: 2, ..Story::new() };
    story.applied("u1", Operation::Create);
    assert_eq!(story.faults(), []);
    let last = story.lines.pop().expect("the look at the second node");
    assert!(matches!(last.what, What::Observed { node: 1, look: Look::Later, .. }));
    assert_eq!(story.faults(), [Fault::Unseen { update: "u1".to_owned(), node: 1 }]);
}

#[test]
fn what_was_said_not_to_happen_must_not_happen() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Create);
    story.happened("u5", Operation::Create);
    story.ended("u5", &outcome("conflicted", Some("record_exists")));
    assert!(story.faults().contains(&Fault::Denied { update: "u5".to_owned(), times: 1 }), "{:?}", story.faults());
    let mut story = Story::whole();
    story.intended("u5", Operation::Update);
    story.says(What::Declined { update: "u5".to_owned(), status: 400, code: "malformed_request".to_owned() });
    story.happened("u5", Operation::Update);
    assert_eq!(story.faults(), [Fault::Denied { update: "u5".to_owned(), times: 1 }]);
}

#[test]
fn what_was_given_up_may_happen_once_and_not_twice() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Update);
    story.says(What::Abandoned { update: "u5".to_owned() });
    story.happened("u5", Operation::Update);
    assert_eq!(story.faults(), []);
    story.happened("u5", Operation::Update);
    assert_eq!(story.faults(), [Fault::Doubled { update: "u5".to_owned(), times: 2 }]);
}

#[test]
fn a_change_that_nobody_asked_for_is_found() {
    let mut story = Story::whole();
    story.happened("nobody", Operation::Update);
    assert_eq!(story.faults(), [Fault::Stray { serial: 4 }]);
    let mut story = Story::whole();
    story.effects[1].record = "r2".to_owned();
    assert!(story.faults().contains(&Fault::Stray { serial: 1 }), "{:?}", story.faults());
}

#[test]
fn an_outcome_that_the_updates_before_it_do_not_explain_is_found() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Update);
    story.ended("u5", &outcome("refused", Some("registry_refused")));
    let (outcome, due) = (outcome("refused", Some("registry_refused")), outcome("refused", Some("record_absent")));
    assert_eq!(story.faults(), [Fault::Unexplained { update: "u5".to_owned(), outcome, due }]);
}

#[test]
fn a_record_that_is_there_must_not_be_denied_at_the_door() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Update);
    story.says(What::Declined { update: "u5".to_owned(), status: 404, code: "record_absent".to_owned() });
    assert_eq!(story.faults(), []);
    story.applied("u6", Operation::Create);
    story.intended("u7", Operation::Update);
    story.says(What::Declined { update: "u7".to_owned(), status: 404, code: "record_absent".to_owned() });
    let (outcome, due) = (outcome("refused", Some("record_absent")), outcome("applied", None));
    assert_eq!(story.faults(), [Fault::Unexplained { update: "u7".to_owned(), outcome, due }]);
}

#[test]
fn a_kill_counts_the_updates_that_were_under_way() {
    let mut story = Story::whole();
    story.intended("u5", Operation::Create);
    story.says(What::Killed { who: "node 0".to_owned() });
    story.happened("u5", Operation::Create);
    story.ended("u5", &outcome("applied", None));
    story.says(What::Killed { who: "node 0".to_owned() });
    let figures = story.verdict().figures;
    assert_eq!((figures.under_way.as_slice(), figures.killed_under_way()), (&[1, 0][..], 1));
}

#[test]
fn an_update_that_is_taken_on_and_then_refused_at_the_door_is_found() {
    let mut story = Story::whole();
    story.says(What::Declined { update: "u2".to_owned(), status: 422, code: "invalid_request".to_owned() });
    assert_eq!(story.faults(), [Fault::Contradicted { update: "u2".to_owned() }]);
}
