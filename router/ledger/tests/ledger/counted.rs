//! Open statistics.

use jiff::civil::date;
use rabita_ledger::statistics::Count;
use rabita_model::Code;

use crate::kept::{Kept, at, exchange, read};

#[tokio::test]
async fn a_day_is_published_whole_when_it_has_been_over_for_an_hour() {
    let kept = Kept::new();
    let ledger = kept.open();
    let mut number = 0;
    let mut record = async |owner: &str, when: &str, count: u32| {
        for _ in 0..count {
            number += 1;
            ledger.record(exchange(read(number, owner, "5ZJBKH7", when))).await.expect("recorded");
        }
    };
    record("interior", "2026-11-23T08:30:00Z", 30).await;
    record("interior", "2026-11-23T09:30:00Z", 4).await;
    record("interior", "2026-11-23T10:30:00Z", 21).await;
    record("health", "2026-11-23T08:30:00Z", 3).await;
    record("culture", "2026-11-23T23:59:59Z", 25).await;
    record("interior", "2026-11-24T00:00:00Z", 50).await;
    let (from, to) = (date(2026, 11, 1), date(2026, 12, 1));
    let early = ledger.statistics(from, to, 10, at("2026-11-24T00:59:59Z")).await.expect("counts");
    assert_eq!(early.days, []);
    let counted = ledger.statistics(from, to, 10, at("2026-11-24T01:00:00Z")).await.expect("counts");
    assert_eq!(counted.days.len(), 1);
    let day = &counted.days[0];
    assert_eq!((day.date, day.count), (date(2026, 11, 23), Count::Exact(83)));
    let agencies: Vec<_> = day.agencies.iter().map(|agency| (agency.agency.as_str(), agency.count)).collect();
    let hidden = Count::LessThan(28);
    assert_eq!(agencies, [("culture", hidden), ("health", Count::LessThan(10)), ("interior", Count::Exact(55))]);
    let service = &day.agencies[2].services[0];
    assert_eq!((service.registry.as_str(), service.operation.as_str()), ("interior-registry", "read"));
    let caller = &service.callers[0];
    assert_eq!((caller.agency.as_str(), caller.count), ("asan", Count::Exact(55)));
    let purpose = &caller.purposes[0];
    assert_eq!((purpose.purpose.as_deref(), purpose.count), (Some("birth-registration"), Count::Exact(55)));
    let hours: Vec<_> = purpose.hours.iter().map(|hour| (hour.hour, hour.count)).collect();
    assert_eq!(hours, [(8, Count::Exact(30)), (9, Count::LessThan(10)), (10, Count::LessThan(25))]);
    ledger.close().await;
}

#[tokio::test]
async fn only_what_was_given_is_counted() {
    let kept = Kept::new();
    let ledger = kept.open();
    for number in 0..6 {
        let mut fact = read(number, "interior", "5ZJBKH7", "2026-11-23T08:30:00Z");
        if number % 3 == 0 {
            (fact.status, fact.code) = (404, Some(Code::RecordAbsent));
        }
        ledger.record(exchange(fact)).await.expect("recorded");
    }
    let counted = ledger.statistics(date(2026, 11, 23), date(2026, 11, 24), 1, at("2026-11-25T00:00:00Z")).await;
    assert_eq!(counted.expect("counts").days[0].count, Count::Exact(4));
    let none = ledger.statistics(date(2026, 11, 24), date(2026, 11, 23), 1, at("2026-11-25T00:00:00Z")).await;
    assert_eq!(none.expect("counts").days, []);
    ledger.close().await;
}
