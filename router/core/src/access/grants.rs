//! Grants, compiled: found by system and entity, so that what an exchange costs does not grow with their number.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use rabita_config::Country;
use rabita_config::grant::{FieldsGranted, Grant, PurposesGranted};
use rabita_model::{ActionName, GroupId, Operation, Purpose, SystemId, Target};
use rabita_sdk::condition::Condition;
use rabita_sdk::manifest::Window;
use rabita_sdk::mapping::Selection;

use super::Shape;
use crate::limit::Limiter;

/// The grants of every system.
pub(crate) struct Grants(HashMap<SystemId, HashMap<Target, Holdings>>);

/// What one system holds of one entity.
pub(crate) struct Holdings {
    pub shape: Arc<Shape>,
    /// In an order of their own: that of files does not count.
    pub grants: Vec<Arc<Granted>>,
    /// Whether any of them is of an operation that changes records.
    pub may_change: bool,
}

/// One grant, compiled for one system.
#[derive(Clone)]
pub(crate) struct Granted {
    /// As its file has it.
    pub written: Arc<Grant>,
    /// The same as text: what a grant is known again by, and the order in which grants are looked at.
    text: Arc<str>,
    pub operations: Vec<Operation>,
    /// The actions that `act` covers; `None` for all.
    pub actions: Option<Vec<ActionName>>,
    /// The granted fields, binary ones too.
    pub selection: Selection,
    /// `None` permits every purpose, and none at all.
    pub purposes: Option<Vec<Purpose>>,
    pub until: Option<Date>,
    /// When it holds; empty for always.
    pub hours: Vec<Window>,
    /// Which records.
    pub rows: Option<Rows>,
    pub needs_signature: bool,
    pub needs_binding: bool,
    pub needs_consent: bool,
    pub limiter: Option<Arc<Limiter>>,
}

/// A row condition, and the fields that it looks at.
#[derive(Clone)]
pub(crate) struct Rows {
    pub condition: Condition,
    pub looks_at: Selection,
}

impl Grants {
    /// The grants of a configuration. One that is as `before` goes on with what is left of its limit.
    pub fn new(country: &Country, shapes: &HashMap<Target, Arc<Shape>>, before: Option<&Self>) -> Self {
        let groups: BTreeMap<&GroupId, &[SystemId]> =
            country.groups.iter().map(|(id, group)| (id, group.systems.as_slice())).collect();
        let mut made = Self(HashMap::new());
        for (registry, grant) in &country.grants {
            let target = Target { registry: registry.clone(), version: grant.version, entity: grant.entity.clone() };
            let Some(shape) = shapes.get(&target) else { continue };
            // `check` refuses a grant that cannot be compiled; if one comes here all the same, it permits nothing.
            let Some(granted) = Granted::compile(grant, shape) else { continue };
            let members = grant.group.as_ref().and_then(|group| groups.get(group)).copied().unwrap_or_default();
            for system in grant.system.iter().chain(members) {
                made.add(system, shape, granted.for_one());
            }
        }
        for (system, held) in &mut made.0 {
            for (target, holdings) in held {
                holdings.settle(before.and_then(|before| before.get(system, target)));
            }
        }
        made
    }

    /// Adds a grant for a system.
    fn add(&mut self, system: &SystemId, shape: &Arc<Shape>, granted: Granted) {
        let held = self.0.entry(system.clone()).or_default().entry(shape.target.clone());
        let holdings = held.or_insert_with(|| Holdings { shape: Arc::clone(shape), grants: Vec::new(), may_change: false });
        holdings.grants.push(Arc::new(granted));
    }

    /// What a system holds of an entity.
    pub fn get(&self, system: &SystemId, target: &Target) -> Option<&Holdings> {
        self.0.get(system)?.get(target)
    }

    /// What a system holds of anything.
    pub fn of(&self, system: &SystemId) -> impl Iterator<Item = &Holdings> {
        self.0.get(system).into_iter().flat_map(HashMap::values)
    }

    /// What every system holds.
    pub fn all(&self) -> impl Iterator<Item = (&SystemId, &Holdings)> {
        self.0.iter().flat_map(|(system, held)| held.values().map(move |holdings| (system, holdings)))
    }
}

impl Holdings {
    /// Brings the grants into their order, and takes the limits over that are as before.
    fn settle(&mut self, before: Option<&Self>) {
        self.grants.sort_by(|one, other| one.text.cmp(&other.text));
        self.may_change = self.grants.iter().any(|grant| grant.operations.iter().any(|operation| operation.is_change()));
        let mut known: Vec<&Arc<Granted>> = before.iter().flat_map(|before| &before.grants).collect();
        for granted in &mut self.grants {
            let Some(at) = known.iter().position(|known| known.text == granted.text) else { continue };
            // The same grant can stand there twice: each has a limit of its own.
            let known = known.swap_remove(at);
            if let Some(granted) = Arc::get_mut(granted) {
                granted.limiter.clone_from(&known.limiter);
            }
        }
    }
}

impl Granted {
    fn compile(grant: &Grant, shape: &Shape) -> Option<Self> {
        let selection = match &grant.fields {
            FieldsGranted::All(_) => shape.mapping.select(&shape.mapping.names().cloned().collect::<Vec<_>>()).ok()?,
            FieldsGranted::Some(fields) => shape.mapping.select(fields).ok()?,
        };
        let rows = match &grant.rows {
            None => None,
            Some(text) => Some(Rows::compile(text, shape)?),
        };
        let window = |hours: &rabita_config::grant::Hours| Window {
            days: hours.days.clone(),
            from: hours.from,
            until: hours.to,
            zone: hours.zone.clone(),
        };
        Some(Self {
            text: serde_json::to_string(grant).ok()?.into(),
            written: Arc::new(grant.clone()),
            operations: grant.operations.clone(),
            actions: grant.actions.clone(),
            selection,
            purposes: match &grant.purposes {
                PurposesGranted::Any(_) => None,
                PurposesGranted::Some(purposes) => Some(purposes.clone()),
            },
            until: grant.until,
            hours: grant.hours.iter().map(window).collect(),
            rows,
            needs_signature: grant.signature.is_some(),
            needs_binding: grant.binding.is_some(),
            needs_consent: grant.consent.is_some(),
            limiter: None,
        })
    }

    /// The same for one system, with a limit of its own.
    fn for_one(&self) -> Self {
        let limiter = self.written.requests_per_second.map(|rate| Arc::new(Limiter::new("grant", rate, None)));
        Self { limiter, ..self.clone() }
    }

    /// Whether the operation, and the action where it is one, are granted.
    pub fn covers(&self, operation: Operation, action: Option<&ActionName>) -> bool {
        let names_it = |action| self.actions.as_ref().is_none_or(|actions| actions.contains(action));
        self.operations.contains(&operation) && action.is_none_or(names_it)
    }

    /// Whether what it releases depends on the record.
    pub const fn is_conditional(&self) -> bool {
        self.rows.is_some() || self.needs_consent
    }
}

impl Rows {
    fn compile(text: &str, shape: &Shape) -> Option<Self> {
        let condition = Condition::compile(text).ok()?;
        let is_there = |field: &&rabita_model::FieldName| shape.touched([*field]).is_empty();
        if condition.fields().iter().any(|field| is_there(&field)) {
            return None;
        }
        Some(Self { looks_at: shape.touched(condition.fields()), condition })
    }
}
