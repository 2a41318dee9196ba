//! To destroy a key is to forget; the log stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::date;
use rabita_ledger::log::verify;
use rabita_ledger::period::KeyName;
use rabita_ledger::{Ledger, LedgerError, Options};
use rabita_model::Code;

use crate::kept::{Kept, agency, at, exchange, exchange_id, indices, page, person, read};

fn key(name: &str) -> KeyName {
    KeyName::try_from(name.to_owned()).expect("a name")
}

async fn recorded(kept: &Kept) -> Ledger {
    let ledger = kept.open();
    for (number, owner, when) in
        [(1, "interior", "2026-09-24T12:00:00Z"), (2, "health", "2026-09-24T12:00:00Z"), (3, "interior", "2026-11-24T12:00:00Z")]
    {
        ledger.record(exchange(read(number, owner, "5ZJBKH7", when))).await.expect("recorded");
    }
    ledger
}

async fn found(ledger: &Ledger) -> Vec<u64> {
    indices(&ledger.accesses(&person("5ZJBKH7"), &page(10)).await.expect("an answer"))
}

#[tokio::test]
async fn what_a_destroyed_key_opened_is_found_and_opened_no_more_and_the_log_still_verifies() {
    let kept = Kept::new();
    let mut ledger = recorded(&kept).await;
    assert_eq!(found(&ledger).await, [2, 1, 0]);
    let verifier = ledger.log().verifier().clone();
    assert!(ledger.destroy(key("interior/2026-09"), "a court").await.expect("destroyed"));
    for is_again in [false, true] {
        if is_again {
            ledger.close().await;
            // Also an index that is built anew from the log knows nothing of it.
            std::fs::remove_file(kept.path("index.sqlite")).expect("an index");
            ledger = kept.open();
        }
        assert_eq!(found(&ledger).await, [2, 1]);
        assert!(matches!(ledger.opening(exchange_id(1)).await, Err(LedgerError::Forgotten(_))));
        ledger.opening(exchange_id(3)).await.expect("another key of the same agency");
        let entry = ledger.of_exchange(exchange_id(1)).await.expect("the entry").accesses.remove(0);
        assert!(entry.opened.is_none() && entry.entry.subjects().len() == 1);
        assert_eq!(indices(&ledger.of_agency(&agency("interior"), &page(10)).await.expect("an answer")), [2, 0]);
    }
    ledger.close().await;
    verify::directory(&kept.path("log"), &verifier, None).expect("a log that verifies");
}

#[tokio::test]
async fn nothing_of_a_destroyed_key_is_left_in_the_index() {
    let kept = Kept::new();
    let ledger = recorded(&kept).await;
    found(&ledger).await;
    ledger.destroy(key("interior/2026-09"), "a court").await.expect("destroyed");
    ledger.close().await;
    let index = rusqlite::Connection::open(kept.path("index.sqlite")).expect("an index");
    let left: Vec<String> = index
        .prepare("SELECT name FROM subjects JOIN keys ON keys.id = subjects.key ORDER BY name")
        .and_then(|mut question| question.query_map([], |row| row.get(0))?.collect())
        .expect("an answer");
    assert_eq!(left, ["health/2026-09", "interior/2026-11"]);
}

