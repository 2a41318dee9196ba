//! The differences of two schemas that callers feel, and where they stand in the present configuration.

use rabita_model::FieldName;
use rabita_schemas::{Change, ChangeKind, compare, cut};

use super::At;
use super::offered::OfferedSchema;
use crate::document::Document;

/// Keywords that say something of several members at once: they are lost where a schema is cut.
const OF_SEVERAL: [&str; 8] =
    ["dependentRequired", "dependentSchemas", "else", "if", "minProperties", "patternProperties", "propertyNames", "then"];

/// The differences of two schemas, as far as these fields of the old and of the new go.
pub(super) fn changes(old: &OfferedSchema, of_old: &[FieldName], new: &OfferedSchema, of_new: &[FieldName]) -> Vec<Change> {
    let (before, after) = (old.schema.document(), new.schema.document());
    let mut changes = compare(&cut(before, of_old), &cut(after, of_new));
    let of_several = |change: &Change| change.pointer.rsplit('/').next().is_some_and(|last| OF_SEVERAL.contains(&last));
    changes.extend(compare(before, after).into_iter().filter(of_several));
    changes
}

/// The field that a place in a schema belongs to: `name.family` of `/properties/name/properties/family/pattern`. The
/// members of a list's items count as the list.
pub(super) fn field_of(pointer: &str) -> String {
    let mut names = Vec::new();
    let mut tokens = pointer.split('/').skip(1);
    while let (Some("properties"), Some(name)) = (tokens.next(), tokens.next()) {
        names.push(name.replace("~1", "/").replace("~0", "~"));
    }
    names.join(".")
}

/// Whether a field is gone because nothing makes it any more, though the schema still has it.
pub(super) fn is_unmapped(change: &Change, new: &OfferedSchema) -> bool {
    let name = FieldName::new(&field_of(&change.pointer));
    change.kind == ChangeKind::PropertyRemoved && name.is_ok_and(|name| new.schema.field(&name).is_some())
}

/// Where a difference stands: in the schema's own file, in the manifest, or where the manifest names the schema.
pub(super) fn place<'a>(change: &Change, old: &OfferedSchema, new: &'a OfferedSchema, manifest: &'a Document) -> At<'a> {
    match (&new.file, &new.name) {
        (Some(file), name) if *name == old.name => At { document: file, pointer: change.pointer.clone(), at_name: true },
        (_, Some(_)) => At { document: manifest, pointer: new.pointer.clone(), at_name: false },
        (_, None) => At { document: manifest, pointer: format!("{}{}", new.pointer, change.pointer), at_name: true },
    }
}

/// Which schema stands in place of which, where that is another.
pub(super) fn renamed(old: &OfferedSchema, new: &OfferedSchema) -> String {
    match (&old.name, &new.name) {
        (Some(old), Some(new)) if old != new => format!(" (`{new}` in place of `{old}`)"),
        _ => String::new(),
    }
}
