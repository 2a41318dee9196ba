//! Weighing: which of the grants hold for what is asked, and what of it they leave. The one place where that is decided.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use rabita_model::update::patched_fields;
use rabita_model::{ActionName, Ask, Change, Code, Fault, FieldName, Operation, Purpose, Refusal, Want};
use rabita_sdk::mapping::Selection;

use super::{Granted, Holdings, Shape};

/// As much of a request as a grant is held against by itself.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub operation: Operation,
    pub action: Option<&'a ActionName>,
    pub purpose: Option<&'a Purpose>,
    pub names_consent: bool,
    pub is_signed: bool,
    pub is_bound: bool,
    pub now: Timestamp,
    /// Today in UTC.
    pub today: Date,
}

/// What a grant lacks to hold, in the order in which it is looked at. A later one is nearer to holding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    Operation,
    Expired,
    Hours,
    Purpose,
    Signature,
    Binding,
    Consent,
}

/// The grants that hold, and what they leave of what is asked.
pub(crate) struct Weighed<'a> {
    /// At least one.
    pub holding: Vec<&'a Arc<Granted>>,
    /// The fields that the answer may hold at most: granted, and asked for.
    pub selection: Selection,
    /// Whether what is released depends on the record.
    pub is_conditional: bool,
}

impl<'a> Wish<'a> {
    /// What an ask wishes. Whether it is signed, and its token bound, is known elsewhere.
    pub fn of(ask: &'a Ask, is_signed: bool, is_bound: bool, now: Timestamp) -> Self {
        let action = match &ask.want {
            Want::Change(submission) => submission.change.action(),
            _ => None,
        };
        Self {
            operation: ask.want.operation(),
            action,
            purpose: ask.purpose.as_ref(),
            names_consent: ask.consent.is_some(),
            is_signed,
            is_bound,
            now,
            today: jiff::tz::TimeZone::UTC.to_datetime(now).date(),
        }
    }
}

impl Granted {
    /// What it lacks first to hold for a wish; `None` where it holds.
    pub fn lack(&self, wish: &Wish<'_>) -> Option<Lack> {
        if !self.covers(wish.operation, wish.action) {
            return Some(Lack::Operation);
        }
        if self.until.is_some_and(|until| wish.today > until) {
            return Some(Lack::Expired);
        }
        if !self.hours.is_empty() && !self.hours.iter().any(|window| window.end_at(wish.now).is_some()) {
            return Some(Lack::Hours);
        }
        let is_for = |purposes: &Vec<Purpose>| wish.purpose.is_some_and(|purpose| purposes.contains(purpose));
        if !self.purposes.as_ref().is_none_or(is_for) {
            return Some(Lack::Purpose);
        }
        if self.needs_signature && !wish.is_signed {
            return Some(Lack::Signature);
        }
        if self.needs_binding && !wish.is_bound {
            return Some(Lack::Binding);
        }
        (self.needs_consent && !wish.names_consent).then_some(Lack::Consent)
    }
}

impl Holdings {
    /// Weighs the grants for what is asked. What a system has no grant for looks like what does not exist.
    ///
    /// # Errors
    /// What is lacking, said with no more than the system may know of its own grants.
    pub fn weigh(&self, ask: &Ask, wish: &Wish<'_>) -> Result<Weighed<'_>, Refusal> {
        // A grant can name more than the manifest offers, which `check` only warns of.
        if !self.shape.manifest.offers(wish.operation) {
            return Err(Refusal::new(Code::NotPermitted));
        }
        let mut holding: Vec<&Arc<Granted>> = self.grants.iter().filter(|grant| grant.lack(wish).is_none()).collect();
        if holding.is_empty() {
            return Err(refusal(self.grants.iter(), wish));
        }
        let granted = union(&holding, &self.shape);
        let selection = requested(&self.shape, ask, &granted)?;
        refuse_hidden_filters(&self.shape, ask, &granted)?;
        refuse_hidden_writes(&self.shape, ask, &granted)?;
        let mut is_conditional = holding.iter().any(|grant| grant.is_conditional());
        if is_conditional && self.is_settled(&holding, ask, &selection) {
            // What grants without a condition permit needs no look at the record.
            holding.retain(|grant| !grant.is_conditional());
            is_conditional = false;
        }
        Ok(Weighed { holding, selection, is_conditional })
    }

    /// Whether the grants without a condition cover all that is asked.
    fn is_settled(&self, holding: &[&Arc<Granted>], ask: &Ask, selection: &Selection) -> bool {
        let plain: Vec<&Arc<Granted>> = holding.iter().filter(|grant| !grant.is_conditional()).copied().collect();
        let needed = match &ask.want {
            Want::Change(_) => argued(&self.shape, ask),
            _ => selection.or(&argued(&self.shape, ask)),
        };
        !plain.is_empty() && needed.without(&union(&plain, &self.shape)).is_empty()
    }
}

/// The fields that one of the grants covers.
pub(crate) fn union(grants: &[&Arc<Granted>], shape: &Shape) -> Selection {
    match grants {
        [] => shape.none.clone(),
        [first, rest @ ..] => rest.iter().fold(first.selection.clone(), |all, grant| all.or(&grant.selection)),
    }
}

/// The fields of the arguments: those searched by, or written. To use them is to know or to set them.
pub(crate) fn argued(shape: &Shape, ask: &Ask) -> Selection {
    match &ask.want {
        Want::Search { filters, .. } => shape.touched(filters.iter().map(|filter| &filter.field)),
        Want::Change(submission) => shape.touched(&written(&submission.change)),
        Want::Read { .. } | Want::ReadMany { .. } | Want::Binary { .. } => shape.none.clone(),
    }
}

/// What of the granted fields was asked for. A field that is not granted is refused as one that does not exist.
fn requested(shape: &Shape, ask: &Ask, granted: &Selection) -> Result<Selection, Refusal> {
    let names = match (&ask.want, &ask.fields) {
        (Want::Binary { field, .. }, _) => std::slice::from_ref(field),
        (_, Some(fields)) => fields.as_slice(),
        (_, None) => return Ok(granted.and(&shape.all)),
    };
    let mut selection = shape.none.clone();
    let mut faults = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let named = shape.mapping.select(std::slice::from_ref(name)).map(|named| named.and(granted));
        match named {
            Ok(named) if !named.is_empty() => selection = selection.or(&named),
            _ => {
                let message = format!("the grant covers no field `{name}`");
                faults.push(if ask.in_url {
                    Fault::parameter("fields", "field_not_permitted", message)
                } else {
                    let place =
                        if matches!(ask.want, Want::Binary { .. }) { "/field".to_owned() } else { format!("/fields/{at}") };
                    Fault::at(place, "field_not_permitted", message)
                });
            }
        }
    }
    if faults.is_empty() { Ok(selection) } else { Err(Refusal::with_faults(Code::FieldNotPermitted, faults)) }
}