#[tokio::test]
async fn in_a_period_whose_key_is_destroyed_exchanges_are_recorded_and_nobody_can_tell_about_whom() {
    let kept = Kept::new();
    let ledger = kept.open();
    ledger.destroy(key("interior/2026-11"), "a court").await.expect("destroyed");
    let receipt = ledger.record(exchange(read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z"))).await.expect("recorded");
    assert_eq!(found(&ledger).await, Vec::<u64>::new());
    let entry = ledger.entry(receipt.index).await.expect("the entry").accesses.remove(0);
    assert!(entry.opened.is_none());
    assert!(!kept.path("keys/interior/2026-11.key").exists());
    ledger.close().await;
}

#[tokio::test]
async fn keys_are_destroyed_when_their_agency_no_longer_keeps_them() {
    let kept = Kept::new();
    recorded(&kept).await.close().await;
    let keep_months = BTreeMap::from([(agency("interior"), 1)]);
    let ledger = Ledger::open(Options { keep_months, ..kept.options() }).expect("a ledger");
    until(&ledger, &["interior/2026-09"]).await;
    assert_eq!(found(&ledger).await, [2, 1]);
    // Another rule counts once it has stood; here, at once.
    ledger.retain(BTreeMap::from([(agency("health"), 1)]));
    until(&ledger, &["health/2026-09", "interior/2026-09"]).await;
    assert_eq!(found(&ledger).await, [2]);
    ledger.close().await;
}

#[tokio::test]
async fn another_rule_destroys_nothing_before_it_has_stood() {
    let kept = Kept::new();
    recorded(&kept).await.close().await;
    let ledger =
        Ledger::open(Options { rule_stands: std::time::Duration::from_secs(3_600), ..kept.options() }).expect("a ledger");
    ledger.retain(BTreeMap::from([(agency("interior"), 0), (agency("health"), 0)]));
    let before = found(&ledger).await;
    // Whoever closes waits for what is under way: had the rule been applied, the keys would be gone.
    ledger.close().await;
    let ledger = Ledger::open(kept.options()).expect("a ledger");
    assert_eq!(found(&ledger).await, before);
    ledger.close().await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_destroys_no_key() {
    let kept = Kept::new();
    recorded(&kept).await.close().await;
    let asked = std::sync::atomic::AtomicBool::new(false);
    let clock = move || match asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
        false => at("2026-10-02T12:00:00Z"),
        true => at("2126-11-24T12:00:00Z"),
    };
    let keep_months = BTreeMap::from([(agency("interior"), 1), (agency("health"), 0)]);
    let ledger = Ledger::open(Options { keep_months, clock: Arc::new(clock), ..kept.options() }).expect("a ledger");
    // Health keeps nothing, so that its key shows when the rule was applied.
    until(&ledger, &["health/2026-09"]).await;
    assert_eq!(found(&ledger).await, [2, 0]);
    ledger.close().await;
}

#[tokio::test]
async fn keys_are_destroyed_by_order_up_to_a_date_or_only_named() {
    let kept = Kept::new();
    let ledger = recorded(&kept).await;
    let interior = agency("interior");
    let forget = |is_dry| ledger.forget(&interior, date(2026, 11, 30), "the law", is_dry);
    assert_eq!(forget(true).await.expect("named"), [key("interior/2026-09")]);
    assert_eq!(found(&ledger).await, [2, 1, 0]);
    assert_eq!(forget(false).await.expect("destroyed"), [key("interior/2026-09")]);
    assert_eq!(forget(false).await.expect("nothing is left"), []);
    assert_eq!(found(&ledger).await, [2, 1]);
    let states = ledger.keys();
    let tombstone = states.iter().find(|state| state.key == key("interior/2026-09")).and_then(|state| state.destroyed.clone());
    assert_eq!(tombstone.map(|tombstone| tombstone.why).as_deref(), Some("the law"));
    ledger.close().await;
}

#[tokio::test]
async fn a_refusal_is_an_access_with_its_outcome() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut fact = read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z");
    (fact.status, fact.code) = (403, Some(Code::NotPermitted));
    ledger.record(exchange(fact)).await.expect("recorded");
    let found = ledger.accesses(&person("5ZJBKH7"), &page(10)).await.expect("an answer");
    let text = String::from_utf8_lossy(&found.accesses[0].bytes).into_owned();
    assert!(text.contains(r#""outcome":"refused","code":"not_permitted""#), "{text}");
    ledger.close().await;
}

/// Waits until just these keys are destroyed.
async fn until(ledger: &Ledger, names: &[&str]) {
    let destroyed = || -> Vec<String> {
        let states = ledger.keys().into_iter().filter(|state| state.destroyed.is_some());
        states.map(|state| state.key.to_string()).collect()
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while destroyed() != names {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "destroyed: {:?}", destroyed());
}
