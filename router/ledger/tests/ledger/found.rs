//! Who used the data of a person, and of an agency.

use rabita_ledger::LedgerError;
use rabita_ledger::accesses::Page;
use rabita_ledger::entry::{ConfigurationFact, Entry, Fact, FileDigest};
use rabita_ledger::log::proof::verify_inclusion;

use crate::kept::{Kept, agency, at, conclusion, exchange, exchange_id, indices, page, person, read};

#[tokio::test]
async fn a_person_sees_every_access_over_all_agencies_and_periods_newest_first_each_with_its_proof() {
    let kept = Kept::new();
    let ledger = kept.open();
    let facts = [
        exchange(read(1, "interior", "5ZJBKH7", "2026-09-01T12:00:00Z")),
        exchange(read(2, "interior", "1AAAAA1", "2026-10-01T12:00:00Z")),
        exchange(read(3, "health", "5ZJBKH7", "2026-11-01T12:00:00Z")),
        Fact::Events(Box::new(read(4, "interior", "5ZJBKH7", "2026-11-02T12:00:00Z"))),
        conclusion(5, "health", "5ZJBKH7", "2026-11-03T12:00:00Z"),
    ];
    for fact in facts {
        ledger.record(fact).await.expect("recorded");
    }
    let found = ledger.accesses(&person("5ZJBKH7"), &page(10)).await.expect("an answer");
    assert_eq!((indices(&found), found.total, found.next.as_deref(), found.behind), (vec![4, 3, 2, 0], 4, None, 0));
    for access in &found.accesses {
        let checkpoint = &found.checkpoint;
        assert!(verify_inclusion(&access.leaf, access.index, checkpoint.size, &checkpoint.root, &access.proof));
    }
    let opened = found.accesses[3].opened.clone().expect("a key");
    assert_eq!(opened.user.as_deref(), Some("official-17"));
    assert_eq!((opened.case.as_deref(), opened.consent.as_deref()), (Some("CASE-0815"), Some("CONSENT-4711")));
    assert_eq!(indices(&ledger.accesses(&person("NOBODY"), &page(10)).await.expect("an answer")), Vec::<u64>::new());
    ledger.close().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition_while_the_log_grows() {
    let kept = Kept::new();
    let ledger = kept.open();
    // Several of the same moment, and some that were recorded later than what happened after them.
    for number in 0..20_u32 {
        let when = format!("2026-11-24T12:00:{:02}Z", (number / 3 + number % 2 * 5) % 7);
        ledger.record(exchange(read(number.into(), "interior", "5ZJBKH7", &when))).await.expect("recorded");
    }
    let all = ledger.accesses(&person("5ZJBKH7"), &page(100)).await.expect("an answer");
    let order: Vec<_> = all.accesses.iter().map(|access| (access.entry.at(), access.index)).collect();
    assert!(order.is_sorted_by(|one, other| one > other) && order.len() == 20);
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let found = ledger.accesses(&person("5ZJBKH7"), &Page { cursor, ..page(3) }).await.expect("an answer");
        seen.extend(indices(&found));
        let newer = format!("2026-11-24T13:00:{:02}Z", seen.len());
        ledger.record(exchange(read(100 + seen.len() as u128, "interior", "5ZJBKH7", &newer))).await.expect("recorded");
        cursor = found.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, indices(&all));
    let range = Page { to: Some(at("2026-11-24T13:00:00Z")), offset: 18, ..page(5) };
    let offset = ledger.accesses(&person("5ZJBKH7"), &range).await.expect("an answer");
    assert_eq!((indices(&offset), offset.total), (indices(&all)[18..].to_vec(), 20));
    for bad in ["", "x", "1", "1.x", "1.2.3"] {
        let refused = ledger.accesses(&person("5ZJBKH7"), &Page { cursor: Some(bad.to_owned()), ..page(3) }).await;
        assert!(matches!(refused, Err(LedgerError::Cursor)), "{bad}");
    }
    ledger.close().await;
}

