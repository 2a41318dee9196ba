//! Counts for everybody: how often registries were used, by day.
//!
//! What is told, and what is hidden because it could lead to a person, the ledger decides: see [`rabita_ledger::statistics`].

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use rabita_contract::Days;
use rabita_contract::transparency::Statistics;
use rabita_ledger::{Ledger, statistics};
use rabita_model::{Code, Fault, Refusal};

use super::refused;

/// The days that are told of where the caller does not say.
const DAYS: i32 = 7;
/// As many days as the contract tells of at once.
const DAYS_MAX: i32 = 31;

/// The counts of the days that are asked for, as far as they are published.
pub(super) async fn of(
    ledger: &Arc<Ledger>,
    days: Days,
    smallest: u64,
    now: Timestamp,
) -> Result<Statistics<statistics::Statistics>, Refusal> {
    let (from, to) = range(days, jiff::tz::TimeZone::UTC.to_datetime(now).date())?;
    let counts = ledger.statistics(from, to, smallest, now).await.map_err(refused)?;
    Ok(Statistics { counts, logs: vec![ledger.log().checkpoint().origin.clone()] })
}

/// The first day, and the first day that is not told of any more.
fn range(Days { from, to }: Days, today: Date) -> Result<(Date, Date), Refusal> {
    let last = to.unwrap_or(today);
    let first = from.unwrap_or_else(|| last.saturating_sub(Span::new().days(DAYS - 1)));
    if (last - first).get_days() >= DAYS_MAX {
        let message = format!("statistics are told of {DAYS_MAX} days at once");
        return Err(Refusal::with_faults(Code::InvalidRequest, vec![Fault::parameter("from", "too_long", message)]));
    }
    Ok((first, last.saturating_add(Span::new().days(1))))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_week_is_told_of_unless_more_is_asked_for_and_never_more_than_a_month() {
        let today = date(2026, 11, 24);
        let of = |from, to| range(Days { from, to }, today);
        assert_eq!(of(None, None).expect("days"), (date(2026, 11, 18), date(2026, 11, 25)));
        let month = of(Some(date(2026, 10, 1)), Some(date(2026, 10, 31))).expect("days");
        assert_eq!(month, (date(2026, 10, 1), date(2026, 11, 1)));
        assert_eq!(of(Some(date(2026, 10, 1)), None).expect_err("a refusal").faults[0].code, "too_long");
    }
}
