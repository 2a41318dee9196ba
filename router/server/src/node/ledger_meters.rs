//! The metrics of the ledger: whether it takes entries, how many it has, and how far its index is behind them.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use rabita_ledger::Ledger;

/// How often they are set. A scrape shows what was true at most so long ago.
const EVERY: Duration = Duration::from_secs(5);

/// Sets the metrics until dropped.
pub(super) async fn run(ledger: Arc<Ledger>) {
    let (writable, entries, behind) =
        (gauge!("rabita_ledger_writable"), gauge!("rabita_ledger_entries"), gauge!("rabita_ledger_index_behind"));
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        writable.set(f64::from(u8::from(ledger.health().is_ok())));
        entries.set(count(ledger.log().checkpoint().size));
        behind.set(count(ledger.behind()));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float; beyond 2^53 entries its last digits do not matter")]
const fn count(entries: u64) -> f64 {
    entries as f64
}
