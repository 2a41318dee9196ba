//! Authorise: what the grants permit of what is asked. Deny by default.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rabita_config::grant::{FieldsGranted, Grant, PurposesGranted};
use rabita_model::{
    ActionName, Ask, Change, Code, Fault, FieldName, Operation, Purpose, Refusal, RegistryId, SystemId, Target, Want,
};
use rabita_sdk::mapping::Selection;

use super::Authenticated;
use crate::limit::Limiter;
use crate::registry::{Entities, Entity, Registry};

/// The grants, found by system and entity: what an exchange costs does not grow with their number.
pub(crate) struct Grants(HashMap<SystemId, HashMap<Target, Vec<Granted>>>);

/// One grant, compiled.
pub(crate) struct Granted {
    pub operations: Vec<Operation>,
    /// The actions that `act` covers; `None` for all.
    pub actions: Option<Vec<ActionName>>,
    /// The granted fields, binary ones too.
    pub selection: Selection,
    /// `None` permits every purpose, and none at all.
    pub purposes: Option<Vec<Purpose>>,
    pub until: Option<Date>,
    pub limiter: Option<Limiter>,
}

/// Proof that the asked is permitted, with what the permission leaves of it.
pub(crate) struct Permitted {
    pub registry: Arc<Registry>,
    pub entity: Arc<Entity>,
    /// The fields that the answer may hold: granted, and asked for.
    pub selection: Selection,
    pub ask: Ask,
    _made_here: (),
}

impl Grants {
    pub fn new(grants: &[(RegistryId, Grant)], entities: &Entities) -> Self {
        let mut index: HashMap<SystemId, HashMap<Target, Vec<Granted>>> = HashMap::new();
        for (registry, grant) in grants {
            let target = Target { registry: registry.clone(), version: grant.version, entity: grant.entity.clone() };
            let Some((_, entity)) = entities.get(&target) else { continue };
            let selection = match &grant.fields {
                FieldsGranted::All(_) => {
                    let names: Vec<_> = entity.mapping.names().cloned().collect();
                    entity.mapping.select(&names).unwrap_or_else(|_| entity.all.clone())
                }
                FieldsGranted::Some(fields) => match entity.mapping.select(fields) {
                    Ok(selection) => selection,
                    // `check` refuses such a grant; if one comes here all the same, it permits nothing.
                    Err(_) => continue,
                },
            };
            let purposes = match &grant.purposes {
                PurposesGranted::Any(_) => None,
                PurposesGranted::Some(purposes) => Some(purposes.clone()),
            };
            index.entry(grant.system.clone()).or_default().entry(target).or_default().push(Granted {
                operations: grant.operations.clone(),
                actions: grant.actions.clone(),
                selection,
                purposes,
                until: grant.until,
                limiter: grant.requests_per_second.map(|rate| Limiter::new("grant", rate, None)),
            });
        }
        Self(index)
    }

    /// The grants of a system, by entity.
    pub fn of(&self, system: &SystemId) -> impl Iterator<Item = (&Target, &[Granted])> {
        self.0.get(system).into_iter().flatten().map(|(target, grants)| (target, grants.as_slice()))
    }

    /// Permits what is asked, or says why not. What a system has no grant for looks like what does not exist.
    pub fn permit(&self, caller: &Authenticated, ask: Ask, entities: &Entities, today: Date) -> Result<Permitted, Refusal> {
        let none = || Refusal::new(Code::NotPermitted);
        let grants = self.0.get(&caller.caller().id).and_then(|grants| grants.get(&ask.target)).ok_or_else(none)?;
        let (registry, entity) = entities.get(&ask.target).ok_or_else(none)?;
        // A grant can name more than the manifest offers, which `check` only warns of.
        if !entity.manifest.offers(ask.want.operation()) {
            return Err(none());
        }
        let holding = holding(grants, &ask, today)?;
        let granted = holding[1..].iter().fold(holding[0].selection.clone(), |all, grant| all.or(&grant.selection));
        let selection = requested(entity, &ask, &granted)?;
        refuse_hidden_filters(entity, &ask, &granted)?;
        refuse_hidden_writes(entity, &ask, &granted)?;
        take(&holding)?;
        Ok(Permitted { registry: Arc::clone(registry), entity: Arc::clone(entity), selection, ask, _made_here: () })
    }
}

impl Granted {
    /// Whether the operation, and the action where it is one, are granted.
    pub fn covers(&self, operation: Operation, action: Option<&ActionName>) -> bool {
        let names_it = |action| self.actions.as_ref().is_none_or(|actions| actions.contains(action));
        self.operations.contains(&operation) && action.is_none_or(names_it)
    }

