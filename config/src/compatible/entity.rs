//! One entity, as it was and as it is.

use rabita_model::{FieldName, Operation};
use rabita_schemas::{Change, ChangeKind};
use rabita_sdk::manifest::{Field, OneOrMany, Operations, WriteSpec};

use super::offered::{Offered, OfferedRegistry, is_binary};
use super::schemas::{changes, field_of, is_unmapped, place, renamed};
use super::{At, Break, Gate, Whom, field_place, within};

impl Gate<'_> {
    pub(super) fn entity(&mut self, old: &Offered, _: &OfferedRegistry, new: &Offered, now: &OfferedRegistry) {
        self.key(old, new, now);
        self.answered(old, new, now);
        self.binary(old, new, now);
        self.operations(old, new, now);
        self.filters(old, new, now);
        self.bounds(old, new, now);
        for operation in [Operation::Create, Operation::Replace, Operation::Update] {
            self.written(operation, old, new, now);
        }
        self.actions(old, new, now);
    }

    /// Refuses at a part of the entity.
    pub(super) fn refuse_at(&mut self, new: &Offered, now: &OfferedRegistry, part: &str, at_name: bool, broken: &Break) {
        self.refuse(&At { document: &now.document, pointer: within(new, part), at_name }, new, broken);
    }

    fn key(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let shown = |key: &OneOrMany<FieldName>| key.as_slice().iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
        let (before, after) = (&old.entity.key, &new.entity.key);
        if before.as_slice() != after.as_slice() {
            let what = format!("the key is {} in place of {}", shown(after), shown(before));
            self.refuse_at(
                new,
                now,
                "key",
                false,
                &Break::new(Whom::Everyone, what, "the keys that they hold name other records, or none"),
            );
            return;
        }
        let key = before.as_slice();
        for change in changes(&old.schema, key, &new.schema, key).iter().filter(|change| change.breaks_writers) {
            let what = format!("the key `{}` {}{}", field_of(&change.pointer), change.message, renamed(&old.schema, &new.schema));
            let broken = Break::new(Whom::Everyone, what, "a key that was taken is refused");
            self.refuse(&place(change, &old.schema, &new.schema, &now.document), new, &broken);
        }
    }

    /// What is answered: the schema, as far as fields are made.
    fn answered(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let found = changes(&old.schema, &old.fields(), &new.schema, &new.fields());
        for change in found.iter().filter(|change| change.breaks_readers) {
            let field = field_of(&change.pointer);
            if is_unmapped(change, &new.schema) {
                let broken = Break::new(Whom::Readers, format!("`{field}` is answered no longer"), MISSING);
                self.refuse_at(new, now, "fields", true, &broken);
                continue;
            }
            let what = said(&field, change) + &renamed(&old.schema, &new.schema);
            let broken = Break::new(Whom::Readers, what, why_for_readers(change.kind));
            self.refuse(&place(change, &old.schema, &new.schema, &now.document), new, &broken);
        }
    }

    fn binary(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let media_type = |field: &Field| match field {
            Field::Rule(rule) => rule.binary.as_ref().map(|binary| binary.media_type.clone()),
            Field::Source(_) => None,
        };
        for (name, field) in old.entity.fields.iter().filter(|(_, field)| is_binary(field)) {
            match new.entity.fields.get(name) {
                Some(present) if media_type(present) == media_type(field) => {}
                Some(present) if is_binary(present) => {
                    let broken = Break::new(
                        Whom::Readers,
                        format!("`{name}` has another media type"),
                        "they cannot read what they are given",
                    );
                    let at = At { document: &now.document, pointer: field_place(new, name.as_str()), at_name: false };
                    self.refuse(&at, new, &broken);
                }
                _ => {
                    let broken = Break::new(Whom::Readers, format!("the binary field `{name}` is answered no longer"), MISSING);
                    self.refuse_at(new, now, "fields", true, &broken);
                }
            }
        }
    }

    fn operations(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let withdrawn = |operation: &Operation| {
            *operation != Operation::Act && old.entity.offers(*operation) && !new.entity.offers(*operation)
        };
        for operation in Operation::ALL.into_iter().filter(withdrawn) {
            let whom = if operation.is_change() { Whom::Writers } else { Whom::Readers };
            let broken = Break::new(whom, format!("the operation `{operation}` is withdrawn"), "their calls are refused");
            self.refuse_at(new, now, "operations", true, &broken);
        }
    }

    fn filters(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let (Some(before), Some(after)) = (&old.entity.operations.search, &new.entity.operations.search) else { return };
        let present = after.by.rules();
        for (field, comparisons, _) in before.by.rules() {
            let known = present.iter().find(|(own, ..)| *own == field).map_or(&[][..], |(_, comparisons, _)| comparisons);
            let gone: Vec<&str> = comparisons.iter().filter(|own| !known.contains(own)).map(|own| own.as_str()).collect();
            if gone.is_empty() {
                continue;
            }
            let what = if known.is_empty() {
                format!("the filter `{field}` is withdrawn")
            } else {
                format!("the filter `{field}` can no longer be compared by {}", gone.join(", "))
            };
            let broken = Break::new(Whom::Readers, what, "their searches are refused");
            self.refuse_at(new, now, "operations/search/by", true, &broken);
        }
    }

    /// How much can be asked for at once, where, and at which version.
    fn bounds(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let keys = |operations: &Operations| operations.read.as_ref().map(|read| read.max_keys);
        let page = |operations: &Operations| operations.search.as_ref().map(|search| search.max);
        let (before, after) = (&old.entity.operations, &new.entity.operations);
        for (what, part, before, after) in [
            ("keys in one call", "operations/read/max_keys", keys(before), keys(after)),
            ("records on a page", "operations/search/max", page(before), page(after)),
        ] {
            if let (Some(before), Some(after)) = (before, after)
                && after < before
            {
                let what = format!("there can be {after} {what} where {before} could be");
                self.refuse_at(new, now, part, false, &Break::new(Whom::Readers, what, "who asks for more is refused"));
            }
        }
        if old.entity.identifiers_in_url && !new.entity.identifiers_in_url {
            let what = "identifiers may no longer stand in a URL";
            let broken = Break::new(Whom::Readers, what, "their reads and searches by GET are refused");
            self.refuse_at(new, now, "identifiers_in_url", false, &broken);
        }
        if old.entity.version.is_some() && new.entity.version.is_none() {
            let what = "records have no version any more";
            self.refuse_at(new, now, "version", true, &Break::new(Whom::Writers, what, "a change with `If-Match` is refused"));
        }
    }

    /// What an operation takes.
    fn written(&mut self, operation: Operation, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        let (Some(before), Some(after)) = (spec(&old.entity.operations, operation), spec(&new.entity.operations, operation))
        else {
            return;
        };
        let part = format!("operations/{operation}/fields");
        let withdrawn: Vec<&FieldName> =
            before.fields.iter().filter(|field| !after.fields.iter().any(|own| own.covers(field))).collect();
        for field in &withdrawn {
            let what = format!("`{field}` can no longer be written by `{operation}`");
            self.refuse_at(new, now, &part, true, &Break::new(Whom::Writers, what, REFUSED));
        }
        let with_key = |fields: &[FieldName], of: &Offered| [fields, of.entity.key.as_slice()].concat();
        let found = changes(&old.schema, &with_key(&before.fields, old), &new.schema, &with_key(&after.fields, new));
        for change in found.iter().filter(|change| change.breaks_writers) {
            let field = field_of(&change.pointer);
            let is_told = withdrawn.iter().any(|own| FieldName::new(&field).is_ok_and(|field| own.covers(&field)));
            let is_of_key = old.entity.key.as_slice().iter().any(|own| own.as_str() == field);
            // A patch says nothing of what it leaves out.
            let is_idle = operation == Operation::Update && change.kind == ChangeKind::RequirementAdded;
            if is_told || is_idle || is_of_key {
                continue;
            }
            let what = format!("{}, in what `{operation}` takes{}", demanded(&field, change), renamed(&old.schema, &new.schema));
            self.refuse(&place(change, &old.schema, &new.schema, &now.document), new, &Break::new(Whom::Writers, what, REFUSED));
        }
    }
}

