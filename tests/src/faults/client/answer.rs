//! What an answer of the bus amounts to for its caller.

use serde_json::Value;

use crate::bus::{Answer, Caller};
use crate::faults::log::{Log, Look, Outcome, What};

/// What came of sending an update once.
#[derive(Debug)]
pub(super) enum Judged {
    /// The bus has it. The outcome, where the answer tells it.
    Acknowledged { id: String, outcome: Option<Outcome> },
    /// The bus does not want it, now or ever.
    Declined { status: u16, code: String },
    /// Nobody knows; to be sent again. The code, where the bus gave one.
    Again { code: Option<String> },
}

/// What a node tells of an update.
#[derive(Debug)]
pub(in crate::faults) struct Seen {
    pub(in crate::faults) outcome: Option<Outcome>,
    pub(in crate::faults) absent: bool,
}

impl Seen {
    /// The line for the log.
    pub(in crate::faults) fn line(self, update: String, id: String, node: usize, look: Look) -> What {
        What::Observed { update, id, outcome: self.outcome, absent: self.absent, node, look }
    }
}

/// Judges what came of a request.
pub(super) fn judge(answer: Result<Answer, reqwest::Error>) -> Judged {
    let Ok(answer) = answer else { return Judged::Again { code: None } };
    let code = answer.code();
    let id = answer.header("rabita-update").to_owned();
    let outcome = told(&answer, &code);
    match answer.status {
        200..300 if !id.is_empty() => Judged::Acknowledged { id, outcome },
        _ if !id.is_empty() && outcome.is_some() => Judged::Acknowledged { id, outcome },
        // Asked for again at the same moment, or too often, or while something is down.
        409 | 429 | 500.. => Judged::Again { code: Some(code) },
        status => Judged::Declined { status, code },
    }
}

/// The line that says that an answer came.
pub(super) fn answered(answer: &Answer) -> What {
    let receipt = Some(answer.header("rabita-receipt").to_owned()).filter(|receipt| !receipt.is_empty());
    What::Answered { exchange: answer.header("rabita-exchange").to_owned(), status: answer.status, receipt }
}

/// Asks a node about an update; `None` where it does not answer.
pub(in crate::faults) async fn look(node: &Caller, id: &str, log: &Log) -> Option<Seen> {
    let answer = node.try_get(&format!("/bus/updates/{id}")).await.ok()?;
    log.write(answered(&answer));
    match answer.status {
        200 => Some(Seen { outcome: ended(&answer), absent: false }),
        404 => Some(Seen { outcome: None, absent: true }),
        _ => None,
    }
}

/// The outcome that an answer to an update tells, if any. Not every problem is one.
fn told(answer: &Answer, code: &str) -> Option<Outcome> {
    let state = match code {
        "" => return ended(answer),
        "record_exists" | "precondition_failed" => "conflicted",
        "record_absent" | "registry_refused" | "registry_broke_contract" | "update_discarded" => "refused",
        "update_expired" => "expired",
        _ => return None,
    };
    Some(Outcome { state: state.to_owned(), code: Some(code.to_owned()) })
}

/// The outcome in the bus's account of an update.
fn ended(answer: &Answer) -> Option<Outcome> {
    let update: Value = serde_json::from_slice(&answer.body).ok()?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let state = word(&update["state"]).filter(|state| !["accepted", "retrying", "parked"].contains(&state.as_str()))?;
    Some(Outcome { state, code: word(&update["outcome"]["code"]) })
}
