//! What the ledger is told: whom an exchange is about, and how an update ended before the update is concluded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rabita_core::{Answer, Recorder, Stores};
use rabita_journal::embedded::Options;
use rabita_journal::{Embedded, Journal};
use rabita_ledger::entry::ToldBy;
use rabita_ledger::{Fact, LedgerError};
use rabita_model::ask::Key;
use rabita_model::{Change, Code, Operation, Outcome, State, Subject, UpdateId, Wait, Want};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::country::{Stage, change, country, field, person, read, record, search};

/// A ledger that keeps facts, and cannot be written while it is shut.
#[derive(Default)]
struct Kept {
    facts: Mutex<VecDeque<Fact>>,
    is_shut: AtomicBool,
    tries: tokio::sync::Notify,
}

impl Kept {
    fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[async_trait]
impl Recorder for Kept {
    async fn record(&self, fact: Fact) -> Result<(), LedgerError> {
        self.tries.notify_one();
        if self.is_shut.load(Ordering::SeqCst) {
            return Err(LedgerError::Index("it is shut".to_owned()));
        }
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push_back(fact);
        Ok(())
    }
}

fn grants() -> Value {
    let of = |entity: &str, operations: Value, fields: Value| json!({ "system": "portal", "version": "v1", "entity": entity, "purposes": "any", "operations": operations, "fields": fields });
    json!([
        of("persons", json!(["read", "search", "update"]), json!(["name", "district"])),
        of("licences", json!(["read"]), json!(["kind"])),
    ])
}

fn persons() -> Vec<Value> {
    vec![person("5ZJBKH7", "Aliyeva", "1978-03", None), person("1ABCDE2", "Aliyeva", "1990-01-01", None)]
}

fn stage(ledger: &Arc<Kept>) -> Stage {
    let ledger: Arc<dyn Recorder> = Arc::clone(ledger) as _;
    Stage::with(&country(&grants()), persons(), Stores { journal: None, ledger: Some(ledger) })
}

fn subjects(of: &[&str]) -> Vec<Subject> {
    of.iter().map(|number| Subject::new(number)).collect()
}

#[tokio::test]
async fn the_ledger_knows_whom_an_exchange_is_about_even_where_the_caller_does_not() {
    let stage = stage(&Arc::default());
    let by_key = stage.ask(read("persons", "5ZJBKH7")).await;
    assert_eq!(by_key.trail.subjects, subjects(&["5ZJBKH7"]));
    assert_eq!(by_key.trail.fields.as_ref(), ["name.family", "name.given", "district"].map(field));
    assert_eq!((by_key.trail.records, by_key.trail.owner.as_ref().map(|owner| owner.as_str())), (1, Some("interior")));
    let found = stage.ask(search("name.family", "Aliyeva", 10)).await;
    assert_eq!(found.trail.subjects, subjects(&["5ZJBKH7", "1ABCDE2"]));
    assert_eq!(found.trail.fields.as_ref(), ["name.family", "name.given", "district"].map(field));
    let holder = stage.ask(read("licences", "L2")).await;
    assert_eq!(holder.trail.subjects, subjects(&["1ABCDE2"]));
    assert_eq!(crate::country::told(holder), Ok(json!({ "kind": "C" })));
    let refused = stage.ask(crate::country::asked("persons", Want::ReadMany { keys: vec![Key(vec!["7".into()])] })).await;
    assert_eq!(refused.trail.subjects, subjects(&["7"]));
}

#[tokio::test]
async fn a_person_is_recorded_as_the_registry_has_it_however_the_caller_spells_the_number() {
    let stage = stage(&Arc::default());
    let exchange = stage.ask(read("persons", "5zjbkh7")).await;
    assert_eq!(exchange.trail.subjects, subjects(&["5zjbkh7", "5ZJBKH7"]));
    let name = json!({ "family": "Aliyeva", "given": "Leyla" });
    assert_eq!(crate::country::told(exchange), Ok(json!({ "name": name })), "the number is not among what is granted");
}

#[tokio::test]
async fn without_a_ledger_nothing_is_fetched_for_it() {
    let stage = Stage::new(&grants(), persons());
    assert!(stage.answer(read("licences", "L2")).await.is_ok());
    let names: Vec<String> = stage.population.asked()[0].sources.iter().map(|source| source.as_str().to_owned()).collect();
    assert_eq!(names, ["KIND"]);
}

#[tokio::test]
async fn the_person_of_the_request_is_recorded_as_said_by_the_system() {
    let stage = stage(&Arc::default());
    let mut ask = read("persons", "5ZJBKH7");
    ask.user = Some("clerk-7".to_owned());
    let trail = stage.ask(ask).await.trail;
    assert_eq!((trail.user.as_deref(), trail.user_by), (Some("clerk-7"), Some(ToldBy::Assertion)));
    assert_eq!(trail.agency.as_ref().map(|agency| agency.as_str()), Some("asan"));
}

/// A change that its caller waits for as long as need be, and the change's own id.
async fn submitted(stage: &Stage) -> UpdateId {
    let patch = record(json!({ "district": "baku" }));
    let exchange = stage.ask(change(Change::Update { key: Key(vec!["5ZJBKH7".into()]), patch })).await;
    assert_eq!(exchange.trail.subjects, subjects(&["5ZJBKH7"]));
    match exchange.result {
        Ok(Answer::Change { entry, wait: Wait::Not, .. }) => entry.update.id,
        _ => panic!("an accepted change"),
    }
}

#[tokio::test]
async fn nothing_is_concluded_that_is_not_recorded() {
    let scratch = tempfile::tempdir().expect("a directory");
    let clock: rabita_journal::embedded::Clock = Arc::new(jiff::Timestamp::now);
    let journal: Arc<dyn Journal> = Arc::new(Embedded::open(Options::new(scratch.path().to_owned(), clock)).expect("a journal"));
    let ledger = Arc::new(Kept::default());
    ledger.is_shut.store(true, Ordering::SeqCst);
    let stores = Stores { journal: Some(Arc::clone(&journal)), ledger: Some(Arc::clone(&ledger) as _) };
    let stage = Stage::with(&country(&grants()), persons(), stores);
    let stops = CancellationToken::new();
    let _work = stage.bus.work(&stops);
    let id = submitted(&stage).await;
    // The registry has applied it once the ledger was tried, and tried again.
    ledger.tries.notified().await;
    ledger.tries.notified().await;
    let entry = journal.entry(id).await.expect("the journal").expect("an entry");
    assert_eq!((entry.state(), ledger.facts().len()), (State::Accepted, 0));
    ledger.is_shut.store(false, Ordering::SeqCst);
    let settled = tokio::time::timeout(Duration::from_secs(30), journal.settled(id)).await.expect("in time");
    assert_eq!(settled.map(|entry| entry.state()), Ok(State::Applied));
    let facts = ledger.facts();
    let [Fact::Conclusion(fact)] = facts.as_slice() else { panic!("one conclusion: {facts:?}") };
    assert_eq!((fact.update, fact.outcome, fact.attempts), (id, Outcome::Applied, 1));
    assert_eq!(fact.subjects, subjects(&["5ZJBKH7"]));
    assert_eq!((fact.caller.1.as_str(), fact.about.operation), ("asan", Operation::Update));
    assert_eq!(fact.code, None::<Code>);
}