/// What becomes of readers.
pub(super) const MISSING: &str = "they find it missing";
/// What becomes of writers.
pub(super) const REFUSED: &str = "what was taken is refused";

/// A difference with the field that it is of, as readers see it.
pub(super) fn said(field: &str, change: &Change) -> String {
    match change.kind {
        // These messages name the member themselves.
        ChangeKind::PropertyRemoved
        | ChangeKind::PropertyAdded
        | ChangeKind::RequirementDropped
        | ChangeKind::RequirementAdded => {
            let own = change.pointer.rsplit('/').next().unwrap_or_default();
            change.message.replacen(&format!("`{own}`"), &format!("`{field}`"), 1)
        }
        _ if field.is_empty() => format!("the record: {}", change.message),
        _ => format!("`{field}` {}", change.message),
    }
}

/// A difference as writers see it.
pub(super) fn demanded(field: &str, change: &Change) -> String {
    match change.kind {
        ChangeKind::RequirementAdded => format!("`{field}` must be sent"),
        ChangeKind::PropertyRemoved => format!("`{field}` is taken no longer"),
        _ => said(field, change),
    }
}

pub(super) const fn why_for_readers(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::PropertyRemoved | ChangeKind::RequirementDropped => MISSING,
        ChangeKind::ValueAdded => "they meet a value that was on no list",
        ChangeKind::TypeWidened => "they meet a type that they do not expect",
        _ => "they meet what could not occur before",
    }
}

fn spec(operations: &Operations, operation: Operation) -> Option<&WriteSpec> {
    match operation {
        Operation::Create => operations.create.as_ref(),
        Operation::Replace => operations.replace.as_ref(),
        Operation::Update => operations.update.as_ref(),
        _ => None,
    }
}
