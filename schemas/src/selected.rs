//! A selection of fields, in the form in which it is asked many times.

use rabita_model::FieldName;
use serde_json::{Map, Value};

/// The fields that a grant or a request leaves of a record. Cheap to make: one pass over the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedFields(pub(crate) Part);

/// What is selected at one place of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All that is there.
    Whole,
    /// Of an object these members. Few enough for a search from the front.
    Members(Vec<(Box<str>, Part)>),
}

impl SelectedFields {
    /// Every field.
    #[must_use]
    pub const fn all() -> Self {
        Self(Part::Whole)
    }

    /// These fields; each covers what lies within it. No names: nothing at all.
    #[must_use]
    pub fn new(fields: &[FieldName]) -> Self {
        let mut root = Part::Members(Vec::new());
        for field in fields {
            root.add(field.members());
        }
        Self(root)
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0 == Part::Whole
    }

    /// Whether the whole of a field is selected.
    #[must_use]
    pub fn covers(&self, field: &FieldName) -> bool {
        let mut part = &self.0;
        for member in field.members() {
            match part.get(member) {
                Some(within) => part = within,
                None => return false,
            }
        }
        *part == Part::Whole
    }

    /// The selected part of a record. What is selected within something that is no object, or leaves nothing of one,
    /// falls away.
    #[must_use]
    pub fn project(&self, record: &Value) -> Value {
        match (&self.0, record) {
            (Part::Whole, whole) => whole.clone(),
            (Part::Members(_), Value::Object(members)) => Value::Object(self.0.of_object(members)),
            (Part::Members(_), _) => Value::Object(Map::new()),
        }
    }
}

impl Part {
    /// What is selected within a member, if anything.
    pub(crate) fn get(&self, member: &str) -> Option<&Self> {
        match self {
            Self::Whole => Some(self),
            Self::Members(members) => members.iter().find(|(name, _)| &**name == member).map(|(_, part)| part),
        }
    }

    fn add<'a>(&mut self, mut path: impl Iterator<Item = &'a str>) {
        let Some(member) = path.next() else {
            *self = Self::Whole;
            return;
        };
        let Self::Members(members) = self else { return };
        let place = members.iter().position(|(name, _)| &**name == member).unwrap_or_else(|| {
            members.push((member.into(), Self::Members(Vec::new())));
            members.len() - 1
        });
        members[place].1.add(path);
    }

    fn of_object(&self, object: &Map<String, Value>) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in object {
            match (self.get(name), value) {
                (Some(Self::Whole), _) => {
                    kept.insert(name.clone(), value.clone());
                }
                (Some(part), Value::Object(members)) => {
                    let within = part.of_object(members);
                    if !within.is_empty() {
                        kept.insert(name.clone(), Value::Object(within));
                    }
                }
                _ => {}
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(names: &[&str]) -> Vec<FieldName> {
        names.iter().map(|name| FieldName::new(name).expect("a field")).collect()
    }

    #[test]
    fn a_field_covers_what_lies_within_it_in_whatever_order_the_names_come() {
        for names in [["name", "name.family"], ["name.family", "name"]] {
            let selected = SelectedFields::new(&fields(&names));
            assert!(selected.covers(&fields(&["name.given"])[0]));
            assert!(selected.covers(&fields(&["name"])[0]));
            assert!(!selected.covers(&fields(&["pin"])[0]));
        }
        let selected = SelectedFields::new(&fields(&["name.family"]));
        assert!(!selected.covers(&fields(&["name"])[0]) && !selected.covers(&fields(&["name.given"])[0]));
    }

    #[test]
    fn keeps_the_selected_part_and_nothing_else() {
        let record =
            json!({ "pin": "1", "name": { "family": "A", "given": "B" }, "home": null, "owners": [{ "pin": "2" }], "note": {} });
        let project = |names: &[&str]| SelectedFields::new(&fields(names)).project(&record);
        assert_eq!(project(&["name.family", "pin"]), json!({ "pin": "1", "name": { "family": "A" } }));
        assert_eq!(project(&["name"]), json!({ "name": { "family": "A", "given": "B" } }));
        assert_eq!(project(&["name.patronymic", "home.city", "owners.pin"]), json!({}));
        assert_eq!(project(&["home", "owners", "note"]), json!({ "home": null, "owners": [{ "pin": "2" }], "note": {} }));
        assert_eq!(project(&[]), json!({}));
        assert_eq!(SelectedFields::all().project(&record), record);
    }
}
