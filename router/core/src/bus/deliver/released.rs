//! What of a fetched answer, or of a refusal, one caller may see.

use std::sync::Arc;

use rabita_model::{Code, FieldName, Refusal};
use serde_json::Value;

use super::Delivery;
use crate::bus::Body;
use crate::registry::Fetched;
use crate::release::{cut, subject_in};
use crate::stage::Permitted;

impl Delivery<'_> {
    /// What of a fetched answer the caller may see. Shared as it is where that is all of it.
    pub(super) fn released(&mut self, fetched: &Fetched) -> Result<Arc<Body>, Refusal> {
        let Permitted { shape, guard, selection, .. } = &self.permitted;
        let is_whole = guard.is_none() && self.fetched == *selection;
        if shape.subject.is_some() && guard.is_none() && self.trail.is_recorded {
            each(&fetched.body).filter_map(|record| subject_in(shape, record)).for_each(|subject| self.trail.add(subject));
        }
        if is_whole {
            self.trail.fields = Arc::clone(&fetched.names);
            self.trail.records += count(&fetched.body);
            return Ok(Arc::clone(&fetched.body));
        }
        let mut shown = self.shown.clone();
        let mut records = 0;
        let mut subjects = Vec::new();
        let mut release = |record: &Value| {
            let admitted = match guard {
                Some(guard) => guard.admits(shape, record)?.and(selection),
                None => selection.clone(),
            };
            if admitted.is_empty() {
                return None;
            }
            shown = shown.or(&admitted);
            records += 1;
            if guard.is_some() {
                subjects.extend(subject_in(shape, record));
            }
            Some(cut(shape, record, &admitted))
        };
        let body = match &*fetched.body {
            Body::Record(record) => Body::Record(release(record).ok_or_else(|| self.absent())?),
            Body::Many(many) => Body::Many(many.iter().map(|record| record.as_ref().and_then(&mut release)).collect()),
            Body::Page(page) => Body::Page(page.iter().filter_map(release).collect()),
        };
        self.trail.fields = shape.names(&shown).into();
        self.shown = shown;
        self.trail.records += records;
        if self.trail.is_recorded {
            subjects.into_iter().for_each(|subject| self.trail.add(subject));
        }
        Ok(Arc::new(body))
    }

    /// A refusal without what it tells of records and fields that the caller may not see.
    /// `is_one`: one record was asked for.
    pub(super) fn hidden(&self, mut refusal: Refusal, is_one: bool) -> Refusal {
        if refusal.code == Code::RecordAbsent {
            return self.absent();
        }
        let is_faulty = refusal.code == Code::RegistryBrokeContract && !refusal.faults.is_empty();
        if is_one && is_faulty && self.permitted.guard.is_some() {
            // Anything else than absence would tell that the record is there. Operators read why.
            return self
                .absent()
                .detail("the record does not satisfy its contract, so that no row condition can be held against it");
        }
        if self.permitted.guard.is_some() {
            // Nobody knows whether the caller may see the record that is at fault.
            refusal.faults.clear();
        } else if self.fetched != self.permitted.selection {
            let shown: Vec<String> =
                self.permitted.shape.mapping.selected(&self.permitted.selection).map(FieldName::pointer).collect();
            refusal.faults.retain(|fault| shown.iter().any(|own| is_at(own, &fault.pointer)));
        }
        refusal
    }
}

/// Whether a fault lies at a field, around it or within it, in one record or in one of several.
fn is_at(own: &str, fault: &str) -> bool {
    let fault = fault.strip_prefix("/records/").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(fault);
    let begins =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    begins(own, fault) || begins(fault, own)
}

/// The records of a page.
pub(super) fn records(body: &Body) -> &[Value] {
    match body {
        Body::Page(records) => records,
        Body::Record(_) | Body::Many(_) => &[],
    }
}

fn each(body: &Body) -> Box<dyn Iterator<Item = &Value> + '_> {
    match body {
        Body::Record(record) => Box::new(std::iter::once(record)),
        Body::Many(records) => Box::new(records.iter().flatten()),
        Body::Page(records) => Box::new(records.iter()),
    }
}

fn count(body: &Body) -> u32 {
    let count = match body {
        Body::Record(_) => 1,
        Body::Many(records) => records.iter().flatten().count(),
        Body::Page(records) => records.len(),
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}