/// A search by a field tells of the field, so the grant must cover it.
fn refuse_hidden_filters(shape: &Shape, ask: &Ask, granted: &Selection) -> Result<(), Refusal> {
    let Want::Search { filters, .. } = &ask.want else { return Ok(()) };
    let mut faults = Vec::new();
    for filter in filters {
        // A filter that names no field at all is the validation's to tell.
        let hidden = shape.mapping.select(std::slice::from_ref(&filter.field)).is_ok_and(|named| named.and(granted).is_empty());
        if hidden {
            let message = format!("the grant covers no field `{}`", filter.field);
            faults.push(if ask.in_url {
                Fault::parameter(filter.field.to_string(), "field_not_permitted", message)
            } else {
                Fault::at(format!("/where/{}", filter.field), "field_not_permitted", message)
            });
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::with_faults(Code::FieldNotPermitted, faults)) }
}

/// Every field that a change writes must be granted. A field that does not exist is the validation's to tell.
fn refuse_hidden_writes(shape: &Shape, ask: &Ask, granted: &Selection) -> Result<(), Refusal> {
    let Want::Change(submission) = &ask.want else { return Ok(()) };
    let mut faults = Vec::new();
    for field in written(&submission.change) {
        // What is written can lie within a field of the mapping, or hold several.
        if !shape.touched([&field]).without(granted).is_empty() {
            let message = format!("the grant covers no field `{field}`");
            let place = format!("{}{}", submission.within, field.pointer());
            faults.push(Fault::at(place, "field_not_permitted", message));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::with_faults(Code::FieldNotPermitted, faults)) }
}

/// The fields that a change writes.
fn written(change: &Change) -> Vec<FieldName> {
    match change {
        Change::Create { record } | Change::Replace { record, .. } => patched_fields(record),
        Change::Update { patch, .. } => patched_fields(patch),
        Change::Delete { .. } | Change::Act { .. } => Vec::new(),
    }
}

/// Why none of some grants holds: what the nearest of them lack, and one sentence on it. Whoever has no grant for the
/// operation learns nothing.
pub(crate) fn refusal<'g>(grants: impl Iterator<Item = &'g Arc<Granted>> + Clone, wish: &Wish<'_>) -> Refusal {
    let Some(lack) = grants.clone().filter_map(|grant| grant.lack(wish)).max() else {
        return Refusal::new(Code::NotPermitted);
    };
    let nearest = grants.filter(|grant| grant.lack(wish) == Some(lack));
    match lack {
        Lack::Operation => Refusal::new(Code::NotPermitted),
        Lack::Expired => {
            let ended = nearest.filter_map(|grant| grant.until).max();
            let refusal = Refusal::new(Code::GrantExpired);
            ended.map_or(refusal.clone(), |day| refusal.explained(format!("The grant for this held until {day}.")))
        }
        Lack::Hours => {
            let begins = nearest.flat_map(|grant| &grant.hours).filter_map(|window| window.begin_after(wish.now)).min();
            begins.map_or(Refusal::new(Code::OutsideHours), |begin| {
                // Whole seconds, rounded up: who obeys must not come too early.
                let wait = Duration::try_from(begin.duration_since(wish.now)).unwrap_or_default();
                let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
                let explained = format!("The grant for this holds again from {begin}.");
                Refusal::new(Code::OutsideHours).retry_after(wait).explained(explained)
            })
        }
        Lack::Purpose => {
            let mut purposes: Vec<&Purpose> = nearest.flat_map(|grant| grant.purposes.iter().flatten()).collect();
            purposes.sort_unstable();
            purposes.dedup();
            let purposes: Vec<&str> = purposes.into_iter().map(Purpose::as_str).collect();
            let code = if wish.purpose.is_some() { Code::PurposeNotPermitted } else { Code::PurposeMissing };
            Refusal::new(code).explained(format!("The grant for this holds for these purposes: {}.", purposes.join(", ")))
        }
        Lack::Signature => Refusal::new(Code::SignatureMissing)
            .explained("The grant for this holds for requests that are signed with a key of the system."),
        Lack::Binding => Refusal::new(Code::BindingMissing)
            .explained("The grant for this holds for access tokens that are bound to the client certificate of the connection."),
        Lack::Consent => Refusal::new(Code::ConsentMissing)
            .explained("The grant for this holds where the request names the consent of the person whom the record is about."),
    }
}
