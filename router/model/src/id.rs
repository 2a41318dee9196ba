//! Identifiers. Each is its own type, so that a registry's name can't be passed where a system's is meant.

use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is {expected}")]
pub struct BadId {
    /// What would have been right, for a person.
    pub expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $pattern:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes a text for the identifier, or says what would have been one.
            ///
            /// # Errors
            /// When the text does not have the form of this identifier.
            pub fn new(text: &str) -> Result<Self, BadId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(BadId { expected: $expected }) }
            }

            /// The identifier as it stands in configuration, URLs, logs and metrics.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.0.to_string()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "patternErrorMessage": $expected, "description": $expected })
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A public body that owns registries and systems.
    AgencyId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A registry: an agency's system of record.
    RegistryId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A system: software that calls the bus.
    SystemId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A host: runs connectors within an agency's network, and dials out to the bus.
    HostId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A purpose for which data is asked: the word of a legal basis, such as `birth-registration`.
    Purpose, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A law or other act on which purposes rest, such as `civil-status-act-12`.
    BasisId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// A group of systems that grants can name together.
    GroupId, "^[a-z][a-z0-9-]{0,63}$", "lower-case letters, digits and `-`, beginning with a letter, at most 64", is_slug
);
name!(
    /// An entity of a contract, such as `persons`.
    EntityName, "^[a-z][a-z0-9_-]{0,63}$", "lower-case letters, digits, `_` and `-`, beginning with a letter, at most 64", is_entity
);
name!(
    /// A named action of an entity, such as `revoke`.
    ActionName, "^[a-z][a-z0-9_-]{0,63}$", "lower-case letters, digits, `_` and `-`, beginning with a letter, at most 64", is_entity
);
name!(
    /// A contract field, as a dotted path from the record's root: `name.family`.
    FieldName, "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$", "members joined by `.`, each of letters, digits, `_` and `-`", is_field
);

const NAME_MAX: usize = 64;
const FIELD_MAX: usize = 200;

fn is_slug(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_entity(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn is_field(text: &str) -> bool {
    text.len() <= FIELD_MAX
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'))
}

impl FieldName {
    /// The members of the path, outermost first.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether this names `other` or something that `other` lies within: `name` covers `name.family`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The field's value in a record, where it has one.
    #[must_use]
    pub fn value_in<'a>(&self, record: &'a Map<String, Value>) -> Option<&'a Value> {
        let mut members = self.members();
        let mut value = record.get(members.next()?)?;
        for member in members {
            value = value.get(member)?;
        }
        Some(value)
    }

    /// The field as a JSON Pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> String {
        // A field's members hold neither `~` nor `/`, so nothing needs escaping.
        format!("/{}", self.0.replace('.', "/"))
    }
}

/// A version of a contract: `v1`, `v2`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(u16);

impl Version {
    /// Takes `v` and a number from 1 to 65535 without leading zeros.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn new(text: &str) -> Result<Self, BadId> {
        let number =
            text.strip_prefix('v').filter(|digits| !digits.starts_with('0')).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        number.and_then(|digits| digits.parse().ok()).map(Self).ok_or(BadId { expected: "`v` and a number, such as `v1`" })
    }

    /// The version's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<String> for Version {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::new(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^v[1-9][0-9]{0,4}$", "patternErrorMessage": "`v` and a number, such as `v1`", "description": "`v` and a number, such as `v1`" })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(uuid::Uuid);

        impl $type {
            /// Wraps a UUID that the binary drew.
            #[must_use]
            pub const fn new(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.parse().map(Self).map_err(|_| BadId { expected: "a UUID, such as 01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e" })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id!(
    /// One request and its answer. A UUID version 7, so that ids sort by time (RFC 9562).
    ExchangeId
);
uuid_id!(
    /// One accepted update, and the id of its change at the registry. A UUID version 7.
    UpdateId
);
uuid_id!(
    /// One event. A UUID version 7.
    EventId
);
uuid_id!(
    /// One subscription of a caller to events. A UUID version 7.
    SubscriptionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_forms_it_states_and_no_other() {
        assert!(RegistryId::new("population").is_ok());
        for bad in ["", "Population", "9lives", "a b", "a/b", "ə", &"a".repeat(65)] {
            assert!(RegistryId::new(bad).is_err(), "{bad:?}");
        }
        assert!(FieldName::new("name.family").is_ok());
        for bad in ["", ".", "a.", ".a", "a..b", "a/b", "a~b"] {
            assert!(FieldName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Version::new("v12").map(|v| v.to_string()), Ok("v12".to_owned()));
        for bad in ["", "1", "v0", "v01", "v", "v1x", "v99999"] {
            assert!(Version::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_field_covers_what_lies_within_it_and_nothing_that_merely_begins_alike() {
        let field = |text| FieldName::new(text).expect("a field");
        assert!(field("name").covers(&field("name.family")));
        assert!(field("name").covers(&field("name")));
        assert!(!field("name").covers(&field("names")));
        assert!(!field("name.family").covers(&field("name")));
    }
}