#[tokio::test]
async fn a_range_of_time_begins_with_its_first_moment_and_ends_before_its_last() {
    let kept = Kept::new();
    let ledger = kept.open();
    for (number, second) in (0..).zip(["00", "01", "02", "03"]) {
        let when = format!("2026-11-30T23:59:{second}Z");
        ledger.record(exchange(read(number, "interior", "5ZJBKH7", &when))).await.expect("recorded");
    }
    let range = Page { from: Some(at("2026-11-30T23:59:01Z")), to: Some(at("2026-11-30T23:59:03Z")), ..page(10) };
    let found = ledger.accesses(&person("5ZJBKH7"), &range).await.expect("an answer");
    assert_eq!((indices(&found), found.total), (vec![2, 1], 2));
    let found = ledger.of_agency(&agency("interior"), &range).await.expect("an answer");
    assert_eq!((indices(&found), found.total), (vec![2, 1], 2));
    ledger.close().await;
}

#[tokio::test]
async fn an_agency_sees_what_its_registries_were_used_for_and_no_other_agencys() {
    let kept = Kept::new();
    let ledger = kept.open();
    ledger.record(exchange(read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z"))).await.expect("recorded");
    ledger.record(exchange(read(2, "health", "5ZJBKH7", "2026-11-24T12:00:01Z"))).await.expect("recorded");
    ledger.record(conclusion(3, "interior", "1AAAAA1", "2026-11-24T12:00:02Z")).await.expect("recorded");
    let found = ledger.of_agency(&agency("interior"), &page(10)).await.expect("an answer");
    assert_eq!((indices(&found), found.total), (vec![2, 0], 2));
    ledger.close().await;
}

#[tokio::test]
async fn a_look_up_of_the_bus_itself_is_an_access_too() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut fact = read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z");
    (fact.about, fact.service) = (None, Some("subject_accesses".to_owned()));
    ledger.record(exchange(fact)).await.expect("recorded");
    let found = ledger.accesses(&person("5ZJBKH7"), &page(10)).await.expect("an answer");
    let Entry::Exchange(entry) = &found.accesses[0].entry else { panic!("an exchange") };
    assert_eq!((entry.service.as_deref(), entry.key.to_string().as_str()), (Some("subject_accesses"), "_bus/2026-11"));
    ledger.close().await;
}

#[tokio::test]
async fn the_entries_of_an_exchange_are_found_by_its_id() {
    let kept = Kept::new();
    let ledger = kept.open();
    ledger.record(exchange(read(1, "interior", "5ZJBKH7", "2026-11-24T12:00:00Z"))).await.expect("recorded");
    ledger.record(exchange(read(2, "interior", "5ZJBKH7", "2026-11-24T12:00:01Z"))).await.expect("recorded");
    ledger.record(conclusion(1, "interior", "5ZJBKH7", "2026-11-24T12:00:02Z")).await.expect("recorded");
    assert_eq!(indices(&ledger.of_exchange(exchange_id(1)).await.expect("entries")), [0, 2]);
    assert!(matches!(ledger.of_exchange(exchange_id(9)).await, Err(LedgerError::Absent)));
    assert!(matches!(ledger.entry(3).await, Err(LedgerError::Absent)));
    ledger.close().await;
}

#[tokio::test]
async fn a_configuration_with_many_files_is_written_as_several_entries() {
    let kept = Kept::new();
    let ledger = kept.open();
    let file = |number| FileDigest { file: format!("grants/agency-{number}/registry.yaml"), sha256: "ab".repeat(32) };
    let files: Vec<_> = (0..1_500).map(file).collect();
    let changed = files.iter().map(|file| file.file.clone()).collect();
    let fact = ConfigurationFact { at: at("2026-11-24T12:00:00Z"), files: files.clone(), changed };
    let receipt = ledger.record(Fact::Configuration(fact)).await.expect("recorded");
    let (mut read_files, mut read_changed) = (Vec::new(), 0);
    for index in 0..=receipt.index {
        let bytes = ledger.log().entry(index).expect("a log").expect("the entry");
        let Ok(Entry::Configuration(part)) = Entry::parse(&bytes) else { panic!("a configuration") };
        assert_eq!((u64::from(part.part), u64::from(part.parts)), (index + 1, receipt.index + 1));
        read_changed += part.changed.len();
        read_files.extend(part.files);
    }
    assert_eq!((read_files, read_changed), (files, 1_500));
    assert!(receipt.index > 1);
    ledger.close().await;
}

#[tokio::test]
async fn a_ledger_is_one_processs_at_a_time_and_is_given_back_when_it_is_closed() {
    let kept = Kept::new();
    let ledger = kept.open();
    assert!(matches!(rabita_ledger::Ledger::open(kept.options()), Err(LedgerError::Held)));
    ledger.close().await;
    kept.open().close().await;
}
