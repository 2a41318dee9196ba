//! Release: what of a fetched record one caller may see, record by record.
//!
//! What was fetched is shared between callers, so nothing here changes it: whoever may see less gets a record of its own,
//! with the fields of the grants that admit the record, as far as they were asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::civil::Date;
use metrics::counter;
use rabita_model::ask::Key;
use rabita_model::{Ask, Change, Code, Comparison, Refusal, Subject, Want};
use rabita_sdk::mapping::Selection;
use serde_json::{Map, Value};

use crate::access::{Granted, Shape, Weighed, argued};
use crate::caller::Caller;
use crate::stage::set;

/// Decides which records a caller may see, and what of each.
pub(crate) struct Guard {
    grants: Vec<Arc<Granted>>,
    /// The fields that the request searches by or writes: a grant that does not cover them does not let a record be found
    /// by them.
    argued: Selection,
    caller: Arc<Caller>,
    today: Date,
    /// Whose consent was named and holds.
    consent: Option<Subject>,
    /// Whether the log has it that a condition cannot be told: once for all records of an exchange.
    is_logged: AtomicBool,
}

impl Guard {
    pub fn new(weighed: &Weighed<'_>, shape: &Shape, ask: &Ask, caller: &Arc<Caller>, today: Date) -> Self {
        Self {
            grants: weighed.holding.iter().map(|grant| Arc::clone(grant)).collect(),
            argued: argued(shape, ask),
            caller: Arc::clone(caller),
            today,
            consent: None,
            is_logged: AtomicBool::new(false),
        }
    }

    /// The fields that it needs to decide.
    pub fn looks_at(&self, shape: &Shape) -> Selection {
        let rows = self.grants.iter().filter_map(|grant| grant.rows.as_ref());
        let looks_at = rows.fold(shape.none.clone(), |all, rows| all.or(&rows.looks_at));
        match &shape.subject {
            Some(subject) if self.needs_consent() => looks_at.or(&subject.selection),
            _ => looks_at,
        }
    }

    /// Whether any of its grants asks for a consent.
    pub fn needs_consent(&self) -> bool {
        self.grants.iter().any(|grant| grant.needs_consent)
    }

    /// Whether all of its grants do.
    pub fn rests_on_consent(&self) -> bool {
        self.grants.iter().all(|grant| grant.needs_consent)
    }

    /// Takes it down that this person has consented.
    pub fn consented(&mut self, subject: Subject) {
        self.consent = Some(subject);
    }

    /// The fields of a record that the grants which admit it cover; `None` where, to the caller, there is no such record.
    pub fn admits(&self, shape: &Shape, record: &Value) -> Option<Selection> {
        self.admits_all(shape, &[record])
    }

    /// The fields of the grants that admit every one of some records: as a record is, and as a change makes it.
    pub fn admits_all(&self, shape: &Shape, records: &[&Value]) -> Option<Selection> {
        let mut union: Option<Selection> = None;
        for grant in &self.grants {
            if records.iter().all(|record| self.is_admitted(grant, shape, record)) {
                union = Some(union.map_or_else(|| grant.selection.clone(), |union| union.or(&grant.selection)));
            }
        }
        union.filter(|union| self.argued.without(union).is_empty())
    }

    fn is_admitted(&self, grant: &Granted, shape: &Shape, record: &Value) -> bool {
        if grant.needs_consent {
            let subject = subject_in(shape, record);
            if subject.is_none() || subject != self.consent {
                return false;
            }
        }
        let Some(rows) = &grant.rows else { return true };
        rows.condition.admits(record, &self.caller.attributes, self.today).unwrap_or_else(|why| {
            // The record is not admitted; whoever wrote the condition has to know.
            let target = &shape.target;
            let labels = [("registry", target.registry.to_string()), ("entity", target.entity.to_string())];
            counter!("rabita_row_condition_errors_total", &labels).increment(1);
            if !self.is_logged.swap(true, Ordering::Relaxed) {
                tracing::warn!(target_entity = %target, system = %self.caller.id, why, "a row condition cannot be told");
            }
            false
        })
    }

    /// What a caller is told where a record is not there, or not for it: the two must look alike. Where only a consent
    /// would let it see the record, and nobody knows without the record whose it is, there is none to show that covers it.
    pub fn absent(&self, asked: &[Subject]) -> Refusal {
        let is_own = self.consent.as_ref().is_some_and(|subject| asked.contains(subject));
        if self.rests_on_consent() && !is_own {
            return Refusal::new(Code::ConsentInvalid).detail("the consent is of another person, or there is no such record");
        }
        Refusal::new(Code::RecordAbsent)
    }
}

/// A record with some of its fields.
pub(crate) fn cut(shape: &Shape, record: &Value, selection: &Selection) -> Value {
    let mut shown = Map::new();
    let Some(members) = record.as_object() else { return Value::Object(shown) };
    for name in shape.mapping.selected(selection) {
        if let Some(value) = name.value_in(members) {
            set(&mut shown, name, value.clone());
        }
    }
    Value::Object(shown)
}

/// Whom a record is about.
pub(crate) fn subject_in(shape: &Shape, record: &Value) -> Option<Subject> {
    subject_of(shape.subject.as_ref()?.name.value_in(record.as_object()?)?)
}

/// Whom a request asks about, as far as it says so itself.
pub(crate) fn subjects_asked(shape: &Shape, ask: &Ask) -> Vec<Subject> {
    let Some(field) = &shape.subject else { return Vec::new() };
    let in_key = |Key(values): &Key| field.in_key.and_then(|at| subject_of(values.get(at)?));
    match &ask.want {
        Want::Read { key } | Want::Binary { key, .. } => in_key(key).into_iter().collect(),
        Want::ReadMany { keys } => {
            let mut subjects: Vec<Subject> = keys.iter().filter_map(in_key).collect();
            subjects.sort_unstable();
            subjects.dedup();
            subjects
        }
        Want::Search { filters, .. } => {
            let own = filters.iter().find(|filter| filter.field == field.name && filter.comparison == Comparison::Equals);
            own.and_then(|filter| subject_of(&filter.value)).into_iter().collect()
        }
        Want::Change(submission) => subject_changed(shape, &submission.change).into_iter().collect(),
    }
}

/// Whom a change is about, as far as it says so itself.
pub(crate) fn subject_changed(shape: &Shape, change: &Change) -> Option<Subject> {
    let field = shape.subject.as_ref()?;
    let in_key = change.key().and_then(|Key(values)| field.in_key.and_then(|at| subject_of(values.get(at)?)));
    in_key.or_else(|| match change {
        Change::Create { record } | Change::Replace { record, .. } => subject_of(field.name.value_in(record)?),
        // A patch may name a new subject, and the record is about the old one too: that is not known here.
        Change::Update { .. } | Change::Delete { .. } | Change::Act { .. } => None,
    })
}

fn subject_of(value: &Value) -> Option<Subject> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Subject::new(text)),
        Value::Number(number) => Some(Subject::new(&number.to_string())),
        _ => None,
    }
}
