//! An update: a change of a record on its way to the registry, and how it stands.
//!
//! An [`Update`] is what the journal holds durably; an [`Entry`] is the update with all that is known of its way. Once
//! an update is concluded its [`Payload`] is gone: the journal keeps no record longer than it needs it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ask::Key;
use crate::{ActionName, Code, ExchangeId, FieldName, Operation, Purpose, SystemId, Target, UpdateId};

/// What is to be done with a record, in the contract's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum Change {
    /// A new record; its key is among its fields.
    Create { record: Map<String, Value> },
    /// A whole record in place of another.
    Replace { key: Key, record: Map<String, Value> },
    /// Some fields of a record: a merge patch (RFC 7396).
    Update { key: Key, patch: Map<String, Value> },
    /// The end of a record.
    Delete { key: Key },
    /// A named action on a record.
    Act { key: Key, action: ActionName, input: Map<String, Value> },
}

impl Change {
    /// The operation that a grant has to permit.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Create { .. } => Operation::Create,
            Self::Replace { .. } => Operation::Replace,
            Self::Update { .. } => Operation::Update,
            Self::Delete { .. } => Operation::Delete,
            Self::Act { .. } => Operation::Act,
        }
    }

    /// The action, where it is one.
    #[must_use]
    pub const fn action(&self) -> Option<&ActionName> {
        match self {
            Self::Act { action, .. } => Some(action),
            _ => None,
        }
    }

    /// The record's key, where it is given by itself.
    #[must_use]
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Create { .. } => None,
            Self::Replace { key, .. } | Self::Update { key, .. } | Self::Delete { key } | Self::Act { key, .. } => Some(key),
        }
    }
}

/// An accepted change. Everything but the payload may be shown to operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    pub id: UpdateId,
    pub target: Target,
    pub operation: Operation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// Names the record within its registry without telling its key: 64 hexadecimal digits. Updates with the same
    /// name are applied in the order of acceptance.
    pub record: String,
    pub system: SystemId,
    /// The caller's name for the change.
    pub idempotency_key: String,
    /// The SHA-256 of what was submitted under the idempotency key: 64 hexadecimal digits.
    pub digest: String,
    /// The exchange that brought it.
    pub exchange: ExchangeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub accepted_at: Timestamp,
    /// The latest time at which it may be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_until: Option<Timestamp>,
    /// What is to be done; gone once it is concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    pub change: Change,
    /// The version that the record must have, as the legacy system writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<Value>,
    /// Whether the record that the change makes was held against its schema as a whole when it was accepted.
    pub is_whole: bool,
}

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The registry has it.
    Applied,
    /// The registry, or an operator, said no.
    Refused,
    /// The record was at another version, or was there already.
    Conflicted,
    /// Its latest time passed before it could be applied.
    Expired,
}

/// The end of an update. There is one, and it never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    pub outcome: Outcome,
    pub at: Timestamp,
    /// How often the registry was asked to apply it.
    #[serde(default)]
    pub attempts: u32,
    /// Why, unless it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// A reason that the registry gave for callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything that was wrong with it, where the record itself was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Told>,
    /// What an action answered, in the contract's terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
}

/// A fault as it is kept: [`crate::Fault`] without the promise that its code is one of this build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub pointer: String,
    pub code: String,
    pub message: String,
}

/// What came in the way of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub code: Code,
    /// For operators. Holds no payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How far an update has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// How often the registry was asked to apply it.
    pub attempts: u32,
    /// Whether an attempt may have been applied without the bus knowing.
    pub is_in_doubt: bool,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// What came in the way last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// An update and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub update: Update,
    /// How often a person sent it on its way again after it was parked.
    pub generation: u32,
    pub progress: Progress,
    /// Whether it waits for a person.
    pub is_parked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
}

impl Entry {
    /// An update that was just accepted.
    #[must_use]
    pub fn new(update: Update) -> Self {
        Self { update, generation: 0, progress: Progress::default(), is_parked: false, conclusion: None }
    }

    /// How often the registry was asked to apply it.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.conclusion.as_ref().map_or(0, |conclusion| conclusion.attempts).max(self.progress.attempts)
    }

    /// How it stands, in one word.
    #[must_use]
    pub const fn state(&self) -> State {
        match &self.conclusion {
            Some(conclusion) => match conclusion.outcome {
                Outcome::Applied => State::Applied,
                Outcome::Refused => State::Refused,
                Outcome::Conflicted => State::Conflicted,
                Outcome::Expired => State::Expired,
            },
            None if self.is_parked => State::Parked,
            None if self.progress.trouble.is_some() => State::Retrying,
            None => State::Accepted,
        }
    }
}

/// How an update stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// On its way, and nothing came in its way yet.
    Accepted,
    /// On its way again after something came in its way.
    Retrying,
    /// Waiting for a person.
    Parked,
    Applied,
    Refused,
    Conflicted,
    Expired,
}

impl State {
    /// Every state, in the order of an update's life.
    pub const ALL: [Self; 7] =
        [Self::Accepted, Self::Retrying, Self::Parked, Self::Applied, Self::Refused, Self::Conflicted, Self::Expired];

    /// The word in answers, commands and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Conflicted => "conflicted",
            Self::Expired => "expired",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether the update has ended.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Applied | Self::Refused | Self::Conflicted | Self::Expired)
    }
}

/// The top-level and nested fields that a merge patch names: a member whose value is no object is one field.
#[must_use]
pub fn patched_fields(patch: &Map<String, Value>) -> Vec<FieldName> {
    let mut fields = Vec::new();
    collect("", patch, &mut fields);
    fields
}

fn collect(path: &str, part: &Map<String, Value>, fields: &mut Vec<FieldName>) {
    for (member, value) in part {
        let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => collect(&path, inner, fields),
            _ => fields.extend(FieldName::new(&path)),
        }
    }
}

/// Merges a patch into a record, as RFC 7396 has it: null takes a member away, an object is merged, anything else is set.
pub fn merge_patch(record: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (member, value) in patch {
        match value {
            Value::Null => _ = record.shift_remove(member),
            Value::Object(inner) => {
                let own = record.entry(member).or_insert_with(|| Value::Object(Map::new()));
                if !own.is_object() {
                    *own = Value::Object(Map::new());
                }
                if let Value::Object(own) = own {
                    merge_patch(own, inner);
                }
            }
            value => _ = record.insert(member.clone(), value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    #[test]
    fn merges_as_the_examples_of_rfc_7396_do() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": "foo"}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
        ];
        for (record, patch, merged) in cases {
            let mut record = object(record);
            merge_patch(&mut record, &object(patch));
            assert_eq!(Value::Object(record), merged);
        }
    }

    #[test]
    fn names_the_fields_that_a_patch_touches() {
        let patch = object(json!({"name": {"family": "X", "given": null}, "sex": null, "tags": [], "note": {}}));
        let fields: Vec<String> = patched_fields(&patch).iter().map(ToString::to_string).collect();
        assert_eq!(fields, ["name.family", "name.given", "sex", "tags", "note"]);
    }
}
