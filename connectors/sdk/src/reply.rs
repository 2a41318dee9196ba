//! What a reply means, and where in it records are, as a manifest says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Applied, Failure, Legacy, Row};

/// What a word of the legacy system means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// It was done: no failure at all.
    Done,
    /// This change had been done before.
    Before,
    /// There is no such record.
    Absent,
    /// The record is there already, or has changed meanwhile.
    Conflict,
    /// The registry says no. The word is shown to the caller as the reason.
    Refused,
    /// The registry can't work now and has done nothing.
    Unavailable,
}

impl Meaning {
    /// What the meaning becomes: the failures of it are the same wherever it was said.
    ///
    /// # Errors
    /// For a refusal and for unavailability.
    pub fn or_failure(self, word: Option<&str>, detail: String) -> Result<Self, Failure> {
        match self {
            Self::Refused => Err(Failure::Refused { detail, reason: word.map(str::to_owned) }),
            Self::Unavailable => Err(Failure::unavailable(detail)),
            Self::Done | Self::Before | Self::Absent | Self::Conflict => Ok(self),
        }
    }

    /// How a change ended of which this was said and no failure.
    #[must_use]
    pub const fn applied(self) -> Applied {
        match self {
            Self::Before => Applied::Before,
            Self::Absent => Applied::Absent,
            Self::Conflict => Applied::Conflict,
            Self::Done | Self::Refused | Self::Unavailable => Applied::Done,
        }
    }
}

/// A word in the answer that says how the call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Where it is in the answer, as a dotted path.
    pub path: String,
    /// What each word means.
    pub words: BTreeMap<String, Meaning>,
    /// What every other word, or none, means.
    #[serde(default = "refused")]
    pub otherwise: Meaning,
    /// What it means where there is no word, if not the same as `otherwise`.
    #[serde(default)]
    pub missing: Option<Meaning>,
}

impl Status {
    /// What was said by this word, or by none.
    ///
    /// # Errors
    /// For a refusal and for unavailability.
    pub fn meaning(&self, word: Option<&str>) -> Result<Meaning, Failure> {
        let word = word.map(str::trim);
        match (word.and_then(|word| self.words.get_key_value(word)), self.missing) {
            (Some((word, meaning)), _) => meaning.or_failure(Some(word), format!("the status {word}")),
            (None, Some(missing)) if word.is_none() => missing.or_failure(None, "an answer without a status".to_owned()),
            (None, _) => self.otherwise.or_failure(None, "a status that the manifest does not name".to_owned()),
        }
    }
}

const fn refused() -> Meaning {
    Meaning::Refused
}

/// What it means when an answer has no list of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbsentRecords {
    /// It is no answer.
    #[default]
    Malformed,
    /// There are no records: HAL leaves out what is empty.
    Empty,
}

/// The members on the way from an answer's root to what is meant; none means the root.
#[derive(Debug, Clone, Default)]
pub struct Dotted(Vec<String>);

impl Dotted {
    /// Takes a path of members joined by `.`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.split('.').filter(|member| !member.is_empty()).map(str::to_owned).collect())
    }

    /// What is there, or nothing.
    #[must_use]
    pub fn find<'a>(&self, root: &'a mut Legacy) -> Option<&'a mut Legacy> {
        self.0.iter().try_fold(root, |value, member| match value {
            Legacy::Group(row) => row.get_mut(member),
            _ => None,
        })
    }

    /// A row put where this leads to, in groups made for it.
    #[must_use]
    pub fn wrap(&self, row: Row) -> Row {
        self.0.iter().rev().fold(row, |inner, member| {
            let mut outer = Row::with_capacity(1);
            outer.push(member.as_str(), Legacy::Group(inner));
            outer
        })
    }
}

/// The one record in an answer; `None` when null stands in its place.
///
/// # Errors
/// `Malformed` when there is something else.
pub fn record(mut whole: Legacy, at: &Dotted) -> Result<Option<Row>, Failure> {
    match at.find(&mut whole).map(std::mem::take) {
        Some(Legacy::Group(row)) => Ok(Some(row)),
        Some(Legacy::Null) => Ok(None),
        Some(other) => Err(Failure::malformed(format!("in place of the record there is {}", other.kind()))),
        None => Err(Failure::malformed("the answer holds nothing in the place of the record")),
    }
}

/// The list of records in an answer, taken out of it.
///
/// # Errors
/// `Malformed` when there is something else.
pub fn records(whole: &mut Legacy, at: &Dotted, absent: AbsentRecords) -> Result<Vec<Row>, Failure> {
    let items = match (at.find(whole).map(std::mem::take), absent) {
        (Some(Legacy::List(items)), _) => items,
        (None | Some(Legacy::Null), AbsentRecords::Empty) => Vec::new(),
        (None, AbsentRecords::Malformed) => return Err(Failure::malformed("the answer holds no list of records")),
        (Some(other), _) => {
            return Err(Failure::malformed(format!("in place of the list of records there is {}", other.kind())));
        }
    };
    let row = |item| match item {
        Legacy::Group(row) => Ok(row),
        other => Err(Failure::malformed(format!("in place of a record there is {}", other.kind()))),
    };
    items.into_iter().map(row).collect()
}

/// A value that is a code, which callers may see. A longer one is a text, and a text may hold anything.
#[must_use]
pub fn code(value: &Legacy) -> Option<String> {
    const MAX: usize = 64;
    let is_code = |code: &str| {
        (1..=MAX).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    value.to_text().filter(|code| is_code(code)).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_a_row_in_the_groups_of_its_path() {
        let row: Row = serde_json::from_str(r#"{"a":1}"#).expect("a row");
        let wrapped = Dotted::new("data.attributes").wrap(row);
        assert_eq!(serde_json::to_string(&wrapped).expect("JSON"), r#"{"data":{"attributes":{"a":1}}}"#);
    }

    #[test]
    fn a_word_means_what_it_says_and_none_what_is_said_of_none() {
        let words = BTreeMap::from([("GONE".to_owned(), Meaning::Absent), ("LIVE".to_owned(), Meaning::Refused)]);
        let status = Status { path: "code".to_owned(), words, otherwise: Meaning::Unavailable, missing: Some(Meaning::Done) };
        assert_eq!(status.meaning(Some(" GONE ")), Ok(Meaning::Absent));
        assert_eq!(status.meaning(None), Ok(Meaning::Done));
        let live = status.meaning(Some("LIVE")).expect_err("a refusal");
        assert_eq!(live, Failure::Refused { detail: "the status LIVE".to_owned(), reason: Some("LIVE".to_owned()) });
        assert!(matches!(status.meaning(Some("OTHER")), Err(Failure::Unavailable { .. })));
        let strict = Status { missing: None, ..status };
        assert!(matches!(strict.meaning(None), Err(Failure::Unavailable { .. })));
    }
}
