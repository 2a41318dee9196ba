//! A change against the contract: as much as can be said of it without asking the registry.

use rabita_model::ask::Key;
use rabita_model::update::merge_patch;
use rabita_model::{Change, Code, Fault, FieldName, IfMatch, Operation, Refusal, Submission};
use rabita_schemas::SelectedFields;
use rabita_sdk::Legacy;
use serde_json::{Map, Value};

use super::{Faults, set};
use crate::registry::Entity;
use crate::seal::Seal;
use crate::update;

/// A change that the contract allows, as far as that can be known without the record.
pub(crate) struct Draft {
    /// With its key's values as the schema has them.
    pub change: Change,
    /// The key in legacy terms.
    pub key: Vec<Legacy>,
    /// [`rabita_model::Update::record`].
    pub record: String,
    /// [`rabita_model::Update::digest`].
    pub digest: String,
    /// The version that the record must have.
    pub expected: Option<Legacy>,
}

impl Faults {
    pub(super) fn change(&mut self, entity: &Entity, submission: &Submission, seal: &Seal) -> Result<Option<Draft>, Refusal> {
        let before = self.all.len();
        let values = match (&submission.change, submission.change.key()) {
            (Change::Create { record }, _) => entity.mapping.record_key(record),
            (_, Some(key)) => self.typed_key(entity, key, "/key"),
            (_, None) => None,
        };
        let change =
            values.as_ref().map_or_else(|| submission.change.clone(), |values| with_key(entity, &submission.change, values));
        let faults = contract_faults(entity, &change);
        self.all.extend(faults.into_iter().map(|fault| fault.under(submission.within)));
        let Some(values) = values.filter(|_| self.all.len() == before) else { return Ok(None) };
        let Some(key) = self.legacy_key(entity, &values, "/key") else { return Ok(None) };
        let record = update::record_name(&entity.target.registry, &key);
        let expected = match &submission.if_match {
            Some(IfMatch::Tag(tag)) => Some(self.expected(entity, tag, &record, seal)?),
            Some(IfMatch::Any) | None => None,
        };
        let digest = update::digest(&entity.target, &change, submission);
        Ok((self.all.len() == before).then_some(Draft { change, key, record, digest, expected: expected.flatten() }))
    }

    fn expected(&mut self, entity: &Entity, tag: &str, record: &str, seal: &Seal) -> Result<Option<Legacy>, Refusal> {
        if entity.changing.version.is_none() {
            let message = "the registry has no versions of these records, so a change can't depend on one";
            self.all.push(Fault::parameter("If-Match", "no_version", message));
            return Ok(None);
        }
        let sealed = tag.split_once('-').map(|(_, sealed)| sealed);
        let version = sealed.and_then(|sealed| seal.open(sealed, update::version_context(record).as_bytes()).ok());
        let version = version.and_then(|text| serde_json::from_str(&text).ok());
        version.map(Some).ok_or_else(|| Refusal::new(Code::PreconditionFailed).detail("the entity tag is none of this record"))
    }
}

/// The change with its key's values as the schema has them, and, where a whole record is given, in it too.
fn with_key(entity: &Entity, change: &Change, values: &[Value]) -> Change {
    let typed = || Key(values.to_vec());
    match change.clone() {
        Change::Create { record } => Change::Create { record },
        Change::Replace { record, .. } => {
            let mut whole = Map::new();
            for (field, value) in entity.key_fields.iter().zip(values) {
                set(&mut whole, field, value.clone());
            }
            // What the caller gives goes over it, so that a key that differs is seen.
            merge_patch(&mut whole, &record);
            Change::Replace { key: typed(), record: whole }
        }
        Change::Update { patch, .. } => Change::Update { key: typed(), patch },
        Change::Delete { .. } => Change::Delete { key: typed() },
        Change::Act { action, input, .. } => Change::Act { key: typed(), action, input },
    }
}

/// Everything wrong with a change that can be said without the record.
fn contract_faults(entity: &Entity, change: &Change) -> Vec<Fault> {
    match change {
        Change::Create { record } => whole_faults(entity, record, Operation::Create),
        Change::Replace { key, record } => {
            let mut faults = whole_faults(entity, record, Operation::Replace);
            faults.extend(key_faults(entity, key, record));
            faults
        }
        Change::Update { key, patch } => {
            let mut faults = patch_faults(entity, patch);
            faults.extend(key_faults(entity, key, patch));
            faults
        }
        Change::Delete { .. } => Vec::new(),
        Change::Act { action, input, .. } => {
            let Some((_, action)) = entity.changing.action(action) else {
                let message = format!("there is no action `{action}`");
                return vec![Fault::parameter("action", "unknown_action", message)];
            };
            let faults = action.schemas.request.faults(&Value::Object(input.clone()));
            let is_good = faults.is_empty();
            or_else(faults, || action.planned.request.encode(input, Operation::Act).err().filter(|_| is_good))
        }
    }
}

/// A record against what the operation writes of its schema, then against the mapping.
fn whole_faults(entity: &Entity, record: &Map<String, Value>, operation: Operation) -> Vec<Fault> {
    let Some(written) = entity.changing.written.get(&operation) else { return Vec::new() };
    let faults = entity.schema.partial_faults(&Value::Object(record.clone()), written);
    or_else(faults, || entity.mapping.encode(record, operation).err())
}

/// A patch: what it sets against the schema of those fields, what it takes away against what every record has.
fn patch_faults(entity: &Entity, patch: &Map<String, Value>) -> Vec<Fault> {
    if patch.is_empty() {
        return vec![Fault::at("", "empty", "the patch names no field")];
    }
    let mut set = Map::new();
    merge_patch(&mut set, patch);
    let touched = rabita_model::update::patched_fields(patch);
    let (gone, set_fields): (Vec<FieldName>, Vec<FieldName>) = touched.into_iter().partition(|field| is_null(patch, field));
    let set = Value::Object(set);
    let mut faults = entity.schema.partial_faults(&set, &SelectedFields::new(&set_fields));
    let needed = |field: &&FieldName| entity.changing.required.iter().any(|required| field.covers(required));
    let taken = gone.iter().filter(needed);
    faults.extend(taken.map(|field| Fault::at(field.pointer(), "required", "every record has this: it can't be taken away")));
    if entity.mapping.needs_current(patch) {
        // What is written depends on the record, so it is encoded once that is known.
        return faults;
    }
    or_else(faults, || entity.mapping.encode(patch, Operation::Update).err())
}

/// The key's fields in a body agree with the key itself.
fn key_faults(entity: &Entity, Key(values): &Key, body: &Map<String, Value>) -> Vec<Fault> {
    let given = entity.key_fields.iter().zip(values).filter_map(|(field, value)| {
        let own = field.value_in(body)?;
        (own != value).then(|| Fault::at(field.pointer(), "key_differs", "this is not the key of the record that is changed"))
    });
    given.collect()
}

fn is_null(patch: &Map<String, Value>, field: &FieldName) -> bool {
    field.value_in(patch).is_some_and(Value::is_null)
}

/// What the mapping says counts only where the schema found nothing: it would say the same in other words.
fn or_else(faults: Vec<Fault>, more: impl FnOnce() -> Option<Vec<Fault>>) -> Vec<Fault> {
    if faults.is_empty() { more().unwrap_or_default() } else { faults }
}
