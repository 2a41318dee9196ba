//! The index can be lost, damaged or behind: what it answers is the same.

use std::path::Path;

use proptest::prelude::*;
use rabita_ledger::Ledger;

use crate::kept::{Kept, agency, conclusion, exchange, exchange_id, indices, page, person, read};

const PERSONS: [&str; 3] = ["5ZJBKH7", "1AAAAA1", "2BBBBB2"];

async fn record(ledger: &Ledger, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let subject = PERSONS[number as usize % 3];
        let owner = if number % 2 == 0 { "interior" } else { "health" };
        let when = format!("2026-11-{:02}T12:00:00Z", 1 + number % 28);
        ledger.record(exchange(read(number.into(), owner, subject, &when))).await.expect("recorded");
        if number % 5 == 0 {
            ledger.record(conclusion(number.into(), owner, subject, &when)).await.expect("recorded");
        }
    }
}

/// Everything that the index can be asked.
async fn answers(ledger: &Ledger) -> Vec<String> {
    let mut answers = Vec::new();
    for number in PERSONS {
        let found = ledger.accesses(&person(number), &page(1_000)).await.expect("an answer");
        answers.push(format!("{:?} {} {}", indices(&found), found.total, found.behind));
    }
    for owner in ["interior", "health"] {
        let found = ledger.of_agency(&agency(owner), &page(1_000)).await.expect("an answer");
        answers.push(format!("{:?} {}", indices(&found), found.total));
    }
    for number in 0..40 {
        answers.push(format!("{:?}", ledger.of_exchange(exchange_id(number)).await.map(|found| indices(&found)).ok()));
    }
    let (from, to) = (jiff::civil::date(2026, 11, 1), jiff::civil::date(2026, 12, 1));
    let counted = ledger.statistics(from, to, 1, crate::kept::at("2027-01-01T00:00:00Z")).await.expect("counts");
    answers.push(serde_json::to_string(&counted).expect("JSON"));
    answers
}

/// The answers of a ledger after its index was changed between two starts.
async fn answers_after(change: impl FnOnce(&Path)) -> (Vec<String>, Vec<String>) {
    let kept = Kept::new();
    let ledger = kept.open();
    record(&ledger, 0..40).await;
    let before = answers(&ledger).await;
    ledger.close().await;
    change(&kept.path("index.sqlite"));
    let ledger = kept.open();
    let after = answers(&ledger).await;
    ledger.close().await;
    (before, after)
}

#[tokio::test]
async fn an_index_that_is_gone_is_built_anew() {
    let (before, after) = answers_after(|path| std::fs::remove_file(path).expect("an index")).await;
    assert_eq!(before, after);
    assert!(before.iter().any(|answer| answer.contains("39")));
}

#[tokio::test]
async fn an_index_that_is_no_database_is_built_anew() {
    let (before, after) = answers_after(|path| std::fs::write(path, "nonsense".repeat(1_000)).expect("an index")).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_index_of_another_form_or_of_another_log_is_built_anew() {
    for change in ["PRAGMA user_version = 99", "UPDATE indexed SET origin = 'another'", "UPDATE indexed SET size = 1000000"] {
        let (before, after) = answers_after(|path| {
            rusqlite::Connection::open(path).and_then(|index| index.execute_batch(change)).expect("an index");
        })
        .await;
        assert_eq!(before, after, "{change}");
    }
}

#[tokio::test]
async fn an_index_that_is_behind_catches_up() {
    let kept = Kept::new();
    let ledger = kept.open();
    record(&ledger, 0..10).await;
    answers(&ledger).await;
    ledger.close().await;
    let old = std::fs::read(kept.path("index.sqlite")).expect("an index");
    let ledger = kept.open();
    record(&ledger, 10..40).await;
    let before = answers(&ledger).await;
    ledger.close().await;
    std::fs::write(kept.path("index.sqlite"), old).expect("an index");
    let ledger = kept.open();
    assert_eq!(answers(&ledger).await, before);
    assert_eq!(ledger.behind(), 0);
    ledger.close().await;
}

#[tokio::test]
async fn an_index_that_finds_what_was_not_asked_for_is_not_believed_and_built_anew() {
    let kept = Kept::new();
    let ledger = kept.open();
    record(&ledger, 0..40).await;
    let before = answers(&ledger).await;
    // Every row leads to another entry than it should, or to none.
    for change in [
        "UPDATE OR REPLACE subjects SET idx = idx + 1",
        "UPDATE OR REPLACE exchanges SET idx = 47 - idx",
        "UPDATE uses SET idx = idx + 2000",
    ] {
        let index = rusqlite::Connection::open(kept.path("index.sqlite")).expect("an index");
        index.execute_batch(change).expect("an index");
        let refused = [
            ledger.accesses(&person("5ZJBKH7"), &page(1_000)).await.is_err(),
            ledger.of_exchange(exchange_id(7)).await.is_err(),
            ledger.of_agency(&agency("interior"), &page(1_000)).await.is_err(),
        ];
        assert!(refused.contains(&true), "{change}: a wrong answer was given");
        assert_eq!(answers(&ledger).await, before, "{change}");
    }
    ledger.close().await;
}

#[tokio::test]
async fn an_index_that_is_taken_away_under_a_running_ledger_is_built_anew() {
    let kept = Kept::new();
    let ledger = kept.open();
    record(&ledger, 0..40).await;
    let before = answers(&ledger).await;
    std::fs::remove_file(kept.path("index.sqlite")).expect("an index");
    assert_eq!(answers(&ledger).await, before);
    ledger.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_index_with_garbled_pages_is_built_anew_or_answers_the_same(pages in proptest::collection::vec((0_usize..12, 1_u8..255), 1..4)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (before, after) = runtime.block_on(answers_after(|path| {
            let mut bytes = std::fs::read(path).expect("an index");
            let count = bytes.len() / 4_096;
            for (page, mask) in pages {
                let page = page % count;
                bytes[page * 4_096..(page + 1) * 4_096].iter_mut().for_each(|byte| *byte ^= mask);
            }
            std::fs::write(path, bytes).expect("an index");
        }));
        prop_assert_eq!(before, after);
    }
}
