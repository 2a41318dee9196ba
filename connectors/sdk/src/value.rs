//! Legacy values, as a connector found them: before any codec.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of a legacy system.
///
/// Numbers that fit neither `i64` nor `f64` without loss, and exact decimals, are `Text` in plain decimal notation.
/// Dates and times that the legacy system knows as such are `Text` in ISO 8601.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Legacy {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Legacy>),
    Group(Row),
}

impl Legacy {
    /// Whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The kind of value, as error texts name it. Never the value itself.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Group(_) => "a group",
        }
    }

    /// A scalar as text, as a person would write it; `None` for null, bytes, lists and groups.
    #[must_use]
    pub fn to_text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(text.as_str().into()),
            Self::Int(number) => Some(number.to_string().into()),
            Self::Float(number) => Some(number.to_string().into()),
            Self::Bool(truth) => Some(if *truth { "true" } else { "false" }.into()),
            Self::Null | Self::Bytes(_) | Self::List(_) | Self::Group(_) => None,
        }
    }
}

impl From<&str> for Legacy {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Legacy {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// Named legacy values: a row of a table, an object, an element. Keeps the order in which they were given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row(Vec<(Arc<str>, Legacy)>);

impl Row {
    /// An empty row.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An empty row with room for so many values.
    #[must_use]
    pub fn with_capacity(values: usize) -> Self {
        Self(Vec::with_capacity(values))
    }

    /// Adds a value. A name is not given twice; the first holds.
    pub fn push(&mut self, name: impl Into<Arc<str>>, value: Legacy) {
        self.0.push((name.into(), value));
    }

    /// Puts a value in the place of the one of this name, or adds it.
    pub fn set(&mut self, name: &str, value: Legacy) {
        match self.0.iter_mut().find(|(own, _)| &**own == name) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    /// The value of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Legacy> {
        self.0.iter().find(|(own, _)| &**own == name).map(|(_, value)| value)
    }

    /// The value of exactly this name, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Legacy> {
        self.0.iter_mut().find(|(own, _)| &**own == name).map(|(_, value)| value)
    }

    /// The value that a source names: by its whole text, else by walking its members through groups.
    #[must_use]
    pub fn find(&self, source: &Source) -> Option<&Legacy> {
        if let Some(value) = self.get(source.as_str()) {
            return Some(value);
        }
        let mut members = source.members();
        let mut value = self.get(members.next()?)?;
        for member in members {
            let Legacy::Group(group) = value else { return None };
            value = group.get(member)?;
        }
        Some(value)
    }

    /// Sets the value that a source names, making the groups on the way.
    pub fn put(&mut self, source: &Source, value: Legacy) {
        let mut members = source.members().peekable();
        let mut row = self;
        while let Some(member) = members.next() {
            if members.peek().is_none() {
                row.set(member, value);
                return;
            }
            if !matches!(row.get(member), Some(Legacy::Group(_))) {
                row.set(member, Legacy::Group(Self::new()));
            }
            let Some(Legacy::Group(inner)) = row.get_mut(member) else { return };
            row = inner;
        }
    }

    /// The values with their names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Legacy)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Legacy)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, Legacy)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// The name of a legacy value: a column (`SOYAD`, `a.postcode`), or the members on the way to it joined by `.`
/// (`address.postcode`; an XML attribute is `@name`, an element's own text beside attributes `#text`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Source(#[schemars(with = "String", length(min = 1))] Arc<str>);

impl Source {
    /// A source of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as the manifest gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, to share.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The members on the way to the value, outermost first.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Bytes become Base64 text: JSON knows no bytes.
impl Serialize for Legacy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes)),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Group(row) => row.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Legacy::deserialize(deserializer)? {
            Legacy::Group(row) => Ok(row),
            other => Err(serde::de::Error::custom(format_args!("expected an object, found {}", other.kind()))),
        }
    }
}

impl<'de> Deserialize<'de> for Legacy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// Up to so many members a search through them is quickest. An answer with a million must not take a search for each.
const NARROW: usize = 64;

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Legacy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Legacy, E> {
        Ok(Legacy::Null)
    }

    fn visit_none<E>(self) -> Result<Legacy, E> {
        Ok(Legacy::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Legacy, D::Error> {
        Legacy::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Legacy, E> {
        Ok(Legacy::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Legacy, E> {
        Ok(Legacy::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Legacy, E> {
        Ok(i64::try_from(number).map_or_else(|_| Legacy::Text(number.to_string()), Legacy::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Legacy, E> {
        Ok(Legacy::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Legacy, E> {
        Ok(Legacy::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Legacy, E> {
        Ok(Legacy::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Legacy, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Legacy::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Legacy, A::Error> {
        let mut row = Row::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        while let Some((Name(name), value)) = members.next_entry::<Name, Legacy>()? {
            if row.len() < NARROW {
                match row.get_mut(&name) {
                    Some(old) => *old = value,
                    None => row.push(name, value),
                }
                continue;
            }
            if places.is_empty() {
                places.extend(row.0.iter().enumerate().map(|(place, (name, _))| (Arc::clone(name), place)));
            }
            match places.get(&name) {
                Some(place) => row.0[*place].1 = value,
                None => {
                    places.insert(Arc::clone(&name), row.len());
                    row.push(name, value);
                }
            }
        }
        Ok(Legacy::Group(row))
    }
}

/// A member's name, which is shared from the start: a text in between would be one more allocation for each member.
struct Name(Arc<str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(text.into()))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_the_whole_name_first_and_then_member_by_member() {
        let row: Row = serde_json::from_str(r#"{"a.b": 1, "a": {"b": 2, "c": {"d": "x"}}}"#).expect("a row");
        assert_eq!(row.find(&Source::new("a.b")), Some(&Legacy::Int(1)));
        assert_eq!(row.find(&Source::new("a.c.d")), Some(&Legacy::Text("x".into())));
        assert_eq!(row.find(&Source::new("a.c.e")), None);
        assert_eq!(row.find(&Source::new("a.b.c")), None);
    }

    #[test]
    fn puts_a_value_through_groups_that_are_not_there_yet() {
        let mut row = Row::new();
        row.put(&Source::new("owner.name"), "Əliyeva".into());
        row.put(&Source::new("owner.age"), 7.into());
        assert_eq!(serde_json::to_string(&row).expect("JSON"), r#"{"owner":{"name":"Əliyeva","age":7}}"#);
    }

    #[test]
    fn keeps_a_number_that_no_integer_holds_as_text() {
        let value: Legacy = serde_json::from_str("18446744073709551615").expect("a value");
        assert_eq!(value, Legacy::Text("18446744073709551615".into()));
    }

    #[test]
    fn the_last_of_two_members_of_one_name_holds_in_a_wide_object_as_in_a_narrow_one() {
        for width in [1, 63, 64, 65, 300] {
            let members: String = (0..width).map(|number| format!(r#""m{number}":0,"#)).collect();
            let row: Row = serde_json::from_str(&format!(r#"{{{members}"m0":1,"new":2,"new":3}}"#)).expect("a row");
            assert_eq!((row.len(), row.get("m0"), row.get("new")), (width + 1, Some(&1.into()), Some(&3.into())), "{width}");
        }
    }
}
