//! What a manifest says of changes beyond its fields: actions, how an outcome is confirmed, events, and the detection of
//! changes that others make.

use std::sync::Arc;

use rabita_model::{FieldName, Operation, Rule};
use rabita_schemas::{Library, RecordSchema, SelectedFields};
use rabita_sdk::finding::token;
use rabita_sdk::manifest::{ActionSpec, Confirm, Entity, Manifest};
use rabita_sdk::{Finding, Kind};
use serde_json::{Map, Value};

use super::Loader;
use super::registry::{Compiled, entities};
use crate::country::ActionSchemas;
use crate::document::Document;

impl Loader<'_> {
    /// Holds the actions' `from` against the kind's schema.
    pub(super) fn hold_actions(
        &mut self,
        document: &Document,
        kind: &dyn Kind,
        place: &str,
        entity: &Map<String, Value>,
    ) -> bool {
        let mut holds = true;
        for (name, action) in entity.get("actions").and_then(Value::as_object).into_iter().flatten() {
            let place = format!("{place}/actions/{}", token(name));
            let Some(schema) = kind.action_schema() else {
                let message = format!("kind `{}` has no actions", kind.name());
                self.find(document, Finding::at_name(place, message));
                return false;
            };
            match action.get("from") {
                Some(from) => holds &= self.hold(document, &format!("{place}/from"), from, &schema),
                None if action.is_object() => {
                    let message =
                        format!("`from` is missing: it says how the action is done, in the words of kind `{}`", kind.name());
                    self.find(document, Finding::at_name(place, message));
                    holds = false;
                }
                None => {}
            }
        }
        holds
    }

    /// Holds the `from` of `changes` against the kind's schema.
    pub(super) fn hold_changes(
        &mut self,
        document: &Document,
        kind: &dyn Kind,
        place: &str,
        entity: &Map<String, Value>,
    ) -> bool {
        let Some(changes) = entity.get("changes").filter(|changes| !changes.is_null()) else { return true };
        match (kind.changes_schema(), changes.get("from")) {
            (None, _) => {
                let message = format!("kind `{}` cannot find changes that others make: leave `changes` out", kind.name());
                self.find(document, Finding::at_name(format!("{place}/changes"), message));
                false
            }
            (Some(schema), Some(from)) => self.hold(document, &format!("{place}/changes/from"), from, &schema),
            // The manifest's own schema says that it is missing.
            (Some(_), None) => true,
        }
    }

    /// The schemas of all actions, or `None` where something is wrong with one.
    pub(super) fn action_schemas(
        &mut self,
        document: &Document,
        manifest: &Manifest,
        library: &Library,
        compiled: &mut Compiled,
    ) -> Option<Vec<Vec<ActionSchemas>>> {
        let mut all = Some(Vec::new());
        for (version, name, entity) in entities(manifest) {
            let mut schemas = Vec::with_capacity(entity.actions.len());
            for (action, spec) in &entity.actions {
                let place = format!("/contract/{version}/{}/actions/{}", token(name), token(action.as_str()));
                schemas.extend(self.schemas_of(document, &place, spec, library, compiled));
            }
            if schemas.len() < entity.actions.len() {
                all = None;
            }
            if let Some(all) = &mut all {
                all.push(schemas);
            }
        }
        all
    }

    fn schemas_of(
        &mut self,
        document: &Document,
        place: &str,
        action: &ActionSpec,
        library: &Library,
        compiled: &mut Compiled,
    ) -> Option<ActionSchemas> {
        let request = self.schema(document, &format!("{place}/request"), &action.request, library, compiled);
        if let Some(request) = &request {
            self.check_fields(document, place, &action.fields, request);
        }
        let Some(spec) = &action.reply else { return Some(ActionSchemas { request: request?, reply: None }) };
        let place = format!("{place}/reply");
        let reply = self.schema(document, &format!("{place}/schema"), &spec.schema, library, compiled)?;
        self.check_fields(document, &place, &spec.fields, &reply);
        Some(ActionSchemas { request: request?, reply: Some(reply) })
    }

    /// What does not go together among operations, events and the detection of changes.
    pub(super) fn check_changes(&mut self, document: &Document, manifest: &Manifest) {
        let updates = &manifest.limits.updates;
        if updates.first_ms > updates.max_ms {
            let message = "is longer than `max_ms`, the longest wait";
            self.find(document, Finding::new("/limits/updates/first_ms", message));
        }
        for (version, name, entity) in entities(manifest) {
            let place = format!("/contract/{version}/{}", token(name));
            for finding in confirmed_without_read(entity).chain(events(entity)) {
                self.find(document, finding.under(&place));
            }
        }
    }

    /// What confirms an action are fields of the record, with values that they can have.
    pub(super) fn check_confirmed(&mut self, document: &Document, manifest: &Manifest, schemas: &[(String, Arc<RecordSchema>)]) {
        for ((version, name, entity), (_, schema)) in entities(manifest).zip(schemas) {
            for (action, spec) in &entity.actions {
                let place = format!("/contract/{version}/{}/actions/{}/confirm", token(name), token(action.as_str()));
                for finding in confirmation(entity, spec, schema) {
                    self.find(document, finding.under(&place));
                }
            }
        }
    }
}

