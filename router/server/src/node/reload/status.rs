//! What operators see of the configuration: since when it is in force, and whether a newer one was refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use metrics::{counter, gauge};
use rabita_config::Located;
use serde_json::{Value, json};

/// The configuration of a running node, as operators see it.
pub(in crate::node) struct Status(Mutex<State>);

struct State {
    since: Timestamp,
    /// Settings that wait for the next start.
    waits: Vec<String>,
    refused: Option<Refusal>,
}

struct Refusal {
    at: Timestamp,
    findings: Vec<String>,
}

/// So many findings are shown; `rabita check` shows all.
const SHOWN: usize = 20;

impl Status {
    pub(super) fn new(since: Timestamp) -> Self {
        let status = Self(Mutex::new(State { since, waits: Vec::new(), refused: None }));
        tell(&status.state());
        status
    }

    /// The directory holds what is in force.
    pub(super) fn is_in_force(&self) {
        let mut state = self.state();
        state.refused = None;
        tell(&state);
    }

    /// Another configuration is in force.
    pub(super) fn accepted(&self, at: Timestamp, waits: Vec<String>) {
        counter!("rabita_configuration_changes_total", "result" => "accepted").increment(1);
        let mut state = self.state();
        *state = State { since: at, waits, refused: None };
        tell(&state);
    }

    /// Another configuration was refused. Tells whether it was refused for something new.
    pub(super) fn refused(&self, at: Timestamp, findings: &[String]) -> bool {
        let mut state = self.state();
        if state.refused.as_ref().is_some_and(|before| before.findings == findings) {
            return false;
        }
        counter!("rabita_configuration_changes_total", "result" => "refused").increment(1);
        state.refused = Some(Refusal { at, findings: findings.to_vec() });
        tell(&state);
        true
    }

    pub(super) fn is_refused(&self) -> bool {
        self.state().refused.is_some()
    }

    /// For `/readyz`.
    pub(in crate::node) fn to_json(&self) -> Value {
        let state = self.state();
        let refused = state.refused.as_ref().map(|refused| {
            let findings = &refused.findings[..refused.findings.len().min(SHOWN)];
            json!({ "at": refused.at.to_string(), "findings": findings, "count": refused.findings.len() })
        });
        json!({
            "in_force_since": state.since.to_string(),
            "is_newest": refused.is_none(),
            "refused": refused,
            "waits_for_restart": state.waits,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(state: &State) {
    gauge!("rabita_configuration_refused").set(u32::from(state.refused.is_some()));
}

/// A finding in one line, without the line of the file that it is in.
pub(super) fn line(finding: &Located) -> String {
    let shown = Located { source: None, ..finding.clone() };
    shown.to_string()
}
