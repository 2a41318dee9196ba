//! The form of Estonia's Data Tracker.
//!
//! A use has no outcome there, so one that was not answered as asked says so in what explains it.

use jiff::Timestamp;
use rabita_contract::transparency::{Heartbeat, OutcomeTold, Usage, UsagePeriod, Usages};
use rabita_ledger::entry::{self, About, Entry};
use rabita_ledger::{Ledger, accesses};
use rabita_model::{Purpose, Refusal};

use super::names::Names;
use super::{refused, view};

/// What was found. Times are in whole seconds.
pub(super) fn usages(found: &accesses::Accesses, names: &Names) -> Usages {
    let usages = found.accesses.iter().filter_map(|access| usage(&access.entry, names)).collect();
    Usages { total_usages: i32::try_from(found.total).unwrap_or(i32::MAX), usages }
}

/// Since the oldest entry of the log; where there is none, since now.
pub(super) fn period(ledger: &Ledger, now: Timestamp) -> Result<UsagePeriod, Refusal> {
    let oldest = ledger.log().entry(0).map_err(|error| refused(error.into()))?;
    let since = oldest.and_then(|bytes| Entry::parse(&bytes).ok()).map_or(now, |entry| entry.at());
    Ok(UsagePeriod { period_start: since })
}

/// Whether uses can be told.
pub(super) fn heartbeat(ledger: Option<&Ledger>) -> Heartbeat {
    match ledger.map(Ledger::health) {
        Some(Ok(())) => Heartbeat { status: "OK", message: "uses can be told" },
        Some(Err(_)) => Heartbeat { status: "FAIL", message: "the ledger cannot be written" },
        None => Heartbeat { status: "FAIL", message: "the node keeps no ledger" },
    }
}

fn usage(entry: &Entry, names: &Names) -> Option<Usage> {
    let (caller, purpose, about, service, outcome) = match entry {
        Entry::Exchange(own) | Entry::Events(own) => {
            let outcome = match own.outcome {
                entry::Outcome::Allowed => OutcomeTold::Allowed,
                entry::Outcome::Refused => OutcomeTold::Refused,
                entry::Outcome::Failed => OutcomeTold::Failed,
            };
            (own.caller.as_ref()?, own.purpose.as_ref(), own.about.as_ref(), own.service.as_deref(), outcome)
        }
        Entry::Conclusion(own) => {
            let outcome = view::concluded(own.outcome, own.code);
            (&own.caller, own.purpose.as_ref(), Some(&own.about), None, outcome)
        }
        Entry::More(_) | Entry::Configuration(_) | Entry::Act(_) => return None,
    };
    Some(Usage {
        logtime: entry.at(),
        action: action(purpose, about, service, outcome, names),
        receiver_code: caller.agency.to_string(),
        receiver_name: names.agency(&caller.agency),
        receiver_system: names.system(&caller.system).unwrap_or_else(|| caller.system.to_string()),
    })
}

/// Why, for people: the title of the purpose, what was done, and what came of it.
fn action(
    purpose: Option<&Purpose>,
    about: Option<&About>,
    service: Option<&str>,
    outcome: OutcomeTold,
    names: &Names,
) -> String {
    let what = match about {
        Some(About { target, operation, .. }) => {
            let registry = names.registry(&target.registry).unwrap_or_else(|| target.registry.to_string());
            format!("{registry}, {}: {operation}", target.entity)
        }
        None => service.unwrap_or_default().replace('_', " "),
    };
    let why = purpose.map(|purpose| names.purpose(purpose, None)).map(|told| told.title.unwrap_or_else(|| told.id.to_string()));
    let what = why.map_or_else(|| what.clone(), |why| format!("{why} ({what})"));
    match outcome {
        OutcomeTold::Allowed => what,
        OutcomeTold::Refused => format!("{what}; refused"),
        OutcomeTold::Failed => format!("{what}; failed"),
    }
}