    /// Whether it holds on a day, for a purpose.
    pub fn holds(&self, today: Date, purpose: Option<&Purpose>) -> bool {
        let for_purpose = match (&self.purposes, purpose) {
            (None, _) => true,
            (Some(purposes), Some(purpose)) => purposes.contains(purpose),
            (Some(_), None) => false,
        };
        for_purpose && self.until.is_none_or(|until| today <= until)
    }
}

/// The grants that hold for the operation, today, for the purpose: at least one.
fn holding<'a>(grants: &'a [Granted], ask: &Ask, today: Date) -> Result<Vec<&'a Granted>, Refusal> {
    let operation = ask.want.operation();
    let action = match &ask.want {
        Want::Change(submission) => submission.change.action(),
        _ => None,
    };
    let for_operation: Vec<&Granted> = grants.iter().filter(|grant| grant.covers(operation, action)).collect();
    if for_operation.is_empty() {
        return Err(Refusal::new(Code::NotPermitted));
    }
    let current: Vec<&Granted> =
        for_operation.into_iter().filter(|grant| grant.until.is_none_or(|until| today <= until)).collect();
    if current.is_empty() {
        return Err(Refusal::new(Code::GrantExpired));
    }
    let holding: Vec<&Granted> = current.into_iter().filter(|grant| grant.holds(today, ask.purpose.as_ref())).collect();
    match (holding.is_empty(), &ask.purpose) {
        (false, _) => Ok(holding),
        (true, None) => Err(Refusal::new(Code::PurposeMissing)),
        (true, Some(_)) => Err(Refusal::new(Code::PurposeNotPermitted)),
    }
}

/// What of the granted fields was asked for. A field that is not granted is refused as one that does not exist.
fn requested(entity: &Entity, ask: &Ask, granted: &Selection) -> Result<Selection, Refusal> {
    let names = match (&ask.want, &ask.fields) {
        (Want::Binary { field, .. }, _) => std::slice::from_ref(field),
        (_, Some(fields)) => fields.as_slice(),
        (_, None) => return Ok(granted.and(&entity.all)),
    };
    let mut selection = granted.without(granted);
    let mut faults = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let named = entity.mapping.select(std::slice::from_ref(name)).map(|named| named.and(granted));
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
fn refuse_hidden_filters(entity: &Entity, ask: &Ask, granted: &Selection) -> Result<(), Refusal> {
    let Want::Search { filters, .. } = &ask.want else { return Ok(()) };
    let mut faults = Vec::new();
    for filter in filters {
        // A filter that names no field at all is the validation's to tell.
        let hidden = entity.mapping.select(std::slice::from_ref(&filter.field)).is_ok_and(|named| named.and(granted).is_empty());
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
fn refuse_hidden_writes(entity: &Entity, ask: &Ask, granted: &Selection) -> Result<(), Refusal> {
    let Want::Change(submission) = &ask.want else { return Ok(()) };
    let (Change::Create { record: written } | Change::Replace { record: written, .. } | Change::Update { patch: written, .. }) =
        &submission.change
    else {
        return Ok(());
    };
    let mut faults = Vec::new();
    for field in rabita_model::update::patched_fields(written) {
        if is_hidden(entity, &field, granted) {
            let message = format!("the grant covers no field `{field}`");
            faults.push(Fault::at(format!("{}{}", submission.within, field.pointer()), "field_not_permitted", message));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::with_faults(Code::FieldNotPermitted, faults)) }
}

/// Whether a field is one that a mapping has, in whole or in part, and not all that it touches is granted.
fn is_hidden(entity: &Entity, field: &FieldName, granted: &Selection) -> bool {
    // What is written can lie within a field of the mapping, or hold several.
    let touched: Vec<FieldName> = entity.mapping.names().filter(|own| own.covers(field) || field.covers(own)).cloned().collect();
    !touched.is_empty() && entity.mapping.select(&touched).is_ok_and(|touched| !touched.without(granted).is_empty())
}

/// Takes one from the limit of a grant; a grant without a limit of its own needs none.
fn take(holding: &[&Granted]) -> Result<(), Refusal> {
    let mut refused = None;
    for grant in holding {
        match grant.limiter.as_ref().map(Limiter::take) {
            None | Some(Ok(_)) => return Ok(()),
            Some(Err(exceeded)) => refused = Some(exceeded.into()),
        }
    }
    refused.map_or(Ok(()), Err)
}
