//! No entry holds personal data in clear, and none can be linked with another without the key.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rabita_ledger::entry::{ActFact, Answered, Entry, ExchangeFact, Fact, RequestSignature};
use rabita_ledger::log::proof::leaf_hash;
use rabita_model::{ExchangeId, FieldName};
use uuid::Uuid;

use crate::kept::{Kept, at, conclusion, exchange, exchange_id, person, read};

/// Texts that stand in no name, digest or number by chance.
fn personal() -> impl Strategy<Value = String> {
    "[0-9A-Z]{4} [0-9A-ZƏĞ]{6}"
}

fn facts() -> impl Strategy<Value = (ExchangeFact, Vec<String>)> {
    let who = (proptest::option::of(personal()), proptest::option::of(personal()), proptest::option::of(personal()));
    let subjects = proptest::collection::vec(personal(), 0..6);
    let agency = prop_oneof![Just(None), Just(Some("interior")), Just(Some("health"))];
    let rest = (any::<u128>(), 0_i64..4_000_000_000, any::<bool>(), any::<[u8; 32]>());
    (who, subjects, agency, rest, personal()).prop_map(|((user, case, consent), subjects, agency, rest, asked)| {
        let (number, second, is_streamed, answer) = rest;
        let mut secret: Vec<String> = subjects.clone();
        secret.extend([&user, &case, &consent].into_iter().flatten().cloned());
        secret.push(asked.clone());
        let mut fact = read(0, agency.unwrap_or("interior"), "0", "2026-11-24T12:00:00Z");
        fact.exchange = ExchangeId::new(Uuid::from_u128(number));
        fact.at = jiff::Timestamp::from_second(second).expect("a time");
        fact.about = fact.about.filter(|_| agency.is_some());
        fact.service = agency.is_none().then(|| "subject_accesses".to_owned());
        (fact.user, fact.case, fact.consent) = (user, case, consent);
        fact.subjects = subjects.iter().map(|subject| person(subject)).collect();
        fact.request = format!("GET /api/interior-registry/v1/persons/{asked}\n\n").into_bytes();
        // Who has a signature can try numbers in what it is of, until one fits.
        fact.signature = Some(RequestSignature { key: "portal-2026".into(), signature: asked.clone(), input: asked });
        fact.answer = if is_streamed { Answered::Streamed } else { Answered::Digest(answer) };
        (fact, secret)
    })
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_written_entry_and_no_file_beside_the_log_holds_a_number_a_user_or_a_case_in_clear(
        facts in proptest::collection::vec(facts(), 1..5),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let result: Result<(), TestCaseError> = runtime.block_on(async {
            let kept = Kept::new();
            let ledger = kept.open();
            let mut secrets = Vec::new();
            for (fact, own) in facts {
                let receipt = ledger.record(exchange(fact.clone())).await.expect("recorded");
                let entry = ledger.log().entry(receipt.index).expect("a log").expect("the entry");
                prop_assert_eq!(leaf_hash(&entry), receipt.leaf);
                // What is personal is in the entry all the same, sealed.
                let shown = ledger.entry(receipt.index).await.expect("the entry").accesses.remove(0);
                let opened = shown.opened.expect("a key");
                prop_assert_eq!((opened.user, opened.case, opened.consent), (fact.user, fact.case, fact.consent));
                prop_assert_eq!(opened.signature, fact.signature);
                let distinct: BTreeSet<_> = fact.subjects.iter().collect();
                prop_assert_eq!(shown.entry.subjects().len(), distinct.len());
                secrets.extend(own);
            }
            for subject in &secrets {
                ledger.accesses(&person(subject), &crate::kept::page(10)).await.expect("an answer");
            }
            ledger.close().await;
            let files = files(&kept.path(""));
            prop_assert!(files.len() > 4, "the log, the keys and the index are files");
            for (path, bytes) in files {
                for secret in &secrets {
                    prop_assert!(!holds(&bytes, secret), "{path} holds it");
                }
            }
            Ok(())
        });
        result?;
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written((fact, _) in facts()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let kept = Kept::new();
            let ledger = kept.open();
            let receipt = ledger.record(exchange(fact)).await.expect("recorded");
            let bytes = ledger.log().entry(receipt.index).expect("a log").expect("the entry");
            let entry = Entry::parse(&bytes).expect("an entry");
            assert_eq!(entry.to_bytes(), bytes);
            ledger.close().await;
        });
    }
}

fn files(directory: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    found
}

async fn subjects(ledger: &rabita_ledger::Ledger, fact: ExchangeFact) -> Vec<String> {
    let receipt = ledger.record(exchange(fact)).await.expect("recorded");
    let bytes = ledger.log().entry(receipt.index).expect("a log").expect("the entry");
    Entry::parse(&bytes).expect("an entry").subjects().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn nobody_without_the_key_can_tell_that_two_entries_are_about_one_person() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut seen = BTreeSet::new();
    for (number, owner, when) in [
        (1, "interior", "2026-11-24T12:00:00Z"),
        (2, "interior", "2026-11-24T12:00:00Z"),
        (3, "health", "2026-11-24T12:00:00Z"),
        (4, "interior", "2026-12-24T12:00:00Z"),
    ] {
        let own = subjects(&ledger, read(number, owner, "5ZJBKH7", when)).await;
        assert_eq!(own.len(), 1);
        assert!(seen.insert(own), "the same person has the same pseudonym in two exchanges");
    }
    // Within one exchange it is the same, so that what belongs together can be told.
    let again = subjects(&ledger, read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z")).await;
    assert!(!seen.insert(again));
    ledger.close().await;
}

#[tokio::test]
async fn what_does_not_fit_stands_in_entries_before_and_is_found_with_the_exchange() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut fact = read(1, "interior", "0", "2026-11-24T12:00:00Z");
    fact.subjects = (0..2_000).map(|number| person(&format!("P{number:05}"))).collect();
    let name = "n".repeat(180);
    fact.fields = (0..500).map(|number| FieldName::new(&format!("{name}{number}")).expect("a field")).collect();
    let fields = fact.fields.clone();
    let receipt = ledger.record(exchange(fact)).await.expect("recorded");
    assert!(receipt.index > 3);
    for number in [0, 700, 1_999] {
        let found = ledger.accesses(&person(&format!("P{number:05}")), &crate::kept::page(10)).await.expect("an answer");
        assert_eq!((crate::kept::indices(&found), found.total), (vec![receipt.index], 1), "person {number}");
        assert_eq!(found.accesses[0].fields, fields);
    }
    let bundle = ledger.evidence(exchange_id(1), None, None).await.expect("evidence");
    assert_eq!(bundle.entries.len() as u64, receipt.index + 1);
    ledger.close().await;
}

#[tokio::test]
async fn what_is_longer_than_an_entry_is_refused_and_the_ledger_goes_on() {
    let kept = Kept::new();
    let ledger = kept.open();
    let detail = serde_json::Value::String("x".repeat(70_000));
    let act = ActFact { at: at("2026-11-24T12:00:00Z"), operator: "aynur".into(), act: "updates retry".into(), detail };
    assert!(matches!(ledger.record(Fact::Act(act)).await, Err(rabita_ledger::LedgerError::TooLong(_))));
    ledger.record(conclusion(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z")).await.expect("recorded");
    assert_eq!(ledger.log().checkpoint().size, 1);
    ledger.close().await;
}
