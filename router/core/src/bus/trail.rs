//! The trail of an exchange: what its log line, its trace, its headers and its entry in the ledger tell of it.

use std::sync::Arc;
use std::time::Duration;

use rabita_ledger::entry::ToldBy;
use rabita_model::{
    ActionName, AgencyId, Ask, BasisId, FieldName, Operation, Purpose, Subject, SystemId, Target, UpdateId, Want,
};

use crate::access::Access;
use crate::limit::LimitState;
use crate::release::subjects_asked;

/// What is told of an exchange.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The caller, once known.
    pub system: Option<SystemId>,
    /// The agency that answers for the caller.
    pub agency: Option<AgencyId>,
    pub target: Target,
    /// Whether the target is of this configuration: names that callers make up without end must not become labels.
    pub is_known: bool,
    /// The agency that owns the registry, where the target is of this configuration.
    pub owner: Option<AgencyId>,
    pub operation: Operation,
    pub action: Option<ActionName>,
    /// As the caller names it, where it is one of this configuration.
    pub purpose: Option<Purpose>,
    /// The legal basis of the purpose, where the configuration has one.
    pub basis: Option<BasisId>,
    /// On whose behalf. Personal data, as are the three below: for the ledger alone.
    pub user: Option<String>,
    /// Who says so.
    pub user_by: Option<ToldBy>,
    pub case: Option<String>,
    pub consent: Option<String>,
    /// Whom the records are about that were asked for or given. Filled where there is a ledger.
    pub subjects: Vec<Subject>,
    /// The fields that the answer gives of at least one record.
    pub fields: Arc<[FieldName]>,
    /// How many records the answer gives.
    pub records: u32,
    /// The update that a change made or repeats.
    pub update: Option<UpdateId>,
    /// The change was accepted under the same idempotency key before.
    pub is_replayed: bool,
    /// How the system's limit stands.
    pub limit: Option<LimitState>,
    pub timing: Timing,
    /// Whether the node has a ledger, so that subjects have to be known.
    pub(super) is_recorded: bool,
}

/// What took how long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// In the registry, and on the way to it.
    pub registry: Duration,
}

impl Trail {
    /// What is told of a request before anybody looked at it.
    pub(super) fn of(ask: &Ask, is_recorded: bool) -> Self {
        let action = match &ask.want {
            Want::Change(submission) => submission.change.action().cloned(),
            _ => None,
        };
        Self {
            system: None,
            agency: None,
            target: ask.target.clone(),
            is_known: false,
            owner: None,
            operation: ask.want.operation(),
            action,
            purpose: ask.purpose.clone(),
            basis: None,
            user: None,
            user_by: None,
            case: ask.case.clone(),
            consent: ask.consent.clone(),
            subjects: Vec::new(),
            fields: Arc::default(),
            records: 0,
            update: None,
            is_replayed: false,
            limit: None,
            timing: Timing::default(),
            is_recorded,
        }
    }

    /// Adds what the configuration knows of what is asked.
    pub(super) fn about(&mut self, access: &Access, ask: &Ask) {
        // A purpose that nobody knows may be anything, a personal number among it.
        self.purpose = self.purpose.take().filter(|purpose| access.purposes.contains_key(purpose));
        self.basis = self.purpose.as_ref().and_then(|purpose| access.basis(purpose)).cloned();
        if let Some(shape) = access.shapes.get(&ask.target) {
            self.is_known = true;
            self.owner = Some(shape.owner.clone());
            if self.is_recorded {
                self.subjects = subjects_asked(shape, ask);
            }
        }
    }

    /// Adds a subject, unless it is there already.
    pub(super) fn add(&mut self, subject: Subject) {
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
    }
}