/// To confirm is to read.
fn confirmed_without_read(entity: &Entity) -> impl Iterator<Item = Finding> {
    let operations = [Operation::Create, Operation::Replace, Operation::Update, Operation::Delete].into_iter();
    let confirmed = operations
        .filter(|operation| matches!(entity.on_unknown(*operation), (_, Some(Confirm::Record))))
        .map(|operation| format!("/operations/{operation}/confirm"));
    let actions = entity.actions.iter().filter(|(_, spec)| spec.confirm.is_some());
    let actions = actions.map(|(name, _)| format!("/actions/{}/confirm", token(name.as_str())));
    let message = "to confirm is to read the record, and `read` is not among the operations";
    let places: Vec<String> = confirmed.chain(actions).filter(|_| entity.operations.read.is_none()).collect();
    places.into_iter().map(move |place| Finding::new(place, message))
}

/// Events that never come, and changes that nobody can learn of.
fn events(entity: &Entity) -> impl Iterator<Item = Finding> {
    let is_changed = entity.changes.is_some() || Operation::ALL.into_iter().any(|own| own.is_change() && entity.offers(own));
    let silent = (entity.operations.subscribe.is_some() && !is_changed).then(|| {
        let message = "there will be no events: no operation changes a record, and `changes` does not look for changes of others";
        Finding::warning("/operations/subscribe", message).breaks(Rule::WithoutEffect)
    });
    let unheard = (entity.changes.is_some() && entity.operations.subscribe.is_none()).then(|| {
        let message = "nobody can learn of these changes: `subscribe` is not among the operations";
        Finding::warning("/changes", message).breaks(Rule::WithoutEffect)
    });
    silent.into_iter().chain(unheard)
}

fn confirmation(entity: &Entity, action: &ActionSpec, schema: &RecordSchema) -> Vec<Finding> {
    let Some(confirm) = &action.confirm else { return Vec::new() };
    if confirm.is_empty() {
        return vec![Finding::new("", "names no field, so it would confirm everything")];
    }
    let mut findings = Vec::new();
    for (field, value) in confirm {
        let place = format!("/{}", token(field.as_str()));
        if !entity.fields.contains_key(field) {
            let known = entity.fields.keys().map(FieldName::as_str);
            findings.push(Finding::unknown(place, "field", field.as_str(), known));
            continue;
        }
        // That a field has no value is said by null, whatever the schema says of null.
        let faults = if value.is_null() { Vec::new() } else { alone(schema, field, value) };
        let own = faults.into_iter().filter(|fault| fault.pointer.starts_with(&field.pointer()) && fault.code != "required");
        findings.extend(own.map(|fault| Finding::new(&place, format!("`{field}` never has this value: {}", fault.message))));
    }
    findings
}

/// What is wrong with a record that has this one field.
fn alone(schema: &RecordSchema, field: &FieldName, value: &Value) -> Vec<rabita_model::Fault> {
    let members: Vec<&str> = field.members().collect();
    let record = members
        .into_iter()
        .rev()
        .fold(value.clone(), |inner, member| Value::Object([(member.to_owned(), inner)].into_iter().collect()));
    schema.partial_faults(&record, &SelectedFields::new(std::slice::from_ref(field)))
}
