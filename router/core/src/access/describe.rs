//! What a grant says, for people: the terms that explanations and lists of holders show.

use rabita_config::grant::Hours;
use rabita_model::{ActionName, GroupId, Operation, Purpose};
use serde::Serialize;

use super::Granted;

/// The terms of one grant, without its fields.
#[derive(Debug, Clone, Serialize)]
pub struct Terms {
    /// The group through which the system has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    pub operations: Vec<Operation>,
    /// The actions that `act` covers; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<ActionName>>,
    /// The purposes of which one has to be named; `None` for any, and none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purposes: Option<Vec<Purpose>>,
    /// The last day on which it holds, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
    /// When it holds; empty for always.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
    /// Which records, as an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// What else it demands: `signature`, `binding`, `consent`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<&'static str>,
    /// Its own limit, within the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
}

impl Terms {
    pub(super) fn of(granted: &Granted) -> Self {
        let written = &granted.written;
        let demands =
            [("signature", granted.needs_signature), ("binding", granted.needs_binding), ("consent", granted.needs_consent)];
        Self {
            group: written.group.clone(),
            operations: written.operations.clone(),
            actions: written.actions.clone(),
            purposes: granted.purposes.clone(),
            until: written.until,
            hours: written.hours.clone(),
            rows: written.rows.clone(),
            demands: demands.into_iter().filter_map(|(name, is_asked)| is_asked.then_some(name)).collect(),
            requests_per_second: written.requests_per_second,
        }
    }
}
