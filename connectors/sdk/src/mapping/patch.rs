//! Merge patches (RFC 7396) in the terms of a mapping: which fields they touch, and what these are as a whole.

use serde_json::{Map, Value};

use super::{Mapping, insert, value_at};

impl Mapping {
    /// Whether a patch touches a field that is only written as a whole, of which it gives but a part: then the record
    /// as it is now has to be read first.
    #[must_use]
    pub fn needs_current(&self, patch: &Map<String, Value>) -> bool {
        // What is no object replaces the whole field (RFC 7396).
        self.fields.iter().any(|field| value_at(patch, &field.members).is_some_and(Value::is_object))
    }

    /// Each field that a patch touches, with its whole value after the patch is merged into the record as it is now.
    /// Members that are no part of a field stay as the patch has them, so that [`Mapping::encode`] refuses them.
    #[must_use]
    pub fn completed(&self, patch: &Map<String, Value>, current: &Map<String, Value>) -> Map<String, Value> {
        let mut completed = patch.clone();
        let mut merged = current.clone();
        merge(&mut merged, patch);
        for field in &self.fields {
            if value_at(patch, &field.members).is_some_and(Value::is_object) {
                let whole = value_at(&merged, &field.members).cloned().unwrap_or_default();
                insert(&mut completed, &field.members, whole);
            }
        }
        completed
    }

    /// The values of a record's key, or `None` when the record lacks one of them.
    #[must_use]
    pub fn record_key(&self, record: &Map<String, Value>) -> Option<Vec<Value>> {
        let value = |at: &usize| value_at(record, &self.fields[*at].members).filter(|value| !value.is_null()).cloned();
        self.key.iter().map(value).collect()
    }
}

/// Merges a patch into an object (RFC 7396, section 2).
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (member, value) in patch {
        match value {
            Value::Null => _ = target.remove(member),
            Value::Object(inner) => {
                let own = target.entry(member.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !own.is_object() {
                    *own = Value::Object(Map::new());
                }
                if let Value::Object(own) = own {
                    merge(own, inner);
                }
            }
            value => _ = target.insert(member.clone(), value.clone()),
        }
    }
}
