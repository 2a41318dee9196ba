//! Where the values of placeholders come from.

use std::borrow::Cow;

use rabita_model::Comparison;

use super::Word;
use crate::paging::Place;
use crate::{Act, Call, Change, ChangeKind, EntitySpec, Legacy, Row, Search, Source};

/// Where the values of placeholders come from.
pub trait Values: Send + Sync {
    /// The value, if it is given at all.
    fn value(&self, word: &Word) -> Given<'_>;
}

/// The value of a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Given<'a> {
    /// A value, null included.
    Value(Cow<'a, Legacy>),
    /// There is none.
    Nothing,
    /// There is none because the change leaves this as it is, so that it must not be written at all.
    Untouched,
}

impl<'a> Given<'a> {
    fn perhaps(value: Option<Cow<'a, Legacy>>) -> Self {
        value.map_or(Self::Nothing, Self::Value)
    }
}

/// Values of a row by source, for what has no other words.
impl Values for Row {
    fn value(&self, word: &Word) -> Given<'_> {
        match word {
            Word::Source(name) => Given::perhaps(self.find(&Source::new(name)).map(Cow::Borrowed)),
            _ => Given::Nothing,
        }
    }
}

/// Values beside which the exchange's id is known.
pub struct WithCall<'a> {
    pub values: &'a dyn Values,
    pub call: &'a Call,
}

impl Values for WithCall<'_> {
    fn value(&self, word: &Word) -> Given<'_> {
        match word {
            Word::Exchange => Given::Value(Cow::Owned(Legacy::Text(self.call.exchange.to_string()))),
            word => self.values.value(word),
        }
    }
}

/// The values of a search: its conditions, and the place where its page begins.
pub struct OfSearch<'a> {
    pub ask: &'a Search,
    pub place: &'a Place,
}

impl Values for OfSearch<'_> {
    fn value(&self, word: &Word) -> Given<'_> {
        let condition = |source: &str, comparison| {
            let mut own = self.ask.conditions.iter();
            own.find(|own| own.source.as_str() == source && own.comparison == comparison)
        };
        let count = |number: usize| i64::try_from(number).ok().map(|number| Cow::Owned(Legacy::Int(number)));
        Given::perhaps(match word {
            Word::Source(source) => condition(source, Comparison::Equals).map(|own| Cow::Borrowed(&own.value)),
            Word::Filter(source, comparison) => condition(source, *comparison).map(|own| Cow::Borrowed(&own.value)),
            Word::Limit => count(self.place.limit),
            Word::Offset | Word::Page => self.place.at.parse().ok().and_then(count),
            Word::Cursor if !self.place.at.is_empty() => Some(Cow::Owned(Legacy::Text(self.place.at.clone()))),
            _ => None,
        })
    }
}

/// The values of an action: its own, then those of the record's key.
pub struct OfAct<'a> {
    pub spec: &'a EntitySpec,
    pub act: &'a Act,
}

impl Values for OfAct<'_> {
    fn value(&self, word: &Word) -> Given<'_> {
        Given::perhaps(match word {
            Word::Source(source) => {
                let of_key = || of_key(self.spec, &self.act.key, source);
                self.act.values.find(&Source::new(source)).or_else(of_key).map(Cow::Borrowed)
            }
            Word::MessageId => Some(Cow::Owned(Legacy::Text(self.act.id.to_string()))),
            Word::Version => self.act.expected_version.as_ref().map(Cow::Borrowed),
            _ => None,
        })
    }
}

/// The values of a change, then those of the record's key. What an update does not name is untouched.
pub struct OfChange<'a> {
    pub spec: &'a EntitySpec,
    pub change: &'a Change,
}

impl Values for OfChange<'_> {
    fn value(&self, word: &Word) -> Given<'_> {
        Given::perhaps(match word {
            Word::Source(source) => {
                let of_key = || of_key(self.spec, &self.change.key, source);
                let value = self.change.values.find(&Source::new(source)).or_else(of_key);
                if value.is_none() && self.change.kind == ChangeKind::Update {
                    return Given::Untouched;
                }
                value.map(Cow::Borrowed)
            }
            Word::MessageId => Some(Cow::Owned(Legacy::Text(self.change.id.to_string()))),
            Word::Version => self.change.expected_version.as_ref().map(Cow::Borrowed),
            _ => None,
        })
    }
}

fn of_key<'a>(spec: &EntitySpec, key: &'a [Legacy], source: &str) -> Option<&'a Legacy> {
    let place = spec.key.iter().position(|own| own.as_str() == source)?;
    key.get(place)
}
